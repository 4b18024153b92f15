// job/runs.js: the last runs of a definition, asked for when one of them has moved.

import { api } from "../api.js";
import { elapsed, when } from "../format.js";
import { Question } from "../question.js";

const SHOWN = 20;

export class Runs {
    #key = null;
    #told = null; // as the server told them, the newest first
    #current = "";
    #show;
    #most;
    #question = new Question(
        (definition) => api("/jobs?" + new URLSearchParams({ definition, limit: this.#most })),
        { answered: ({ jobs }) => this.#take(jobs) },
    );

    // show([{id, link, about, current, status, href}], oldest first), of so many at most
    constructor(show, most = SHOWN) {
        this.#show = show;
        this.#most = most;
    }

    // The server told them along with something else.
    take(jobs) {
        this.#question.drop();
        this.#key = null; // the list may know more
        this.#take(jobs);
    }

    #take(jobs) {
        const now = Date.now();
        this.#told = jobs;
        this.#show([...jobs].reverse().map((run) => runOf(run, run.id === this.#current, now)));
    }

    // What the list of jobs says about this definition now.
    follow(list, job) {
        if (!list || !job.definition_id) return;
        const ours = list.order
            .filter((id) => list.jobs[id].definition_id === job.definition_id)
            .slice(0, this.#most);
        const key = ours.map((id) => id + list.jobs[id].status).join(" ");
        if (key === this.#key) return;
        this.#key = key;
        this.#current = job.job_id;
        const isTold = (id, i) =>
            this.#told[i]?.id === id && this.#told[i].status === list.jobs[id].status;
        if (!this.#told || !ours.every(isTold)) this.#question.want(job.definition_id);
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
