// Every route as a client sees it, on jobs that really ran.

import assert from "node:assert/strict";
import { test as nodeTest } from "node:test";

import { serve } from "./server.mjs";

// A hang is a failure too.
const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const LINES = `
id: lines
name: Lines
parameters: { word: { default: hello, description: what is said } }
steps:
  - name: make
    type: generator
    config: { worker_count: 3, log_count: 40, concurrency: 3 }
  - name: say
    type: shell
    depends: [make]
    config: { command: 'echo "$PARAM_WORD"; echo careful >&2' }
`;
const WAITS = `
id: waits
name: Waits
steps:
  - name: wait
    type: shell
    config: { command: "echo ready; exec sleep 1000" }
`;
const definitions = { "lines.yaml": LINES, "waits.yaml": WAITS };

// Waits until a job has written a line with this text.
const said = (server, id, text) =>
    server.event(id, (event) => event.type === "job_log" && event.payload.message === text);

test("health, version and status say what is running", async (t) => {
    const server = await serve(t, { definitions });
    assert.deepEqual((await server.get("/api/health")).body, { status: "ok" });
    assert.equal((await server.get("/api/version")).body.name, "tailrace");
    const { body } = await server.get("/api/status");
    assert.equal(body.state, "running");
    assert.equal(body.trouble, "");
    assert.equal(body.job_definitions, 2);
    assert.equal(body.jobs.total_jobs, 0);
    assert.match(body.cursor, /^[0-9a-z]+:\d+$/);
});

test("a finished job is told the same way by all routes", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("lines");

    const job = (await server.get(`/api/jobs/${id}`)).body;
    assert.equal(job.kind, "job");
    assert.equal(job.status, "completed");
    assert.equal(job.parent_id, "");
    assert.equal(job.definition_id, "lines");
    assert.equal(job.config.source, LINES);
    assert.equal(job.children.total, 4);
    assert.equal(job.children.completed, 4);

    const tree = (await server.get(`/api/jobs/${id}/tree`)).body;
    assert.deepEqual(tree.steps.map((step) => step.name), ["make", "say"]);
    assert.deepEqual(tree.steps[1].depends, ["make"]);
    const [make, say] = tree.steps;

    const step = (await server.get(`/api/jobs/${say.step_id}`)).body;
    assert.equal(step.kind, "step");
    assert.equal(step.type, "shell");
    assert.equal(step.parent_id, id);

    const children = (await server.get(`/api/jobs/${id}/children`)).body;
    assert.equal(children.total_count, 4);
    const below = (await server.get(`/api/jobs?parent_id=${id}`)).body;
    assert.deepEqual(below.jobs.map((s) => s.id), [make.step_id, say.step_id]);
    const tasks = (await server.get(`/api/jobs?parent_id=${make.step_id}&limit=2&offset=1`)).body;
    assert.equal(tasks.total_count, 3);
    assert.deepEqual(tasks.jobs.map((task) => task.number), [2, 3]);
    const task = (await server.get(`/api/jobs/${tasks.jobs[0].id}`)).body;
    assert.equal(task.kind, "task");
    assert.equal(task.parent_id, make.step_id);
    assert.equal(task.manager_id, id);
    assert.equal(task.type, "generator");

    const status = (await server.get(`/api/jobs/${id}/status`)).body;
    assert.equal(status.steps_final, 2);
    assert.equal(status.completed, 4);
    const stats = (await server.get("/api/jobs/stats")).body;
    assert.deepEqual(stats, { total_jobs: 1, pending_jobs: 0, running_jobs: 0, completed_jobs: 1, failed_jobs: 0, cancelled_jobs: 0 });
    assert.deepEqual((await server.get("/api/jobs/queue")).body.total, 0);
});

test("lines of a step are numbered from 1, and paged in both directions without a gap", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("lines");
    const all = (await server.get(`/api/jobs/${id}/logs?step=make`)).body;
    assert.deepEqual(all.logs.map((line) => line.line), all.logs.map((_, i) => i + 1));
    assert.equal(all.total_count, all.logs.length);
    assert.ok(all.logs.length > 120);

    for (const [order, field] of [["asc", "after"], ["desc", "before"]]) {
        const got = [];
        for (let next = ""; next !== null; ) {
            const { body } = await server.get(`/api/jobs/${id}/logs?step=make&limit=50&order=${order}${next && `&${field}=${next}`}`);
            got.push(...body.logs);
            next = body.next;
        }
        assert.deepEqual(order === "asc" ? got : got.reverse(), all.logs, order);
    }
    const byId = (await server.get(`/api/jobs/${all.step_id}/logs`)).body;
    assert.deepEqual(byId.logs, all.logs);
});

test("lines of a whole job are in the order of the log in both directions, and add up", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("lines");
    const all = (await server.get(`/api/jobs/${id}/logs`)).body;
    const seqs = all.logs.map((line) => line.seq);
    assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
    assert.equal(all.total_count, all.logs.length);
    for (const [order, field] of [["asc", "after"], ["desc", "before"]]) {
        const got = [];
        for (let next = ""; next !== null; ) {
            const { body } = await server.get(`/api/jobs/${id}/logs?limit=33&order=${order}${next && `&${field}=${next}`}`);
            got.push(...body.logs);
            next = body.next;
        }
        assert.deepEqual(order === "asc" ? got : got.reverse(), all.logs, order);
    }
    const warnings = (await server.get(`/api/jobs/${id}/logs?level=warn`)).body;
    assert.deepEqual(warnings.logs, all.logs.filter((line) => ["warn", "error"].includes(line.level)));
    assert.equal(warnings.total_count, warnings.logs.length);
    const middle = all.logs[20].seq, cursor = all.cursor.replace(/:.*/, `:${middle}`);
    const part = (await server.get(`/api/jobs/${id}/logs?order=desc&after=${cursor}&limit=1000`)).body;
    assert.deepEqual(part.logs.reverse(), all.logs.slice(21));

    const aggregated = (await server.get(`/api/jobs/${id}/logs/aggregated?limit=10`)).body;
    assert.deepEqual(aggregated.logs, all.logs.slice(0, 10));
    assert.equal(aggregated.metadata[id].kind, "job");
    const rest = (await server.get(`/api/jobs/${id}/logs/aggregated?after=${aggregated.next_cursor}`)).body;
    assert.deepEqual(rest.logs, all.logs.slice(10));

    const text = await server.get(`/api/jobs/${id}/logs.txt`);
    assert.match(text.headers.get("content-type"), /^text\/plain/);
    assert.deepEqual(text.text.trimEnd().split("\n").map((line) => line.replace(/^\S+ \w+ +(\[\w+\] )?/, "")),
        all.logs.map((line) => line.message));
});

test("a log of many pieces is streamed whole as text", async (t) => {
    const many = LINES.replace("log_count: 40", "log_count: 1500");
    const server = await serve(t, { definitions: { "lines.yaml": many } });
    const id = await server.run("lines");
    const { total_count } = (await server.get(`/api/jobs/${id}/logs?limit=1`)).body;
    assert.ok(total_count > 4500);
    assert.equal((await server.get(`/api/jobs/${id}/logs.txt`)).text.trimEnd().split("\n").length, total_count);
    const step = (await server.get(`/api/jobs/${id}/logs?step=make&limit=1`)).body.total_count;
    assert.equal((await server.get(`/api/jobs/${id}/logs.txt?step=make`)).text.trimEnd().split("\n").length, step);
});

test("events come by long-poll, each once, in order, and end with the job", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const id = await server.run("lines");
    const events = await server.events(`job:${id}`, since);
    const seqs = events.map((event) => event.seq);
    assert.deepEqual(seqs, seqs.map((_, i) => seqs[0] + i), "nothing else ran: no gap");
    assert.equal(events.at(-1).payload.status, "completed");
    const lines = (await server.get(`/api/jobs/${id}/logs`)).body.logs;
    assert.deepEqual(events.filter((event) => event.type === "job_log").map((event) => event.payload.message),
        lines.map((line) => line.message));
    const jobs = (await server.get(`/api/events?topic=jobs&since=${since}&wait=0`)).body;
    assert.ok(jobs.events.length > 0);
    assert.equal(jobs.events.filter((event) => event.type === "job_log").length, 0);
});

test("a long-poll waits for the next event, and answers empty when none comes", async (t) => {
    const server = await serve(t, { definitions });
    const empty = (await server.get("/api/events?topic=jobs&wait=0")).body;
    assert.deepEqual(empty.events, []);
    const waiting = server.get(`/api/events?topic=jobs&since=${empty.cursor}&wait=25`);
    const id = await server.execute("lines");
    const { body } = await waiting;
    assert.equal(body.events[0].payload.job_id, id);
    assert.equal(body.from, empty.to);
    assert.ok(body.to >= body.events.at(-1).seq, "what follows on other topics is covered as well");
    assert.ok(body.cursor.endsWith(`:${body.to}`));
    const { body: next } = await server.get(`/api/events?topic=jobs&since=${body.cursor}&wait=0`);
    assert.equal(next.from, body.to);
    assert.ok(next.events.every((event) => event.seq > body.to));
});

test("a cursor of another epoch or ahead of the log is gone, with its reason", async (t) => {
    const server = await serve(t, { definitions });
    const cursor = await server.cursor();
    const other = await server.get("/api/events?topic=jobs&since=0123456789abcdef:1");
    assert.equal(other.status, 410);
    assert.equal(other.body.reason, "epoch");
    const ahead = await server.get(`/api/events?topic=jobs&since=${cursor.replace(/:.*/, ":99")}`);
    assert.equal(ahead.status, 410);
    assert.equal(ahead.body.code, "gone");
    assert.equal(ahead.body.reason, "ahead");
});

test("a running job can be cancelled once, and deleted when it has ended", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.execute("waits");
    await said(server, id, "ready");
    assert.deepEqual((await server.get("/api/jobs/queue")).body.running.map((job) => job.id), [id]);
    const early = await server.fetch(`/api/jobs/${id}`, { method: "DELETE" });
    assert.equal(early.status, 409);
    assert.match(early.body.error, /only a job that has ended/);

    assert.equal((await server.post(`/api/jobs/${id}/cancel`)).status, 200);
    const events = await server.events(`job:${id}`, await server.beginning());
    assert.equal(events.at(-1).payload.status, "cancelled");
    assert.match((await server.get(`/api/jobs/${id}`)).body.cause, /API/);
    const again = await server.post(`/api/jobs/${id}/cancel`);
    assert.equal(again.status, 409);
    assert.equal(again.body.code, "wrong_state");

    const gone = await server.fetch(`/api/jobs/${id}`, { method: "DELETE" });
    assert.equal(gone.status, 200);
    assert.equal(gone.body.child_count, 2);
    assert.equal((await server.get(`/api/jobs/${id}`)).status, 404);
    assert.equal((await server.get(`/api/jobs/${id}/logs`)).status, 404);
    assert.equal((await server.get("/api/jobs/stats")).body.total_jobs, 0);
});

test("who deletes a job that another one is deleting is told that there is none, and it is told once", async (t) => {
    const server = await serve(t, { definitions });
    const socket = server.socket();
    const jobs = await Promise.all(Array.from({ length: 8 }, () => server.run("lines")));
    const since = await server.cursor();
    const answers = await Promise.all(jobs.flatMap((id) => Array.from({ length: 6 }, () => server.fetch(`/api/jobs/${id}`, { method: "DELETE" }))));
    assert.equal(answers.filter(({ status }) => status === 200).length, jobs.length);
    for (const { status, body } of answers) assert.ok(status === 200 || (status === 404 && /^there is no job '/.test(body.error)), body.error);
    const { body } = await server.get(`/api/events?topic=system&since=${since}`);
    assert.deepEqual(body.events.filter(({ payload }) => payload.event === "job_deleted").map(({ payload }) => payload.subject).sort(), jobs.sort());
});

test("jobs are listed by state, definition and order", async (t) => {
    const server = await serve(t, { definitions });
    const first = await server.run("lines"), second = await server.run("lines");
    const third = await server.execute("waits");
    await said(server, third, "ready");
    const ids = async (query) => (await server.get(`/api/jobs${query}`)).body.jobs.map((job) => job.id);
    assert.deepEqual(await ids(""), [third, second, first]);
    assert.deepEqual(await ids("?order_dir=asc"), [first, second, third]);
    assert.deepEqual(await ids("?definition=waits"), [third]);
    assert.deepEqual(await ids("?status=completed&limit=1&offset=1"), [first]);
    assert.deepEqual(await ids("?status=pending,running"), [third]);
    assert.deepEqual(await ids("?order_by=name&order_dir=desc&limit=1"), [third]);
});

test("many jobs that are started at once all run to their end", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const ids = await Promise.all(Array.from({ length: 40 }, () => server.execute("lines")));
    assert.equal(new Set(ids).size, 40);
    for (const id of ids) assert.equal((await server.events(`job:${id}`, since)).at(-1).payload.status, "completed");
    assert.equal((await server.get("/api/status")).body.trouble, "");
});

test("definitions are added, replaced, run with parameters and removed", async (t) => {
    const data = { definitions };
    const server = await serve(t, data);
    const own = LINES.replace("id: lines", "id: own");
    const send = (method, target, body, type = "application/yaml") =>
        server.fetch(target, { method, body, headers: { "Content-Type": type } });

    const added = await send("POST", "/api/job-definitions", own);
    assert.equal(added.status, 201);
    assert.equal(added.body.id, "own");
    assert.equal((await send("POST", "/api/job-definitions", own)).status, 409);
    assert.deepEqual((await server.get("/api/job-definitions")).body.job_definitions.map((d) => d.id), ["lines", "own", "waits"]);

    const id = await server.run("own", { word: "good day" });
    const said = (await server.get(`/api/jobs/${id}/logs?step=say`)).body.logs.map((line) => line.message);
    assert.ok(said.includes("good day"), said.join());

    const json = JSON.stringify({ id: "own", name: "Renamed", steps: [{ name: "a", type: "shell", config: { command: "true" } }] });
    assert.equal((await send("PUT", "/api/job-definitions/own", json, "application/json")).body.name, "Renamed");
    assert.equal((await server.get("/api/job-definitions/own")).body.steps.length, 1);
    const foreign = await send("PUT", "/api/job-definitions/lines", own);
    assert.ok(foreign.status >= 400 && foreign.status < 500);
    assert.equal((await send("DELETE", "/api/job-definitions/own")).status, 204);
    assert.equal((await server.get("/api/job-definitions/own")).status, 404);
    const file = await send("DELETE", "/api/job-definitions/lines");
    assert.equal(file.status, 409);
    assert.match(file.body.error, /lines\.yaml/);
});

test("a definition is checked without being kept, and a mistake has its place", async (t) => {
    const server = await serve(t, { definitions });
    const check = (body) => server.fetch("/api/job-definitions/validate",
        { method: "POST", body, headers: { "Content-Type": "text/yaml" } });
    const good = await check(LINES.replace("id: lines", "id: other"));
    assert.equal(good.status, 200);
    assert.equal(good.body.valid, true);
    const bad = await check("id: a\nname: A\nsteps:\n  - name: b\n    tpye: shell\n");
    assert.equal(bad.status, 400);
    assert.equal(bad.body.valid, false);
    assert.equal(bad.body.line, 5);
    assert.match(bad.body.error, /did you mean .type/);
    assert.equal((await server.get("/api/job-definitions")).body.total_count, 2);
});

test("wrong parameters are refused with their name", async (t) => {
    const server = await serve(t, { definitions });
    const unknown = await server.post("/api/job-definitions/lines/execute", { parameters: { wrod: "x" } });
    assert.equal(unknown.status, 400);
    assert.match(unknown.body.error, /wrod/);
    const shape = await server.post("/api/job-definitions/lines/execute", { parameters: ["x"] });
    assert.equal(shape.status, 400);
    const key = await server.post("/api/job-definitions/lines/execute", { params: {} });
    assert.equal(key.status, 400);
    assert.match(key.body.error, /params/);
    assert.equal((await server.get("/api/jobs/stats")).body.total_jobs, 0);
});

test("documents are listed, empty as they are", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("lines");
    assert.deepEqual((await server.get(`/api/jobs/${id}/results`)).body.documents, []);
    assert.equal((await server.get("/api/documents")).body.total_count, 0);
    assert.equal((await server.get(`/api/documents/${id}`)).status, 404);
});

test("the table of routes tells about every one of them", async (t) => {
    const server = await serve(t);
    const { body } = await server.get("/api/openapi.json");
    assert.equal(body.openapi, "3.1.0");
    const operations = Object.values(body.paths).flatMap((path) => Object.values(path));
    assert.ok(operations.length > 25);
    for (const operation of operations) assert.ok(operation.summary);
    const names = body.paths["/api/jobs/{id}/logs"].get.parameters.map((p) => p.name);
    assert.deepEqual(names, ["id", "step", "order", "limit", "level", "after", "before", "epoch"]);
});

test("what was done is there after a restart", async (t) => {
    const one = await serve(t, { definitions });
    const id = await one.run("lines");
    const before = await one.get(`/api/jobs/${id}/tree`);
    const data = one.child.spawnargs[one.child.spawnargs.indexOf("--data") + 1];
    assert.deepEqual(await one.stop(), { code: 0, signal: null });
    const two = await serve(t, { definitions, data });
    const after = await two.get(`/api/jobs/${id}/tree`);
    assert.deepEqual({ ...after.body, cursor: "" }, { ...before.body, cursor: "" });
});

test("the job's own lines are asked for with an empty step, and are numbered like a step's", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": 'id: d\nname: D\nsteps:\n  - name: s\n    type: shell\n    config: { command: "echo x" }\n' } });
    const job = await server.run("d");
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    const { body: page } = await server.get(`/api/jobs/${job}/logs?step=&limit=1`);
    assert.deepEqual(page.logs, tree.logs.slice(0, 1));
    assert.equal(page.total_count, tree.total_logs);
    assert.equal(page.next, 1);
    const { body: rest } = await server.get(`/api/jobs/${job}/logs?step=&after=1&level=info`);
    assert.deepEqual(rest.logs, tree.logs.slice(1));
    assert.equal(rest.next, null);
});

const PING = (word) => `{"id":"ping","name":"Ping","steps":[{"name":"a","type":"shell","config":{"command":"echo ${word}"}}]}`;

test("who changes a definition that somebody else has changed is told, and loses nothing", async (t) => {
    const server = await serve(t, { definitions });
    const send = async (method, body, tag) => {
        const headers = { "Content-Type": "application/json", ...(tag && { "If-Match": tag }) };
        const answer = await fetch(server.url + "/api/job-definitions" + (method === "POST" ? "" : "/ping"), { method, headers, body });
        const text = await answer.text();
        return { status: answer.status, tag: answer.headers.get("etag"), body: text && JSON.parse(text) };
    };
    assert.equal((await send("POST", PING("one"))).status, 201);
    const read = await fetch(server.url + "/api/job-definitions/ping");
    const first = read.headers.get("etag");
    assert.match(first, /^"[0-9a-f]+"$/);
    const second = await send("PUT", PING("two"), first);
    assert.deepEqual([second.status, second.tag === first], [200, false]);
    const late = await send("PUT", PING("three"), first);
    assert.deepEqual([late.status, late.body.code, late.tag], [409, "conflict", second.tag]);
    assert.match(late.body.definition.source, /echo two/);
    assert.equal((await send("DELETE", undefined, first)).status, 409);
    assert.equal((await send("PUT", PING("four"), "*")).status, 200);
    assert.equal((await send("DELETE", undefined, "*")).status, 204);
    assert.equal((await send("PUT", PING("five"), first)).status, 404);
});

test("a job runs again as it was, with other parameters where they are given", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.execute("lines", { word: "first" });
    await server.over?.(id);
    const again = async (body) => {
        const { status, body: answer } = await server.post(`/api/jobs/${id}/rerun`, body);
        assert.equal(status, 202, JSON.stringify(answer));
        assert.notEqual(answer.job_id, id);
        return (await server.get(`/api/jobs/${answer.job_id}`)).body.config.parameters;
    };
    assert.deepEqual(await again(undefined), { word: "first" });
    assert.deepEqual(await again({ parameters: { word: "second" } }), { word: "second" });
    const wrong = await server.post(`/api/jobs/${id}/rerun`, { parameters: { wrod: "x" } });
    assert.equal(wrong.status, 400);
    assert.match(wrong.body.error, /wrod/);
    const nobody = await server.post("/api/jobs/0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62/rerun");
    assert.equal(nobody.status, 404);
});

test("the reader shows the lines of a step as plain pages, and nothing in them is markup", async (t) => {
    const NASTY = `
id: nasty
name: <b>Nasty</b>
steps:
  - name: say
    type: shell
    config: { command: 'echo "<script>alert(1)</script> & \\"done\\""; printf "\\\\033[31mred\\\\033[0m \\\\033]8;;http://x/\\\\033\\\\\\\\link\\\\033]8;;\\\\033\\\\\\\\\\\\n"; seq 600' }
`;
    const server = await serve(t, { definitions: { "nasty.yaml": NASTY } });
    const id = await server.run("nasty");
    const page = async (query) => {
        const answer = await fetch(`${server.url}/jobs/${id}/read${query}`);
        return { status: answer.status, type: answer.headers.get("content-type"), csp: answer.headers.get("content-security-policy"), html: await answer.text() };
    };
    const { status, type, csp, html } = await page("");
    assert.deepEqual([status, type], [200, "text/html; charset=utf-8"]);
    assert.match(csp, /default-src 'none'/);
    assert.ok(!/<script|<b>Nasty/.test(html));
    assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt; &amp; &quot;done&quot;<\/li>/);
    assert.match(html, /<li id="L3" value="3" data-level="info"><time>[\d:.]+<\/time> info red link<\/li>/);
    assert.match(html, /page 1 of 2/);
    assert.match((await page("?step=say&page=2")).html, /<li id="L501"[^]*page 2 of 2/);
    assert.match((await page("?step=&page=99")).html, /The job itself/);
    assert.equal((await page("?step=other")).status, 404);
    assert.equal((await page("?page=0")).status, 400);
});
