// The server's own log: lines for people, or objects for machines.
import assert from "node:assert/strict";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);
const body = "id: a\nname: A \"quoted\"\nsteps:\n  - { name: s, type: shell, config: { command: echo } }\n";

async function addAndStop(server) {
    await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body });
    await server.stop("SIGTERM");
    await server.ended;
    return server.stderr.trimEnd().split("\n");
}

test("as JSON each line is an object, and what has a name has it", async (t) => {
    const server = await serve(t, { definitions: { "wrong.yaml": "id: x\n" }, env: { TAILRACE_LOG_FORMAT: "json" } });
    const lines = (await addAndStop(server)).map((line) => JSON.parse(line));
    for (const line of lines) {
        assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        assert.ok(["error", "warn", "info"].includes(line.level), line.level);
    }
    const found = (want) => lines.filter(({ message, event }) => event === want || message.startsWith(want));
    assert.equal(found("left out: ")[0].level, "error");
    assert.deepEqual(found("definition_added").map(({ message, subject }) => [message, subject]), [["definition 'A \"quoted\"' is kept", "a"]]);
    assert.equal(found("started").length, 1);
    assert.equal(found("stopping").length, 1);
    assert.equal(found("stopping")[0].subject, found("started")[0].subject);
});

test("as text each line begins with the time and a level of three letters", async (t) => {
    const lines = await addAndStop(await serve(t, { definitions: { "wrong.yaml": "id: x\n" } }));
    for (const line of lines) assert.match(line, /^\S+Z (ERR|WRN|INF) \S/);
    assert.equal(lines.filter((line) => line.endsWith(" INF the server is stopping")).length, 1);
    assert.equal(lines.filter((line) => / ERR left out: /.test(line)).length, 1);
});

test("another format is refused", async (t) => {
    const { code, stderr } = await command(["serve", "--log-format", "JSON", "--data", await folder(t)]);
    assert.deepEqual([code, stderr], [2, "tailrace: log-format is text or json, not 'JSON'\n"]);
});
