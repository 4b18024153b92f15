// The disk is full in the middle of a mixed load (world.mjs), for real: no file may grow past a length, so the
// kernel refuses writes, or takes only a part of them. Meanwhile the server is killed, asked to end, or there
// is room again; then the invariants (invariants.mjs). ROUNDS and SEED scale it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";

import { dice } from "../faults/soak.mjs";
import { Scope } from "../faults/stage.mjs";
import { World } from "./world.mjs";

const { ROUNDS = 3, SEED = 3 } = process.env;

test(`a disk that is full ${ROUNDS} times under load, with a kill -9 and without: no invariant breaks`, { timeout: 60000 + ROUNDS * 20000 }, async (t) => {
    const random = dice(Number(SEED)), scope = new Scope(), ends = { room: 0, killed: 0, stopped: 0 };
    t.diagnostic(`SEED=${SEED}`);
    t.after(() => scope.end());
    const world = await World.open(scope, { seed: random(1e9) });
    for (let i = 0; i < ROUNDS; i++) {
        const server = await world.start();
        const limit = (bytes) => execFileSync("prlimit", ["--pid", server.pid, `--fsize=${bytes}:unlimited`]);
        await world.play({ ms: 200 + random(400), more: () => world.submit("endless") }); // which always has something to say
        limit(4096 + random(4) * 4096 + random(4096));
        await server.said(/cannot commit, trying again: .*(full|I\/O)/);
        const asked = ["mixed", "parent", "redo"].map((definition) => world.submit(definition)); // answered when there is room, or never
        const end = Object.keys(ends)[i % 3];
        if (end === "room") {
            limit("unlimited");
            await server.said(/commits succeed again/);
            assert.ok((await Promise.all(asked)).every(Boolean), "what was asked for in vain is accepted now");
        }
        if (end === "stopped") assert.deepEqual(await world.kill("SIGTERM"), { code: 7, signal: null });
        else await world.kill();
        await Promise.all(asked);
        ends[end]++;
        assert.deepEqual(await world.check(), [], `after round ${i}: ${end}`);
    }
    t.diagnostic(Object.entries(ends).map(([name, n]) => `${n} ${name}`).join(", ") + `, ${world.accepted.size} accepted, ${world.counts.lines} lines`);
    await scope.end();
});
