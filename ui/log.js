// log.js: <tailrace-log>, the lines of one step.
//
// Rows have one fixed height and show the lines of the reducer's state, which are consecutive.
// Up to ALL of them are in the page; of more, those in sight. Rows that left are used again.
// The element keeps nothing of its own but what it has painted: whether the reader scrolled away
// (`held`) is in the state too, and the element only says when that changes:
//
//     events  loghold     {detail: {held}}    the reader left the end, or came back to it
//             logearlier  {detail: {before}}  older lines than line `before` are wanted

import { attributeSet, hiddenSet, make, textSet } from "./dom.js";
import { clock, count, plain } from "./format.js";

const ROW = 20; // px, as in style.css
const ALL = 200;
const OVERSCAN = 30;
const END_ROWS = 2; // so near to the end counts as being there
const SIGNS = { debug: "DBG", info: "INF", warn: "WRN", error: "ERR" };

export class TailraceLog extends HTMLElement {
    #writer = null;
    #rows = [];
    #spare = [];
    #wanted = false; // earlier lines were asked for
    #top = 0; // scrollTop as we last knew it, to tell up from down

    connectedCallback() {
        if (this.scroller) return;
        this.classList.add("tree-step-logs");
        this.earlier = make("button", "log-earlier", { type: "button" });
        this.scroller = make("div", "log-scroll", {
            role: "log",
            "aria-live": "off",
            tabindex: "0",
        });
        this.above = make("div", "log-pad");
        this.below = make("div", "log-pad");
        this.newer = make("button", "log-newer", { type: "button" });
        this.newer.hidden = true;
        this.scroller.append(this.above, this.below);
        this.append(this.earlier, this.scroller, this.newer);
        this.#listen();
    }

    // Names the log for those who cannot see where it is.
    set label(text) {
        attributeSet(this.scroller, "aria-label", text);
    }

    // writer: {logs, total_logs, held} of the state.
    show(writer) {
        const before = this.#writer;
        if (before === writer) return;
        const moved = before && writer.held ? firstMoved(before.logs, writer.logs) : 0;
        this.#writer = writer;
        const earlier = writer.logs.length ? writer.logs[0].line - 1 : 0;
        hiddenSet(this.earlier, earlier === 0);
        textSet(
            this.earlier,
            "↑ " + count(earlier) + " earlier " + (earlier === 1 ? "line" : "lines"),
        );
        this.#paint();
        if (moved) this.#scroll(this.#place(moved));
        if (!writer.held) this.#scroll(this.scroller.scrollHeight);
        if (moved) this.#paint();
        this.#count();
    }

    #listen() {
        const hold = (held) => {
            if (!this.#writer || this.#writer.held === held) return;
            this.dispatchEvent(new CustomEvent("loghold", { bubbles: true, detail: { held } }));
        };
        const canScroll = () => this.scroller.scrollTop > 0;
        this.scroller.addEventListener("wheel", (e) => e.deltaY < 0 && canScroll() && hold(true), {
            passive: true,
        });
        this.scroller.addEventListener("touchmove", () => canScroll() && hold(true), {
            passive: true,
        });
        this.scroller.addEventListener("keydown", (e) => {
            if (["PageUp", "Home", "ArrowUp"].includes(e.key) && canScroll()) hold(true);
            if (e.key === "End") hold(false);
        });
        this.scroller.addEventListener("pointerup", () => {
            if (!getSelection().isCollapsed && canScroll()) hold(true);
        });
        this.scroller.addEventListener("scroll", () => this.#scrolled(hold), { passive: true });
        // A log that grows, or is opened again, is still at its end if it was followed.
        new ResizeObserver(() => {
            if (this.#writer && !this.#writer.held) this.#scroll(this.scroller.scrollHeight);
        }).observe(this.scroller);
        this.newer.addEventListener("click", () => {
            hold(false);
            this.#scroll(this.scroller.scrollHeight);
        });
        this.earlier.addEventListener("click", () => {
            hold(true);
            this.#wanted = true;
            const before = this.#writer.logs[0].line;
            this.dispatchEvent(
                new CustomEvent("logearlier", { bubbles: true, detail: { before } }),
            );
        });
    }

    #scrolled(hold) {
        const top = this.scroller.scrollTop;
        const went = top - this.#top;
        this.#top = top;
        if (Math.abs(went) < 1) return; // our own
        if (went > 0 && this.#linesBelow() <= END_ROWS) hold(false);
        if (went < 0 && this.#linesBelow() > END_ROWS) hold(true);
        this.#paint();
        this.#count();
    }

    #scroll(top) {
        this.scroller.scrollTop = top;
        this.#top = this.scroller.scrollTop;
    }

    // Where to be after `moved` rows came in above: on the same line; or, when the reader asked
    // for them, at their end.
    #place(moved) {
        const { clientHeight, scrollTop } = this.scroller;
        if (!this.#wanted || moved < 0) return scrollTop + moved * ROW;
        this.#wanted = false;
        return moved * ROW - clientHeight + END_ROWS * ROW;
    }

    #linesBelow() {
        const { scrollHeight, clientHeight, scrollTop } = this.scroller;
        return Math.max(0, Math.round((scrollHeight - clientHeight - scrollTop) / ROW));
    }

    #count() {
        const below = this.#writer.held ? this.#linesBelow() : 0;
        hiddenSet(this.newer, below <= END_ROWS);
        textSet(this.newer, "↓ " + count(below) + " newer");
    }

    // Rows for the lines in sight, and padding for the rest.
    #paint() {
        const { logs } = this.#writer;
        const [from, to] = this.#range(logs.length);
        const first = from < to ? logs[from].line : Infinity;
        const last = from < to ? logs[to - 1].line : -1;
        while (this.#rows.length && this.#rows[0].line < first) this.#drop(this.#rows.shift());
        while (this.#rows.length && this.#rows.at(-1).line > last) this.#drop(this.#rows.pop());
        const has = this.#rows.length ? this.#rows[0].line : Infinity;
        const older = [];
        for (let i = from; i < to && logs[i].line < has; i++) older.push(this.#row(logs[i]));
        this.above.after(...older.map((row) => row.el));
        this.#rows.unshift(...older);
        const painted = this.#rows.length ? this.#rows.at(-1).line : -1;
        let i = to;
        while (i > from && logs[i - 1].line > painted) i--;
        const newer = logs.slice(i, to).map((line) => this.#row(line));
        this.below.before(...newer.map((row) => row.el));
        this.#rows.push(...newer);
        this.above.style.setProperty("height", from * ROW + "px");
        this.below.style.setProperty("height", (logs.length - to) * ROW + "px");
    }

    #range(n) {
        if (n <= ALL) return [0, n];
        const sight = Math.ceil((this.scroller.clientHeight || 16 * ROW) / ROW);
        const top = this.#writer.held ? Math.floor(this.scroller.scrollTop / ROW) : n - sight;
        return [Math.max(0, top - OVERSCAN), Math.min(n, Math.max(0, top) + sight + OVERSCAN)];
    }

    #drop(row) {
        row.el.remove();
        if (this.#spare.length < ALL) this.#spare.push(row);
    }

    #row(line) {
        const row = this.#spare.pop() || rowMake();
        row.line = line.line;
        row.el.dataset.line = line.line;
        row.el.dataset.level = line.level;
        row.num.data = line.line;
        row.time.data = clock(line.timestamp);
        row.sign.data = SIGNS[line.level] || line.level;
        row.who.data = line.originator ? "[" + line.originator + "]" : "";
        row.text.data = plain(line.message);
        return row;
    }
}

function rowMake() {
    const row = { el: make("div", "tree-log-line") };
    const cell = (key, className) => {
        const span = make("span", className);
        row[key] = document.createTextNode("");
        span.append(row[key]);
        row.el.append(span);
    };
    cell("num", "tree-log-num");
    cell("time", "log-time");
    cell("sign", "log-sign");
    cell("who", "log-who");
    cell("text", "tree-log-text");
    return row;
}

// By how many rows the lines that both have moved down.
function firstMoved(before, after) {
    if (!before.length || !after.length) return 0;
    return before[0].line - after[0].line;
}

customElements.define("tailrace-log", TailraceLog);
