// job/timeline.js: <tailrace-timeline>, one row for each step: its status, and when it ran.
//
//     event  stepchosen  {step_id}

import { attributeSet, childrenSet, hiddenSet, jobsIn, make, shape, shapeSet, textSet } from "../dom.js";
import { count, duration, elapsed } from "../format.js";
import { stepNote, whyText } from "../words.js";
import { barOf, scaleOf } from "./chart.js";
import { Outputs } from "./outputs.js";

class Timeline extends HTMLElement {
    #rows = new Map();

    // job: of the reducer's state. chosen: id of the step whose log is shown.
    render(job, chosen, now) {
        this.list ||= this.#make();
        const scale = scaleOf(job, now);
        textSet(this.end, job.started_at ? duration(scale.length, !job.completed_at) : "");
        childrenSet(
            this.list,
            job.steps.map((step) => this.#row(step).el),
        );
        for (const step of job.steps)
            this.#row(step).render(step, step.step_id === chosen, scale, now);
    }

    #make() {
        const list = make("ol", "timeline", { "aria-label": "Steps" });
        const axis = make("div", "timeline-axis", { "aria-hidden": "true" });
        const begin = make("span");
        begin.textContent = "0";
        this.end = make("span");
        axis.append(begin, this.end);
        this.append(list, axis);
        return list;
    }

    #row(step) {
        if (!this.#rows.has(step.step_id))
            this.#rows.set(step.step_id, new Row(step, (detail) => this.#choose(detail)));
        return this.#rows.get(step.step_id);
    }

    #choose(step_id) {
        this.dispatchEvent(new CustomEvent("stepchosen", { bubbles: true, detail: { step_id } }));
    }
}

class Row {
    constructor(step, choose) {
        const cell = (className) => make("span", className);
        this.el = make("li", "timeline-step", { "data-step-id": step.step_id });
        this.button = make("button", "timeline-row", { type: "button" });
        this.shape = shape("pending");
        this.name = cell("timeline-name");
        this.name.textContent = step.name;
        this.status = cell("timeline-status");
        this.track = cell("timeline-track");
        this.bar = cell("timeline-bar");
        this.note = cell("timeline-note");
        this.progress = cell("timeline-progress");
        this.counts = cell("timeline-counts");
        this.time = cell("timeline-time");
        this.track.append(this.bar, this.note);
        this.button.append(this.shape, this.name, this.status, this.track, this.progress, this.counts, this.time);
        this.why = make("p", "timeline-why");
        this.outputs = new Outputs();
        this.el.append(this.button, this.why, this.outputs.el);
        this.button.addEventListener("click", () => choose(step.step_id));
    }

    render(step, isChosen, scale, now) {
        textSet(this.time, elapsed(step.started_at, step.completed_at, now));
        this.#place(barOf(step, scale, now));
        if (isChosen) attributeSet(this.button, "aria-current", "true");
        else this.button.removeAttribute("aria-current");
        if (step === this.painted) return;
        this.painted = step;
        attributeSet(this.el, "data-status", step.status);
        shapeSet(this.shape, step.status);
        textSet(this.status, step.status);
        textSet(this.note, step.started_at ? "" : stepNote(step));
        textSet(this.progress, step.started_at ? step.progress_text : "");
        textSet(this.counts, countsText(step));
        attributeSet(this.counts, "data-has", step.level_counts.error ? "error" : "");
        const why = whyText(step) || step.cause; // of what was taken over, from where
        hiddenSet(this.why, !why);
        if (this.why.textContent !== why) this.why.replaceChildren(...jobsIn(why).map(linked));
        this.outputs.show(step.outputs);
    }

    #place(bar) {
        hiddenSet(this.bar, !bar);
        if (!bar) return;
        this.bar.style.setProperty("--from", bar.from.toFixed(4));
        this.bar.style.setProperty("--length", bar.length.toFixed(4));
    }
}

function linked({ text, href }) {
    if (!href) return text;
    const link = make("a", "", { href });
    link.textContent = text;
    return link;
}

function countsText({ total_logs: total, level_counts: by }) {
    const parts = total ? [count(total) + (total === 1 ? " line" : " lines")] : [];
    if (by.error) parts.push("E " + count(by.error));
    if (by.warn) parts.push("W " + count(by.warn));
    return parts.join(" · ");
}

customElements.define("tailrace-timeline", Timeline);
