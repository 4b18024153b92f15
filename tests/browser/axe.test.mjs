// Accessibility: axe-core finds nothing to complain about, on any page, in both themes, three
// widths, and whatever state the page is in.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, test } from "node:test";

import { serve } from "../api/server.mjs";
import { newsroom, page, quit, until } from "./browser.mjs";

after(quit);

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const THEMES = [false, true]; // dark?
const WIDTHS = [320, 768, 1440];

const DEFINITION = `
id: mixed
name: Mixed
parameters: { site: {} }
steps:
  - { name: say, type: shell, retry: { attempts: 2, backoff: 10ms }, config: { command: 'echo "version=1" >> "$TAILRACE_OUTPUT"; exit 3' }, on_error: continue }
  - { name: crawl, type: crawler, config: { start_urls: ["{site}"], max_pages: 5, exclude_patterns: [slow, endless, large] } }
  - { name: bad, type: generator, depends: [crawl], config: { worker_count: 1, log_count: 60, failure_rate: 1.0 } }
  - { name: after, type: shell, depends: [bad], config: { command: "true" } }
`;
const HANGS = "id: hangs\nname: Hangs\nsteps:\n  - { name: wait, type: shell, config: { command: 'seq 300; echo careful >&2; exec sleep 1000' } }\n  - { name: then, type: shell, depends: [wait], config: { command: 'true' } }\n";

const DAILY = "id: daily\nname: Daily\nschedule: { cron: 0 6 * * *, timezone: Europe/Berlin }\nsteps:\n  - { name: s, type: shell, config: { command: 'true' } }\n";

// What is wrong, as one line for each element.
async function violations(reader) {
    await reader.evaluate(AXE);
    const found = await reader.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    return found.violations.flatMap(({ id, help, nodes }) => nodes.map((node) => `${id} (${help}): ${node.target.join(" ")} ${node.html.slice(0, 160)}`));
}

let problems = []; // of a story

async function lookAt(reader, what) {
    for (const width of WIDTHS) {
        await reader.setViewportSize({ width, height: 900 });
        for (const found of await violations(reader)) problems.push(`${what}, ${width} px: ${found}`);
    }
}

// Looks at a page in all themes and widths, once it is `ready` and `then` was done to it.
async function look(t, server, path, ready, then = () => {}) {
    for (const dark of THEMES) {
        const reader = await page(t, server, { path, dark, width: WIDTHS[0], quiet: /status of 404/ });
        await until(reader, ready);
        await then(reader);
        await lookAt(reader, path + (dark ? ", dark" : ", light"));
        await reader.context().close();
    }
}

const story = (name, run) =>
    test(name, { timeout: 300000 }, async (t) => {
        problems = [];
        await run(t);
        assert.deepEqual(problems, []);
    });

async function stage(t) {
    const site = await newsroom(t);
    const server = await serve(t, { definitions: { "mixed.yaml": DEFINITION, "hangs.yaml": HANGS, "daily.yaml": DAILY } });
    return { site, server };
}

story("empty pages", async (t) => {
    const { server } = await stage(t);
    const isEmpty = () => [...document.querySelectorAll(".empty")].some((el) => el.checkVisibility());
    await look(t, server, "/queue", isEmpty);
    await look(t, server, "/documents", isEmpty);
    await look(t, server, "/jobs/0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62", isEmpty);
});

story("a job that failed, on all pages", async (t) => {
    const { site, server } = await stage(t);
    const id = await server.run("mixed", { site: site.url });
    await look(t, server, "/queue", () => document.querySelectorAll(".tree-log-line").length > 5);
    await look(t, server, `/jobs/${id}`, () => document.querySelectorAll(".tree-log-line.chosen").length > 0, (reader) => reader.click(".timeline-outputs summary"));
    await look(t, server, "/definitions", () => document.querySelectorAll(".definition-runs a").length > 0);
    await look(t, server, "/definitions/mixed", () => /Valid/.test(document.querySelector("#verdict").innerText));
    await look(t, server, "/documents", () => document.querySelectorAll(".document").length > 0);
    const { body } = await server.get("/api/documents");
    const front = body.documents.find(({ url }) => url === site.url); // which one is the first depends on the order of the fetches
    await look(t, server, "/documents/" + front.id, () => document.querySelector(".markdown").innerText.length > 20);
});

const hasLines = () => document.querySelectorAll(".tree-log-line").length > 5;

story("a job that runs", async (t) => {
    const { server } = await stage(t);
    const id = await server.execute("hangs");
    await look(t, server, "/queue", hasLines);
    await look(t, server, `/jobs/${id}`, hasLines);
});

story("pages that are cut off from the server", async (t) => {
    const { server } = await stage(t);
    const id = await server.execute("hangs");
    const readers = [];
    for (const path of ["/queue", `/jobs/${id}`, "/definitions"])
        for (const dark of THEMES) readers.push(await page(t, server, { path, dark, quiet: /./ }));
    for (const reader of readers.slice(0, 4)) await until(reader, hasLines);
    await server.stop("SIGKILL");
    for (const reader of readers) {
        await until(reader, () => document.querySelector(".badge").dataset.state === "offline");
        await lookAt(reader, "offline");
    }
});

story("the dialogs: help, palette, run", async (t) => {
    const { server } = await stage(t);
    const isLive = () => document.querySelector(".badge").dataset.state === "live";
    const isOpen = () => document.querySelector("dialog[open]");
    const then = (keys) => async (reader) => {
        await reader.keyboard.press(keys);
        await until(reader, isOpen);
    };
    await look(t, server, "/queue", isLive, then("?"));
    await look(t, server, "/queue", isLive, then("Control+k"));
    await look(t, server, "/queue", isLive, async (reader) => {
        await reader.keyboard.press("r");
        await reader.click("#mixed-run");
        await until(reader, isOpen);
    });
});

story("the reader, without scripts", async (t) => {
    const { site, server } = await stage(t);
    const id = await server.run("mixed", { site: site.url });
    for (const dark of THEMES) {
        const reader = await page(t, server, { dark });
        await reader.goto(`${server.url}/jobs/${id}/read`);
        await lookAt(reader, dark ? "dark" : "light");
    }
});
