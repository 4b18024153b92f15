// times.js: the time of a line, in one of four ways; all are TIME_CELLS wide.

import { clock } from "../format.js";

export const TIMES = ["abs", "rel", "delta", "off"];
export const TIME_CELLS = 13;

// time: of the line. from: of the beginning. before: of the line before, NaN when not known.
export function timeText(mode, time, from, before) {
    if (mode === "abs") return clock(time);
    if (mode === "rel") return span(time - from);
    if (mode === "delta") return span(time - before).replace(/^(?=\d)/, "+");
    return "";
}

// "0.038", "4:12.300", "1:04:12.3".
function span(ms) {
    if (Number.isNaN(ms)) return "";
    const all = Math.abs(Math.round(ms));
    const two = (n) => String(n).padStart(2, "0");
    const [h, m, s] = [all / 3600000, (all / 60000) % 60, (all / 1000) % 60].map(Math.floor);
    const clocked = h ? h + ":" + two(m) + ":" + two(s) : m ? m + ":" + two(s) : String(s);
    const part = String(all % 1000).padStart(3, "0");
    return (ms < 0 ? "-" : "") + clocked + "." + (h ? part[0] : part);
}
