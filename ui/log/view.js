// view.js: the rows of a log that are in sight, painted at their place in the scrolled element.
//
// What is at the top of it stays there, whatever comes in above or is folded: the place is kept as
// a line and px, and rows and px are calculated from it anew each time.

import { hiddenSet } from "../dom.js";
import { Axis } from "./axis.js";
import { END_ROWS } from "./follow.js";
import { Rich } from "./rich.js";
import { Stream } from "./stream.js";
import { ROW, Window } from "./window.js";

const ALL = 200; // up to so many rows are all in the page
const OVERSCAN = 30;
const PAGE_EDGE = 5 * ROW; // px
const SIGHT_FIRST = 16 * ROW; // px, until the page has been laid out

export class View {
    anchor = { line: 1, dy: 0 }; // a line, and px from its top to the top of what is in sight
    cell = 8; // px
    isStreaming = false;
    #rows;
    #axis;
    #window = new Window();
    #rich = new Rich();
    #stream = new Stream();
    #height = -1; // px, as the element has it
    #scrolledTo = 0;

    constructor(rows) {
        this.#rows = rows;
        this.#axis = new Axis(rows);
        this.#stream.el.hidden = true;
    }

    get painters() {
        return [this.#rich.el, this.#stream.el];
    }

    // Where lines are.
    get axis() {
        return this.#axis;
    }

    // What is out of sight: px, and rows.
    get above() {
        return this.#window.top;
    }

    get below() {
        return this.#window.below;
    }

    // What of 0 … 1 is in sight: [from, to].
    get share() {
        const { top, sight, whole } = this.#window;
        return whole ? [top / whole, Math.min(1, (top + sight) / whole)] : [0, 1];
    }

    measure({ scroller, probe }) {
        this.#window.sight = scroller.clientHeight;
        this.cell = probe.getBoundingClientRect().width / 100 || this.cell;
        this.#height = -1;
    }

    // Returns by how many px the reader scrolled.
    scrolled(scroller) {
        const at = scroller.scrollTop;
        if (Math.abs(at - this.#scrolledTo) < 1) return 0; // our own doing
        this.#scrolledTo = at;
        return this.#window.scrolled(at);
    }

    // Holds what is at the top.
    hold() {
        this.anchor = this.topLine();
    }

    // Holds a line so that there is some room above it; or, what is above it in sight.
    bring(line, isForAbove) {
        const { sight } = this.#window;
        const room = isForAbove ? sight - END_ROWS * ROW : Math.floor(sight / 3 / ROW) * ROW;
        this.anchor = { line, dy: -room };
    }

    topLine() {
        if (!this.#axis.rows) return this.anchor; // a filter, whose lines are not known yet
        const { top } = this.#window;
        const [line] = this.#axis.at(Math.floor(top / ROW));
        return { line, dy: top - this.#axis.rowOf(line) * ROW };
    }

    isInSight(line) {
        const y = this.#y(line);
        return y >= 0 && y < this.#window.sight;
    }

    // The page, too, may be scrolled to where a line cannot be seen.
    intoPage(scroller, line) {
        const y = scroller.getBoundingClientRect().top + this.#y(line);
        if (y < PAGE_EDGE || y > innerHeight - PAGE_EDGE) scrollBy(0, y - innerHeight / 2);
    }

    // Px from the top of what is in sight.
    #y(line) {
        return this.#axis.rowOf(line) * ROW - this.#window.top;
    }

    // Returns the pieces that are painted now.
    paint({ scroller, space, layer }, look, follow, isStreaming) {
        const { line, dy } = this.anchor;
        this.#window.sight ||= SIGHT_FIRST;
        this.#window.size(this.#axis.rows);
        this.#window.to(follow ? Infinity : this.#axis.rowOf(line) * ROW + dy);
        const { row, pieces } = this.#inSight(isStreaming ? 0 : OVERSCAN);
        this.#painter(isStreaming).paint(pieces, look);
        layer.style.setProperty("top", row * ROW - this.#window.shift + "px");
        this.#scroll(scroller, space);
        return pieces;
    }

    // Are there other rows than were painted? What is looked at is known better then.
    get isStale() {
        return this.#axis.rows * ROW !== this.#window.whole;
    }

    #inSight(overscan) {
        const { top, sight } = this.#window;
        const all = this.#axis.rows <= ALL;
        const from = all ? 0 : Math.max(0, Math.floor(top / ROW) - overscan);
        const to = all ? ALL : Math.ceil((top + sight) / ROW) + overscan;
        const seen = { row: from, pieces: [] };
        for (const { line, row, rows } of this.#axis.from(from)) {
            if (row >= to) break;
            if (!seen.pieces.length) seen.row = row;
            seen.pieces.push(...this.#rows.describe(line, rows));
        }
        return seen;
    }

    #painter(isStreaming) {
        const [painter, other] = isStreaming
            ? [this.#stream, this.#rich]
            : [this.#rich, this.#stream];
        if (isStreaming !== this.isStreaming) {
            this.isStreaming = isStreaming;
            other.clear();
            hiddenSet(other.el, true);
            hiddenSet(painter.el, false);
        }
        return painter;
    }

    #scroll(scroller, space) {
        const { height, at } = this.#window;
        if (height === this.#height && Math.abs(at - this.#scrolledTo) < 1) return;
        if (height !== this.#height) space.style.setProperty("height", height + "px");
        this.#height = height;
        scroller.scrollTop = at;
        this.#scrolledTo = scroller.scrollTop;
    }
}
