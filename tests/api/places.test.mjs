// How many jobs run at once, and who is next.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

// Each job runs until its file is there.
const definition = (id, more = "") => `id: ${id}\nname: ${id}\nparameters: { file: }\n${more}steps:\n  - { name: s, type: shell, config: { command: 'until [ -e "$PARAM_FILE" ]; do sleep 0.02; done' } }\n`;

async function stage(t, definitions, options = {}) {
    const home = await folder(t);
    const server = await serve(t, { definitions, ...options });
    const it = { server, jobs: [] };
    it.file = (i) => path.join(home, String(i));
    it.ask = async (id) => it.jobs.push(await it.server.execute(id, { file: it.file(it.jobs.length) }));
    it.finish = async (i) => {
        await writeFile(it.file(i), "");
        await it.server.events(`job:${it.jobs[i]}`, await it.server.beginning());
    };
    it.states = async () => Promise.all(it.jobs.map(async (id) => (await it.server.get(`/api/jobs/${id}`)).body.status[0]));
    it.running = (i) => it.server.event(it.jobs[i], ({ payload }) => payload.kind === "job" && payload.status === "running");
    return it;
}

test("of a definition so many jobs run at once, and the first one asked for is the next", async (t) => {
    const it = await stage(t, { "two.yaml": definition("two", "max_running: 2\n"), "free.yaml": definition("free") });
    for (let i = 0; i < 5; i++) await it.ask("two");
    await it.ask("free");
    await it.running(5);
    assert.deepEqual(await it.states(), ["r", "r", "p", "p", "p", "r"]);
    const line = await it.server.event(it.jobs[2], ({ type }) => type === "job_log");
    assert.equal(line.payload.message, "waits for a place: 2 jobs of this definition at once");
    await it.finish(1);
    await it.running(2);
    assert.deepEqual(await it.states(), ["r", "c", "r", "p", "p", "r"]);
    await it.server.post(`/api/jobs/${it.jobs[3]}/cancel`); // one that waits
    const events = await it.server.events(`job:${it.jobs[3]}`, await it.server.beginning());
    const moves = (kind) => events.filter(({ payload }) => payload.kind === kind).map(({ payload }) => `${payload.status} ${payload.cause}`.trim());
    assert.deepEqual(moves("job"), ["pending", "cancelled cancelled by API"], "it was never running");
    assert.deepEqual(moves("step"), ["cancelled cancelled by API"]);
    assert.equal(events.at(-2).payload.message, "cancelled before it began: cancelled by API");
    assert.equal((await it.server.get(`/api/jobs/${it.jobs[3]}`)).body.started_at, null);
    await it.finish(0);
    await it.running(4);
    for (const i of [2, 4, 5]) await it.finish(i);
    assert.deepEqual(await it.states(), ["c", "c", "c", "c", "c", "c"]); // completed, or cancelled
    assert.equal((await it.server.get(`/api/jobs/${it.jobs[3]}`)).body.status, "cancelled");
});

test("a limit that comes later counts the jobs of before, and is over when they have ended", async (t) => {
    const it = await stage(t, {});
    const put = (more, method, target) => it.server.fetch("/api/job-definitions" + target, { method, headers: { "Content-Type": "application/yaml" }, body: definition("a", more) });
    assert.equal((await put("", "POST", "")).status, 201);
    await it.ask("a");
    await it.running(0);
    assert.equal((await put("max_running: 1\n", "PUT", "/a")).status, 200);
    await it.ask("a");
    await it.server.event(it.jobs[1], ({ type }) => type === "job_log");
    assert.deepEqual(await it.states(), ["r", "p"]);
    await it.finish(0);
    await it.running(1);
    await it.finish(1);
});

test("of the server so many run at once, and who waits still does after it was killed", async (t) => {
    const data = await folder(t);
    const definitions = { "a.yaml": definition("a"), "b.yaml": definition("b") };
    const options = { data, args: ["--max-jobs", "1"] };
    const it = await stage(t, definitions, options);
    for (const id of ["a", "b", "a"]) await it.ask(id);
    await it.running(0);
    assert.deepEqual(await it.states(), ["r", "p", "p"]);
    await it.server.stop("SIGKILL");
    it.server = await serve(t, { definitions, ...options });
    assert.deepEqual(await it.states(), ["r", "p", "p"]);
    await it.finish(0);
    await it.running(1);
    assert.deepEqual(await it.states(), ["c", "r", "p"]);
    await it.finish(1);
    await it.finish(2);
    assert.deepEqual(await it.states(), ["c", "c", "c"]);
});

test("limits that are none are refused", async (t) => {
    const server = await serve(t);
    for (const wrong of ["0", "-1", "many", "1.5"]) {
        const { status, body } = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition("a", `max_running: ${wrong}\n`) });
        assert.deepEqual([status, body.field, body.line], [400, "max_running", 4], wrong);
        const { code, stderr } = await command(["serve", "--max-jobs", wrong === "0" ? "x" : wrong]);
        assert.deepEqual([code, /max-jobs is a number of jobs, 0 for no limit/.test(stderr)], [2, true], wrong);
    }
});
