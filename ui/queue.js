// queue.js: <tailrace-queue>, the tree of jobs, steps and lines.
//
// render() paints the reducer's state into elements that stay: one card per job, one item per
// step, found again by their ids and changed only where something changed. What is open follows
// from the state (what runs is open, and the newest job) unless the reader chose otherwise.
//
//     events  follow, unfollow  {detail: {job_id}}   the card opened, closed
//             cancel            {detail: {job_id, job_name}}
//             notice            {detail: {text}}   of a log
//
// `lines(jobId, stepId, after, limit)` is set by the page: a promise of lines of a step.

import { attributeSet, childrenSet, hiddenSet, make, shape, shapeSet, textSet } from "./dom.js";
import { count, elapsed, plural, when } from "./format.js";
import { isFinal, jobState } from "./reducer.js";
import "./log/log.js";
import { Pace } from "./queue/pace.js";

const OPEN_BY_THEMSELVES = 8; // running jobs; a reader may open more

export class TailraceQueue extends HTMLElement {
    #cards = new Map();
    #choices = new Map(); // job or step id → open or not, as the reader chose
    #pointer = null;
    #state = null;
    #ids = []; // of the cards, in their order

    connectedCallback() {
        this.setAttribute("role", "list");
        this.setAttribute("aria-label", "Jobs, newest first");
        this.addEventListener("pointermove", (e) => (this.#pointer = [e.clientX, e.clientY]));
        this.addEventListener("pointerleave", () => (this.#pointer = null));
        this.addEventListener("lognotice", (e) => this.tell("notice", e.detail));
        this.addEventListener("loglines", () => this.tell("changed", {}));
    }

    // state: the reducer's. now: ms. idle: the server cannot be asked for anything now.
    render(state, now, idle) {
        if (!state.list) return;
        this.#state = state;
        const anchor = this.#anchor();
        const ids = this.#listed(state);
        if (ids.length !== this.#ids.length || ids.some((id, i) => id !== this.#ids[i])) {
            childrenSet(
                this,
                ids.map((id) => this.#card(id).el),
            );
            this.#forget(new Set(ids));
            this.#ids = ids.slice();
        }
        let running = 0;
        ids.forEach((id, i) => {
            const card = this.#cards.get(id);
            const job = jobState(state, id);
            const byItself = (!isFinal(job.status) && running++ < OPEN_BY_THEMSELVES) || i === 0;
            card.open(this.#choices.get(id) ?? (byItself || card.touched()));
            if (card.isDue(job, now, idle))
                card.render(job, id in state.trees, now, idle, this.#choices);
        });
        if (anchor) scrollBy(0, anchor.el.getBoundingClientRect().top - anchor.top);
    }

    choose(id, open) {
        this.#choices.set(id, open);
    }

    // Nothing is held in place until the pointer moves again.
    free() {
        this.#pointer = null;
    }

    // What the reader wants to see of the list: {status, q}, both "" for all.
    filter = { status: "", q: "" };

    #isWanted(job) {
        const { status, q } = this.filter;
        if (!status && !q) return true;
        const text = (job.job_name + "\n" + job.definition_id).toLowerCase();
        return (!status || job.status === status) && (!q || text.includes(q.toLowerCase()));
    }

    // Jobs that the reader has open stay, however old.
    #listed(state) {
        const { jobs } = state.list;
        const order = state.list.order.filter((id) => this.#isWanted(jobs[id]));
        const kept = Object.keys(state.trees).filter((id) => !jobs[id] && this.#choices.get(id));
        return kept.length ? [...order, ...kept.sort().reverse()] : order;
    }

    #card(id) {
        if (!this.#cards.has(id)) this.#cards.set(id, new Card(this, id));
        return this.#cards.get(id);
    }

    #forget(listed) {
        for (const [id, card] of this.#cards) {
            if (listed.has(id)) continue;
            card.open(false);
            this.#cards.delete(id);
        }
    }

    // What is under the pointer stays there, whatever is put in above it.
    #anchor() {
        if (!this.#pointer) return null;
        const under = document.elementFromPoint(...this.#pointer);
        const el = under && under.closest(".tree-step, .card");
        return el && this.contains(el) ? { el, top: el.getBoundingClientRect().top } : null;
    }

    tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    toggle(id, open) {
        this.choose(id, open);
        this.free(); // the reader's own doing
        this.tell("changed", {});
    }

    logMake(jobId, stepId) {
        const log = make("tailrace-log", "");
        const fetchPage = (after, limit) => this.lines(jobId, stepId, after, limit);
        log.compact = true;
        log.open({ jobId, stepId, fetchPage });
        return log;
    }

    // Does what a key stands for; false when it is not for the queue now.
    key(key) {
        const heads = [...this.querySelectorAll(".disclosure, .tree-step-header")].filter((el) =>
            el.checkVisibility(),
        );
        const at = heads.indexOf(document.activeElement);
        const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[key];
        const isIn = this.contains(document.activeElement);
        if (!isIn && key !== "j") return false;
        if (step && heads[at + step]) heads[at + step].focus();
        else if (key === "ArrowRight" || key === "ArrowLeft")
            this.#fold(heads[at], key === "ArrowRight");
        else if (key === "x") this.#cancelFocused();
        else return false;
        return true;
    }

    #fold(head, open) {
        if (head && (head.getAttribute("aria-expanded") === "true") !== open) head.click();
    }

    #cancelFocused() {
        const card = document.activeElement.closest(".card");
        const button = card && card.querySelector(".cancel");
        if (button && !button.hidden) button.click();
    }
}

let unique = 0;

class Card {
    #queue;
    #id;
    #opened = null;
    #painted = null;
    #key = "";
    #steps = new Map();

    constructor(queue, id) {
        this.#queue = queue;
        this.#id = id;
        const body = "job-" + ++unique;
        this.el = make("div", "card", { role: "listitem", "data-job-id": id });
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
        this.link = make("a", "button", { href: "/jobs/" + encodeURIComponent(id) });
        this.link.textContent = "Log";
        this.actions = make("span", "card-actions");
        this.actions.append(this.link, this.again, this.cancel);
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
        this.log = queue.logMake(id, "");
        this.list = make("ol", "steps");
        this.body.append(this.log, this.list);
        this.el.append(this.head, this.error, this.body);
        this.button.addEventListener("click", () => queue.toggle(id, !this.#opened));
        this.again.addEventListener("click", () => queue.tell("again", { job_id: id }));
        this.cancel.addEventListener("click", () =>
            queue.tell("cancel", { job_id: id, job_name: this.button.textContent }),
        );
    }

    // Is the reader busy here? Then it does not close by itself.
    touched() {
        const selected = getSelection();
        return (
            this.#opened === true &&
            (this.el.matches(":hover, :focus-within") ||
                (!selected.isCollapsed && this.el.contains(selected.anchorNode)) ||
                [...this.#steps.values()].some((step) => !step.log.follow))
        );
    }

    open(open) {
        if (this.#opened === open) return;
        const before = this.#opened;
        this.#opened = open;
        hiddenSet(this.body, !open);
        attributeSet(this.button, "aria-expanded", open);
        if (open || before) this.#queue.tell(open ? "follow" : "unfollow", { job_id: this.#id });
    }

    // A thousand jobs run, a few of them move in a frame: the others are painted once a second, for
    // their times, and an open one always, for what the reader does in it.
    isDue(job, now, idle) {
        const key = Math.floor(now / 1000) + " " + idle;
        const isSame = job === this.#painted && key === this.#key && !this.#opened;
        this.#key = key;
        return !isSame;
    }

    render(job, detailed, now, idle, choices) {
        this.#times(job, now);
        this.cancel.disabled = this.again.disabled = idle;
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
        textSet(this.said, jobNote(job));
        attributeSet(this.link, "aria-label", "Log: " + this.button.textContent);
        attributeSet(this.again, "aria-label", "Run again: " + this.button.textContent);
        attributeSet(this.cancel, "aria-label", "Cancel: " + this.button.textContent);
        meterSet(this.meter, job.status === "running" ? jobMeter(job) : null);
        const at = job.started_at || job.created_at;
        textSet(this.when, at ? when(at, now) : "");
        if (at) attributeSet(this.when, "datetime", at);
        if (at) attributeSet(this.when, "title", new Date(at).toLocaleString());
        hiddenSet(this.cancel, isFinal(job.status));
        hiddenSet(this.again, !isFinal(job.status));
        const why = whyText(job);
        hiddenSet(this.error, !why);
        textSet(this.error, why);
    }

    #times(job, now) {
        textSet(this.time, elapsed(job.started_at, job.completed_at, now));
        textSet(this.pace, job.status === "running" ? this.rate.add(linesOf(job), now) : "");
    }

    #step(step, i) {
        if (!this.#steps.has(step.step_id))
            this.#steps.set(step.step_id, new StepItem(this.#queue, this.#id, step, i + 1));
        return this.#steps.get(step.step_id);
    }
}

class StepItem {
    #id;
    #painted = null;
    #lines = 0; // in the log

    constructor(queue, jobId, step, number) {
        this.#id = step.step_id;
        const body = "step-" + ++unique;
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
        textSet(this.error, why);
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

/* ---- what is said ---- */

const linesOf = (job) => job.steps.reduce((sum, step) => sum + step.total_logs, 0);

// Why it ended as it did; of what went well there is nothing to say.
function whyText(of) {
    if (of.status !== "failed" && of.status !== "cancelled" && of.status !== "skipped") return "";
    if (of.error && of.cause && of.error !== of.cause) return of.error + " · " + of.cause;
    return of.error || of.cause;
}

function jobNote(job) {
    const active = job.steps.find((step) => step.status === "running");
    if (active) return active.progress_text || active.name;
    const done = job.steps.filter((step) => isFinal(step.status)).length;
    const documents = job.steps.reduce((sum, step) => sum + step.documents, 0);
    if (isFinal(job.status))
        return documents ? plural(documents, "document") : plural(job.steps.length, "step");
    return done + " of " + plural(job.steps.length, "step");
}

function stepNote(step) {
    if (step.status === "pending" && step.depends.length)
        return "waits for " + step.depends.join(", ");
    return step.progress_text;
}

function jobMeter(job) {
    const parts = job.steps.map((step) => {
        if (isFinal(step.status)) return { done: 1, bad: step.status === "failed" ? 1 : 0 };
        return step.status === "running" ? stepMeter(step) : { done: 0, bad: 0 };
    });
    const mean = (key) => parts.reduce((sum, part) => sum + part[key], 0) / (parts.length || 1);
    return { done: mean("done"), bad: mean("bad") };
}

// The step's own figures ("62/100 pages") where it gives some, so that text and bar agree.
function stepMeter({ tasks, progress_text: text }) {
    const figures = /^(\d+)\/(\d+)/.exec(text);
    const bad = tasks.total ? (tasks.failed + tasks.cancelled) / tasks.total : 0;
    const done = tasks.total ? tasks.completed / tasks.total + bad : 0;
    if (!figures || figures[2] === "0") return { done, bad };
    const told = Math.min(1, figures[1] / figures[2]);
    return { done: told, bad: Math.min(bad, told) };
}

function meterMake(className) {
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

function meterSet(meter, value) {
    hiddenSet(meter, !value);
    if (!value) return;
    const percent = Math.floor(value.done * 100);
    attributeSet(meter, "aria-valuenow", percent);
    textSet(meter.word, percent + " %");
    meter.bar.style.setProperty("--done", value.done.toFixed(4));
    meter.bar.style.setProperty("--bad", value.done ? (value.bad / value.done).toFixed(4) : "0");
}

customElements.define("tailrace-queue", TailraceQueue);
