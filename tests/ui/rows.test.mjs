// What rows there are: groups, gaps, progress, similar errors, wrapped lines.
import assert from "node:assert/strict";
import test from "node:test";

import { Axis } from "../../ui/log/axis.js";
import { groupLast, groupsFind } from "../../ui/log/groups.js";
import { Pages } from "../../ui/log/pages.js";
import { Rows, keyOf } from "../../ui/log/rows.js";
import { lineOf, linesOf } from "./lines.mjs";

// A log of which all lines are known: `what` is {line: message or {message, level, ms}}.
function logOf(total, what = {}, known = total) {
    const pages = new Pages({ put() {}, changed() {}, failed() {} });
    pages.open(null);
    pages.put(linesOf(1, known, (n) => what[n]));
    const rows = new Rows(pages);
    const axis = new Axis(rows);
    axis.grow(total);
    const shown = () => {
        axis.reset();
        return [...axis.from(0)].flatMap(({ line, rows: n }) => rows.describe(line, n));
    };
    const numbers = () => shown().filter(({ kind }) => kind !== "gap").map(({ line }) => line);
    return { pages, rows, axis, shown, numbers };
}

test("every line is a row", () => {
    const { shown } = logOf(600);
    assert.deepEqual(shown().map(({ key, kind, rows }) => [key, kind, rows]),
        Array.from({ length: 600 }, (_, i) => [i + 1, "line", 1]));
});

test("lines that are not known are rows too", () => {
    const { shown } = logOf(600, {}, 10);
    assert.deepEqual(shown().slice(8, 12).map(({ kind }) => kind), ["line", "line", "missing", "missing"]);
    assert.equal(shown().length, 600);
});

test("progress that follows progress is one row, the newest", () => {
    const progress = Object.fromEntries([3, 4, 5, 6, 255, 256, 257, 258].map((n) => [n, n + " %\r"]));
    const { numbers, rows } = logOf(300, progress);
    const gone = new Set([3, 4, 5, 255, 256, 257]);
    const left = Array.from({ length: 300 }, (_, i) => i + 1).filter((n) => !gone.has(n));
    assert.deepEqual(numbers(), left);
    rows.isBare = true;
    assert.deepEqual(numbers(), left, "in a small log as well");
});

test("a long silence is marked above the line that ends it", () => {
    const { shown } = logOf(5, { 4: { message: "late", ms: 12403 }, 5: { message: "x", ms: 12500 } });
    assert.deepEqual(shown().map(({ kind, line, rows, note }) => [kind, line, rows, note]), [
        ["line", 1, 1, ""],
        ["line", 2, 1, ""],
        ["line", 3, 1, ""],
        ["gap", 4, 1, "12.4 s"],
        ["line", 4, 1, ""],
        ["line", 5, 1, ""],
    ]);
});

const failed = (path, code) => ({ message: `GET /docs/${path}.html ${code} in 38 ms`, level: "error" });

test("errors that say the same are folded into the first, with their number", () => {
    const what = { 3: failed("a", 503), 4: failed("b", 503), 5: failed("c/d", 500), 6: failed("e", 503) };
    const { shown, numbers, rows } = logOf(10, what);
    assert.deepEqual(numbers(), [1, 2, 3, 7, 8, 9, 10]);
    assert.equal(shown()[2].note, "(×4 similar)");
    rows.unfold(3);
    assert.deepEqual(numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.equal(shown()[2].isOpen, true);
    rows.unfold(3);
    assert.equal(rows.reveal(5), 3);
    assert.equal(numbers().length, 10);
});

test("two are not many, and lines that only inform are never folded", () => {
    const same = { message: "again 1", level: "info" };
    assert.equal(logOf(10, { 3: failed("a", 1), 4: failed("b", 1) }).numbers().length, 10);
    assert.equal(logOf(10, { 3: same, 4: same, 5: same, 6: same }).numbers().length, 10);
    const apart = { 3: failed("a", 1), 5: failed("a", 1), 7: failed("a", 1) };
    assert.equal(logOf(10, apart).numbers().length, 10);
});

test("numbers, hashes and paths do not make errors different, words do", () => {
    const key = (message, level = "error") => keyOf({ level, text: message, originator: "" });
    assert.equal(key("retry 1/3 of /a/b.html: id 9f86d081884c"), key("retry 2/3 of /c.html: id 0badcafe0000"));
    assert.equal(key("at 0x7f00 line 12"), key("at 0x12ab line 4"));
    assert.notEqual(key("cannot open the file"), key("cannot close the file"));
    assert.notEqual(key("x", "error"), key("x", "warn"));
    assert.equal(key("x", "info"), "");
});

const group = (from, to, name = "sitemap") => ({
    [from]: { message: "::group::" + name, ms: 1000 },
    [to]: { message: "::endgroup::", ms: 4100 },
});

test("a group has a head that says what is in it, and can be folded", () => {
    const { shown, numbers, rows } = logOf(12, group(3, 8));
    assert.equal(shown()[2].note, "group: sitemap (4 lines, 3.1 s)");
    assert.equal(shown()[2].isOpen, true);
    assert.deepEqual(numbers(), [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]);
    rows.fold(3, 8);
    assert.deepEqual(numbers(), [1, 2, 3, 9, 10, 11, 12]);
    assert.deepEqual([shown()[2].kind, shown()[2].isOpen], ["group", false]);
    assert.equal(rows.reveal(6), 3);
    assert.equal(rows.isFolded(3), false);
    assert.equal(numbers().length, 11);
});

test("folded lines need not be known", () => {
    const { axis, rows, numbers } = logOf(1e6, { 2: "::group::big" }, 5);
    rows.fold(2, 999990);
    assert.deepEqual(numbers(), [1, 2, ...Array.from({ length: 10 }, (_, i) => 999991 + i)]);
    assert.equal(axis.rows, 12);
    assert.equal(axis.rowOf(500000), 2, "what is hidden is where the next line is");
});

test("groups in groups", () => {
    const { numbers, rows } = logOf(12, { ...group(2, 10), ...group(4, 6) });
    rows.fold(4, 6);
    assert.deepEqual(numbers(), [1, 2, 3, 4, 7, 8, 9, 11, 12]);
    rows.fold(2, 10);
    assert.deepEqual(numbers(), [1, 2, 11, 12]);
    rows.fold(2, 0);
    assert.deepEqual(numbers(), [1, 2, 3, 4, 7, 8, 9, 11, 12]);
});

// A server that finds the markers of groups, `limit` at a time.
const searchIn = (what, asked = []) => async ({ after, limit, texts, regex }) => {
    assert.ok(texts && regex);
    asked.push(after);
    const found = Object.keys(what).map(Number).filter((n) => n > after).map((n) => lineOf(n, what[n]));
    return { logs: found.slice(0, Math.min(limit, 3)), count: found.length, next: null };
};

test("the end of a group is found in memory, or by the server", async () => {
    const what = { ...group(2, 400), ...group(5, 30), ...group(50, 60), ...group(70, 80) };
    const near = logOf(500, what);
    assert.equal(await groupLast(null, near.pages.at(2), near.pages), 400);
    const far = logOf(500, what, 20);
    const asked = [];
    assert.equal(await groupLast(searchIn(what, asked), far.pages.at(2), far.pages), 400);
    assert.deepEqual(asked, [1, 30, 70]);
    assert.equal(await groupLast(searchIn(what), far.pages.at(5), far.pages), 30);
    const open = logOf(500, { 2: "::group::open" });
    assert.equal(await groupLast(searchIn({ 2: "::group::open" }), open.pages.at(2), open.pages), undefined);
});

test("all groups that have ended are found", async () => {
    const what = { ...group(2, 9), ...group(4, 6), ...group(20, 30), 40: "::group::open" };
    assert.deepEqual([...(await groupsFind(searchIn(what), 0))].sort((a, b) => a[0] - b[0]),
        [[2, 9], [4, 6], [20, 30]]);
});

test("long lines have the rows that they need, with a mark above counted", () => {
    const what = { 2: "x".repeat(25), 3: { message: "y".repeat(11), ms: 60000 } };
    const { rows, shown, axis } = logOf(3, what);
    rows.columns = 10;
    assert.deepEqual(shown().map((piece) => [piece.kind, piece.rows]),
        [["line", 1], ["line", 3], ["gap", 1], ["line", 2]]);
    assert.equal(axis.rowOf(3), 4);
});

test("a filter leaves what it shows, with its own numbers, and nothing folded", () => {
    const { rows, numbers, axis, shown } = logOf(300, { ...group(3, 20), 7: { message: "x", ms: 99999 } });
    const hits = [7, 20, 290];
    rows.fold(3, 20);
    rows.shown = {
        has: (n) => hits.includes(n),
        countIn: (from, to) => hits.filter((n) => n >= from && n <= to).length,
    };
    assert.deepEqual(numbers(), hits);
    assert.deepEqual(shown().map(({ kind }) => kind), ["line", "line", "line"]);
    assert.equal(axis.rowOf(100), 2);
    rows.shown = null;
    assert.equal(numbers().length, 300 - 17);
});

test("a small log begins at its first line", () => {
    const { rows, numbers } = logOf(812);
    rows.isBare = true;
    rows.first = 713;
    assert.deepEqual(numbers(), Array.from({ length: 100 }, (_, i) => 713 + i));
});
