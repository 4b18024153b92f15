// Who owns the tasks of a folder: one server, until it is gone; then the next one, at once.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

// Notes each of its attempts, and ends when its file is there.
const definition = (more, end) => `id: a
name: A
parameters: { file: }
steps:
  - name: s
    type: shell
${more}    config: { command: 'echo attempt >> "$PARAM_FILE.notes"; echo noted; until [ -e "$PARAM_FILE" ]; do sleep 0.02; done; ${end}' }
`;

async function begun(t, more, end) {
    const home = await folder(t);
    const options = { data: path.join(home, "data"), definitions: { "a.yaml": definition(more, end) } };
    const server = await serve(t, options);
    const file = path.join(home, "go");
    const job = await server.execute("a", { file });
    await server.event(job, ({ payload }) => payload.message === "noted");
    return { server, options, file, job };
}

const isMove = (kind) => ({ type, payload }) => type === "job_status_change" && payload.kind === kind;
const moves = (events) => events.filter(isMove("task")).map(({ payload }) => [payload.status, payload.attempt, payload.cause]);
const attempts = (it) => (existsSync(it.file + ".notes") ? readFileSync(it.file + ".notes", "utf8").trim().split("\n").length : 0);

test("a second server is refused and disturbs nobody; when the first is gone the next one owns its tasks at once", async (t) => {
    const it = await begun(t, "", "true");
    for (let i = 0; i < 3; i++) {
        const { code, stdout, stderr } = await command(["serve", "--listen", "127.0.0.1:0", "--data", it.options.data]);
        assert.deepEqual([code, stdout], [6, ""]);
        assert.ok(stderr.includes(it.options.data) && stderr.includes(`process ${it.server.pid}`), stderr);
    }
    const { status } = (await it.server.get(`/api/jobs/${it.job}`)).body;
    assert.deepEqual([status, attempts(it)], ["running", 1], "as if nobody had asked");
    await it.server.stop("SIGKILL");
    const next = await serve(t, it.options);
    await next.event(it.job, ({ payload }) => payload.kind === "task" && payload.status === "running" && payload.attempt === 2);
    await writeFile(it.file, "");
    const events = await next.events(`job:${it.job}`, await next.beginning());
    assert.deepEqual(moves(events), [
        ["running", 1, ""], ["pending", 1, "the server was restarted"], ["running", 2, ""], ["completed", 2, ""],
    ]);
    assert.equal(attempts(it), 2);
    assert.equal(events.filter(isMove("job")).filter(({ payload }) => payload.status === "completed").length, 1);
});

test("an attempt that the end of the server interrupted counts", async (t) => {
    const it = await begun(t, "    retry: { attempts: 2, backoff: 0 }\n", "exit 3");
    await it.server.stop("SIGKILL");
    const next = await serve(t, it.options);
    await writeFile(it.file, "");
    const events = await next.events(`job:${it.job}`, await next.beginning());
    assert.deepEqual(moves(events).at(-1), ["failed", 2, "exit code 3 (attempt 2 of 2)"]);
    assert.equal(attempts(it), 2);
});

test("what was completed does not run again, whenever the server dies after it", async (t) => {
    const it = await begun(t, "", "true");
    await writeFile(it.file, "");
    await it.server.event(it.job, ({ payload }) => payload.kind === "task" && payload.status === "completed");
    await it.server.stop("SIGKILL"); // what anyone has seen is durable
    const next = await serve(t, it.options);
    const events = await next.events(`job:${it.job}`, await next.beginning());
    assert.deepEqual(moves(events), [["running", 1, ""], ["completed", 1, ""]]);
    assert.equal(events.filter(isMove("job")).at(-1).payload.status, "completed");
    assert.equal(attempts(it), 1);
});
