// Lines in memory: asked for once, by pages, and the least looked at go. (never again: 7, 8)
import assert from "node:assert/strict";
import test from "node:test";

import { Entry, PAGE, Pages } from "../../ui/log/pages.js";
import { lineOf, linesOf, turn } from "./lines.mjs";

function pagesOf(total, answer = linesOf) {
    const on = { asked: [], put: 0, changed: [], failed: [] };
    const pages = new Pages({
        put: () => (on.put += 1),
        changed: (from, to) => on.changed.push([from, to]),
        failed: (error) => on.failed.push(error.message),
    });
    pages.open(async (after, limit) => {
        on.asked.push(after);
        return answer(after + 1, Math.min(total(), after + limit));
    });
    return { pages, on };
}

test("what is in sight is asked for by whole pages, once", async () => {
    const { pages, on } = pagesOf(() => 100000);
    pages.want([300, 301, 512, 513], 100000);
    pages.want([300, 301, 512, 513], 100000);
    await turn();
    assert.deepEqual(on.asked, [PAGE, 2 * PAGE]);
    assert.deepEqual(on.changed, [[257, 512], [513, 768]]);
    assert.equal(pages.at(513).message, "line 513");
    assert.equal(pages.at(769), undefined);
    pages.want([300, 700], 100000);
    await turn();
    assert.equal(on.asked.length, 2);
});

test("only the pages wanted last are asked for", async () => {
    const { pages, on } = pagesOf(() => 1e6);
    for (let line = 1; line < 1e6; line += 10000) pages.want([line, line + 600], 1e6);
    for (let i = 0; i < 10; i++) await turn();
    assert.ok(on.asked.length <= 6, `${on.asked.length} requests`);
    assert.ok(pages.at(990001), "the last place is there");
});

test("live lines are taken as they come, and need no request", async () => {
    const { pages, on } = pagesOf(() => 1000);
    for (let last = 1; last <= 1000; last++) pages.putTail(linesOf(Math.max(1, last - 99), last));
    assert.equal(on.put, 1000, "each line was taken once");
    pages.want(linesOf(1, 1000).map(({ line }) => line), 1000);
    await turn();
    assert.deepEqual(on.asked, []);
});

test("after a hole in the live lines just the hole's pages are asked for", async () => {
    const { pages, on } = pagesOf(() => 3000);
    pages.putTail(linesOf(1, 600));
    pages.putTail(linesOf(1400, 3000));
    assert.equal(pages.at(1399), undefined);
    pages.want([500, 700, 1300, 1500, 2000], 3000);
    await turn();
    assert.deepEqual(on.asked, [2 * PAGE, 5 * PAGE]);
});

test("earlier lines in front of the live ones are taken too", () => {
    const { pages, on } = pagesOf(() => 1000);
    pages.putTail(linesOf(901, 1000));
    pages.putTail(linesOf(701, 1000));
    assert.equal(on.put, 300);
    assert.equal(pages.at(701).line, 701);
});

test("a line never changes", () => {
    const { pages } = pagesOf(() => 10);
    pages.put([lineOf(3, "first")]);
    const entry = pages.at(3);
    pages.put([lineOf(3, "second")]);
    assert.equal(pages.at(3), entry);
    assert.equal(entry.message, "first");
});

test("memory has an end: pages that were not looked at for longest go", async () => {
    const { pages, on } = pagesOf(() => 1e6);
    pages.putTail(linesOf(1, 50000));
    const kept = linesOf(1, 50000).filter(({ line }) => pages.at(line)).length;
    assert.ok(kept <= 64 * PAGE && kept > 60 * PAGE, String(kept));
    pages.want([40000], 1e6);
    pages.putTail(linesOf(50001, 50001 + 60 * PAGE));
    assert.ok(pages.at(40000), "what was looked at stays");
    pages.want([1], 1e6);
    await turn();
    assert.deepEqual(on.asked, [0]);
    assert.ok(pages.at(1));
});

test("a page that failed is told, and can be had later", async () => {
    let broken = true;
    const { pages, on } = pagesOf(() => 500, (from, to) => {
        if (broken) throw new Error("the server cannot be reached");
        return linesOf(from, to);
    });
    await pages.ensure(10, 10, 500);
    assert.deepEqual(on.failed, ["the server cannot be reached"]);
    pages.want([10], 500);
    await turn();
    assert.equal(on.asked.length, 1, "not at once again");
    broken = false;
    pages.open(async (after, limit) => linesOf(after + 1, after + limit));
    await pages.ensure(10, 10, 500);
    assert.equal(pages.at(10).line, 10);
});

test("of another history nothing is kept, nor what was asked for before", async () => {
    const { pages } = pagesOf(() => 500);
    pages.putTail(linesOf(1, 100));
    let late;
    pages.open(() => new Promise((resolve) => (late = resolve)));
    assert.equal(pages.at(1), undefined);
    pages.want([1], 500);
    pages.open(null);
    late(linesOf(1, 256));
    await turn();
    assert.equal(pages.at(1), undefined);
});

test("the last page is asked for again when it has grown, but not all the time", async () => {
    let total = 300;
    const { pages, on } = pagesOf(() => total);
    await pages.ensure(290, 290, 300);
    for (total = 301; total < 400; total++) pages.want([total], total);
    await turn();
    assert.deepEqual(on.asked, [PAGE]);
});

test("lines here and there are kept without their pages", () => {
    const { pages } = pagesOf(() => 1e6);
    for (let line = 1; line <= 1e6; line += 500) pages.putLoose([lineOf(line)]);
    assert.equal(pages.at(1).line, 1);
    assert.equal(pages.at(999501).line, 999501);
    assert.equal(pages.has(0), false);
});

test("what the server says between parts of a log is a mark, what a command says is none", () => {
    const isMark = (message, originator = "step") => new Entry({ ...lineOf(1), message, originator }).isMark;
    for (const message of ["attempt 2 of 4", "item 'a b'", "item 'it's': attempt 2 of 2", "… 29,801 lines left out …"]) {
        assert.equal(isMark(message), true, message);
        assert.equal(isMark(message, "worker"), false, message);
    }
    for (const message of ["", "started (shell)", "attempt 1 of 4 failed: exit code 3", "item 'b' failed: 'x'"]) assert.equal(isMark(message), false, message);
});
