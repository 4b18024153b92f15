// browser.mjs: Chromium as a reader uses it, and a way to say what it has painted.
//
//     const reader = await page(t, server, { width: 390 });     // /queue, open; or { path: "/jobs/…" }
//     await until(reader, (n) => document.querySelectorAll(".tree-log-line").length > n, 20);
//     const seen = await painted(reader);
//
// Nothing here waits for a time, but for the one thing that nobody says, of a page that follows many
// topics (see watchWire): until() asks again whenever the page has changed, and in each frame. CHROMIUM names another browser.

import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const NEWSROOM = process.env.NEWSROOM || path.join(ROOT, "build", "newsroom");
const PATIENCE = 20000; // ms; what has not come by then does not come

export const launch = () =>
    chromium.launch({
        executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
        args: [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ],
    });

let browser = null;
const shared = () => (browser ||= launch());

// A page with nothing in it, to calculate in.
export const blankPage = async () => (await shared()).newPage();

// To be called when a file's tests are over.
export const quit = async () => browser && (await browser).close();

// The news site of the examples: {url, pid}. Stopped when the test ends.
export async function newsroom(t, ...args) {
    const child = spawn(NEWSROOM, ["--listen", "127.0.0.1:0", ...args], {
        cwd: ROOT,
        stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "close");
    t.after(() => {
        child.kill("SIGCONT"); // a test that failed may have left it stopped
        child.kill("SIGTERM");
        return ended;
    });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    child.stdout.resume();
    return { url: line.match(/http:\S+/)[0], pid: child.pid };
}

// A reader of their own, with an empty profile, who has a page open: /queue, or options.path.
// Whatever the page complains about fails the test. Other options: width, height, dark, touch, context (for
// another page of the same reader), prepare(reader) before it is loaded, quiet (a pattern of
// complaints that are expected).
export async function page(t, server, options = {}) {
    const context = options.context || (await contextMake(t, options));
    const reader = await context.newPage();
    reader.complaints = [];
    const complain = (text) => {
        if (!options.quiet || !options.quiet.test(text)) reader.complaints.push(text);
    };
    reader.on("console", (m) => ["error", "warning"].includes(m.type()) && complain(m.text()));
    reader.on("pageerror", (error) => complain(String(error)));
    let loads = 0;
    reader.on("load", () => (loads += 1) > 1 && complain("the page was loaded again"));
    reader.on("dialog", (dialog) => complain("a dialog: " + dialog.message()));
    if (options.prepare) await options.prepare(reader);
    await reader.addInitScript(watchWire);
    await reader.addInitScript(watchLog);
    await reader.goto(server.url + (options.path || "/queue"));
    await until(reader, () => document.querySelector(".badge").dataset.state === "live");
    await frames(reader); // of a page that it has not painted the browser drops keys
    return reader;
}

async function contextMake(t, options) {
    const { width = 1280, height = 900 } = options;
    const context = await (
        await shared()
    ).newContext({
        viewport: { width, height },
        reducedMotion: "reduce",
        colorScheme: options.dark ? "dark" : "light",
        hasTouch: Boolean(options.touch),
        isMobile: Boolean(options.touch),
    });
    t.after(() => context.close());
    return context;
}

// Runs in the page: notes how far each topic has come on the wire, how many requests have no answer
// yet, and what was complained about before anybody listened. It only listens; what the page makes
// of it, is the page's. Of a topic that it leaves while it has no connection the page never says so:
// it just does not ask for it again on the next one. It asks for up to BURST at once when that opens;
// of more it is taken to have left the others when it has said nothing for a while.
function watchWire() {
    window.wire = {};
    window.wireSaid = {}; // what was said about each topic, for when it does not come
    window.flying = 0;
    const BURST = 8; // as in ui/live.js
    const QUIET_MS = 1500; // the page says something ten times a second, while it has something
    let newest = null;
    const note = (topic, what) =>
        (window.wireSaid[topic] ??= []).push(what + " " + Math.round(performance.now()));
    const native = window.fetch;
    window.fetch = (...args) => {
        window.flying += 1;
        const answered = native(...args);
        answered.catch(() => {}).then(() => (window.flying -= 1));
        return answered;
    };
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
        constructor(...args) {
            super(...args);
            this.asked = new Set();
            this.ops = 0;
            newest = this;
            this.addEventListener("open", () => setTimeout(() => this.ops < BURST && this.forget()));
            this.addEventListener("message", ({ data }) => {
                const { type, topic, to, as_of: asOf } = JSON.parse(data);
                const seq = to ?? asOf;
                if (topic) note(topic, type);
                // a frame may still come of a topic that was left
                if (topic in window.wire && seq !== undefined) window.wire[topic] = seq;
            });
        }

        send(text) {
            const { op, topic } = JSON.parse(text);
            this.ops += 1;
            note(topic, op);
            if (op === "sub") window.wire[topic] ??= -1;
            if (op === "sub") this.asked.add(topic);
            if (op === "unsub") delete window.wire[topic];
            super.send(text);
            clearTimeout(this.quiet);
            this.quiet = setTimeout(() => this.forget(), QUIET_MS);
        }

        forget() {
            if (this !== newest || this.readyState !== 1) return;
            for (const topic in window.wire) if (!this.asked.has(topic)) delete window.wire[topic];
        }
    };
    addEventListener("securitypolicyviolation", (e) =>
        console.error("blocked by the policy: " + e.violatedDirective + " " + e.blockedURI),
    );
}

// Runs in the page: logRows() gives the rows of the page's log that are in sight, [line, text],
// whichever way they are painted. A row that is not loaded yet has no text.
function watchLog() {
    const STREAMED = /^\s*(\d+)\s+(?:[\d:.]+\s+)?[A-Z]{3} +(?:\[\w*\]? *)?(.*)$/;
    window.logRows = () => {
        const log = document.querySelector("main tailrace-log.full");
        const stream = log?.querySelector(".log-stream");
        if (!log || !log.checkVisibility()) return [];
        if (stream.checkVisibility())
            return stream.textContent
                .trimEnd()
                .split("\n")
                .map((row) => STREAMED.exec(row) || [row, parseInt(row, 10), ""])
                .map(([, line, text]) => [Number(line), text]);
        const { top, bottom } = log.querySelector(".log-scroll").getBoundingClientRect();
        const isInSight = (el) => {
            const at = el.getBoundingClientRect();
            return at.bottom > top + 1 && at.top < bottom - 1;
        };
        return [...log.querySelectorAll(".tree-log-line")]
            .filter(isInSight)
            .map((el) => [
                Number(el.dataset.line),
                el.querySelector(".tree-log-text").textContent,
            ]);
    };
}

// The last row of the page's log, once it is that of a line after `line`. Asks for one row only, as it
// asks whenever something is painted.
export const rowAfter = (reader, line) =>
    until(
        reader,
        (line) => {
            const log = document.querySelector("main tailrace-log.full");
            const stream = log?.querySelector(".log-stream");
            if (!stream) return null;
            const text = stream.textContent;
            const last = stream.hidden
                ? [...log.querySelectorAll(".tree-log-line")].at(-1)?.dataset.line
                : parseInt(text.slice(text.lastIndexOf("\n", text.length - 2) + 1), 10);
            return last > line ? window.logRows().at(-1) : null;
        },
        line,
    );

// Waits in the page until `wanted(argument)` is true, and returns it. It asks whenever the document has
// changed, so that it misses nothing that is there for a moment only, and in each frame: of a place that
// is scrolled to, a value, the address or a variable no change of the document tells. What throws, such
// as a question about an element that is not there yet, is not true.
export function until(reader, wanted, argument) {
    return reader.evaluate(
        ({ source, argument, patience }) =>
            new Promise((resolve, reject) => {
                const wanted = new Function("return (" + source + ")")();
                let frame = 0;
                let thrown = "";
                const end = (finish, value) => {
                    observer.disconnect();
                    cancelAnimationFrame(frame);
                    clearTimeout(late);
                    finish(value);
                };
                const ask = () => {
                    let value = null;
                    try {
                        value = wanted(argument);
                        thrown = "";
                    } catch (error) {
                        thrown = ": " + error;
                    }
                    if (value) end(resolve, value);
                };
                const inEachFrame = () => {
                    frame = requestAnimationFrame(inEachFrame);
                    ask();
                };
                const observer = new MutationObserver(ask);
                observer.observe(document.documentElement, {
                    subtree: true,
                    childList: true,
                    characterData: true,
                    attributes: true,
                });
                const late = setTimeout(
                    () => end(reject, new Error("never came: " + source + " of " + JSON.stringify(argument) + thrown)),
                    patience,
                );
                inEachFrame();
            }),
        { source: wanted.toString(), argument, patience: PATIENCE },
    );
}

// How far the newest event of each topic is, as the server tells over REST. Asks only for what is
// new since the last time.
export class Heads {
    constructor(server) {
        this.server = server;
        this.cursors = {};
        this.newest = {};
    }

    async ask(topics) {
        for (const topic of topics) await this.#follow(topic);
        return { ...this.newest };
    }

    async #follow(topic) {
        this.cursors[topic] ||= await this.server.beginning();
        for (;;) {
            const query = new URLSearchParams({ topic, since: this.cursors[topic], wait: 0 });
            const { body } = await this.server.get("/api/events?" + query);
            this.cursors[topic] = body.cursor;
            if (body.events.length) this.newest[topic] = body.events.at(-1).seq;
            if (!body.events.length || body.end) return;
        }
    }
}

// Waits until the page has received all that is in `heads` ({topic: seq}), of the topics that it
// follows, and has painted it; and what it asked for because of that. A row whose line did not come is
// asked for after a while.
export async function reached(reader, heads) {
    const isThere = (heads) =>
        window.flying === 0 &&
        Object.entries(window.wire).every(([topic, seq]) => seq >= (heads[topic] ?? 0)) &&
        [...document.querySelectorAll('.tree-log-line[data-level=""]')].every((row) => !row.checkVisibility());
    for (let i = 0; i < 3; i++) {
        await until(reader, isThere, heads).catch(async (error) => {
            throw new Error(await reader.evaluate(lag, heads), { cause: error });
        });
        await frames(reader); // what it has painted may have made it open more
    }
}

// Runs in the page: what it still waits for.
function lag(heads) {
    const topics = Object.entries(window.wire).filter(([topic, seq]) => seq < (heads[topic] ?? 0));
    const behind = topics
        .map(([topic, seq]) => `${topic} at ${seq} of ${heads[topic]} (${window.wireSaid[topic].slice(-12).join(", ")})`)
        .join(", ");
    const badge = document.querySelector(".badge").innerText;
    const empty = document.querySelectorAll('.tree-log-line[data-level=""]').length;
    return `${location.pathname}, "${badge}", did not get all: ${behind}; ${window.flying} requests without an answer, ${empty} rows without a line`;
}

// The topics that the page follows.
export const topicsOf = (reader) => reader.evaluate(() => Object.keys(window.wire));

export const frames = (reader) =>
    reader.evaluate(async () => {
        for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    });

// What a reader sees in the page: words of what is visible, lengths of bars, what is open. Times
// that still tick are apart, in `ticks`, in seconds.
export const painted = (reader) =>
    reader.evaluate(() => {
        const ticks = [];
        const seen = (el) => Boolean(el) && el.checkVisibility({ visibilityProperty: true });
        const text = (root, selector) => {
            const el = root.querySelector(selector);
            return seen(el) ? el.innerText : null;
        };
        const time = (root, selector, status) => {
            const shown = text(root, selector);
            if (status !== "running" || !shown) return shown;
            ticks.push(shown.split(/\D+/).reduce((sum, n) => (n ? sum * 60 + Number(n) : sum), 0));
            return "ticking";
        };
        const bar = (root, selector) => {
            const el = root.querySelector(selector);
            if (!seen(el)) return null;
            const { width } = el.querySelector(".meter-bar").getBoundingClientRect();
            return el.innerText + ", " + Math.round(width) + " px, " + el.ariaValueNow;
        };
        const log = (el) => {
            if (!seen(el)) return null;
            const lines = [...el.querySelectorAll(".tree-log-line")];
            return {
                above: text(el, ".log-earlier"),
                newer: text(el, ".log-newer"),
                atEnd: el.scroller.scrollTop + el.scroller.clientHeight >= el.scroller.scrollHeight - 1,
                numbers: lines.map((line) => Number(line.dataset.line)),
                lines: lines.map((line) => line.dataset.level + " " + line.innerText),
            };
        };
        const step = (el) => ({
            id: el.dataset.stepId,
            shape: el.querySelector(".shape use").getAttribute("href"),
            what: text(el, ".step-what"),
            status: text(el, ".tree-step-status"),
            bar: bar(el, ".step-meter"),
            note: text(el, ".step-note"),
            counts: text(el, ".step-counts"),
            logs: text(el, ".step-logs"),
            time: time(el, ".step-time", el.dataset.status),
            error: text(el, ".step-error"),
            log: log(el.querySelector("tailrace-log")),
        });
        const card = (el) => ({
            id: el.dataset.jobId,
            shape: el.querySelector(".shape use").getAttribute("href"),
            status: text(el, ".label"),
            title: text(el, ".card-title"),
            bar: bar(el, ".card-meter"),
            note: text(el, ".card-said"),
            when: text(el, ".card-when"),
            time: time(el, ".card-time", el.dataset.status),
            cancel: text(el, ".cancel"),
            error: text(el, ".card-error"),
            log: log(el.querySelector(".card-body > tailrace-log")),
            steps: [...el.querySelectorAll(".tree-step")].filter(seen).map(step),
        });
        const state = {
            title: document.title,
            stats: text(document, ".stats"),
            empty: text(document, ".empty"),
            strip: [...document.querySelectorAll(".strip")].filter(seen).length,
            cards: [...document.querySelectorAll(".card")].map(card),
        };
        return { state, ticks };
    });

// All lines of a step as the page shows them: asks for the earlier ones, then walks through the log
// from its top, as only what is in sight is in the page.
export async function everyLine(reader, stepId) {
    const within = `.tree-step[data-step-id="${stepId}"]`;
    const button = reader.locator(within + " .log-earlier");
    while (await button.isVisible()) {
        const first = await reader.evaluate((within) => {
            return document.querySelector(within + " .tree-log-line").dataset.line;
        }, within);
        await button.click();
        await until(
            reader,
            ([within, first]) => {
                const el = document.querySelector(within + " .log-earlier");
                const row = document.querySelector(within + " .tree-log-line");
                return el.hidden || el.innerText === "" || row.dataset.line !== first;
            },
            [within, first],
        );
    }
    return reader.evaluate(async (within) => {
        const scroller = document.querySelector(within + " .log-scroll");
        const found = new Map();
        for (let top = 0; ; top += 200) {
            scroller.scrollTop = top;
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            for (const row of scroller.querySelectorAll(".tree-log-line"))
                found.set(
                    Number(row.querySelector(".tree-log-num").textContent),
                    row.querySelector(".tree-log-text").textContent,
                );
            if (top >= scroller.scrollHeight) return [...found].sort((a, b) => a[0] - b[0]);
        }
    }, within);
}

// The same as a picture of the jobs, without the times that tick.
export const pictured = async (reader) => {
    const paces = (display) =>
        reader.evaluate((display) => {
            for (const el of document.querySelectorAll(".card-pace")) el.style.display = display;
        }, display);
    await paces("none");
    const picture = await reader.locator("main").screenshot({
        animations: "disabled",
        mask: [reader.locator(".card-time, .step-time")],
    });
    await paces(""); // only who has watched knows them
    return picture;
};

// How many pixels of two pictures differ by more than the rounding at the edges of shapes, of
// which nobody can see anything; Infinity when their sizes differ.
export async function pixelsApart(a, b) {
    const blank = await blankPage();
    const count = await blank.evaluate(
        async (pictures) => {
            const pixels = async (base64) => {
                const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
                const bitmap = await createImageBitmap(new Blob([bytes]));
                const { width, height } = bitmap;
                const canvas = new OffscreenCanvas(width, height).getContext("2d");
                canvas.drawImage(bitmap, 0, 0);
                return canvas.getImageData(0, 0, width, height);
            };
            const [a, b] = await Promise.all(pictures.map(pixels));
            if (a.width !== b.width || a.height !== b.height) return null;
            return a.data.reduce((n, byte, i) => n + (Math.abs(byte - b.data[i]) > 8), 0);
        },
        [a.toString("base64"), b.toString("base64")],
    );
    await blank.close();
    return count ?? Infinity;
}

// Opens the menu, chooses a definition, fills in its form and runs it; returns the job's id.
export async function runFromPage(reader, definition, parameters = {}) {
    await reader.click("#run");
    await until(reader, (id) => document.getElementById(id), definition + "-run");
    const answered = reader.waitForResponse((r) => r.url().endsWith("/execute"));
    await reader.click(`#${definition}-run`);
    for (const [name, value] of Object.entries(parameters))
        await reader.fill("#parameter-" + name, value);
    if (Object.keys(parameters).length) await reader.click("dialog[open] [type=submit]");
    const { job_id: id } = await (await answered).json();
    await reader.mouse.move(1, 1); // nothing is under the pointer
    return id;
}

export const ended = (reader, id) =>
    until(
        reader,
        (id) => {
            const label = document.querySelector(`.label[data-job-id="${id}"]`);
            const { status } = label ? label.dataset : {};
            return ["completed", "failed", "cancelled"].includes(status) && status;
        },
        id,
    );
