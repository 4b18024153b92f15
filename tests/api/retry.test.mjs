// Tasks that try again, and how long anything may take. Each command notes in a file that it ran.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import nodeTest from "node:test";
import { folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const step = (name, command, more = "") => `  - name: ${name}\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n${more}`;
const definition = (steps, more = "") => `id: d\nname: D\nparameters: { note: }\n${more}steps:\n${steps.join("")}`;

async function begun(t, text) {
    const note = path.join(await folder(t), "note");
    const data = await folder(t);
    const server = await serve(t, { data, definitions: { "d.yaml": text } });
    const job = await server.execute("d", { note });
    const runs = () => readFileSync(note, "utf8").trim().split("\n").length;
    const ended = async () => {
        const events = await server.events(`job:${job}`, await server.beginning());
        const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
        return { tree, events, steps: Object.fromEntries(tree.steps.map((s) => [s.name, s])) };
    };
    return { server, job, data, runs, ended };
}

// Fails until it has run so many times.
const failing = (times) => `echo run >> $PARAM_NOTE; n=$(wc -l < $PARAM_NOTE); echo this is run $n of attempt $TAILRACE_ATTEMPT; [ $n -ge ${times} ]`;
const texts = (step) => step.logs.map(({ message }) => message);
const taskMoves = (events) => events.filter(({ payload }) => payload.kind === "task").map(({ payload }) => `${payload.status} ${payload.attempt}`);

test("a task that fails is tried again until it succeeds, each attempt with its lines and its cause", async (t) => {
    const it = await begun(t, definition([step("s", failing(3), "    retry: { attempts: 5, backoff: 20ms }\n")]));
    const { tree, steps, events } = await it.ended();
    assert.equal(tree.status, "completed");
    assert.equal(it.runs(), 3);
    assert.deepEqual(taskMoves(events), ["pending 0", "running 1", "pending 1", "running 2", "pending 2", "running 3", "completed 3"].slice(1));
    const said = texts(steps.s);
    assert.match(said[1], /^this is run 1 of attempt 1$/);
    assert.match(said[2], /^attempt 1 of 5 failed: exit code 1; the next one in 0\.0 s$/);
    assert.equal(said[3], "attempt 2 of 5");
    assert.equal(said.at(-2), "this is run 3 of attempt 3");
    assert.deepEqual(steps.s.child_summary.completed, 1);
});

test("after the last attempt it has failed, with the cause and how often it was tried", async (t) => {
    const it = await begun(t, definition([step("s", failing(9), "    retry: { attempts: 3, backoff: 0 }\n")]));
    const { tree, steps } = await it.ended();
    assert.equal(tree.status, "failed");
    assert.equal(it.runs(), 3);
    assert.equal(steps.s.cause, "exit code 1 (attempt 3 of 3)");
});

test("a pause is as long as it was asked for, however long", async (t) => {
    const it = await begun(t, definition([
        step("hour", failing(99), "    retry: { attempts: 3, backoff: 1h }\n"),
        step("ages", failing(99), "    retry: { attempts: 100, backoff: 36500d }\n"),
    ]));
    const seconds = async (name) => {
        const { payload } = await it.server.event(it.job, ({ payload }) => payload.step_name === name && /failed/.test(payload.message));
        return Number(payload.message.match(/the next one in ([\d.]+) s$/)[1]);
    };
    const [hour, ages] = [await seconds("hour"), await seconds("ages")];
    assert.ok(hour >= 1800 && hour <= 3600, `${hour}`);
    assert.ok(ages >= 36500 * 43200 && ages <= 36500 * 86400, `${ages}`);
    await it.server.post(`/api/jobs/${it.job}/cancel`, {});
    assert.equal((await it.ended()).tree.status, "cancelled");
});

test("on_error: retry tries three times", async (t) => {
    const it = await begun(t, definition([step("s", failing(9), "    on_error: retry\n    retry: { backoff: 1ms }\n")]));
    await it.ended();
    assert.equal(it.runs(), 3);
});

test("a task that waits for its next attempt is cancelled with its job", async (t) => {
    const it = await begun(t, definition([step("s", failing(9), "    retry: { attempts: 3, backoff: 1h, backoff_max: 1h }\n")]));
    await it.server.event(it.job, ({ payload }) => /^attempt 1 of 3 failed/.test(payload.message));
    await it.server.post(`/api/jobs/${it.job}/cancel`, {});
    const { tree, events } = await it.ended();
    assert.equal(tree.status, "cancelled");
    assert.equal(it.runs(), 1);
    assert.equal(taskMoves(events).at(-1), "cancelled 1");
});

test("a task that waits for its next attempt when the server is killed keeps its time", async (t) => {
    const it = await begun(t, definition([step("s", failing(2), "    retry: { attempts: 3, backoff: 4s, backoff_max: 4s }\n")]));
    const moves = (events, status) => events.filter(({ payload }) => payload.kind === "task" && payload.status === status);
    const { payload: { due_at, job_id: id } } = await it.server.event(it.job, ({ payload }) => payload.kind === "task" && payload.status === "pending" && payload.attempt === 1);
    await it.server.stop("SIGKILL");
    const again = await serve(t, { data: it.data });
    const task = async () => (await again.get(`/api/jobs/${id}`)).body;
    const waits = (await task()).due_at;
    assert.ok(waits === due_at || Date.now() >= Date.parse(due_at), `${waits}, and not ${due_at}`); // a busy machine may have been so slow
    const events = await again.events(`job:${it.job}`, await again.beginning());
    assert.equal(it.runs(), 2);
    assert.equal(taskMoves(events).at(-1), "completed 2");
    const began = Date.parse(moves(events, "running")[1].ts);
    assert.ok(began > Date.parse(due_at) - 100, `${began} is before ${due_at}`);
    assert.ok(moves(events, "running").every(({ payload }) => !("due_at" in payload)));
    const said = events.filter(({ type }) => type === "job_log").map(({ payload }) => payload.message);
    assert.ok(said.includes("the server was restarted: going on, 0 interrupted tasks run again, 1 waits for the time of the next attempt"), said.join("\n"));
    assert.equal((await task()).due_at, null);
});

test("a step that takes too long is stopped and has failed; what always runs runs after it", async (t) => {
    const it = await begun(t, definition([
        step("slow", "echo run >> $PARAM_NOTE; exec sleep 1000", "    timeout: 150ms\n"),
        step("next", "echo never", "    depends: [slow]\n"),
        step("clean", "echo cleaned", "    depends: [next]\n    always_run: true\n"),
    ]));
    const { tree, steps } = await it.ended();
    assert.equal(tree.status, "failed");
    assert.equal(steps.slow.status, "failed");
    assert.equal(steps.slow.cause, "timeout: the step took longer than 150ms");
    assert.equal(steps.next.status, "skipped");
    assert.equal(steps.clean.status, "completed");
});

test("an attempt that takes too long has failed, and the next one may succeed", async (t) => {
    const slow = "echo run >> $PARAM_NOTE; [ $(wc -l < $PARAM_NOTE) -ge 2 ] || exec sleep 1000";
    const it = await begun(t, definition([step("s", slow, "    task_timeout: 3s\n    retry: { attempts: 2, backoff: 0 }\n")]));
    const { tree, steps } = await it.ended();
    assert.equal(tree.status, "completed");
    assert.ok(texts(steps.s).some((text) => text.startsWith("attempt 1 of 2 failed: timeout: the task took longer than 3s")));
});

test("a job that takes too long is stopped and has failed, whatever its steps tolerate", async (t) => {
    const it = await begun(t, definition([
        step("slow", "echo run >> $PARAM_NOTE; exec sleep 1000", "    on_error: continue\n"),
        step("next", "echo never", "    depends: [slow]\n"),
    ], "timeout: 200ms\n"));
    const { tree, steps } = await it.ended();
    assert.equal(tree.status, "failed");
    assert.equal(tree.cause, "timeout: the job took longer than 200ms");
    assert.equal(steps.slow.status, "failed");
    assert.equal(steps.next.status, "cancelled");
});

test("time that passed before the server was killed counts", async (t) => {
    const it = await begun(t, definition([step("slow", "echo run >> $PARAM_NOTE; exec sleep 1000")], "timeout: 1500ms\n"));
    await it.server.event(it.job, ({ payload }) => payload.kind === "task" && payload.status === "running");
    await it.server.stop("SIGKILL");
    const again = await serve(t, { data: it.data });
    await again.events(`job:${it.job}`, await again.beginning());
    const { body: job } = await again.get(`/api/jobs/${it.job}`);
    assert.equal(job.status, "failed");
    assert.equal(job.cause, "timeout: the job took longer than 1500ms");
});
