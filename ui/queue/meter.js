// queue/meter.js: how far a job or a step is, as a bar: {done, bad} of 0 … 1.

import { attributeSet, hiddenSet, make, textSet } from "../dom.js";
import { isFinal } from "../reducer.js";

export function jobMeter(job) {
    const parts = job.steps.map((step) => {
        if (isFinal(step.status)) return { done: 1, bad: step.status === "failed" ? 1 : 0 };
        return step.status === "running" ? stepMeter(step) : { done: 0, bad: 0 };
    });
    const mean = (key) => parts.reduce((sum, part) => sum + part[key], 0) / (parts.length || 1);
    return { done: mean("done"), bad: mean("bad") };
}

// The step's own figures ("62/100 pages") where it gives some, so that text and bar agree.
export function stepMeter({ tasks, progress_text: text }) {
    const figures = /^(\d+)\/(\d+)/.exec(text);
    const bad = tasks.total ? (tasks.failed + tasks.cancelled) / tasks.total : 0;
    const done = tasks.total ? tasks.completed / tasks.total + bad : 0;
    if (!figures || figures[2] === "0") return { done, bad };
    const told = Math.min(1, figures[1] / figures[2]);
    return { done: told, bad: Math.min(bad, told) };
}

export function meterMake(className) {
    const meter = make("span", "meter " + className, {
        role: "progressbar",
        "aria-valuemin": "0",
        "aria-valuemax": "100",
        "aria-label": "progress",
    });
    meter.bar = make("span", "meter-bar");
    meter.word = make("span", "meter-word");
    const track = make("span", "meter-track");
    track.append(meter.bar);
    meter.append(track, meter.word);
    return meter;
}

export function meterSet(meter, value) {
    hiddenSet(meter, !value);
    if (!value) return;
    const percent = Math.floor(value.done * 100);
    attributeSet(meter, "aria-valuenow", percent);
    textSet(meter.word, percent + " %");
    meter.bar.style.setProperty("--done", value.done.toFixed(4));
    meter.bar.style.setProperty("--bad", value.done ? (value.bad / value.done).toFixed(4) : "0");
}
