// Four ways to say when a line was written.
import assert from "node:assert/strict";
import test from "node:test";

import { TIMES, TIME_CELLS, timeText } from "../../ui/log/times.js";

const at = Date.parse("2026-11-26T14:06:19.102Z");

test("the time of day, since the beginning, since the line before, or nothing", () => {
    assert.match(timeText("abs", at), /^\d\d:\d\d:19\.102$/);
    assert.equal(timeText("rel", at, at - 3852300), "1:04:12.3");
    assert.equal(timeText("rel", at, at - 252300), "4:12.300");
    assert.equal(timeText("rel", at, at + 5), "-0.005");
    assert.equal(timeText("delta", at, 0, at - 38), "+0.038");
    assert.equal(timeText("delta", at, 0, at), "+0.000");
    assert.equal(timeText("off", at, at, at), "");
});

test("of what is not known nothing is said", () => {
    assert.equal(timeText("rel", at, NaN), "");
    assert.equal(timeText("delta", at, 0, NaN), "");
});

test("none is wider than its column", () => {
    for (const mode of TIMES)
        for (const ms of [0, 59999, 3599999, 86399999, 35999999])
            assert.ok(timeText(mode, at, at - ms, at - ms).length < TIME_CELLS, mode + " " + ms);
});
