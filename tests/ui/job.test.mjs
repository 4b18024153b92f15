// The pure parts of the job page, the queue and the definitions page.

import assert from "node:assert/strict";
import test from "node:test";

import { diff, diffShort } from "../../ui/definitions/diff.js";
import { barOf, hasBranches, layersOf, scaleOf } from "../../ui/job/chart.js";
import { goParse } from "../../ui/job/go.js";
import { placeFormat, placeParse, stepPick } from "../../ui/job/places.js";
import { Pace } from "../../ui/queue/pace.js";

const step = (name, status, depends = [], more = {}) => ({ name, status, depends, ...more });

test("an address names lines, a range of them, or an error by its number", () => {
    assert.deepEqual(placeParse("#L120"), { line: 120, to: 120 });
    assert.deepEqual(placeParse("#L140-120"), { line: 120, to: 140 });
    assert.deepEqual(placeParse("#L120-L140"), { line: 120, to: 140 });
    assert.deepEqual(placeParse("#E2"), { error: 2 });
    for (const wrong of ["", "#L", "#L0", "#L1-", "#E0", "#main", "#L1x"]) assert.equal(placeParse(wrong), null, wrong);
    assert.equal(placeFormat({ line: 3, to: 3 }) + placeFormat({ line: 3, to: 9 }), "#L3#L3-9");
});

test("the step that runs is shown, else one that failed, else the newest, else the first", () => {
    const [done, runs, failed] = [step("a", "completed", [], { started_at: "x" }), step("b", "running", [], { started_at: "x" }), step("c", "failed")];
    assert.equal(stepPick([done, runs, failed]), runs);
    assert.equal(stepPick([done, failed, step("d", "skipped")]), failed);
    assert.equal(stepPick([done, runs, step("d", "pending")]), runs);
    assert.equal(stepPick([done, step("d", "pending")]), done);
    assert.equal(stepPick([]), null);
});

test("a number is a line, hours and minutes are a time of the run's day or the next", () => {
    const begun = new Date(2026, 10, 26, 14, 0, 0).getTime();
    assert.deepEqual(goParse("811,993", begun), { line: 811993 });
    assert.deepEqual(goParse("14:06:31.5", begun), { time: begun + 6 * 60000 + 31500 });
    assert.deepEqual(goParse("01:00", begun), { time: new Date(2026, 10, 27, 1, 0, 0).getTime() });
    for (const wrong of ["", "x", "25:00", "12:60", "1:2"]) assert.equal(goParse(wrong, begun), null, wrong);
});

test("bars are shares of the run, and what runs grows to now", () => {
    const job = { started_at: "2026-11-26T10:00:00Z", completed_at: null };
    const now = Date.parse("2026-11-26T10:00:10Z");
    const scale = scaleOf(job, now);
    assert.deepEqual(barOf({ started_at: "2026-11-26T10:00:05Z", completed_at: null }, scale, now), { from: 0.5, length: 0.5 });
    assert.deepEqual(barOf({ started_at: "2026-11-26T10:00:00Z", completed_at: "2026-11-26T10:00:02Z" }, scale, now), { from: 0, length: 0.2 });
    assert.equal(barOf({ started_at: null }, scale, now), null);
});

test("a step stands right of all that it waits for, and a circle does not hang", () => {
    const steps = [step("a"), step("b", "", ["a"]), step("c", "", ["a"]), step("d", "", ["b", "a"])];
    assert.deepEqual(layersOf(steps).map((layer) => layer.map(({ name }) => name)), [["a"], ["b", "c"], ["d"]]);
    assert.equal(hasBranches(steps), true);
    assert.equal(hasBranches([step("a"), step("b", "", ["a"])]), false);
    assert.equal(layersOf([step("a", "", ["b"]), step("b", "", ["a"])]).flat().length, 2);
});

test("a difference has every line of both, in order, and as few changes as can be", () => {
    const show = (a, b) => diff(a, b).map(({ sign, text }) => sign + text).join("|");
    assert.equal(show("a\nb\nc", "a\nx\nc"), " a|-b|+x| c");
    assert.equal(show("a\nb", "a\nb"), " a| b");
    assert.equal(show("", "a"), "-|+a");
    let seed = 7;
    const any = () => Array.from({ length: 12 }, () => "abcd"[(seed = (seed * 75 + 74) % 65537) % 4]).join("\n");
    for (let i = 0; i < 200; i++) {
        const [old, now] = [any(), any()];
        const lines = diff(old, now);
        const side = (sign) => lines.filter((l) => l.sign !== sign).map((l) => l.text).join("\n");
        assert.deepEqual([side("+"), side("-")], [old, now]);
    }
    const long = Array.from({ length: 30 }, (_, i) => String(i));
    const short = diffShort(diff(long.join("\n"), long.map((line, i) => (i === 15 ? "x" : line)).join("\n")), 2);
    assert.deepEqual(short.map(({ sign }) => sign).join(""), "…  -+  …");
});

test("a pace is of whole seconds, and silent while nothing comes", () => {
    const pace = new Pace();
    assert.equal(pace.add(0, 1000), "");
    pace.add(30, 1900);
    pace.add(40, 2500);
    const text = pace.add(80, 3100);
    assert.match(text, /^\d+\/s [▁▂▃▄▅▆▇█]+$/);
    const still = new Pace();
    for (let ms = 0; ms < 5000; ms += 500) assert.equal(still.add(7, ms), "");
});
