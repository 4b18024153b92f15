// job/runs.js: the last runs of a definition, asked for when one of them has moved.

import { api } from "../api.js";
import { elapsed, when } from "../format.js";

const SHOWN = 20;

export class Runs {
    #key = null;
    #told = null; // as the server told them, the newest first
    #show;
    #most;

    // show([{id, link, about, current, status, href}], oldest first), of so many at most
    constructor(show, most = SHOWN) {
        this.#show = show;
        this.#most = most;
    }

    // The server told them along with something else.
    take(jobs, now, current = "") {
        this.#told = jobs;
        this.#show([...jobs].reverse().map((run) => runOf(run, run.id === current, now)));
    }

    // What the list of jobs says about this definition now.
    follow(list, job, now) {
        if (!list || !job.definition_id) return;
        const ours = list.order
            .filter((id) => list.jobs[id].definition_id === job.definition_id)
            .slice(0, this.#most);
        const key = ours.map((id) => id + list.jobs[id].status).join(" ");
        if (key === this.#key) return;
        this.#key = key;
        const isTold = (id, i) =>
            this.#told[i]?.id === id && this.#told[i].status === list.jobs[id].status;
        if (!this.#told || !ours.every(isTold)) this.#ask(job, now);
    }

    async #ask(job, now) {
        const query = new URLSearchParams({ definition: job.definition_id, limit: this.#most });
        const { jobs } = await api("/jobs?" + query).catch(() => ({ jobs: null }));
        if (jobs) this.take(jobs, now, job.job_id);
        else this.#key = null; // asked again with the next change
    }
}

const runOf = (run, isThis, now) => ({
    id: run.id,
    link: "/jobs/" + run.id,
    status: run.status,
    href: "#s-" + run.status,
    current: isThis ? "page" : null,
    about: [run.status, when(run.created_at, now), elapsed(run.started_at, run.completed_at, now)]
        .filter(Boolean)
        .join(" · "),
});
