// Answers that come late, out of order or not at all: what a page shows is what it asked for last, and
// what could not be asked for is asked for again. (never again: 1, 7)

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { folder, serve } from "../api/server.mjs";
import { Proxy } from "../faults/proxy.mjs";
import { frames, newsroom, page, quit, until } from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 120000 }, run);

const CRAWL = "id: crawl\nname: Crawl\nparameters: { site: {} }\nsteps:\n  - { name: c, type: crawler, config: { start_urls: ['{site}'], max_pages: 6, exclude_patterns: [slow, endless, large] } }\n";
// Between its two outputs it waits until the server has read the one before.
const WARNS = `id: warns
name: Warns
parameters: { go: }
steps:
  - name: w
    type: shell
    config:
      command: |
        go() { until test -e $PARAM_GO/$1; do sleep 0.02; done; }
        seq 3000; go trouble; echo trouble >&2; go on; seq 3000
`;
const SAYS = "id: says\nname: Says\nsteps:\n  - { name: s, type: shell, config: { command: 'echo word' } }\n";

const text = (selector) => document.querySelector(selector)?.innerText;

// Holds back the first answer to a question that `isIt(url)`. Returns a function that lets it go, and
// waits until the page has it.
async function hold(reader, isIt) {
    let go, isFirst = true;
    const gone = new Promise((resolve) => (go = resolve));
    let held;
    const asked = new Promise((resolve) => (held = resolve));
    await reader.route(isIt, async (route) => {
        if (!isFirst) return route.fallback();
        isFirst = false;
        held();
        const answer = await route.fetch();
        await gone;
        await route.fulfill({ response: answer });
    });
    const release = async () => {
        const finished = reader.waitForEvent("requestfinished", (request) => isIt(new URL(request.url())));
        go();
        await finished;
        await frames(reader);
    };
    return { asked, release };
}

async function documentsOf(t) {
    const site = await newsroom(t);
    const server = await serve(t, { definitions: { "crawl.yaml": CRAWL } });
    await server.run("crawl", { site: site.url });
    const { documents } = (await server.get("/api/documents")).body;
    return { server, site, documents };
}

story("a document that was opened after another stays, whichever answer is the later one", async (t) => {
    const { server, documents: [a, b] } = await documentsOf(t);
    const reader = await page(t, server, { path: "/documents" });
    const { asked, release } = await hold(reader, (url) => url.pathname === "/api/documents/" + a.id);
    await reader.click(`.document[href="/documents/${a.id}"]`);
    await asked;
    await reader.click(`.document[href="/documents/${b.id}"]`);
    await until(reader, (title) => document.querySelector("#document-title").innerText === title, b.title);
    await release();
    assert.equal(await reader.evaluate(text, "#document-title"), b.title);
    assert.equal(new URL(reader.url()).pathname, "/documents/" + b.id);
    assert.deepEqual(reader.complaints, []);
});

story("a document that is not there is said to be, also when the list comes after", async (t) => {
    const { server, documents } = await documentsOf(t);
    let list;
    const prepare = async (reader) => (list = await hold(reader, (url) => url.pathname === "/api/documents"));
    const reader = await page(t, server, { path: "/documents/nobody", prepare, quiet: /404/ });
    await until(reader, () => document.querySelector(".problem").innerText.includes("nobody"));
    await list.release();
    await until(reader, (n) => document.querySelectorAll(".document").length === n, documents.length);
    assert.match(await reader.innerText(".problem"), /nobody/);
});

story("a definition that was opened after another stays, whichever answer is the later one", async (t) => {
    const server = await serve(t, { definitions: { "crawl.yaml": CRAWL, "says.yaml": SAYS } });
    const reader = await page(t, server, { path: "/definitions" });
    const { asked, release } = await hold(reader, (url) => url.pathname === "/api/job-definitions/crawl");
    await reader.click("text=Crawl");
    await asked;
    await reader.click('[data-definition-id="says"] h2 a');
    await until(reader, () => document.querySelector("#source").value.includes("echo word"));
    await release();
    assert.match(await reader.inputValue("#source"), /echo word/);
    assert.deepEqual(reader.complaints, []);
});

story("the answer to a run, or to a cancel, closes no form but its own", async (t) => {
    const server = await serve(t, { definitions: { "crawl.yaml": CRAWL, "says.yaml": SAYS, "hangs.yaml": SAYS.replaceAll("says", "hangs").replace("echo word", "exec sleep 1000") } });
    for (let i = 0; i < 2; i++) await server.execute("hangs");
    const reader = await page(t, server);
    const form = (name) => until(reader, (name) => document.querySelector("dialog[open] h2")?.innerText.includes(name), name);
    const run = await hold(reader, (url) => url.pathname.endsWith("/execute"));
    await reader.click("#run");
    await reader.click("#says-run"); // without a form
    await run.asked;
    await reader.click("#run");
    await reader.click("#crawl-run");
    await form("Run Crawl");
    await run.release();
    assert.equal(await reader.isVisible("#parameter-site"), true);
    await reader.keyboard.press("Escape");

    const cancel = await hold(reader, (url) => url.pathname.endsWith("/cancel"));
    const ask = () => reader.click(".card[data-status=running] .cancel");
    await ask();
    await reader.click("dialog[open] [type=submit]");
    await cancel.asked;
    await reader.keyboard.press("Escape");
    await until(reader, () => document.querySelectorAll(".card[data-status=cancelled]").length === 1);
    await ask();
    await form("Cancel");
    await cancel.release();
    assert.equal(await reader.isVisible("dialog[open] [type=submit]"), true);
    assert.deepEqual(reader.complaints, []);
});

story("what is typed while a definition is saved stays", async (t) => {
    const server = await serve(t);
    const source = (word) => SAYS.replace("word", word);
    await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: source("one") });
    const reader = await page(t, server, { path: "/definitions/says" });
    await until(reader, () => document.querySelector("#source").value.includes("echo one"));
    await reader.fill("#source", source("two"));
    const { asked, release } = await hold(reader, (url) => url.pathname === "/api/job-definitions/says");
    await reader.click(".editor-head .primary");
    await asked;
    await reader.fill("#source", source("three"));
    await release();
    assert.equal(await reader.inputValue("#source"), source("three"));
    await Promise.all([reader.waitForResponse((response) => response.request().method() === "PUT"), reader.click(".editor-head .primary")]);
    assert.equal((await server.get("/api/job-definitions/says")).body.source, source("three"));
    assert.deepEqual(reader.complaints, []);
});

story("marks of errors that could not be asked for come later", async (t) => {
    const server = await serve(t, { definitions: { "warns.yaml": WARNS } });
    const go = await folder(t);
    const id = await server.execute("warns", { go });
    for (const [message, next] of [["3000", "trouble"], ["trouble", "on"]]) {
        await server.event(id, ({ type, payload }) => type === "job_log" && payload.message === message);
        await writeFile(path.join(go, next), "");
    }
    await server.events(`job:${id}?min=none`, await server.beginning());
    const { lines } = (await server.get(`/api/jobs/${id}/search?step=w&level=warn`)).body;
    assert.ok(lines[0] > 1000 && lines[0] < 5000, "it is neither at the top nor among the newest: " + lines);
    let failures = 0;
    const prepare = (reader) =>
        reader.route((url) => url.pathname.endsWith("/search"), (route) => (failures < 2 ? (failures++, route.abort()) : route.fallback()));
    const reader = await page(t, server, { path: "/jobs/" + id + "#L1", prepare, quiet: /ERR_FAILED/ });
    await until(reader, () => document.querySelector(".log-map")?.style.getPropertyValue("--marks").includes("--warn"));
    assert.equal(failures, 2);
});

story("a server in trouble is asked less and less often", async (t) => {
    const { server, site } = await documentsOf(t);
    const reader = await page(t, server, { path: "/documents", quiet: /503/ });
    await until(reader, () => document.querySelectorAll(".document").length);
    const times = [];
    let told;
    const enough = new Promise((resolve) => (told = resolve));
    await reader.route((url) => url.pathname === "/api/documents", (route) => {
        if (times.push(performance.now()) === 4) told();
        return route.fulfill({ status: 503, json: { error: "the server is stopping", code: "busy" } });
    });
    await server.run("crawl", { site: site.url });
    await enough;
    const pauses = times.slice(1).map((time, i) => time - times[i]);
    assert.ok(pauses[1] > 1900 && pauses[2] > 3800, pauses.map(Math.round).join(", ") + " ms");
});

story("what is loaded when it is wanted is there when the server is not, and says so if it never came", async (t) => {
    const server = await serve(t, { definitions: { "says.yaml": SAYS } });
    let isOn = true;
    const proxy = await Proxy.open(t, () => (isOn ? server.port : null));
    const offline = async (reader) => {
        await until(reader, () => document.querySelector(".badge").dataset.state === "offline");
        await reader.keyboard.press("Control+k");
    };
    const isPalette = (url) => /\/assets\/palette-/.test(url.pathname);
    const preloaded = [];
    const watch = (reader) => reader.on("requestfinished", (request) => isPalette(new URL(request.url())) && preloaded.push(1));
    const reader = await page(t, proxy, { quiet: /WebSocket|ERR_/, prepare: watch });
    if (!preloaded.length) await reader.waitForEvent("requestfinished", (request) => isPalette(new URL(request.url())));
    const refuse = (reader) => reader.route(isPalette, (route) => route.abort());
    const other = await page(t, proxy, { quiet: /WebSocket|ERR_|Failed to fetch/, prepare: refuse });
    isOn = false;
    proxy.cut();
    await offline(reader);
    await until(reader, () => document.querySelector("dialog.palette[open]"));
    await offline(other);
    await until(other, () => /could not be loaded/.test(document.querySelector(".toasts").innerText));
    await other.unroute(isPalette);
    isOn = true;
    await until(other, () => document.querySelector(".badge").dataset.state === "live");
    await other.keyboard.press("Control+k");
    await until(other, () => document.querySelector("dialog.palette[open]"));
});
