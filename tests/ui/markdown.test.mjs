// Markdown as our converter writes it, and as nobody should.

import assert from "node:assert/strict";
import test from "node:test";

import { blocksOf, spansOf } from "../../ui/documents/markdown.js";

test("blocks: headings, paragraphs, lists, quotes, code, tables, rules", () => {
    const text = "# One\n\nfirst\nsecond\n\n- a\n- b\n  more\n\n1. x\n\n> said\n\n```\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n";
    assert.deepEqual(blocksOf(text), [
        { kind: "heading", level: 1, text: "One" },
        { kind: "paragraph", text: "first\nsecond" },
        { kind: "list", ordered: false, items: ["a", "b more"] },
        { kind: "list", ordered: true, items: ["x"] },
        { kind: "quote", text: "said" },
        { kind: "code", text: "# no heading" },
        { kind: "table", rows: [["a", "b"], ["1", "2"]] },
        { kind: "rule" },
    ]);
});

test("spans: links, images, code, emphasis; escapes are undone", () => {
    assert.deepEqual(spansOf("a [b](http://c/) `d*` **e** *f* ![g](h.png) 1\\. 2*3*4 snake_case_word"), [
        { kind: "text", text: "a " },
        { kind: "link", text: "b", href: "http://c/" },
        { kind: "text", text: " " },
        { kind: "code", text: "d*" },
        { kind: "text", text: " " },
        { kind: "strong", text: "e" },
        { kind: "text", text: " " },
        { kind: "em", text: "f" },
        { kind: "text", text: " " },
        { kind: "image", text: "g", href: "h.png" },
        { kind: "text", text: " 1. 2*3*4 snake_case_word" },
    ]);
});

test("an unclosed fence ends with the text, and long nonsense is read in a moment", () => {
    assert.deepEqual(blocksOf("```\nx"), [{ kind: "code", text: "x" }]);
    assert.ok(spansOf("[".repeat(20000)).length >= 1);
    assert.ok(spansOf("*a ".repeat(5000)).length >= 1);
    assert.ok(blocksOf("> ".repeat(2000) + "x").length === 1);
});
