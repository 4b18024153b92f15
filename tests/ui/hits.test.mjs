// What a search finds: exact counts, from the place of the reader on, also while the log grows.
import assert from "node:assert/strict";
import test from "node:test";

import { Hits } from "../../ui/log/hits.js";
import { lineOf, random, turn } from "./lines.mjs";

// A log in which `isHit(n)` says what is found; the server looks at `budget` lines at a time.
function logOf(total, isHit, budget = Infinity) {
    const log = { total, asked: [], fails: null };
    log.search = async (params) => {
        const { after = 0, before = log.total + 1, order = "asc", limit = 1000, texts } = params;
        log.asked.push(params);
        if (log.fails) throw new Error(log.fails);
        const isBack = order === "desc";
        let from = after + 1;
        let to = Math.min(before - 1, log.total);
        const all = to - from + 1;
        if (isBack) from = Math.max(from, to - budget + 1);
        else to = Math.min(to, from + budget - 1);
        const found = [];
        for (let n = from; n <= to; n++) if (isHit(n)) found.push(n);
        if (isBack) found.reverse();
        const complete = to - from + 1 >= all;
        return {
            lines: found.slice(0, limit),
            logs: texts ? found.slice(0, limit).map((n) => lineOf(n)) : undefined,
            count: found.length,
            from: all > 0 ? from : 0,
            to: all > 0 ? to : 0,
            complete,
            next: complete ? null : isBack ? from : to,
            total_logs: log.total,
        };
    };
    return log;
}

async function settled(hits, total) {
    hits.grow(total);
    for (let i = 0; i < 2000 && !hits.isComplete; i++) await new Promise((r) => setTimeout(r, 1));
    assert.equal(hits.isComplete, true);
}

const all = (total, isHit) => Array.from({ length: total }, (_, i) => i + 1).filter(isHit);

test("wherever the reader is, in the end all hits are known and counted", async () => {
    const isHit = (n) => n % 7 === 3;
    for (const at of [1, 500, 1001]) {
        for (const budget of [Infinity, 130]) {
            const log = logOf(1000, isHit, budget);
            const hits = new Hits(log.search, { q: "x" }, at, () => {});
            await settled(hits, 1000);
            assert.equal(hits.count, all(1000, isHit).length);
            assert.deepEqual(hits.lines, all(1000, isHit));
            assert.deepEqual([hits.above, hits.below], [0, 0]);
            assert.equal(hits.at(10), 2);
            assert.equal(hits.at(11), 0);
            assert.equal(hits.countIn(3, 10), 2);
        }
    }
});

test("what is near the reader comes first", async () => {
    const log = logOf(1000, (n) => n % 2, 100);
    const ranges = [];
    const hits = new Hits(log.search, { q: "x" }, 501, (from, to) => ranges.push([from, to]));
    await settled(hits, 1000);
    assert.deepEqual(ranges.slice(0, 2), [[401, 500], [301, 500]]);
    assert.deepEqual(ranges.at(-1), [1, 1000]);
});

test("hits beyond the limit are counted, and come when they are asked for", async () => {
    const log = logOf(50000, () => true);
    const hits = new Hits(log.search, { q: "x" }, 25001, () => {});
    await settled(hits, 50000);
    assert.equal(hits.count, 50000);
    assert.deepEqual([hits.lines[0], hits.lines.at(-1)], [15001, 35000]);
    assert.deepEqual([hits.above, hits.below], [15000, 15000]);
    assert.equal(hits.at(20000), 20000);
    await hits.more(true);
    assert.deepEqual([hits.lines[0], hits.above, hits.count], [5001, 5000, 50000]);
    await hits.more(false);
    await hits.more(false);
    assert.deepEqual([hits.lines.at(-1), hits.below, hits.count], [50000, 0, 50000]);
    await hits.more(true);
    assert.deepEqual([hits.lines.length, hits.above], [50000, 0]);
});

test("a log that grows is asked for what is new only, and not all the time", async () => {
    const log = logOf(100, (n) => n % 10 === 0);
    const hits = new Hits(log.search, { q: "x" }, 1, () => {});
    await settled(hits, 100);
    for (log.total = 101; log.total < 400; log.total++) {
        hits.grow(log.total);
        await turn();
    }
    assert.ok(log.asked.length <= 3, `${log.asked.length} requests`);
    await settled(hits, log.total);
    assert.deepEqual(hits.lines, all(400, (n) => n % 10 === 0));
    assert.equal(log.asked.at(-1).after > 0, true);
    assert.equal(hits.count, 40);
});

test("there is no hole in what is known when the log grows beyond it", async () => {
    const log = logOf(30000, () => true);
    const hits = new Hits(log.search, { q: "x" }, 1, () => {});
    await settled(hits, 30000);
    log.total = 30010;
    await settled(hits, 30010);
    assert.deepEqual([hits.count, hits.lines.length, hits.below], [30010, 10000, 20010]);
});

test("the next hit and the one before, known or not", async () => {
    const isHit = (n) => n % 1000 === 0;
    const log = logOf(100000, isHit, 5000);
    const hits = new Hits(log.search, { q: "x" }, 50000, () => {});
    assert.equal(await hits.next(1500, false), 2000);
    await settled(hits, 100000);
    const asked = log.asked.length;
    assert.equal(await hits.next(0, false), 1000);
    assert.equal(await hits.next(50000, false), 51000);
    assert.equal(await hits.next(50000, true), 49000);
    assert.equal(await hits.next(100001, true), 100000);
    assert.equal(log.asked.length, asked, "all of that was known");
    assert.equal(await hits.next(1000, true), 0);
    assert.equal(await hits.next(100000, false), 0);
});

test("a search that fails says why, and goes on later", async () => {
    const log = logOf(100, () => true);
    log.fails = "q is no regular expression";
    let told = 0;
    const hits = new Hits(log.search, { q: "(" }, 1, () => (told += 1));
    hits.grow(100);
    while (!told) await turn();
    assert.equal(hits.error, "q is no regular expression");
    assert.equal(hits.isComplete, false);
    assert.equal(log.asked.length, 1);
    hits.close();
});

test("a search that was closed tells nothing any more", async () => {
    const log = logOf(100, () => true);
    let told = 0;
    let answer;
    const search = (params) => new Promise((resolve) => (answer = () => resolve(log.search(params))));
    const hits = new Hits(search, { q: "x" }, 1, () => (told += 1));
    hits.grow(100);
    while (!answer) await turn();
    hits.close();
    answer();
    await turn();
    hits.grow(200);
    await turn();
    assert.deepEqual([told, log.asked.length, hits.lines], [0, 1, []]);
});

test("the lines of hits come from where they are missing on", async () => {
    const log = logOf(1000, (n) => n % 5 === 0);
    const hits = new Hits(log.search, { q: "x" }, 1, () => {});
    const first = hits.texts(500);
    assert.equal(await hits.texts(600), null, "one request at a time");
    const lines = await first;
    assert.deepEqual([lines[0].line, lines.length], [500, 101]);
});

test("whatever is asked in whatever order, nothing is counted twice", async () => {
    const pick = random(5);
    for (let round = 0; round < 20; round++) {
        const every = 1 + pick(4);
        const isHit = (n) => n % every === 0;
        const log = logOf(1000 + pick(40000), isHit, 500 + pick(20000));
        const hits = new Hits(log.search, { q: "x" }, 1 + pick(log.total), () => {});
        hits.grow(log.total);
        for (let i = 0; i < 6; i++) {
            await hits.more(pick(2) === 0);
            await turn();
        }
        await settled(hits, log.total);
        while (hits.above) await hits.more(true);
        while (hits.below) await hits.more(false);
        assert.deepEqual(hits.lines, all(log.total, isHit));
        assert.equal(hits.count, hits.lines.length);
        hits.close();
    }
});
