// finds.js: marks what was searched for inside painted rows. The text itself is not touched.

const MOST = 100; // in one row

// One for all logs of a page.
let highlight = null;

function highlightOf() {
    if (!highlight && globalThis.CSS?.highlights) {
        highlight = new Highlight();
        CSS.highlights.set("log-find", highlight);
    }
    return highlight;
}

// What a plain search looks for; null when there is nothing to mark. A regular expression is the
// server's to match: it has a time budget, the page has none.
export function patternOf(query) {
    if (!query?.q || query.regex) return null;
    const letters = [...query.q].map((c) => c.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&"));
    return new RegExp(letters.join("\n?"), query.case ? "gu" : "giu"); // a row may end anywhere
}

export class Finds {
    add(row, pattern) {
        const found = highlightOf();
        if (!found) return;
        row.ranges = rangesOf(row.text, pattern);
        for (const range of row.ranges) found.add(range);
    }

    remove(row) {
        for (const range of row.ranges || []) highlight.delete(range);
        row.ranges = null;
    }
}

function rangesOf(el, pattern) {
    const nodes = [];
    const walker = document.createTreeWalker(el, NodeFilter.SHOW_TEXT);
    for (let at = 0; walker.nextNode(); ) {
        nodes.push([walker.currentNode, at]);
        at += walker.currentNode.data.length;
    }
    const ranges = [];
    for (const { index, 0: text } of el.textContent.matchAll(pattern)) {
        if (ranges.length === MOST) break;
        const range = document.createRange();
        range.setStart(...place(nodes, index));
        range.setEnd(...place(nodes, index + text.length - 1, 1));
        ranges.push(range);
    }
    return ranges;
}

// The node and the place in it of a character.
function place(nodes, index, more = 0) {
    const [node, at] = nodes.findLast(([, at]) => at <= index);
    return [node, index - at + more];
}
