// A log of any length in an element of limited height. (never again: 8)
import assert from "node:assert/strict";
import test from "node:test";

import { MOST, ROW, Window } from "../../ui/log/window.js";

function windowOf(rows, sight = 800) {
    const w = new Window();
    w.sight = sight;
    w.size(rows);
    return w;
}

test("a short log is scrolled as it is", () => {
    const w = windowOf(1000);
    assert.equal(w.height, 1000 * ROW);
    assert.equal(w.scrolled(345.5), 345.5);
    assert.deepEqual([w.top, w.at, w.shift], [345.5, 345.5, 0]);
    w.to(Infinity);
    assert.deepEqual([w.top, w.at, w.below], [1000 * ROW - 800, 1000 * ROW - 800, 0]);
    w.to(-5);
    assert.equal(w.top, 0);
});

test("the element is never higher than browsers can", () => {
    const w = windowOf(100e6);
    assert.equal(w.height, MOST);
    w.to(Infinity);
    assert.deepEqual([w.top, w.at], [100e6 * ROW - 800, MOST - 800]);
});

test("a little scrolling moves a long log by just that much", () => {
    const w = windowOf(1e6);
    w.to(5e6);
    for (let i = 0; i < 500; i++) {
        const { top, at } = w;
        assert.equal(w.scrolled(at + 100), 100);
        assert.equal(w.top, top + 100);
        assert.equal(w.at, at + 100, "the element is left alone");
    }
});

test("the scroll bar goes in proportion, and both ends can be reached", () => {
    const w = windowOf(1e6);
    w.scrolled((MOST - 800) / 2);
    assert.ok(Math.abs(w.top - (20e6 - 800) / 2) <= 3, String(w.top));
    w.scrolled(MOST - 800);
    assert.deepEqual([w.top, w.below], [20e6 - 800, 0]);
    w.scrolled(0);
    assert.deepEqual([w.top, w.at], [0, 0]);
});

test("by the wheel alone one gets from the top to the end and back, without a jump", () => {
    const w = windowOf(500000, 600);
    const walk = (by, end) => {
        let steps = 0;
        for (; w.top !== end; steps++) {
            assert.ok(steps < 30000, "it goes on");
            const { top } = w;
            const most = w.height - 600;
            w.scrolled(Math.min(most, Math.max(0, w.at + by)));
            const went = w.top - top;
            assert.ok(w.top === end || Math.abs(went - by) <= 1, `went ${went} at ${top}`);
            assert.ok(w.at >= 0 && w.at <= most);
            if (w.top !== end) assert.ok(w.at > 0 && w.at < most, "there is room to scroll on");
        }
        assert.ok(steps >= Math.floor((500000 * ROW - 600) / 450) - 1, `only ${steps} steps`);
    };
    walk(450, 500000 * ROW - 600);
    walk(-450, 0);
});

test("a step over the element's end skips no rows that are far from the log's end", () => {
    const w = windowOf(7e6, 1800);
    w.to(7e6 * ROW - 20000 * ROW);
    const { at } = w;
    for (let i = 0; w.at < w.height - 2 * 1800 - 20 && i < 1e5; i++) w.to(w.top + 20 * (w.top % 3 ? 1 : 2)); // out of proportion
    for (let i = 0; i < 40; i++) {
        const { top } = w;
        w.scrolled(Math.min(w.height - 1800, w.at + 1820));
        assert.ok(w.top - top <= 1820, `went ${w.top - top} from ${at}`);
    }
});

test("rows that come in above move the log and not what is in sight", () => {
    const w = windowOf(1e6);
    w.to(7e6);
    const { at } = w;
    w.size(1e6 + 10);
    w.to(7e6 + 10 * ROW);
    assert.deepEqual([w.top, w.at], [7e6 + 10 * ROW, at + 10 * ROW]);
});

test("a log that gets short again is in one piece", () => {
    const w = windowOf(1e6);
    w.to(Infinity);
    w.size(50);
    w.to(w.top);
    assert.deepEqual([w.top, w.at, w.shift, w.height], [200, 200, 0, 1000]);
    w.size(3);
    w.to(w.top);
    assert.deepEqual([w.top, w.at, w.below], [0, 0, 0]);
});
