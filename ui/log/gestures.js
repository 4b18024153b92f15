// gestures.js: what the reader does in a log, told to the element that shows it:
//
//     did(name)              as follow.js knows it
//     scrolled()
//     pressed()              before anything is selected
//     numbered(line, isTo)   clicked on a line's number; isTo: with shift
//     clicked(line)          elsewhere on a line
//     toggled(line)          a group, or what is similar, is to be opened or folded
//     text(line)             → what is copied of a line

import { ROW } from "./window.js";

const LINES = { ArrowUp: -2, ArrowDown: 2 }; // rows
const PAGES = { PageUp: -1, PageDown: 1, Home: -Infinity };

export function gesturesListen(scroller, to) {
    const on = (name, listen) => scroller.addEventListener(name, listen, { passive: true });
    on("wheel", (e) => e.deltaY < 0 && to.did("wheel-up"));
    on("touchmove", () => to.did("drag"));
    scroller.addEventListener("keydown", (e) => keyed(e, scroller, to));
    on("scroll", () => to.scrolled());
    on("pointerdown", (e) => e.target !== scroller && to.pressed());
    on("pointerup", () => isSelecting() && to.did("select"));
    on("click", (e) => clicked(e, to));
    scroller.addEventListener("copy", (e) => copied(e, scroller, to.text));
}

// The log scrolls by itself, and at once: of what the browser still moves when the next key comes,
// it would be told only after that.
function keyed(e, scroller, to) {
    const rows = LINES[e.key] * ROW || PAGES[e.key] * (scroller.clientHeight - ROW);
    if ((!rows && e.key !== "End") || e.ctrlKey || e.metaKey || e.altKey) return;
    const before = scroller.scrollTop;
    to.did(e.key);
    if (rows) scroller.scrollTop = Math.max(0, before + rows);
    to.scrolled();
    // At an end of the log the key is for the page around it.
    if (e.key === "End" || scroller.scrollTop !== before) e.preventDefault();
}

const isSelecting = () => !getSelection().isCollapsed;

function clicked(e, to) {
    const row = e.target.closest(".tree-log-line");
    if (!row || e.target.closest("a")) return;
    const line = Number(row.dataset.line);
    if (e.target.closest("button")) to.toggled(line);
    else if (e.target.closest(".tree-log-num")) to.numbered(line, e.shiftKey);
    else if (!isSelecting()) to.clicked(line);
}

// Of lines their texts are copied, without what stands before them, and as they are.
function copied(e, scroller, text) {
    const selection = getSelection();
    if (!selection.rangeCount) return;
    const range = selection.getRangeAt(0);
    const rows = [...scroller.querySelectorAll(".tree-log-line")].filter((row) =>
        range.intersectsNode(row),
    );
    if (!rows.length) return;
    e.clipboardData.setData("text/plain", rows.map((row) => covered(row, range, text)).join("\n"));
    e.preventDefault();
}

// A line's text as far as it is selected.
function covered(row, range, text) {
    const part = document.createRange();
    part.selectNodeContents(row.querySelector(".tree-log-text"));
    const begins = range.compareBoundaryPoints(Range.START_TO_START, part) > 0;
    const ends = range.compareBoundaryPoints(Range.END_TO_END, part) < 0;
    if (begins) part.setStart(range.startContainer, range.startOffset);
    if (ends) part.setEnd(range.endContainer, range.endOffset);
    if (begins || ends) return part.toString().replace(/\n/g, "");
    return text(Number(row.dataset.line));
}

// Returns what to tell the reader.
export async function clipboardPut(texts) {
    try {
        await navigator.clipboard.writeText(texts.join("\n"));
        return texts.length === 1 ? "Line copied." : texts.length + " lines copied.";
    } catch {
        return "The browser does not allow to copy here.";
    }
}
