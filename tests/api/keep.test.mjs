// How long jobs that have ended are kept, and what is told about it.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const definition = (id, more = "") => `id: ${id}\nname: ${id}\n${more}steps:\n  - { name: s, type: generator, config: { log_count: 3 } }\n`;

// The events of `system` that tell of deletions, as soon as there are so many.
async function deletions(server, count) {
    const found = [];
    for (let cursor = await server.beginning(); found.length < count; ) {
        const { body } = await server.get(`/api/events?topic=system&since=${cursor}&wait=25`);
        found.push(...body.events.map(({ payload }) => payload).filter(({ event }) => event === "job_deleted"));
        cursor = body.cursor;
    }
    return found;
}

test("a definition keeps so many of its jobs, and a job that is deleted is deleted for everybody", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": definition("a", "keep: { jobs: 2 }\n"), "b.yaml": definition("b") } });
    const other = await server.run("b");
    const jobs = [];
    for (let i = 0; i < 2; i++) jobs.push(await server.run("a"));
    const list = server.socket("tailrace.v1");
    await list.next("status");
    list.send({ op: "sub", topic: "jobs", snapshot: true });
    await list.next("caught_up");
    jobs.push(await server.run("a"));
    const [{ subject, message }] = await deletions(server, 1);
    assert.deepEqual([subject, message], [jobs[0], "a was deleted: its definition keeps 2 jobs"]);
    assert.equal((await list.next("reset")).reason, "pruned");
    assert.deepEqual((await list.next("snapshot")).state.jobs.map(({ job_id }) => job_id).sort(), [other, jobs[1], jobs[2]].sort());
    await list.close();
    for (const [i, status] of [404, 200, 200].entries()) assert.equal((await server.get(`/api/jobs/${jobs[i]}`)).status, status);
    assert.equal((await server.get("/api/status")).body.jobs_removed, 1);
    assert.match((await server.get("/metrics")).text, /^tailrace_jobs_removed_total 1$/m);
});

test("what the server keeps holds for jobs whose definition is gone, and from the next start on", async (t) => {
    const data = await folder(t);
    const first = await serve(t, { data });
    const post = await first.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition("a") });
    assert.equal(post.status, 201);
    const jobs = [];
    for (let i = 0; i < 3; i++) jobs.push(await first.run("a"));
    assert.equal((await first.fetch("/api/job-definitions/a", { method: "DELETE" })).status, 204);
    await first.stop("SIGKILL");
    const second = await serve(t, { data, env: { TAILRACE_KEEP_JOBS: "1" } });
    const told = await deletions(second, 2);
    assert.deepEqual(told.map(({ subject, message }) => [subject, message]), jobs.slice(0, 2).map((id) => [id, "a was deleted: the server keeps 1 job"]));
    assert.deepEqual((await second.get("/api/jobs")).body.jobs.map(({ job_id, id }) => job_id ?? id), [jobs[2]]);
});

test("bytes count what was written: of two large jobs the newer one stays", async (t) => {
    const large = definition("a").replace("log_count: 3", "log_count: 2000, line_bytes: 1000");
    const server = await serve(t, { definitions: { "a.yaml": large }, args: ["--keep-bytes", "3MiB"] });
    const jobs = [await server.run("a")];
    const { bytes } = (await server.get(`/api/jobs/${jobs[0]}`)).body;
    assert.ok(bytes > 2000 * 1000 && bytes < 2000 * 1000 * 1.2, `${bytes} bytes`);
    jobs.push(await server.run("a"));
    const [{ subject, message }] = await deletions(server, 1);
    assert.deepEqual([subject, message], [jobs[0], "a was deleted: the server keeps 3MiB of jobs"]);
});

test("limits that are none are refused, with the place", async (t) => {
    const server = await serve(t, {});
    for (const [wrong, field, error] of [
        ["{}", "keep", /at least one of age, jobs and bytes/],
        ["{ age: 5 }", "keep.age", /5/],
        ["{ age: 0s }", "keep.age", /1s/],
        ["{ jobs: 0 }", "keep.jobs", /0/],
        ["{ bytes: 1GB }", "keep.bytes", /1GB/],
        ["{ days: 3 }", "keep.days", /days/],
        ["30d", "keep", /30d/],
    ]) {
        const { status, body } = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition("a", `keep: ${wrong}\n`) });
        assert.deepEqual([status, body.field, body.line], [400, field, 3], wrong);
        assert.match(body.error, error);
    }
    const home = await folder(t);
    const config = path.join(home, "tailrace.yaml");
    await writeFile(config, "keep-bytes: much\n");
    for (const [args, error] of [
        [["--keep-age", "30"], "keep-age is a duration such as 30d, 0 for no limit, not '30'"],
        [["--keep-jobs", "-1"], "keep-jobs is a number of jobs, 0 for no limit, not '-1'"],
        [["--config", config], "keep-bytes is a size such as 20GiB, 0 for no limit, not 'much'"],
    ]) {
        const { code, stderr } = await command(["serve", "--data", path.join(home, "data"), ...args]);
        assert.deepEqual([code, stderr], [2, `tailrace: ${error}\n`]);
    }
});

test("killed while it deletes, the next server deletes the rest, and tells of each once", async (t) => {
    const data = await folder(t);
    const definitions = { "a.yaml": definition("a") };
    const first = await serve(t, { data, definitions });
    const jobs = [];
    for (let i = 0; i < 10; i++) jobs.push(await first.run("a"));
    await first.stop();
    const dying = await serve(t, { data, definitions, args: ["--keep-jobs", "2"], env: { TAILRACE_FAULT: "store.delete:3:kill" } });
    dying.asked = "SIGKILL";
    await dying.ended;
    const next = await serve(t, { data, definitions, args: ["--keep-jobs", "2"] });
    assert.deepEqual((await deletions(next, 8)).map(({ subject }) => subject), jobs.slice(0, 8));
    assert.equal((await next.get("/api/jobs")).body.total_count, 2);
    assert.equal((await next.get("/api/status")).body.jobs_removed, 8);
});
