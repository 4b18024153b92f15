// How many jobs run at once, and who is next.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { BINARY, command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

// Each job runs until its file is there.
const definition = (id, more = "") => `id: ${id}\nname: ${id}\nparameters: { file: }\n${more}steps:\n  - { name: s, type: shell, config: { command: 'until [ -e "$PARAM_FILE" ]; do sleep 0.02; done' } }\n`;

async function stage(t, definitions, options = {}) {
    const home = await folder(t);
    const server = await serve(t, { definitions, ...options });
    const it = { server, jobs: [] };
    it.file = (i) => path.join(home, String(i));
    it.ask = async (id) => it.jobs.push(await it.server.execute(id, { file: it.file(it.jobs.length) }));
    it.finish = async (i) => {
        await writeFile(it.file(i), "");
        await it.server.events(`job:${it.jobs[i]}`, await it.server.beginning());
    };
    it.states = async () => Promise.all(it.jobs.map(async (id) => (await it.server.get(`/api/jobs/${id}`)).body.status[0]));
    it.running = (i) => it.server.event(it.jobs[i], ({ payload }) => payload.kind === "job" && payload.status === "running");
    return it;
}

test("of a definition so many jobs run at once, and the first one asked for is the next", async (t) => {
    const it = await stage(t, { "two.yaml": definition("two", "max_running: 2\n"), "free.yaml": definition("free") });
    for (let i = 0; i < 5; i++) await it.ask("two");
    await it.ask("free");
    await it.running(5);
    assert.deepEqual(await it.states(), ["r", "r", "p", "p", "p", "r"]);
    const line = await it.server.event(it.jobs[2], ({ type }) => type === "job_log");
    assert.equal(line.payload.message, "waits for a place of definition two (2 at once)");
    await it.finish(1);
    await it.running(2);
    assert.deepEqual(await it.states(), ["r", "c", "r", "p", "p", "r"]);
    await it.server.post(`/api/jobs/${it.jobs[3]}/cancel`); // one that waits
    const events = await it.server.events(`job:${it.jobs[3]}`, await it.server.beginning());
    const moves = (kind) => events.filter(({ payload }) => payload.kind === kind).map(({ payload }) => `${payload.status} ${payload.cause}`.trim());
    assert.deepEqual(moves("job"), ["pending", "pending", "cancelled cancelled by API"], "it was never running");
    assert.deepEqual(moves("step"), ["cancelled cancelled by API"]);
    assert.equal(events.at(-2).payload.message, "cancelled before it began: cancelled by API");
    assert.equal((await it.server.get(`/api/jobs/${it.jobs[3]}`)).body.started_at, null);
    await it.finish(0);
    await it.running(4);
    for (const i of [2, 4, 5]) await it.finish(i);
    assert.deepEqual(await it.states(), ["c", "c", "c", "c", "c", "c"]); // completed, or cancelled
    assert.equal((await it.server.get(`/api/jobs/${it.jobs[3]}`)).body.status, "cancelled");
});

test("a limit that comes later counts the jobs of before, and is over when they have ended", async (t) => {
    const it = await stage(t, {});
    const put = (more, method, target) => it.server.fetch("/api/job-definitions" + target, { method, headers: { "Content-Type": "application/yaml" }, body: definition("a", more) });
    assert.equal((await put("", "POST", "")).status, 201);
    await it.ask("a");
    await it.running(0);
    assert.equal((await put("max_running: 1\n", "PUT", "/a")).status, 200);
    await it.ask("a");
    await it.server.event(it.jobs[1], ({ type }) => type === "job_log");
    assert.deepEqual(await it.states(), ["r", "p"]);
    await it.finish(0);
    await it.running(1);
    await it.finish(1);
});

test("of the server so many run at once, and who waits still does after it was killed", async (t) => {
    const data = await folder(t);
    const definitions = { "a.yaml": definition("a"), "b.yaml": definition("b") };
    const options = { data, args: ["--max-jobs", "1"] };
    const it = await stage(t, definitions, options);
    for (const id of ["a", "b", "a"]) await it.ask(id);
    await it.running(0);
    assert.deepEqual(await it.states(), ["r", "p", "p"]);
    await it.server.stop("SIGKILL");
    it.server = await serve(t, { definitions, ...options });
    assert.deepEqual(await it.states(), ["r", "p", "p"]);
    await it.finish(0);
    await it.running(1);
    assert.deepEqual(await it.states(), ["c", "r", "p"]);
    await it.finish(1);
    await it.finish(2);
    assert.deepEqual(await it.states(), ["c", "c", "c"]);
});

test("limits that are none are refused", async (t) => {
    const server = await serve(t);
    for (const wrong of ["0", "-1", "many", "1.5"]) {
        const { status, body } = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition("a", `max_running: ${wrong}\n`) });
        assert.deepEqual([status, body.field, body.line], [400, "max_running", 4], wrong);
        const { code, stderr } = await command(["serve", "--max-jobs", wrong === "0" ? "x" : wrong]);
        assert.deepEqual([code, /max-jobs is a number of jobs, 0 for no limit/.test(stderr)], [2, true], wrong);
    }
});

const waiting = (it, i) => it.server.event(it.jobs[i], ({ payload }) => payload.waits_for);

test("a pool is shared, priorities decide, and what a job waits for is data", async (t) => {
    const definitions = { "a.yaml": definition("a", "pool: database\n"), "b.yaml": definition("b", "pool: database\npriority: 5\n"), "free.yaml": definition("free") };
    const data = await folder(t);
    const options = { data, args: ["--pool", "database=1,other=3", "--pool", "third=1"] };
    const it = await stage(t, definitions, options);
    for (const id of ["a", "a", "b"]) await it.ask(id);
    const { body } = await it.server.post("/api/job-definitions/a/execute", { parameters: { file: it.file(3) }, priority: 7 });
    it.jobs.push(body.job_id);
    await it.ask("free");
    await it.running(4);
    for (const i of [1, 2, 3]) assert.equal((await waiting(it, i)).payload.waits_for, "a place of pool database (1 at once)");
    assert.deepEqual(await it.states(), ["r", "p", "p", "p", "r"]);
    const look = async () => {
        const { body: queue } = await it.server.get("/api/jobs/queue");
        assert.deepEqual(queue.pending.map(({ id }) => it.jobs.indexOf(id)), [3, 2, 1]);
        assert.deepEqual(queue.pending.map(({ priority, pool, waits_for: what, position }) => [priority, pool, what, position]),
            [[7, 1], [5, 2], [0, 3]].map(([priority, position]) => [priority, "database", "a place of pool database (1 at once)", position]));
        for (const { id, position } of queue.pending) assert.equal((await it.server.get(`/api/jobs/${id}`)).body.position, position);
        const status = (await it.server.get("/api/status")).body;
        assert.deepEqual(status.pools, [{ name: "database", places: 1, running: 1, waiting: 3 }, { name: "other", places: 3, running: 0, waiting: 0 }, { name: "third", places: 1, running: 0, waiting: 0 }]);
        const tree = (await it.server.get(`/api/jobs/${it.jobs[2]}/tree`)).body;
        assert.deepEqual([tree.priority, tree.pool, tree.waits_for], [5, "database", "a place of pool database (1 at once)"]);
        const { stdout } = await command(["show", it.jobs[2], "--server", it.server.url]);
        assert.match(stdout, /waits for +a place of pool database \(1 at once\), number 2 in line\n/);
    };
    await look();
    await it.server.stop("SIGKILL");
    it.server = await serve(t, { definitions, ...options });
    await look();
    for (const [ends, begins] of [[0, 3], [3, 2], [2, 1]]) {
        await it.finish(ends);
        const { payload } = await it.running(begins);
        assert.equal(payload.waits_for, "");
    }
    await it.finish(1);
    await it.finish(4);
    assert.deepEqual(await it.states(), ["c", "c", "c", "c", "c"]);
    const { body: again } = await it.server.post(`/api/jobs/${it.jobs[3]}/rerun`);
    await it.server.events(`job:${again.job_id}`, await it.server.beginning());
    assert.equal((await it.server.get(`/api/jobs/${again.job_id}`)).body.priority, 7, "as it was");
});

test("a pool that there is not, and priorities that are none, are refused", async (t) => {
    const put = async (server, more) => {
        const { status, body } = await server.fetch("/api/job-definitions/validate", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition("a", more) });
        return [status, body.field, body.error];
    };
    const home = await folder(t);
    const config = path.join(home, "config.yaml");
    await writeFile(config, "pools: { database: 2, printer: 1 }\n");
    const server = await serve(t, { definitions: { "a.yaml": definition("a"), "b.yaml": definition("b", "pool: nowhere\n") }, args: ["--config", config] });
    assert.deepEqual(await put(server, "pool: databse\n"), [400, "pool", "request body:4:7: pool: there is no pool 'databse', only database and printer"]);
    assert.equal((await put(server, "pool: printer\n"))[0], 200);
    assert.match(server.stderr, /left out: .*b\.yaml:4:7: pool: there is no pool 'nowhere', only database and printer/);
    for (const wrong of ["101", "-101", "high", "1.5"]) {
        assert.deepEqual((await put(server, `priority: ${wrong}\n`)).slice(0, 2), [400, "priority"], wrong);
        assert.deepEqual((await command(["run", "a", "-P", wrong, "--server", server.url])).code, 2);
    }
    const { status, body } = await server.post("/api/job-definitions/a/execute", { priority: 101 });
    assert.deepEqual([status, body.field], [400, "priority"]);
    const none = await serve(t, {});
    assert.match((await put(none, "pool: printer\n"))[2], /there is no pool 'printer': this server has none/);
    for (const [wrong, why] of [["database", "has a number of places, at least 1, not ''"], ["=1", "a pool's name is 1 to 64 of"], ["a=0", "not '0'"], ["A=1", "not 'A'"], ["a=1,a=2", "pool a is there twice"]]) {
        const { code, stderr } = await command(["serve", "--pool", wrong, "--data", home]);
        assert.equal(code, 2);
        assert.ok(stderr.includes(why), stderr);
    }
    await writeFile(config, "pools: { database: many }\n");
    const { code, stderr } = await command(["serve", "--config", config, "--data", home]);
    assert.equal(code, 2);
    assert.match(stderr, /config\.yaml:1:20: pools\.database: pool database has a number of places, at least 1, not 'many'/);
    await writeFile(path.join(home, "x.yaml"), definition("x", "pool: any\n"));
    const { stdout } = await command(["validate", path.join(home, "x.yaml")]);
    assert.match(stdout, /'x' is valid: 1 step; only a server knows whether it has pool 'any'\n/);
});

test("commands for which the limit of open files leaves no room wait, say so, and take turns", async (t) => {
    const home = await folder(t), binary = path.join(home, "wrapped"), go = path.join(home, "go");
    await writeFile(binary, `#!/bin/sh\nulimit -n 64\nexec ${BINARY} "$@"\n`, { mode: 0o755 });
    const many = `id: many\nname: Many\nparameters: { go: }\nsteps:\n  - { name: s, type: shell, for_each: [${Array.from({ length: 30 }, (_, i) => i)}], parallel: 30, config: { command: 'echo up; until test -e "$PARAM_GO"; do sleep 0.02; done' } }\n`;
    const free = "id: free\nname: Free\nsteps:\n  - { name: s, type: generator, config: { log_count: 1 } }\n";
    const server = await serve(t, { binary, definitions: { "many.yaml": many, "free.yaml": free } });
    const state = async (id) => (await server.get(`/api/jobs/${id}`)).body;
    const says = async (id, text) => server.event(id, ({ type, payload }) => type === "step_progress" && payload.progress_text === text);
    const jobs = [await server.execute("many", { go })];
    await server.event(jobs[0], ({ payload }) => payload.message === "up");
    for (let i = 0; i < 2; i++) {
        jobs.push(await server.execute("many", { go }));
        await says(jobs.at(-1), "waits for open files of the server");
    }
    await server.post(`/api/jobs/${jobs[1]}/cancel`); // the first in line
    await server.events(`job:${jobs[1]}`, await server.beginning());
    assert.equal((await state(jobs[1])).status, "cancelled");
    assert.equal((await state(await server.run("free"))).status, "completed", "what needs no file does not wait");
    await writeFile(go, "");
    const [first, second] = await Promise.all([jobs[0], jobs[2]].map(async (id) => server.events(`job:${id}`, await server.beginning())));
    for (const [id, events] of [[jobs[0], first], [jobs[2], second]]) {
        const { status, cause } = await state(id);
        assert.equal(status, "completed", cause);
        assert.equal(events.filter(({ type }) => type === "step_progress").at(-1).payload.progress_text, "30/30");
    }
    const ups = ({ payload }) => payload.message === "up";
    assert.ok(second.find(ups).seq < first.filter(ups).at(-1).seq, "who waits does not wait for all of the other");
    assert.match(server.stderr, /only 64 connections and 2 commands at once are possible: the limit of open files is 64\n/);
});
