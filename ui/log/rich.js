// rich.js: paints rows as elements: links, colours, selection, places in a list. An element stays
// as long as its row is in sight, and is used again for another one.

import { jobsIn, make } from "../dom.js";
import { PLAIN, pieces } from "./ansi.js";
import { Finds } from "./finds.js";
import { timeText } from "./times.js";
import { piecesCut } from "./wrap.js";

export const SIGNS = { debug: "DBG", info: "INF", warn: "WRN", error: "ERR" };
export const WHO_CELLS = 9;
const SPARE = 200;

// Who wrote a line, cut to its cell.
export const whoText = ({ originator }) => (originator ? "[" + originator + "]" : "").slice(0, WHO_CELLS);

export class Rich {
    #rows = new Map(); // key → row
    #spare = [];
    #finds = new Finds();

    constructor() {
        this.el = make("div", "log-rows", { role: "list" });
    }

    // pieces: of rows.js, from top to bottom. look: how, see log.js.
    paint(wanted, look) {
        const keys = new Set(wanted.map((piece) => piece.key));
        for (const [key, row] of this.#rows) if (!keys.has(key)) this.#drop(key, row);
        let at = this.el.firstChild;
        for (const piece of wanted) {
            const row = this.#rows.get(piece.key) || this.#take(piece.key);
            this.#fill(row, piece, look);
            if (row.el === at) at = at.nextSibling;
            else this.el.insertBefore(row.el, at);
        }
    }

    clear() {
        for (const [key, row] of this.#rows) this.#drop(key, row);
    }

    #take(key) {
        const row = this.#spare.pop() || rowMake();
        this.#rows.set(key, row);
        return row;
    }

    #drop(key, row) {
        this.#rows.delete(key);
        this.#finds.remove(row);
        row.el.remove();
        row.seen = "";
        if (this.#spare.length < SPARE) this.#spare.push(row);
    }

    #fill(row, piece, look) {
        const { line, entry } = piece;
        const mark = look.mark(line);
        const before = look.time === "delta" && entry ? look.timeOf(line - 1) : 0;
        const parts = [piece.kind, piece.rows, piece.note, piece.isOpen, mark, before, look.stamp];
        const seen = line + " " + parts.join();
        if (row.seen === seen) return;
        row.seen = seen;
        this.#finds.remove(row);
        const { el } = row;
        el.className = piece.kind === "gap" ? "log-gap" : "tree-log-line " + (entry?.isMark ? "part " : "") + mark;
        el.style.setProperty("--rows", piece.rows);
        attributes(el, piece, look);
        row.num.data = piece.kind === "gap" ? "" : line;
        row.time.data = entry ? timeText(look.time, entry.time, look.from, before) : "";
        row.sign.data = entry ? SIGNS[entry.level] || entry.level : "";
        row.who.data = entry ? whoText(entry) : "";
        row.text.replaceChildren(...textOf(piece, look));
        if (entry && look.pattern) this.#finds.add(row, look.pattern);
    }
}

function attributes(el, { kind, line, entry }, look) {
    if (kind === "gap") {
        for (const name of ["data-line", "data-level", "aria-posinset", "aria-setsize"])
            el.removeAttribute(name);
        return;
    }
    el.setAttribute("data-line", line);
    el.setAttribute("data-level", entry ? entry.level : "");
    el.setAttribute("aria-posinset", line);
    el.setAttribute("aria-setsize", look.size);
}

function rowMake() {
    const row = { el: make("div", "", { role: "listitem" }), seen: "", ranges: null };
    const cell = (className) => {
        const span = make("span", className);
        row.el.append(span);
        return span;
    };
    const textCell = (className) => cell(className).appendChild(document.createTextNode(""));
    row.num = textCell("tree-log-num");
    row.time = textCell("log-time");
    row.sign = textCell("log-sign");
    row.who = textCell("log-who");
    row.text = cell("tree-log-text");
    return row;
}

function textOf({ kind, entry, note, isOpen }, look) {
    if (kind === "missing") return [];
    if (kind === "gap") return [note + " without output"];
    if (kind === "group") return [buttonMake("log-group", note, isOpen)];
    if (look.isBare) return [entry.text];
    const text = piecesCut(pieces(entry.message).flatMap(jobsLinked), look.columns).map(styled);
    return note ? [...text, " ", buttonMake("log-note", note, isOpen)] : text;
}

const jobsLinked = (piece) =>
    piece.style !== PLAIN
        ? [piece]
        : jobsIn(piece.text).map(({ text, href }) => ({ text, style: href ? { ...PLAIN, href } : PLAIN }));

function buttonMake(className, text, isOpen) {
    const button = make("button", className, { type: "button", "aria-expanded": isOpen });
    button.textContent = text;
    return button;
}

const CLASSES = ["bold", "dim", "italic", "underline", "strike"];

// A text node, or an element for text that is not plain.
function styled({ text, style }) {
    if (style === PLAIN) return text;
    const el = style.href ? linkMake(style.href) : make("span", "");
    el.textContent = text;
    el.classList.add(...CLASSES.filter((name) => style[name]));
    const [fg, bg] = style.inverse
        ? [style.bg || "var(--well)", style.fg || "var(--text)"]
        : [style.fg, style.bg];
    if (fg) el.style.setProperty("--fg", fg);
    if (fg) el.classList.add(bg ? "as-is" : "fg");
    if (bg) el.style.setProperty("background-color", bg);
    return el;
}

const linkMake = (href) =>
    make("a", "", { href, target: "_blank", rel: "noopener noreferrer", title: href });
