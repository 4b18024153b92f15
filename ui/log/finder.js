// finder.js: what a log is searched for, and what it is filtered by.
//
//     hits    of the query
//     shown   lines that the filter leaves, or null: hits of the query, or of a level

import { Hits } from "./hits.js";

const NAMES = { error: "error", warn: "warning", hit: "hit" };

export class Finder {
    hits = null;
    shown = null;
    #search = null;
    #changed;

    // changed(from, to): these lines may be hits now, or shown.
    constructor(changed) {
        this.#changed = changed;
    }

    // search(params) → promise of the server's answer, or null when there is no server to ask.
    open(search) {
        this.#search = search || null;
    }

    // Looks anew, from a line on, in a log of so many lines. For query ({q, regex, case} or null);
    // filter: hits only; level: and worse only.
    start({ query, filter, level }, line, total) {
        this.close();
        if (!this.#search) return;
        const make = (what) => {
            const hits = new Hits(this.#search, what, line, this.#changed);
            hits.grow(total);
            return hits;
        };
        const isAll = !level || level === "debug";
        const atLeast = isAll ? {} : { level };
        if (query?.q) this.hits = make({ ...asked(query), ...atLeast });
        if (this.hits && filter) this.shown = this.hits;
        else if (!isAll) this.shown = make(atLeast);
    }

    close() {
        this.hits?.close();
        this.shown?.close();
        this.hits = this.shown = null;
    }

    grow(total) {
        this.hits?.grow(total);
        this.shown?.grow(total);
    }

    // The next hit, error or warning after a line, or before it: 0 when there is none.
    next(kind, line, isBack) {
        if (kind === "hit") return this.hits ? this.hits.next(line, isBack) : 0;
        return this.#search ? this.#levelNext(kind, line, isBack) : 0;
    }

    // Just of that level: the server finds what is at least as bad.
    async #levelNext(level, line, isBack) {
        for (let at = line; ; ) {
            const where = isBack ? { before: at, order: "desc" } : { after: at, order: "asc" };
            const { logs } = await this.#search({ level, ...where, texts: true, limit: 100 });
            const found = logs.find((line) => line.level === level);
            if (found || !logs.length) return found ? found.line : 0;
            at = logs.at(-1).line;
        }
    }

    // Line numbers of errors and warnings, for the map: [[level, lines]].
    async marks() {
        if (!this.#search) return [];
        const find = async (level) => [level, (await this.#search({ level, limit: 10000 })).lines];
        return [await find("warn"), await find("error")];
    }
}

// What is not wanted is not said.
const asked = (query) => Object.fromEntries(Object.entries(query).filter(([, value]) => value));

export const noneText = (kind, isBack) =>
    "No " + (NAMES[kind] || kind) + (isBack ? " before" : " after") + " here.";
