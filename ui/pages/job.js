// pages/job.js: the page of one job: how it goes, what its steps did and when, and their lines.

import { api, post } from "../api.js";
import { start } from "../app.js";
import { assign, jobsIn } from "../dom.js";
import { bytesText, count, elapsed, sentence, when } from "../format.js";
import { goParse } from "../job/go.js";
import { placeFormat, placeParse, stepPick } from "../job/places.js";
import { Runs } from "../job/runs.js";
import { JobTopic } from "../job/topic.js";
import "../job/graph.js";
import "../job/timeline.js";
import "../log/log.js";
import { ROW } from "../log/window.js";
import { keysAdd } from "../keys.js";
import { placesOf } from "../places.js";
import { Question } from "../question.js";
import { isFinal, jobTopic } from "../reducer.js";
import { shell } from "../shell.js";
import { idle, live, onLive, onPaint, paintSoon } from "../state.js";
import { hasRest, stopText, waitText, whyText } from "../words.js";

const TYPING_MS = 150; // a search begins when the reader pauses so long
const AFTER_MS = 100; // when the first lines are there, for what is not in the live state
const TIMES = ["abs", "rel", "delta", "off"];
const LEVELS = ["error", "warn", "info", "debug"];
const HOOKS = 5; // newest of them
const HOOK_LOOKS = { info: "completed", warn: "warning", error: "failed" };
const SIGNS = { completed: "✔", failed: "✖", running: "◔", pending: "◌", cancelled: "⊘" };

const jobId = decodeURIComponent(location.pathname.split("/")[2]);
const path = "/jobs/" + encodeURIComponent(jobId);
const at = (name) => document.querySelector(name);
const topic = new JobTopic(jobId);
let lastRuns = null;
let config = null; // what is not in the live state: what never changes, and what is known at its end

start(() => ({
    shown: false,
    missing: "",
    job: { name: "", status: "pending", href: "#s-pending", why: "", runs: false, rest: false },
    facts: [],
    parameters: [],
    bytes: 0,
    runs: [],
    hooks: [],
    steps: [],
    stepId: null, // whose log is shown; "": the job's own lines
    chosen: false, // by the reader
    place: placeParse(location.hash),
    how: { q: "", regex: false, case: false },
    only: false,
    noHits: true,
    hits: "",
    level: "debug",
    levels: LEVELS.map((name) => ({ name, on: false, text: "", about: "" })),
    time: "abs",
    wrap: false,
    alone: false,
    raw: "/api" + path + "/logs.txt",
    reader: path + "/read",
    none: "",
    goText: "",
    goError: "",
    begun: 0,
    isPainted: null,

    init() {
        const log = at("tailrace-log");
        lastRuns = new Runs((runs) => (this.runs = runs));
        config = new Question(() => api(path), {
            answered: ({ config, bytes, status }) => {
                this.parameters = Object.entries(config.parameters || {});
                this.bytes = isFinal(status) ? bytes : 0;
            },
            failed: ({ status, message }) => status === 404 && (this.missing = message),
        });
        this.listen(log);
        onLive("refused", (name, sentence) => this.refused(name, sentence));
        onLive("status", () => (log.epoch = live.epoch));
        onPaint((state, now) => this.paint(state, now));
        this.follow();
    },

    listen(log) {
        log.addEventListener("logfollow", () => this.follow());
        log.addEventListener("loghits", (e) => this.told(e.detail));
        log.addEventListener("logplace", (e) => this.placed(e.detail));
        log.addEventListener("lognotice", (e) => shell.toast(e.detail.text));
        addEventListener("stepchosen", (e) => this.chooseStep(e.detail.step_id));
        addEventListener("hashchange", () => this.goTo(placeParse(location.hash)));
        document.addEventListener("visibilitychange", () => this.follow());
        this.keysAll(log);
    },

    follow() {
        topic.want(!document.hidden && at("tailrace-log").follow);
    },

    refused(name, sentence) {
        if (name.startsWith(jobTopic(jobId))) this.missing = sentence;
    },

    /* ---- painting ---- */

    paint(state, now) {
        const job = state.trees[jobId];
        if (!job) return;
        this.shown = !this.missing;
        this.header(job, now, state.list && placesOf(state.list)[jobId]);
        this.hooksSet(state.system, now);
        this.stepSet(job);
        at("tailrace-graph").render(job, this.stepId);
        at("tailrace-timeline").render(job, this.stepId, now);
        const writer = this.writer(job);
        if (writer) at("tailrace-log").show(writer);
        this.counts(job, writer);
        this.follow();
        if (this.isPainted) this.rest(state.list, job);
        else this.painted(writer);
    },

    // The lines come first; what else there is to ask for comes after them.
    painted(writer) {
        if (this.isPainted !== null) return;
        if (writer.total_logs && !at("tailrace-log :is(.tree-log-text, .log-stream):not(:empty)")) return;
        this.isPainted = false; // asked for after this frame
        setTimeout(() => {
            this.isPainted = true;
            paintSoon();
        }, AFTER_MS);
    },

    // What is not in the live state.
    rest(list, job) {
        lastRuns.follow(list, job);
        if (this.askedAs !== isFinal(job.status)) config.want();
        this.askedAs = isFinal(job.status);
    },

    header(job, now, place) {
        const { status } = job;
        const name = job.job_name || job.definition_id || jobId;
        const why = isFinal(status) ? whyText(job) : nowText(job, now, place);
        assign(this.job, { name, status, href: "#s-" + status, why, runs: !isFinal(status), rest: hasRest(job) });
        const begun = job.started_at || job.created_at;
        this.begun = Date.parse(begun);
        const facts = [
            ["Definition", job.definition_id, ""],
            ["Started", begun ? when(begun, now) : "", begun && new Date(begun).toLocaleString()],
            ["By", job.started_by, "", jobsIn(job.started_by).find(({ href }) => href)?.href],
            [isFinal(status) ? "Took" : "Runs for", elapsed(job.started_at, job.completed_at, now), ""],
            ["Size", this.bytes ? bytesText(this.bytes) : "", "Its lines, states and documents, as they were written"],
            ...this.parameters.map(([key, value]) => [key, String(value), ""]),
        ].filter(([, text]) => text);
        const form = JSON.stringify(facts);
        if (form !== this.form) this.facts = facts.map(([name, text, title, link = ""]) => ({ name, text, title, link }));
        this.form = form;
        document.title = SIGNS[status] + " " + status + " · " + name + " · tailrace";
    },

    // What became of its webhooks, as far as the server's newest events say it.
    hooksSet(system, now) {
        const told = system.filter(({ event, subject }) => subject === jobId && event.startsWith("webhook_"));
        const hooks = told.slice(-HOOKS).map(({ ts, level, message }) => ({ key: ts, status: HOOK_LOOKS[level], href: "#s-" + HOOK_LOOKS[level], text: "Webhook " + when(ts, now) + " · " + message }));
        const form = JSON.stringify(hooks);
        if (form !== this.hookForm) this.hooks = hooks;
        this.hookForm = form;
    },

    /* ---- the step whose lines are shown ---- */

    // Who wrote the lines that are shown: the step, or the job itself.
    writer(job) {
        return job.steps.find((step) => step.step_id === this.stepId) || job;
    },

    stepSet(job) {
        const asked = new URLSearchParams(location.search).get("step");
        const now = job.steps.find((step) => step.step_id === this.stepId);
        let step = now;
        if (this.stepId === null)
            step = job.steps.find((s) => s.name === asked || s.step_id === asked) || stepPick(job.steps);
        else if (now && !this.chosen && at("tailrace-log").follow) step = stepPick(job.steps);
        if (this.stepId === null && step && (asked || this.place)) this.chosen = true;
        if (step && step !== now) this.stepOpen(step.step_id, step.name);
        if (!step && this.stepId === null) this.stepOpen("", "");
        this.stepTexts(job);
    },

    stepTexts(job) {
        const texts = job.steps.map((step) => ({ id: step.step_id, text: step.name }));
        if (job.total_logs || !texts.length) texts.push({ id: "", text: "(the job itself)" });
        const form = JSON.stringify(texts) + this.stepId;
        if (form === this.stepForm) return;
        this.stepForm = form;
        this.steps = texts.map((step) => ({ ...step, chosen: step.id === this.stepId }));
    },

    stepOpen(stepId, name) {
        const log = at("tailrace-log");
        const ask = async (what, params, options) => {
            const query = new URLSearchParams({ step: stepId, ...params });
            return api(path + "/" + what + "?" + query, options);
        };
        this.stepId = stepId;
        this.raw = "/api" + path + "/logs.txt?" + new URLSearchParams({ step: stepId });
        this.reader = path + "/read?" + new URLSearchParams({ step: name });
        log.open({
            jobId,
            stepId,
            name,
            epoch: live.epoch,
            // a page of lines never changes: the browser may keep it
            fetchPage: async (after, limit) =>
                (await ask("logs", { after, limit, epoch: live.epoch }, { cache: "default" })).logs,
            search: (params) => ask("search", params),
        });
        this.find();
        if (this.place) this.goTo(this.place);
        this.place = null;
        this.follow();
    },

    chooseStep(stepId) {
        if (stepId === this.stepId) return;
        this.chosen = true;
        this.stepOpen(stepId, this.steps.find((step) => step.id === stepId)?.text ?? "");
        history.replaceState(null, "", this.address());
    },

    address(place = "") {
        const step = this.stepId && this.steps.find(({ id }) => id === this.stepId);
        return location.pathname + "?" + new URLSearchParams({ step: step ? step.text : "" }) + place;
    },

    counts(job, writer) {
        const { error = 0, warn = 0, info = 0, debug = 0 } = (writer && writer.level_counts) || {};
        const by = { error, warn, info, debug };
        for (const level of this.levels)
            assign(level, {
                on: this.level === level.name,
                text: level.name[0].toUpperCase() + " " + count(by[level.name]),
                about: count(by[level.name]) + " " + level.name + ": show these and worse",
            });
        const isEmpty = !writer || !writer.total_logs;
        this.none = isEmpty ? noneText(job, writer) : "";
        at("tailrace-log").hidden = isEmpty;
    },

    /* ---- places ---- */

    async goTo(place) {
        if (!place) return;
        const log = at("tailrace-log");
        if (place.line) return log.goto(place.line, place.to);
        try {
            const query = { step: this.stepId, level: "error", limit: place.error };
            const { lines } = await api(path + "/search?" + new URLSearchParams(query));
            if (lines.length === place.error) log.goto(lines.at(-1));
            else shell.toast("There is no error number " + place.error + " in this step.");
        } catch (error) {
            shell.toast(error.message);
        }
    },

    placed(detail) {
        this.chosen = true;
        history.replaceState(null, "", this.address(placeFormat(detail)));
    },

    /* ---- search, levels, looks ---- */

    searchTyped(text) {
        clearTimeout(this.typing);
        this.how.q = text;
        this.typing = setTimeout(() => this.find(), text ? TYPING_MS : 0);
    },

    searchKey(e) {
        if (e.key === "Enter" && e.shiftKey) {
            e.preventDefault();
            this.prevHit();
        } else if (e.key === "Escape" && !e.target.value) {
            e.target.blur();
            at("tailrace-log").scroller.focus();
        }
    },

    find() {
        const log = at("tailrace-log");
        log.query = this.how.q ? { ...this.how } : null;
        log.filter = this.only && Boolean(this.how.q);
        log.level = this.level;
    },

    toggleHow(key) {
        this.how[key] = !this.how[key];
        this.find();
    },

    toggleOnly() {
        this.only = !this.only;
        this.find();
    },

    told({ count: n, at: which, complete, error }) {
        this.noHits = !this.how.q || n === 0;
        const many = count(n) + (complete ? "" : "…");
        if (!this.how.q) this.hits = "";
        else this.hits = error || (which ? count(which) + "/" + many : many + (n === 1 ? " hit" : " hits"));
    },

    nextHit() {
        at("tailrace-log").next("hit");
    },

    prevHit() {
        at("tailrace-log").prev("hit");
    },

    chooseLevel(name) {
        this.level = this.level === name ? "debug" : name;
        this.find();
    },

    setTime() {
        at("tailrace-log").time = this.time;
    },

    toggleWrap() {
        this.wrap = !this.wrap;
        at("tailrace-log").wrap = this.wrap;
    },

    toggleAlone() {
        this.alone = !this.alone;
        document.documentElement.classList.toggle("alone", this.alone);
    },

    get sheet() {
        return this.alone ? "sheet" : "";
    },

    /* ---- the reader's wishes ---- */

    cancel() {
        shell.askCancel({ job_id: jobId, job_name: this.job.name });
    },

    // isRest: without what had completed.
    async rerun(isRest) {
        try {
            const { job_id: id } = await post(path + "/rerun", isRest && { from_failed: true });
            location.href = "/jobs/" + id;
        } catch (error) {
            shell.toast(error.message);
        }
    },

    /* ---- keys ---- */

    keysAll(log) {
        const rows = (n) => log.scrollRows(n);
        const page = () => Math.max(1, Math.floor(log.scroller.clientHeight / ROW) - 1);
        keysAdd("Job", [
            { keys: ["s"], about: "next step", run: () => this.stepAfter() },
            { keys: ["x"], about: "cancel the job", run: () => this.job.runs && !idle && this.cancel() },
            { keys: ["d"], about: "download the lines", run: () => at("a[download]").click() },
        ]);
        keysAdd("Log", [
            { keys: ["j", "k"], about: "a line down, up", run: (key) => rows(key === "j" ? 1 : -1) },
            { keys: ["PageDown", "PageUp"], about: "a page down, up", run: (key) => rows(key === "PageDown" ? page() : -page()) },
            { keys: ["Home"], about: "first line", run: () => log.goto(1) },
            { keys: ["End"], about: "follow the end", run: () => (log.follow = true) },
            { keys: ["f"], about: "follow, or hold", run: () => (log.follow = !log.follow) },
            { keys: ["g"], about: "go to a line or time", run: () => this.openGo() },
            { keys: ["e", "E"], about: "next, previous error", run: (key) => this.step(log, "error", key === "E") },
            { keys: ["w", "W"], about: "next, previous warning", run: (key) => this.step(log, "warn", key === "W") },
            { keys: ["/"], about: "search", run: () => at("#search").focus() },
            { keys: ["n", "N"], about: "next, previous hit", run: (key) => this.step(log, "hit", key === "N") },
            { keys: ["c"], about: "this line among all lines", run: () => this.context(log) },
            { keys: ["t"], about: "times: clock, since start, since the line before, none", run: () => this.nextTime() },
            { keys: ["z"], about: "wrap long lines", run: () => this.toggleWrap() },
            { keys: ["[", "]"], about: "fold, unfold all groups", run: (key) => log.foldAll(key === "]") },
            { keys: ["y"], about: "copy a link to the line", run: () => this.copyLink() },
            { keys: ["Y"], about: "copy the lines", run: () => log.copy() },
        ]);
    },

    step(log, kind, isBack) {
        if (isBack) log.prev(kind);
        else log.next(kind);
    },

    nextTime() {
        this.time = TIMES[(TIMES.indexOf(this.time) + 1) % TIMES.length];
        this.setTime();
    },

    // The chosen line, with those around it that a filter has left out.
    context(log) {
        const place = placeParse(location.hash);
        this.only = false;
        this.level = "debug";
        this.find();
        const line = log.current || (place && place.line);
        if (line) log.goto(line);
    },

    openGo() {
        this.goText = "";
        this.goError = "";
        this.$refs.go.showModal();
    },

    closeGo() {
        this.$refs.go.close();
    },

    go() {
        const where = goParse(this.goText, this.begun);
        if (!where) {
            this.goError = "A line is a number, a time is hours and minutes: 811993 or 14:06:31";
            return;
        }
        this.$refs.go.close();
        if (where.line) at("tailrace-log").goto(where.line);
        else at("tailrace-log").gotoTime(where.time);
    },

    stepAfter() {
        const i = this.steps.findIndex((step) => step.id === this.stepId);
        this.chooseStep(this.steps[(i + 1) % this.steps.length].id);
    },

    async copyLink() {
        const { hash } = location;
        const link = location.origin + this.address(placeParse(hash) ? hash : "");
        await navigator.clipboard.writeText(link).then(
            () => shell.toast("The link is copied."),
            () => shell.toast("The link could not be copied: " + link),
        );
    },
}));

// What there is to say of a job that has not ended.
function nowText(job, now, place) {
    if (job.status === "running")
        return job.steps.filter((step) => stopText(step, now)).map((step) => "Step " + step.name + " is ending: " + stopText(step, now) + ".").join(" ");
    return sentence(waitText(job, place) || "waits to be started") + ".";
}

function noneText(job, step) {
    if (!step || step === job) return "No lines yet.";
    if (step.status === "pending")
        return step.depends.length
            ? "No lines yet: this step waits for " + step.depends.join(", ") + "."
            : "No lines yet.";
    return isFinal(step.status) ? "This step wrote no lines." : "No lines yet.";
}
