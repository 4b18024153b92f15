// Tasks: how many a second that do nothing, how many commands, how many lines of one command; beside queues,
// beside a bare loop that spawns, beside `cat`. Usage: node tests/bench/tasks.mjs [nothing|commands|chatty ...]
// [--quick] [--rounds N]. See docs/benchmarks.md.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { catAndSync, catThroughTs, oneStep, writeLines } from "./chatty.mjs";
import { beanstalkd, bullmq, graphile, installClients } from "./peers/queues.mjs";
import { BOTH_CORES, ROOT, cleanUp, fixed, median, memory, scratch, serve, table } from "./rig.mjs";

const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean" }, rounds: { type: "string" } },
});
const ROUNDS = Number(flags.rounds ?? (flags.quick ? 1 : 3));
const some = (n) => (flags.quick ? Math.ceil(n / 10) : n);
const AT_ONCE = 64;

// ---- clients of tailrace ----

// A job's final state, as events of `jobs` have it: to parse all of them takes longer than the server does.
const END = /"manager_id":"([^"]+)"[^{}]*"kind":"job","status":"(completed|failed|cancelled)"/g;

/** Follows the topic `jobs`: wait(id) resolves when the job's end was told. */
async function follow(server) {
    const waits = new Map(), ends = new Map();
    let subscribed;
    const ready = new Promise((resolve) => (subscribed = resolve));
    const asked = request(`${server.url}/api/events/stream?topic=jobs`).end();
    const [answer] = await once(asked, "response");
    const lines = createInterface({ input: answer });
    lines.on("error", () => {}); // it is cut off at the end
    lines.on("line", (line) => {
        if (!line.startsWith("data:")) return;
        subscribed();
        for (const [, id, status] of line.matchAll(END)) {
            ends.set(id, status);
            waits.get(id)?.();
        }
    });
    await ready;
    const wait = async (id) => {
        if (!ends.has(id)) await new Promise((resolve) => waits.set(id, resolve));
        if (ends.get(id) !== "completed") throw new Error(`job ${id} ended as ${ends.get(id)}`);
        waits.delete(id);
        ends.delete(id);
    };
    return { wait, end: () => asked.destroy() };
}

const seconds = (began) => (performance.now() - began) / 1000;

/** Tasks/s of one job with so many, enqueued by its step at once. */
async function inBulk(tasks) {
    const config = { worker_count: tasks, log_count: 0, concurrency: AT_ONCE };
    const server = await serve([{ id: "bench", steps: [{ name: "nothing", type: "generator", config }] }], { cores: BOTH_CORES });
    const jobs = await follow(server);
    const began = performance.now();
    await jobs.wait(await server.execute("bench"));
    const took = seconds(began);
    jobs.end();
    await server.stop();
    return tasks / took;
}

/** A connection on which jobs are executed, one after another: resolves with the job's id. No more than it takes. */
async function executor(url) {
    const { host, hostname, port } = new URL(url);
    const asks = `POST /api/job-definitions/bench/execute HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
    const socket = connect(Number(port), hostname).setNoDelay(true).setEncoding("latin1");
    await once(socket, "connect");
    let text = "", resolve, reject;
    socket.on("data", (part) => {
        text += part;
        const body = text.indexOf("\r\n\r\n") + 4, length = /\r\nContent-Length: (\d+)/i.exec(text)?.[1];
        if (body < 4 || text.length < body + Number(length)) return;
        const id = /^HTTP\/1.1 20[012] /.test(text) && /"job_id": ?"([^"]+)"/.exec(text)?.[1];
        if (id) resolve(id);
        else reject(new Error(text));
        text = "";
    });
    return {
        execute: () => new Promise((done, failed) => ([resolve, reject] = [done, failed], socket.write(asks))),
        end: () => socket.destroy(),
    };
}

/** Jobs/s of jobs with one task, each asked for over the API; 64 clients, each waits until its job's end is told. */
async function oneByOne(tasks) {
    const server = await serve([{ id: "bench", steps: [{ name: "nothing", type: "generator", config: { log_count: 0 } }] }], { cores: BOTH_CORES });
    const jobs = await follow(server);
    const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => executor(server.url)));
    let left = tasks;
    const began = performance.now();
    await Promise.all(clients.map(async (client) => {
        while (left-- > 0) await jobs.wait(await client.execute());
    }));
    const took = seconds(began);
    for (const client of clients) client.end();
    jobs.end();
    await server.stop();
    return tasks / took;
}

// ---- tables ----

/** Runs them all in turn, so many rounds: each one's median. */
async function rounds(runs, count = ROUNDS) {
    const all = runs.map(() => []);
    for (let round = 0; round < count; round++)
        for (const [i, run] of runs.entries()) all[i].push(await run());
    return all.map(median);
}

const whole = (n) => fixed(n, 0);

/** One that cannot run here is said, and has no figure. */
const peer = (name, run) => async () => {
    try {
        return await run();
    } catch (error) {
        console.error(`${name} does not run here: ${String(error.stderr || error.message).trim().split("\n")[0]}`);
        return NaN;
    }
};

async function nothing() {
    await peer("npm", installClients)();
    console.log(`### Tasks that do nothing, ${AT_ONCE} at once, every change fsynced\n`);
    const cases = [
        ["tailrace", "all at once", () => inBulk(some(100000))],
        ["graphile-worker", "1,000 a call", () => graphile(some(30000), "bulk")],
        ["BullMQ", "1,000 a call", () => bullmq(some(20000), "bulk")],
        ["beanstalkd -f0", "64 written at once", () => beanstalkd(some(5000), "pipelined")],
        ["tailrace", "one a call, each a job of its own", () => oneByOne(some(10000))],
        ["graphile-worker", "one a call", () => graphile(some(5000), "single")],
        ["BullMQ", "one a call", () => bullmq(some(20000), "single")],
        ["beanstalkd -f0", "one a call", () => beanstalkd(some(5000), "single")],
    ];
    const rates = await rounds(cases.map(([name, , run]) => (name === "tailrace" ? run : peer(name, run))));
    const rows = cases.map(([name, how], i) => [name, how, whole(rates[i]), `${fixed(rates[i < 4 ? 0 : 4] / rates[i], 2)} ×`]);
    table(["queue", "enqueued", "tasks/s", "tailrace is"], rows);
    const best = (name) => Math.max(...rates.filter((rate, i) => cases[i][0] === name && Number.isFinite(rate)), 0);
    console.log("Each at its best:\n");
    const aims = [["graphile-worker", 2], ["BullMQ", 4], ["beanstalkd -f0", 9]];
    table(["measure", "reached", "aim"], [
        ["tasks/s", whole(best("tailrace")), "≥ 30,000"],
        ...aims.map(([name, aim]) => [`of ${name}`, fixed(best("tailrace") / best(name), 1), `≥ ${aim}`]),
    ]);
}

const COMMAND = "/bin/true", LANES = 4;

const LARGE_BYTES = 300 * 1024 * 1024;

/** Makes a server large with what it works on: jobs that wait for their turn, with definitions of 200 KB. */
async function grow(server) {
    await server.execute("large");
    while (memory(server.pid) < LARGE_BYTES) await Promise.all(Array.from({ length: 20 }, () => server.execute("large")));
}

/** Commands/s of one job with a step that has a task for each of them. They write to pipes, or to terminals. */
async function commands(count, { sizes, large, pty = false }) {
    const items = Array.from({ length: count }, (_, i) => String(i));
    const many = { name: "many", type: "shell", for_each: items, parallel: LANES, config: { command: COMMAND, pty } };
    const sleep = { name: "sleep", type: "shell", config: { command: "exec sleep 1000000" } };
    const all = [{ id: "bench", steps: [many] }, { id: "large", description: "large ".repeat(33000), max_running: 1, steps: [sleep] }];
    const server = await serve(all, { cores: BOTH_CORES });
    if (large) await grow(server);
    sizes?.push(memory(server.pid) / 1024 / 1024);
    const follower = await follow(server);
    const began = performance.now();
    await follower.wait(await server.execute("bench"));
    const took = seconds(began);
    follower.end();
    await server.stop();
    return count / took;
}

const bare = (count, ...argv) => Number(execFileSync("taskset", ["-c", BOTH_CORES, path.join(ROOT, "build/spawn"), count, LANES, ...argv]));

/** Commands/s of task-spooler: each is enqueued by a call of it. */
function spooler(count) {
    const home = mkdtempSync(path.join(scratch, "spooler-"));
    const env = { ...process.env, TMPDIR: home, TS_SOCKET: path.join(home, "socket"), TS_SLOTS: String(LANES), TS_MAXFINISHED: String(count) };
    const sh = (text) => execFileSync("taskset", ["-c", BOTH_CORES, "sh", "-c", text], { env, stdio: "pipe" });
    try {
        sh("tsp"); // starts its server
        const began = performance.now();
        sh(`i=0; while [ $i -lt ${count} ]; do tsp ${COMMAND} >/dev/null; i=$((i + 1)); done; tsp -w`);
        return count / seconds(began);
    } finally {
        sh("tsp -K");
        rmSync(home, { recursive: true, force: true });
    }
}

async function commandsCase() {
    console.log(`### Commands: ${COMMAND}, ${LANES} at a time, output captured\n`);
    const count = some(5000), small = [], large = [];
    const cases = [
        ["a bare loop", () => bare(count, COMMAND)],
        ["a bare loop with /bin/sh -c", () => bare(count, "/bin/sh", "-c", COMMAND)],
        ["tailrace, pipes", () => commands(count, { sizes: small })],
        ["tailrace, pipes", () => commands(count, { sizes: large, large: true })],
        ["task-spooler", peer("task-spooler", () => spooler(some(1000)))],
        ["tailrace, terminals", () => commands(count, { pty: true })],
    ];
    const rates = await rounds(cases.map(([, run]) => run), 3 * ROUNDS); // a turn takes seconds, and turns differ by a fifth
    for (const [i, sizes] of [[2, small], [3, large]]) cases[i][0] += `, its server ${whole(median(sizes))} MiB large`;
    table(["what runs them", "commands/s", "tailrace is"], cases.map(([name], i) => [name, whole(rates[i]), `${fixed(rates[2] / rates[i], 2)} ×`]));
    table(["measure", "reached", "aim"], [
        ["of a bare loop", fixed(rates[2] / rates[0], 2), "≥ 0.85"],
        ["of a bare loop with /bin/sh -c", fixed(rates[2] / rates[1], 2), ""],
        ["of task-spooler", fixed(rates[2] / rates[4], 2), "≥ 2"],
        ["a large server, of a small one", fixed(rates[3] / rates[2], 2), "1"],
    ]);
}

async function chatty() {
    const lines = some(1000000), file = path.join(scratch, "lines.txt");
    console.log(`### One command that writes ${lines} lines as fast as it can\n`);
    writeLines(file, lines);
    const step = (pty) => oneStep(file, lines, BOTH_CORES, { pty });
    const runs = [() => step(false), () => catAndSync(file, lines, BOTH_CORES), peer("ts", () => catThroughTs(file, lines, BOTH_CORES)), () => step(true)];
    const [pipes, cat, ts, terminals] = await rounds(runs);
    rmSync(file);
    table(["what writes them", "lines/s", "tailrace with pipes is"], [
        ["tailrace, pipes, durable and told", whole(pipes), "1.00 ×"],
        ["tailrace, terminals", whole(terminals), `${fixed(pipes / terminals, 1)} ×`],
        ["`cat > file; sync`", whole(cat), `${fixed(pipes / cat, 3)} ×`],
        ["`cat` into `ts > file`", whole(ts), `${fixed(pipes / ts, 1)} ×`],
    ]);
    table(["measure", "reached", "aim"], [
        ["of `cat > file; sync`", fixed(pipes / cat, 3), "≥ 0.12"],
        ["of `cat` into `ts > file`", fixed(pipes / ts, 1), "≥ 10"],
    ]);
}

const cases = { nothing, commands: commandsCase, chatty };
const wanted = positionals.length ? positionals : Object.keys(cases);
for (const name of wanted) if (!cases[name]) throw new Error(`there is no case "${name}": ${Object.keys(cases).join(", ")}`);
try {
    for (const name of wanted) await cases[name]();
} finally {
    cleanUp();
}
