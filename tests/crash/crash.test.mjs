// The server dies at any moment, by kill -9 or at a named place, and what any client had seen is there
// afterwards, with the same number; the job goes on by itself to its end; nothing is kept twice.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { folder, serve } from "../api/server.mjs";
import { Scope } from "../faults/stage.mjs";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const NEWSROOM = process.env.NEWSROOM || path.join(ROOT, "build", "newsroom");

async function newsroom(t, ...args) {
    const child = spawn(NEWSROOM, ["--listen", "127.0.0.1:0", ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill());
    const [text] = await once(child.stdout, "data");
    return String(text).trim().replace("listening on ", "");
}

const CRAWL = `id: crawl
name: Crawl
parameters: { site: {} }
steps:
  - name: pages
    type: crawler
    config: { start_urls: ["{site}"], exclude_patterns: [slow, endless, large], concurrency: 4 }
  - name: after
    type: shell
    depends: [pages]
    config: { command: "echo one; echo two" }
`;

/** Notes every line that a socket is shown; a line seen twice must be the same both times. */
class Witness {
    lines = new Map();
    take({ step_id, line, message, job_id }) {
        const key = `${step_id}:${line}`, text = `${job_id} ${message}`;
        assert.equal(this.lines.get(key) ?? text, text, "a line changed its text");
        this.lines.set(key, text);
    }
    watch(server, onLine) {
        const socket = server.socket();
        socket.ws.on("message", (data) => {
            const { type, payload } = JSON.parse(data.toString());
            if (type !== "job_log") return;
            this.take(payload);
            onLine?.();
        });
        return socket;
    }
}

async function storedLines(server, job) {
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    const lines = [];
    for (const step of body.steps) {
        for (let after = 0; ; ) {
            const { body: page } = await server.get(`/api/jobs/${job}/logs?step=${step.step_id}&order=asc&limit=500&after=${after}`);
            lines.push(...page.logs);
            if (!page.logs.length) break;
            after = page.logs.at(-1).line;
        }
    }
    return lines;
}

/** The invariants after all is over. */
async function check(server, job, witness) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    assert.equal(tree.status, "completed", tree.cause);
    const stored = new Map();
    const next = new Map();
    for (const line of await storedLines(server, job)) {
        assert.equal(line.line, (next.get(line.step_id) ?? 0) + 1, "lines are numbered 1, 2, 3 ...");
        next.set(line.step_id, line.line);
        stored.set(`${line.step_id}:${line.line}`, `${line.job_id} ${line.message}`);
    }
    for (const [key, text] of witness.lines) if (!key.startsWith(":")) assert.equal(stored.get(key), text, `line ${key} was seen`);
    for (const step of tree.steps) {
        assert.equal(step.total_logs, next.get(step.step_id));
        assert.equal(step.child_summary.running + step.child_summary.pending, 0);
    }
    const { body: results } = await server.get(`/api/jobs/${job}/results?limit=1000`);
    const urls = results.documents.map((d) => d.url);
    assert.equal(new Set(urls).size, urls.length, "a document was kept twice");
    assert.equal(urls.length, tree.steps[0].documents);
    return { documents: urls.length, tasks: tree.steps[0].child_summary.total };
}

/** Runs the crawl to its end, killing the server whenever `when` says so; returns what was found. */
async function crawlThroughKills(t, site, kills) {
    const data = await folder(t);
    const witness = new Witness();
    const options = { data, definitions: { "crawl.yaml": CRAWL } };
    let server = await serve(t, options), job;
    for (const linesUntilKill of kills) {
        let seen = 0, enough;
        const reached = new Promise((resolve) => (enough = resolve));
        const socket = witness.watch(server, () => ++seen === linesUntilKill && enough());
        await socket.opened;
        await socket.next("status");
        job ??= await server.execute("crawl", { site });
        const over = server.events(`job:${job}`, await server.beginning()).catch(() => {});
        await Promise.race([reached, over]);
        await server.stop("SIGKILL");
        await socket.closed;
        server = await serve(t, options);
    }
    const socket = witness.watch(server);
    await server.events(`job:${job}`, await server.beginning());
    await socket.close();
    const found = await check(server, job, witness);
    await server.stop();
    return found;
}

test("a crawl that is killed at random moments goes on to the end and loses no line that was seen", async (t) => {
    const site = await newsroom(t, "--delay", "3");
    const reference = await crawlThroughKills(t, site, [100000]);
    const seed = Number(process.env.SEED ?? Date.now() % 100000);
    let state = seed;
    const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
    t.diagnostic(`SEED=${seed}`);
    const rounds = Number(process.env.ROUNDS ?? 6);
    for (let round = 0; round < rounds; round++) {
        const kills = Array.from({ length: 1 + random(3) }, () => 1 + random(120));
        const found = await crawlThroughKills(t, site, kills);
        assert.deepEqual(found, reference, `killed after ${kills} lines`);
    }
});

const LINES = `id: lines
name: Lines
steps:
  - name: make
    type: generator
    config: { worker_count: 8, log_count: 400, log_delay_ms: 1 }
  - name: script
    type: shell
    config: { command: "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo script line $i; done" }
`;

for (const place of ["store.commit.before", "store.commit.before_fsync", "store.commit.after", "feed.publish.before"]) {
    test(`a server that dies at ${place} loses nothing that anyone saw`, async (t) => {
        const data = await folder(t);
        for (const at of [1, 2, 3, 7, 20]) {
            const witness = new Witness();
            const options = { data, definitions: { "lines.yaml": LINES } };
            const dying = await serve(t, { ...options, env: { TAILRACE_FAULT: `${place}:${at}:kill` } }).catch(() => null);
            if (!dying) continue; // it died before it listened: nobody saw anything
            const socket = witness.watch(dying);
            await socket.opened.catch(() => {});
            const job = await dying.execute("lines").catch(() => null);
            await dying.ended;
            const server = await serve(t, options);
            const { body } = await server.get("/api/jobs?limit=1&order_by=created_at&order_dir=desc");
            const id = job ?? body.jobs[0]?.id;
            if (id) {
                await server.events(`job:${id}`, await server.beginning());
                await check(server, id, witness).then((found) => found.documents === 0 || assert.fail());
            }
            await server.stop();
        }
    });
}

test("a disk that fails once costs nothing: the commit is tried again", async (t) => {
    const server = await serve(t, { definitions: { "lines.yaml": LINES }, env: { TAILRACE_FAULT: "store.commit.before:4:fail" } });
    const witness = new Witness();
    const socket = witness.watch(server);
    await socket.opened;
    const job = await server.run("lines");
    await check(server, job, witness);
    await server.said(/cannot commit, trying again/);
    await server.said(/commits succeed again/);
});

test("a viewer whose log cannot be read for a moment waits, and then misses nothing", async (t) => {
    const server = await serve(t, { definitions: { "lines.yaml": LINES }, env: { TAILRACE_FAULT: "feed.catch_up:1:fail" } });
    const job = await server.run("lines");
    const socket = server.socket(["tailrace.v1"]);
    await socket.opened;
    socket.ws.send(JSON.stringify({ op: "sub", topic: `job:${job}`, since: await server.beginning() }));
    const { lines } = await socket.next("end");
    const shown = socket.seen.flatMap((m) => (m.type === "events" ? m.events : [])).filter((e) => e.type === "job_log");
    assert.equal(shown.length, Object.values(lines).reduce((a, b) => a + b));
    await server.said(/cannot read the log for job:.*, trying again/);
});

test("an end that cannot be read at first is sent all the same", async (t) => {
    const server = await serve(t, { definitions: { "lines.yaml": LINES }, env: { TAILRACE_FAULT: "feed.end:2:fail" } });
    const socket = server.socket("tailrace.v1");
    await socket.opened;
    const job = await server.execute("lines");
    socket.send({ op: "sub", topic: `job:${job}`, snapshot: true }); // opening asks for the end as well: the first time
    const end = await socket.next("end");
    assert.ok(Object.values(end.lines).some((n) => n >= 3200), JSON.stringify(end));
    await server.said(/cannot read the end of/);
});

test("a server that is asked to end stops its tasks and goes on with the next start", async (t) => {
    const data = await folder(t);
    const options = { data, definitions: { "lines.yaml": LINES } };
    const witness = new Witness();
    const first = await serve(t, options);
    let enough;
    const reached = new Promise((resolve) => (enough = resolve));
    let seen = 0;
    const socket = witness.watch(first, () => ++seen === 500 && enough());
    await socket.opened;
    const job = await first.execute("lines");
    await reached;
    assert.deepEqual(await first.stop("SIGTERM"), { code: 0, signal: null });
    const second = await serve(t, options);
    await second.events(`job:${job}`, await second.beginning());
    await check(second, job, witness);
});

const STUBBORN = `id: stubborn
name: Stubborn
steps:
  - name: s
    type: shell
    config: { command: "trap 'echo asked' TERM; echo begun; while :; do sleep 0.05; done" }
  - name: after
    type: shell
    depends: [s]
    config: { command: "echo never" }
`;

for (const signal of ["SIGKILL", "SIGTERM"])
    test(`a job that is being cancelled when the server ends by ${signal} is cancelled, not done again`, async (t) => {
        const options = { data: await folder(t), definitions: { "stubborn.yaml": STUBBORN } };
        const first = await serve(t, options);
        const socket = first.socket();
        await socket.opened;
        const says = (text) => socket.next((m) => m.type === "job_log" && m.payload.message === text);
        const job = await first.execute("stubborn");
        await says("begun");
        assert.equal((await first.post(`/api/jobs/${job}/cancel`)).status, 200);
        await says("asked");
        await first.stop(signal);
        const second = await serve(t, options);
        const events = await second.events(`job:${job}`, await second.beginning());
        const { body: tree } = await second.get(`/api/jobs/${job}/tree`);
        assert.equal(tree.status, "cancelled");
        assert.equal(tree.cause, "cancelled by API");
        assert.deepEqual(tree.steps.map((s) => s.status), ["cancelled", "cancelled"]);
        assert.deepEqual(tree.steps.map((s) => s.kill_at), [null, null], "nothing is about to be killed any more");
        assert.equal(events.filter((e) => e.payload.message === "begun").length, 1, "it ran once");
    });

function processesWith(marker) {
    return readdirSync("/proc").filter((pid) => {
        if (!/^\d+$/.test(pid)) return false;
        try {
            return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(marker);
        } catch {
            return false;
        }
    });
}

test("commands do not outlive a server that was killed", async (t) => {
    const data = await folder(t);
    const marker = `54321${process.pid}`;
    const definitions = { "sleep.yaml": `id: sleep\nname: Sleep\nsteps:\n  - name: s\n    type: shell\n    config: { command: "echo begun; sleep ${marker} & sleep ${marker}" }\n` };
    const first = await serve(t, { data, definitions });
    const socket = first.socket();
    await socket.opened;
    const job = await first.execute("sleep");
    await socket.next((m) => m.type === "job_log" && m.payload.message === "begun");
    await first.stop("SIGKILL");
    const second = await serve(t, { data, definitions });
    const again = second.socket("tailrace.v1");
    await again.opened;
    again.send({ op: "sub", topic: `job:${job}`, since: await second.beginning() });
    let count = 0; // it runs again, its second attempt; the first one's processes are gone
    await again.next((m) => m.type === "events" && m.events.some((e) => e.type === "job_log" && e.payload.message === "begun" && ++count === 2));
    assert.ok(processesWith(marker).length <= 3, "only the second attempt's processes are left");
    await second.post(`/api/jobs/${job}/cancel`);
    await second.events(`job:${job}`, await second.beginning());
    assert.deepEqual(processesWith(marker), []);
});

test("a test that kills its server for good leaves no command behind", async (t) => {
    const scope = new Scope(), marker = `54322${process.pid}`;
    t.after(() => scope.end());
    const server = await serve(scope, { definitions: { "sleep.yaml": `id: sleep\nname: Sleep\nsteps:\n  - name: s\n    type: shell\n    config: { command: "echo begun; setsid sleep ${marker} & sleep ${marker}" }\n` } });
    const job = await server.execute("sleep");
    await server.event(job, ({ payload }) => payload.message === "begun");
    await server.stop("SIGKILL");
    assert.notDeepEqual(processesWith(marker), []);
    await scope.end();
    assert.deepEqual(processesWith(marker), []);
});
