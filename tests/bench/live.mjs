// Live delivery measured side by side: tailrace with its storage, peers without any, and the floor.
// Usage: node tests/bench/live.mjs [fanout|aims|idle|stalled|deflate|crowd ...] [--quick] [--rounds N]
// Every byte that any viewer gets is checked (load.c, check.c). Figures are medians of the rounds; in each
// round all servers have their turn. docs/benchmarks.md tells the method.
import { parseArgs } from "node:util";
import { fixed, floor, load, measure, median, memory, nchan, runCases, table, tailrace, tailraceLines, uws, ws } from "./rig.mjs";

const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean" }, rounds: { type: "string" } },
});
const ROUNDS = Number(flags.rounds ?? (flags.quick ? 1 : 3));
const SECONDS = flags.quick ? 2 : 6; // of a case with a rate; the first is left out of latencies
const SKIP_MS = 1000;
let unclean = 0;

const millions = (n) => fixed(n / 1e6, 2);

/** The medians of what `keys` name, over the rounds' figures; `all`: the figures themselves. */
function summary(all) {
    const keys = ["per_second", "p50_ms", "p99_ms", "max_ms", "cpu_s", "client_cpu_s", "delivered", "bytes", "messages", "per_send"];
    return { ...Object.fromEntries(keys.map((key) => [key, median(all.map((r) => r[key]))])),
        per_cpu: median(all.map((r) => r.delivered / r.cpu_s)), complete: all.every((r) => r.complete), all };
}

/** Runs {name: () => server or null} in turn, ROUNDS times: {name: summary}, null where there is no server. */
async function rounds(cases) {
    const results = {};
    for (let round = 0; round < ROUNDS; round++)
        for (const [name, run] of Object.entries(cases)) {
            const result = await run(results);
            if (!result) continue;
            if (!result.clean) unclean++;
            (results[name] ??= []).push(result);
        }
    return Object.fromEntries(Object.keys(cases).map((name) => [name, results[name] ? summary(results[name]) : null]));
}

async function run(make, o) {
    const server = await make(o);
    return server && measure(server, { skipMs: o.rate ? SKIP_MS : 0, timeout: o.rate ? SECONDS + 4 : 120, ...o });
}

// ---- fan-out ----

const FLOOR = "the floor, as much per send";
const ABSENT = "does not run here";

/** As many events as take a few seconds when so many are delivered in a second; not more than the cap. */
const enough = (perSecond, viewers, cap) => Math.max(100, Math.min(cap, Math.round((perSecond * (flags.quick ? 0.5 : 3)) / viewers)));

async function burst(viewers) {
    const many = enough(4e6, viewers, flags.quick ? 50000 : 400000);
    const spanOf = (results) => Math.round(results.tailrace.at(-1).per_send);
    const figures = await rounds({
        tailrace: () => run(tailraceLines, { viewers, events: many }),
        [FLOOR]: (results) => run(floor, { viewers, events: many, span: spanOf(results) }),
        "the floor, 256 KiB": () => run(floor, { viewers, events: many, span: 262144 }),
        "uWebSockets": () => run(uws, { viewers, events: enough(1.8e6, viewers, 100000) }),
        "uWebSockets, 64 a message": () => run(uws, { viewers, events: many, batch: 64 }),
        "nchan": () => run(nchan, { viewers, events: enough(1e5, viewers, 5000) }),
        "nchan, 64 a message": () => run(nchan, { viewers, events: enough(4e6, viewers, 100000), batch: 64 }),
        "ws": () => run(ws, { viewers, events: enough(1e5, viewers, 50000) }),
        "ws, 64 a message": () => run(ws, { viewers, events: enough(3e6, viewers, 100000), batch: 64 }),
    });
    console.log(`Burst, ${viewers} viewer${viewers > 1 ? "s" : ""}:\n`);
    const ours = figures.tailrace;
    table(["server", "million events/s", "tailrace is", "million per CPU second", "tailrace is", "bytes/message", "bytes/send",
        "client busy, %"],
        Object.entries(figures).map(([name, f]) => f
            ? [name, millions(f.per_second), `${fixed(ours.per_second / f.per_second, 2)} ×`, millions(f.per_cpu), `${fixed(ours.per_cpu / f.per_cpu, 2)} ×`,
                fixed(f.bytes / f.messages, 0), fixed(f.per_send, 0), fixed((100 * f.client_cpu_s * f.per_second) / f.delivered, 0)]
            : [name, ABSENT, "", "", "", "", "", ""]));
    return figures;
}

async function steady(viewers, rate) {
    const o = { viewers, rate, events: rate * SECONDS, mayLag: true };
    const figures = await rounds({
        tailrace: () => run(tailraceLines, o),
        "the floor, every 5 ms": () => run(floor, { ...o, turnMs: 5 }),
        "uWebSockets": () => run(uws, o),
        "nchan": () => run(nchan, o),
        "ws": () => run(ws, o),
    });
    console.log(`${rate} events/s, ${viewers} viewer${viewers > 1 ? "s" : ""}, ${SECONDS} s:\n`);
    table(["server", "events/s for each", "p50 ms", "p99 ms", "max ms", "server CPU, % of a core", "messages for each"],
        Object.entries(figures).map(([name, f]) => {
            if (!f) return [name, ABSENT, "", "", "", "", ""];
            const seconds = f.delivered / f.per_second;
            const latency = f.complete ? [f.p50_ms, f.p99_ms, f.max_ms].map((ms) => fixed(ms, 2)) : ["does not keep up", "", ""];
            return [name, fixed(f.per_second / viewers, 0), ...latency, fixed((100 * f.cpu_s) / seconds, 1), fixed(f.messages / viewers, 0)];
        }));
    return figures;
}

/** What was reached of what was aimed at. */
function held({ bursts, at1000, at5000 }) {
    const ours = bursts.tailrace, rows = [];
    const least = { uWebSockets: "1.5", "uWebSockets, 64 a message": "1.2", nchan: "30", "nchan, 64 a message": "1.5", [FLOOR]: "0.7" };
    for (const [name, aim] of Object.entries(least)) {
        const f = bursts[name];
        if (f) rows.push([`delivered to 1,000 viewers, of ${name}`, fixed(ours.per_second / f.per_second, 2), fixed(ours.per_cpu / f.per_cpu, 2), `≥ ${aim}`]);
    }
    const peer = at1000.uWebSockets;
    if (peer) {
        rows.push(["100 viewers at 1,000 events/s: p50 ms, behind uWebSockets", fixed(at1000.tailrace.p50_ms - peer.p50_ms, 2), "", "≤ 1"]);
        rows.push(["… p99 ms", fixed(at1000.tailrace.p99_ms - peer.p99_ms, 2), "", "≤ 3"]);
        rows.push(["100 viewers at 5,000 events/s: CPU, of uWebSockets'", fixed(at5000.tailrace.cpu_s / at5000.uWebSockets.cpu_s, 2), "", "≤ 0.5"]);
    }
    console.log("Against the aims:\n");
    table(["measure", "reached", "by CPU second", "aim"], rows);
}

async function fanout() {
    console.log("### Fan-out\n");
    const seen = {};
    for (const viewers of [1, 100, 1000]) {
        seen[viewers] = { bursts: await burst(viewers) };
        for (const rate of [1000, 5000]) seen[viewers][`at${rate}`] = await steady(viewers, rate);
    }
    held({ ...seen[100], bursts: seen[1000].bursts });
}

/** Of fan-out, only what there is an aim for. */
async function aims() {
    const bursts = await burst(1000);
    held({ bursts, at1000: await steady(100, 1000), at5000: await steady(100, 5000) });
}

// ---- what idle viewers cost ----

const IDLE = flags.quick ? 1000 : 10000;

/**
 * Bytes of the server's own memory for each viewer that is connected and gets nothing: of all, and of the
 * last nine tenths, without what the first ones leave behind (memory of many handshakes at once, kept for more).
 */
async function idleBytes(make) {
    const server = await make({ viewers: IDLE, events: 1 });
    if (!server) return null;
    const crowds = [];
    const come = async (viewers) => {
        crowds.push(load(server, { viewers, events: 1, topic: server.quiet, since: "now", timeout: 600 }));
        await crowds.at(-1).ready;
        return memory(server.pid);
    };
    try {
        const none = memory(server.pid);
        const few = await come(IDLE / 10);
        const all = await come((IDLE / 10) * 9);
        for (const crowd of crowds) {
            crowd.end();
            const { violations } = await crowd.result;
            if (violations.closed) throw new Error(`${violations.closed} idle viewers were closed`);
        }
        return { each: (all - none) / IDLE, last: (all - few) / ((IDLE / 10) * 9) };
    } finally {
        await server.stop();
    }
}

async function idle() {
    console.log(`### Memory of an idle viewer\n\n${IDLE} of them:\n`);
    const rows = [];
    for (const [name, make] of Object.entries({ tailrace: tailraceLines, uWebSockets: uws, nchan, ws })) {
        const all = [];
        for (let round = 0; round < ROUNDS; round++) all.push(await idleBytes(make));
        rows.push(all[0] ? [name, fixed(median(all.map((r) => r.each)), 0), fixed(median(all.map((r) => r.last)), 0)] : [name, ABSENT, ""]);
    }
    table(["server", "bytes for each", "for each after the first tenth"], rows);
}

// ---- one that stalls ----

async function stalled() {
    const o = { viewers: 100, rate: 5000, events: 5000 * (flags.quick ? 5 : 10), timeout: 60 };
    const grow = (stalls) => async () => {
        const server = await tailraceLines(o);
        const before = memory(server.pid);
        let most = 0;
        const timer = setInterval(() => (most = Math.max(most, memory(server.pid) - before)), 200);
        const stop = server.stop;
        server.stop = () => (clearInterval(timer), stop());
        return { ...(await measure(server, { ...o, skipMs: SKIP_MS, stalled: stalls })), most };
    };
    const figures = await rounds({ "100 viewers": grow(0), "one of them stalled": grow(1) });
    console.log("### One stalled viewer among 100, 5,000 events/s\n");
    table(["", "p50 ms of the others", "p99 ms", "server's memory grows by MiB", "server CPU s", "complete, in order"],
        Object.entries(figures).map(([name, f]) => [name, fixed(f.p50_ms, 2), fixed(f.p99_ms, 2), fixed(median(f.all.map((r) => r.most)) / 1048576, 1),
            fixed(f.cpu_s, 2), f.all.every((r) => r.clean) ? "all" : "NO"]));
}

// ---- deflate ----

async function deflate() {
    const o = { viewers: 100, rate: 5000, events: 5000 * SECONDS };
    console.log("### permessage-deflate, 100 viewers, 5,000 events/s\n");
    const offer = () => run(tailraceLines, { ...o, deflate: true }).catch((error) => {
        if (error.code !== "NO_DEFLATE") throw error;
        return null;
    });
    const figures = await rounds({ plain: () => run(tailraceLines, o), deflate: offer });
    const bytes = (f) => f.bytes / f.delivered;
    table(["", "server CPU s", "of plain", "bytes/event", "of plain", "p50 ms", "p99 ms"],
        Object.entries(figures).map(([name, f]) => f
            ? [name, fixed(f.cpu_s, 2), fixed(f.cpu_s / figures.plain.cpu_s, 2), fixed(bytes(f), 0), fixed(bytes(f) / bytes(figures.plain), 2), fixed(f.p50_ms, 2), fixed(f.p99_ms, 2)]
            : [name, "not offered by this version", "", "", "", "", ""]));
}

// ---- a crowd that is idle ----

async function crowd() {
    const o = { viewers: 100, rate: 5000, events: 5000 * SECONDS };
    const among = (idlers) => async () => {
        const server = await tailraceLines(o);
        const crowd = idlers && load(server, { viewers: idlers, topic: server.quiet, since: "now", timeout: 600 });
        if (crowd) await crowd.ready;
        return measure(server, { ...o, skipMs: SKIP_MS });
    };
    const figures = await rounds({ "100 active": among(0), [`and ${IDLE} idle`]: among(IDLE) });
    console.log(`### 100 active viewers at 5,000 events/s, alone and with ${IDLE} idle ones\n`);
    table(["", "p50 ms", "p99 ms", "server CPU s"],
        Object.entries(figures).map(([name, f]) => [name, fixed(f.p50_ms, 2), fixed(f.p99_ms, 2), fixed(f.cpu_s, 2)]));
}

const cases = { fanout, aims, idle, stalled, deflate, crowd };
await runCases(cases, positionals.length ? positionals : Object.keys(cases).filter((name) => name !== "aims"));
if (unclean) {
    console.error(`${unclean} runs were not complete and in order: see above`);
    process.exitCode = 1;
}
