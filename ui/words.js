// words.js: what a job and a step say of themselves. Pure.

import { count, plural } from "./format.js";
import { isFinal } from "./reducer.js";

export const linesOf = (job) => job.steps.reduce((sum, step) => sum + step.total_logs, 0);

// Why it ended as it did; of what went well there is nothing to say.
export function whyText(of) {
    if (of.status !== "failed" && of.status !== "cancelled" && of.status !== "skipped") return "";
    if (of.error && of.cause && of.error !== of.cause) return of.error + " · " + of.cause;
    return of.error || of.cause;
}

// place: in the line of those that wait for the same (places.js), if it is known.
export function waitText({ waits_for: what }, place) {
    return what && (place ? "number " + count(place) + " in line for " : "waits for ") + what;
}

// How it goes with a step whose command was asked to end; "" of all others.
export function stopText({ status, kill_at: at }, now) {
    if (status !== "running" || !at) return "";
    const left = Math.ceil((Date.parse(at) - now) / 1000);
    return left > 0 ? "SIGKILL in " + left + " s" : "SIGKILL was sent";
}

// Of a job that has ended: is there less to run again than all of it?
export function hasRest({ status, steps }) {
    const some = (...wanted) => steps.some((step) => wanted.includes(step.status));
    return isFinal(status) && some("completed") && some("failed", "cancelled");
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
