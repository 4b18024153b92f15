// queue/older.js: <tailrace-older>, the jobs that have no card: older ones, which have ended and
// never change. They are asked for in windows, as the reader comes near; one whose card goes,
// because it has become old, is asked for by itself.
//
//     older.show(filter, ids, total, epoch)   ids: of the cards; total: how many jobs are like
//                                              the filter, Infinity when that is not known

import { api } from "../api.js";
import { make, shape, textSet } from "../dom.js";
import { count, elapsed, when } from "../format.js";
import { isFinal } from "../reducer.js";
import { isWanted } from "./filter.js";

const WINDOW = 100;

export class Older extends HTMLElement {
    #filter = {};
    #form = null; // of the filter, and of the history
    #cards = []; // ids
    #rows = new Map(); // id → element
    #seen = new Set(); // ids in windows, also of those that have a card
    #day = ""; // as of the times that are shown
    #offset = 0; // of the next window
    #left = 0; // older ones than that
    #error = "";
    #isBusy = false;

    connectedCallback() {
        this.list = make("ul", "older", { "aria-label": "Older jobs" });
        this.more = make("button", "button more", { type: "button" });
        this.more.hidden = true;
        this.more.addEventListener("click", () => this.#load());
        this.append(this.list, this.more);
        const near = (seen) => seen.at(-1).isIntersecting && this.#load(); // it may have gone and come
        this.observer = new IntersectionObserver(near, { rootMargin: "600px" });
        this.observer.observe(this.more);
    }

    // Is there none?
    get isEmpty() {
        return !this.#rows.size && this.#left <= 0;
    }

    show(filter, ids, total, epoch) {
        const form = JSON.stringify([filter, epoch]);
        if (form !== this.#form) this.#begin(form, filter);
        else if (ids !== this.#cards) this.#moved(ids);
        this.#cards = ids;
        if (!this.#offset) this.#left = Math.max(0, total - ids.length);
        this.#tell();
        this.#date();
    }

    #begin(form, filter) {
        this.#form = form;
        this.#filter = filter;
        this.#offset = 0;
        this.#error = "";
        this.#rows.clear();
        this.#seen.clear();
        this.list.replaceChildren();
    }

    // Those that have a card now have no row, and those that had one get it.
    #moved(ids) {
        const cards = new Set(ids);
        for (const id of ids) this.#drop(id);
        if (!this.#offset) return; // the first window will have them
        for (const id of this.#cards) if (!cards.has(id)) this.#ask(id);
    }

    #drop(id) {
        this.#rows.get(id)?.remove();
        this.#rows.delete(id);
    }

    async #ask(id) {
        const form = this.#form;
        try {
            const job = await api("/jobs/" + id);
            if (form === this.#form && isWanted(job, this.#filter)) this.#put([job]);
        } catch ({ status }) {
            // it was deleted; or it is not known how it is, and all are asked for anew
            if (status !== 404 && form === this.#form) this.#begin(form, this.#filter);
        }
    }

    async #load() {
        if (this.#isBusy) return;
        this.#isBusy = true;
        const form = this.#form;
        const query = Object.entries(this.#filter).filter(([, value]) => value);
        const window = { ...Object.fromEntries(query), limit: WINDOW, offset: this.#offset };
        try {
            const answer = await api("/jobs?" + new URLSearchParams(window));
            if (form === this.#form) this.#take(answer);
        } catch (error) {
            if (form === this.#form) this.#error = error.message;
        }
        this.#isBusy = false;
        this.#tell();
        if (this.#error) return;
        this.observer.unobserve(this.more); // it may be in sight still, which is no news
        this.observer.observe(this.more);
    }

    // Jobs that came meanwhile have moved all others down, so some were seen already; if none was,
    // jobs were deleted, and the window begins before.
    #take({ jobs, total_count: total }) {
        this.#error = "";
        const isGap = this.#offset > 0 && jobs.length > 0 && !this.#seen.has(jobs[0].id);
        if (isGap) {
            this.#offset = Math.max(0, this.#offset - WINDOW);
            return;
        }
        for (const { id } of jobs) this.#seen.add(id);
        this.#put(jobs);
        const end = this.#offset + jobs.length;
        this.#left = jobs.length ? Math.max(0, total - end) : 0;
        this.#offset = Math.max(0, end - 1); // the last one again: nothing lies between
    }

    // What is not final will have a card. Ids are in the order of time.
    #put(jobs) {
        const isHere = (id) => this.#rows.has(id) || this.#cards.includes(id);
        for (const job of jobs.filter(({ id, status }) => isFinal(status) && !isHere(id))) {
            const row = rowMake(job);
            const last = this.list.lastChild;
            const isLast = !last || last.dataset.jobId > job.id;
            const older = isLast ? null : [...this.list.children].find((el) => el.dataset.jobId < job.id);
            this.list.insertBefore(row, older);
            this.#rows.set(job.id, row);
        }
    }

    // Another day, and a time of today is one of yesterday.
    #date() {
        const now = Date.now();
        const day = new Date(now).toDateString();
        if (day === this.#day) return;
        this.#day = day;
        for (const el of this.list.querySelectorAll("time")) textSet(el, when(el.dateTime, now));
    }

    #tell() {
        this.more.hidden = this.#left <= 0 && !this.#error;
        const text = this.#left < Infinity ? "Show older: " + count(this.#left) : "Show older";
        textSet(this.more, this.#error ? this.#error + " Try again" : text);
    }
}

function rowMake(job) {
    const row = make("li", "older-job", { "data-status": job.status, "data-job-id": job.id });
    const name = make("a", "older-name", { href: "/jobs/" + job.id });
    name.textContent = job.name || job.definition_id;
    const cell = (className, text) => {
        const span = make("span", className);
        span.textContent = text;
        return span;
    };
    const at = job.started_at || job.created_at;
    const time = make("time", "older-when", { datetime: at });
    time.textContent = when(at, Date.now());
    const why = job.status === "completed" ? "" : job.error || job.cause;
    row.append(
        shape(job.status),
        cell("older-status", job.status),
        name,
        cell("older-why", why),
        time,
        cell("older-time", elapsed(job.started_at, job.completed_at, Date.now())),
    );
    return row;
}

customElements.define("tailrace-older", Older);
