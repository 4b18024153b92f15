// What every peer publishes, and when: events as tailrace sends them for lines of a job, byte for byte but
// for the ids, at a rate or as fast as the viewers take them.
import { parseArgs } from "node:util";

const ID = (last) => `0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f6${last}`;
const SOURCE = `"payload":{"job_id":"${ID(0)}","parent_job_id":"${ID(1)}","manager_id":"${ID(2)}","step_id":"${ID(1)}",` +
    `"step_name":"lines","source_type":"generator","originator":"worker"`;
const LATE_BYTES = 1024 * 1024; // waiting for one viewer: then the source waits too

export const options = parseArgs({
    options: Object.fromEntries(["events", "rate", "batch", "line-bytes", "url"].map((name) => [name, { type: "string", default: "0" }])),
}).values;
const [count, rate, batch] = [options.events, options.rate, options.batch || 1].map(Number);

let second = -1, prefix = "";

/** The time, with microseconds: "2026-11-23T10:15:02.123456Z". */
function now() {
    const us = Math.round((performance.timeOrigin + performance.now()) * 1000);
    const s = Math.floor(us / 1e6);
    if (s !== second) {
        second = s;
        prefix = new Date(s * 1000).toISOString().slice(0, 20);
    }
    return prefix + String(us - s * 1e6).padStart(6, "0") + "Z";
}

function event(seq) {
    const ts = now();
    const message = `worker-1 line ${seq}/${count}: packed a block of records from the warehouse by the river, ${seq % 9000} items, ` +
        `batch ${((seq * 2654435761) >>> 0).toString(16).padStart(8, "0")}`;
    return `{"seq":${seq},"type":"job_log","ts":"${ts}",${SOURCE},"timestamp":"${ts}","level":"info",` +
        `"message":"${message.padEnd(Number(options["line-bytes"]), ".")}","line":${seq}}}`;
}

/** The next message with up to `batch` events, of which `left` are due. */
function message(seq, left) {
    const events = [];
    for (let i = 0; i < Math.min(batch, left); i++) events.push(event(seq + i));
    return events.join("\n");
}

/**
 * Publishes all events. publish(text) may return a promise; waiting() tells how many bytes wait for the
 * slowest viewer. A turn publishes 64 events when there is no rate, else all that are due.
 */
export async function publishAll(publish, waiting = () => 0) {
    const began = performance.now();
    for (let made = 0; made < count; ) {
        const due = rate ? Math.min(count, Math.floor(((performance.now() - began) * rate) / 1000)) : Math.min(count, made + 64);
        // A batch is sent when it is full, or with what there is after 16 ms.
        while (made < due) {
            const text = message(made + 1, due - made);
            made += Math.min(batch, due - made);
            await publish(text);
        }
        if (rate) await new Promise((resolve) => setTimeout(resolve, batch > 1 ? 16 : 1));
        else do await new Promise(setImmediate); while (waiting() > LATE_BYTES);
    }
}

/** Resolves when the standard input ends: all viewers are there. */
export function allThere() {
    return new Promise((resolve) => process.stdin.on("end", resolve).resume());
}
