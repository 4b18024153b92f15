// stage.mjs: where the fault tests play: one data folder, one server after the other on it, a proxy
// before them, and viewers that are handed to the judge when all is over.
//
//     const stage = await Stage.open(t, { definitions });
//     const job = await stage.server.execute("lines");
//     stage.watch(job);                           // one viewer of each transport
//     await stage.kill(); await stage.start();
//     assert.deepEqual(await stage.verdict([job]), []);
//
// Viewers wait while there is no server. `t` is a test, or anything else with after(run).

import { readFileSync } from "node:fs";

import { folder, serve } from "../api/server.mjs";
import { Proxy } from "./proxy.mjs";
import { TRANSPORTS, view } from "./record.mjs";
import { Truth, examine, validateLines } from "./validate.mjs";

// What is to be cleaned up when a server, a test or a program is over, newest first.
export class Scope {
    #runs = [];

    after(run) {
        this.#runs.push(run);
    }

    async end() {
        while (this.#runs.length) await this.#runs.pop()();
    }
}

export class Stage {
    viewers = [];
    pruned = []; // as of Truth
    complaints = []; // of sanitizers
    #isUp;

    // options: definitions, args, env, binary: as of serve()
    static async open(t, options) {
        const stage = new Stage();
        stage.options = { ...options, data: await folder(t) };
        t.after(() => stage.close());
        stage.#down();
        stage.proxy = await Proxy.open(t, async () => Number(new URL(await stage.up).port));
        await stage.start();
        stage.beginning = await stage.server.beginning();
        return stage;
    }

    #down() {
        this.up = new Promise((resolve) => (this.#isUp = resolve));
    }

    // The address of the server, as soon as there is one.
    direct = () => this.up;

    // env: what only this server is given, such as a fault.
    async start(env = {}) {
        this.scope = new Scope();
        const server = await serve(this.scope, { ...this.options, env: { ...this.options.env, ...env } });
        this.server = server;
        this.#isUp(server.url);
        server.ended.then(() => {
            if (/Sanitizer|runtime error/.test(server.stderr)) this.complaints.push(server.stderr);
            if (server === this.server) this.#down();
        });
        return server;
    }

    async kill(signal = "SIGKILL") {
        const ended = await this.server.stop(signal);
        await this.scope.end();
        if (signal === "SIGTERM" && ended.code !== 0) this.complaints.push(`exit status ${ended.code}:\n${this.server.stderr}`);
        return ended;
    }

    async restart(signal, env) {
        await this.kill(signal);
        return this.start(env);
    }

    view(transport, options) {
        const viewer = view(transport, { url: this.direct, since: this.beginning, ...options });
        this.viewers.push(viewer);
        return viewer;
    }

    // A viewer of the job for each transport; --follow has the proxy's address, which stays.
    watch(job, transports = TRANSPORTS, options = {}) {
        const own = { plain: { topic: undefined, only: job }, follow: { url: this.proxy.url } };
        return transports.map((transport) => this.view(transport, { topic: "job:" + job, ...options, ...own[transport] }));
    }

    // From now on a cursor from before may be refused, by the topic of all jobs.
    async delete(job) {
        await this.up;
        const place = this.pruned.push(Infinity) - 1;
        const { status, body } = await this.server.fetch("/api/jobs/" + job, { method: "DELETE" });
        if (status !== 200) throw new Error(`delete: ${status} ${body.error}`);
        this.pruned[place] = Number((await this.server.cursor()).split(":")[1]);
    }

    // What is wrong with what viewers were told of these jobs (the first of it): [] when all is well.
    async verdict(jobs, options) {
        return (await this.examine(jobs, options)).found.slice(0, 10);
    }

    // Waits for the viewers that see an end, stops the others, and asks the judge. options: viewers
    // (all), truths (of histories that are gone)
    async examine(jobs, { viewers = this.viewers, truths = [] } = {}) {
        const truth = await new Truth().read(await this.alive(), jobs);
        truth.pruned = this.pruned;
        await Promise.all(viewers.filter((v) => v.ends && truth.ends.has(v.topic)).map((v) => v.ended));
        await Promise.all(viewers.map((v) => v.over || v.stop()));
        await truth.readHead(this.server);
        this.viewers = this.viewers.filter((v) => !viewers.includes(v));
        const report = examine(viewers.map((v) => v.recording), truth, ...truths);
        for (const job of jobs) report.found.push(...validateLines(await this.lines(job), job, truth));
        for (const says of this.complaints) report.found.push({ invariant: "sanitizer", who: "server", says });
        const connections = viewers.reduce((sum, v) => sum + v.connection, 0);
        const ofJobs = [...truth.events.values()].filter((identity) => !/^\d+ system /.test(identity));
        return { ...report, events: ofJobs.length, connections };
    }

    async alive() {
        await this.up;
        return this.server;
    }

    // The lines of a job over the road that the page takes.
    async lines(job) {
        const lines = [];
        for (let after = await this.server.beginning(); after !== null; ) {
            const { status, body } = await this.server.get(`/api/jobs/${job}/logs?order=asc&limit=1000&after=${after}`);
            if (status !== 200) throw new Error(`logs: ${status} ${body.error}`);
            lines.push(...body.logs);
            after = body.next;
        }
        return lines;
    }

    // Waits for the end of a job, whatever happens to servers meanwhile.
    async over(job) {
        const watcher = view("poll", { url: this.direct, topic: "job:" + job, since: this.beginning });
        await watcher.ended;
    }

    // Bytes of memory that the server has now.
    rss() {
        const [, pages] = readFileSync(`/proc/${this.server.pid}/statm`, "utf8").split(" ");
        return Number(pages) * 4096;
    }

    async close() {
        await Promise.all(this.viewers.map((v) => v.over || v.stop()));
        await this.kill("SIGKILL");
    }
}
