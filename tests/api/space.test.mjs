// A disk that is nearly full: new jobs wait, those that run go on, nothing is lost.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { BINARY, command, folder, serve } from "./server.mjs";

const test = (name, run, options = {}) => nodeTest(name, { timeout: 60000, ...options }, run);
const definition = (id, script) => `id: ${id}\nname: ${id}\nsteps:\n  - name: s\n    type: shell\n    config:\n      command: |\n        ${script}\n`;

// The next event of the topic `system` with this name.
async function told(server, name) {
    for (let cursor = await server.beginning(); ; ) {
        const { body } = await server.get(`/api/events?topic=system&since=${cursor}&wait=25`);
        const found = body.events.find(({ payload }) => payload.event === name);
        if (found) return found.payload;
        cursor = body.cursor;
    }
}

const waits = ({ payload }) => payload.waits_for === "more room on the disk";
const statusOf = async (server, job) => (await server.get(`/api/jobs/${job}`)).body.status;

test("with less room than is asked for new jobs wait, through kill -9, until a server asks for less", async (t) => {
    const data = await folder(t);
    const definitions = { "a.yaml": definition("a", "echo done") };
    let server = await serve(t, { data, definitions, args: ["--min-free", "900000GiB"] });
    const { level, message } = await told(server, "space_low");
    assert.equal(level, "warn");
    assert.match(message, /^the disk is nearly full: .* are left, new jobs wait until it is .*$/);
    const { space } = (await server.get("/api/status")).body;
    assert.deepEqual([space.low, space.min_free_bytes], [true, 900000 * 2 ** 30]);
    assert.match(space.message, /^the disk is nearly full/);
    assert.ok(space.free_bytes > 0);
    assert.match((await server.get("/metrics")).text, /^tailrace_space_low 1$/m);
    const jobs = [await server.execute("a"), await server.execute("a")];
    for (const job of jobs) await server.event(job, waits);
    assert.equal(await statusOf(server, jobs[0]), "pending");
    await server.stop("SIGKILL");
    server = await serve(t, { data, definitions, env: { TAILRACE_MIN_FREE: "900000GiB" } });
    jobs.push(await server.execute("a"));
    await server.event(jobs[2], waits);
    await server.post(`/api/jobs/${jobs[1]}/cancel`); // one that waits
    await server.events(`job:${jobs[1]}`, await server.beginning());
    assert.deepEqual(await Promise.all(jobs.map((job) => statusOf(server, job))), ["pending", "cancelled", "pending"]);
    await server.stop();
    server = await serve(t, { data, definitions, args: ["--min-free", "0"] });
    for (const job of [jobs[0], jobs[2]]) await server.events(`job:${job}`, await server.beginning());
    assert.deepEqual(await Promise.all(jobs.map((job) => statusOf(server, job))), ["completed", "cancelled", "completed"]);
    assert.equal((await server.get("/api/status")).body.space.low, false);
});

test("a data folder that is moved away is said, new jobs wait until it is back", async (t) => {
    const data = path.join(await folder(t), "data");
    const server = await serve(t, { data, definitions: { "a.yaml": definition("a", "echo done") }, args: ["--min-free", "0"] });
    await rename(data, `${data}.away`);
    const { level, message } = await told(server, "space_low");
    assert.deepEqual([level, message], ["error", "the database is not in the data folder any more: what is written now will be lost, new jobs wait"]);
    assert.equal((await server.get("/api/status")).body.space.message, message);
    const job = await server.execute("a");
    await server.event(job, waits);
    await mkdir(data);
    await writeFile(path.join(data, "tailrace.db"), ""); // another one
    assert.equal(await statusOf(server, job), "pending");
    await rm(data, { recursive: true });
    await rename(`${data}.away`, data);
    await told(server, "space_enough");
    await server.events(`job:${job}`, await server.beginning());
    assert.equal(await statusOf(server, job), "completed");
});

function canMount() {
    try {
        execFileSync("unshare", ["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "ignore" });
        return true;
    } catch {
        return false;
    }
}

test("a job fills a small disk: it goes on, others wait, and start when it has made room", async (t) => {
    const home = await folder(t), data = path.join(home, "data"), program = path.join(home, "tailrace");
    await mkdir(data);
    await writeFile(program, `#!/bin/sh\nexec unshare -Urm sh -c 'mount -t tmpfs -o size=64m none ${data} && exec "$@"' sh ${BINARY} "$@"\n`);
    await chmod(program, 0o755);
    const until = (name) => `until [ -e ${home}/${name} ]; do sleep 0.02; done`;
    const server = await serve(t, { data, binary: program, args: ["--min-free", "24MiB"], definitions: {
        "fill.yaml": definition("fill", `head -c 44M /dev/zero > ${data}/filler; ${until("talk")}; seq 1 2000; ${until("leave")}; rm ${data}/filler; echo gone`),
        "small.yaml": definition("small", "echo small") } });
    const fill = await server.execute("fill");
    await told(server, "space_low");
    const small = await server.execute("small");
    await server.event(small, waits);
    await writeFile(path.join(home, "talk"), "");
    await server.event(fill, ({ payload }) => payload.message === "2000");
    assert.equal(await statusOf(server, small), "pending");
    await writeFile(path.join(home, "leave"), "");
    assert.match((await told(server, "space_enough")).message, /^there is room again: .* are left, jobs that waited start$/);
    for (const job of [fill, small]) await server.events(`job:${job}`, await server.beginning());
    assert.deepEqual([await statusOf(server, fill), await statusOf(server, small)], ["completed", "completed"]);
}, { skip: canMount() ? false : "a file system of one's own cannot be mounted here" });

test("a size that is none is refused", async (t) => {
    const { code, stderr } = await command(["serve", "--data", await folder(t), "--min-free", "1GB"]);
    assert.deepEqual([code, stderr], [2, "tailrace: min-free is a size such as 1GiB, 0 for none, not '1GB'\n"]);
});
