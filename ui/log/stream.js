// stream.js: paints rows as one text, coloured by ranges. For logs that run faster than anybody
// reads: a frame costs a fraction of what elements cost. The cells are where those of rich.js are.

import { make } from "../dom.js";
import { SIGNS, WHO_CELLS, whoText } from "./rich.js";
import { TIME_CELLS, timeText } from "./times.js";
import { rowsCut } from "./wrap.js";

const SIGN_CELLS = 4;

// One for all logs of a page: {warn, error}, or null when the browser has none.
let highlights;

function highlightsOf() {
    if (highlights === undefined && globalThis.CSS?.highlights) {
        highlights = { warn: new Highlight(), error: new Highlight() };
        for (const level in highlights) CSS.highlights.set("log-" + level, highlights[level]);
    }
    return (highlights ??= null);
}

export class Stream {
    #text = document.createTextNode("");
    #ranges = [];

    constructor() {
        this.el = make("div", "log-stream");
        this.el.append(this.#text);
    }

    static get isPossible() {
        return highlightsOf() !== null;
    }

    paint(wanted, look) {
        this.clear();
        const marks = [];
        let text = "";
        for (const piece of wanted) {
            const from = text.length;
            const rows = rowsOf(piece, look);
            for (let i = 0; i < piece.rows; i++) text += (rows[i] || "") + "\n";
            const level = piece.entry && highlights[piece.entry.level];
            if (level) marks.push([level, from, text.length - 1]);
        }
        this.#text.data = text;
        for (const mark of marks) this.#mark(...mark);
    }

    clear() {
        for (const [level, range] of this.#ranges) level.delete(range);
        this.#ranges = [];
        this.#text.data = "";
    }

    #mark(level, startOffset, endOffset) {
        const at = this.#text;
        const range = new StaticRange({
            startContainer: at,
            startOffset,
            endContainer: at,
            endOffset,
        });
        level.add(range);
        this.#ranges.push([level, range]);
    }
}

// The text of a piece's rows, with the gutter in front.
function rowsOf({ kind, line, entry, note }, look) {
    const gutter = cellsOf(line, entry, look);
    if (kind === "gap") return [" ".repeat(gutter.length) + note + " without output"];
    if (!entry) return [gutter];
    const text = kind === "group" ? "▾ " + note : note ? entry.text + " " + note : entry.text;
    const blank = " ".repeat(gutter.length);
    return rowsCut(text, look.columns).map((row, i) => (i ? blank : gutter) + row);
}

function cellsOf(line, entry, look) {
    const cells = [" " + String(line).padStart(look.digits) + "  "];
    if (look.hasTime) cells.push((entry ? lineTime(entry, look) : "").padEnd(TIME_CELLS));
    const sign = entry ? SIGNS[entry.level] || entry.level : "";
    cells.push(sign.padEnd(SIGN_CELLS).slice(0, SIGN_CELLS));
    if (look.hasWho) cells.push((entry ? whoText(entry) : "").padEnd(WHO_CELLS));
    return cells.join("");
}

const lineTime = (entry, look) =>
    timeText(look.time, entry.time, look.from, look.timeOf(entry.line - 1));

// How many cells are in front of the text.
export const gutterCells = (look) => cellsOf(0, null, look).length;
