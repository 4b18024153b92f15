// documents/markdown.js: the Markdown that crawls keep, as DOM nodes. Nothing is ever parsed as
// HTML: whatever a page has put into its text, it stays text.
//
// It reads what our own converter writes: headings, paragraphs, lists, quotes, code, rules, tables
// and in them links, images, emphasis and code. blocksOf() and spansOf() are pure.

const SAFE = /^(?:https?:|mailto:)/i;

/* ---- blocks ---- */

// [{kind: "heading", level, text}, {kind: "code", text}, {kind: "list", ordered, items: [text]},
//  {kind: "quote", text}, {kind: "table", rows: [[text]]}, {kind: "rule"}, {kind: "paragraph", text}]
export function blocksOf(markdown) {
    const lines = markdown.split("\n");
    const blocks = [];
    for (let i = 0; i < lines.length; ) {
        const take = TAKES.find(({ first }) => first.test(lines[i]));
        if (take) i = take.block(lines, i, blocks);
        else i += 1; // an empty line
    }
    return blocks;
}

const ITEM = /^\s*(?:[-*+]|\d{1,9}[.)])\s+/;
const TAKES = [
    { first: /^\s*(?:```|~~~)/, block: codeTake },
    { first: /^#{1,6}\s/, block: headingTake },
    { first: /^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/, block: ruleTake },
    { first: /^\s*>/, block: quoteTake },
    { first: ITEM, block: listTake },
    { first: /^\s*\|.*\|\s*$/, block: tableTake },
    { first: /\S/, block: paragraphTake },
];

// Lines from i on, as long as they fit; returns the place after them.
function run(lines, i, fits) {
    let end = i + 1;
    while (end < lines.length && fits(lines[end])) end++;
    return end;
}

function codeTake(lines, i, blocks) {
    const [fence] = /```|~~~/.exec(lines[i]);
    const end = run(lines, i, (line) => !line.trimStart().startsWith(fence));
    blocks.push({ kind: "code", text: lines.slice(i + 1, end).join("\n") });
    return end + 1;
}

function headingTake(lines, i, blocks) {
    const [, signs, text] = /^(#+)\s+(.*?)\s*#*$/.exec(lines[i]) || [null, "#", lines[i]];
    blocks.push({ kind: "heading", level: signs.length, text });
    return i + 1;
}

function ruleTake(lines, i, blocks) {
    blocks.push({ kind: "rule" });
    return i + 1;
}

function quoteTake(lines, i, blocks) {
    const end = run(lines, i, (line) => /^\s*>/.test(line));
    const text = lines.slice(i, end).map((line) => line.replace(/^\s*>\s?/, "")).join("\n");
    blocks.push({ kind: "quote", text });
    return end;
}

function listTake(lines, i, blocks) {
    const end = run(lines, i, (line) => ITEM.test(line) || /^\s+\S/.test(line));
    const items = [];
    for (const line of lines.slice(i, end)) {
        if (ITEM.test(line)) items.push(line.replace(ITEM, ""));
        else items[items.length - 1] += " " + line.trim();
    }
    blocks.push({ kind: "list", ordered: /^\s*\d/.test(lines[i]), items });
    return end;
}

function tableTake(lines, i, blocks) {
    const end = run(lines, i, (line) => /^\s*\|.*\|\s*$/.test(line));
    const cells = (line) => line.trim().slice(1, -1).split(/(?<!\\)\|/).map((cell) => cell.trim());
    const rows = lines.slice(i, end).map(cells);
    const isLine = (row) => row.every((cell) => /^:?-+:?$/.test(cell));
    blocks.push({ kind: "table", rows: rows.filter((row) => !isLine(row)) });
    return end;
}

function paragraphTake(lines, i, blocks) {
    const other = TAKES.slice(0, -1);
    const end = run(lines, i, (line) => line.trim() && !other.some(({ first }) => first.test(line)));
    blocks.push({ kind: "paragraph", text: lines.slice(i, end).join("\n") });
    return end;
}

/* ---- spans ---- */

const SPAN =
    /`([^`]+)`|(!?)\[((?:[^\[\]\\]|\\.)*)\]\((?:<([^<>]*)>|([^\s()]*(?:\([^\s()]*\)[^\s()]*)*))(?:\s+"[^"]*")?\)|(\*\*|__)(?=\S)(.+?)(?<=\S)\6|(\*|_)(?=\S)(.+?)(?<=\S)\8(?![A-Za-z0-9])/s;

// [{kind: "text" | "code" | "link" | "image" | "strong" | "em", text, href}]
export function spansOf(text) {
    const spans = [];
    const plain = (part) => part && spans.push({ kind: "text", text: part.replace(/\\([!-/:-@[-`{-~])/g, "$1") });
    for (let rest = text; rest; ) {
        const found = SPAN.exec(rest);
        if (!found) return plain(rest), spans;
        plain(rest.slice(0, found.index));
        spans.push(spanOf(found));
        rest = rest.slice(found.index + found[0].length);
    }
    return spans;
}

function spanOf([, code, image, label, quoted, bare, strong, bold, em, slanted]) {
    if (code !== undefined) return { kind: "code", text: code };
    if (strong) return { kind: "strong", text: bold };
    if (em) return { kind: "em", text: slanted };
    return { kind: image ? "image" : "link", text: label, href: quoted ?? bare };
}

/* ---- nodes ---- */

// Fills an element. base: the address that links are relative to.
export function markdownShow(el, markdown, base) {
    el.replaceChildren(...blocksOf(markdown).map((block) => blockNode(block, base)));
}

function node(tag, ...children) {
    const el = document.createElement(tag);
    el.append(...children);
    return el;
}

const inside = (text, base) => spansOf(text).map((span) => spanNode(span, base));

function blockNode(block, base) {
    const { kind, text } = block;
    if (kind === "rule") return node("hr");
    if (kind === "code") {
        const pre = node("pre", node("code", text));
        pre.tabIndex = 0; // it may scroll
        return pre;
    }
    if (kind === "heading") return node("h" + Math.min(6, block.level + 2), ...inside(text, base));
    if (kind === "quote")
        return node("blockquote", ...blocksOf(text).map((inner) => blockNode(inner, base)));
    if (kind === "list")
        return node(block.ordered ? "ol" : "ul", ...block.items.map((item) => node("li", ...inside(item, base))));
    if (kind === "table") return tableNode(block.rows, base);
    return node("p", ...inside(text, base));
}

function tableNode(rows, base) {
    const row = (cells, tag) => node("tr", ...cells.map((cell) => node(tag, ...inside(cell, base))));
    return node("table", ...rows.map((cells, i) => row(cells, i ? "td" : "th")));
}

function spanNode({ kind, text, href }, base) {
    if (kind === "text") return document.createTextNode(text);
    if (kind === "strong" || kind === "em") return node(kind, ...inside(text, base));
    if (kind === "code") return node("code", text);
    return linkNode(kind === "image" ? "[image: " + (text || "no description") + "]" : text, href, base);
}

// A link to the web, or plain text: nothing else is followed, nothing is loaded from elsewhere.
function linkNode(text, href, base) {
    let target;
    try {
        target = new URL(href, base).href;
    } catch {
        target = "";
    }
    if (!SAFE.test(target)) return document.createTextNode(text);
    const link = node("a", ...(text.startsWith("[image: ") ? [text] : inside(text, base)));
    link.href = target;
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    return link;
}
