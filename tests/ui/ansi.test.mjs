// What a terminal would show of a line, and nothing that it would do. (never again: 12)
import assert from "node:assert/strict";
import test from "node:test";

import { PLAIN, pieces, plainOf } from "../../ui/log/ansi.js";

const ESC = "\u001b";
const sgr = (codes) => `${ESC}[${codes}m`;
const styles = (text) => pieces(text).map(({ text, style }) => [text, style]);

test("a line without escapes is one piece, the same text", () => {
    assert.deepEqual(pieces("plain\ttext ✓"), [{ text: "plain\ttext ✓", style: PLAIN }]);
});

test("styles begin and end", () => {
    assert.deepEqual(styles(`a${sgr("1;31")}b${sgr("22")}c${sgr("39")}d${sgr(4)}e${sgr("")}f`), [
        ["a", {}],
        ["b", { bold: true, fg: "var(--c1)" }],
        ["c", { fg: "var(--c1)" }],
        ["d", {}],
        ["e", { underline: true }],
        ["f", {}],
    ]);
});

test("bright colours, 256 colours, true colours, of text and background", () => {
    const color = (codes) => pieces(sgr(codes) + "x")[0].style;
    assert.deepEqual(color("91"), { fg: "var(--c9)" });
    assert.deepEqual(color("44"), { bg: "var(--c4)" });
    assert.deepEqual(color("107"), { bg: "var(--c15)" });
    assert.deepEqual(color("38;5;9"), { fg: "var(--c9)" });
    assert.deepEqual(color("38;5;208"), { fg: "rgb(255,135,0)" });
    assert.deepEqual(color("48;5;244"), { bg: "rgb(128,128,128)" });
    assert.deepEqual(color("38;2;1;2;300"), { fg: "rgb(1,2,255)" });
    assert.deepEqual(color("38;2;1;2;3;1"), { fg: "rgb(1,2,3)", bold: true });
    assert.deepEqual(color("38:5:208"), { fg: "rgb(255,135,0)" });
    assert.deepEqual(color("38:2::1:2:3"), { fg: "rgb(1,2,3)" });
    assert.deepEqual(color("38"), { fg: "rgb(0,0,0)" });
    assert.deepEqual(color("98;99;108;999"), {});
});

test("a link leads to the web or to nothing", () => {
    const link = (uri) => pieces(`${ESC}]8;id=1;${uri}${ESC}\\here${ESC}]8;;\u0007 after`);
    const hrefs = (uri) => link(uri).map(({ text, style }) => [text, style.href]);
    for (const uri of ["https://a.example/x?y=1", "http://127.0.0.1/", "mailto:a@b.example"])
        assert.deepEqual(hrefs(uri), [["here", uri], [" after", undefined]]);
    const not = ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", " https://x", "/x"];
    for (const uri of [...not, "https://x/" + "y".repeat(3000)])
        assert.deepEqual(link(uri).map(({ style }) => style.href).filter(Boolean), [], uri);
});

test("what is written over is gone", () => {
    assert.equal(plainOf("downloading 10%\rdownloading 20%"), "downloading 20%");
    assert.equal(plainOf("abcdef\rXY"), "XYcdef");
    assert.equal(plainOf(`long text\r${ESC}[Kshort`), "short");
    assert.equal(plainOf(`long text\r${ESC}[2Kshort`), "short");
    assert.equal(plainOf("50%\r"), "50%");
    assert.equal(plainOf(`${sgr(32)}ok${sgr(0)} \r${sgr(31)}no`), "no ");
});

test("nothing else of a terminal is left", () => {
    assert.equal(plainOf(`${ESC}[2J${ESC}[H${ESC}]0;title\u0007${ESC}P1$r\u001b\\${ESC}cend\u0000\u0007\u0008`), "end");
    assert.equal(plainOf(`unfinished ${ESC}[31`), "unfinished 31");
    assert.equal(plainOf(`unfinished ${ESC}]8;;http://x`), "unfinished ");
});

test("whatever bytes come, the pieces are the plain text", () => {
    let seed = 7;
    const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
    const parts = [ESC, "[", "]", "8;;", "31", "m", "K", "\r", ";", "a", "é", "漢", "\u0007", "\\", "\u009b", "😀"];
    for (let i = 0; i < 3000; i++) {
        const text = Array.from({ length: random(24) }, () => parts[random(parts.length)]).join("");
        const plain = pieces(text).map((piece) => piece.text).join("");
        assert.equal(plainOf(text), plain);
        assert.doesNotMatch(plain, /[\x00-\x08\x0a-\x1f\x7f]/, JSON.stringify(text));
    }
});
