// How jobs run: order, parallel steps, failures and their causes, tolerance, cancel.
import assert from "node:assert/strict";
import test from "node:test";
import { serve } from "./server.mjs";

const step = (name, command, more = "") => `  - name: ${name}\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n${more}`;
const definition = (steps, more = "") => `id: d\nname: D\n${more}steps:\n${steps.join("")}`;

async function runTree(t, text, parameters) {
    const server = await serve(t, { definitions: { "d.yaml": text } });
    const job = await server.run("d", parameters);
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    const steps = Object.fromEntries(tree.steps.map((s) => [s.name, s]));
    const events = await server.events(`job:${job}`, await server.beginning());
    return { server, job, tree, steps, events };
}

const moves = (events, kind) => events.filter((e) => e.type === "job_status_change" && e.payload.kind === kind);

test("a step starts when what it depends on has completed, and not before", async (t) => {
    const { tree, events } = await runTree(t, definition([
        step("last", "echo last", "    depends: [left, right]\n"),
        step("left", "echo left", "    depends: [first]\n"),
        step("right", "echo right", "    depends: [first]\n"),
        step("first", "echo first"),
    ]));
    assert.equal(tree.status, "completed");
    const order = moves(events, "step").map((e) => `${e.payload.step_name} ${e.payload.status}`);
    const at = (what) => order.indexOf(what);
    assert.ok(at("first completed") < at("left running") && at("first completed") < at("right running"));
    assert.ok(at("left completed") < at("last running") && at("right completed") < at("last running"));
    assert.ok(at("left running") < at("right completed") && at("right running") < at("left completed"), "left and right run at the same time");
    assert.deepEqual(moves(events, "job").map((e) => e.payload.status), ["pending", "running", "completed"]);
    assert.equal(events.at(-1).payload.kind, "job", "the job's end is the last event of its topic");
});

test("a failed step says its exit code, skips what depends on it, and fails the job", async (t) => {
    const { tree, steps } = await runTree(t, definition([
        step("bad", "echo no >&2; exit 3"),
        step("next", "echo never", "    depends: [bad]\n"),
        step("other", "echo fine"),
    ]));
    assert.equal(tree.status, "failed");
    assert.match(tree.cause, /step 'bad': .*exit code 3/);
    assert.equal(tree.error, "", "the line that says the cause is no second one");
    assert.equal(steps.bad.error, "");
    assert.equal(steps.bad.status, "failed");
    assert.match(steps.bad.cause, /exit code 3/);
    assert.equal(steps.next.status, "skipped");
    assert.match(steps.next.cause, /step 'bad'/);
    assert.equal(steps.other.status, "completed");
    assert.ok(steps.bad.logs.some((l) => l.message === "no"));
    assert.match(steps.bad.logs.at(-1).message, /exit code 3/, "the last line of a failed step is its cause");
});

test("a step with on_error: continue fails alone", async (t) => {
    const { tree, steps } = await runTree(t, definition([
        step("bad", "exit 1", "    on_error: continue\n"),
        step("next", "echo yes", "    depends: [bad]\n"),
    ]));
    assert.equal(tree.status, "completed");
    assert.equal(steps.bad.status, "failed");
    assert.equal(steps.next.status, "completed");
});

test("a signal is named as the cause", async (t) => {
    const { steps } = await runTree(t, definition([step("s", "kill -9 $$")]));
    assert.match(steps.s.cause, /signal 9/);
});

const tolerance = (action) => `error_tolerance: { max_child_failures: 2, failure_action: ${action} }\n`;
const FAILING = ["  - name: g\n    type: generator\n    config: { worker_count: 40, log_count: 1, failure_rate: 0.5 }\n"];

test("more failures than tolerated stop the step with stop_all", async (t) => {
    const { steps, tree } = await runTree(t, definition(FAILING, tolerance("stop_all")));
    assert.equal(steps.g.status, "failed");
    assert.match(steps.g.cause, /tasks failed, 2 are tolerated/);
    assert.equal(tree.status, "failed");
    const c = steps.g.child_summary;
    assert.equal(c.total, 40);
    assert.equal(c.completed + c.failed + c.cancelled, 40);
    assert.ok(c.cancelled > 0);
});

test("more failures than tolerated are a warning with mark_warning, and nothing with continue", async (t) => {
    const warned = await runTree(t, definition(FAILING, tolerance("mark_warning")));
    assert.equal(warned.tree.status, "completed");
    assert.ok(warned.steps.g.logs.some((l) => l.level === "warn" && /2 are tolerated/.test(l.message)));
    const quiet = await runTree(t, definition(FAILING, tolerance("continue")));
    assert.equal(quiet.tree.status, "completed");
    assert.ok(!quiet.steps.g.logs.some((l) => /tolerated/.test(l.message)));
});

test("parameters reach a command as environment, never as text of the command", async (t) => {
    const { steps } = await runTree(t, definition([step("s", 'echo "<$PARAM_NAME> {name}"')], "parameters: { name: { default: x } }\n"), { name: "a'; touch /nope; \"b" });
    assert.ok(steps.s.logs.some((l) => l.message === "<a'; touch /nope; \"b> {name}"), JSON.stringify(steps.s.logs));
});

test("a cancelled job ends with all its steps final and says who cancelled it", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": definition([step("long", "echo begun; sleep 1000"), step("then", "echo never", "    depends: [long]\n")]) } });
    const socket = server.socket();
    await socket.opened;
    const job = await server.execute("d");
    await socket.next((m) => m.type === "job_log" && m.payload.message === "begun");
    for (const by of ["x".repeat(65), "two\nlines", " ", ["page"], ""]) {
        const wrong = await server.post(`/api/jobs/${job}/cancel`, { by });
        assert.deepEqual([wrong.status, wrong.body.field], [400, "by"], JSON.stringify(by));
    }
    assert.equal((await server.post(`/api/jobs/${job}/cancel`, { force: true })).status, 400);
    assert.equal((await server.post(`/api/jobs/${job}/cancel`, { by: "the test" })).status, 200);
    await server.events(`job:${job}`, await server.beginning());
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    assert.equal(tree.status, "cancelled");
    assert.equal(tree.cause, "cancelled by the test");
    assert.ok(tree.logs.some(({ message }) => message === "cancel asked for by the test"));
    assert.deepEqual(tree.steps.map((s) => s.status), ["cancelled", "cancelled"]);
    const again = await server.post(`/api/jobs/${job}/cancel`);
    assert.equal(again.status, 409);
});

test("a queue that is longer than the window in memory is worked off to the last task, also when cancelled", async (t) => {
    const many = "  - name: g\n    type: generator\n    config: { worker_count: 20000, log_count: 1 }\n";
    const server = await serve(t, { definitions: { "d.yaml": definition([many]) } });
    const job = await server.run("d");
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    assert.equal(tree.steps[0].child_summary.completed, 20000);
    const second = await server.execute("d");
    await server.post(`/api/jobs/${second}/cancel`);
    await server.events(`job:${second}`, await server.beginning());
    const { body: cancelled } = await server.get(`/api/jobs/${second}/tree`);
    const c = cancelled.steps[0].child_summary;
    assert.equal(cancelled.status, "cancelled");
    assert.equal(c.pending + c.running, 0);
    assert.equal(c.total, cancelled.steps[0].status === "cancelled" && c.total === 0 ? 0 : 20000);
});

test("counts in step_progress never exceed the tasks there are, and the last one is complete", async (t) => {
    const { events, steps } = await runTree(t, definition(["  - name: g\n    type: generator\n    config: { worker_count: 300, log_count: 2 }\n"]));
    const progress = events.filter((e) => e.type === "step_progress").map((e) => e.payload);
    for (const p of progress) assert.equal(p.total_jobs, p.pending_jobs + p.running_jobs + p.completed_jobs + p.failed_jobs + p.cancelled_jobs);
    assert.equal(progress.at(-1).completed_jobs, 300);
    assert.equal(steps.g.child_summary.completed, 300);
});
