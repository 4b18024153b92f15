// queue/older.js: <tailrace-older>, the jobs that the live list has not: older ones, which have
// ended and never change. They are asked for in windows, as the reader comes near.
//
//     older.show({status, q}, known)   known(id): is it in the live list?

import { api } from "../api.js";
import { make, shape, textSet } from "../dom.js";
import { count, elapsed, when } from "../format.js";

const WINDOW = 100;

export class Older extends HTMLElement {
    #filter = null;
    #known = () => false;
    #offset = 0;
    #total = Infinity;
    #told = -1; // how many there are, as the live list says
    #ids = new Set();
    #isBusy = false;

    connectedCallback() {
        this.list = make("ul", "older", { "aria-label": "Older jobs" });
        this.more = make("button", "button more", { type: "button" });
        this.more.hidden = true;
        this.more.addEventListener("click", () => this.#load());
        this.append(this.list, this.more);
        const near = ([seen]) => seen.isIntersecting && this.#load();
        this.observer = new IntersectionObserver(near, { rootMargin: "600px" });
        this.observer.observe(this.more);
    }

    show(filter, total, known) {
        this.#known = known;
        const form = JSON.stringify(filter);
        if (form !== this.#filter) this.#begin(form);
        if (this.#told !== total) this.#total = total; // there are more now, or fewer
        this.#told = total;
        this.#tell();
    }

    #begin(form) {
        this.#filter = form;
        this.#offset = 0;
        this.#total = Infinity;
        this.#told = -1;
        this.#ids.clear();
        this.list.replaceChildren();
    }

    async #load() {
        if (this.#isBusy) return;
        this.#isBusy = true;
        const filter = this.#filter;
        const wanted = Object.entries(JSON.parse(filter)).filter(([, value]) => value);
        const query = { ...Object.fromEntries(wanted), limit: WINDOW, offset: this.#offset };
        try {
            const answer = await api("/jobs?" + new URLSearchParams(query));
            if (filter === this.#filter) this.#take(answer);
        } catch (error) {
            textSet(this.more, error.message + " Try again");
        }
        this.#isBusy = false;
    }

    #take({ jobs, total_count: total }) {
        this.#offset += jobs.length;
        this.#total = jobs.length ? total : this.#offset;
        const fresh = jobs.filter((job) => !this.#ids.has(job.id) && !this.#known(job.id));
        for (const job of fresh) this.#ids.add(job.id);
        this.list.append(...fresh.map(rowMake));
        this.#tell();
        this.observer.unobserve(this.more); // it may be in sight still, which is no news
        this.observer.observe(this.more);
    }

    #tell() {
        const left = this.#total === Infinity ? 0 : this.#total - this.#offset;
        this.more.hidden = left <= 0;
        textSet(this.more, "Show older: " + count(Math.max(0, left)));
    }
}

function rowMake(job) {
    const row = make("li", "older-job", { "data-status": job.status });
    const name = make("a", "older-name", { href: "/jobs/" + job.id });
    name.textContent = job.name || job.definition_id;
    const cell = (className, text) => {
        const span = make("span", className);
        span.textContent = text;
        return span;
    };
    const why = job.status === "completed" ? "" : job.error || job.cause;
    row.append(
        shape(job.status),
        cell("older-status", job.status),
        name,
        cell("older-why", why),
        cell("older-when", when(job.started_at || job.created_at, Date.now())),
        cell("older-time", elapsed(job.started_at, job.completed_at, Date.now())),
    );
    return row;
}

customElements.define("tailrace-older", Older);
