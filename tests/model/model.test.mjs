// The protocol as a model: what docs/protocol.md promises holds under kills, prunes, restored
// backups, cuts and slow readers, in many seeded worlds, with the page's own client rule; and each
// of its checkers finds out somebody who makes the mistake that it is for. SEEDS=n for more.
import assert from "node:assert/strict";
import test from "node:test";

import { INVARIANTS, Violation } from "./checks.mjs";
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

const GAP = "no gap against the store";
const FRESH = "refresh-equivalence at every frame boundary";

const MISTAKES = [
    ["a server that reads a snapshot's position after its data", "positionAfterData", FRESH],
    ["a server that shows what is not durable", "shownBeforeDurable", "visible implies durable"],
    ["a server that drops frames for a slow viewer", "droppedWhenSlow", GAP],
    [
        "a server whose heartbeat overtakes",
        "heartbeatOvertakes",
        "nothing at or before a bookmark arrives after it",
    ],
    [
        "a server that throttles progress without the last value",
        "noLastProgress",
        "the last progress arrives",
    ],
    ["a server that replays a pruned range in part", "partialReplay", GAP],
    ["a server that skips a pruned range silently", "prunedSkipped", GAP],
    ["a server that accepts a cursor of the future", "futureAccepted", FRESH],
    ["a client that does not deduplicate", "noDeduplication", "unique"],
    ["a server that tells the end before the last line", "endEarly", "`end` totals match"],
    [
        "a server that ignores the epoch",
        "epochIgnored",
        "a cursor of another epoch is never accepted",
    ],
    [
        "a server that sends a frame of its ring that begins behind the cursor",
        "frameBehindCursor",
        "resumable from every seq",
    ],
    ["a server that sorts what it reads by step", "sortedByStep", "ordered"],
    [
        "a server that takes a snapshot in the middle of a group",
        "groupSplit",
        "an event group is never split by a snapshot",
    ],
    ["a server that queues for a slow viewer", "queued", "bounded bytes per connection"],
    [
        "a server that remembers no further than its memory",
        "windowOfMemory",
        "no reset without a cause",
    ],
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

test(`in ${SEEDS} worlds of kills, prunes, backups, cuts and slow readers every invariant holds`, () => {
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

for (const [who, mistake, invariant] of MISTAKES) {
    test(`${who} is found out by "${invariant}"`, () => {
        let seed = 1;
        while (seed <= SEEDS && !world(seed, { [mistake]: true }, invariant).found) seed += 1;
        assert.ok(seed <= SEEDS, "not found out in any of " + SEEDS + " worlds");
    });
}

test("every checker has found out somebody", () => {
    assert.deepEqual(new Set(MISTAKES.map(([, , invariant]) => invariant)), new Set(INVARIANTS));
});
