// words.js: what a job and a step say of themselves. Pure.

import { count, duration, plural } from "./format.js";
import { isFinal } from "./reducer.js";

export const linesOf = (job) => job.steps.reduce((sum, step) => sum + step.total_logs, 0);

// Why it ended as it did; of what went well there is nothing to say. What the cause says too of the
// line with the error ("GET http://…: HTTP 503") is said once.
export function whyText({ status, error, cause }) {
    if (status !== "failed" && status !== "cancelled" && status !== "skipped") return "";
    const said = error.slice(error.indexOf(": ") + 1).trim();
    return error && cause && !cause.includes(said) ? error + " · " + cause : cause || error;
}

// place: in the line of those that wait for the same (places.js), if it is known.
export function waitText({ waits_for: what }, place) {
    return what && (place ? "number " + count(place) + " in line for " : "waits for ") + what;
}

// How it goes with a step whose command was asked to end; "" of all others.
export function stopText({ status, kill_at: at }, now) {
    if (status !== "running" || !at) return "";
    const left = Math.ceil((Date.parse(at) - now) / 1000) * 1000;
    return left > 0 ? "SIGKILL in " + duration(left, true) : "SIGKILL was sent";
}

// Of a job that did not end well: is there less to run again than all of it?
export function hasRest({ status, steps }) {
    return (status === "failed" || status === "cancelled") && steps.some((step) => step.status === "completed");
}

export function jobNote(job, place, now) {
    if (job.status === "pending" && job.waits_for) return waitText(job, place);
    const active = job.steps.find((step) => step.status === "running");
    const stopping = job.steps.map((step) => stopText(step, now)).find(Boolean);
    if (active) return stopping || active.progress_text || active.name;
    const done = job.steps.filter((step) => isFinal(step.status)).length;
    const documents = job.steps.reduce((sum, step) => sum + step.documents, 0);
    if (isFinal(job.status))
        return documents ? plural(documents, "document") : plural(job.steps.length, "step");
    return done + " of " + plural(job.steps.length, "step");
}

export function stepNote(step) {
    if (step.status === "pending" && step.depends.length)
        return "waits for " + step.depends.join(", ");
    return step.progress_text;
}
