// soak.mjs: two long proofs on the real program, run by tools/soak and, in a short form, by the tests.
//
// killLoops: jobs run and viewers of all transports watch, while the server is killed again and again
// at random moments. Every so many kills the job may end, and the judge compares what everybody was
// told with the store.
//
// steady: one server that lives, jobs that come, end and are deleted, viewers that come, are cut, stall
// and go. The judge looks at every job, and the server's memory has to stay flat.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { folder } from "../api/server.mjs";
import { Scope, Stage } from "./stage.mjs";

// The script goes on until its file is there, whatever happens to servers; the generator makes tasks
// that end, so that restarts find all kinds of tasks.
const definition = ({ tasks, lines, delay }) => `id: soak
name: Soak
parameters: { until: }
steps:
  - name: make
    type: generator
    config: { worker_count: ${tasks}, log_count: ${lines}, log_delay_ms: ${delay}, concurrency: 4 }
  - name: script
    type: shell
    config: { command: "n=0; while [ ! -e $PARAM_UNTIL ]; do n=$((n + 1)); echo line $n; [ $((n % 8)) = 0 ] && sleep 0.01; done; echo over" }
  - name: after
    type: shell
    depends: [make, script]
    config: { command: "echo one; echo two >&2; echo three" }
`;

// A generator of numbers below n: the same ones for the same seed.
export function dice(seed) {
    let state = seed >>> 0;
    return (n) => {
        state = (state + 0x6d2b79f5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
}

// What the judge found, added up.
class Summary {
    counts = { events: 0, deliveries: 0, connections: 0, resets: 0, lost: 0, doubled: 0, reordered: 0, uncaused: 0, other: 0 };
    found = [];
    memory = []; // {at, bytes}

    add(report) {
        const kinds = { "no gap": "lost", unique: "doubled", ordered: "reordered", bookmark: "reordered", reset: "uncaused" };
        this.counts.events += report.events;
        this.counts.deliveries += report.deliveries;
        this.counts.resets += report.resets;
        this.counts.connections += report.connections;
        for (const violation of report.found) this.counts[kinds[violation.invariant] ?? "other"] += 1;
        this.found.push(...report.found);
    }

    sample(bytes) {
        this.memory.push({ at: performance.now(), bytes });
    }

    // The middle of what was sampled in a part of the time, as of [0.25, 0.5].
    median(from, to) {
        const { memory } = this;
        const part = memory.slice(Math.floor(from * memory.length), Math.ceil(to * memory.length));
        return part.map(({ bytes }) => bytes).sort((a, b) => a - b)[part.length >> 1];
    }

    // Less than a twentieth more in the last quarter than in the second one.
    get isFlat() {
        return this.median(0.75, 1) <= this.median(0.25, 0.5) * 1.05;
    }

    toString() {
        const { events, deliveries, connections, resets, lost, doubled, reordered, uncaused, other } = this.counts;
        const mib = (bytes) => `${(bytes / 1048576).toFixed(1)} MiB`;
        const memory = this.memory.length
            ? `memory ${mib(this.memory[0].bytes)} at first, ${mib(this.median(0.25, 0.5))} in the second quarter, ${mib(this.median(0.75, 1))} in the last`
            : "memory not sampled";
        return `${events} events, ${deliveries} deliveries over ${connections} connections: ${lost} lost, ${doubled} doubled, ` +
            `${reordered} reordered, ${resets} resets, ${uncaused} of them without a cause, ${other} other violations; ${memory}`;
    }
}

/* ---- kill loops ---- */

const STRIKES = [
    ["SIGKILL", 70],
    ["SIGTERM", 12],
    ["SIGSTOP", 10],
    ["cut", 8],
];

function pick(random) {
    let left = random(100);
    return STRIKES.find(([, share]) => (left -= share) < 0)[0];
}

// What happens to the server at a random moment; afterwards there is one.
async function strike(stage, random) {
    const what = pick(random);
    await pause(random(200)); // a moment of no meaning: this is the chance that is tested
    if (what === "cut") return stage.proxy.cut();
    if (what === "SIGSTOP") {
        process.kill(stage.server.pid, "SIGSTOP");
        await pause(random(50));
        if (random(2)) return process.kill(stage.server.pid, "SIGCONT");
    }
    await stage.restart(what === "SIGTERM" ? what : "SIGKILL");
}

// options: loops, seed, each (kills before the judge looks), minutes, progress(text), env
export async function killLoops(t, options) {
    const { loops, seed, each = 20, minutes = Infinity, progress = () => {}, env } = options;
    const random = dice(seed), summary = new Summary();
    const flags = await folder(t);
    const definitions = { "soak.yaml": definition({ tasks: 4 * each, lines: 60, delay: 1 }) };
    const stage = await Stage.open(t, { definitions, env });
    const until = performance.now() + 60000 * minutes;
    let last = null; // the job before this one, which is deleted while this one runs
    let done = 0;
    while (done < loops && performance.now() < until && !summary.found.length) {
        const flag = path.join(flags, String(done));
        const since = await stage.server.cursor();
        const job = await stage.server.execute("soak", { until: flag });
        stage.watch(job);
        stage.view("v1", { url: stage.proxy.url, topic: "job:" + job });
        for (const transport of ["v1", "sse", "poll"]) stage.view(transport, { topic: "jobs", since, only: job });
        for (let i = 0; i < each && done < loops; i++, done++) {
            const deleted = i === each >> 1 && last && stage.delete(last).catch(() => {}); // it may be struck
            await strike(stage, random);
            await deleted;
            progress(`${done + 1} of ${loops} loops, ${summary}`);
        }
        writeFileSync(flag, "");
        await stage.over(job);
        summary.sample(stage.rss());
        summary.add(await stage.examine([job]));
        last = job;
    }
    return { summary, loops: done };
}

/* ---- steady ---- */

const JOBS = 2; // at a time

// One job after the other, each with viewers of all transports, of which some have bad luck.
async function slot(t, stage, summary, { random, until, flags, progress }) {
    for (let n = 0; performance.now() < until && !summary.found.length; n++) {
        const flag = path.join(flags, `${random(1e9)}`);
        const since = await stage.server.cursor();
        const job = await stage.server.execute("soak", { until: flag });
        const unlucky = ["v1", "deflate", "sse", "poll"].map((transport) =>
            stage.view(transport, { url: stage.proxy.url, topic: "job:" + job }));
        const viewers = [...stage.watch(job), ...unlucky, stage.view("v1", { topic: "jobs", since, only: job })];
        for (let i = 0; i < 6; i++) {
            await pause(random(500));
            const viewer = unlucky[random(unlucky.length)];
            if (random(2)) viewer.cut();
            else viewer.stall();
        }
        writeFileSync(flag, "");
        await stage.over(job);
        unlucky.forEach((viewer) => viewer.goOn());
        summary.add(await stage.examine([job], { viewers }));
        await stage.delete(job);
        progress(`${summary}`);
    }
}

// options: seconds, seed, progress(text)
export async function steady(t, { seconds, seed, progress = () => {} }) {
    const random = dice(seed), summary = new Summary();
    const flags = await folder(t);
    const stage = await Stage.open(t, { definitions: { "soak.yaml": definition({ tasks: 20, lines: 100, delay: 2 }) } });
    const until = performance.now() + 1000 * seconds;
    const sampling = setInterval(() => summary.sample(stage.rss()), 1000);
    t.after(() => clearInterval(sampling));
    await Promise.all(Array.from({ length: JOBS }, () => slot(t, stage, summary, { random, until, flags, progress })));
    clearInterval(sampling);
    const { code } = await stage.kill("SIGTERM"); // a leak is told at a good end
    if (code !== 0) summary.found.push({ invariant: "end", who: "server", says: stage.complaints.join("\n") });
    return { summary };
}

/* ---- tools/soak ---- */

async function main() {
    const { LOOPS = 1000, SEED = Date.now() % 1000000, MINUTES, STEADY } = process.env;
    const terminal = process.stdout.isTTY;
    let told = 0;
    const progress = (text) => {
        if (!terminal && performance.now() - told < 10000) return;
        told = performance.now();
        process.stdout.write(terminal ? `\r\x1b[K${text.slice(0, process.stdout.columns - 1)}` : text + "\n");
    };
    const scope = new Scope();
    const begun = performance.now();
    console.log(`SEED=${SEED}`);
    try {
        const { summary, loops } = STEADY
            ? await steady(scope, { seconds: 60 * (MINUTES ?? 60), seed: Number(SEED), progress })
            : await killLoops(scope, { loops: Number(LOOPS), minutes: MINUTES && Number(MINUTES), seed: Number(SEED), progress });
        if (terminal) process.stdout.write("\r\x1b[K");
        for (const { invariant, who, says } of summary.found.slice(0, 20)) console.log(`${invariant}: ${who}: ${says}`);
        const seconds = Math.round((performance.now() - begun) / 1000);
        console.log(`${STEADY ? "steady" : `${loops} kill loops`}, ${seconds} s: ${summary}`);
        if (STEADY) console.log(summary.isFlat ? "memory is flat" : "memory grew");
        if (summary.found.length || (STEADY && !summary.isFlat)) process.exitCode = 1;
    } finally {
        await scope.end();
    }
}

if (import.meta.url === `file://${process.argv[1]}`) await main();
