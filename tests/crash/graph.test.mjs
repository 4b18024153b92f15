// The server dies at every named place of a graph with outputs, items and jobs of its own; what was accepted
// goes on to its end after a restart: every item has one job that completed, and nothing is left running.
import assert from "node:assert/strict";
import nodeTest from "node:test";
import { folder, serve } from "../api/server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 120000 }, run);

const CHILD = `id: child
name: Child
parameters: { what: }
steps:
  - { name: work, type: generator, config: { worker_count: 2, log_count: 3 } }
  - { name: say, type: shell, depends: [work], config: { command: 'echo "this is $PARAM_WHAT"' } }
`;
const PARENT = `id: parent
name: Parent
steps:
  - name: find
    type: shell
    config: { command: 'printf "items<<E\\na\\nb\\nc\\na\\nE\\n" >> "$TAILRACE_OUTPUT"' }
  - name: each
    type: job
    depends: [find]
    for_each: "{steps.find.items}"
    parallel: 2
    config: { definition: child, parameters: { what: "{item}" } }
  - { name: never, type: generator, when: { each: failed } }
  - { name: after, type: generator, depends: [find], when: { each: completed, never: skipped } }
`;

async function check(server, job) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    const [find, each] = tree.steps;
    assert.equal(tree.status, "completed", tree.cause);
    assert.deepEqual(tree.steps.map((s) => s.status), ["completed", "completed", "skipped", "completed"]);
    assert.equal(find.outputs.items, "a\nb\nc\na");
    const { body: tasks } = await server.get(`/api/jobs/${each.step_id}/children`);
    assert.deepEqual(tasks.children.map((t) => [t.config.item, t.status]), [["a", "completed"], ["b", "completed"], ["c", "completed"], ["a", "completed"]]);
    const { body: jobs } = await server.get("/api/jobs?definition=child&limit=100");
    assert.deepEqual(jobs.jobs.map((j) => j.parent_id).sort(), tasks.children.map((t) => t.id).sort(), "each task has started one job");
    for (const j of jobs.jobs) assert.deepEqual([j.status, j.parent_job_id], ["completed", job], j.cause);
}

for (const place of ["engine.job.created", "engine.job.started", "engine.step.started", "engine.task.created", "engine.task.started", "engine.task.done", "engine.task.ended", "store.commit.before", "store.commit.after"])
    test(`a graph that dies at ${place} goes on to its end, and nothing of it is done twice`, async (t) => {
        const data = await folder(t);
        const options = { data, definitions: { "child.yaml": CHILD, "parent.yaml": PARENT } };
        for (const at of [1, 2, 3, 5, 8, 13]) {
            const dying = await serve(t, { ...options, data: `${data}/${at}`, env: { TAILRACE_FAULT: `${place}:${at}:kill` } }).catch(() => null);
            if (!dying) continue; // it died before it listened
            const asked = await dying.execute("parent").catch(() => null);
            if (asked) await dying.beginning().then((cursor) => dying.events(`job:${asked}`, cursor)).catch(() => {}); // to its end, or that of the server
            await dying.stop("SIGKILL");
            const server = await serve(t, { ...options, data: `${data}/${at}` });
            const { body } = await server.get("/api/jobs?definition=parent&limit=1");
            if (body.jobs.length) {
                await server.events(`job:${body.jobs[0].id}`, await server.beginning());
                await check(server, body.jobs[0].id);
            }
            await server.stop();
        }
    });
