// The short form of `make soak`: see soak.mjs. LOOPS, SECONDS and SEED scale it.
import assert from "node:assert/strict";
import test from "node:test";

import { killLoops, steady } from "./soak.mjs";

const { LOOPS = 25, SECONDS = 20, SEED = Date.now() % 1000000 } = process.env;

test(`through ${LOOPS} kills at random moments no viewer of any transport loses, doubles or reorders an event`, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const { summary } = await killLoops(t, { loops: Number(LOOPS), each: 13, seed: Number(SEED) });
    assert.deepEqual(summary.found, []);
    t.diagnostic(`${summary}`);
});

test("while jobs and viewers come, are cut, stall and go, nobody loses, doubles or reorders an event", async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const { summary } = await steady(t, { seconds: Number(SECONDS), seed: Number(SEED) });
    assert.deepEqual(summary.found, []);
    t.diagnostic(`${summary}`);
});
