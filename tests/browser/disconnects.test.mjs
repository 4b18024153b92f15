// The log of a job's page while lines come fast and the network does not hold: whatever is painted is
// what was written, in its order, none of it missing and none of it twice. (never again: 4, 5, 6)
//
// Line N of the command begins with N, so each painted row proves itself: between a line's number
// and its text there is always the same difference. In the end the reader goes back to where the log
// was at each cut, and scrolls through the last lines; what is shown is
// compared with the store. DISCONNECTS=1000 for the long form, SEED=n to see a run again.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test, { after } from "node:test";

import { BINARY, folder, serve } from "../api/server.mjs";
import { Proxy } from "../faults/proxy.mjs";
import { dice } from "../faults/soak.mjs";
import { page, quit, rowAfter, until } from "./browser.mjs";

after(quit);

const TIMES = Number(process.env.DISCONNECTS ?? 25);
const SEED = Number(process.env.SEED ?? Date.now() % 1000000);
const RATE = 10000; // lines/s
const ROW = 20; // px
const LAST = 20000; // lines that are walked through at the end of the log: more than a page has in memory
const AT_ONCE = 20000; // of them
const AROUND = 200; // and around each cut
const TALK = path.join(path.dirname(BINARY), "talk");
const definitions = {
    "talk.yaml": `id: talk
name: Talk
parameters: { until: }
steps:
  - name: talk
    type: shell
    config: { command: "exec '${TALK}' 0 ${RATE} $PARAM_UNTIL" }
`,
};

// Walks down from the row after `line`, a screen at a time, until so many rows were seen or the last
// one was. Of rows that are not loaded yet it waits for the text. A step that begins where the element
// ends goes nowhere until the log has moved in it, so that it is gone on by a little while it waits.
const walk = (reader, line, most, last) =>
    reader.evaluate(
        async ([line, most, last, ROW]) => {
            const scroller = document.querySelector("main tailrace-log.full .log-scroll");
            const frame = () => new Promise(requestAnimationFrame);
            const seen = [];
            const isThere = (rows) => rows.every(([, text]) => text) && rows.at(-1)?.[0] > line;
            while (seen.length < most && line < last) {
                let rows = logRows();
                for (let tries = 0; !isThere(rows); rows = logRows()) {
                    if (++tries > 1000) throw new Error(`of ${last}, what comes after line ${line} is not shown: ${rows[0]} … ${rows.at(-1)}`);
                    await frame();
                    if (rows.at(-1)?.[0] === line && rows.at(-1)[1]) scroller.scrollTop += ROW;
                }
                const fresh = rows.filter(([at]) => at > line);
                seen.push(...fresh);
                line = fresh.at(-1)[0];
                scroller.scrollTop += (rows.length - 2) * ROW;
            }
            return seen;
        },
        [line, most, last, ROW],
    );

// Whatever is wrong with these rows: each one after the other, each with its own text.
function wrong(rows, shift) {
    for (const [i, [line, text]] of rows.entries()) {
        if (i && line !== rows[i - 1][0] + 1) return `line ${line} comes after ${rows[i - 1][0]}`;
        if (parseInt(text, 10) + shift !== line) return `line ${line} is "${text}"`;
    }
    return rows.length ? "" : "nothing is in sight";
}

test(`a log that gets ${RATE} lines a second is cut off ${TIMES} times and loses, doubles and reorders none`, { timeout: 300000 + TIMES * 3000 }, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const random = dice(SEED);
    const flag = path.join(await folder(t), "until");
    const server = await serve(t, { definitions });
    let isOn = true;
    const proxy = await Proxy.open(t, () => (isOn ? server.port : null));
    proxy.plan = () => ({ reset: true }); // what is on its way does not hold the cut up
    const job = await server.execute("talk", { until: flag });
    const reader = await page(t, proxy, { path: "/jobs/" + job, quiet: /WebSocket|ERR_/, height: 2000 });
    const badge = (states) => until(reader, (states) => states.includes(document.querySelector(".badge").dataset.state), states);
    let [line, text] = await rowAfter(reader, 10);
    const shift = line - parseInt(text, 10);
    const cuts = []; // lines
    for (let i = 1; i <= TIMES; i++) {
        [line] = await rowAfter(reader, line + random(2000));
        cuts.push(line);
        isOn = false;
        proxy.cut();
        await badge(["offline"]);
        isOn = true;
        await reader.evaluate(() => dispatchEvent(new Event("online"))); // it tries at once
        await badge(["live", "catching", "restarted"]);
        await rowAfter(reader, line);
        assert.equal(wrong(await reader.evaluate(() => logRows()), shift), "", `after cut ${i}`);
    }
    t.diagnostic(`cut off ${TIMES} times at line ${line}`);
    await writeFile(flag, "");
    await server.events(`job:${job}?min=error`, await server.beginning());
    const { body: tree } = await server.get(`/api/jobs/${job}/tree?lines=1`);
    const last = tree.steps[0].total_logs;
    while (line < last) [line] = await rowAfter(reader, line); // however long it takes to catch up
    await until(reader, () => document.querySelector(".job-head .label[data-status=completed]"));
    const stored = async (after) => (await server.get(`/api/jobs/${job}/logs?step=talk&limit=1000&after=${after}`)).body.logs;
    const places = cuts.map((line) => [Math.max(0, line - AROUND / 2), AROUND]);
    let walked = 0;
    for (let [at, most] of [...places, [Math.max(0, last - LAST), LAST]]) {
        await reader.evaluate((line) => (location.hash = "#L" + line), at + 1);
        await until(reader, (line) => logRows().some(([at]) => at === line), at + 1);
        const end = Math.min(last, at + most);
        for (let kept = []; at < end; ) {
            for (const row of await walk(reader, at, Math.min(AT_ONCE, end - at), last)) {
                if (!kept.length) kept = (await stored(at)).map((each) => [each.line, each.message]);
                assert.deepEqual(row, kept.shift());
                [at] = row;
                walked += 1;
            }
        }
    }
    t.diagnostic(`${walked} lines walked through`);
    assert.deepEqual(reader.complaints, []);
    t.diagnostic(`${last} lines over ${proxy.count} connections`);
});
