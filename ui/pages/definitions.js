// pages/definitions.js: all definitions with their last runs, and the editor of one.
//
// The editor's text is the reader's own until it is saved. The server says what is wrong in it
// while it is written, and refuses to save over a change of somebody else (ETag, If-Match).

import { api, apiTagged, post } from "../api.js";
import { start } from "../app.js";
import { assign } from "../dom.js";
import { diff, diffShort } from "../definitions/diff.js";
import { duration, plural, when } from "../format.js";
import { Runs } from "../job/runs.js";
import { Question } from "../question.js";
import { SYSTEM } from "../reducer.js";
import { shell } from "../shell.js";
import { live, onPaint, state } from "../state.js";

const TYPING_MS = 300; // the server is asked when the reader pauses so long
const RUNS = 10; // of each definition
const DAY_MS = 24 * 3600 * 1000;
const AGAIN_MS = 30000; // so often at most is asked because of the clock, which may be wrong here
const BEGIN = `id: my-job
name: My job
steps:
  - name: hello
    type: shell
    config:
      command: echo hello
`;

const runs = new Map(); // definition id → Runs
const idOf = () => decodeURIComponent(location.pathname.split("/")[2] || "");
const pathOf = (id) => "/job-definitions/" + encodeURIComponent(id);
const typeOf = (text) => ({ "Content-Type": /^\s*\{/.test(text) ? "application/json" : "application/yaml" });
const validate = (text) => api("/job-definitions/validate", { method: "POST", headers: typeOf(text), body: text });

const SAID = new Set(["missed", "skipped", "queued", "failed"].map((what) => "schedule_" + what));
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/g;

let page = null;
let told = null; // by the server, of itself

const all = new Question(() => api("/job-definitions?runs=" + RUNS), {
    answered: (answer) => page.listSet(answer),
    failed: ({ message }) => (page.listError = message),
});
const one = new Question((id) => apiTagged(pathOf(id)), {
    answered: ({ body, tag }) => page.take(body, tag),
    failed: ({ message }) => Object.assign(page, { editing: false, oneError: message }),
});
const check = new Question(validate, {
    answered: () => page.judge("completed", page.dirty ? "Valid." : "Valid, and saved.", 0),
    failed: (error) => page.judgeWrong(error),
});

start(() => ({
    list: [],
    empty: false,
    listError: "",
    oneError: "",
    askedAt: 0,
    editing: false,
    id: "", // of the definition in the editor; "": a new one
    title: "",
    saved: "", // as the server has it
    tag: "", // the version that is
    readOnly: "",
    conflict: "", // what somebody else has saved
    verdict: "",
    verdictStatus: "pending",
    line: 0, // where it is wrong
    changes: [],
    leaves: false, // Tab leaves the text
    deleteError: "",

    init() {
        page = this;
        this.load();
        addEventListener("popstate", () => this.route());
        addEventListener("beforeunload", (e) => this.isChanged() && e.preventDefault());
        live.open(SYSTEM); // definitions and schedules are changed by others too
        onPaint((state, now) => {
            if (state.system !== told) this.load();
            told = state.system;
            this.look(now);
            for (const [id, of] of runs) of.follow(state.list, { definition_id: id });
        });
        this.route();
    },

    route() {
        const id = idOf();
        this.oneError = "";
        if (id) return one.ask(id);
        one.drop();
        this.editing = false;
    },

    get error() {
        return this.listError || this.oneError;
    },

    /* ---- the list ---- */

    load() {
        this.askedAt = performance.now();
        all.want();
    },

    listSet({ job_definitions: all }) {
        this.list = all.map((d) => itemOf(d, this.list.find((old) => old.id === d.id)));
        this.look(Date.now());
        this.empty = !all.length;
        this.listError = "";
        for (const { id, runs: told } of all) {
            if (!runs.has(id)) runs.set(id, new Runs((found) => this.runsSet(id, found), RUNS));
            runs.get(id).take(told.map((run) => ({ ...run, id: run.job_id })));
        }
    },

    // What has to do with the time. When the times that were told are used up, the server says
    // what comes then.
    look(now) {
        for (const d of this.list)
            assign(d, { next: nextText(d, now), then: thenText(d, now), said: saidText(state.system, d.id, now) });
        const isOver = ({ nextRuns }) => nextRuns.length && !nextAfter(nextRuns, now);
        if (this.list.some(isOver) && performance.now() - this.askedAt > AGAIN_MS) this.load();
    },

    async pause(id, isPaused) {
        try {
            await post(pathOf(id) + (isPaused ? "/resume" : "/pause")); // which is told, and then seen
        } catch (error) {
            shell.toast(error.message);
        }
    },

    runsSet(id, found) {
        const item = this.list.find((d) => d.id === id);
        if (item) Object.assign(item, { runs: found, none: !found.length });
    },

    async run(id, wants) {
        await shell.loadDefinitions();
        const definition = shell.definitions.find((d) => d.id === id);
        if (definition) shell.choose(definition, wants);
    },

    /* ---- the editor ---- */

    open(id) {
        history.pushState(null, "", "/definitions/" + encodeURIComponent(id));
        this.route();
    },

    leave() {
        if (this.isChanged() && !confirm("Leave without saving your changes?")) return;
        this.saved = this.text();
        history.pushState(null, "", "/definitions");
        this.route();
        this.load();
        this.$nextTick(() => this.$refs.new.focus()); // what had the focus is hidden now
    },

    // isTyped: the reader has written on since it was saved.
    take(definition, tag, isTyped) {
        const { id, name, source, file } = definition;
        const readOnly = file ? "This definition is the file " + file + ": change it there, and it is read again when the server starts." : "";
        Object.assign(this, { editing: true, id, title: name, saved: source, tag, readOnly, conflict: "" });
        if (isTyped) this.typed();
        else this.textSet(source);
    },

    startNew() {
        this.begin(BEGIN);
    },

    copy() {
        this.begin(this.text().replace(/^(\s*"?id"?\s*:\s*"?)([\w-]+)/m, "$1$2-copy"));
    },

    begin(text) {
        one.drop();
        Object.assign(this, { editing: true, id: "", title: "New definition", saved: "", tag: "", readOnly: "", conflict: "" });
        this.textSet(text);
        this.$nextTick(() => this.$refs.source.focus());
    },

    text() {
        return this.$refs.source.value;
    },

    textSet(text) {
        this.$refs.source.value = text;
        this.typed();
    },

    isChanged() {
        return this.editing && !this.readOnly && this.text() !== this.saved;
    },

    get canDelete() {
        return this.id !== "" && !this.readOnly;
    },

    get cannotSave() {
        return shell === null || shell.idle || this.verdictStatus !== "completed" || !this.dirty;
    },

    get invalid() {
        return this.verdictStatus === "failed";
    },

    get verdictHref() {
        return "#s-" + this.verdictStatus;
    },

    dirty: false,

    typed() {
        this.leaves = false;
        this.dirty = this.isChanged();
        this.numbers();
        this.compare();
        clearTimeout(this.typing);
        check.drop();
        this.typing = setTimeout(() => check.ask(this.text()), TYPING_MS);
    },

    compare() {
        const from = this.conflict || this.saved;
        const lines = this.dirty && from ? diffShort(diff(from, this.text())) : [];
        const sign = { "-": "− ", "+": "+ ", " ": "  ", "…": "⋯" };
        this.changes = lines.map((line, key) => ({ key, sign: line.sign, text: sign[line.sign] + line.text + "\n" }));
    },

    judgeWrong({ status, message, body }) {
        const { line = 0, column = 0 } = body || {};
        const sentence = message.replace(/^request body:\d+:\d+: /, "");
        const where = line ? "Line " + line + (column ? ", column " + column : "") + ": " : "";
        this.judge(status ? "failed" : "pending", where + sentence, line);
    },

    judge(verdictStatus, verdict, line) {
        Object.assign(this, { verdictStatus, verdict, line });
        this.numbers();
    },

    // Line numbers beside the text, the wrong one marked.
    numbers() {
        const count = this.text().split("\n").length;
        const rows = [];
        for (let line = 1; line <= count; line++) {
            const row = document.createElement("div");
            row.textContent = (line === this.line ? "✖ " : "") + line;
            row.classList.toggle("wrong", line === this.line);
            rows.push(row);
        }
        this.$refs.numbers.replaceChildren(...rows);
        this.scrolled();
    },

    scrolled() {
        this.$refs.numbers.scrollTop = this.$refs.source.scrollTop;
    },

    jump() {
        const area = this.$refs.source;
        const lines = this.text().split("\n");
        const at = lines.slice(0, this.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
        area.focus();
        area.setSelectionRange(at, at + (lines[this.line - 1] || "").length);
    },

    // Two spaces, as YAML has them; with Shift or after Escape the key goes on to the next field.
    tabTyped(e) {
        if (e.shiftKey || this.readOnly || this.leaves) return;
        e.preventDefault();
        this.$refs.source.setRangeText("  ", e.target.selectionStart, e.target.selectionEnd, "end");
        this.typed();
    },

    escapeTyped() {
        this.leaves = true;
    },

    /* ---- saving ---- */

    async save() {
        const text = this.text();
        const path = this.id ? pathOf(this.id) : "/job-definitions";
        const headers = { ...typeOf(text), ...(this.id && { "If-Match": this.tag }) };
        try {
            const { body, tag } = await apiTagged(path, { method: this.id ? "PUT" : "POST", headers, body: text });
            history.replaceState(null, "", "/definitions/" + encodeURIComponent(body.id));
            this.take(body, tag, this.text() !== text);
            this.load();
        } catch (error) {
            if (error.body?.code === "conflict") this.conflictSet(error.body.definition, error.tag);
            else shell.toast(error.message);
        }
    },

    conflictSet(theirs, tag) {
        Object.assign(this, { conflict: theirs.source, tag });
        this.typed();
    },

    keepMine() {
        this.saved = this.conflict;
        this.conflict = "";
        this.save();
    },

    takeTheirs() {
        this.saved = this.conflict;
        this.conflict = "";
        this.textSet(this.saved);
    },

    askDelete() {
        this.deleteError = "";
        this.$refs.delete.showModal();
    },

    closeDelete() {
        this.$refs.delete.close();
    },

    async remove() {
        try {
            await api(pathOf(this.id), { method: "DELETE", headers: { "If-Match": this.tag } });
            this.$refs.delete.close();
            this.saved = this.text();
            this.leave();
        } catch (error) {
            this.deleteError = error.message;
        }
    },
}));

function itemOf(d, old) {
    const off = d.enabled === false;
    const secrets = Object.keys(d.secrets);
    const parts = [
        plural(d.steps.length, "step"),
        d.pool && "pool " + d.pool,
        d.max_running && d.max_running + " at once",
        d.priority && "priority " + d.priority,
        secrets.length && (secrets.length > 1 ? "secrets " : "secret ") + secrets.join(", "),
        ...d.tags.map((tag) => "#" + tag),
        d.file,
    ];
    return {
        id: d.id,
        name: d.name,
        description: d.description || "",
        off,
        link: "/definitions/" + encodeURIComponent(d.id),
        facts: parts.filter(Boolean).join(" · "),
        hooks: d.webhooks.map(({ url, on }) => "tells " + url + (on.length < 3 ? " when " + on.join(" or ") : "")).join(" · "),
        warning: d.warnings.join(" "),
        schedule: d.schedule_words || "",
        nextRuns: d.next_runs,
        queued: d.queued_run,
        paused: d.paused,
        pauseVerb: d.paused ? "Resume" : "Pause",
        verb: d.file ? "View" : "Edit",
        runs: old ? old.runs : [],
        none: old ? old.none : false,
        next: "",
        then: "",
        said: "",
    };
}

const nextAfter = (times, now) => times.find((time) => Date.parse(time) > now);

function nextText({ schedule, off, paused, queued, nextRuns }, now) {
    if (!schedule || off) return "";
    if (paused) return "paused";
    if (queued) return "waits for the job before it to end";
    const next = nextAfter(nextRuns, now);
    if (!next) return "";
    const left = Date.parse(next) - now;
    return "next " + when(next, now) + (left < DAY_MS ? ", in " + duration(left, true) : "");
}

function thenText({ schedule, off, paused, queued, nextRuns }, now) {
    const times = nextRuns.filter((time) => Date.parse(time) > now).slice(1);
    if (!schedule || off || paused || queued || !times.length) return "";
    return "then " + times.map((time) => when(time, now)).join(" · ");
}

// What became of a time for which there was no job, or a late one, in the server's words.
function saidText(system, id, now) {
    const said = system.findLast(({ event, subject }) => SAID.has(event) && subject === id);
    if (!said || now - Date.parse(said.ts) > DAY_MS) return "";
    return when(said.ts, now) + " · " + said.message.replace(TIME, (time) => when(time, now));
}
