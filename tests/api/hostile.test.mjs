// Commands, peers and disks that do their worst: the server stays up, or ends in good order.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { folder, listener, serve } from "./server.mjs";

// A hang is a failure too.
const test = (name, run) => nodeTest(name, { timeout: 120000 }, run);

const shell = (id, command) => `id: ${id}\nname: ${id}\nsteps:\n  - name: s\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n`;

test("a server whose disk is full stops in good order in the middle of a command's flood", async (t) => {
    const server = await serve(t, {
        definitions: {
            "flood.yaml": shell("flood", "head -c 16000000 /dev/zero | tr '\\0' x; yes"),
        },
        env: { TAILRACE_FAULT: "store.commit.before:5:stick" },
    });
    await server.execute("flood");
    while ((await server.get("/api/status")).body.lag.uncommitted_bytes <= 16 * 2 ** 20); // then no more is read
    const { code, signal } = await server.stop();
    assert.equal(signal, null, "ended by itself");
    assert.equal(code, 7);
    assert.match(server.stderr, /the last batch could not be committed/);
    assert.doesNotMatch(server.stderr, /did not end/, "its tasks ended, nobody's patience did");
});

// A web server of the test's own: answers by path. Returns its address.
async function site(t, answer) {
    return (await listener(t, (request, response) => answer(request.url, response))).url + "/";
}

const crawl = (id, url, more = "") => `id: ${id}\nname: ${id}\nsteps:\n  - name: c\n    type: crawler\n    config: { start_urls: ["${url}"]${more} }\n`;

/** What a process has worked so far, whatever else the machine does. */
function cpuSeconds(pid) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
}

test("pages that take long to read hold up neither the API nor a cancel", async (t) => {
    const links = Array.from({ length: 16 }, (_, i) => `<a href="/${i}">${i}</a>`).join("");
    const deep = "<div>".repeat(100_000);
    const url = await site(t, (target, response) => {
        if (target === "/robots.txt") response.writeHead(404).end();
        else response.writeHead(200, { "Content-Type": "text/html" }).end(target === "/" ? links : deep);
    });
    const server = await serve(t, { definitions: { "one.yaml": crawl("one", url + "0"), "deep.yaml": crawl("deep", url, ", concurrency: 16") } });
    const idle = cpuSeconds(server.pid);
    await server.run("one");
    const onePage = cpuSeconds(server.pid) - idle;
    const socket = server.socket();
    await socket.opened;
    const job = await server.execute("deep");
    await socket.next((m) => m.type === "step_progress" && m.payload.running_jobs >= 12);
    // The reads come behind pages that take seconds each. Whoever had to wait for these would be answered
    // when all but the last few have ended.
    for (let i = 0; i < 20; i++) assert.equal((await server.get("/api/jobs")).status, 200);
    const before = (await server.get(`/api/jobs/${job}/tree`)).body.steps[0].child_summary;
    assert.ok(before.running + before.pending >= 8, JSON.stringify(before));
    // A cancel waits for the two pages that are being read, and for no other.
    const worked = cpuSeconds(server.pid);
    await server.post(`/api/jobs/${job}/cancel`);
    await server.events(`job:${job}`, await server.beginning());
    const after = (await server.get(`/api/jobs/${job}/tree`)).body.steps[0].child_summary;
    assert.ok(after.cancelled >= 8, JSON.stringify(after));
    const took = cpuSeconds(server.pid) - worked;
    assert.ok(took < 5 * onePage, `pages of a cancelled step were read for ${took} s, one takes ${onePage} s`);
});

test("what is no file in the folder of definitions is left out, and does not hold up the start", async (t) => {
    const definitions = await folder(t);
    execFileSync("mkfifo", [path.join(definitions, "a.yaml")]);
    await symlink("/dev/zero", path.join(definitions, "b.yaml"));
    await mkdir(path.join(definitions, "c.yaml"));
    await writeFile(path.join(definitions, "d.yaml"), shell("d", "true"));
    const server = await serve(t, { args: ["--definitions", definitions] });
    await server.run("d");
    await server.stop();
    for (const name of ["a", "b", "c"]) assert.match(server.stderr, new RegExp(`left out: .*/${name}\\.yaml: this is not a file`));
});
