// What is understood at a glance: what runs, how far it is, what waits and why, how it ended; in
// words, shapes and colours, on the page, in its tab and aloud.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { folder, listener, serve } from "../api/server.mjs";
import { page, quit, until } from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 120000 }, run);
const clean = (reader) => assert.deepEqual(reader.complaints, []);

const definitions = {
    "talks.yaml": `id: talks
name: Talks
steps:
  - { name: talk, type: generator, config: { worker_count: 4, log_count: 100000, lines_per_second: 40, concurrency: 1 } }
  - { name: after, type: shell, depends: [talk], config: { command: "true" } }
`,
    "fails.yaml": `id: fails
name: Fails
parameters: { place: { default: somewhere } }
steps:
  - { name: bad, type: shell, config: { command: "echo broken >&2; exit 3" } }
  - { name: then, type: shell, depends: [bad], config: { command: "true" } }
`,
    "good.yaml": "id: good\nname: Good\nsteps:\n  - { name: say, type: shell, config: { command: 'seq 5' } }\n",
};

/* ---- the queue ---- */

story("a card says how far a job is, how fast it writes, and what its steps wait for", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    const job = await server.execute("talks");
    await until(reader, () => /\d\/s [▁▂▃▄▅▆▇█]+/.test(document.querySelector(".card-head")?.innerText));
    await until(reader, () => /\d+ s/.test(document.querySelector(".card-head").innerText));
    const { steps, label } = await reader.evaluate((job) => ({
        steps: [...document.querySelectorAll(".card .tree-step")].map((el) => [
            el.querySelector(".tree-step-header .tree-step-name").innerText,
            el.querySelector(".tree-step-header .tree-step-status").innerText,
            el.querySelector(".tree-step-header").innerText.replaceAll("\n", " "),
        ]),
        label: document.querySelector(`.card .card-title, span.label[data-job-id="${job}"]`) && document.querySelector(`span.label[data-status=running][data-job-id="${job}"]`).innerText,
    }), job);
    assert.equal(label, "running");
    assert.deepEqual(steps.map(([name, status]) => [name, status]), [["talk", "running"], ["after", "pending"]]);
    assert.match(steps[0][2], /logs: \d+\/\d+/);
    assert.match(steps[1][2], /waits for talk/);
    // What tests and styles of others may rely on.
    for (const hook of [".tree-step[data-step-id]", ".tree-step-logs .tree-log-line[data-line] .tree-log-num", ".tree-log-line .tree-log-text"])
        assert.ok(await reader.$(hook), hook);
    await reader.click("#run-button, button:has-text('Run')");
    await until(reader, () => document.getElementById("talks-run")?.checkVisibility());
    clean(reader);
});

story("a job that waits says for what, and how far it is in the line", async (t) => {
    const hold = (id, more) => `id: ${id}\nname: ${id}\n${more}steps:\n  - { name: s, type: shell, config: { command: "exec sleep 1000" } }\n`;
    const server = await serve(t, { definitions: { "one.yaml": hold("one", "pool: gate\n"), "soon.yaml": hold("soon", "pool: gate\npriority: 5\n") }, args: ["--pool", "gate=1"] });
    const running = await server.execute("one");
    const second = await server.execute("one");
    const third = await server.execute("one");
    const queue = await page(t, server);
    const job = await page(t, server, { path: "/jobs/" + third });
    const says = (id, text) => until(queue, ([id, text]) => document.querySelector(`[data-job-id="${id}"] .card-said`)?.innerText === text, [id, text]);
    const waits = (n) => `number ${n} in line for a place of pool gate (1 at once)`;
    await says(second, waits(1));
    await says(third, waits(2));
    const head = (text) => until(job, (text) => document.querySelector(".job-why").innerText === text, text);
    await head("N" + waits(2).slice(1) + ".");
    const first = await server.execute("soon"); // it has the higher priority
    await says(first, waits(1));
    await says(third, waits(3));
    await head("N" + waits(3).slice(1) + ".");
    for (const id of [first, running]) await server.post(`/api/jobs/${id}/cancel`);
    await says(third, waits(1));
    await head("N" + waits(1).slice(1) + ".");
    await server.post(`/api/jobs/${second}/cancel`);
    await until(job, () => document.querySelector(".job-head .label").dataset.status === "running" && !document.querySelector(".job-why").checkVisibility());
    for (const reader of [queue, job]) assert.deepEqual(reader.complaints, []);
});

story("a step that the reader has closed stays closed while it writes, until it is opened", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server);
    await server.execute("talks");
    const isOpen = (open) => until(reader, (open) => document.querySelector(".tree-step-header")?.ariaExpanded === String(open), open);
    const lines = () => reader.evaluate(() => Number(/\/(\d+)/.exec(document.querySelector(".tree-step .step-logs").innerText)?.[1] ?? 0));
    await until(reader, () => document.querySelectorAll(".tree-log-line").length > 5);
    await isOpen(true);
    await reader.click(".tree-step-header");
    await isOpen(false);
    await reader.mouse.move(5, 700);
    const before = await lines();
    await until(reader, (before) => Number(/\/(\d+)/.exec(document.querySelector(".tree-step .step-logs").innerText)?.[1] ?? 0) > before + 40, before);
    await isOpen(false);
    await reader.click(".tree-step-header");
    await until(reader, () => document.querySelectorAll(".tree-log-line").length > 5);
    clean(reader);
});

story("what is under the pointer stays there when other jobs come", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server, { height: 700 });
    // The newest one is open, with all its lines.
    const settled = (count) =>
        until(reader, (count) => document.querySelectorAll(".card").length === count && document.querySelectorAll(".card:first-child .tree-log-text:not(:empty)").length > 8, count);
    for (let i = 0; i < 6; i++) await server.run("good");
    await settled(6);
    await reader.evaluate(() => scrollTo(0, 120));
    const id = await reader.evaluate(() => document.querySelectorAll(".card")[4].querySelector(".label").dataset.jobId);
    const at = () => reader.evaluate((id) => document.querySelector(`.label[data-job-id="${id}"]`).getBoundingClientRect().top, id);
    const { x, y } = await reader.evaluate((id) => document.querySelector(`.label[data-job-id="${id}"]`).getBoundingClientRect().toJSON(), id);
    await reader.mouse.move(x + 2, y + 2);
    await reader.mouse.move(x + 3, y + 3);
    const before = await at();
    for (let count = 7; count <= 9; count++) {
        await server.run("good");
        await settled(count);
        assert.ok(Math.abs((await at()) - before) < 1, `it moved by ${(await at()) - before} px`);
    }
    clean(reader);
});

story("where the reader has scrolled to is held, also when the page grew meanwhile", async (t) => {
    const server = await serve(t, { definitions });
    for (let i = 0; i < 8; i++) await server.run("good");
    const reader = await page(t, server, { height: 500 });
    const settled = (count) =>
        until(reader, (count) => document.querySelectorAll(".card").length === count && document.querySelectorAll(".card:first-child .tree-log-text:not(:empty)").length > 8, count);
    await settled(8);
    const scrolled = (to, padding) =>
        reader.evaluate(async ([to, padding]) => {
            document.querySelector("main").style.paddingBottom = padding + "px";
            scrollTo(0, to);
            for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
            const card = document.elementFromPoint(innerWidth / 2, 80).closest(".card");
            return { id: card.dataset.jobId, top: card.getBoundingClientRect().top };
        }, [to, padding]);
    await scrolled(150, 1000);
    await scrolled(200, 1000);
    const { id, top } = await scrolled(450, 2000);
    await server.run("good");
    await settled(9);
    const now = await reader.evaluate((id) => document.querySelector(`.card[data-job-id="${id}"]`).getBoundingClientRect().top, id);
    assert.ok(Math.abs(now - top) < 1, `it moved by ${now - top} px`);
    // A script scrolls where nothing tells of it before the page is measured again.
    const at = await reader.evaluate(async () => {
        const frame = () => new Promise(requestAnimationFrame);
        await frame();
        scrollTo(0, 250);
        document.querySelector(".card").style.paddingTop = "50px";
        await frame();
        await frame();
        return scrollY;
    });
    assert.equal(at, 250);
    clean(reader);
});

/* ---- a job ---- */

story("a job's header has its facts, its last 20 runs and why it ended", async (t) => {
    const server = await serve(t, { definitions });
    for (let i = 0; i < 21; i++) await server.run("fails");
    const job = await server.run("fails", { place: "elsewhere" });
    const reader = await page(t, server, { path: "/jobs/" + job });
    await until(reader, () => document.querySelectorAll(".job-runs a").length === 20);
    await until(reader, () => document.querySelector(".job-facts").innerText.includes("elsewhere"));
    const facts = await reader.evaluate(() => document.querySelector(".job-facts").innerText.replace(/\s+/g, " "));
    assert.match(facts, /Definition fails Started \d\d:\d\d By API Took \d.* place elsewhere/);
    await until(reader, () => document.querySelector(".job-head, main").innerText.includes("step 'bad': exit code 3"));
    const colour = (selector) => reader.evaluate((selector) => getComputedStyle(document.querySelector(selector)).color, selector);
    assert.equal(await colour(".job-runs a"), await colour(".job-head .label"), "a run has the colour of its state");
    clean(reader);
});

story("the tab says how a job is: its title and its sign", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    const reader = await page(t, server, { path: "/jobs/" + job });
    const icon = (name) => until(reader, (name) => document.querySelector("link[rel=icon]").href === (name ? document.querySelector(`link[rel=tailrace-icon-${name}]`).href : location.origin + "/favicon.svg"), name);
    await until(reader, () => document.title.includes("running · Talks"));
    await icon("running");
    const running = await fetch(await reader.evaluate(() => document.querySelector("link[rel=icon]").href));
    assert.equal(await running.text(), await readFile(new URL("../../ui/favicon-running.svg", import.meta.url), "utf8"));
    await server.post(`/api/jobs/${job}/cancel`);
    await until(reader, () => document.title.includes("cancelled · Talks"));
    await icon("");
    const failed = await server.run("fails");
    const other = await page(t, server, { path: "/jobs/" + failed });
    await until(other, () => document.title.includes("failed · Fails"));
    clean(reader);
});

story("a log is spoken of every ten seconds at most, and its lines have their place in the list", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    const reader = await page(t, server, { path: `/jobs/${job}?step=talk`, prepare: (reader) => reader.addInitScript(watchVoice) });
    await until(reader, () => window.said?.length >= 2);
    const said = await reader.evaluate(() => window.said);
    for (const { text } of said) assert.match(text, /^[\d,]+ lines?, [\d,]+ errors?, [\d,]+ warnings?$/);
    const ms = said[1].seen - said[0].frame; // however long it took to paint
    assert.ok(ms > 9990, `${ms} ms`);
    const list = await reader.evaluate(() => {
        const el = document.querySelector(".tree-log-line");
        const { role } = el.parentElement;
        return { live: el.closest("[role=log]").ariaLive, list: role, item: el.role, at: el.ariaPosInSet, line: el.dataset.line, size: Number(el.ariaSetSize) };
    });
    assert.deepEqual([list.live, list.list, list.item, list.at], ["off", "list", "listitem", list.line]);
    assert.equal(list.size, -1, "nobody knows yet how many there will be");
    clean(reader);
});

// Notes what the page's log has a screen reader say, in which frame, and when that was seen.
function watchVoice() {
    window.said = [];
    new MutationObserver((changes) => {
        for (const { target } of changes)
            if (target.nodeType === 1 && target.matches(".log-status .spoken") && target.textContent)
                window.said.push({ text: target.textContent, frame: document.timeline.currentTime, seen: performance.now() });
    }).observe(document, { subtree: true, childList: true });
}

story("the whole log is downloaded as it is stored", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.run("good");
    const reader = await page(t, server, { path: `/jobs/${job}?step=say` });
    await until(reader, () => document.querySelector(".tree-log-text"));
    const [download] = await Promise.all([reader.waitForEvent("download"), reader.click("text=Download")]);
    const { text } = await server.get(`/api/jobs/${job}/logs.txt?step=say`);
    assert.equal(await readFile(await download.path(), "utf8"), text);
    assert.match(text, /\b5\n/);
    clean(reader);
});

/* ---- what there is besides lines ---- */

const told = (url, more = "") => `id: told
name: Told
secrets: { key: { env: PATH }, token: { env: PATH } }
webhooks:
  - { url: "${url}/told", on: [completed, failed], secret: key, retry: { attempts: 2, backoff: 10ms } }
${more}steps:
  - { name: say, type: shell, config: { command: 'until test -e "$PARAM_GO"; do sleep 0.02; done' } }
`;

story("a job says how large it is when it has ended, and what became of its webhooks", async (t) => {
    const receiver = await listener(t, (request, response, times) => response.writeHead(times === 1 ? 503 : 204).end());
    const go = path.join(await folder(t), "go");
    const server = await serve(t, { definitions: { "told.yaml": told(receiver.url, "parameters: { go: }\n") } });
    const job = await server.execute("told", { go });
    const reader = await page(t, server, { path: "/jobs/" + job });
    await until(reader, () => document.querySelector(".job-facts").innerText.includes("Runs for") && document.querySelector(".job-facts").innerText.includes("go"));
    assert.ok(!(await reader.innerText(".job-facts")).includes("Size"), "nobody knows yet");
    await writeFile(go, "");
    await until(reader, () => document.querySelectorAll(".job-hooks li").length === 2);
    const [failed, taken] = await reader.evaluate(() => [...document.querySelectorAll(".job-hooks li")].map((el) => [el.dataset.status, el.innerText]));
    assert.deepEqual([failed[0], taken[0]], ["warning", "completed"]);
    assert.match(failed[1], /^Webhook \d\d:\d\d · http:.*\/told: attempt 1 of 2: HTTP 503 Service Unavailable; the next one in /);
    assert.match(taken[1], /^Webhook \d\d:\d\d · http:.*\/told: taken, 204 No Content, \d+ ms$/);
    const { body } = await server.get("/api/jobs/" + job);
    await until(reader, (size) => document.querySelector(".job-facts").innerText.replace(/\s+/g, " ").includes("Size " + size), `${(body.bytes / 1000).toFixed(1)} KB`);
    const other = await page(t, server, { path: "/jobs/" + job });
    await until(other, () => document.querySelectorAll(".job-hooks li").length === 2);
    clean(reader);
    clean(other);
});

story("a definition says which secrets it names, whom it tells, and who is next", async (t) => {
    const both = { "told.yaml": told("http://127.0.0.1:9", "parameters: { go: '' }\npool: database\npriority: 5\nmax_running: 2\n"), "good.yaml": definitions["good.yaml"] };
    const server = await serve(t, { definitions: both, args: ["--pool", "database=3"] });
    const reader = await page(t, server, { path: "/definitions" });
    await until(reader, () => document.querySelectorAll(".definition").length === 2);
    const facts = (id, what) => reader.innerText(`[data-definition-id="${id}"] .definition-${what}`);
    assert.match(await facts("told", "facts"), /^1 step · pool database · 2 at once · priority 5 · secrets key, token · /);
    assert.equal(await facts("told", "hooks"), "tells http://127.0.0.1:9/told when completed or failed");
    assert.match(await facts("good", "facts"), /^1 step · \//);
    assert.equal(await reader.isVisible('[data-definition-id="good"] .definition-hooks'), false);
    clean(reader);
});

// Ways in which a secret may be printed are in tests/api/masking.test.mjs: here it is what a reader has of them.
story("a secret is on no page, and comes to none", async (t) => {
    const secret = "tök/en+with 'all' <b>odd</b> & ends";
    const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("base64").slice(0, -4), secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")];
    const printer = path.join(await folder(t), "print.cjs");
    await writeFile(printer, `const { writeSync } = require("node:fs"), s = process.env.SECRET_TOKEN, b = Buffer.from(s);
for (const byte of b) writeSync(1, Buffer.from([byte]));
console.log([" bytes", s, JSON.stringify(s), encodeURIComponent(s), b.toString("hex"), b.toString("base64")].join("\\n"));
process.exitCode = 3;
`);
    const text = `id: hides\nname: Hides\nsecrets: { token: { env: THE_TOKEN } }\nsteps:\n  - { name: print, type: shell, retry: { attempts: 2, backoff: 1ms }, config: { command: "${process.execPath} ${printer}" } }\n`
        + `  - { name: ask, type: http, when: { print: failed }, config: { url: "http://127.0.0.1:1/{secrets.token}" } }\n`;
    const server = await serve(t, { definitions: { "hides.yaml": text }, env: { THE_TOKEN: secret } });
    const came = [];
    const prepare = (reader) => {
        reader.on("websocket", (ws) => ws.on("framereceived", ({ payload }) => came.push(String(payload))));
        reader.on("response", async (response) => came.push(await response.text().catch(() => "")));
    };
    const queue = await page(t, server, { prepare });
    const id = await server.execute("hides");
    const job = await page(t, server, { prepare, path: "/jobs/" + id });
    const definition = await page(t, server, { prepare, path: "/definitions" });
    for (const reader of [queue, job]) await until(reader, () => document.querySelector(".label").dataset.status === "failed" && /\*\*\* bytes/.test(document.body.innerText));
    await until(definition, () => document.querySelector(".definition"));
    assert.ok(came.some((text) => text.includes("*** bytes")), "what came was looked at");
    for (const reader of [queue, job, definition]) came.push(await reader.content(), await reader.evaluate(() => document.body.innerText + JSON.stringify({ ...localStorage, ...sessionStorage })));
    for (const text of came) for (const form of forms) assert.ok(!text.includes(form), `${form} in ${text.slice(Math.max(0, text.indexOf(form) - 200)).slice(0, 400)}`);
    for (const reader of [queue, job, definition]) clean(reader);
});

story("a disk that is slow, or takes nothing, is told, and when that is over", async (t) => {
    const server = await serve(t, { definitions });
    let change = (status) => (status.lag.p99_commit_us = 2_340_000);
    const prepare = (reader) =>
        reader.route("**/api/status", async (route) => {
            const response = await route.fetch();
            const status = await response.json();
            change(status);
            await route.fulfill({ response, json: status });
        });
    const reader = await page(t, server, { prepare });
    const said = (text) => until(reader, (text) => { const el = document.querySelector('[aria-label="Disk"]'); return text ? el.innerText.trim() === text : !el.checkVisibility(); }, text);
    const look = () => reader.evaluate(() => document.dispatchEvent(new Event("visibilitychange"))); // who comes back to a page
    await said("The disk is slow: it takes up to 2.3 s until what a job says is seen");
    change = (status) => (status.trouble = "cannot commit, trying again: the disk is full");
    await look();
    await said("Cannot commit, trying again: the disk is full");
    change = () => {};
    await look();
    await said("");
    clean(reader);
});

/* ---- states ---- */

const COLOURS = {
    completed: ["#00705a", "#5fdcc2"],
    failed: ["#b3001b", "#ff6a5e"],
    running: ["#0757b8", "#6cb6ff"],
    pending: ["#57606a", "#9198a1"],
    cancelled: ["#57606a", "#9198a1"],
    skipped: ["#57606a", "#9198a1"],
};
const rgb = (hex) => `rgb(${hex.match(/\w\w/g).map((part) => parseInt(part, 16)).join(", ")})`;

story("each state has its word, its own shape and its colour, light and dark", async (t) => {
    const server = await serve(t, { definitions });
    const cancelled = await server.execute("talks");
    await server.post(`/api/jobs/${cancelled}/cancel`);
    await server.run("good");
    await server.run("fails");
    await server.execute("talks");
    for (const [theme, dark] of [false, true].entries()) {
        const reader = await page(t, server, { dark });
        await until(reader, () => document.querySelectorAll(".card").length === 4 && document.querySelector(".tree-log-line"));
        for (const el of await reader.$$(".card .disclosure[aria-expanded=false]")) await el.click();
        await until(reader, () => document.querySelectorAll(".tree-step").length === 7);
        const seen = await reader.evaluate(() => {
            const all = {};
            for (const el of document.querySelectorAll(".label, .tree-step")) {
                const word = el.matches(".label") ? el : el.querySelector(".tree-step-status");
                const use = (el.matches(".label") ? el : el.querySelector(".tree-step-header")).querySelector(".shape use");
                const { color } = getComputedStyle(word);
                all[el.dataset.status] = [...(all[el.dataset.status] ?? []), [word.innerText.trim(), use.getAttribute("href"), color].join(" ")];
            }
            return all;
        });
        const shapes = new Set();
        for (const [status, colours] of Object.entries(COLOURS)) {
            assert.deepEqual([...new Set(seen[status])], [`${status} #s-${status} ${rgb(colours[theme])}`], status);
            shapes.add(await reader.evaluate((id) => document.getElementById(id)?.innerHTML, `s-${status}`));
        }
        assert.ok(!shapes.has(undefined) && shapes.size >= 5, "waiting and cancelled are not the same sign"); // cancelled and skipped share one
        clean(reader);
    }
});

story("from a phone to a screen of 4k the header stands above what it heads, and a share keeps its line", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("talks");
    for (const [path, ready] of [["/queue", ".card-meter .meter-word"], ["/jobs/" + job, ".job-head h1"]]) {
        const reader = await page(t, server, { path });
        await until(reader, (ready) => document.querySelector(ready)?.checkVisibility(), ready);
        for (const width of [320, 390, 768, 1280, 1920, 3840]) {
            await reader.setViewportSize({ width, height: 900 });
            const { heads, wide, lines } = await reader.evaluate(() => {
                const box = (selector) => document.querySelector(selector).getBoundingClientRect();
                const main = document.querySelector("main"), style = getComputedStyle(main);
                return {
                    heads: Math.abs(box(".brand").left - box("main").left - parseFloat(style.paddingLeft)),
                    wide: document.documentElement.scrollWidth,
                    lines: [...document.querySelectorAll(".meter-word")].filter((el) => el.checkVisibility()).map((el) => el.getClientRects().length && el.offsetHeight / parseFloat(getComputedStyle(el).fontSize)),
                };
            });
            assert.ok(heads <= 20, `${path} at ${width}: the header begins ${heads} px beside the page`);
            assert.ok(wide <= width, `${path} is ${wide} px wide at ${width}`);
            assert.ok(lines.every((line) => line < 2), `${path} at ${width}: a share of ${lines} lines`);
        }
        clean(reader);
    }
});
