// Which steps run, by how others ended.
import assert from "node:assert/strict";
import nodeTest from "node:test";
import { serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const step = (name, command, more = "") => `  - name: ${name}\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n${more}`;
const definition = (steps, more = "") => `id: d\nname: D\n${more}steps:\n${steps.join("")}`;

async function treeOf(server, job) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    return { tree, steps: Object.fromEntries(tree.steps.map((s) => [s.name, s])) };
}

async function run(t, text) {
    const server = await serve(t, { definitions: { "d.yaml": text } });
    return treeOf(server, await server.run("d"));
}

test("a step with `when` runs when others ended as it says, and is skipped with the reason when not", async (t) => {
    const { tree, steps } = await run(t, definition([
        step("bad", "exit 3"),
        step("good", "true"),
        step("alarm", "echo alarm", "    when: { bad: failed }\n"),
        step("either", "echo either", "    when: { bad: [failed, skipped], good: completed }\n"),
        step("never", "echo never", "    when: { good: [failed, skipped] }\n"),
        step("joy", "echo joy", "    when: { bad: completed }\n    always_run: true\n"),
        step("after", "echo after", "    when: { never: skipped }\n"),
        step("follows", "echo follows", "    depends: [never]\n"),
    ]));
    const states = Object.fromEntries(tree.steps.map((s) => [s.name, s.status]));
    assert.deepEqual(states, { bad: "failed", good: "completed", alarm: "completed", either: "completed", never: "skipped", joy: "skipped", after: "completed", follows: "skipped" });
    assert.equal(steps.never.cause, "step 'good' was completed, wanted was failed or skipped");
    assert.equal(steps.joy.cause, "step 'bad' was failed, wanted was completed");
    assert.equal(steps.follows.cause, "step 'never' was skipped");
    assert.deepEqual(steps.never.logs.map(({ level, message }) => `${level} ${message}`), ["info skipped: step 'good' was completed, wanted was failed or skipped"]);
    assert.deepEqual(steps.either.depends, ["bad", "good"], "who is named is depended on");
    assert.equal(tree.status, "failed", "a failure that somebody sees to is one all the same");
    assert.equal(tree.cause, "step 'bad': exit code 3");
});

test("with on_error: continue a failure that somebody sees to does not fail the job", async (t) => {
    const { tree, steps } = await run(t, definition([
        step("bad", "exit 3", "    on_error: continue\n"),
        step("alarm", "echo alarm", "    when: { bad: failed }\n"),
    ]));
    assert.equal(steps.alarm.status, "completed");
    assert.equal(tree.status, "completed");
});

test("`depends` beside `when` still asks for a good end", async (t) => {
    const { steps } = await run(t, definition([
        step("bad", "exit 3"),
        step("worse", "exit 4"),
        step("alarm", "echo alarm", "    depends: [worse, bad]\n    when: { bad: failed }\n"),
    ]));
    assert.equal(steps.alarm.cause, "step 'worse' was not successful");
});

test("when a job is cancelled nothing new starts, whatever `when` says", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": definition([
        step("long", "echo begun; sleep 1000"),
        step("alarm", "echo alarm", "    when: { long: cancelled }\n"),
    ]) } });
    const job = await server.execute("d");
    await server.event(job, ({ payload }) => payload.message === "begun");
    await server.post(`/api/jobs/${job}/cancel`);
    await server.events(`job:${job}`, await server.beginning());
    const { steps } = await treeOf(server, job);
    assert.deepEqual([steps.long.status, steps.alarm.status], ["cancelled", "cancelled"]);
});

test("a definition shows its conditions, and can be sent back as it is shown", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": definition([step("a", "true"), step("b", "true", "    when: { a: failed }\n")]) } });
    const { body } = await server.get("/api/job-definitions/d");
    assert.deepEqual(body.steps[1].when, { a: ["failed"] });
    const { id, name, steps } = { ...body, id: "e" };
    const again = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id, name, steps }) });
    assert.equal(again.status, 201, again.text);
    assert.deepEqual((await server.get("/api/job-definitions/e")).body.steps, body.steps);
});
