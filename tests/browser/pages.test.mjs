// What the pages promise, one test for a sentence: the job page, definitions and documents. Nothing
// is read but what a reader sees.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { folder, serve } from "../api/server.mjs";
import { Proxy } from "../faults/proxy.mjs";
import { Heads, newsroom, page, quit, reached, topicsOf, until } from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 120000 }, run);

const STEPS = `
id: steps
name: Steps
parameters: { word: { default: hello, description: what is said } }
steps:
  - { name: first, type: shell, config: { command: 'echo "$PARAM_WORD"; seq -f "line %g of many" 900' } }
  - { name: left, type: shell, depends: [first], config: { command: 'echo left' } }
  - { name: right, type: shell, depends: [first], config: { command: 'echo right' } }
`;
const FAILS = `
id: fails
name: Fails
steps:
  - { name: good, type: shell, config: { command: 'seq 5' } }
  - { name: bad, type: generator, depends: [good], config: { worker_count: 1, log_count: 300, failure_rate: 1.0 } }
`;
const HANGS = `
id: hangs
name: Hangs
steps:
  - { name: wait, type: shell, config: { command: 'seq 400; exec sleep 1000' } }
`;
const definitions = { "steps.yaml": STEPS, "fails.yaml": FAILS, "hangs.yaml": HANGS };

const text = (selector) => document.querySelector(selector)?.innerText;
const rowsOf = (reader) => reader.evaluate(() => window.logRows());
const firstRow = (reader, line) => until(reader, (line) => window.logRows().some(([n, said]) => n === line && said), line);

function clean(reader) {
    assert.deepEqual(reader.complaints, []);
}

/* ---- the job page ---- */

story("a job that is done opens at the top of its log", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("steps");
    const reader = await page(t, server, { path: `/jobs/${id}?step=first` });
    await firstRow(reader, 1);
    const rows = await rowsOf(reader);
    assert.deepEqual(rows.slice(0, 3).map(([n]) => n), [1, 2, 3]);
    assert.match(await reader.title(), /✔ completed · Steps · tailrace/);
    clean(reader);
});

story("a job that runs opens at the end of its log and follows it", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.execute("hangs");
    const reader = await page(t, server, { path: `/jobs/${id}` });
    await firstRow(reader, 401);
    assert.match(await reader.innerText(".log-status"), /Following/);
    assert.equal((await server.post(`/api/jobs/${id}/cancel`)).status, 200);
    await until(reader, () => document.querySelector(".job-head .label").dataset.status === "cancelled");
    assert.match(await reader.innerText(".job-why"), /cancelled by API/);
    clean(reader);
});

story("the status line of a log is there with its first lines, however young the page is", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.execute("hangs");
    const slowly = () => {
        const now = performance.now.bind(performance);
        performance.now = () => now() / 100; // what is told four times a second takes 25 s
    };
    const reader = await page(t, server, { path: `/jobs/${id}`, prepare: (reader) => reader.addInitScript(slowly) });
    await firstRow(reader, 401);
    assert.match(await reader.innerText(".log-status"), /Following/);
    clean(reader);
});

story("a job that failed opens at the first error of the step that failed", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("fails");
    const { body } = await server.get(`/api/jobs/${id}/tree`);
    const bad = body.steps.find((step) => step.name === "bad");
    assert.ok(bad.first_error > 0, "the definition is made to fail");
    const reader = await page(t, server, { path: `/jobs/${id}` });
    await firstRow(reader, bad.first_error);
    assert.equal(await reader.inputValue("#tool-step"), bad.step_id);
    assert.equal(await reader.evaluate(() => document.querySelector(".tree-log-line.chosen")?.dataset.line), String(bad.first_error));
    clean(reader);
});

story("a failed step of the queue leads to its first error", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.run("fails");
    const { logs } = (await server.get(`/api/jobs/${job}/logs?step=bad&level=error`)).body;
    const reader = await page(t, server, { path: "/queue" });
    await reader.click(".step-error a:not([hidden])");
    await reader.waitForURL(/step=bad#E1$/);
    await firstRow(reader, logs[0].line);
});

story("a link to lines opens there, and choosing lines makes one", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("steps");
    const reader = await page(t, server, { path: `/jobs/${id}?step=first#L500-503` });
    await firstRow(reader, 500);
    const chosen = () => [...document.querySelectorAll(".tree-log-line.chosen")].map((el) => Number(el.dataset.line)).sort((a, b) => a - b).join();
    await until(reader, chosen.toString() && (() => document.querySelectorAll(".tree-log-line.chosen").length === 4));
    assert.equal(await reader.evaluate(chosen), "500,501,502,503");
    await reader.click('.tree-log-line[data-line="506"] .tree-log-num');
    await reader.click('.tree-log-line[data-line="508"] .tree-log-num', { modifiers: ["Shift"] });
    await until(reader, () => location.hash === "#L506-508");
    clean(reader);
});

story("search counts all hits of the whole log and goes from one to the next", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("steps");
    const reader = await page(t, server, { path: `/jobs/${id}?step=first` });
    await firstRow(reader, 1);
    await reader.keyboard.press("/");
    await reader.keyboard.type("99 OF");
    await until(reader, () => document.querySelector(".hits").innerText === "9 hits");
    await reader.keyboard.press("Enter");
    await until(reader, () => document.querySelector(".hits").innerText === "1/9");
    await firstRow(reader, 101); // "line 99 of many": the first line is the word, the step's own is before
    await reader.click(".toggle >> text=Aa");
    await until(reader, () => document.querySelector(".hits").innerText === "0 hits");
    await reader.fill("#search", "line 5\\d+ of");
    await reader.click(".toggle >> text=.*");
    await until(reader, () => document.querySelector(".hits").innerText === "110 hits");
    await reader.click("text=Only hits");
    await until(reader, () => {
        const rows = window.logRows();
        return rows.length > 5 && rows.every(([, said]) => /line 5\d+ of/.test(said));
    });
    await reader.fill("#search", "(");
    await until(reader, () => /missing closing parenthesis/.test(document.querySelector(".hits").innerText));
    assert.deepEqual(reader.complaints.filter((text) => !/400/.test(text)), []);
});

story("a step is chosen in the timeline, in the graph and by key, and the address says it", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("steps");
    const reader = await page(t, server, { path: `/jobs/${id}?step=first` });
    await until(reader, () => document.querySelectorAll(".graph-step").length === 3);
    const boxes = await reader.evaluate(() => [...document.querySelectorAll(".graph-step")].map((el) => {
        const [box, sign, name] = [el, el.querySelector(".shape"), el.querySelector(".graph-name")].map((each) => each.getBoundingClientRect());
        const { scrollWidth, clientWidth } = el.querySelector(".graph-name");
        return [sign.left >= box.left && sign.right <= name.left && sign.top > box.top + 8, scrollWidth <= clientWidth];
    }));
    assert.deepEqual(boxes, Array(3).fill([true, true]), "the sign stands before the name, which is whole");
    await reader.click(".graph-step >> text=left");
    await until(reader, () => location.search === "?step=left");
    await until(reader, () => window.logRows().some(([, said]) => said === "left"));
    await reader.click(".timeline-row >> text=right");
    await until(reader, () => window.logRows().some(([, said]) => said === "right"));
    await reader.keyboard.press("s");
    await until(reader, () => location.search === "?step=");
    clean(reader);
});

story("a step that tries again says which attempt it is at", async (t) => {
    const again = "id: again\nname: Again\nparameters: { go: }\nsteps:\n  - name: try\n    type: shell\n    retry: { attempts: 4, backoff: 20ms }\n    config: { command: 'test -e $PARAM_GO && exec sleep 1000; touch $PARAM_GO; exit 3' }\n";
    const server = await serve(t, { definitions: { "again.yaml": again } });
    const job = await server.execute("again", { go: path.join(await folder(t), "go") });
    const reader = await page(t, server, { path: "/jobs/" + job });
    await until(reader, () => document.querySelector(".timeline-progress")?.checkVisibility() && document.querySelector(".timeline-progress").innerText === "attempt 2 of 4");
    await until(reader, () => [...document.querySelectorAll(".tree-log-text")].some((el) => el.innerText.startsWith("attempt 1 of 4 failed: exit code 3")));
    await until(reader, () => [...document.querySelectorAll(".tree-log-line.part .tree-log-text")].map((el) => el.innerText).join() === "attempt 2 of 4");
    clean(reader);
});

story("what a step says for those after it is shown with it, whole when it is opened", async (t) => {
    const says = `id: says
name: Says
parameters: { go: }
steps:
  - name: look
    type: shell
    config:
      command: |
        echo "version=1.4.2" >> "$TAILRACE_OUTPUT"
        echo "hostile=<img src=x onerror=alert(1)>" >> "$TAILRACE_OUTPUT"
        until test -e $PARAM_GO; do sleep 0.02; done
        { echo "files<<END"; echo one.txt; echo two.txt; echo END; } >> "$TAILRACE_OUTPUT"
`;
    const server = await serve(t, { definitions: { "says.yaml": says } });
    const go = path.join(await folder(t), "go");
    const job = await server.execute("says", { go });
    const reader = await page(t, server, { path: "/jobs/" + job });
    await until(reader, () => document.querySelector(".timeline-step"));
    assert.equal(await reader.isVisible(".timeline-outputs"), false);
    await writeFile(go, "");
    const line = "version = 1.4.2 · hostile = <img src=x onerror=alert(1)> · files = one.txt …";
    await until(reader, (line) => document.querySelector(".timeline-outputs summary").innerText === line, line);
    await reader.focus(".timeline-outputs summary");
    await reader.keyboard.press("Enter");
    await until(reader, () => document.querySelector(".timeline-outputs dl").innerText.includes("one.txt\ntwo.txt"));
    assert.equal(await reader.evaluate(() => document.querySelectorAll(".timeline-outputs img").length), 0);
    const fresh = await page(t, server, { path: "/jobs/" + job });
    await until(fresh, (line) => document.querySelector(".timeline-outputs summary")?.innerText === line, line);
    clean(reader);
});

story("the head of a job that is being ended counts down to SIGKILL", async (t) => {
    const stubborn = `id: stubborn
name: Stubborn
parameters: { go: }
steps:
  - name: server
    type: shell
    config: { grace: 1h, command: 'trap "until test -e $PARAM_GO; do sleep 0.02; done; exit" TERM; echo ready; while :; do sleep 0.02; done' }
`;
    const server = await serve(t, { definitions: { "stubborn.yaml": stubborn } });
    const go = path.join(await folder(t), "go");
    const job = await server.execute("stubborn", { go });
    const reader = await page(t, server, { path: "/jobs/" + job });
    await until(reader, () => window.logRows().some(([, said]) => said === "ready"));
    await reader.click(".job-actions >> text=Cancel");
    await reader.click("dialog[open] [type=submit]");
    const left = (most) => until(reader, (most) => {
        const [, m, s] = /^Step server is ending: SIGKILL in (\d+)m (\d\d)s\.$/.exec(document.querySelector(".job-why").innerText) || [];
        const left = m * 60 + +s;
        return left < most && left;
    }, most);
    assert.ok((await left(await left(3601))) > 3000, "it counts down");
    const { body: tree } = await server.get(`/api/jobs/${job}/tree?lines=1`);
    const grace = Date.parse(tree.steps[0].kill_at) - Date.parse(tree.logs.at(-1).timestamp);
    assert.ok(grace >= 3600e3 && grace < 3610e3, `${grace} ms after the newest line of the job`);
    const other = await page(t, server);
    await until(other, () => /^SIGKILL in 5\dm \d\ds$/.test(document.querySelector(".card-said")?.innerText));
    clean(other);
    await writeFile(go, "");
    await until(reader, () => document.querySelector(".job-head .label").dataset.status === "cancelled");
    assert.match(await reader.innerText(".job-why"), /^cancelled by /);
    clean(reader);
});

story("a job is run again from its page, with its parameters, and its page opens", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.execute("steps", { word: "moin" });
    const reader = await page(t, server, { path: `/jobs/${id}` });
    await until(reader, () => document.querySelector(".job-facts")?.innerText.includes("moin"));
    await Promise.all([reader.waitForURL((url) => !url.pathname.endsWith(id)), reader.click("text=Run again")]);
    const other = new URL(reader.url()).pathname.split("/")[2];
    assert.deepEqual((await server.get(`/api/jobs/${other}`)).body.config.parameters, { word: "moin" });
    await until(reader, () => document.querySelectorAll(".job-runs a").length === 2);
    await until(reader, (by) => document.querySelector(".job-facts").innerText.includes(by), `page, again after ${id}`);
    assert.equal(await reader.getAttribute(".job-facts > div > dd > a:not([style])", "href"), "/jobs/" + id);
    assert.match(await reader.getAttribute(".job-runs a[aria-current]", "href"), new RegExp(other));
    clean({ complaints: reader.complaints.filter((text) => !/loaded again/.test(text)) });
});

story("what is left of a job that failed is run without what had completed", async (t) => {
    const halves = `id: halves
name: Halves
steps:
  - { name: long, type: shell, config: { command: 'echo rows=12 >> $TAILRACE_OUTPUT' } }
  - { name: short, type: shell, depends: [long], config: { command: 'echo "$STEP_LONG_ROWS rows"; exit 3' } }
`;
    const server = await serve(t, { definitions: { "halves.yaml": halves, "steps.yaml": STEPS } });
    const whole = await page(t, server, { path: "/jobs/" + (await server.run("steps")) });
    await until(whole, () => document.querySelectorAll(".timeline-step").length === 3);
    assert.equal(await whole.isVisible("text=Run the rest"), false, "nothing is left");
    const id = await server.run("halves");
    const reader = await page(t, server, { path: "/jobs/" + id });
    await until(reader, () => document.querySelectorAll(".timeline-step").length === 2);
    await Promise.all([reader.waitForURL((url) => !url.pathname.endsWith(id)), reader.click("text=Run the rest")]);
    await until(reader, (id) => document.querySelector(".timeline-why")?.innerText === "taken over from job " + id, id);
    assert.equal(await reader.getAttribute(".timeline-why a", "href"), "/jobs/" + id);
    await until(reader, () => document.querySelector(".job-head .label").dataset.status === "failed");
    await until(reader, () => document.querySelector(".timeline-outputs summary").innerText === "rows = 12");
    await reader.click(".timeline-row >> text=long");
    await until(reader, (id) => document.querySelector(".tree-log-text a")?.getAttribute("href") === "/jobs/" + id, id);
    clean({ complaints: reader.complaints.filter((text) => !/loaded again/.test(text)) });

    const queue = await page(t, server);
    await until(queue, () => document.querySelectorAll(".card").length === 3);
    assert.deepEqual(await queue.evaluate(() => [...document.querySelectorAll(".card:has(.rest:not([hidden])) .card-title")].map((el) => el.innerText)), ["Halves", "Halves"], "of the job that completed nothing is left");
    await queue.click(`.card[data-job-id="${id}"] .rest`);
    await until(queue, () => document.querySelectorAll('.card[data-status="failed"]').length === 3);
    const { body } = await server.get("/api/jobs?limit=1");
    assert.equal(body.jobs[0].started_by, `page, again after ${id}, from what failed`);
    clean(queue);
});

story("a job that a step has started leads to that step's job, and the step leads to it", async (t) => {
    const part = "id: part\nname: Part\nparameters: { file: }\nsteps:\n  - { name: pack, type: shell, config: { command: 'exit 3' } }\n";
    const whole = "id: whole\nname: Whole\nsteps:\n  - { name: each, type: job, for_each: [one.txt], config: { definition: part, parameters: { file: '{item}' } } }\n";
    const server = await serve(t, { definitions: { "part.yaml": part, "whole.yaml": whole } });
    const id = await server.run("whole");
    const [{ id: child }] = (await server.get("/api/jobs?definition=part")).body.jobs;
    const reader = await page(t, server, { path: "/jobs/" + id });
    await until(reader, (child) => document.querySelector(".timeline-why a")?.getAttribute("href") === "/jobs/" + child, child);
    await until(reader, (child) => [...document.querySelectorAll(".tree-log-text a")].some((el) => el.getAttribute("href") === "/jobs/" + child), child);
    assert.match(await reader.innerText(".timeline-why"), /^'one.txt': job .* failed: step 'pack': exit code 3$/);
    assert.match(await reader.innerText(".timeline-progress"), /^1\/1$/);
    const other = await page(t, server, { path: "/jobs/" + child });
    await until(other, (id) => document.querySelector('.job-facts a[href^="/jobs/"]')?.getAttribute("href") === "/jobs/" + id, id);
    assert.match(await other.innerText(".job-facts"), /, step each/);
    for (const each of [reader, other]) clean(each);
});

story("a job that is not there is told, with a way on", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server, { path: "/jobs/0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62" });
    await until(reader, () => document.querySelector(".empty")?.innerText.includes("cannot be shown"));
    assert.equal(await reader.getAttribute(".empty a", "href"), "/queue");
});

/* ---- definitions ---- */

const source = (word) => `id: mine\nname: Mine\nsteps:\n  - { name: say, type: shell, config: { command: echo ${word} } }\n`;
const post = (server, method, path, body) =>
    fetch(server.url + "/api/job-definitions" + path, { method, headers: { "Content-Type": "application/yaml" }, body });

story("a definition is written, checked at the line while one types, saved and run", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server, { path: "/definitions", quiet: /status of 400/ });
    await reader.click("text=New definition");
    await reader.fill("#source", source("one").replace("shell", "shel"));
    await until(reader, () => /^Line 4, column \d+: steps\[0\].type/.test(document.querySelector("#verdict span").innerText));
    assert.equal(await reader.innerText(".editor-lines .wrong"), "✖ 4");
    assert.equal(await reader.isDisabled("text=Save"), true);
    await reader.fill("#source", source("one"));
    await until(reader, () => /^Valid/.test(document.querySelector("#verdict span").innerText));
    await reader.click("text=Save");
    await until(reader, () => location.pathname === "/definitions/mine");
    assert.equal((await server.get("/api/job-definitions/mine")).body.source, source("one"));
    await reader.click("text=All definitions");
    await reader.click('[data-definition-id="mine"] >> text=Run');
    await until(reader, () => document.querySelectorAll('[data-definition-id="mine"] .definition-runs a').length === 1);
    clean(reader);
});

story("whoever saves over somebody else's change sees both, and decides", async (t) => {
    const server = await serve(t, { definitions });
    await post(server, "POST", "", source("one"));
    const reader = await page(t, server, { path: "/definitions/mine", quiet: /status of 409/ });
    await until(reader, () => document.querySelector("#source").value.includes("echo one"));
    await reader.fill("#source", source("mine"));
    assert.equal((await post(server, "PUT", "/mine", source("theirs"))).status, 200);
    await until(reader, () => /^Valid/.test(document.querySelector("#verdict span").innerText));
    await reader.click("text=Save");
    await until(reader, () => document.querySelector(".conflict").checkVisibility());
    const changes = await reader.innerText(".diff");
    assert.match(changes, /− .*echo theirs/);
    assert.match(changes, /\+ .*echo mine/);
    assert.equal((await server.get("/api/job-definitions/mine")).body.source, source("theirs"), "nothing is lost yet");
    await Promise.all([reader.waitForResponse((response) => response.request().method() === "PUT"), reader.click("text=Keep mine")]);
    await until(reader, () => !document.querySelector(".conflict").checkVisibility());
    assert.equal((await server.get("/api/job-definitions/mine")).body.source, source("mine"));
    clean(reader);
});

story("a priority is chosen before a job is run, where jobs may have to wait, or with Shift", async (t) => {
    const step = "steps:\n  - { name: a, type: shell, config: { command: 'true' } }\n";
    const definitions = { "plain.yaml": "id: plain\nname: Plain\n" + step, "pooled.yaml": "id: pooled\nname: Pooled\npool: database\npriority: -10\n" + step };
    const server = await serve(t, { definitions, args: ["--pool", "database=2"] });
    const reader = await page(t, server);
    const started = (n) => until(reader, (n) => document.querySelectorAll(".card").length === n, n);
    const newest = async () => (await server.get("/api/jobs?limit=1")).body.jobs[0];
    const open = async (id, options) => {
        await reader.click("#run");
        await reader.click(`#${id}-run`, options);
        if (id === "plain" && !options) return;
        await until(reader, () => document.querySelector("dialog[open] #run-priority") === document.activeElement);
    };
    await open("plain");
    await started(1);
    assert.equal((await newest()).priority, 0, "without a question");
    await open("pooled");
    assert.equal(await reader.inputValue("#run-priority"), "-10");
    assert.match(await reader.innerText("dialog[open] .turn"), /a place of pool database/);
    await reader.fill("#run-priority", "101");
    await reader.keyboard.press("Enter");
    assert.equal(await reader.evaluate(() => document.querySelector("#run-priority").validity.rangeOverflow), true);
    await reader.fill("#run-priority", "7");
    await reader.keyboard.press("Enter");
    await started(2);
    assert.deepEqual([(await newest()).definition_id, (await newest()).priority], ["pooled", 7]);
    await open("plain", { modifiers: ["Shift"] });
    await reader.fill("#run-priority", "-1");
    await reader.keyboard.press("Enter");
    await started(3);
    assert.deepEqual([(await newest()).definition_id, (await newest()).priority], ["plain", -1]);
    clean(reader);
});

story("the run form offers what a parameter takes, and nothing else", async (t) => {
    const typed = `id: typed
name: Typed
parameters:
  tone: { default: b, choices: [a, b, c] }
  times: { default: 2, type: integer, minimum: 1, maximum: 3 }
  loud: { default: false, type: boolean }
steps:
  - { name: say, type: shell, config: { command: 'echo $PARAM_TONE $PARAM_TIMES $PARAM_LOUD' } }
`;
    const server = await serve(t, { definitions: { "typed.yaml": typed } });
    const reader = await page(t, server);
    await reader.click("#run");
    await reader.click("#typed-run");
    await until(reader, () => document.querySelector("dialog[open] #parameter-tone"));
    assert.equal(await reader.inputValue("#parameter-tone"), "b");
    assert.equal(await reader.inputValue("#parameter-loud"), "false");
    await reader.selectOption("#parameter-tone", "c");
    await reader.selectOption("#parameter-loud", "true");
    await reader.fill("#parameter-times", "9");
    await reader.keyboard.press("Enter");
    assert.equal(await reader.evaluate(() => document.querySelector("#parameter-times").validity.rangeOverflow), true);
    assert.equal(await reader.evaluate(() => document.querySelectorAll("dialog[open]").length), 1);
    await reader.fill("#parameter-times", "3");
    await reader.keyboard.press("Enter");
    await until(reader, () => [...document.querySelectorAll(".tree-log-text")].some((el) => el.innerText === "c 3 true"));
    clean(reader);
});

story("a definition of a file is shown and not changed here", async (t) => {
    const server = await serve(t, { definitions });
    const reader = await page(t, server, { path: "/definitions/steps" });
    await until(reader, () => document.querySelector("#source").value.includes("many"));
    assert.equal(await reader.getAttribute("#source", "readonly") !== null, true);
    assert.match(await reader.innerText(".note"), /is the file .*steps\.yaml/);
    clean(reader);
});

/* ---- documents ---- */

const CRAWL = "id: crawl\nname: Crawl\nparameters: { site: {} }\nsteps:\n  - { name: c, type: crawler, config: { start_urls: ['{site}'], max_pages: 12, exclude_patterns: [slow, endless, large] } }\n";

story("documents are found by words, opened, and their text is never markup", async (t) => {
    const site = await newsroom(t);
    const server = await serve(t, { definitions: { "crawl.yaml": CRAWL } });
    await server.run("crawl", { site: site.url });
    const { body } = await server.get("/api/documents?facets=true&limit=1000");
    const reader = await page(t, server, { path: "/documents" });
    await until(reader, (n) => document.querySelectorAll(".document").length === n, body.documents.length);
    const first = body.documents.find((found) => found.url.includes("/article/"));
    const word = first.title.split(" ").find((part) => part.length > 5);
    await reader.fill("#search", word);
    const expected = (await server.get("/api/documents?q=" + encodeURIComponent(word))).body.total_count;
    await until(reader, (word) => new URLSearchParams(location.search).get("q") === word, word);
    await until(reader, (n) => document.querySelectorAll(".document").length === n, expected);
    await reader.click(`.document[href="/documents/${first.id}"]`);
    await until(reader, (title) => document.querySelector("#document-title").innerText === title, first.title);
    assert.equal(await reader.evaluate(() => document.querySelectorAll(".markdown script, .markdown img, .markdown [onclick]").length), 0);
    await until(reader, () => document.querySelector(".markdown").innerText.length > 50);
    await reader.click(".document-head >> text=Markdown");
    const raw = (await server.get("/api/documents/" + first.id)).body.markdown;
    assert.equal(await reader.evaluate(() => document.querySelector(".markdown").textContent), raw);
    clean(reader);
});

// A page of documents with a connection of its own. Its questions for them fail, from its beginning
// (`isFromBeginning`) or from fail() on, until reconnect().
async function unanswered(t, server, isFromBeginning) {
    let isOn = true;
    const proxy = await Proxy.open(t, () => (isOn ? server.port : null));
    const fail = (route) => route.abort();
    const questions = (url) => url.pathname === "/api/documents";
    const begin = (reader) => reader.route(questions, fail);
    const reader = await page(t, proxy, { path: "/documents", quiet: /WebSocket|ERR_/, prepare: isFromBeginning && begin });
    const reconnect = async () => {
        isOn = false;
        proxy.cut();
        await until(reader, () => document.querySelector(".badge").dataset.state === "offline");
        await reader.unroute(questions, fail);
        isOn = true;
        await until(reader, () => document.querySelector(".badge").dataset.state === "live");
    };
    return { reader, fail: () => begin(reader), reconnect };
}

story("documents that came while the server could not be asked for them are told when it can", async (t) => {
    const site = await newsroom(t);
    const server = await serve(t, { definitions: { "crawl.yaml": CRAWL } });
    await server.run("crawl", { site: site.url });
    const countOf = async () => (await server.get("/api/documents?limit=1")).body.total_count;
    const before = await countOf();
    const { reader, fail, reconnect } = await unanswered(t, server, false);
    await until(reader, () => document.querySelectorAll(".document").length > 0);
    await fail();
    const failed = reader.waitForEvent("requestfailed", (request) => new URL(request.url()).pathname === "/api/documents");
    await server.run("crawl", { site: site.url });
    await reached(reader, await new Heads(server).ask(await topicsOf(reader)));
    await failed;
    await reconnect();
    await until(reader, (n) => document.querySelector("main .title").innerText.includes(`+${n} new`), (await countOf()) - before);
    clean(reader);
});

story("a list of documents that could not be asked for comes when the server is there", async (t) => {
    const site = await newsroom(t);
    const server = await serve(t, { definitions: { "crawl.yaml": CRAWL } });
    await server.run("crawl", { site: site.url });
    const { reader, reconnect } = await unanswered(t, server, true);
    await until(reader, () => document.querySelector("main").innerText.includes("The server cannot be reached."));
    await reconnect();
    await until(reader, () => document.querySelectorAll(".document").length > 0);
    assert.doesNotMatch(await reader.innerText("main"), /cannot be reached/);
    clean(reader);
});

story("a schedule says when its next run is, is paused and goes on, and the page knows what others do", async (t) => {
    const hourly = "id: hourly\nname: Hourly\nschedule: 0 * * * *\nsteps:\n  - { name: s, type: shell, config: { command: 'true' } }\n";
    const server = await serve(t, { definitions: { "hourly.yaml": hourly } });
    const reader = await page(t, server, { path: "/definitions" });
    const says = (text) => until(reader, (text) => document.querySelector(".definition-schedule").innerText.includes(text), text);
    await says("at minute 0 of every hour, UTC");
    await says("next ");
    await says(", in ");
    await reader.click("text=Pause");
    await says("paused");
    await until(reader, () => document.querySelector(".definition-actions").innerText.includes("Resume"));
    assert.equal((await server.get("/api/job-definitions/hourly")).body.paused, true);
    await server.post("/api/job-definitions/hourly/resume"); // somebody else
    await says("next ");
    const { next_runs: times } = (await server.get("/api/job-definitions/hourly")).body;
    const clock = (time) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }).format(new Date(time));
    for (const time of times.slice(1)) await says(clock(time));
    await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: hourly.replaceAll("ourly", "ello") });
    await until(reader, () => document.querySelectorAll(".definition").length === 2);
    clean(reader);
});

story("what became of a schedule's times is told, in the reader's own time", async (t) => {
    const daily = "id: daily\nname: Daily\nschedule: 30 6 * * *\nsteps:\n  - { name: s, type: shell, config: { command: 'true' } }\n";
    const server = await serve(t, { definitions: { "daily.yaml": daily } });
    const ts = new Date().toISOString();
    const missed = { seq: 1, type: "system", ts, payload: { event: "schedule_missed", subject: "daily", level: "warn", message: `3 times passed while nobody looked, the last one at ${ts}` } };
    let socket;
    const prepare = (reader) =>
        reader.routeWebSocket("**/ws", (page) => {
            socket = page;
            page.connectToServer().onMessage((text) => {
                const frame = JSON.parse(text);
                if (frame.type === "snapshot" && frame.topic === "system") frame.state.events.push(missed);
                page.send(JSON.stringify(frame));
            });
        });
    const reader = await page(t, server, { path: "/definitions", prepare });
    await until(reader, () => /3 times passed while nobody looked, the last one at \d\d:\d\d$/.test(document.querySelector(".definition-said").innerText));
    const seq = await reader.evaluate(() => window.wire.system);
    const event = { ...missed, seq: seq + 1, payload: { ...missed.payload, event: "schedule_skipped", message: "no job for it" } };
    socket.send(JSON.stringify({ type: "events", topic: "system", from: seq, to: seq + 1, events: [event] }));
    await until(reader, () => /no job for it/.test(document.querySelector(".definition-said").innerText));
    clean(reader);
});
