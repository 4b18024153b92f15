// Lines a second, over the last second.
import assert from "node:assert/strict";
import test from "node:test";

import { Rate } from "../../ui/log/rate.js";

test("what is there at first was not written just now", () => {
    const rate = new Rate();
    rate.begin(1e6, 0);
    assert.equal(rate.at(500), 0);
});

test("a steady rate is told as it is", () => {
    const rate = new Rate();
    rate.begin(100, 0);
    for (let ms = 16; ms <= 3000; ms += 16) rate.add(100 + ms * 10, ms);
    assert.ok(Math.abs(rate.at(3000) - 10000) < 200, String(rate.at(3000)));
});

test("it ends when lines end", () => {
    const rate = new Rate();
    rate.begin(0, 0);
    rate.add(500, 400);
    assert.ok(rate.at(500) > 900);
    assert.ok(rate.at(1300) > 0);
    assert.equal(rate.at(1500), 0);
    rate.add(501, 5000);
    assert.ok(rate.at(5000) <= 1);
});

test("of a moment nothing is said", () => {
    const rate = new Rate();
    rate.begin(0, 0);
    rate.add(50, 1);
    assert.equal(rate.at(2), 0);
});
