// rows.js: what rows there are. Without anything known a line is one row; a folded group, a line
// that is written over by the next one, or one like the line before have none; a long line that is
// wrapped has several, and a gap in time has one above the line.
//
// Folds are kept as ranges of line numbers, so lines that are hidden need not be known.

import { duration, plural } from "../format.js";
import { groupScan } from "./groups.js";
import { rowsCount } from "./wrap.js";

const GAP_MS = 5000;
const ALIKE = 3; // so many similar lines are folded into one
const KEY_MOST = 200; // characters in which similar lines are alike

export class Rows {
    first = 1; // lines before it are not shown
    shown = null; // of a filter: {has(line), countIn(from, to)}
    isBare = false; // lines only: no groups, no gaps, nothing folded
    columns = 0; // cells of a row; 0: lines are not wrapped
    #pages;
    #folds = new Map(); // first line of a group → its last
    #hidden = []; // [from, to], sorted, apart from each other
    #unfolded = new Set(); // first of similar lines that are all shown

    constructor(pages) {
        this.#pages = pages;
    }

    isKnown(page) {
        return this.#pages.has(page);
    }

    count(from, to) {
        const first = Math.max(from, this.first);
        if (first > to) return 0;
        if (this.shown) return this.shown.countIn(first, to);
        if (this.isBare) return to - first + 1;
        return this.#hidden.reduce(
            (n, [a, b]) => n - Math.max(0, Math.min(to, b) - Math.max(first, a) + 1),
            to - first + 1,
        );
    }

    heights(from, to) {
        const heights = new Uint16Array(to - from + 1);
        if (!this.#isBare()) this.#alike(from, to);
        for (let line = from; line <= to; line++)
            heights[line - from] = this.#isShown(line) ? this.#height(line) : 0;
        return heights;
    }

    // What is to be painted for a line that has rows: one piece or two.
    describe(line, rows) {
        const entry = this.#pages.at(line);
        if (!entry) return [{ kind: "missing", key: line, line, rows: 1, note: "" }];
        const gap = this.#gap(entry);
        const row = { kind: "line", key: line, line, rows: rows - (gap ? 1 : 0), entry, note: "" };
        if (!this.#isBare() && entry.kind === "group") Object.assign(row, this.#group(entry));
        else Object.assign(row, { note: this.#note(entry), isOpen: this.#unfolded.has(line) });
        if (!gap) return [row];
        return [{ kind: "gap", key: -line, line, rows: 1, note: duration(gap) }, row];
    }

    // Folds the group that begins in a line, up to and with `last`; 0: unfolds it.
    fold(line, last) {
        if (last) this.#folds.set(line, last);
        else this.#folds.delete(line);
        this.#hidden = [];
        for (const [head, to] of [...this.#folds].sort((a, b) => a[0] - b[0]))
            if (head >= (this.#hidden.at(-1)?.[1] ?? 0)) this.#hidden.push([head + 1, to]);
    }

    isFolded(line) {
        return this.#folds.has(line);
    }

    // Shows or folds what is like this line.
    unfold(line, isOpen = !this.#unfolded.has(line)) {
        if (isOpen) this.#unfolded.add(line);
        else this.#unfolded.delete(line);
    }

    foldNone() {
        for (const head of [...this.#folds.keys()]) this.fold(head, 0);
    }

    // Opens whatever hides a line; says from where on rows are different, Infinity when none are.
    reveal(line) {
        const holders = [...this.#folds].filter(([head, to]) => head < line && line <= to);
        for (const [head] of holders) this.fold(head, 0);
        const entry = this.#pages.at(line);
        const isAlike = !this.#isBare() && entry && entry.head && entry.head !== line;
        if (isAlike) this.unfold(entry.head, true);
        return Math.min(...holders.map(([head]) => head), isAlike ? entry.head : Infinity);
    }

    // Starts anew: nothing is folded.
    forget() {
        this.#folds.clear();
        this.#hidden = [];
        this.#unfolded.clear();
    }

    #isBare() {
        return this.isBare || this.shown !== null;
    }

    #isShown(line) {
        if (line < this.first) return false;
        if (this.shown) return this.shown.has(line);
        const hidden = this.isBare ? null : this.#hidden.findLast(([from]) => from <= line);
        return !hidden || line > hidden[1];
    }

    #height(line) {
        const entry = this.#pages.at(line);
        if (!entry) return 1;
        const next = entry.kind === "progress" && !this.shown && this.#pages.at(line + 1);
        if (next && next.kind === "progress") return 0;
        if (!this.#isBare()) {
            if (entry.kind === "end") return 0;
            if (entry.head && entry.head !== line && !this.#unfolded.has(entry.head)) return 0;
        }
        const note = this.#note(entry);
        const text = note ? entry.text + " " + note : entry.text;
        return (this.#gap(entry) ? 1 : 0) + rowsCount(text, this.columns);
    }

    #note(entry) {
        if (this.#isBare() || entry.head !== entry.line) return "";
        return "(×" + entry.alike + " similar)";
    }

    #gap(entry) {
        const before = !this.#isBare() && this.#pages.at(entry.line - 1);
        const ms = before ? entry.time - before.time : 0;
        return ms >= GAP_MS ? ms : 0;
    }

    #group(head) {
        const end = groupScan(head, this.#pages);
        const name = head.text.slice("::group::".length);
        const lines = end ? end.line - head.line - 1 : 0;
        const about = end ? " (" + plural(lines, "line") + ", " + duration(end.time - head.time) + ")" : "";
        return {
            kind: "group",
            note: "group: " + name + about,
            isOpen: !this.#folds.has(head.line),
        };
    }

    // Notes of each line of a page the first of those that are like it (`head`), and how many
    // they are (`alike`). A run ends with its page, so that a page is all one has to know.
    #alike(from, to) {
        let run = [];
        const close = () => {
            const [head] = run.length >= ALIKE ? run : [];
            for (const entry of run)
                Object.assign(entry, { head: head ? head.line : 0, alike: run.length });
            run = [];
        };
        for (let line = from; line <= to; line++) {
            const entry = this.#pages.at(line);
            if (run.length && (!entry || keyOf(entry) !== keyOf(run[0]))) close();
            if (entry && keyOf(entry)) run.push(entry);
        }
        close();
    }
}

// What similar errors and warnings have in common: all but their numbers, hashes and paths.
export function keyOf(entry) {
    if (entry.level !== "error" && entry.level !== "warn") return "";
    return (entry.key ??=
        entry.level +
        entry.originator +
        " " +
        entry.text
            .slice(0, KEY_MOST)
            .replace(/[^\s"'(]*\/[^\s"')]*/g, "/")
            .replace(/\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b/gi, "#")
            .replace(/\d+/g, "#"));
}
