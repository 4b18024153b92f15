// axis.js: which rows each line has. Counted by pages of lines, so that a million lines of which
// nothing is known cost a few kilobytes, and a change costs a page.
//
// `rows` answers for the lines themselves (rows.js):
//     isKnown(page)      are there lines of the page in memory?
//     heights(from, to)  → the number of rows of each of these lines, 0 when it is hidden
//     count(from, to)    → how many rows they have if nothing is known of them

import { PAGE } from "./pages.js";

const DETAILS = 64; // pages of which the rows of each line are kept

export class Axis {
    total = 0; // lines
    #rows;
    #counts = new Int32Array(16); // rows of each page
    #above = new Float64Array(17); // rows above each page, up to page #summed
    #summed = 0;
    #changed = new Set();
    #details = new Map();

    constructor(rows) {
        this.#rows = rows;
    }

    // All is different: another filter, another width.
    reset(total = this.total) {
        this.total = 0;
        this.#details.clear();
        this.#changed.clear();
        this.#summed = 0;
        this.grow(total);
    }

    grow(total) {
        if (total <= this.total) return;
        const from = this.total + 1;
        this.total = total;
        if (this.#counts.length < this.#pages()) this.#enlarge(this.#pages() * 2);
        this.touch(from, total);
    }

    // The rows of these lines may have changed.
    touch(from, to) {
        const last = Math.min(this.#pages() - 1, pageOf(to));
        for (let page = pageOf(Math.max(1, from)); page <= last; page++) {
            this.#changed.add(page);
            this.#details.delete(page);
        }
    }

    // How many rows there are.
    get rows() {
        this.#settle();
        return this.#above[this.#pages()];
    }

    // The first row of a line; of a hidden one, of what comes after it.
    rowOf(line) {
        this.#settle();
        if (line < 1) return 0;
        if (line > this.total) return this.rows;
        const page = pageOf(line);
        const heights = this.#detail(page);
        this.#settle();
        let row = this.#above[page];
        for (let i = 0; i < line - 1 - page * PAGE; i++) row += heights[i];
        return row;
    }

    // The line that has a row, and which of the line's rows it is: [line, row of the line].
    at(row) {
        for (const found of this.from(row)) return [found.line, row - found.row];
        return [this.total, 0];
    }

    // Lines that are not hidden, from the one that has `row`: {line, row: its first, rows}.
    *from(row) {
        let page = this.#pageAt(row);
        for (; page < this.#pages(); page++) {
            const heights = this.#detail(page);
            this.#settle();
            let at = this.#above[page];
            for (let i = 0; i < heights.length; i++) {
                if (heights[i] && at + heights[i] > row)
                    yield { line: page * PAGE + i + 1, row: at, rows: heights[i] };
                at += heights[i];
            }
        }
    }

    #pageAt(row) {
        for (;;) {
            this.#settle();
            let low = 0;
            let high = this.#pages();
            while (low < high) {
                const middle = (low + high) >> 1;
                if (this.#above[middle + 1] > row) high = middle;
                else low = middle + 1;
            }
            if (low >= this.#pages()) return low;
            this.#detail(low); // it may have other rows than were thought
            if (!this.#changed.size && this.#summed >= this.#pages()) return low;
        }
    }

    #pages() {
        return Math.ceil(this.total / PAGE);
    }

    #detail(page) {
        if (this.#details.has(page)) return this.#details.get(page);
        const heights = this.#rows.heights(page * PAGE + 1, this.#last(page));
        this.#details.set(page, heights);
        if (this.#details.size > DETAILS) this.#details.delete(this.#details.keys().next().value);
        this.#count(
            page,
            heights.reduce((sum, n) => sum + n, 0),
        );
        this.#changed.delete(page);
        return heights;
    }

    #last(page) {
        return Math.min(this.total, (page + 1) * PAGE);
    }

    #count(page, rows) {
        if (this.#counts[page] === rows && page < this.#summed) return;
        this.#counts[page] = rows;
        this.#summed = Math.min(this.#summed, page);
    }

    #settle() {
        for (const page of this.#changed) {
            if (this.#rows.isKnown(page)) this.#detail(page);
            else this.#count(page, this.#rows.count(page * PAGE + 1, this.#last(page)));
        }
        this.#changed.clear();
        for (; this.#summed < this.#pages(); this.#summed++)
            this.#above[this.#summed + 1] = this.#above[this.#summed] + this.#counts[this.#summed];
    }

    #enlarge(pages) {
        const counts = new Int32Array(pages);
        counts.set(this.#counts);
        this.#counts = counts;
        const above = new Float64Array(pages + 1);
        above.set(this.#above);
        this.#above = above;
    }
}

const pageOf = (line) => Math.floor((line - 1) / PAGE);
