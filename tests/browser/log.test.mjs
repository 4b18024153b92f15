// The log of a job's page as a reader uses it, on lines that a real step writes.
// (never again: 1, 3, 8, 18)

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { open as openFile } from "node:fs/promises";
import path from "node:path";
import test, { after } from "node:test";

import { folder, serve } from "../api/server.mjs";
import { launch, until } from "./browser.mjs";

const story = (name, run) => test(name, { timeout: 120000 }, run);
let browser = null;
after(() => browser?.close());

// A server with a definition of one step, `say`, that runs `command`.
function server(t, command) {
    const yaml = `id: say\nname: Say\nsteps:\n  - name: say\n    type: shell\n    config:\n      command: |\n${command.replace(/^/gm, "        ")}\n`;
    return serve(t, { definitions: { "say.yaml": yaml } });
}

// A reader who has the log of step `say` open, and lines in sight. In the page, `log` is the element,
// `told` is what it told, `asked` what the page asked the server for.
async function open(t, at, job, { width = 1280, height = 900, dark = false } = {}) {
    browser ||= await launch();
    const context = await browser.newContext({
        viewport: { width, height },
        reducedMotion: "reduce",
        colorScheme: dark ? "dark" : "light",
        permissions: ["clipboard-read", "clipboard-write"],
    });
    t.after(() => context.close());
    const reader = await context.newPage();
    reader.complaints = [];
    reader.on("console", (m) => ["error", "warning"].includes(m.type()) && reader.complaints.push(m.text()));
    reader.on("pageerror", (error) => reader.complaints.push(String(error)));
    await reader.addInitScript(listen);
    await reader.goto(`${at.url}/jobs/${job}?step=say`);
    await until(reader, () => document.querySelector(".tree-log-line, .log-stream:not([hidden])"));
    return reader;
}

function listen() {
    Object.assign(window, { told: [], asked: [] });
    Object.defineProperty(window, "log", { get: () => document.querySelector("tailrace-log") });
    for (const name of ["logfollow", "loghits", "logplace", "lognotice"])
        addEventListener(name, ({ detail }) => told.push([name, detail]));
    const { fetch } = window;
    window.fetch = (what, ...rest) => {
        asked.push(String(what));
        return fetch(what, ...rest);
    };
}

// What the reader sees of the log: rows that are really in sight, with their place.
const seen = (reader) =>
    reader.evaluate(async () => {
        for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
        const sight = log.scroller.getBoundingClientRect();
        const rows = [...log.querySelectorAll(".tree-log-line")].map((el) => {
            const { top, bottom } = el.getBoundingClientRect();
            return { line: Number(el.dataset.line), text: el.querySelector(".tree-log-text").innerText, top, bottom };
        });
        return rows
            .filter(({ top, bottom }) => bottom > sight.top + 1 && top < sight.bottom - 1)
            .map((row) => ({ ...row, top: row.top - sight.top }));
    });

// The row of a line, once it is in sight and has its text.
const inSight = (reader, line) =>
    until(
        reader,
        (line) => {
            const sight = log.scroller.getBoundingClientRect();
            const row = log.querySelector(`.tree-log-line[data-line="${line}"]`);
            if (!row || !row.querySelector(".tree-log-text").textContent) return null;
            const { top, bottom } = row.getBoundingClientRect();
            return top > sight.top - 1 && bottom < sight.bottom + 1 && { top: top - sight.top };
        },
        line,
    );

const status = (reader) => reader.evaluate(() => log.querySelector(".log-status").innerText.replace(/\s+/g, " "));
// The pointer into the middle of the log.
async function pointTo(reader) {
    const { x, y, width, height } = await reader.locator(".log-scroll").boundingBox();
    await reader.mouse.move(x + width / 2, y + height / 2);
}

const told = (reader, name) =>
    reader.evaluate((name) => told.filter(([n]) => n === name).map(([, detail]) => detail), name);
const clean = (reader) => assert.deepEqual(reader.complaints, []);

// A step that writes when it is told to: say(text) writes text and waits until it is committed. After
// close() it does what `then` says.
async function spoken(t, then = "") {
    const home = await folder(t);
    const pipe = path.join(home, "pipe");
    spawnSync("mkfifo", [pipe]);
    const at = await server(t, `cat ${pipe}\n${then}`);
    const job = await at.execute("say");
    const file = await openFile(pipe, "w");
    let closed = false;
    const close = async () => {
        if (!closed) await file.close();
        closed = true;
    };
    t.after(close);
    const say = async (text) => {
        await file.write(text);
        const last = text.trimEnd().split("\n").at(-1);
        for (;;) {
            const { body } = await at.get(`/api/jobs/${job}/logs?step=say&order=desc&limit=1`);
            if (body.logs.at(0)?.message === last) return;
        }
    };
    return { at, job, say, close };
}

const numbered = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join("");

story("a million lines: any of them is there at once, with few requests", async (t) => {
    const at = await server(t, "seq -f 'line %.0f' 1000000");
    const job = await at.run("say");
    const reader = await open(t, at, job);
    const total = (await at.get(`/api/jobs/${job}/logs?step=say&limit=1`)).body.total_count;
    const shift = (await at.get(`/api/jobs/${job}/logs?step=say&limit=10`)).body.logs.findIndex(({ message }) => message === "line 1");
    await inSight(reader, 1);
    assert.equal((await seen(reader))[0].line, 1, "what is done opens at its top");
    for (const line of [500000, 999999, 3, 123456]) {
        await reader.evaluate((line) => log.goto(line), line);
        await inSight(reader, line);
        const row = (await seen(reader)).find((row) => row.line === line);
        assert.equal(row.text, "line " + (line - shift));
    }
    assert.ok(await reader.evaluate(() => log.scroller.scrollHeight <= 8100000 && log.scroller.scrollHeight > 7000000));
    await reader.evaluate(() => log.scroller.focus());
    await reader.keyboard.press("End");
    await inSight(reader, total);
    await reader.keyboard.press("Home");
    await inSight(reader, 1);
    const asked = await reader.evaluate(() => asked.filter((a) => a.includes("/logs?")));
    assert.ok(asked.length <= 14, asked.join("\n"));
    const rows = await reader.evaluate(() => log.querySelectorAll(".tree-log-line").length);
    assert.ok(rows < 150, `${rows} rows are in the page`);
    const map = await reader.locator(".log-map").boundingBox();
    await reader.locator(".log-map").click({ position: { x: map.width / 2, y: map.height / 4 } });
    const line = Math.ceil(total / 4);
    await until(reader, (line) => Math.abs(log.current - line) < 3000, line);
    await inSight(reader, await reader.evaluate(() => log.current));
    const place = await reader.evaluate(() => {
        const row = log.querySelector(".chosen");
        return [row.role, row.ariaPosInSet, row.ariaSetSize, row.parentNode.role].map(String);
    });
    assert.deepEqual(place, ["listitem", String(await reader.evaluate(() => log.current)), String(total), "list"]);
    clean(reader);
});

story("the newest line is in sight while lines come, until the reader leaves", async (t) => {
    const { at, job, say, close } = await spoken(t);
    await say(numbered(1, 300));
    const reader = await open(t, at, job);
    const newest = async () => (await at.get(`/api/jobs/${job}/logs?step=say&limit=1`)).body.total_count;
    await inSight(reader, await newest());
    for (const [from, to] of [[301, 330], [331, 420]]) {
        await say(numbered(from, to));
        await inSight(reader, await newest());
    }
    assert.match(await status(reader), /^Following/);
    await pointTo(reader);
    const end = await reader.evaluate(() => log.scroller.scrollTop);
    await reader.mouse.wheel(0, -300);
    await until(reader, () => told.some(([name, { follow }]) => name === "logfollow" && !follow));
    await until(reader, (end) => log.scroller.scrollTop === end - 300, end);
    const held = (await seen(reader))[0];
    await say(numbered(421, 900));
    await until(reader, (n) => log.querySelector(".log-newer").innerText === `↓ ${n} new`, 480);
    const still = (await seen(reader))[0];
    assert.deepEqual([still.line, still.top], [held.line, held.top], "held on the same pixel");
    assert.match(await status(reader), /^Held/);
    await reader.click(".log-newer");
    await inSight(reader, await newest());
    await say(numbered(901, 910));
    await inSight(reader, await newest());
    const asked = await reader.evaluate(() => asked.filter((a) => a.includes("/logs?")));
    assert.ok(asked.length < 3, asked.join("\n"));
    await reader.evaluate(() => log.scroller.focus());
    for (const key of ["PageUp", "Home", "ArrowUp"]) {
        await reader.keyboard.press(key);
        await until(reader, () => !log.follow);
        await reader.keyboard.press("End");
        await until(reader, () => log.follow);
        await inSight(reader, await newest());
    }
    await reader.click(`[data-line="${await newest()}"] .tree-log-text`);
    assert.equal(await reader.evaluate(() => log.follow), false, "a click on a line leaves");
    await reader.evaluate(() => (log.follow = true));
    assert.match(await reader.evaluate(() => log.querySelector("[role=status]").textContent), /^\d+ lines, 0 errors, 0 warnings$/);
    await close();
    await until(reader, () => /^Ended/.test(log.querySelector(".log-status").innerText));
    await inSight(reader, await newest());
    clean(reader);
});

story("a log stays held through resizing, wrapping and folding, and returns at its end", async (t) => {
    const { at, job, say } = await spoken(t);
    const group = "::group::one\n" + numbered(181, 188) + "::endgroup::\n";
    await say(numbered(1, 180) + group + ("long " + "x".repeat(400) + "\n").repeat(20) + numbered(211, 400));
    const reader = await open(t, at, job);
    await reader.evaluate(() => log.goto(200));
    const before = await inSight(reader, 200);
    const stays = async (what) => {
        const now = (await seen(reader)).find(({ line }) => line === 200);
        assert.ok(now && now.top >= 40 && Math.abs(now.top - before.top) < 1, what + ": " + JSON.stringify([before, now]));
        assert.equal(await reader.evaluate(() => log.follow), false, what);
    };
    await reader.evaluate(() => log.querySelector(".log-group").click());
    await until(reader, () => log.querySelector('.log-group[aria-expanded="false"]'));
    await stays("folded");
    await reader.evaluate(() => (log.wrap = true));
    await stays("wrapped");
    await say(numbered(401, 420));
    await stays("more lines");
    await reader.evaluate(() => (log.time = "off"));
    await stays("without times");
    await reader.evaluate(() => ((log.wrap = false), log.foldAll(true)));
    await stays("as before");
    await reader.evaluate(() => (log.scroller.scrollTop = log.scroller.scrollHeight - log.scroller.clientHeight - 25));
    await until(reader, () => log.follow);
    clean(reader);
});

story("what failed opens at its first error", async (t) => {
    const at = await server(t, "seq 3000; exit 3");
    const job = await at.run("say");
    const { logs } = (await at.get(`/api/jobs/${job}/logs?step=say&level=error`)).body;
    const reader = await open(t, at, job);
    await inSight(reader, logs[0].line);
    assert.equal(await reader.evaluate(() => log.current), logs[0].line);
    assert.match(await status(reader), new RegExp("first error " + logs[0].line.toLocaleString("en-US")));
    await reader.evaluate(() => log.goto(5));
    await inSight(reader, 5);
    await reader.click(".log-first");
    await inSight(reader, logs[0].line);
    clean(reader);
});

story("groups, gaps, progress, similar errors, colours and links", async (t) => {
    const at = await server(
        t,
        String.raw`printf '::group::sitemap\nfirst\nsecond\n::endgroup::\n'
printf '\033[1;31mred\033[0m and \033[38;5;208morange\033[0m \033]8;;https://a.example/x\033\\a link\033]8;;\033\\ \033]8;;javascript:alert(1)\033\\none\033]8;;\033\\\n'
printf '<b>bold</b>\n'`,
    );
    const job = await at.run("say");
    const reader = await open(t, at, job);
    await until(reader, () => log.querySelector(".log-group")?.innerText.includes("group: sitemap (2 lines"));
    const texts = async () => (await seen(reader)).map(({ text }) => text);
    assert.ok((await texts()).includes("second"));
    await reader.click(".log-group");
    await until(reader, () => log.querySelector('.log-group[aria-expanded="false"]'));
    assert.ok(!(await texts()).includes("second"));
    await reader.evaluate(() => log.goto([...log.querySelectorAll(".tree-log-line")].length && 3));
    assert.ok((await texts()).includes("second"), "a place in a folded group opens it");
    const colored = await reader.evaluate(() => {
        const row = [...log.querySelectorAll(".tree-log-text")].find((el) => el.textContent.startsWith("red"));
        const [red, , link] = row.children;
        return {
            text: row.textContent,
            bold: getComputedStyle(red).fontWeight,
            isColored: getComputedStyle(red).color !== getComputedStyle(row).color,
            link: [link.tagName, link.href, link.rel, link.textContent],
            links: row.querySelectorAll("a").length,
        };
    });
    assert.deepEqual(colored, {
        text: "red and orange a link none",
        bold: "700",
        isColored: true,
        link: ["A", "https://a.example/x", "noopener noreferrer", "a link"],
        links: 1,
    });
    assert.equal(await reader.evaluate(() => log.querySelectorAll(".tree-log-text b").length), 0);
    clean(reader);
});

story("similar warnings are folded into one, and a link to one of them opens them", async (t) => {
    const { at, job, say, close } = await spoken(t, `for i in $(seq 17); do echo "retry $i/17 of /docs/$i.html" >&2; done`);
    await say(numbered(1, 2000));
    await close();
    await at.events(`job:${job}?min=none`, await at.beginning());
    const { logs } = (await at.get(`/api/jobs/${job}/logs?step=say&level=warn`)).body;
    const lines = logs.filter(({ message }) => message.startsWith("retry")).map(({ line }) => line);
    assert.equal(lines.length, 17);
    const reader = await open(t, at, job);
    await reader.evaluate(() => (log.follow = true));
    await until(reader, () => log.querySelector(".log-note"));
    const folded = async () => (await seen(reader)).filter(({ line }) => lines.includes(line)).map(({ line, text }) => [line, text]);
    assert.deepEqual(await folded(), [[lines[0], "retry 1/17 of /docs/1.html (×17 similar)"]]);
    await reader.click(".log-note");
    await until(reader, (n) => log.querySelector(`[data-line="${n}"]`), lines[16]);
    await reader.click(".log-note");
    await until(reader, (n) => !log.querySelector(`[data-line="${n}"]`), lines[16]);
    const other = await open(t, at, job);
    await other.evaluate((line) => log.goto(line), lines[9]);
    await inSight(other, lines[9]);
    clean(reader);
    clean(other);
});

story("what is copied is the lines, without what stands before them", async (t) => {
    const at = await server(t, "seq -f 'line %.0f' 300");
    const job = await at.run("say");
    const reader = await open(t, at, job);
    await inSight(reader, 1);
    const copied = await reader.evaluate(async () => {
        const text = (line) => log.querySelector(`[data-line="${line}"] .tree-log-text`).firstChild;
        getSelection().setBaseAndExtent(text(5), 2, text(8), 4);
        log.scroller.focus();
        document.execCommand("copy");
        return navigator.clipboard.readText();
    });
    const { logs } = (await at.get(`/api/jobs/${job}/logs?step=say&limit=20`)).body;
    const of = (from, to) => logs.slice(from - 1, to).map(({ message }) => message);
    const [first, ...rest] = of(5, 8);
    assert.equal(copied, [first.slice(2), ...rest.slice(0, -1), rest.at(-1).slice(0, 4)].join("\n"));
    await reader.click('[data-line="3"] .tree-log-num');
    await reader.click('[data-line="6"] .tree-log-num', { modifiers: ["Shift"] });
    assert.deepEqual(await told(reader, "logplace"), [{ line: 3, to: 3 }, { line: 3, to: 6 }]);
    await reader.evaluate(() => log.copy());
    assert.equal(await reader.evaluate(() => navigator.clipboard.readText()), of(3, 6).join("\n"));
    assert.equal((await told(reader, "lognotice")).at(-1).text, "4 lines copied.");
    assert.equal(await reader.evaluate(() => log.querySelectorAll(".chosen").length), 4);
    clean(reader);
});

story("a link to a line that is not written yet leads there when it is", async (t) => {
    const { at, job, say } = await spoken(t);
    await say(numbered(1, 100));
    const reader = await open(t, at, job, { height: 500 });
    await reader.evaluate(() => log.goto(250, 260));
    await say(numbered(101, 240));
    await inSight(reader, 240);
    assert.equal(await reader.evaluate(() => log.follow), true);
    await say(numbered(241, 1000));
    await inSight(reader, 255);
    assert.equal(await reader.evaluate(() => log.follow), false);
    assert.equal(await reader.evaluate(() => log.querySelectorAll(".chosen").length), 11);
    const { y, height } = await reader.locator('[data-line="250"]').boundingBox();
    assert.ok(y > 0 && y + height < 500, `the line is in the window, at ${y}`);
    clean(reader);
});

story("of lines that run faster than anybody reads the newest are painted as one text, in the same place", async (t) => {
    // so many that their numbers do not get longer meanwhile
    const at = await server(t, "seq 12000; i=0; while [ $i -lt 1000000 ]; do seq -f \"line $i.%.0f\" 40; i=$((i + 1)); sleep 0.02; done");
    const job = await at.execute("say");
    const reader = await open(t, at, job);
    const streamed = await until(reader, () => {
        const stream = log.querySelector(".log-stream:not([hidden])");
        if (!stream || !/Following.*lines\/s.*showing the newest/s.test(log.querySelector(".log-status").innerText)) return null;
        const sight = log.scroller.getBoundingClientRect();
        const rows = stream.textContent.trimEnd().split("\n");
        const at = stream.textContent.lastIndexOf("line");
        const range = document.createRange();
        range.setStart(stream.firstChild, at);
        range.setEnd(stream.firstChild, at + 4);
        const { left, bottom } = range.getBoundingClientRect();
        return { rows: rows.length, numbers: rows.map((row) => parseInt(row, 10)), left, bottom, sight: sight.bottom };
    });
    assert.ok(streamed.numbers.every((n, i) => i === 0 || n === streamed.numbers[i - 1] + 1), "consecutive");
    assert.ok(Math.abs(streamed.sight - streamed.bottom) < 6, "the last is at the end");
    await pointTo(reader);
    await reader.mouse.wheel(0, -200);
    await until(reader, () => log.querySelector(".tree-log-line"));
    const left = await reader.evaluate(() => {
        const range = document.createRange();
        range.selectNodeContents(log.querySelector(".tree-log-line .tree-log-text"));
        return range.getBoundingClientRect().left;
    });
    assert.ok(Math.abs(left - streamed.left) < 1, `${left} and ${streamed.left}`);
    assert.equal((await at.post(`/api/jobs/${job}/cancel`)).status, 200);
    clean(reader);
});

story("lines are no layers of the browser, whose frames they would slow; numbers stay in sight sideways", async (t) => {
    const at = await server(t, "seq -f \"line %g $(seq -s ' ' 400)\" 200");
    const reader = await open(t, at, await at.run("say"));
    await until(reader, () => log.querySelectorAll(".tree-log-text").length > 20);
    const cdp = await reader.context().newCDPSession(reader);
    const told = new Promise((resolve) => cdp.on("LayerTree.layerTreeDidChange", ({ layers }) => layers && resolve(layers)));
    await cdp.send("LayerTree.enable");
    const layers = (await told).length;
    assert.ok(layers < 15, `${layers} layers`);

    await reader.evaluate(() => (log.scroller.scrollLeft = 300));
    await until(reader, () => log.querySelector(".sideways"));
    const [number, text, sight] = await reader.evaluate(() =>
        [".tree-log-num", ".tree-log-text", ".log-scroll"].map((name) => log.querySelector(name).getBoundingClientRect().left),
    );
    assert.ok(Math.abs(number - sight) < 1, `the number is at ${number}, its log at ${sight}`);
    assert.ok(text < sight, "the text went");
    await reader.evaluate(() => (log.scroller.scrollLeft = 0));
    await until(reader, () => !log.querySelector(".sideways"));
    clean(reader);
});

story("wrapped lines are broken where it was calculated, and are copied in one piece", async (t) => {
    const texts = ["x".repeat(700), "word ".repeat(150), "漢字".repeat(120), "e\u0301".repeat(300), "short", "a".repeat(2000)];
    const { at, job, say } = await spoken(t);
    await say(texts.map((text) => text + "\n").join("") + "\u001b[31m" + "red".repeat(100) + "\u001b[0m" + "plain".repeat(100) + "\n");
    const reader = await open(t, at, job);
    await reader.evaluate(() => (log.wrap = true));
    for (const width of [1280, 820, 500]) {
        await reader.setViewportSize({ width, height: 900 });
        const rows = await reader.evaluate(async () => {
            for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
            const { right } = log.scroller.getBoundingClientRect();
            return [...log.querySelectorAll(".tree-log-line")].map((el) => {
                const text = el.querySelector(".tree-log-text");
                const range = document.createRange();
                range.selectNodeContents(text);
                return {
                    text: text.textContent,
                    calculated: Math.round(el.getBoundingClientRect().height / 20),
                    painted: Math.round(text.getBoundingClientRect().height / 20),
                    fits: range.getBoundingClientRect().right <= right,
                };
            });
        });
        assert.ok(Math.max(...rows.map(({ calculated }) => calculated)) > 15);
        for (const { text, calculated, painted, fits } of rows) {
            assert.equal(calculated, text.split("\n").length, `${text.slice(0, 9)} at ${width}`);
            assert.equal(painted, calculated);
            assert.ok(fits, `${text.slice(0, 9)} at ${width}`);
        }
    }
    const copied = await reader.evaluate(async (text) => {
        const el = [...log.querySelectorAll(".tree-log-text")].find((el) => el.textContent.startsWith("redred"));
        getSelection().setBaseAndExtent(el, 0, el, el.childNodes.length);
        log.scroller.focus();
        document.execCommand("copy");
        return navigator.clipboard.readText();
    });
    assert.equal(copied, "red".repeat(100) + "plain".repeat(100));
    clean(reader);
});

const hits = (reader, wanted) =>
    until(
        reader,
        (wanted) => {
            const [, last] = told.findLast(([name]) => name === "loghits") || [];
            return last && Object.entries(wanted).every(([key, value]) => last[key] === value);
        },
        wanted,
    );

story("a search counts exactly, goes from hit to hit, and marks them, while the log grows", async (t) => {
    const { at, job, say } = await spoken(t);
    await say(numbered(1, 5000)); // line n is number n + 1
    const reader = await open(t, at, job);
    await reader.evaluate(() => (log.query = { q: "LINE 49", regex: false, case: false }));
    await hits(reader, { count: 111, complete: true });
    assert.equal(await reader.evaluate(() => log.follow), true, "a search does not leave the end");
    await reader.evaluate(() => log.prev("hit"));
    await inSight(reader, 5000);
    await hits(reader, { at: 111 });
    await reader.evaluate(() => log.prev("hit"));
    await hits(reader, { at: 110 });
    assert.ok(await reader.evaluate(() => CSS.highlights.get("log-find").size > 5));
    await reader.evaluate(() => log.goto(3000));
    await reader.evaluate(() => log.next("hit"));
    await inSight(reader, 4901);
    await reader.evaluate(() => log.goto(400));
    await reader.evaluate(() => log.next("hit"));
    await inSight(reader, 491);
    await hits(reader, { at: 2 });
    await say("line 49 again\n" + numbered(1, 60));
    await hits(reader, { count: 113, at: 2 });
    await reader.evaluate(() => (log.query = { q: "nothing at all" }));
    await hits(reader, { count: 0, complete: true });
    await reader.evaluate(() => log.next("hit"));
    assert.equal((await told(reader, "lognotice")).at(-1).text, "No hit after here.");
    await reader.evaluate(() => (log.query = null));
    assert.equal(await reader.evaluate(() => CSS.highlights.get("log-find").size), 0);
    clean(reader);
});

story("a filter shows hits only, with their own numbers, also those that come", async (t) => {
    const { at, job, say } = await spoken(t);
    await say(numbered(1, 3000));
    const reader = await open(t, at, job);
    await reader.evaluate(() => ((log.query = { q: "00$", regex: true }), (log.filter = true)));
    await hits(reader, { count: 30, complete: true });
    const numbers = async () => (await seen(reader)).map(({ line }) => line);
    const all = Array.from({ length: 30 }, (_, i) => (i + 1) * 100 + 1);
    await until(reader, () => log.querySelectorAll(".tree-log-line").length === 30);
    await inSight(reader, 3001);
    assert.deepEqual(await numbers(), all.slice(-(await numbers()).length));
    // the status line is told four times a second
    await until(reader, () => /^Following, 30 shown/.test(document.querySelector(".log-status").innerText));
    await say("line 100000\n");
    await inSight(reader, 3002);
    await reader.evaluate(() => log.goto(1501));
    await reader.evaluate(() => (log.filter = false));
    await inSight(reader, 1501);
    await inSight(reader, 1502);
    assert.equal(await reader.evaluate(() => log.follow), false);

    // asked for before the filter's lines are known, as quick as a key after another
    const next = (isAfterFrame) =>
        reader.evaluate(async (isAfterFrame) => {
            log.filter = true;
            if (isAfterFrame) await new Promise(requestAnimationFrame);
            await log.next("hit");
            return log.current;
        }, isAfterFrame);
    assert.equal(await next(false), 1601);
    await reader.evaluate(() => ((log.filter = false), log.goto(1501)));
    assert.equal(await next(true), 1601);
    clean(reader);
});

story("errors and warnings can be gone through, and shown by themselves", async (t) => {
    const yaml = "id: say\nname: Say\nsteps:\n  - name: say\n    type: generator\n    config: { worker_count: 1, log_count: 3000, log_delay_ms: 0 }\n";
    const at = await serve(t, { definitions: { "say.yaml": yaml } });
    const job = await at.run("say");
    const warnings = (await at.get(`/api/jobs/${job}/logs?step=say&level=warn&limit=1000`)).body.logs;
    const reader = await open(t, at, job);
    for (const { line } of warnings.filter(({ level }) => level === "warn").slice(0, 3)) {
        await reader.evaluate(() => log.next("warn"));
        await inSight(reader, line);
        assert.equal(await reader.evaluate(() => log.querySelector(".chosen").dataset.level), "warn");
    }
    await reader.evaluate(() => (log.level = "warn"));
    await until(reader, (n) => log.querySelector(".log-status").innerText.includes(n + " shown"), warnings.length);
    await reader.evaluate(() => log.scrollRows(-100000));
    await inSight(reader, warnings[0].line);
    await until(reader, () => {
        const levels = [...log.querySelectorAll(".tree-log-line")].map((row) => row.dataset.level);
        return levels.length > 20 && levels.every((level) => ["warn", "error"].includes(level));
    });
    await until(reader, () => log.querySelector(".log-map").style.getPropertyValue("--marks").includes("gradient"));
    clean(reader);
});

story("all groups are folded at once, also those that nobody has looked at", async (t) => {
    const at = await server(t, "for i in $(seq 2000); do echo ::group::part $i; seq 5; echo ::endgroup::; done");
    const job = await at.run("say");
    const reader = await open(t, at, job);
    await reader.evaluate(() => log.foldAll(false));
    await until(reader, () => log.scroller.scrollHeight === 2002 * 20);
    await reader.evaluate(() => log.goto(7000));
    await inSight(reader, 7000);
    await until(reader, () => log.scroller.scrollHeight === 2007 * 20);
    await reader.evaluate(() => log.foldAll(true));
    await until(reader, () => log.scroller.scrollHeight > 12000 * 20);
    await inSight(reader, 7000);
    clean(reader);
});
