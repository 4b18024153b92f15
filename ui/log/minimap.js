// minimap.js: where in the whole log errors and warnings are, and hits beside them, as marks. As far
// as is known: lines that came by, and what the server says.

import { make } from "../dom.js";

const BLOCK = 4; // lines that share a mark
const BINS = 300;
const COLORS = ["", "var(--warn)", "var(--fail)", "var(--accent)"];
const RANKS = { warn: 1, error: 2 };
const HIT = 3;

export class Minimap {
    #ranks = new Uint8Array(1024); // of each block, its worst line

    constructor() {
        this.el = make("div", "log-map", { "aria-hidden": "true" });
    }

    // The reader wants to go to this share of the log.
    onPlace(go) {
        this.el.addEventListener("click", (e) => {
            const { top, height } = this.el.getBoundingClientRect();
            go((e.clientY - top) / height);
        });
    }

    forget() {
        this.#ranks.fill(0);
    }

    put(line, level) {
        const rank = RANKS[level];
        if (!rank) return;
        const block = Math.floor(line / BLOCK);
        if (block >= this.#ranks.length) this.#enlarge(block * 2);
        this.#ranks[block] = Math.max(this.#ranks[block], rank);
    }

    // total: lines. hits: line numbers. from, to: what of 0 … 1 is in sight.
    paint(total, hits, from, to) {
        const [marks, found] = [new Uint8Array(BINS), new Uint8Array(BINS)];
        const mark = (bins, line, rank) => {
            const bin = Math.min(BINS - 1, Math.floor((line / total) * BINS));
            bins[bin] = Math.max(bins[bin], rank);
        };
        const blocks = Math.min(this.#ranks.length, Math.floor(total / BLOCK) + 1);
        for (let i = 0; i < blocks; i++)
            if (this.#ranks[i]) mark(marks, i * BLOCK, this.#ranks[i]);
        for (const line of hits) mark(found, line, HIT);
        this.el.style.setProperty("--marks", gradient(marks));
        this.el.style.setProperty("--hits", gradient(found));
        this.el.style.setProperty("--from", (100 * from).toFixed(2) + "%");
        this.el.style.setProperty("--size", (100 * (to - from)).toFixed(2) + "%");
    }

    #enlarge(blocks) {
        const ranks = new Uint8Array(blocks);
        ranks.set(this.#ranks);
        this.#ranks = ranks;
    }
}

function gradient(bins) {
    const stops = [];
    const percent = (bin) => ((100 * bin) / BINS).toFixed(2) + "%";
    bins.forEach((rank, bin) => {
        if (!rank) return;
        const [from, to] = [percent(bin), percent(bin + 1)];
        const mark = COLORS[rank] + " " + from + " " + to;
        stops.push("transparent " + from, mark, "transparent " + to);
    });
    return stops.length ? "linear-gradient(" + stops.join() + ")" : "none";
}
