// The queue page as a person uses it. The page under test is loaded once and never again, and
// only what it has painted counts. (never again: 1, 2, 3, 4, 6, 18)

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";

import { folder, serve } from "../api/server.mjs";
import { Proxy } from "../faults/proxy.mjs";
import {
    Heads,
    ended,
    everyLine,
    newsroom,
    page,
    painted,
    pictured,
    pixelsApart,
    quit,
    reached,
    runFromPage,
    until,
} from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 120000 }, run);
const NEWS = readFileSync(
    fileURLToPath(new URL("../../definitions/news-crawler.yaml", import.meta.url)),
    "utf8",
);
const definitions = {
    "news.yaml": NEWS,
    "endless.yaml": `
id: endless
name: Endless
steps:
  - name: talk
    type: shell
    config: { command: "n=0; while n=$((n + 1)); do echo line $n; sleep 0.02; done" }
  - { name: never, type: shell, depends: [talk], config: { command: "echo never" } }
`,
    "ticks.yaml": `
id: ticks
name: Ticks
steps:
  - name: tick
    type: generator
    config: { worker_count: 3, log_count: 60, log_delay_ms: 20, concurrency: 3 }
`,
};

const topicsOf = (...ids) => ["jobs", ...ids.map((id) => "job:" + id)];
const clean = (...readers) => readers.forEach((r) => assert.deepEqual(r.complaints, []));

// Opens a fresh page and says how what it has painted differs from what `reader` has: null, or
// the two. Both are read when both have the newest event of every topic; when the server has made
// another one meanwhile, both are read again.
async function difference(t, server, reader, ids, heads = new Heads(server)) {
    for (;;) {
        const newest = await heads.ask(topicsOf(...ids));
        const fresh = await page(t, server);
        await reached(fresh, newest);
        await reached(reader, newest);
        const [old, now] = [await painted(reader), await painted(fresh)];
        const pictures = [await pictured(reader), await pictured(fresh)];
        const still = await heads.ask(topicsOf(...ids));
        clean(fresh);
        await fresh.context().close();
        if (JSON.stringify(still) !== JSON.stringify(newest)) continue;
        const apart = old.ticks.some((s, i) => Math.abs(s - now.ticks[i]) > 5);
        if (!same(old.state, now.state) || apart) return [old, now];
        const pixels = await pixelsApart(...pictures);
        return pixels === 0 ? null : [`${pixels} pixels differ`, "0 pixels differ"];
    }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

async function assertFresh(t, server, reader, ids, heads) {
    const found = await difference(t, server, reader, ids, heads);
    if (found) assert.deepEqual(found[0], found[1]);
}

// Waits until a step of the job has as many lines, by the server's word.
const lines = (server, id, step, wanted) =>
    server.event(id, ({ type, payload }) => type === "job_log" && payload.step_name === step && payload.line >= wanted);

// The whole story: run the News Crawler from the page, and at random moments stop the site, so
// that there is nothing new, and look. Returns the first difference, or null.
async function refreshEquivalence(t, options = {}) {
    const site = await newsroom(t, "--delay", "10");
    const server = await serve(t, { definitions: { ...definitions, ...options.definitions } });
    const reader = await page(t, server, options);
    const id = await runFromPage(reader, "news-crawler", { site: site.url, delay: "10ms" });
    const heads = new Heads(server);
    let at = 0;
    for (let moment = 0; moment < 3; moment++) {
        at += 1 + Math.floor(Math.random() * 13);
        await lines(server, id, "crawl_news_sites", at);
        process.kill(site.pid, "SIGSTOP");
        const found = await difference(t, server, reader, [id], heads);
        if (found) return found;
        const { state } = await painted(reader);
        if (moment && state.cards[0].status !== "running") break; // it was over before its site was stopped
        assert.equal(state.cards[0].status, "running");
        assert.ok(state.cards[0].steps[0].log.numbers.at(-1) >= at, "painted while it runs");
        t.diagnostic(`at line ${state.cards[0].steps[0].log.numbers.at(-1)}: the same`);
        process.kill(site.pid, "SIGCONT");
    }
    await server.events("job:" + id, await server.beginning());
    const found = await difference(t, server, reader, [id], heads);
    if (found) return found;
    const { state } = await painted(reader);
    assert.equal(state.cards[0].status, "completed");
    if (!options.definitions) assert.equal(state.cards[0].steps[0].logs.startsWith("logs: 100/"), true);
    clean(reader);
    return null;
}

story("a page that stayed open shows what a fresh page shows, at any moment", async (t) => {
    const found = await refreshEquivalence(t);
    if (found) assert.deepEqual(found[0], found[1]);
});

// The story above has to notice when the page does not take in one type of event.
// Lines it asks for when they did not come, so of those it has to show all the same; of how many there
// are it shows the newest hundred, which it knows from those that come, so that there are fewer here.
const FEW = { "news.yaml": NEWS.replace("max_pages: 100", "max_pages: 30") };
for (const type of ["job_log", "step_progress", "job_status_change"]) {
    const isHealed = type === "job_log";
    story(`a page that misses ${type} ${isHealed ? "asks for it" : "is found out"}`, async (t) => {
        const without = (text) => {
            const frame = JSON.parse(text);
            if (frame.events) frame.events = frame.events.filter((event) => event.type !== type);
            return JSON.stringify(frame);
        };
        const prepare = (reader) =>
            reader.routeWebSocket("**/ws", (socket) => {
                const server = socket.connectToServer();
                server.onMessage((text) => socket.send(without(text)));
            });
        const found = await refreshEquivalence(t, { prepare, ...(isHealed && { definitions: FEW }) });
        if (found && isHealed) assert.deepEqual(found[0], found[1]);
        assert.equal(found === null, isHealed);
    });
}

story("two jobs at once keep their lines apart", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    const first = await runFromPage(reader, "endless");
    const second = await runFromPage(reader, "ticks");
    const numbers = (id) => {
        const rows = document.querySelectorAll(
            `.card[data-job-id="${id}"] .tree-step .tree-log-line`,
        );
        return rows.length > 30;
    };
    await until(reader, numbers, first);
    await until(reader, numbers, second);
    assert.equal(await ended(reader, second), "completed");
    assert.equal((await server.post(`/api/jobs/${first}/cancel`)).status, 200);
    assert.equal(await ended(reader, first), "cancelled");
    await assertFresh(t, server, reader, [first, second]);
    const { state } = await painted(reader);
    assert.deepEqual(state.cards.map((card) => card.id), [second, first]);
    const [log] = state.cards[0].steps.map((step) => step.log);
    const kept = (await server.get(`/api/jobs/${second}/logs?step=tick&order=desc&limit=100`)).body;
    assert.deepEqual(log.numbers, kept.logs.map((line) => line.line).reverse());
    clean(reader);
});

story("a job is cancelled from the page", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    const id = await runFromPage(reader, "endless");
    await until(reader, () => document.querySelector('.tree-log-line[data-line="5"]'));
    await reader.click(".card .cancel");
    await reader.click("dialog[open] [type=submit]");
    await reader.mouse.move(1, 1);
    assert.equal(await ended(reader, id), "cancelled");
    await until(reader, () => !document.querySelector("dialog[open]"));
    await assertFresh(t, server, reader, [id]);
    const [card] = (await painted(reader)).state.cards;
    assert.deepEqual(card.steps.map((step) => step.status), ["cancelled", "cancelled"]);
    assert.equal(card.cancel, null);
    assert.equal(card.error, "cancelled by page");
    clean(reader);
});

story("the server is killed and started again, and the page goes on by itself", async (t) => {
    const site = await newsroom(t, "--delay", "20");
    const data = await folder(t);
    let server = await serve(t, { definitions, data });
    const proxy = await Proxy.open(t, () => server.port); // whose port nobody else can take meanwhile
    const reader = await page(t, proxy, { quiet: /ERR_CONNECTION|ERR_EMPTY|WebSocket/ });
    const id = await runFromPage(reader, "news-crawler", { site: site.url, delay: "20ms" });
    await until(reader, () => document.querySelector('.tree-log-line[data-line="40"]'));
    await server.stop("SIGKILL");
    await until(reader, () => {
        const strip = document.querySelector(".strip");
        return strip.checkVisibility() && /^Offline since/.test(strip.innerText.trim()) &&
            document.querySelector(".cancel").disabled;
    });
    const off = await reader.evaluate(() => ({
        badge: document.querySelector(".badge").dataset.state,
        run: document.querySelector("#run").disabled,
        lines: document.querySelectorAll(".tree-log-line").length,
    }));
    assert.deepEqual({ ...off, lines: off.lines > 30 }, {
        badge: "offline", run: true, lines: true,
    });
    server = await serve(t, { definitions, data });
    await until(reader, () => !document.querySelector(".strip").checkVisibility());
    assert.equal(await ended(reader, id), "completed");
    await assertFresh(t, server, reader, [id]);
    clean(reader);
});

const ascii = (value) =>
    JSON.stringify(value).replace(/[\x7f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

story("hostile lines are text and nothing else", async (t) => {
    const hostile = [
        `<img src=x onerror="alert(1)"><script>alert(2)</script>&amp;`,
        `\u001b[31mred\u001b[0m \u001b]8;;http://127.0.0.1/\u0007link\u001b]8;;\u0007 \u001b[2J\u001b[Hend`,
        `bell\u0007 back\u0008space tab\there nul-free \u0001\u0002\u007f`,
        `\u202eright to left\u202c שלום مرحبا`,
        `{{ constructor.constructor('alert(3)')() }} x-data="alert(4)"`,
        `long ${"x".repeat(65500)} end`,
    ];
    const visible = [
        hostile[0],
        "red link end",
        "bell backspace tab\there nul-free ",
        hostile[3],
        hostile[4],
    ];
    const server = await serve(t, {
        definitions: {
            "hostile.yaml": ascii({
                id: "hostile",
                name: "<b>Hostile</b> {{ 1 + 1 }}",
                steps: [
                    {
                        name: "say",
                        type: "shell",
                        config: {
                            env: Object.fromEntries(hostile.slice(0, 5).map((s, i) => ["L" + i, s])),
                            command:
                                'for i in "$L0" "$L1" "$L2" "$L3" "$L4"; do printf "%s\\n" "$i"; done\n' +
                                "printf 'long '; head -c 65500 /dev/zero | tr '\\0' x; echo ' end'",
                        },
                    },
                ],
            }),
        },
    });
    const reader = await page(t, server);
    const id = await runFromPage(reader, "hostile");
    assert.equal(await ended(reader, id), "completed");
    await assertFresh(t, server, reader, [id]);
    const { logs } = (await server.get(`/api/jobs/${id}/logs?step=say`)).body;
    const texts = await reader.evaluate(() => {
        const rows = [...document.querySelectorAll(".tree-step .tree-log-line")];
        return rows.map((row) => row.querySelector(".tree-log-text").textContent);
    });
    assert.equal(texts.length, logs.length);
    const said = texts.slice(1);
    assert.deepEqual(said.slice(0, 5), visible);
    const long = logs.find((line) => line.message.startsWith("long ")).message;
    assert.ok(long.length > 60000, `the long line has ${long.length} characters`);
    assert.equal(said[5], long);
    const elements = await reader.evaluate(
        () => document.querySelectorAll(".tree-log-text *, .card-title b, main script, main img").length,
    );
    assert.equal(elements, 0);
    assert.equal((await painted(reader)).state.cards[0].title, "<b>Hostile</b> {{ 1 + 1 }}");
    assert.equal(await reader.evaluate(() => document.documentElement.scrollWidth), 1280);
    clean(reader);
});

story("a line has the same number on the page, over REST and over both sockets", async (t) => {
    const site = await newsroom(t);
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const plain = server.socket();
    await plain.next("status");
    const reader = await page(t, server);
    const id = await runFromPage(reader, "news-crawler", { site: site.url, delay: "0ms" });
    assert.equal(await ended(reader, id), "completed");
    await reached(reader, await new Heads(server).ask(topicsOf(id))); // its lines may come later
    const v1 = server.socket("tailrace.v1");
    await v1.next("status");
    v1.send({ op: "sub", topic: "job:" + id, since });
    await v1.next("end");
    await plain.next((m) => m.type === "job_status_change" && m.payload.kind === "job" &&
        m.payload.status === "completed");

    for (const step of ["crawl_news_sites", "report"]) {
        const of = (events) =>
            events
                .filter((e) => e.type === "job_log" && e.payload.step_name === step)
                .map(({ payload }) => [payload.line, payload.message]);
        const { logs, total_count: total } = (
            await server.get(`/api/jobs/${id}/logs?step=${step}&limit=1000`)
        ).body;
        const rest = logs.map((line) => [line.line, line.message]);
        assert.equal(rest.length, total);
        assert.deepEqual(rest.map(([line]) => line), rest.map((_, i) => i + 1));
        assert.deepEqual(of(plain.seen), rest);
        assert.deepEqual(of(v1.seen.filter((m) => m.type === "events").flatMap((m) => m.events)), rest);
        assert.deepEqual(await everyLine(reader, logs[0].step_id), rest);
    }
    await Promise.all([plain.close(), v1.close()]);
    clean(reader);
});

story("a keyboard is enough to run and to cancel", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    const press = async (...keys) => {
        for (const key of keys) await reader.keyboard.press(key);
    };
    const focus = (wanted) =>
        until(reader, (wanted) => document.querySelector(wanted) === document.activeElement, wanted);
    await press("r");
    await focus("#endless-run");
    await press("ArrowDown");
    await focus("#news-crawler-run");
    await press("Enter");
    await focus("#parameter-site");
    await press("Escape");
    await focus("#run");
    await press("r");
    await focus("#endless-run");
    await press("Enter");
    await until(reader, () => document.querySelector('.tree-log-line[data-line="3"]'));
    await press("j");
    await focus(".disclosure");
    await press("j");
    await focus(".tree-step-header");
    await press("ArrowLeft");
    await until(reader, () => document.querySelector('.tree-step-header[aria-expanded="false"]'));
    await press("ArrowRight", "k");
    await focus(".disclosure");
    await press("x");
    await focus("dialog[open] button");
    await press("Tab", "Enter");
    await until(reader, () => document.querySelector('.label[data-status="cancelled"]'));
    clean(reader);
});

story("the theme that was chosen stays", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    const shade = (r) =>
        r.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0] < 128);
    assert.equal(await shade(reader), false);
    await reader.click('[aria-label="Theme: auto"]');
    await reader.click('[aria-label="Theme: light"]');
    await until(reader, () => document.documentElement.dataset.theme === "dark");
    assert.equal(await shade(reader), true);
    const next = await page(t, server, { context: reader.context() });
    assert.equal(await shade(next), true);
    assert.equal(await next.getAttribute(".top [aria-label^=Theme]", "aria-label"), "Theme: dark");
    const other = await page(t, server, { dark: true });
    assert.equal(await shade(other), true);
    clean(reader, next, other);
});

story("nothing is wider than a phone", async (t) => {
    const site = await newsroom(t);
    const server = await serve(t, { definitions });
    const reader = await page(t, server, { width: 390, height: 844 });
    const fits = async (what) => {
        const wide = await reader.evaluate(() => [
            document.documentElement.scrollWidth,
            ...[...document.querySelectorAll("main *, header *, dialog[open], dialog[open] *")]
                .filter((el) => el.checkVisibility() && !el.closest(".log-scroll, .spoken"))
                .map((el) => Math.ceil(el.getBoundingClientRect().right)),
        ]);
        assert.ok(Math.max(...wide) <= 390, `${what} is ${Math.max(...wide)} px wide`);
    };
    await fits("the empty page");
    await reader.click("#run");
    await until(reader, () => document.querySelector("#endless-run"));
    await fits("the menu");
    await reader.click("#news-crawler-run");
    await until(reader, () => document.activeElement.id === "parameter-site");
    await fits("the form");
    await reader.keyboard.press("Escape");
    await until(reader, () => document.activeElement.id === "run");
    const running = await runFromPage(reader, "endless");
    await until(reader, () => document.querySelector('.tree-log-line[data-line="8"]'));
    await fits("a running job");
    await reader.click(".card .cancel");
    await fits("the question");
    await reader.click("dialog[open] [type=submit]");
    assert.equal(await ended(reader, running), "cancelled");
    const id = await runFromPage(reader, "news-crawler", { site: site.url, delay: "0ms" });
    assert.equal(await ended(reader, id), "completed");
    await fits("a completed job");
    await assertNarrow(t, server, id);
    clean(reader);
});

async function assertNarrow(t, server, id) {
    const narrow = await page(t, server, { width: 320, height: 700 });
    await until(narrow, (id) => document.querySelector(`.card[data-job-id="${id}"] .tree-log-line`), id);
    assert.ok((await narrow.evaluate(() => document.documentElement.scrollWidth)) <= 320);
    clean(narrow);
}

// How long it takes is told, not asserted: a test machine may be busy.
story("the first line is there soon after the job was asked for", async (t) => {
    const site = await newsroom(t);
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    await reader.evaluate(() => {
        window.firsts = {};
        const look = () => {
            for (const card of document.querySelectorAll(".card")) {
                if (window.firsts[card.dataset.jobId] || !card.querySelector(".tree-log-line")) continue;
                window.firsts[card.dataset.jobId] = Infinity;
                requestAnimationFrame(() => (window.firsts[card.dataset.jobId] = performance.now()));
            }
        };
        new MutationObserver(look).observe(document.querySelector("tailrace-queue"), {
            subtree: true,
            childList: true,
        });
    });
    const times = [];
    for (let i = 0; i < 5; i++) {
        const id = await runFromPage(reader, "news-crawler", { site: site.url, delay: "0ms" });
        await until(reader, (id) => window.firsts[id] < Infinity, id);
        await ended(reader, id);
        times.push(
            await reader.evaluate((id) => {
                const asked = performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/execute"));
                return window.firsts[id] - asked.at(-1).startTime;
            }, id),
        );
    }
    times.forEach((ms) => assert.ok(ms > 0));
    t.diagnostic("execute → first line painted, ms: " + times.map((ms) => ms.toFixed(0)).join(", "));
    clean(reader);
});
