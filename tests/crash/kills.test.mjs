// kill -9 at random moments under a mixed load (world.mjs), also while the server starts; after every few
// the invariants (invariants.mjs). KILLS and SEED scale it: KILLS=500 node --test tests/crash/kills.test.mjs
import assert from "node:assert/strict";
import test from "node:test";

import { dice } from "../faults/soak.mjs";
import { Scope } from "../faults/stage.mjs";
import { OUTCOMES, World } from "./world.mjs";

const { KILLS = 16, SEED = 5 } = process.env;
const TOGETHER = 8; // kills, then all is looked at
const WORLD = 48; // kills, then a new data folder

test(`through ${KILLS} kill -9 at random moments no invariant of jobs, steps, tasks and lines breaks`, { timeout: 60000 + KILLS * 20000 }, async (t) => {
    const random = dice(Number(SEED)), broken = [], counts = { kills: 0, starting: 0, accepted: 0, cancelled: 0, jobs: 0, tasks: 0, attempts: 0, lines: 0 };
    t.diagnostic(`SEED=${SEED}`);
    while (counts.kills < KILLS) {
        const scope = new Scope();
        t.after(() => scope.end());
        const world = Object.assign(await World.open(scope, { seed: random(1e9) }), { outcomes: OUTCOMES });
        for (let i = 0; i < WORLD && counts.kills < KILLS; i++) {
            if (random(3) === 0) world.scheduleBack(1 + random(3));
            const early = random(8) === 0;
            const server = await world.start("", early ? { spawned: (child) => setTimeout(() => child.kill("SIGKILL"), random(60)) } : {});
            if (server && !early) await world.play({ ms: random(700) });
            await (early ? world.died() : world.kill());
            counts.kills++;
            counts.starting += early;
            if (counts.kills % TOGETHER && counts.kills < KILLS) continue;
            const found = await world.check();
            if (found.length) broken.push(`after ${counts.kills} kills:`, ...found.slice(0, 20));
        }
        counts.accepted += world.accepted.size;
        counts.cancelled += world.cancelled.size;
        for (const name of Object.keys(world.counts)) counts[name] += world.counts[name];
        await scope.end();
    }
    t.diagnostic(Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(", "));
    t.diagnostic(`${broken.length} violations`);
    assert.equal(broken.join("\n"), "");
});
