// Which row each line has, against the plain way to count it.
import assert from "node:assert/strict";
import test from "node:test";

import { Axis } from "../../ui/log/axis.js";
import { random } from "./lines.mjs";

// Lines with rows as in `rows` (1 where it has none); pages in `known` are in memory.
function worldOf(total, rows = new Map()) {
    const known = new Set();
    const of = (line) => (known.has(Math.floor((line - 1) / 256)) ? (rows.get(line) ?? 1) : 1);
    const axis = new Axis({
        isKnown: (page) => known.has(page),
        count: (from, to) => to - from + 1,
        heights: (from, to) => Uint16Array.from({ length: to - from + 1 }, (_, i) => of(from + i)),
    });
    axis.grow(total);
    return { axis, known, rows, of };
}

function assertCounted({ axis, of }, places) {
    let all = 0;
    const first = [0];
    for (let line = 1; line <= axis.total; line++) {
        first[line] = all;
        all += of(line);
    }
    assert.equal(axis.rows, all);
    for (const line of places) {
        assert.equal(axis.rowOf(line), first[line], "line " + line);
        if (!of(line)) continue;
        for (let i = 0; i < of(line); i++) assert.deepEqual(axis.at(first[line] + i), [line, i]);
    }
    const walked = [...axis.from(0)];
    const shown = Array.from({ length: axis.total }, (_, i) => i + 1).filter((line) => of(line));
    assert.deepEqual(walked.map(({ line }) => line), shown);
    for (const { line, row, rows } of walked) assert.deepEqual([row, rows], [first[line], of(line)]);
}

test("without anything known a line is a row", () => {
    const { axis } = worldOf(1e6);
    assert.equal(axis.rows, 1e6);
    assert.equal(axis.rowOf(777777), 777776);
    assert.deepEqual(axis.at(777776), [777777, 0]);
    assert.equal(axis.rowOf(2e6), 1e6);
    assert.deepEqual(axis.at(5e6), [1e6, 0]);
});

test("in any order of changes the rows are those of all lines before", () => {
    const pick = random(11);
    for (let round = 0; round < 20; round++) {
        const world = worldOf(1 + pick(2000));
        for (let i = 0; i < 30; i++) {
            const line = 1 + pick(world.axis.total);
            if (pick(4) === 0) world.axis.grow(world.axis.total + pick(300));
            world.rows.set(line, pick(4));
            world.known.add(Math.floor((line - 1) / 256));
            world.axis.touch(line, line);
            const page = Math.floor((line - 1) / 256);
            world.axis.touch(page * 256 + 1, page * 256 + 256);
            if (pick(3) === 0) world.axis.rowOf(1 + pick(world.axis.total));
        }
        assertCounted(world, Array.from({ length: 20 }, () => 1 + pick(world.axis.total)));
    }
});

test("whole pages without a row are passed over", () => {
    const world = worldOf(256 * 6);
    for (let line = 200; line <= 1300; line++) world.rows.set(line, 0);
    for (let page = 0; page < 6; page++) world.known.add(page);
    world.axis.reset();
    assertCounted(world, [1, 199, 200, 700, 1300, 1301, 1536]);
    assert.deepEqual(world.axis.at(199), [1301, 0]);
});

test("a page that went out of memory keeps its rows until it is looked at", () => {
    const world = worldOf(256 * 100);
    world.rows.set(300, 9);
    world.known.add(1);
    world.axis.touch(257, 512);
    assert.equal(world.axis.rows, 256 * 100 + 8);
    world.known.delete(1);
    assert.equal(world.axis.rows, 256 * 100 + 8);
    for (let page = 0; page < 90; page++) world.axis.rowOf(page * 256 + 5);
    assert.deepEqual(world.axis.at(299), [300, 0]);
    assert.equal(world.axis.rows, world.axis.rowOf(256 * 100) + 1);
});

test("a log can become empty", () => {
    const { axis } = worldOf(1000);
    axis.reset(0);
    assert.deepEqual([axis.rows, axis.rowOf(1), [...axis.from(0)].length], [0, 0, 0]);
    assert.deepEqual(axis.at(0), [0, 0]);
    assert.equal(axis.rowOf(0), 0);
    axis.grow(3);
    assert.deepEqual([...axis.from(1)].map(({ line }) => line), [2, 3]);
});
