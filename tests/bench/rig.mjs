// What the benchmarks stand on: servers on core 0, clients on core 1, each started for one
// case and ended by its pid, and what a process has used so far.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, closeSync } from "node:fs";
import { connect, createServer } from "node:net";
import { availableParallelism } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { uwsAddon } from "./peers/uws_addon.mjs";

export const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const BUILD = path.join(ROOT, "build"), PEERS = path.join(ROOT, "tests/bench/peers");
const SERVER_CORE = 0, CLIENT_CORE = Math.min(1, availableParallelism() - 1);

export const BOTH_CORES = `${SERVER_CORE},${CLIENT_CORE}`;

mkdirSync(BUILD, { recursive: true });
export const scratch = mkdtempSync(path.join(BUILD, "bench-"));
const running = new Set();

export function cleanUp() {
    for (const child of running) child.kill("SIGKILL");
    rmSync(scratch, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => (cleanUp(), process.exit(1)));

/** This process stays off the servers' core as well. */
export function useClientCore() {
    execFileSync("taskset", ["-pc", String(CLIENT_CORE), String(process.pid)]);
}

export function start(core, command, args, options = {}) {
    const child = spawn("taskset", ["-c", String(core), command, ...args], { stdio: "pipe", ...options });
    running.add(child);
    child.ended = once(child, "close").finally(() => running.delete(child));
    child.stdin.on("error", () => {}); // it may have ended already
    let said = "";
    child.stderr.on("data", (text) => (said += text));
    child.on("close", (code) => code && code !== 3 && console.error(`${command} ended with ${code}: ${said}`));
    child.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return child;
}

export async function stop(child, signal = "SIGTERM") {
    child.kill(signal);
    await child.ended;
}

async function listening(child) {
    for (;;) {
        const { value, done } = await child.lines.next();
        if (done) throw new Error(`${child.spawnargs.join(" ")} did not start`);
        const found = /^listening on (http:\S+?)\/?$/.exec(value);
        if (found) return found[1];
    }
}

// ---- what a process uses ----

const HZ = 100;

/** CPU seconds of a process so far, of all its threads; or of those of one name. */
export function cpu(pid, thread) {
    const files = thread === undefined ? [`/proc/${pid}/stat`] : readdirSync(`/proc/${pid}/task`).map((id) => `/proc/${pid}/task/${id}/stat`);
    let ticks = 0;
    for (const file of files) {
        const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(file, "utf8"));
        const fields = rest.split(" ");
        if (thread === undefined || name === thread) ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks / HZ;
}

/** Bytes of memory that are the process' own. */
export function memory(pid) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return 1024 * ["Private_Clean", "Private_Dirty"].reduce((sum, name) => sum + Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)[1]), 0);
}

let counts = 0;

/** The environment in which a server counts its sends, and what it counted once it has ended (0 before). */
function countSends() {
    const file = path.join(scratch, `sends-${++counts}`);
    return {
        env: { ...process.env, LD_PRELOAD: path.join(BUILD, "sends.so"), SENDS: file },
        perSend: () => {
            const [sends, bytes] = existsSync(file) ? readFileSync(file, "utf8").split(" ").map(Number) : [0, 0];
            return sends ? bytes / sends : 0;
        },
    };
}

// ---- servers: {name, pid, url, path, v1, topic, go(), stop()} ----

async function json(url, options) {
    const answer = await fetch(url, options);
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    return body;
}

let folders = 0;

/** A tailrace (TAILRACE_BIN names another binary) with these definitions. Stopping it removes its data. */
export async function serve(all, { cores = SERVER_CORE, env = process.env } = {}) {
    const home = path.join(scratch, `tailrace-${++folders}`), definitions = path.join(home, "definitions");
    mkdirSync(definitions, { recursive: true });
    for (const one of all) writeFileSync(path.join(definitions, `${one.id}.json`), JSON.stringify({ name: one.id, ...one }));
    const args = ["serve", "--listen", "127.0.0.1:0", "--data", path.join(home, "data"), "--definitions", definitions];
    const child = start(cores, process.env.TAILRACE_BIN || path.join(BUILD, "tailrace"), args, { env });
    const url = await listening(child);
    const post = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    return {
        name: "tailrace", pid: child.pid, url, home,
        data: path.join(home, "data"),
        json: (target) => json(url + target),
        execute: async (id) => (await json(`${url}/api/job-definitions/${id}/execute`, post)).job_id,
        end: () => stop(child),
        remove: () => rmSync(home, { recursive: true, force: true }),
        stop: async () => (await stop(child), rmSync(home, { recursive: true, force: true })),
    };
}

/** One with a job that waits for go() and then runs `steps`, and one in which nothing happens (`quiet`). */
export async function tailrace(steps, { cores = SERVER_CORE } = {}) {
    const gate = path.join(scratch, `gate-${folders}`);
    const shell = (name, command) => ({ name, type: "shell", config: { command } });
    const bench = [shell("wait", `until [ -e '${gate}' ]; do sleep 0.02; done`), ...steps.map((step) => ({ depends: ["wait"], ...step }))];
    const { env, perSend } = countSends();
    const server = await serve([{ id: "bench", steps: bench }, { id: "quiet", steps: [shell("sleep", "exec sleep 1000000")] }], { cores, env });
    const topic = `job:${await server.execute("bench")}`, quiet = `job:${await server.execute("quiet")}`;
    return { ...server, path: "/ws", v1: true, topic, quiet, perSend, go: () => closeSync(openSync(gate, "w")) };
}

/** A tailrace whose job writes lines of 170 bytes, at a rate when there is one. */
export function tailraceLines({ events, rate }) {
    return tailrace([{ name: "lines", type: "generator", config: { log_count: events, line_bytes: 170, ...(rate && { lines_per_second: rate }) } }]);
}

const sourceArguments = (o) => ["--events", o.events, "--rate", o.rate ?? 0, "--batch", o.batch ?? 1, "--line-bytes", 170].map(String);

async function peer(name, child, at = "/") {
    return { name, pid: child.pid, url: await listening(child), path: at, go: () => child.stdin.end(), stop: () => stop(child, "SIGKILL") };
}

export async function floor(o) {
    const args = ["--viewers", o.viewers, "--events", o.events, "--rate", o.rate ?? 0, "--turn-ms", o.turnMs ?? 16, "--span", o.span ?? 65536];
    const { env, perSend } = countSends();
    const child = start(SERVER_CORE, path.join(BUILD, "floor"), args.map(String), { env });
    // It ends by itself, and tells its count, when all viewers are gone.
    return { ...(await peer("floor", child)), perSend, stop: () => child.ended };
}

export function ws(o) {
    return peer("ws", start(SERVER_CORE, process.execPath, [path.join(PEERS, "ws.mjs"), ...sourceArguments(o)]));
}

let addon;
/** Null where its addon does not load. */
export function uws(o) {
    if (addon === undefined) addon = uwsAddon(BUILD);
    if (!addon) return null;
    return peer("uws", start(SERVER_CORE, process.execPath, [path.join(PEERS, "uws.mjs"), ...sourceArguments(o)], { env: { ...process.env, ...addon } }));
}

export async function freePort() {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address();
    probe.close();
    await once(probe, "close");
    return port;
}

export async function accepts(port) {
    const probe = connect(port, "127.0.0.1");
    const up = await once(probe, "connect").then(() => true, () => false);
    probe.destroy();
    return up;
}

const NCHAN = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/** Null where it is not installed. */
export async function nchan(o) {
    if (!existsSync(NCHAN)) return null;
    const home = mkdtempSync(path.join(scratch, "nchan-"));
    const port = await freePort(), url = `http://127.0.0.1:${port}`;
    const config = readFileSync(path.join(PEERS, "nchan.conf"), "utf8").replaceAll("PORT", port).replaceAll("MODULE", NCHAN);
    writeFileSync(path.join(home, "nginx.conf"), config);
    const child = start(SERVER_CORE, "/usr/sbin/nginx", ["-p", home, "-e", "stderr", "-c", path.join(home, "nginx.conf")]);
    while (child.exitCode === null && !(await accepts(port)));
    let publisher;
    return {
        name: "nchan", pid: child.pid, url, path: "/viewer",
        go: () => (publisher = start(CLIENT_CORE, process.execPath, [path.join(PEERS, "publish.mjs"), ...sourceArguments(o), "--url", `${url}/publish`])),
        stop: async () => {
            if (publisher && running.has(publisher)) await stop(publisher, "SIGKILL");
            await stop(child, "SIGKILL");
        },
    };
}

// ---- clients ----

/** Viewers of a server: {ready} when all are there, {result} when all have finished or end() was called. */
export function load(server, o) {
    const { host } = new URL(server.url);
    const args = ["--viewers", o.viewers, "--timeout", o.timeout ?? 120, "--skip-ms", o.skipMs ?? 0, "--stalled", o.stalled ?? 0];
    if (server.v1) args.push("--v1", "--topic", o.topic ?? server.topic, "--since", o.since ?? "0");
    else args.push("--events", o.events);
    if (o.deflate) args.push("--deflate");
    const child = start(CLIENT_CORE, path.join(BUILD, "load"), [...args, host, server.path].map(String));
    const line = async () => {
        const { value, done } = await child.lines.next();
        if (!done) return JSON.parse(value);
        await child.ended;
        throw Object.assign(new Error("load ended early"), { code: child.exitCode === 3 ? "NO_DEFLATE" : "" });
    };
    const ready = line(), result = ready.then(line);
    result.catch(() => {}); // it is told to who waits for it
    return { ready, result, end: () => child.stdin.end(), ended: child.ended };
}

/**
 * One case: viewers come, the source goes. The figures are those of load, the server's CPU seconds, bytes per
 * send, and whether all was as it must be (`clean`); with mayLag it need not be finished in time.
 */
export async function measure(server, o) {
    let result;
    try {
        const viewers = load(server, o);
        await viewers.ready;
        const before = cpu(server.pid);
        server.go();
        result = await viewers.result;
        result.cpu_s = cpu(server.pid) - before;
        await viewers.ended;
        const { complete, violations } = result;
        result.clean = (complete || Boolean(o.mayLag)) && Object.values(violations).every((n) => n === 0);
        if (!result.clean) console.error(`${server.name}: ${JSON.stringify({ complete, ...violations, first: result.first })}`);
        return result;
    } finally {
        await server.stop();
        if (result) result.per_send = server.perSend?.();
    }
}

/** Runs the cases that are wanted, on the clients' core, and cleans up after them. */
export async function runCases(cases, wanted) {
    for (const name of wanted) if (!cases[name]) throw new Error(`there is no case "${name}": ${Object.keys(cases).join(", ")}`);
    useClientCore();
    try {
        for (const name of wanted) await cases[name]();
    } finally {
        cleanUp();
    }
}

export function median(list) {
    return list.slice().sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

export const fixed = (n, digits) => (Number.isFinite(n) ? n.toFixed(digits) : "–");

export function table(head, rows) {
    console.log(`| ${head.join(" | ")} |\n|${head.map(() => "---|").join("")}`);
    for (const row of rows) console.log(`| ${row.join(" | ")} |`);
    console.log();
}
