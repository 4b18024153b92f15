// The page while its network comes and goes. (never again: 4, 5, 6, 13)
//
// Chromium's own switch leaves open WebSockets alone. So the page is behind a proxy that cuts what is
// open and refuses what is new; the switch is turned as well, for the page is told of it.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test, { after } from "node:test";

import { folder, serve } from "../api/server.mjs";
import { Proxy } from "../faults/proxy.mjs";
import { dice } from "../faults/soak.mjs";
import { Heads, ended, everyLine, page, quit, reached, until } from "./browser.mjs";

after(quit);

const TIMES = Number(process.env.CUTS ?? 50);
const SEED = Number(process.env.SEED ?? Date.now() % 1000000);
const definitions = {
    "talk.yaml": `id: talk
name: Talk
parameters: { until: }
steps:
  - name: talk
    type: shell
    config: { command: "n=0; while [ ! -e $PARAM_UNTIL ]; do n=$((n + 1)); echo line $n; sleep 0.02; done; echo over" }
`,
};

test(`a page whose network is switched off and on ${TIMES} times during a run ends with exactly the lines of the store`, { timeout: 300000 }, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const random = dice(SEED);
    const flag = path.join(await folder(t), "until");
    const server = await serve(t, { definitions });
    let isOn = true;
    const proxy = await Proxy.open(t, () => (isOn ? server.port : null));
    const reader = await page(t, proxy, { quiet: /WebSocket|ERR_/ });
    const badge = (states) => until(reader, (states) => states.includes(document.querySelector(".badge").dataset.state), states);
    const job = await server.execute("talk", { until: flag });
    const topic = "job:" + job;
    for (let i = 0; i < TIMES; i++) {
        const seen = await until(reader, (topic) => window.wire[topic] > 0 && window.wire[topic], topic);
        await until(reader, ([topic, seq]) => window.wire[topic] > seq, [topic, seen + random(20)]);
        isOn = false;
        proxy.cut();
        await reader.context().setOffline(true);
        await badge(["offline"]);
        isOn = true;
        await reader.context().setOffline(false); // the page comes back at once, by the browser's word
        await badge(["live", "catching", "restarted"]);
    }
    await writeFile(flag, "");
    assert.equal(await ended(reader, job), "completed");
    await reached(reader, await new Heads(server).ask([topic])); // its lines may come later
    const { body: tree } = await server.get(`/api/jobs/${job}/tree?lines=1`);
    const [step] = tree.steps;
    const lines = [];
    while (lines.length < step.total_logs) {
        const { body } = await server.get(`/api/jobs/${job}/logs?step=talk&order=asc&limit=1000&after=${lines.length}`);
        lines.push(...body.logs.map(({ line, message }) => [line, message]));
    }
    assert.deepEqual(await everyLine(reader, step.step_id), lines);
    assert.deepEqual(reader.complaints, []);
    assert.ok(proxy.count > TIMES);
    t.diagnostic(`${lines.length} lines over ${proxy.count} connections`);
});
