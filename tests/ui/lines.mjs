// lines.mjs: lines of a log, for tests.

const BEGAN = Date.parse("2026-11-26T14:00:00Z");

// Line n of a log: `what` is its message, or {message, level, ms since the beginning}.
export function lineOf(n, what = "line " + n) {
    const { message, level = "info", ms = n } = typeof what === "string" ? { message: what } : what;
    const timestamp = new Date(BEGAN + ms).toISOString();
    return { line: n, timestamp, level, originator: "worker", message };
}

export const linesOf = (from, to, what = () => undefined) =>
    Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => lineOf(from + i, what(from + i)));

export function random(seed) {
    let state = seed;
    return (n) => (state = (state * 48271) % 2147483647) % n;
}

// Lets promises that are ready go on.
export const turn = () => new Promise((resolve) => setImmediate(resolve));
