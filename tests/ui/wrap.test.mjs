// A line is broken into rows by arithmetic on cells.
import assert from "node:assert/strict";
import test from "node:test";

import { rowsCount, rowsCut } from "../../ui/log/wrap.js";

const cut = (text, columns) => {
    const rows = rowsCut(text, columns);
    assert.equal(rows.join(""), text, "nothing is lost");
    assert.equal(rowsCount(text, columns), rows.length);
    return rows;
};

test("a line that fits is one row, an empty one too", () => {
    assert.deepEqual(cut("abcd", 4), ["abcd"]);
    assert.deepEqual(cut("", 4), [""]);
    assert.deepEqual(cut("x".repeat(100000), 0).length, 1);
});

test("a longer line has as many rows as it needs", () => {
    assert.deepEqual(cut("abcdefghi", 4), ["abcd", "efgh", "i"]);
    assert.equal(rowsCount("x".repeat(65536), 100), 656);
});

test("wide characters count two, and are not broken in two", () => {
    assert.deepEqual(cut("漢字漢字", 4), ["漢字", "漢字"]);
    assert.deepEqual(cut("a漢字", 4), ["a漢", "字"]);
    assert.deepEqual(cut("😀😀", 3), ["😀", "😀"]);
    assert.deepEqual(cut("ｆｕｌｌ", 4), ["ｆｕ", "ｌｌ"]);
});

test("marks and joiners take no room", () => {
    assert.deepEqual(cut("e\u0301e\u0301e\u0301", 3), ["e\u0301e\u0301e\u0301"]);
    assert.deepEqual(cut("✓\ufe0f\u200bx", 2), ["✓\ufe0f\u200bx"]);
});

test("a tab goes on to the next stop", () => {
    assert.deepEqual(cut("a\tb", 9), ["a\tb"]);
    assert.deepEqual(cut("a\tbc", 9), ["a\tb", "c"]);
    assert.deepEqual(cut("\t\t", 4), ["\t", "\t"]);
});
