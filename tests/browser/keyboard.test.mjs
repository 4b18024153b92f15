// Everything that a page can do, done by keyboard alone: no pointer, and no element that the test
// reaches for. Where the focus is can be seen, it is never lost, and each key that a page's help
// lists does what it says.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { serve } from "../api/server.mjs";
import { newsroom, page, quit, until } from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 300000 }, run);

const MIXED = String.raw`
id: mixed
name: Mixed
parameters: { word: hello }
steps:
  - { name: make, type: generator, config: { worker_count: 2, log_count: 300, failure_rate: 1.0 } }
  - name: talk
    type: shell
    config: { command: "printf '::group::first\\na\\nb\\n::endgroup::\\n'; seq -f 'line %g of many words that are long enough to be wrapped somewhere else' 500; exec sleep 1000" }
`;
const definitions = {
    "mixed.yaml": MIXED,
    "short.yaml": "id: short\nname: Short\nsteps:\n  - { name: say, type: shell, config: { command: 'seq 300' } }\n",
};

// Runs in the page: complains when something had the focus before a dialog, and nothing has it after.
function watchFocus() {
    const native = HTMLDialogElement.prototype.showModal;
    HTMLDialogElement.prototype.showModal = function () {
        const before = document.activeElement;
        this.addEventListener(
            "close",
            () =>
                requestAnimationFrame(() => {
                    const isLost = document.activeElement === document.body && !document.querySelector("dialog[open]");
                    if (isLost && before !== document.body) console.error("the focus is lost, which was on " + before.outerHTML);
                }),
            { once: true },
        );
        native.call(this);
    };
}

// A reader who has a keyboard only, and what of the page's keys was pressed.
async function typist(t, server, options) {
    const reader = await page(t, server, { ...options, prepare: (reader) => reader.addInitScript(watchFocus) });
    const pressed = new Set();
    const NAMES = { ArrowLeft: "←", ArrowRight: "→", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc", "Control+k": "Ctrl+K" };
    const press = async (...keys) => {
        for (const key of keys) {
            pressed.add(NAMES[key] || key);
            await reader.keyboard.press(key);
        }
    };
    const focused = (wanted) =>
        until(reader, (wanted) => document.activeElement?.matches(wanted), wanted);
    // Where the focus is can be seen: the element, or what it is the head of, has an outline.
    const isSeen = () =>
        reader.evaluate(() => {
            for (let el = document.activeElement; el && el !== document.body; el = el.parentElement)
                if (getComputedStyle(el).outlineStyle !== "none") return true;
            return Boolean(document.activeElement.closest(".editor")); // has a frame
        });
    // Goes on with Tab until an element has the focus, which it must within one round.
    const tab = async (wanted, key = "Tab") => {
        for (let i = 0; i < 120; i++) {
            await reader.keyboard.press(key);
            if (!(await reader.evaluate((wanted) => document.activeElement?.matches(wanted), wanted))) continue;
            assert.ok(await isSeen(), `the focus on ${wanted} cannot be seen`);
            return;
        }
        assert.fail(`Tab does not lead to ${wanted}`);
    };
    const open = (selector) => until(reader, (selector) => document.querySelector(`dialog[open]${selector}`), selector);
    const shut = () => until(reader, () => !document.querySelector("dialog[open]"));
    // Opens the help, and says which of its keys were not pressed yet.
    const missing = async () => {
        await press("?");
        await open("");
        const all = await reader.evaluate(() => [...document.querySelectorAll("dialog[open] kbd")].map((el) => el.innerText));
        assert.ok(all.length > 5);
        await press("Escape");
        await shut();
        return all.filter((key) => !pressed.has(key));
    };
    const palette = async () => {
        await press("Control+k");
        await open("");
        await press("Escape");
        await shut();
    };
    return { reader, press, palette, tab, focused, open, shut, missing, type: (text) => reader.keyboard.type(text) };
}

const clean = ({ reader }) => assert.deepEqual(reader.complaints, []);
const attribute = (reader, selector, name) => reader.evaluate(([s, n]) => document.querySelector(s).getAttribute(n), [selector, name]);

story("everything on the queue page is done by keyboard", async (t) => {
    const server = await serve(t, { definitions });
    for (let i = 0; i < 51; i++) await server.execute("short");
    const k = await typist(t, server);
    const { reader, press, tab, focused, type } = k;
    await press("r");
    await focused("#mixed-run");
    await press("Escape");
    await focused("#run");
    await press("Enter");
    await focused("#mixed-run");
    await press("Enter");
    await k.open("");
    await focused("#parameter-word");
    await press("Enter");
    await until(reader, () => document.querySelector(".card[data-status=running] .tree-log-line"));
    await k.shut();
    await focused("#run"); // it comes there after the form has gone

    await press("/");
    await focused("#filter");
    await type("mixed");
    await until(reader, () => document.querySelectorAll(".card").length === 1);
    await press("Control+a", "Delete");
    await until(reader, () => document.querySelectorAll(".card").length > 1);
    await tab(".group-by", "Shift+Tab");
    await press("Enter");
    await until(reader, () => document.querySelector(".group"));
    await press("Enter");
    await until(reader, () => !document.querySelector(".group"));
    await tab(".stats [data-status=running] button", "Shift+Tab");
    await press("Enter");
    await until(reader, () => document.querySelectorAll(".card").length === 1);
    await press("Enter");
    await until(reader, () => document.querySelectorAll(".card").length > 1);

    await reader.evaluate(() => document.activeElement.blur());
    await press("j");
    await focused(".disclosure");
    await press("ArrowLeft");
    await until(reader, () => document.activeElement.getAttribute("aria-expanded") === "false");
    await press("ArrowRight");
    await until(reader, () => document.querySelector(".tree-step-header:enabled")?.checkVisibility());
    await press("j");
    await focused(".tree-step-header");
    await press("k");
    await focused(".disclosure");
    await press("ArrowDown", "ArrowUp");
    await focused(".disclosure");
    await tab(".log-earlier:not([hidden])");
    await press("Enter");
    await until(reader, () => [...document.querySelectorAll(".card .log-scroll")].some((el) => el.checkVisibility() && el.scrollHeight > 2500));
    await press("x"); // where the focus is inside a card, x is for that card
    await k.open("");
    await focused("dialog[open] button");
    await press("Escape");
    await k.shut();
    await press("x");
    await k.open("");
    await press("Tab", "Enter");
    await until(reader, () => document.querySelector('.card [data-status="cancelled"]'));
    await k.shut();
    await tab(".card[data-status=cancelled] .again:not([hidden])", "Shift+Tab");
    await press("Enter");
    await until(reader, () => document.querySelector(".stats [data-status=running]").innerText.startsWith("1 "));

    await press("Control+k");
    await k.open("");
    await type("docum");
    await until(reader, () => document.querySelector("dialog[open] [aria-selected=true]")?.innerText.startsWith("Documents"));
    await press("Escape");
    await k.shut();
    await press(".");
    assert.equal(await attribute(reader, "html", "data-density"), "compact");
    await tab(".top .button.icon:last-of-type", "Shift+Tab");
    await press("Enter");
    assert.equal(await attribute(reader, "html", "data-theme"), "light");
    assert.deepEqual(await k.missing(), []);
    clean(k);
    const isOld = () => document.activeElement.matches(".older-name");
    while (!(await reader.evaluate(isOld))) await press(..."jjjjjjjj"); // they come when one is near
    await press("Enter");
    await reader.waitForURL(/\/jobs\//);
});

story("everything on a job's page is done by keyboard", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("mixed");
    await server.event(job, ({ type, payload }) => type === "job_status_change" && payload.step_name === "make" && payload.status === "failed");
    const { reader, ...k } = await typist(t, server, { path: `/jobs/${job}?step=make` });
    const { press, tab, focused, type } = k;
    await reader.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const log = (wanted, argument) => until(reader, wanted, argument);
    const line = () => Number(document.querySelector(".tree-log-line.chosen")?.dataset.line);
    // Presses a key that goes to another line, and returns its number.
    const went = async (key) => {
        const before = await reader.evaluate(line);
        await press(key);
        return log((before) => {
            const line = Number(document.querySelector(".tree-log-line.chosen")?.dataset.line);
            return line !== before && line;
        }, before);
    };
    await until(reader, () => document.querySelectorAll(".tree-log-text").length > 10);

    const errors = [await went("e"), await went("E"), await went("e")];
    assert.equal(errors[0], errors[2]);
    assert.ok(errors[1] < errors[0]);
    const warnings = [await went("W"), await went("W"), await went("w")];
    assert.equal(warnings[0], warnings[2]);
    assert.ok(warnings[1] < warnings[0]);
    await press("y");
    await log(() => document.querySelector(".toasts").innerText.includes("The link is copied."));
    assert.match(await reader.evaluate(() => navigator.clipboard.readText()), /\/jobs\/.*step=make/);
    await press("Y");
    await log(() => document.querySelector(".toasts").innerText.includes("Line copied."));

    await press("s");
    await log(() => document.querySelector("#tool-step").selectedOptions[0].text === "talk");
    await press("Home");
    await log(() => document.querySelector(".log-group"));
    await press("[");
    await log(() => document.querySelector('.log-group[aria-expanded="false"]'));
    await press("]");
    await log(() => document.querySelector('.log-group[aria-expanded="true"]'));
    await press("t");
    await log(() => document.querySelector("#tool-time").value === "rel");
    await press("z");
    await log(() => document.querySelector("tailrace-log").wrap);
    await press("z", "End");
    await log(() => document.querySelector("tailrace-log").follow && document.querySelector("tailrace-log .log-scroll").scrollTop > 0);
    const top = () => reader.evaluate(() => document.querySelector("tailrace-log .log-scroll").scrollTop);
    const moved = async (key, isUp) => {
        const before = await top();
        await press(key);
        await log(
            ([before, isUp]) => {
                const now = document.querySelector("tailrace-log .log-scroll").scrollTop;
                return isUp ? now < before : now > before;
            },
            [before, isUp],
        );
    };
    await moved("PageUp", true);
    await moved("k", true);
    await moved("j", false);
    await moved("PageDown", false);
    await moved("Home", true);
    await press("f");
    await log(() => document.querySelector("tailrace-log").follow);
    await press("f");
    await log(() => !document.querySelector("tailrace-log").follow);
    await press("g");
    await k.open("");
    await focused("#go-text");
    await type("100");
    await press("Enter");
    await k.shut();
    await log(() => document.querySelector('.chosen[data-line="100"]'));

    // A key that comes before the next frame finds the focus still in the dialog that has closed.
    await press("g");
    await k.open("");
    await focused("#go-text");
    await reader.evaluate(() => {
        const field = document.activeElement;
        document.querySelector("dialog[open]").close();
        field.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true }));
    });
    await focused("#search");
    await reader.evaluate(() => document.activeElement.blur());

    await press("/");
    await focused("#search");
    await type("many");
    await log(() => /^[\d,]+\/500$/.test(document.querySelector(".hits").innerText)); // line 100 is one
    await tab("[title='Show the hits only']");
    await press("Enter");
    await log(() => [...document.querySelectorAll(".tree-log-text")].every((el) => el.innerText.includes("many")));
    await reader.evaluate(() => document.activeElement.blur());
    const another = async (key, hit) => {
        await press(key);
        return log((hit) => {
            const now = document.querySelector(".hits").innerText;
            return /^[\d,]+\/500$/.test(now) && now !== hit && now;
        }, hit);
    };
    const hit = await another("n", await reader.innerText(".hits"));
    await another("n", hit);
    await press("N");
    await log((hit) => document.querySelector(".hits").innerText === hit, hit);
    await press("c");
    await log(() => document.querySelector("[title='Show the hits only']").getAttribute("aria-pressed") === "false");
    await tab("[data-level=warn].toggle");
    await press("Enter");
    await log(() => document.querySelector("[data-level=warn].toggle").getAttribute("aria-pressed") === "true");
    await press("Enter");
    await tab("#tool-time");
    await press("ArrowDown");
    await tab(".timeline-row", "Shift+Tab");
    await press("Enter");
    await log(() => document.querySelector(".timeline-row[aria-current]"));

    const download = reader.waitForEvent("download");
    await reader.evaluate(() => document.activeElement.blur());
    await press("d");
    assert.match((await download).suggestedFilename(), /\.txt$/);
    await k.palette();
    await press(".", "r");
    await focused("#mixed-run");
    await press("Escape");
    await focused("#run");
    await press("x");
    await k.open("");
    await press("Tab", "Enter");
    await log(() => document.querySelector('.job-head [data-status="cancelled"]'));
    await k.shut();
    assert.deepEqual(await k.missing(), []);
    clean({ reader });
    await tab(".job-actions .button:last-child");
    await press("Enter");
    await reader.waitForURL((url) => url.pathname !== "/jobs/" + job);
});

story("a definition is written, changed and deleted by keyboard", async (t) => {
    const server = await serve(t, { definitions });
    const k = await typist(t, server, { path: "/definitions" });
    const { reader, press, tab, focused, type } = k;
    await until(reader, () => document.querySelectorAll(".definition").length === 2);
    await tab(".title .button");
    await press("Enter");
    await until(reader, () => document.querySelector("#source").checkVisibility());
    await tab("#source");
    await press("Control+a");
    await reader.keyboard.insertText("id: mine\nname: Mine\nsteps:\n  - { name: a, type: shell, config: { command: 'true' } }\n");
    await until(reader, () => document.querySelector("#verdict").dataset.status === "completed");
    await press("Tab");
    await focused("#source"); // it indents
    await press("Backspace", "Backspace", "Escape", "Shift+Tab");
    await tab("#source");
    await press("Escape");
    await tab(".editor-head .primary", "Shift+Tab");
    await press("Enter");
    await until(reader, () => document.querySelector("#editor-title").innerText === "Mine");
    await tab(".editor-head .danger-text", "Shift+Tab");
    await press("Enter");
    await k.open("");
    await press("Escape");
    await k.shut();
    await focused(".editor-head .danger-text");
    await press("Enter");
    await k.open("");
    await tab("dialog[open] .danger");
    await press("Enter");
    await until(reader, () => !document.querySelector("dialog[open]") && document.querySelectorAll(".definition").length === 2);
    await focused(".title .button");
    await tab(".definition .primary");
    await press("Enter");
    await k.open("");
    await press("Escape");
    await k.shut();
    clean(k);
});

story("documents are found and read by keyboard", async (t) => {
    const site = await newsroom(t);
    const crawl = `id: crawl\nname: Crawl\nsteps:\n  - { name: c, type: crawler, config: { start_urls: ["${site.url}"], max_pages: 8 } }\n`;
    const server = await serve(t, { definitions: { "crawl.yaml": crawl } });
    await server.run("crawl");
    const k = await typist(t, server, { path: "/documents" });
    const { reader, press, tab, focused, type } = k;
    await until(reader, () => document.querySelectorAll(".document").length > 3);
    await press("j", "j");
    await focused("li:nth-of-type(2) .document");
    await press("k");
    await focused("li:nth-of-type(1) .document");
    await press("Enter");
    await until(reader, () => document.querySelector("#document-title").innerText && location.pathname !== "/documents");
    await tab(".document-head .toggle");
    await press("Enter");
    await until(reader, () => document.querySelector(".document-head .toggle").ariaPressed === "true");
    await press("Escape");
    await until(reader, () => location.pathname === "/documents");
    await press("/");
    await focused("#search");
    await type("zzzz");
    await until(reader, () => document.querySelectorAll(".document").length === 0);
    await tab("select[aria-label=Host]");
    await tab("nav a");
    await k.palette();
    await press(".", "r");
    await focused("#crawl-run");
    await press("Escape");
    assert.deepEqual(await k.missing(), []);
    clean(k);
});
