// pages.js: the lines in memory, by number, in pages of 256. The least looked at go first. A line
// never changes, so one that is here is never asked for again.

import { plainOf } from "./ansi.js";

export const PAGE = 256;
const KEEP = 64; // pages
const LOOSE = 4096; // lines out of their pages
const AT_ONCE = 3; // requests
const AGAIN_MS = 2000;
const GROWING_MS = 1000; // so often at most is the last page asked for again while it fills up

// What the server says between parts of a log: another attempt, another item, lines left out.
const MARK = /^(?:item '(?:(?!' failed: ).)*'|(?:item '.*': )?attempt \d+ of \d+|… [\d,]+ lines left out …)$/s;

const now = () => performance.now();
const pageOf = (line) => Math.floor((line - 1) / PAGE);

// A line, and what the view finds out about it.
export class Entry {
    #text;

    constructor({ line, timestamp, level, originator, message }) {
        Object.assign(this, { line, level, originator: originator || "", message });
        this.time = Date.parse(timestamp);
        this.kind = kindOf(message);
        this.isMark = originator === "step" && MARK.test(message);
    }

    get text() {
        return (this.#text ??= plainOf(this.message));
    }
}

function kindOf(message) {
    if (message.endsWith("\r")) return "progress";
    if (message.startsWith("::group::")) return "group";
    return message.startsWith("::endgroup::") ? "end" : "";
}

// on: {put(entry)      a line came into memory
//      changed(from, to)  these lines did
//      failed(error)}
export class Pages {
    #on;
    #fetch = null;
    #pages = new Map(); // page → [entry], the least recently looked at first
    #loose = new Map(); // line → entry
    #asked = new Map(); // page → {last: the last of its lines that there was then, at: ms}
    #flying = new Map(); // page → promise
    #wanted = [];
    #first = 0; // lines that put() has seen
    #last = 0;

    constructor(on) {
        this.#on = on;
    }

    // fetch(after, limit) → promise of lines. Forgets all that is here.
    open(fetch = null) {
        this.#fetch = fetch;
        this.#pages.clear();
        this.#loose.clear();
        this.#asked.clear();
        this.#flying.clear();
        this.#wanted = [];
        this.#first = this.#last = 0;
    }

    at(line) {
        const page = this.#pages.get(pageOf(line));
        return (page && page[(line - 1) % PAGE]) || this.#loose.get(line);
    }

    has(page) {
        return this.#pages.has(page);
    }

    // The newest lines of a log, consecutive; those seen last time are passed over.
    putTail(lines) {
        if (!lines.length) return;
        const [first, last] = [lines[0].line, lines.at(-1).line];
        if (first >= this.#first && first <= this.#last) {
            this.put(lines.slice(Math.max(0, this.#last + 1 - first)));
        } else {
            this.put(lines);
            this.#first = first;
        }
        this.#last = last;
    }

    put(lines) {
        for (const line of lines) {
            const page = this.#page(pageOf(line.line));
            const i = (line.line - 1) % PAGE;
            if (page[i]) continue;
            page[i] = new Entry(line);
            this.#on.put(page[i]);
        }
        this.#tell(lines);
    }

    // Lines here and there, such as a filter finds: a page for each would be a waste.
    putLoose(lines) {
        for (const line of lines) {
            const entry = this.at(line.line) || new Entry(line);
            this.#loose.delete(line.line);
            this.#loose.set(line.line, entry);
            if (this.#loose.size > LOOSE) this.#loose.delete(this.#loose.keys().next().value);
            this.#on.put(entry);
        }
        this.#tell(lines);
    }

    #tell(lines) {
        if (lines.length) this.#on.changed(lines[0].line, lines.at(-1).line);
    }

    // These lines, of `total`, are in sight: asks for what is missing around them.
    want(lines, total) {
        const pages = [...new Set(lines.map(pageOf))];
        for (const page of pages) if (this.#pages.has(page)) this.#page(page);
        this.#wanted = pages.filter((page) => this.#lacks(page, total));
        this.#next(total);
    }

    // Waits until these lines are in memory, if they can be had.
    async ensure(from, to, total) {
        for (let page = pageOf(from); page <= pageOf(to); page++)
            if (this.#lacks(page, total)) await (this.#flying.get(page) || this.#load(page, total));
    }

    #lacks(page, total) {
        const last = Math.min(total, (page + 1) * PAGE);
        const asked = this.#asked.get(page);
        if (!this.#fetch || (asked && (asked.last >= last || now() - asked.at < GROWING_MS)))
            return false;
        for (let line = page * PAGE + 1; line <= last; line++) if (!this.at(line)) return true;
        return false;
    }

    #next(total) {
        while (this.#wanted.length && this.#flying.size < AT_ONCE) {
            const page = this.#wanted.shift();
            if (!this.#flying.has(page)) this.#load(page, total);
        }
    }

    #load(page, total) {
        const fetch = this.#fetch;
        const loading = fetch(page * PAGE, PAGE)
            .then((lines) => {
                if (fetch !== this.#fetch) return;
                this.put(lines);
            })
            .catch((error) => fetch === this.#fetch && this.#failed(page, error))
            .finally(() => {
                if (this.#flying.get(page) === loading) this.#flying.delete(page);
                this.#next(total);
            });
        this.#asked.set(page, { last: Math.min(total, (page + 1) * PAGE), at: now() });
        this.#flying.set(page, loading);
        return loading;
    }

    #failed(page, error) {
        this.#on.failed(error);
        setTimeout(() => {
            this.#asked.delete(page);
            this.#on.changed(page * PAGE + 1, (page + 1) * PAGE);
        }, AGAIN_MS);
    }

    // A page, which is now the one looked at last.
    #page(page) {
        const lines = this.#pages.get(page) || new Array(PAGE).fill(undefined);
        this.#pages.delete(page);
        this.#pages.set(page, lines);
        if (this.#pages.size > KEEP) {
            const [oldest] = this.#pages.keys();
            this.#pages.delete(oldest);
            this.#asked.delete(oldest);
        }
        return lines;
    }
}
