// load.mjs: jobs of several definitions that do what dice say: write lines, fail, end, are cancelled,
// run again. A step of a puppet does just what is written into its pipe, so that nothing happens
// while the test looks at something.

import { spawnSync } from "node:child_process";
import { open } from "node:fs/promises";
import path from "node:path";

import { folder } from "../api/server.mjs";

const JOBS = 10; // that are not final, at most

const puppet = (name) =>
    "while read -r word n; do case $word in" +
    ' say) i=0; while [ $i -lt $n ]; do i=$((i + 1)); echo "line $i of $n"; done ;;' +
    ' warn) echo "warning $n" >&2 ;;' +
    " end) exit $n ;;" +
    ` esac; done < $PARAM_PIPE.${name}`;

const puppets = (id, name, steps) =>
    `id: ${id}\nname: ${name}\nparameters: { pipe: }\nsteps:\n` +
    steps
        .map(({ name, ...rest }) =>
            JSON.stringify({ name, type: "shell", config: { command: puppet(name) }, ...rest }))
        .map((step) => `  - ${step}\n`)
        .join("");

// Definitions of puppets, and which steps they have.
const PUPPETS = { one: ["a"], two: ["a", "b"], fork: ["a", "b", "c"] };

export const definitions = {
    "one.yaml": puppets("one", "One step", [{ name: "a" }]),
    "two.yaml": puppets("two", "Two steps", [{ name: "a" }, { name: "b", depends: ["a"] }]),
    "fork.yaml": puppets("fork", "A fork", [
        { name: "a" },
        { name: "b", on_error: "continue" },
        { name: "c", depends: ["a", "b"] },
    ]),
    "many.yaml": `id: many
name: Many tasks
steps:
  - name: make
    type: generator
    config: { worker_count: 12, log_count: 9, log_delay_ms: 3, failure_rate: 0.3, concurrency: 3 }
`,
    "crawl.yaml": `id: crawl
name: A crawl
parameters: { site: }
steps:
  - name: crawl
    type: crawler
    config: { start_urls: ["{site}"], max_pages: 12, delay: 0ms }
`,
};

export class Load {
    jobs = []; // {id, pipes}: of all, the newest last; without pipes when they are no puppets
    counts = {};
    #pipes = 0;

    static async open(t, server, site, random) {
        const load = new Load();
        Object.assign(load, { t, server, site, random, home: await folder(t) });
        return load;
    }

    get newest() {
        return this.jobs.at(-1).id;
    }

    async begin() {
        for (const definition of ["crawl", "one", "two", "fork", "many", "two", "one", "fork", "two", "one"])
            await this.#run(definition);
    }

    // Does something; returns the id of a job if that began.
    async act() {
        const acts = ["say", "say", "say", "warn", "end", "fail", "cancel", "run", "rerun"];
        const act = acts[this.random(acts.length)];
        this.counts[act] = (this.counts[act] ?? 0) + 1;
        if (act === "run" || act === "rerun") return this.#another(act);
        const jobs = await this.#open();
        const job = jobs[this.random(jobs.length)];
        if (!job) return this.#another("run");
        if (act === "cancel") await this.server.post(`/api/jobs/${job.id}/cancel`);
        else await this.#tell(job, act);
        return null;
    }

    // Nothing comes in from elsewhere until go().
    pause() {
        process.kill(this.site.pid, "SIGSTOP");
    }

    go() {
        process.kill(this.site.pid, "SIGCONT");
    }

    summary() {
        return `${this.jobs.length} jobs, ` + Object.entries(this.counts).map(([act, n]) => `${act} ${n}`).join(", ");
    }

    // Puppets that are not final.
    async #open() {
        const { body } = await this.server.get("/api/jobs?status=pending,running&limit=100");
        const ids = new Set(body.jobs.map((job) => job.id));
        return this.jobs.filter(({ id, pipes }) => pipes && ids.has(id));
    }

    async #another(act) {
        const jobs = await this.#open();
        const over = this.jobs.filter(({ id }) => !jobs.some((job) => job.id === id));
        if (act === "rerun" && over.length) return this.#rerun(over[this.random(over.length)]);
        if (jobs.length >= JOBS) return null;
        const ids = [...Object.keys(PUPPETS), "many", "crawl"];
        return this.#run(ids[this.random(ids.length)]);
    }

    async #run(definition) {
        const pipes = PUPPETS[definition] ? await this.#pipesMake(PUPPETS[definition]) : null;
        const parameters = { ...(pipes && { pipe: pipes.path }), ...(definition === "crawl" && { site: this.site.url }) };
        const id = await this.server.execute(definition, Object.keys(parameters).length ? parameters : undefined);
        this.jobs.push({ id, pipes });
        return id;
    }

    async #rerun({ id, pipes }) {
        const { status, body } = await this.server.post(`/api/jobs/${id}/rerun`);
        if (status !== 202) throw new Error(`rerun: ${status} ${body.error}`);
        this.jobs.push({ id: body.job_id, pipes });
        return body.job_id;
    }

    async #tell({ pipes }, act) {
        const file = pipes.files[this.random(pipes.files.length)];
        const words = { say: `say ${1 + this.random(150)}`, warn: `warn ${this.random(100)}`, end: "end 0", fail: "end 3" };
        await file.write(words[act] + "\n");
    }

    // One pipe for each step. Opened for reading as well, so that it is there before and after the step.
    async #pipesMake(steps) {
        const at = path.join(this.home, "pipe-" + ++this.#pipes);
        const names = steps.map((step) => `${at}.${step}`);
        spawnSync("mkfifo", names);
        const files = await Promise.all(names.map((name) => open(name, "r+")));
        this.t.after(() => Promise.all(files.map((file) => file.close())));
        return { path: at, files };
    }
}
