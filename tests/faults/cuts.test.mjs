// Viewers that are cut off at any byte, and come back with the cursor they had.
//
// CUTS and LINES scale the long ones, STRIDE the walk through every byte of a conversation.
import assert from "node:assert/strict";
import test from "node:test";

import { Proxy } from "./proxy.mjs";
import { dice } from "./soak.mjs";
import { Stage } from "./stage.mjs";

const CUTS = Number(process.env.CUTS ?? 500), LINES = Number(process.env.LINES ?? 200000);
const STRIDE = Number(process.env.STRIDE ?? 10);
const SEED = Number(process.env.SEED ?? Date.now() % 1000000);
const TASKS = 20, LINE_BYTES = 430; // of an encoded event

const definitions = {
    "run.yaml": `id: run
name: Run
steps:
  - name: make
    type: generator
    config: { worker_count: ${TASKS}, log_count: ${LINES / TASKS}, log_delay_ms: 2, concurrency: ${TASKS} }
`,
    "short.yaml": "id: short\nname: Short\nsteps:\n  - { name: s, type: shell, config: { command: echo one; echo two } }\n",
};

for (const transport of ["v1", "sse", "poll"])
    test(`a viewer over ${transport} that is cut at random ${CUTS} times during a run of ${LINES} lines has exactly what the store has`, { timeout: 300000 }, async (t) => {
        t.diagnostic(`SEED=${SEED}`);
        const random = dice(SEED);
        const stage = await Stage.open(t, { definitions });
        const most = Math.ceil((2 * LINES * LINE_BYTES) / CUTS); // so that the cuts are spread over the run
        let cuts = 0;
        stage.proxy.plan = () => (cuts++ < CUTS ? { reset: random(2) === 0, down: { cut: random(most) } } : {});
        const job = await stage.server.execute("run");
        stage.view(transport, { url: stage.proxy.url, topic: "job:" + job });
        await stage.over(job);
        const { found, deliveries, events } = await stage.examine([job]);
        assert.deepEqual(found, []);
        assert.equal(deliveries, events);
        assert.ok(events > LINES && cuts > CUTS, `${events} events, ${cuts} connections: all cuts were made`);
        t.diagnostic(`${events} events over ${cuts} connections`);
    });

// What a viewer is told of a finished job, in bytes.
async function conversationBytes(stage, transport, topic) {
    const viewer = stage.view(transport, { url: stage.proxy.url, topic });
    await viewer.reached(1);
    const [link] = stage.proxy.links;
    await viewer.ended;
    return link.passed.down;
}

const AT_ONCE = 16;

for (const transport of ["v1", "deflate", "sse", "poll"])
    test(`a conversation over ${transport} that is cut at a byte, at each ${STRIDE}th in turn, loses and doubles nothing`, { timeout: 300000 }, async (t) => {
        t.diagnostic(`SEED=${SEED}`);
        const stage = await Stage.open(t, { definitions });
        const job = await stage.server.execute("short");
        await stage.over(job);
        const topic = "job:" + job, cuts = [];
        const whole = await conversationBytes(stage, transport, topic);
        for (let at = dice(SEED)(STRIDE); at < whole; at += STRIDE) cuts.push(at);
        const walk = async () => {
            const proxy = await Proxy.open(t, () => stage.server.port);
            for (let cut; (cut = cuts.pop()) !== undefined; ) {
                const first = proxy.count;
                proxy.plan = (n) => (n === first ? { down: { cut } } : {});
                await stage.view(transport, { url: proxy.url, topic }).ended;
            }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, walk));
        const viewers = stage.viewers.length;
        const { found, deliveries, events, connections } = await stage.examine([job]);
        assert.deepEqual(found, []);
        assert.equal(deliveries, viewers * events);
        t.diagnostic(`${viewers} conversations over ${connections} connections`);
    });
