// job/go.js: what a reader types to go to a line or a time. Pure.

// "811,993" is a line, "14:06" and "14:06:31" a time on the day that a job began, or the next when
// that was later: {line}, {time} in ms, or null.
export function goParse(text, begun) {
    const line = /^\s*L?([\d,]{1,19})\s*$/i.exec(text);
    if (line) return { line: Number(line[1].replaceAll(",", "")) || 1 };
    const time = /^\s*(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,3})?))?\s*$/.exec(text);
    if (!time || time[1] > 23 || time[2] > 59 || time[3] >= 60) return null;
    const day = new Date(begun);
    day.setHours(time[1], time[2], 0, 0);
    const at = day.getTime() + Number(time[3] ?? 0) * 1000;
    return { time: at < begun - 60000 ? at + 24 * 3600 * 1000 : at };
}
