// rate.js: lines a second, over the last second.

const SPAN_MS = 1000;
const LEAST_MS = 100; // of less, nothing can be said

export class Rate {
    #seen = []; // [ms, lines]

    // There are so many lines now.
    add(lines, now) {
        this.#seen.push([now, lines]);
        this.#drop(now);
    }

    // What is there at first was not written just now.
    begin(lines, now) {
        this.#seen = [[now, lines]];
    }

    at(now) {
        this.#drop(now);
        const [first, last] = [this.#seen[0], this.#seen.at(-1)];
        if (!first || now - first[0] < LEAST_MS) return 0;
        if (last[0] <= now - SPAN_MS) return 0;
        return ((last[1] - first[1]) * 1000) / (now - first[0]);
    }

    #drop(now) {
        while (this.#seen.length > 1 && this.#seen[1][0] <= now - SPAN_MS) this.#seen.shift();
    }
}
