// pages/queue.js: the queue page. Its numbers are Alpine's, the tree of jobs is an element of ours.

import { api } from "../api.js";
import { start } from "../app.js";
import { count } from "../format.js";
import { keysAdd } from "../keys.js";
import { jobTopic } from "../reducer.js";
import { shell } from "../shell.js";
import { idle, leave, live, onPaint, paintSoon } from "../state.js";
import "../queue.js";

const PARTS = ["running", "pending", "completed", "failed", "cancelled"];

const queue = () => document.querySelector("tailrace-queue");

start(() => ({
    loaded: false,
    empty: false,
    stats: PARTS.map((name) => ({ name, text: "0 " + name, href: "#s-" + name, none: true })),

    init() {
        const el = queue();
        el.addEventListener("follow", (e) => live.open(jobTopic(e.detail.job_id)));
        el.addEventListener("unfollow", (e) => leave(jobTopic(e.detail.job_id)));
        el.addEventListener("changed", paintSoon);
        el.addEventListener("cancel", (e) => shell.askCancel(e.detail));
        el.addEventListener("notice", (e) => shell.toast(e.detail.text));
        el.lines = lines;
        addEventListener("jobasked", () => el.free()); // the new job comes in on top
        keysAll();
        onPaint((state, now) => {
            el.render(state, now, idle);
            this.summarize(state.list);
        });
    },

    summarize(list) {
        if (!list) return;
        this.loaded = true;
        this.empty = list.order.length === 0;
        PARTS.forEach((name, i) => {
            const n = list.stats[name + "_jobs"];
            const text = count(n) + " " + name;
            if (this.stats[i].text !== text) Object.assign(this.stats[i], { text, none: n === 0 });
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
    ]);
}

async function lines(jobId, stepId, after, limit) {
    const query = new URLSearchParams({ step: stepId, after, limit });
    return (await api("/jobs/" + jobId + "/logs?" + query)).logs;
}
