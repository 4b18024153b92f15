// What the pages promise about the connection and for everybody: the badge that does not lie, no
// lines for whom nobody looks at, targets for fingers, zoom, motion, print and forced colours.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { serve } from "../api/server.mjs";
import { newsroom, page, quit, until } from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 120000 }, run);
const clean = (reader) => assert.deepEqual(reader.complaints, []);

const definitions = {
    "talks.yaml": `id: talks
name: Talks
steps:
  - { name: talk, type: shell, config: { command: "seq 300; while :; do echo more; sleep 0.02; done" } }
  - { name: fails, type: shell, config: { command: "echo no >&2; exit 3" } }
`,
};
const badge = (reader, state, text) =>
    until(
        reader,
        ([state, text]) => {
            const el = document.querySelector(".badge");
            return el.dataset.state === state && el.innerText.includes(text);
        },
        [state, text],
    );

/* ---- the badge ---- */

// A page whose frames from the server pass through `change(frame, socket)`; null: held back.
const changed = (change) => ({
    prepare: (reader) =>
        reader.routeWebSocket("**/ws", (socket) => {
            const server = socket.connectToServer();
            server.onMessage((text) => {
                const frame = change(JSON.parse(text), socket);
                if (frame) socket.send(JSON.stringify(frame));
            });
        }),
});

story("a page that gets no answer says that it is connecting", async (t) => {
    const server = await serve(t, { definitions });
    const context = (await page(t, server)).context();
    const reader = await context.newPage();
    await reader.routeWebSocket("**/ws", () => {}); // nobody ever says a word
    await reader.goto(server.url + "/queue");
    await badge(reader, "connecting", "Connecting …");
});

story("a page that is behind says by how many events, and is live once it has them", async (t) => {
    const server = await serve(t, { definitions });
    let isBehind = false;
    const held = []; // what comes of the job after it was subscribed to
    const reader = await page(t, server, changed((frame, socket) => {
        if (!isBehind || !frame.topic?.startsWith("job:")) return frame;
        if (frame.type === "subscribed") return { ...frame, head: frame.from + 1234 };
        held.push(() => socket.send(JSON.stringify(frame)));
        return null;
    }));
    isBehind = true;
    await server.execute("talks");
    await until(reader, () => document.querySelector(".card"));
    await badge(reader, "catching", "Catching up: 1,234 events");
    isBehind = false;
    for (const send of held) send();
    await badge(reader, "live", "Live");
    clean(reader);
});

story("a newer server is told and offered, and the page never loads itself again", async (t) => {
    const server = await serve(t, { definitions });
    let version = "0.0.1";
    let newest = null;
    const reader = await page(t, server, {
        quiet: /WebSocket/,
        ...changed((frame, socket) => {
            newest = socket;
            if (frame.type === "status") frame.payload.server = version;
            return frame;
        }),
    });
    version = "0.0.2";
    await newest.close({ code: 1012, reason: "" });
    await until(reader, () => document.querySelector(".strip.calm").innerText.includes("The server is now version 0.0.2"));
    await badge(reader, "live", "Live");
    clean(reader); // a second load would be a complaint
});

story("the connection is spoken of when its state changes, and only then", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server, { quiet: /WebSocket|ERR_/ });
    await reader.evaluate(() => {
        window.said = [];
        const voice = document.querySelector(".badge [role=status]");
        new MutationObserver(() => window.said.push(voice.textContent)).observe(voice, { childList: true, characterData: true, subtree: true });
    });
    await until(reader, () => /Live \d/.test(document.querySelector(".badge").innerText)); // how long a round trip takes
    assert.deepEqual(await reader.evaluate(() => window.said), []);
    await server.stop("SIGKILL");
    await badge(reader, "offline", "Offline");
    await until(reader, () => window.said.length);
    assert.match((await reader.evaluate(() => window.said)).join(), /^[^,]*[Oo]ffline/);
});

/* ---- no lines for nobody ---- */

// Counts lines that come in.
function watchLines() {
    window.linesCame = 0;
    const Native = window.WebSocket;
    window.WebSocket = class extends Native {
        constructor(...args) {
            super(...args);
            this.addEventListener("message", ({ data }) => (window.linesCame += data.split('"type":"job_log"').length - 1));
        }
    };
}

story("who has scrolled away, or has another tab in front, gets counters and no lines", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    const reader = await page(t, server, { path: `/jobs/${job}?step=talk`, prepare: (reader) => reader.addInitScript(watchLines) });
    const counted = () => reader.evaluate(() => linesCame);
    const total = (more) => until(reader, (more) => Number(document.querySelector(".log-status").innerText.match(/^([\d,]+) lines$/m)?.[1].replace(",", "")) > more, more);
    // The server has answered: what it had sent before of the lines is here.
    const counters = () => until(reader, () => Object.entries(wire).some(([topic, seq]) => topic.includes("?min=none") && seq >= 0));
    const none = async (what) => {
        await counters();
        const { body } = await server.get(`/api/jobs/${job}/status`);
        await total(body.total_logs);
        const before = await counted();
        await total(body.total_logs + 60);
        assert.equal(await counted(), before, what);
    };
    await until(reader, () => document.querySelector("tailrace-log").follow && linesCame > 5);
    await total(300); // there is something to scroll back to
    await reader.keyboard.press("PageUp");
    await none("held");
    await reader.keyboard.press("End");
    const before = await counted();
    await until(reader, (before) => linesCame > before + 5, before);
    const tab = (isHidden) =>
        reader.evaluate((isHidden) => {
            Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }, isHidden);
    await tab(true);
    await counters();
    const hidden = await counted();
    const { body } = await server.get(`/api/jobs/${job}/status`);
    for (let now = 0; now < body.total_logs + 60; ) now = (await server.get(`/api/jobs/${job}/status`)).body.total_logs;
    assert.equal(await counted(), hidden, "hidden");
    await tab(false);
    await until(reader, (before) => linesCame > before + 5, hidden);
    clean(reader);
});

story("documents that come while one reads are told, and no row moves", async (t) => {
    const site = await newsroom(t);
    const crawl = (id, pages) => `id: ${id}\nname: ${id}\nsteps:\n  - { name: c, type: crawler, config: { start_urls: ["${site.url}"], max_pages: ${pages} } }\n`;
    const server = await serve(t, { definitions: { "few.yaml": crawl("few", 5), "more.yaml": crawl("more", 9) } });
    await server.run("few");
    const reader = await page(t, server, { path: "/documents" });
    await until(reader, () => document.querySelectorAll(".document").length === 5);
    const titles = () => reader.evaluate(() => [...document.querySelectorAll(".document-title")].map((el) => el.innerText));
    const before = await titles();
    await server.run("more");
    await until(reader, () => [...document.querySelectorAll("button")].some((el) => el.innerText === "+9 new"));
    assert.deepEqual(await titles(), before);
    await reader.click("text=+9 new");
    await until(reader, () => document.querySelectorAll(".document").length === 14);
    clean(reader);
});

/* ---- for everybody ---- */

const PAGES = (job) => ["/queue", "/jobs/" + job, "/definitions", "/documents"];

async function eachPage(t, options, look) {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    for (const path of PAGES(job)) {
        const reader = await page(t, server, { ...options, path });
        await until(reader, () => document.querySelector(".card, .tree-log-text, .definition, .empty"));
        await look(reader, path);
        clean(reader);
    }
}

story("what is touched on a phone is large enough for a finger", (t) =>
    eachPage(t, { width: 390, height: 844, touch: true }, async (reader, path) => {
        const small = await reader.evaluate(() =>
            [...document.querySelectorAll("button:not(.disclosure), .card-head, select, input, a.button, nav a")]
                .filter((el) => el.checkVisibility() && !el.closest(".tree-log-line"))
                .map((el) => [el.className || el.id || el.innerText, el.getBoundingClientRect()])
                .filter(([, { height }]) => height < 44)
                .map(([name, { height }]) => `${name}: ${height}`),
        );
        assert.deepEqual(small, [], path);
    }));

story("twice as large, nothing is wider than the window", (t) =>
    eachPage(t, { width: 640, height: 450 }, async (reader, path) => {
        assert.ok(await reader.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path);
    }));

story("nothing moves for whom motion is too much, and all states have their word in forced colours", (t) =>
    eachPage(t, {}, async (reader, path) => {
        const moving = () => reader.evaluate(() => document.getAnimations().filter((a) => a.playState === "running").length);
        assert.equal(await moving(), 0, path);
        await reader.emulateMedia({ reducedMotion: "no-preference" });
        // What runs turns, for whom it may; whether it runs already is the server's business.
        if (path === "/queue") await until(reader, () => document.getAnimations().some((a) => a.playState === "running"));
        await reader.emulateMedia({ forcedColors: "active" });
        const bare = await reader.evaluate(() =>
            [...document.querySelectorAll(".label")].filter((el) => el.checkVisibility() && !el.innerText.trim()).length);
        assert.equal(bare, 0, path);
    }));

story("on paper there are the lines, and no tools", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    const reader = await page(t, server, { path: "/jobs/" + job });
    await until(reader, () => document.querySelector(".tree-log-text"));
    await reader.emulateMedia({ media: "print" });
    const shown = (selector) => reader.evaluate((selector) => document.querySelector(selector).checkVisibility(), selector);
    assert.deepEqual([await shown(".tools"), await shown(".top"), await shown(".tree-log-text")], [false, false, true]);
    clean(reader);
});

story("a step that never ran leaves no empty row in the timeline of a phone", async (t) => {
    const skips = "id: skips\nname: Skips\nsteps:\n  - { name: bad, type: shell, config: { command: 'exit 3' } }\n  - { name: then, type: shell, depends: [bad], config: { command: 'true' } }\n";
    const server = await serve(t, { definitions: { "skips.yaml": skips } });
    const reader = await page(t, server, { path: "/jobs/" + (await server.run("skips")), width: 390, touch: true });
    await until(reader, () => document.querySelector('.timeline-step[data-status="skipped"]'));
    const tracks = () => [...document.querySelectorAll(".timeline-track")].map((el) => el.checkVisibility());
    assert.deepEqual(await reader.evaluate(tracks), [true, false]);
    clean(reader);
});

story("the log alone fills a phone's screen", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    const reader = await page(t, server, { path: "/jobs/" + job, width: 390, height: 844 });
    await until(reader, () => document.querySelector(".tree-log-text"));
    await reader.click("text=Full");
    const { top, bottom, width } = await reader.evaluate(() => document.querySelector(".job-log").getBoundingClientRect().toJSON());
    assert.deepEqual([top, bottom, width], [0, 844, 390]);
    clean(reader);
});

/* ---- the disk ---- */

story("a disk that is nearly full is told on every page, and what waits for it says so", async (t) => {
    const server = await serve(t, { definitions, args: ["--min-free", "900000GiB"] });
    const job = await server.execute("talks");
    const readers = [];
    for (const path of ["/queue", "/definitions", "/documents", "/jobs/" + job]) readers.push(await page(t, server, { path }));
    for (const reader of readers)
        await until(reader, () => /^[Tt]he disk is nearly full: .* are left/.test(document.querySelector('[aria-label="Disk"]').innerText.trim()));
    await until(readers[0], () => /(?:waits|line) for more room on the disk/.test(document.querySelector(".card-said").innerText));
    await until(readers[3], () => /(?:Waits|line) for more room on the disk/.test(document.querySelector(".job-why").innerText));
    for (const reader of readers) clean(reader);
});
