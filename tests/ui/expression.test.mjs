// What attributes say to Alpine, and that every attribute of the pages says something that is known.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";

import { expressionOf } from "../../ui/expression.js";

const scope = () => ({
    yes: true, no: "", word: "hi", part: { of: { it: 7 } }, list: [1, 2], $event: { target: { value: "v" } },
    call(...given) {
        return [this.word, ...given];
    },
});
const valueOf = (text, of = scope()) => expressionOf(text)(of);

test("names, parts, texts, negations, conjunctions and calls", () => {
    assert.equal(valueOf("word"), "hi");
    assert.equal(valueOf("part.of.it"), 7);
    assert.equal(valueOf("'text'"), "text");
    assert.deepEqual(["!yes", "!no", "!list.length", "!!word", "!!no"].map((text) => valueOf(text)), [false, true, false, true, false]);
    assert.equal(valueOf("yes && !no && word"), "hi");
    assert.equal(valueOf("no && nothing"), "", "what comes after is not looked at");
    assert.deepEqual(valueOf("call()"), ["hi"]);
    assert.deepEqual(valueOf("call('a b', part.of.it, $event.target.value)"), ["hi", "a b", 7, "v"]);
    assert.deepEqual(valueOf("call").call({ word: "other" }), ["other"], "called by who knows the event");
});

test("a value is put into its place", () => {
    const of = { ...scope(), __placeholder: "new" };
    valueOf("word = __placeholder", of);
    valueOf("part.of.it = __placeholder", of);
    assert.deepEqual([of.word, of.part.of.it], ["new", "new"]);
});

test("what is not known is an error that says so", () => {
    for (const text of ["a + b", "a ? b : c", "a === b", "a;b", "", "'", "call(a", "alert`1`"])
        assert.throws(() => expressionOf(text), /does not know/, text);
    assert.throws(() => valueOf("wrod"), /there is no wrod/);
});

test("every attribute of the pages says something that is known", async () => {
    const ui = new URL("../../ui/", import.meta.url);
    const pages = (await readdir(new URL("pages/", ui))).filter((name) => name.endsWith(".html")).map((name) => "pages/" + name);
    let n = 0;
    for (const file of ["shell.html", ...pages]) {
        const html = await readFile(new URL(file, ui), "utf8");
        for (const [, name, text] of html.matchAll(/\sx-([a-z-]+)(?:[:.][\w.:-]+)?="([^"]*)"/g)) {
            if (name === "ref" || text === "") continue;
            expressionOf((name === "for" ? text.split(" in ")[1] : text).replaceAll("&amp;", "&"));
            n += 1;
        }
    }
    assert.ok(n > 200, n + " attributes");
});
