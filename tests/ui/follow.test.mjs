// The log follows its end until the reader leaves it, and only the reader can.
import assert from "node:assert/strict";
import test from "node:test";

import { END_ROWS, follows } from "../../ui/log/follow.js";

test("scrolling up leaves the end, if there is anything above", () => {
    for (const did of ["wheel-up", "drag", "PageUp", "Home", "ArrowUp"]) {
        assert.equal(follows(true, did, 500, 0), false, did);
        assert.equal(follows(true, did, 0, 0), true, did);
        assert.equal(follows(false, did, 0, 0), false, did);
    }
});

test("whoever looks at something stays there", () => {
    for (const did of ["select", "line", "hit", "place"])
        assert.equal(follows(true, did, 0, 0), false, did);
});

test("End, the button, and scrolling to the end go back to it", () => {
    for (const did of ["End", "button"]) assert.equal(follows(false, did, 0, 9000), true, did);
    assert.equal(follows(false, "scrolled-down", 500, END_ROWS), true);
    assert.equal(follows(false, "scrolled-down", 500, END_ROWS + 1), false);
    assert.equal(follows(false, "scrolled-up", 500, 0), false);
});

test("the scroll bar leaves the end once it is more than two rows away", () => {
    assert.equal(follows(true, "scrolled-up", 500, END_ROWS), true);
    assert.equal(follows(true, "scrolled-up", 500, END_ROWS + 1), false);
});

test("new lines, another size, a filter or wrapping change nothing", () => {
    for (const following of [true, false])
        for (const what of ["data", "resize", "filter", "wrap", "", "a", "ArrowDown"])
            for (const below of [0, 1, 5, 100000])
                assert.equal(follows(following, what, 500, below), following, what);
});
