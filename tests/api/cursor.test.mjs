// The page's client rule against the vectors that the command line's is held to as well
// (tests/unit/cursor_test.c). A step is a frame, what becomes of it, and the cursor after it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { Cursor } from "../../ui/cursor.js";

const FILE = new URL("../vectors/client-rule.json", import.meta.url);

function cursorAt(text) {
    const cursor = new Cursor();
    if (text === null) return cursor;
    const colon = text.lastIndexOf(":");
    cursor.epoch = text.slice(0, colon);
    cursor.seq = Number(text.slice(colon + 1));
    return cursor;
}

function play(cursor, step) {
    const applied = [];
    const verdict = cursor.take(step.frame, {
        epoch: step.epoch || "e1",
        snapshot: (state) => assert.equal(state, step.frame.state),
        events: (events) => applied.push(...events.map((e) => e.seq)),
        complete: () => step.complete,
    });
    return { verdict, applied, cursor: cursor.seq === null ? null : String(cursor) };
}

test("every vector gives the page what it says", () => {
    for (const { name, cursor: begin, steps } of JSON.parse(readFileSync(FILE))) {
        const cursor = cursorAt(begin);
        steps.forEach((step, i) => {
            const { verdict, cursor: at, applied = [] } = step;
            const where = name + ", step " + i;
            assert.deepEqual(play(cursor, step), { verdict, applied, cursor: at }, where);
            if (step.request) assert.deepEqual(cursor.request(), step.request, where);
        });
    }
});

test("a cursor moves only when what it stands for was taken", () => {
    const cursor = cursorAt("e1:100");
    const page = {
        events() {
            throw new Error("the page broke");
        },
    };
    const frame = { type: "events", from: 100, to: 101, events: [{ seq: 101 }] };
    assert.throws(() => cursor.take(frame, page), /broke/);
    assert.equal(String(cursor), "e1:100");
});
