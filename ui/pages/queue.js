// pages/queue.js: the queue page. Its numbers are Alpine's, the tree of jobs is an element of ours.

import { api, post } from "../api.js";
import { start } from "../app.js";
import { count } from "../format.js";
import { keysAdd } from "../keys.js";
import { jobTopic } from "../reducer.js";
import { shell } from "../shell.js";
import { idle, leave, live, onPaint, paintSoon } from "../state.js";
import { STATUSES, filterOf, searchOf } from "../queue/filter.js";
import "../queue/older.js";
import "../queue/queue.js";

const queue = () => document.querySelector("tailrace-queue");

start(() => ({
    loaded: false,
    empty: false,
    stats: STATUSES.map((name) => ({ name, text: "0 " + name, href: "#s-" + name, look: "none", on: false })),
    q: "",
    definition: "",
    isGrouped: false,
    nothing: false,

    init() {
        const el = queue();
        el.addEventListener("follow", (e) => live.open(jobTopic(e.detail.job_id)));
        el.addEventListener("unfollow", (e) => leave(jobTopic(e.detail.job_id)));
        el.addEventListener("changed", paintSoon);
        el.addEventListener("cancel", (e) => shell.askCancel(e.detail));
        el.addEventListener("again", (e) => this.again(e.detail));
        el.addEventListener("notice", (e) => shell.toast(e.detail.text));
        el.lines = lines;
        addEventListener("jobasked", () => el.free()); // the new job comes in on top
        addEventListener("popstate", () => this.route());
        keysAll();
        this.route();
        onPaint((state, now) => {
            el.render(state, now, idle);
            this.summarize(state.list);
        });
    },

    /* ---- what of it is shown: the address says it ---- */

    route() {
        this.narrow(filterOf(location.search));
    },

    narrow(filter) {
        this.q = filter.q;
        this.definition = filter.definition;
        this.isGrouped = Boolean(filter.group);
        queue().filter = { ...filter, q: filter.q.trim() };
        for (const part of this.stats) part.on = part.name === filter.status;
        paintSoon();
    },

    // isTyped: every letter would be one step back.
    change(change, isTyped) {
        this.narrow({ ...queue().filter, ...change });
        const address = location.pathname + searchOf(queue().filter);
        history[isTyped ? "replaceState" : "pushState"](null, "", address);
    },

    typed() {
        this.change({ q: this.q }, true);
    },

    choose(status) {
        this.change({ status: queue().filter.status === status ? "" : status });
    },

    anyDefinition() {
        this.change({ definition: "" });
    },

    group() {
        this.change({ group: this.isGrouped ? "" : "status" });
    },

    // isRest: without what had completed.
    async again({ job_id: jobId, isRest }) {
        try {
            await post("/jobs/" + encodeURIComponent(jobId) + "/rerun", isRest && { from_failed: true });
            queue().free();
            scrollTo({ top: 0 });
        } catch (error) {
            shell.toast(error.message);
        }
    },

    older(list) {
        const { filter, ids } = queue();
        const { group, ...wanted } = filter; // in whatever order cards are
        const older = document.querySelector("tailrace-older");
        let total = wanted.status ? list.stats[wanted.status + "_jobs"] : list.total_count;
        if (wanted.q || wanted.definition) total = Infinity; // nobody has counted them
        if (list.total_count <= list.order.length) total = 0; // all are cards
        older.show(wanted, ids, total, live.epoch);
        this.nothing = !this.empty && !ids.length && older.isEmpty;
    },

    summarize(list) {
        if (!list) return;
        this.loaded = true;
        this.empty = list.order.length === 0;
        this.older(list);
        STATUSES.forEach((name, i) => {
            const n = list.stats[name + "_jobs"];
            const text = count(n) + " " + name;
            if (this.stats[i].text !== text) Object.assign(this.stats[i], { text, look: n ? "" : "none" });
        });
        const n = list.stats.running_jobs;
        const title = (n ? "(" + n + ") " : "") + "Queue · tailrace";
        if (document.title !== title) document.title = title;
    },
}));

function keysAll() {
    const act = (key, e) => !e.target.closest(".log-scroll") && queue().key(key);
    keysAdd("Queue", [
        { keys: ["j", "k", "ArrowDown", "ArrowUp"], about: "next, previous job or step", run: act },
        { keys: ["ArrowLeft", "ArrowRight"], about: "close, open it", run: act },
        { keys: ["x"], about: "cancel the job", run: act },
        { keys: ["/"], about: "filter the jobs", run: () => document.querySelector("#filter").focus() },
    ]);
}

async function lines(jobId, stepId, after, limit) {
    const query = new URLSearchParams({ step: stepId, after, limit });
    return (await api("/jobs/" + jobId + "/logs?" + query)).logs;
}
