// format.js: numbers and times as people read them. Pure.

const two = (n) => String(n).padStart(2, "0");

const numbers = new Intl.NumberFormat("en-US"); // toLocaleString() makes one each time

export const count = (n) => numbers.format(n);

export const plural = (n, word) => count(n) + " " + word + (n === 1 ? "" : "s");

export const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);

// "812 B", "18.2 KB", as the server writes them in lines.
export function bytesText(n) {
    const units = ["B", "KB", "MB", "GB", "TB"];
    const i = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, n)) / 3));
    return (i ? (n / 1000 ** i).toFixed(1) : n) + " " + units[i];
}

// "14:06:19.102", local time.
export function clock(time) {
    const d = new Date(time);
    return hms(d) + "." + String(d.getMilliseconds()).padStart(3, "0");
}

export const hms = (d) => two(d.getHours()) + ":" + two(d.getMinutes()) + ":" + two(d.getSeconds());

// "14:06", or with the day when it is not today's.
export function when(time, now) {
    const d = new Date(time);
    const at = two(d.getHours()) + ":" + two(d.getMinutes());
    if (d.toDateString() === new Date(now).toDateString()) return at;
    return d.toLocaleDateString("en-GB", { day: "numeric", month: "short" }) + ", " + at;
}

// Milliseconds as "420 ms", "12.3 s", "4m 12s", "1h 04m". Whole seconds while it still runs.
export function duration(ms, running) {
    const s = Math.max(0, ms) / 1000;
    if (s < 0.95 && !running) return Math.round(s * 1000) + " ms";
    if (s < 60) return (running ? Math.floor(s) : s.toFixed(1)) + " s";
    if (s < 3600) return Math.floor(s / 60) + "m " + two(Math.floor(s % 60)) + "s";
    return Math.floor(s / 3600) + "h " + two(Math.floor((s % 3600) / 60)) + "m";
}

// Time between two texts of time, the second null while it still runs; "" before the start.
export function elapsed(from, to, now) {
    if (!from) return "";
    return duration((to ? Date.parse(to) : now) - Date.parse(from), !to);
}
