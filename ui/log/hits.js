// hits.js: the lines that a search or a filter finds. The server looks; here are their numbers,
// all between `low` and `high`, and how many there are in all, also while the log grows.
//
// It begins where the reader is, and goes from there to the first line and to the last, so that
// what is in sight is known first.
//
// search(params) → promise of the server's answer; see docs/api.md.

const LIMIT = 10000; // numbers asked for at once
const TEXTS = 256; // lines
const GROW_MS = 500; // a growing log is asked again so often at most
const AGAIN_MS = 3000; // after a failure

export class Hits {
    lines = []; // sorted
    low;
    high;
    error = "";
    #search;
    #what;
    #changed;
    #start;
    #from; // counted from this line
    #to; // to this one
    #before = 0; // hits before #start
    #after = 0; // and from it on
    #total = 0;
    #isBusy = false;
    #asked = -Infinity;
    #timer = null;
    #texts = 0; // when lines may be asked for

    // what: {q, regex, case, level}. at: the line to begin with. changed(from, to): these lines may
    // be hits now.
    constructor(search, what, at, changed) {
        this.#search = search;
        this.#what = what;
        this.#changed = changed;
        this.#start = this.low = this.#from = at;
        this.high = this.#to = at - 1;
    }

    get count() {
        return this.#before + this.#after;
    }

    get isComplete() {
        return this.#from <= 1 && this.#to >= this.#total;
    }

    // Hits that are counted but not among `lines`: before them, and after.
    get above() {
        return this.#before - this.#place(this.#start);
    }

    get below() {
        return this.#after - (this.lines.length - this.#place(this.#start));
    }

    close() {
        clearTimeout(this.#timer);
        this.#changed = null;
    }

    has(line) {
        return this.lines[this.#place(line)] === line;
    }

    countIn(from, to) {
        return this.#place(to + 1) - this.#place(from);
    }

    // Which hit a line is, 1 the first; 0 when that is not known.
    at(line) {
        return this.#from <= 1 && this.has(line) ? this.above + this.#place(line) + 1 : 0;
    }

    // The log has so many lines now.
    grow(total) {
        this.#total = total;
        if (this.isComplete || this.#isBusy || this.#timer || !this.#changed) return;
        const wait = this.#asked + (this.error ? AGAIN_MS : GROW_MS) - performance.now();
        this.#timer = setTimeout(() => this.#count(), Math.max(0, wait));
    }

    // More of the hits above, or below.
    async more(isAbove) {
        if (this.#isBusy || !this.#changed || !(isAbove ? this.above : this.below)) return;
        await this.#alone(() => this.#ask(isAbove, isAbove ? this.low : this.high));
    }

    // The hit after a line, or before it; 0 when there is none.
    async next(line, isBack) {
        const i = isBack ? this.#place(line) - 1 : this.#place(line + 1);
        const isKnown = isBack ? line <= this.high + 1 : line >= this.low - 1;
        if (isKnown && this.lines[i]) return this.lines[i];
        const answer = await this.#search({ ...this.#what, ...way(isBack, line), limit: 1 });
        return answer.lines[0] || 0;
    }

    // The lines themselves, from one on; null when they were asked for just now.
    async texts(line) {
        if (performance.now() < this.#texts) return null;
        this.#texts = performance.now() + AGAIN_MS;
        const from = way(false, line - 1);
        const { logs } = await this.#search({ ...this.#what, ...from, texts: true, limit: TEXTS });
        this.#texts = 0;
        return logs;
    }

    // Counts up to the first line, and up to the newest that there was at the beginning.
    async #count() {
        this.#timer = null;
        const total = this.#total;
        await this.#alone(async () => {
            let known = -Infinity; // it ends when an answer brings nothing further
            while (this.#to - this.#from > known && (this.#from > 1 || this.#to < total)) {
                known = this.#to - this.#from;
                await this.#ask(this.#from > 1, this.#from > 1 ? this.#from : this.#to, total);
            }
        });
        if (this.#changed && !this.error) this.grow(this.#total);
    }

    async #alone(work) {
        this.#isBusy = true;
        this.#asked = performance.now();
        this.error = "";
        try {
            await work();
        } catch (error) {
            this.error = error.message;
            this.#changed?.(1, 0);
        }
        this.#isBusy = false;
    }

    async #ask(isBack, line, total = 0) {
        const what = { ...this.#what, ...way(isBack, line), limit: LIMIT };
        const answer = await this.#search(what);
        if (!this.#changed) return;
        if (isBack) this.#takeBack(line, answer);
        else this.#take(line, answer, total);
        this.#changed(this.low, this.high);
    }

    #take(line, { lines, count, to, next }, total) {
        const end = next ?? Math.max(to, line, total);
        if (line === this.high) {
            this.lines = this.lines.concat(lines);
            this.high = lines.length === count ? end : lines.at(-1);
        }
        if (line !== this.#to) return;
        this.#after += count;
        this.#to = end;
    }

    #takeBack(line, { lines, count, next }) {
        const end = next ?? 1;
        if (line === this.low) {
            this.lines = lines.reverse().concat(this.lines);
            this.low = lines.length === count ? end : this.lines[0];
        }
        if (line !== this.#from) return;
        this.#before += count;
        this.#from = end;
    }

    // Where a line is, or would be, in `lines`.
    #place(line) {
        let low = 0;
        let high = this.lines.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.lines[middle] < line) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}

const way = (isBack, line) =>
    isBack ? { before: line, order: "desc" } : { after: line, order: "asc" };
