// The queue's list of jobs: what of it is shown, in which order, and that none is missing, however
// old. Nothing is read but what a reader sees.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { serve } from "../api/server.mjs";
import { page, quit, until } from "./browser.mjs";

after(quit);

const story = (name, run) => test(name, { timeout: 120000 }, run);
const clean = (reader) => assert.deepEqual(reader.complaints, []);

const job = (id, name, command) =>
    `id: ${id}\nname: ${name}\nsteps:\n  - { name: a, type: shell, config: { command: '${command}' } }\n`;
const definitions = {
    "one.yaml": job("one", "One", "true"),
    "steps.yaml": job("steps", "Steps", "seq 3"),
    "fails.yaml": job("fails", "Fails", "exit 3"),
    "hangs.yaml": job("hangs", "Hangs", "exec sleep 1000"),
};

async function ended(server, count, definition = "one") {
    const ids = [];
    for (let i = 0; i < count; i++) ids.push(await server.execute(definition));
    for (const id of ids) await server.events("job:" + id, await server.beginning());
    return ids;
}

// Ids of all jobs on the page, cards and rows, from top to bottom.
const all = (reader) =>
    reader.evaluate(() => [...document.querySelectorAll(".card, .older-job")].map((el) => el.dataset.jobId));

const scrolledTo = (reader, count) =>
    until(
        reader,
        (count) => {
            scrollTo(0, document.body.scrollHeight);
            return document.querySelectorAll(".card, .older-job").length === count;
        },
        count,
    );

story("the queue's filter is in the address, and the address is the filter", async (t) => {
    const server = await serve(t, { definitions });
    await server.run("steps");
    await server.run("fails");
    const reader = await page(t, server, { path: "/queue?status=failed" });
    const titles = () => [...document.querySelectorAll(".card-title")].map((el) => el.innerText).join();
    await until(reader, () => document.querySelectorAll(".card").length === 1);
    assert.equal(await reader.evaluate(titles), "Fails");
    await reader.click(".stats [data-status=failed] button");
    await until(reader, () => document.querySelectorAll(".card").length === 2);
    await until(reader, () => location.search === "");
    await reader.keyboard.press("/");
    await reader.keyboard.type("step");
    await until(reader, () => document.querySelectorAll(".card").length === 1);
    await until(reader, () => location.search === "?q=step");
    assert.equal(await reader.evaluate(titles), "Steps");
    await reader.goBack();
    await until(reader, () => document.querySelector(".stats [data-status=failed] button").ariaPressed === "true");
    clean(reader);
});

story("the queue of one definition is a link, and all others are one click away", async (t) => {
    const server = await serve(t, { definitions });
    await ended(server, 2);
    await ended(server, 1, "steps");
    const reader = await page(t, server, { path: "/queue?definition=steps" });
    await until(reader, () => document.querySelectorAll(".card").length === 1);
    assert.equal(await reader.innerText(".card-title"), "Steps");
    await reader.click(".chip");
    await until(reader, () => document.querySelectorAll(".card").length === 3 && location.search === "");
    await reader.fill("#filter", "nobody");
    await until(reader, () => document.querySelector("main > .soft").innerText === "No job is like this.");
    clean(reader);
});

story("jobs are grouped by status, and a job that ends changes its group", async (t) => {
    const server = await serve(t, { definitions });
    await ended(server, 2);
    await ended(server, 1, "fails");
    const hangs = await server.execute("hangs");
    const reader = await page(t, server, { path: "/queue" });
    await until(reader, () => document.querySelectorAll(".card").length === 4);
    await reader.click("text=Group by status");
    const groups = (wanted) =>
        until(
            reader,
            (wanted) => [...document.querySelectorAll(".group")].map((el) => el.innerText).join() === wanted,
            wanted,
        );
    await groups("running · 1,completed · 2,failed · 1");
    const order = () => reader.evaluate(() => [...document.querySelector("tailrace-queue").children].map((el) => el.className));
    assert.deepEqual(await order(), ["group", "card", "group", "card", "card", "group", "card"]);
    await server.post(`/api/jobs/${hangs}/cancel`, {});
    await groups("completed · 2,failed · 1,cancelled · 1");
    assert.match(await reader.evaluate(() => location.search), /group=status/);
    await reader.goBack();
    await until(reader, () => document.querySelectorAll(".group").length === 0);
    clean(reader);
});

story("jobs older than the live list are all there, each once, the newest first", async (t) => {
    const server = await serve(t, { definitions });
    const ids = await ended(server, 230);
    const reader = await page(t, server);
    await scrolledTo(reader, 230);
    assert.deepEqual(await all(reader), [...ids].reverse());
    clean(reader);
});

// Tells what has come into sight some frames late, and all at once, as a browser does that is busy.
function tellLate() {
    const Native = IntersectionObserver;
    window.IntersectionObserver = class extends Native {
        constructor(told, options) {
            const kept = [];
            const tell = (frames) => requestAnimationFrame(() => (frames ? tell(frames - 1) : told(kept.splice(0))));
            super((entries) => (kept.push(...entries) === entries.length && tell(3)), options);
        }
    };
}

story("older jobs come when one is near, however late that is told", async (t) => {
    const server = await serve(t, { definitions });
    const ids = await ended(server, 230);
    const reader = await page(t, server, { prepare: (reader) => reader.addInitScript(tellLate) });
    await reader.evaluate(() => {
        let before = 0;
        const each = () => {
            const count = document.querySelectorAll(".older-job").length;
            if (count === before) scrollTo(0, document.body.scrollHeight); // not before it is known to be far
            before = count;
            requestAnimationFrame(each);
        };
        each();
    });
    await until(reader, (n) => document.querySelectorAll(".card, .older-job").length === n, 230);
    assert.deepEqual(await all(reader), [...ids].reverse());
    clean(reader);
});

story("a job that becomes old while one looks stays on the page", async (t) => {
    const server = await serve(t, { definitions });
    const ids = await ended(server, 53);
    const hangs = await server.execute("hangs"); // is listed until it ends, however old it is
    ids.push(hangs, ...(await ended(server, 50)));
    const reader = await page(t, server);
    await scrolledTo(reader, 104);
    ids.push(...(await ended(server, 2)));
    await scrolledTo(reader, 106);
    await server.post(`/api/jobs/${hangs}/cancel`, {});
    await until(reader, (id) => document.querySelector(`.older-job[data-job-id="${id}"]`), hangs);
    assert.deepEqual(await all(reader), [...ids].reverse());
    clean(reader);
});

story("none is missed when others are deleted between two windows", async (t) => {
    const server = await serve(t, { definitions });
    const ids = await ended(server, 330);
    const reader = await page(t, server);
    await until(reader, () => {
        scrollBy(0, 400); // as far as the first window
        return document.querySelector(".older-job");
    });
    const gone = new Set(ids.slice(200, 260));
    for (const id of gone) assert.ok((await fetch(server.url + "/api/jobs/" + id, { method: "DELETE" })).ok);
    const left = ids.filter((id) => !gone.has(id)).reverse();
    await until(
        reader,
        (last) => {
            scrollTo(0, document.body.scrollHeight);
            return document.querySelector(`.older-job[data-job-id="${last}"]`) && document.querySelector(".more").hidden;
        },
        left.at(-1),
    );
    const shown = (await all(reader)).filter((id) => !gone.has(id));
    assert.deepEqual(shown, left);
    clean(reader);
});

story("older jobs that cannot be loaded are asked for again", async (t) => {
    const server = await serve(t, { definitions });
    await ended(server, 60);
    const reader = await page(t, server, { quiet: /Failed to load resource/ });
    await reader.route("**/api/jobs?*", (route) => route.abort());
    await until(reader, () => {
        scrollTo(0, document.body.scrollHeight);
        return document.querySelector(".more").innerText === "The server cannot be reached. Try again";
    });
    const [newest] = await ended(server, 1); // the page is painted anew, and still says it
    await until(reader, (id) => document.querySelector(`.card[data-job-id="${id}"]`), newest);
    await until(reader, () => document.querySelector(".more").innerText === "The server cannot be reached. Try again");
    await reader.unroute("**/api/jobs?*");
    await reader.click(".more");
    await until(reader, () => document.querySelectorAll(".card, .older-job").length === 61);
    clean(reader);
});

story("yesterday's jobs have their day, without a reload", async (t) => {
    const server = await serve(t, { definitions });
    await ended(server, 55);
    const reader = await page(t, server);
    await scrolledTo(reader, 55);
    const times = () => [...document.querySelectorAll(".card-when, .older-when")].map((el) => el.textContent);
    assert.ok((await reader.evaluate(times)).every((text) => /^\d\d:\d\d$/.test(text)));
    await reader.clock.setFixedTime(Date.now() + 86400000);
    await until(reader, () =>
        [...document.querySelectorAll(".card-when, .older-when")].every((el) => /^\d+ \w+, \d\d:\d\d$/.test(el.textContent)));
    clean(reader);
});

story("rows move closer together when the reader wants it, and are so next time", async (t) => {
    const server = await serve(t, { definitions });
    await ended(server, 1);
    const reader = await page(t, server);
    const height = () => reader.evaluate(() => document.querySelector(".card-head").offsetHeight);
    await until(reader, () => document.querySelector(".card-head"));
    const before = await height();
    await reader.keyboard.press(".");
    const after = await height();
    assert.ok(after < before, `${after} < ${before}`);
    const next = await reader.context().newPage();
    await next.goto(server.url + "/queue");
    await next.waitForSelector(".card-head");
    assert.equal(await next.evaluate(() => document.querySelector(".card-head").offsetHeight), after);
    clean(reader);
});

story("of very many jobs those are made that are near what is in sight, and all can be reached", async (t) => {
    const line = job("line", "Line", "exec sleep 1000").replace("steps:", "max_running: 1\nsteps:");
    const server = await serve(t, { definitions: { "line.yaml": line } });
    const ids = [];
    for (let i = 0; i < 200; i++) ids.unshift(await server.execute("line"));
    const reader = await page(t, server);
    await until(reader, (n) => document.querySelectorAll(".card").length === n, ids.length);
    assert.deepEqual(await all(reader), ids);
    const made = () => document.querySelectorAll(".card .disclosure").length;
    assert.ok((await reader.evaluate(made)) < 100, await reader.evaluate(made) + " are made");
    for (let i = 0; i < 120; i++) await reader.keyboard.press("j");
    const at = () => document.activeElement.closest(".card").dataset.jobId;
    assert.equal(await reader.evaluate(at), ids[119], "none is passed over");
    await until(reader, () => document.activeElement.innerText === "Line");
    await reader.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await until(reader, (id) => document.querySelector(`.label[data-job-id="${id}"]`)?.innerText === "running", ids.at(-1));
    await server.post(`/api/jobs/${ids.at(-1)}/cancel`);
    await until(reader, (id) => document.querySelector(`.label[data-job-id="${id}"]`)?.innerText === "running", ids.at(-2));
    clean(reader);
});
