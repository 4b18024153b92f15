// What a few letters find.

import assert from "node:assert/strict";
import test from "node:test";

import { fuzzy, fuzzyAll } from "../../ui/fuzzy.js";

test("letters have to come in their order, whatever lies between", () => {
    assert.ok(fuzzy("Run News Crawler", "rnc") > 0);
    assert.ok(fuzzy("Run News Crawler", "run craw") > 0);
    assert.equal(fuzzy("Run News Crawler", "crn"), -1);
    assert.equal(fuzzyAll([{ text: "b" }, { text: "a" }], "", 5).map(({ text }) => text).join(), "b,a", "nothing typed: all, as they are");
});

test("beginnings of words and letters in a row come first", () => {
    const found = fuzzyAll([{ text: "a narrow crow" }, { text: "News Crawler" }, { text: "xyz" }], "nc", 5);
    assert.deepEqual(found.map(({ text }) => text), ["News Crawler", "a narrow crow"]);
    assert.equal(fuzzyAll([{ text: "ab" }, { text: "ab" }, { text: "ab" }], "a", 2).length, 2);
});
