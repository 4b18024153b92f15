// How often the page of a job asks the server: few times, however long the log. (never again: 7, 8)

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test, { after } from "node:test";

import { BINARY, folder, serve } from "../api/server.mjs";
import { page, quit, rowAfter, until } from "./browser.mjs";

after(quit);

const LINES = 1000000;
const TALK = path.join(path.dirname(BINARY), "talk");
const definition = (id, command) => `id: ${id}
name: ${id}
parameters: { until: "" }
steps:
  - { name: talk, type: shell, config: { command: "exec '${TALK}' ${command}" } }
`;
const definitions = {
    "much.yaml": definition("much", `${LINES} 0`),
    "long.yaml": definition("long", "0 10000 $PARAM_UNTIL"),
};

// Notes what a page asks for; files of the page itself are kept by the browser, and no question.
function listen(reader) {
    reader.asked = [];
    reader.on("request", (request) => {
        const { pathname, search } = new URL(request.url());
        if (pathname.startsWith("/api/")) reader.asked.push(pathname + search);
    });
    reader.on("websocket", () => reader.asked.push("/ws"));
}

const logRequests = (asked) => asked.filter((each) => /\/(logs|tree|search)\b/.test(each));

test("the page of a job of a million lines asks at most 3 times before its first line is there", { timeout: 120000 }, async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("much");
    await server.events(`job:${job}?min=error`, await server.beginning());
    let told;
    const first = new Promise((resolve) => (told = resolve));
    const prepare = async (reader) => {
        listen(reader);
        await reader.exposeFunction("firstLine", () => told([...reader.asked]));
        await reader.addInitScript(() => {
            const observer = new MutationObserver(() => {
                if (!window.logRows().some(([, text]) => text)) return;
                observer.disconnect();
                window.firstLine();
            });
            observer.observe(document, { subtree: true, childList: true, characterData: true });
        });
    };
    const reader = await page(t, server, { path: "/jobs/" + job, prepare });
    const before = await first;
    assert.ok(before.length <= 3, before.join("\n"));
    assert.deepEqual(reader.complaints, []);
    t.diagnostic(before.join(", "));
});

test("a run of a hundred thousand lines that is watched from its start to its end makes fewer than 10 log requests", { timeout: 120000 }, async (t) => {
    const flag = path.join(await folder(t), "until");
    const server = await serve(t, { definitions });
    const job = await server.execute("long", { until: flag });
    const reader = await page(t, server, { path: "/jobs/" + job, prepare: listen });
    let total = 0;
    while (total < 100000) [total] = await rowAfter(reader, total + 10000); // however fast it is written
    await writeFile(flag, "");
    await until(reader, () => document.querySelector(".job-head .label[data-status=completed]"));
    const asked = logRequests(reader.asked);
    assert.ok(asked.length < 10, asked.join("\n"));
    assert.deepEqual(reader.complaints, []);
    t.diagnostic(`over ${total} lines, ${asked.length} log requests of ${reader.asked.length}`);
});
