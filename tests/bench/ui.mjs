// The pages measured in Chromium, each figure beside its goal.
// Usage: node tests/bench/ui.mjs [follow|phone|latency|open|jump|search|queue|cuts|hour ...] [--quick]
//
// The real server, a real shell step that writes (talk.c), Debian's Chromium, headless and without a
// GPU; server and browser share the two cores. Nothing is left out: a frame's time is from one
// requestAnimationFrame to the next, the CPU that of the whole renderer process. Frame figures are
// medians of five windows. docs/benchmarks.md tells more.
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BINARY, serve } from "../api/server.mjs";
import { launch } from "../browser/browser.mjs";
import { dice } from "../faults/soak.mjs";
import { Scope } from "../faults/stage.mjs";
import { ROOT, cleanUp, fixed, median, table } from "./rig.mjs";

const { values: flags, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: "boolean" } } });
const WINDOWS = flags.quick ? 2 : 5, WINDOW_MS = flags.quick ? 2000 : 5000;
const MILLION = 1000000, NEEDLE = 9973; // as in talk.c
const FRAME_MS = 1000 / 60;
const DESKTOP = { width: 1280, height: 800 }, PHONE = { width: 390, height: 844 };
const TALK = path.join(path.dirname(BINARY), "talk");

const talk = (id, ...args) => ({ [`${id}.json`]: JSON.stringify({ id, name: id, steps: [{ name: "talk", type: "shell", config: { command: `exec '${TALK}' ${args.join(" ")}` } }] }) });
const definitions = {
    ...talk("much", MILLION, 0),
    ...talk("million", MILLION, 10000),
    ...talk("slow", 0, 20),
    ...talk("steady", MILLION, 1000),
    // A task ends, and is counted, every 200 ms, for a minute.
    "busy.json": JSON.stringify({ id: "busy", name: "Busy", steps: [{ name: "work", type: "generator",
        config: { worker_count: 300, log_count: 1, log_delay_ms: 200, concurrency: 1 } }] }),
};

const ranked = (list, share) => list.slice().sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];
const ms = (n) => fixed(n, n < 10 ? 1 : 0) + " ms";
const megabytes = (bytes) => fixed(bytes / 1e6, 1) + " MB";
const percent = (share) => fixed(100 * share, 1) + " %";
const rows = []; // [what, goal, measured]

/* ---- pages ---- */

// A browser of its own with one page in it. options: those of a context; slower: the CPU, so many times.
async function open(scope, address, { slower, prepare, argument, ...options }) {
    const browser = await launch();
    scope.after(() => browser.close());
    const context = await browser.newContext(options);
    const reader = await context.newPage();
    reader.cdp = await context.newCDPSession(reader);
    reader.system = await browser.newBrowserCDPSession();
    await reader.addInitScript(watchRows);
    if (prepare) await reader.addInitScript(prepare, argument);
    await reader.goto(address, { waitUntil: "commit" });
    await reader.waitForFunction(() => window.lastRow?.() > 0 || document.querySelector(".card-title"));
    if (slower) await reader.cdp.send("Emulation.setCPUThrottlingRate", { rate: slower });
    return reader;
}

// Runs in the page: what its log shows last, and a wait for the frame in which something is painted.
function watchRows() {
    window.theLog = () => document.querySelector("main tailrace-log.full");
    window.lastRow = () => {
        const stream = window.theLog()?.querySelector(".log-stream");
        if (stream && !stream.hidden) {
            const text = stream.textContent;
            return parseInt(text.slice(text.lastIndexOf("\n", text.length - 2) + 1), 10) || 0;
        }
        const row = [...(window.theLog()?.querySelectorAll(".tree-log-line") ?? [])].at(-1);
        return row?.querySelector(".tree-log-text").textContent ? Number(row.dataset.line) : 0;
    };
    // After the next frame was painted.
    const { port1, port2 } = new MessageChannel();
    const after = [];
    port1.onmessage = () => after.splice(0).forEach((run) => run());
    window.afterFrame = (run) => requestAnimationFrame(() => (after.push(run), port2.postMessage(0)));
    window.paintedWhen = (isThere) =>
        new Promise((resolve) => {
            const look = () => (isThere() ? resolve(performance.now()) : window.afterFrame(look));
            window.afterFrame(look);
        });
}

const follows = (reader) => reader.waitForFunction(() => window.theLog()?.follow && window.lastRow() > 0);

// Times of frames over so many ms.
const framesOf = (reader, most) =>
    reader.evaluate((most) => new Promise((resolve) => {
        const times = [];
        const end = performance.now() + most;
        let last = null;
        const tick = (now) => {
            if (last !== null) times.push(now - last);
            last = now;
            if (performance.now() < end) requestAnimationFrame(tick);
            else resolve(times);
        };
        requestAnimationFrame(tick);
    }), most);

// CPU seconds so far: of the renderer with the page in it, and of all of the browser.
async function cpuOf(reader) {
    const { processInfo } = await reader.system.send("SystemInfo.getProcessInfo");
    const sum = (list) => list.reduce((total, { cpuTime }) => total + cpuTime, 0);
    return [sum(processInfo.filter(({ type }) => type === "renderer")), sum(processInfo)];
}

async function heapOf(reader) {
    await reader.cdp.send("HeapProfiler.collectGarbage");
    return (await reader.cdp.send("Runtime.getHeapUsage")).usedSize;
}

// The medians of the windows: {p99, dropped, renderer, browser}.
async function windows(reader) {
    await framesOf(reader, 1000); // it has just been opened
    const all = [];
    for (let i = 0; i < WINDOWS; i++) {
        const [before, began] = [await cpuOf(reader), performance.now()];
        const times = await framesOf(reader, WINDOW_MS);
        const seconds = (performance.now() - began) / 1000;
        const [renderer, browser] = (await cpuOf(reader)).map((s, k) => (s - before[k]) / seconds);
        const due = times.map((time) => Math.max(1, Math.round(time / FRAME_MS)));
        const whole = due.reduce((a, b) => a + b, 0);
        all.push({ p99: ranked(times, 0.99), dropped: (whole - times.length) / whole, renderer, browser });
    }
    return Object.fromEntries(Object.keys(all[0]).map((key) => [key, median(all.map((each) => each[key]))]));
}

/* ---- servers ---- */

const all = new Scope(); // what lasts as long as the run
let shared = null; // {server, done, running}

// One server with a job of a million lines that has ended, and one that goes on at 10,000/s.
async function million() {
    if (shared) return shared;
    const server = await serve(all, { definitions });
    const done = await server.execute("much");
    await server.events(`job:${done}?min=error`, await server.beginning());
    shared = { server, done, at: (job) => `${server.url}/jobs/${job}` };
    return shared;
}

async function running() {
    const it = await million();
    it.running ??= await it.server.execute("million");
    for (;;) {
        const { body } = await it.server.get(`/api/jobs/${it.running}/status`);
        if (body.total_logs > MILLION) return it;
        await pause(100);
    }
}

async function quiet() {
    if (!shared?.running) return;
    await shared.server.post(`/api/jobs/${shared.running}/cancel`);
    shared.running = null;
}

/* ---- cases ---- */

async function follow(scope) {
    const { at, running: job } = await running();
    const reader = await open(scope, at(job), { viewport: DESKTOP });
    await follows(reader);
    const heap = await heapOf(reader), began = performance.now();
    const { p99, dropped, renderer, browser } = await windows(reader);
    rows.push(["a million lines + 10,000/s, following: frame p99", "≤ 20 ms", ms(p99)],
        ["… frames dropped", "≤ 0.5 %", percent(dropped)],
        ["… CPU of the renderer (of all of Chromium), of a core", "≤ 30 %", `${percent(renderer)} (${percent(browser)})`]);
    const later = await heapOf(reader), seconds = (performance.now() - began) / 1000;
    rows.push(["heap of the page at a million lines", "≤ 15 MB", megabytes(heap)],
        [`… ${fixed(seconds, 0)} s later`, "flat", megabytes(later)]);
}

async function phone(scope) {
    const { at, running: job } = await running();
    const reader = await open(scope, at(job), { viewport: PHONE, deviceScaleFactor: 2, isMobile: true, hasTouch: true, slower: 4 });
    await follows(reader);
    const { p99, dropped } = await windows(reader);
    rows.push(["the same, of a phone's size, CPU slowed 4×: frame p99", "≤ 34 ms", ms(p99)], ["… frames dropped", "", percent(dropped)]);
}

// Runs in the page: ms from a message with lines until the last of them, or a later one, is painted.
function watchPaint() {
    window.samples = [];
    const waiting = [];
    const look = () => {
        const [shown, now] = [window.lastRow(), performance.now()];
        while (waiting.length && waiting[0].line <= shown) window.samples.push(now - waiting.shift().at);
        if (waiting.length) window.afterFrame(look);
    };
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
        constructor(...args) {
            super(...args);
            this.addEventListener("message", ({ data }) => {
                const at = data.lastIndexOf('"line":');
                if (at < 0) return;
                waiting.push({ line: parseInt(data.slice(at + 7, at + 27), 10), at: performance.now() });
                if (waiting.length === 1) window.afterFrame(look);
            });
        }
    };
}

async function latencyOf(scope, address) {
    const reader = await open(scope, address, { viewport: DESKTOP, prepare: watchPaint });
    await follows(reader);
    await framesOf(reader, 1500);
    const samples = await reader.evaluate((most) => ((window.samples.length = 0), new Promise((resolve) => setTimeout(() => resolve(window.samples), most))), 2 * WINDOW_MS);
    await reader.context().browser().close();
    return `${ms(ranked(samples, 0.5))} / ${ms(ranked(samples, 0.99))}`;
}

async function latency(scope) {
    const { server, at, running: job } = await running();
    rows.push(["message → painted, p50 / p99, at 10,000 lines/s", "≤ 20 / 50 ms", await latencyOf(scope, at(job))]);
    await quiet();
    const slow = await server.execute("slow");
    rows.push(["… at 20 lines/s", "≤ 20 / 50 ms", await latencyOf(scope, at(slow))]);
    await server.post(`/api/jobs/${slow}/cancel`);
}

// ms from the click on a link until the first line of the log is painted, each time in a new browser.
async function firstLines(scope, address) {
    const times = [];
    for (let i = 0; i < WINDOWS; i++) {
        const reader = await open(scope, address, { viewport: DESKTOP, prepare: () => (window.first = window.paintedWhen(() => window.lastRow() > 0)) });
        times.push(await reader.evaluate(() => window.first));
        await reader.context().browser().close();
    }
    return times;
}

async function opening(scope) {
    const { at, done } = await million();
    const ended = await firstLines(scope, at(done));
    const { running: job } = await running();
    const live = await firstLines(scope, at(job));
    rows.push(["open a job of a million lines → first line painted", "≤ 300 ms", ms(median(ended))],
        ["… while it writes 10,000/s", "≤ 300 ms", ms(median(live))]);
}

async function jump(scope) {
    await quiet();
    const { at, done } = await million();
    const reader = await open(scope, at(done), { viewport: DESKTOP });
    const random = dice(1);
    const times = await reader.evaluate(async (lines) => {
        const times = [];
        for (const line of lines) {
            const began = performance.now();
            window.theLog().goto(line);
            const end = await window.paintedWhen(() => {
                const row = window.theLog().querySelector(`.tree-log-line[data-line="${line}"]`);
                return row && row.querySelector(".tree-log-text").textContent;
            });
            times.push(end - began);
        }
        return times;
    }, Array.from({ length: flags.quick ? 20 : 100 }, () => 1 + random(MILLION)));
    rows.push(["jump to any line, p95", "≤ 60 ms", ms(ranked(times, 0.95))]);
}

async function search(scope) {
    await quiet();
    const { at, done } = await million();
    const reader = await open(scope, at(done), { viewport: DESKTOP });
    const ask = (q) => reader.evaluate((q) => new Promise((resolve) => {
        const log = window.theLog();
        const began = performance.now();
        let first = 0;
        log.addEventListener("loghits", function hits({ detail: { count, complete } }) {
            if (count) first ||= performance.now() - began;
            if (!complete || !log.query) return;
            log.removeEventListener("loghits", hits);
            resolve({ first, all: performance.now() - began, count });
        });
        log.query = { q };
    }), q);
    const firsts = [], alls = [];
    for (const q of ["needle", "articles/77/", "9473 bytes", "in 133 ms", "ffff"].slice(0, WINDOWS)) {
        const { first, all, count } = await ask(q);
        if (q === "needle" && count !== Math.floor(MILLION / NEEDLE)) throw new Error(`${count} hits`);
        firsts.push(first);
        alls.push(all);
        await reader.evaluate(() => (window.theLog().query = null));
    }
    rows.push(["search a million lines: first hit", "≤ 100 ms", ms(median(firsts))], ["… exact count", "≤ 400 ms", ms(median(alls))]);
}

const JOBS = 1000;

async function queue(scope) {
    const server = await serve(scope, { definitions });
    for (let i = 0; i < JOBS; i += 20) await Promise.all(Array.from({ length: 20 }, () => server.execute("busy")));
    const reader = await open(scope, server.url + "/queue", { viewport: DESKTOP, prepare: watchUpdates });
    await framesOf(reader, 2000);
    const before = await reader.evaluate(() => [window.updates, performance.now()]);
    const { p99, dropped, renderer } = await windows(reader);
    const after = await reader.evaluate(() => [window.updates, performance.now()]);
    const rate = ((after[0] - before[0]) * 1000) / (after[1] - before[1]);
    rows.push([`1,000 running jobs × 5 updates/s on the queue page (${fixed(rate, 0)}/s came): frame p99`, "≤ 20 ms", ms(p99)],
        ["… frames dropped, CPU of the renderer", "", `${percent(dropped)}, ${percent(renderer)}`]);
}

// Runs in the page: counts progress that comes in.
function watchUpdates() {
    window.updates = 0;
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
        constructor(...args) {
            super(...args);
            this.addEventListener("message", ({ data }) => (window.updates += data.split('"type":"step_progress"').length - 1));
        }
    };
}

// The test, in its long form.
async function cuts() {
    const times = flags.quick ? 25 : 1000;
    const child = spawn(process.execPath, ["--test", "--test-reporter=tap", "tests/browser/disconnects.test.mjs"],
        { cwd: ROOT, env: { ...process.env, DISCONNECTS: times }, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (text) => (said += text));
    const [code] = await once(child, "close");
    if (code) console.error(said);
    const about = /^# (.* lines over .*)$/m.exec(said)?.[1] ?? "";
    rows.push(["forced disconnects at 10,000 lines/s: lost, doubled, reordered lines", "0 of 1,000", code ? "NOT 0" : `0 of ${times.toLocaleString("en-US")} (${about})`]);
}

const MINUTES = flags.quick ? 2 : 60;

// The heap of a page that follows 1,000 lines/s, once a minute.
async function hour(scope) {
    const { server, at } = await million();
    const job = await server.execute("steady");
    const reader = await open(scope, at(job), { viewport: DESKTOP });
    await follows(reader);
    const heaps = [];
    for (let i = 0; i < MINUTES; i++) {
        await pause(60000);
        heaps.push(await heapOf(reader));
    }
    const quarter = Math.ceil(MINUTES / 4);
    rows.push([`heap of a page that follows 1,000 lines/s for ${MINUTES} minutes: first quarter → last (most)`, "≤ 15 MB, flat",
        `${megabytes(median(heaps.slice(0, quarter)))} → ${megabytes(median(heaps.slice(-quarter)))} (${megabytes(Math.max(...heaps))})`]);
}

const cases = { follow, phone, latency, open: opening, jump, search, queue, cuts, hour };
const wanted = positionals.length ? positionals : Object.keys(cases);
for (const name of wanted) if (!cases[name]) throw new Error(`there is no case "${name}": ${Object.keys(cases).join(", ")}`);
try {
    for (const name of wanted) {
        const scope = new Scope();
        const began = performance.now();
        await cases[name](scope).finally(() => scope.end());
        console.error(`${name}: ${fixed((performance.now() - began) / 1000, 0)} s`);
    }
    table(["", "goal", "measured"], rows);
} finally {
    await all.end();
    cleanUp();
}
