// The protocol as a model: what docs/protocol.md promises holds under kills, prunes, restored
// backups, cuts and slow readers, in many seeded worlds, with the page's own client rule; and each
// of its checkers finds out somebody who makes the mistake that it is for. SEEDS=n for more.
import assert from "node:assert/strict";
import test from "node:test";

import { INVARIANTS, Violation } from "./checks.mjs";
import { MISTAKES } from "./mistakes.mjs";
import { worldRun } from "./world.mjs";

const SEEDS = Number(process.env.SEEDS || 300);

const HAPPENINGS = [
    "reset epoch",
    "reset pruned",
    "reset ahead",
    "cursors taken",
    "parked",
    "snapshot",
    "end",
    "frames applied",
    "frames stale",
    "frames overlap",
];

function world(seed, mistake, only) {
    try {
        return { found: null, counts: worldRun(seed, mistake, only) };
    } catch (e) {
        if (!(e instanceof Violation)) throw e;
        return { found: e };
    }
}

const total = {};

test("in many worlds of kills, prunes, backups, cuts and slow readers every invariant holds", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
        const { found, counts } = world(seed);
        assert.equal(found, null, "seed " + seed + ": " + (found && found.message));
        for (const [what, n] of Object.entries(counts)) total[what] = (total[what] || 0) + n;
    }
});

test("in these worlds everything happened that can", (t) => {
    t.diagnostic(JSON.stringify(total));
    for (const what of HAPPENINGS) assert.ok(total[what] >= SEEDS / 10, what + ": " + total[what]);
});

for (const { who, mistake, invariant } of MISTAKES) {
    test(`${who} is found out by "${invariant}"`, () => {
        let seed = 1;
        while (seed <= SEEDS && !world(seed, { [mistake]: true }, invariant).found) seed += 1;
        assert.ok(seed <= SEEDS, "not found out in any of " + SEEDS + " worlds");
    });
}

test("every checker has found out somebody", () => {
    assert.deepEqual(new Set(MISTAKES.map((m) => m.invariant)), new Set(INVARIANTS));
});
