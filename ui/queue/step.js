// queue/step.js: a step of a job in the queue, with its log.

import { attributeSet, hiddenSet, make, shape, shapeSet, textSet, uniqueId } from "../dom.js";
import { count, elapsed, plural } from "../format.js";
import { meterMake, meterSet, stepMeter } from "./meter.js";
import { stepNote, whyText } from "../words.js";

export class StepItem {
    #id;
    #painted = null;
    #lines = 0; // in the log

    constructor(queue, jobId, step, number) {
        this.#id = step.step_id;
        const body = uniqueId("step");
        this.el = make("li", "tree-step", { "data-step-id": this.#id });
        this.head = make("button", "tree-step-header", { type: "button", "aria-controls": body });
        this.shape = shape("pending");
        const at = make("span", "step-number");
        at.textContent = number;
        const cell = (className) => make("span", className);
        this.name = cell("tree-step-name");
        this.name.textContent = step.name;
        this.type = cell("step-type");
        this.type.textContent = step.type;
        const what = cell("step-what");
        what.append(at, this.name, this.type);
        this.status = cell("tree-step-status");
        this.meter = meterMake("step-meter");
        this.note = cell("step-note");
        this.errors = cell("step-count step-errors");
        this.warnings = cell("step-count step-warnings");
        this.errorCount = cell("");
        this.warningCount = cell("");
        this.errors.append(shape("failed"), this.errorCount);
        this.warnings.append(shape("warning"), this.warningCount);
        const counts = cell("step-counts");
        counts.append(this.errors, this.warnings);
        this.logs = cell("step-logs");
        this.time = cell("step-time");
        this.head.append(
            this.shape,
            what,
            this.status,
            this.meter,
            this.note,
            counts,
            this.logs,
            this.time,
        );
        this.error = make("p", "step-error");
        this.why = cell("");
        const place = "?" + new URLSearchParams({ step: step.name }) + "#E1";
        this.first = make("a", "", { href: "/jobs/" + encodeURIComponent(jobId) + place });
        this.first.textContent = "First error";
        this.error.append(this.why, " ", this.first);
        this.log = queue.logMake(jobId, this.#id);
        this.log.id = body;
        this.el.append(this.head, this.error, this.log);
        this.head.addEventListener("click", () => queue.toggle(this.#id, this.log.hidden));
    }

    render(step, detailed, now, choices) {
        textSet(this.time, elapsed(step.started_at, step.completed_at, now));
        const hasLines = detailed && step.total_logs > 0;
        const open = hasLines && (choices.get(this.#id) ?? true);
        hiddenSet(this.log, !open);
        attributeSet(this.head, "aria-expanded", open);
        this.head.disabled = !hasLines;
        if (open) this.log.show(step);
        const lines = open ? this.log.lines : detailed ? step.logs.length : 0;
        if (step === this.#painted && lines === this.#lines) return;
        this.#painted = step;
        this.#lines = lines;
        attributeSet(this.el, "data-status", step.status);
        shapeSet(this.shape, step.status);
        textSet(this.status, step.status);
        textSet(this.note, stepNote(step));
        meterSet(this.meter, step.status === "running" ? stepMeter(step) : null);
        this.#lineCounts(step, lines);
        const why = whyText(step);
        hiddenSet(this.error, !why);
        textSet(this.why, why);
        hiddenSet(this.first, !step.level_counts.error);
        if (open) this.log.label = "Lines of step " + step.name;
    }

    #lineCounts(step, lines) {
        const { error = 0, warn = 0 } = step.level_counts || {};
        hiddenSet(this.errors, !error);
        hiddenSet(this.warnings, !warn);
        textSet(this.errorCount, "E " + count(error));
        textSet(this.warningCount, "W " + count(warn));
        attributeSet(this.errors, "title", plural(error, "error"));
        attributeSet(this.warnings, "title", plural(warn, "warning"));
        const badge = lines ? "logs: " + count(lines) + "/" + count(step.total_logs) : "";
        textSet(this.logs, badge);
        attributeSet(this.logs, "title", badge && "lines shown of lines there are");
    }
}
