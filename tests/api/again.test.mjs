// A job again, from what failed: what is taken over, what runs.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const step = (name, command, more = "") => `  - name: ${name}\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n${more}`;
const definition = (steps, more = "") => `id: d\nname: D\nparameters: { file: }\n${more}steps:\n${steps.join("")}`;

async function treeOf(server, job) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    return { job, tree, steps: Object.fromEntries(tree.steps.map((s) => [s.name, { ...s, texts: s.logs.map(({ message }) => message) }])) };
}

// Fails as long as there is no such file.
const NEEDS = '[ -e "$PARAM_FILE" ]';

async function failed(t, steps, options = {}) {
    const file = path.join(await folder(t), "there");
    const server = await serve(t, { definitions: { "d.yaml": definition(steps) }, ...options });
    const first = await treeOf(server, await server.run("d", { file }));
    const again = (body) => server.post(`/api/jobs/${first.job}/rerun`, { from_failed: true, ...body });
    const ended = async ({ status, body }) => {
        assert.equal(status, 202, JSON.stringify(body));
        await server.events(`job:${body.job_id}`, await server.beginning());
        return treeOf(server, body.job_id);
    };
    return { server, file, first, again, ended, mend: () => writeFileSync(file, "") };
}

const states = ({ tree }) => Object.fromEntries(tree.steps.map((s) => [s.name, s.status]));

test("what completed is taken over with its outputs, what failed and what waited for it runs", async (t) => {
    const it = await failed(t, [
        step("find", "echo version=7 > $TAILRACE_OUTPUT; echo found"),
        step("beside", "echo beside", "    depends: [find]\n"),
        step("bad", NEEDS, "    depends: [find]\n"),
        step("alarm", "echo alarm", "    when: { bad: failed }\n"),
        step("after", 'echo "version $STEP_FIND_VERSION"', "    depends: [bad, beside]\n"),
    ]);
    assert.deepEqual(states(it.first), { find: "completed", beside: "completed", bad: "failed", alarm: "completed", after: "skipped" });
    it.mend();
    const second = await it.ended(await it.again());
    assert.equal(second.tree.status, "completed", second.tree.cause);
    assert.deepEqual(states(second), { find: "completed", beside: "completed", bad: "completed", alarm: "skipped", after: "completed" });
    const from = `taken over from job ${it.first.job}`;
    for (const name of ["find", "beside"]) {
        assert.deepEqual([second.steps[name].cause, second.steps[name].started_at, second.steps[name].texts], [from, null, [from]]);
        assert.equal(second.steps[name].child_summary.total, 0);
    }
    assert.deepEqual(second.steps.find.outputs, { version: "7" });
    assert.ok(second.steps.after.texts.includes("version 7"));
    assert.equal(second.tree.logs[0].message, `2 of 5 steps taken over from job ${it.first.job}`);
    assert.match(second.tree.started_by, /^API, again after [0-9a-f-]{36}, from what failed$/);
    const events = await it.server.events(`job:${second.job}`, await it.server.beginning());
    assert.deepEqual(events.filter(({ type }) => type === "step_output").map(({ payload }) => payload.name), ["version"]);
    const refused = await it.server.post(`/api/jobs/${second.job}/rerun`, { from_failed: true });
    assert.deepEqual([refused.status, refused.body.error], [409, `nothing of job '${second.job}' failed, so nothing is left to be run again`]);
});

test("a step that completed runs again when one that it waits for does, also when that may fail", async (t) => {
    const it = await failed(t, [
        step("may", NEEDS, "    on_error: continue\n"),
        step("after", "echo after", "    depends: [may]\n"),
        step("never", "echo never", "    when: { after: failed }\n"),
        step("last", "echo last", "    when: { never: [completed, skipped] }\n"),
        step("apart", "echo apart"),
        step("unless", "echo unless", "    when: { apart: failed }\n"),
        step("then", "echo then", "    when: { unless: skipped }\n"),
    ]);
    assert.equal(it.first.tree.status, "completed");
    const second = await it.ended(await it.again());
    const taken = Object.values(second.steps).filter((s) => s.cause.startsWith("taken over")).map((s) => s.name);
    assert.deepEqual(taken, ["apart", "then"]);
    assert.deepEqual(states(second), states(it.first));
});

test("what was taken over is taken over again, and other parameters count for what runs", async (t) => {
    const it = await failed(t, [step("find", "echo version=7 > $TAILRACE_OUTPUT"), step("bad", NEEDS, "    depends: [find]\n")]);
    const second = await it.ended(await it.again());
    assert.equal(second.tree.status, "failed");
    const { status, body } = await it.server.post(`/api/jobs/${second.job}/rerun`, { from_failed: true, parameters: { file: "/" } });
    const third = await it.ended({ status, body });
    assert.equal(third.tree.status, "completed");
    assert.equal(third.steps.find.cause, `taken over from job ${second.job}`);
    assert.deepEqual(third.steps.find.outputs, { version: "7" });
});

test("a job that has not ended, and a body that is wrong, are refused", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": definition([step("long", "echo begun; sleep 1000")]) } });
    const job = await server.execute("d", { file: "x" });
    await server.event(job, ({ payload }) => payload.message === "begun");
    const running = await server.post(`/api/jobs/${job}/rerun`, { from_failed: true });
    assert.deepEqual([running.status, running.body.error], [409, `job '${job}' has not ended yet`]);
    const wrong = await server.post(`/api/jobs/${job}/rerun`, { from_failed: "yes" });
    assert.deepEqual([wrong.status, wrong.body.field], [400, "from_failed"]);
    const execute = await server.post("/api/job-definitions/d/execute", { from_failed: true });
    assert.deepEqual([execute.status, execute.body.field], [400, "from_failed"]);
});

test("a job that took steps over goes on after it was killed, without running them", async (t) => {
    const data = await folder(t);
    const it = await failed(t, [
        step("find", 'echo version=7 > $TAILRACE_OUTPUT; echo again >> "$PARAM_FILE.ran"'),
        step("bad", `${NEEDS} || exit 1; echo begun; [ -e "$PARAM_FILE.go" ] || exec sleep 1000; echo "version $STEP_FIND_VERSION"`, "    depends: [find]\n"),
    ], { data });
    it.mend();
    const { body } = await it.again();
    await it.server.event(body.job_id, ({ payload }) => payload.message === "begun");
    await it.server.stop("SIGKILL");
    writeFileSync(it.file + ".go", "");
    const server = await serve(t, { data });
    await server.events(`job:${body.job_id}`, await server.beginning());
    const after = await treeOf(server, body.job_id);
    assert.equal(after.tree.status, "completed", after.tree.cause);
    assert.ok(after.steps.bad.texts.includes("version 7"));
    assert.equal(after.steps.find.cause, `taken over from job ${it.first.job}`);
    assert.equal(readFileSync(it.file + ".ran", "utf8"), "again\n", "it ran once");
});

test("the command line asks for it", async (t) => {
    const it = await failed(t, [step("fine", "echo fine"), step("bad", NEEDS, "    depends: [fine]\n")]);
    it.mend();
    const { code, stdout, stderr } = await command(["rerun", "latest", "--from-failed", "--follow"], { env: { ...process.env, TAILRACE_URL: it.server.url } });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /fine 1 info taken over from job/);
    assert.match(stdout, /bad 1 info started/);
});
