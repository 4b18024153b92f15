// queue/card.js: a job of the queue: its head, and its steps and lines while it is open. Until it is
// made it is an empty box: of very many jobs most are far from what is in sight.

import { attributeSet, childrenSet, hiddenSet, make, shape, shapeSet, textSet, uniqueId } from "../dom.js";
import { elapsed, when } from "../format.js";
import { isFinal } from "../reducer.js";
import { jobMeter, meterMake, meterSet } from "./meter.js";
import { Pace } from "./pace.js";
import { StepItem } from "./step.js";
import { hasRest, jobNote, linesOf, whyText } from "../words.js";

export class Card {
    #queue;
    #id;
    #opened = null;
    #painted = null;
    #key = "";
    #steps = new Map();
    #phase = Math.random();
    #isOutOfSight = false;

    constructor(queue, id) {
        this.#queue = queue;
        this.#id = id;
        this.el = make("div", "card", { role: "listitem", "data-job-id": id });
        this.el.addEventListener("contentvisibilityautostatechange", (e) => {
            if (e.target === this.el) this.#isOutOfSight = e.skipped;
        });
    }

    get isMade() {
        return Boolean(this.head);
    }

    // What is said of it until it is made.
    name(text) {
        attributeSet(this.el, "aria-label", text);
    }

    make() {
        const [queue, id, body] = [this.#queue, this.#id, uniqueId("job")];
        this.el.removeAttribute("aria-label");
        this.head = make("div", "card-head");
        this.label = make("span", "label", { "data-job-id": id });
        this.word = make("span", "label-word");
        this.shape = shape("pending");
        this.label.append(this.shape, this.word);
        const title = make("h2", "card-title");
        this.button = make("button", "disclosure", { type: "button", "aria-controls": body });
        title.append(this.button);
        this.note = make("span", "card-note");
        this.said = make("span", "card-said");
        this.pace = make("span", "card-pace", { "aria-hidden": "true" });
        this.note.append(this.said, this.pace);
        this.rate = new Pace();
        this.meter = meterMake("card-meter");
        this.when = make("time", "card-when");
        this.time = make("span", "card-time");
        this.cancel = make("button", "button cancel", { type: "button" });
        this.cancel.textContent = "Cancel";
        this.again = make("button", "button again", { type: "button" });
        this.again.textContent = "Run again";
        this.rest = make("button", "button rest", { type: "button", title: "Without the steps that completed" });
        this.rest.textContent = "Run the rest";
        this.link = make("a", "button", { href: "/jobs/" + encodeURIComponent(id) });
        this.link.textContent = "Log";
        this.actions = make("span", "card-actions");
        this.actions.append(this.link, this.rest, this.again, this.cancel);
        this.head.append(
            this.label,
            title,
            this.meter,
            this.note,
            this.when,
            this.time,
            this.actions,
        );
        this.error = make("p", "card-error");
        this.body = make("div", "card-body", { id: body });
        this.el.append(this.head, this.error, this.body);
        this.button.addEventListener("click", () => queue.toggle(id, !this.#opened));
        this.again.addEventListener("click", () => queue.tell("again", { job_id: id }));
        this.rest.addEventListener("click", () => queue.tell("again", { job_id: id, isRest: true }));
        this.cancel.addEventListener("click", () =>
            queue.tell("cancel", { job_id: id, job_name: this.button.textContent }),
        );
    }

    // Is the reader busy here? Then it does not close by itself.
    touched() {
        if (!this.#opened) return false;
        const selected = getSelection();
        return (
            this.el.matches(":hover, :focus-within") ||
            (!selected.isCollapsed && this.el.contains(selected.anchorNode)) ||
            [...this.#steps.values()].some((step) => !step.log.follow)
        );
    }

    open(open) {
        if (this.#opened === open) return;
        const before = this.#opened;
        this.#opened = open;
        if (open && !this.log) this.#fill();
        hiddenSet(this.body, !open);
        attributeSet(this.button, "aria-expanded", open);
        if (open || before) this.#queue.tell(open ? "follow" : "unfollow", { job_id: this.#id });
    }

    // What is in it, once somebody opens it: a thousand closed cards stay small.
    #fill() {
        this.log = this.#queue.logMake(this.#id, "");
        this.list = make("ol", "steps");
        this.body.append(this.log, this.list);
    }

    // A card that does not move is painted once a second, for its times, each at a moment of its
    // own; an open one always, for what the reader does in it. Of very many, also those out of
    // sight are, whatever they do, once a second.
    isDue(job, now, idle, isOneOfMany) {
        const key = Math.floor(now / 1000 + this.#phase) + " " + idle;
        const isTime = key !== this.#key;
        this.#key = key;
        if (isOneOfMany && this.#isOutOfSight) return isTime;
        return isTime || this.#opened || job !== this.#painted;
    }

    render(job, detailed, now, idle, choices, place) {
        this.#times(job, now);
        textSet(this.said, jobNote(job, place, now));
        this.cancel.disabled = this.again.disabled = this.rest.disabled = idle;
        this.cancel.title = idle ? "Not while the server cannot be reached" : "";
        if (job !== this.#painted) {
            this.#painted = job;
            this.#header(job, now);
        }
        if (!this.#opened) return;
        hiddenSet(this.log, !detailed || !job.total_logs);
        if (detailed && job.total_logs) {
            this.log.show(job);
            this.log.label = "Lines of job " + job.job_name;
        }
        childrenSet(
            this.list,
            job.steps.map((step, i) => this.#step(step, i).el),
        );
        for (const step of job.steps)
            this.#steps.get(step.step_id).render(step, detailed, now, choices);
    }

    #header(job, now) {
        attributeSet(this.el, "data-status", job.status);
        attributeSet(this.label, "data-status", job.status);
        textSet(this.word, job.status);
        shapeSet(this.shape, job.status);
        textSet(this.button, job.job_name || job.definition_id || job.job_id);
        attributeSet(this.link, "aria-label", "Log: " + this.button.textContent);
        attributeSet(this.again, "aria-label", "Run again: " + this.button.textContent);
        attributeSet(this.rest, "aria-label", "Run the rest: " + this.button.textContent);
        attributeSet(this.cancel, "aria-label", "Cancel: " + this.button.textContent);
        meterSet(this.meter, job.status === "running" ? jobMeter(job) : null);
        const at = job.started_at || job.created_at;
        if (at) attributeSet(this.when, "datetime", at);
        if (at) attributeSet(this.when, "title", new Date(at).toLocaleString());
        hiddenSet(this.cancel, isFinal(job.status));
        hiddenSet(this.again, !isFinal(job.status));
        hiddenSet(this.rest, !hasRest(job));
        const why = whyText(job);
        hiddenSet(this.error, !why);
        textSet(this.error, why);
    }

    #times(job, now) {
        const at = job.started_at || job.created_at;
        textSet(this.when, at ? when(at, now) : "");
        textSet(this.time, elapsed(job.started_at, job.completed_at, now));
        textSet(this.pace, job.status === "running" ? this.rate.add(linesOf(job), now) : "");
    }

    #step(step, i) {
        if (!this.#steps.has(step.step_id))
            this.#steps.set(step.step_id, new StepItem(this.#queue, this.#id, step, i + 1));
        return this.#steps.get(step.step_id);
    }
}
