// shell.js: what surrounds every page: header, connection badge, run menu, dialogs and messages.
// It is Alpine's component of <body>; a page is one of its own inside (pages/).

import { api, post } from "./api.js";
import { duration, hms, plural, sentence } from "./format.js";
import { keyGroups, keysAdd } from "./keys.js";
import { Question } from "./question.js";
import { JOBS, SYSTEM } from "./reducer.js";
import { idle, live, onLive, onPaint, paintSoon, state } from "./state.js";

const PROBE_FIRST_MS = 1500;
const PROBE_MS = 20000; // how often the round trip is measured
const TOAST_MS = 8000;
const KEY_NAMES = { ArrowLeft: "←", ArrowRight: "→", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc" };
const THEMES = ["auto", "light", "dark"];

export let shell = null; // Alpine's view of the component below, for the pages

// [[name, {default, description, type, …}]], of an object by name or of an array of named ones.
function parametersOf({ parameters }) {
    if (Array.isArray(parameters)) return parameters.map((p) => [p.name, p]);
    return Object.entries(parameters || {});
}

// What the run form has for a parameter.
const fieldOf = ([name, p]) => ({
    name,
    input: "parameter-" + name,
    about: p.description || "",
    value: p.default ?? "",
    required: p.required ?? p.default === null,
    type: p.type === "integer" ? "number" : "text",
    minimum: p.minimum ?? null,
    maximum: p.maximum ?? null,
    choices: p.choices || (p.type === "boolean" ? ["true", "false"] : null),
});

// What there is to say of who is next, of a definition whose jobs may have to wait for each other.
function turnText({ pool, max_running: most }) {
    const what = pool ? "It takes a place of pool " + pool + ": of" : most ? "At most " + plural(most, "job") + " of it at once: of" : "Of";
    return what + " jobs that wait, the highest begins first.";
}

// A file that is loaded when it is wanted: the page's head says where it is.
const linked = (name) => document.querySelector(`link[rel=tailrace-${name}]`).href;

// What the reader chose of how pages look, "" for what is usual; theme.js has it again.
function chosenSet(name, value) {
    if (value) document.documentElement.dataset[name] = value;
    else delete document.documentElement.dataset[name];
    try {
        localStorage.setItem("tailrace-" + name, value);
    } catch {
        // storage is switched off: the choice lasts as long as the page
    }
}

/* ---- the badge ---- */

const BADGES = {
    starting: () => ["connecting", ""],
    connecting: () => ["connecting", "Connecting …"],
    live: (s, latency) => ["live", latency === null ? "Live" : "Live " + latency + " ms"],
    catching: (s) => ["catching", "Catching up: " + plural(s.behind, "event")],
    restarted: () => ["restarted", "Server restarted"],
    offline: () => ["offline", "Offline"],
    stopped: () => ["offline", "Disconnected"],
};

function stripText(status, now) {
    if (status.state === "stopped") return status.reason;
    if (status.state !== "offline") return "";
    const since = "Offline since " + hms(new Date(status.since));
    if (status.retryAt === null) return since + ", trying now …";
    return since + ", next try in " + Math.max(0, Math.ceil((status.retryAt - now) / 1000)) + " s";
}

/* ---- the shell ---- */

let diskSaid = null; // the newest event about it
const SLOW_US = 1e6; // until what was written can be seen

const disk = new Question(() => api("/status"), {
    answered: ({ space, trouble, lag }) => {
        shell.space = sentence(space.message);
        shell.trouble = sentence(trouble) || slowText(lag);
    },
});

function slowText({ p99_commit_us: us }) {
    return us < SLOW_US ? "" : "The disk is slow: it takes up to " + duration(us / 1000) + " until what a job says is seen";
}

export const shellMake = () => ({
    badge: { shape: "connecting", text: "" },
    spoken: "",
    strip: "",
    canRetry: false,
    idle: true,
    newer: "",
    space: "", // what is said of the disk when it is nearly full
    trouble: "", // and when nothing can be written to it, or slowly
    status: live.status,
    server: "",
    latency: null,
    theme: document.documentElement.dataset.theme || "auto",
    menu: false,
    definitions: [],
    definitionsKnown: false,
    definitionsError: "",
    form: { id: "", name: "", description: "", fields: [], priority: 0, turn: "", error: "", busy: false },
    ask: { id: "", name: "", error: "", busy: false },
    toasts: [],
    help: [],
    iconName: "",

    init() {
        shell = this;
        onLive("status", (status) => this.connection(status));
        onLive("refused", (topic, sentence) => this.toast(sentence));
        addEventListener("online", () => live.retry());
        document.addEventListener("visibilitychange", () => !document.hidden && this.seen());
        this.keysAll();
        addEventListener("keydown", (e) => {
            if (!(e.ctrlKey || e.metaKey) || e.key !== "k" || e.altKey || e.shiftKey) return;
            e.preventDefault();
            this.openPalette();
        });
        onPaint((state) => {
            this.icon(state.list);
            this.diskFollow(state.system);
        });
        setInterval(() => this.tick(), 1000);
        setInterval(() => this.probe(), PROBE_MS);
        live.open(JOBS);
        live.start();
    },

    seen() {
        live.retry();
        this.probe();
        paintSoon();
    },

    tick() {
        this.strip = stripText(this.status, Date.now());
        if (!document.hidden) paintSoon();
    },

    connection(status) {
        const wasIdle = this.idle;
        this.status = status;
        this.idle = idle;
        this.canRetry = status.state === "offline";
        if (this.idle) this.latency = null;
        if (status.server && !this.server) this.server = status.server;
        this.newer = status.server && status.server !== this.server ? status.server : "";
        this.strip = stripText(status, Date.now());
        this.showBadge();
        if (wasIdle && !idle) setTimeout(() => this.rest(), PROBE_FIRST_MS); // lines come first
        document.documentElement.classList.toggle("offline", Boolean(this.strip));
    },

    // What is not wanted at once; a part that is here stays when the server does not.
    rest() {
        this.probe();
        live.open(SYSTEM);
        import(linked("palette")).catch(() => {}); // it is loaded again when it is wanted
    },

    // The topic has the newest events only: what came before is what the server says of itself.
    diskFollow(system) {
        const said = system.findLast(({ event }) => event.startsWith("space_") || event === "store_recovered");
        if (!said || said === diskSaid) return;
        diskSaid = said;
        if (said.event !== "store_recovered") this.space = said.event === "space_low" ? sentence(said.message) : "";
        disk.want(); // what is being answered may be of before
    },

    get diskText() {
        return [this.trouble, this.space].filter(Boolean).join(" · ");
    },

    // The icon of the tab: is the page cut off, did the newest job fail, does anything run?
    icon(list) {
        const newest = list && list.jobs[list.order[0]];
        let name = "";
        if (this.strip) name = "offline";
        else if (list && list.stats.running_jobs) name = "running";
        else if (newest && newest.status === "failed") name = "failed";
        if (name === this.iconName) return;
        this.iconName = name;
        document.querySelector("link[rel=icon]").href = name ? linked("icon-" + name) : "/favicon.svg";
    },

    showBadge() {
        const [shape, text] = BADGES[this.status.state](this.status, this.latency);
        // by itself: what is said again is spoken again
        this.spoken =
            this.status.state === "live"
                ? "Live"
                : this.status.state === "catching"
                  ? "Catching up"
                  : text;
        this.badge = { shape, text, href: "#b-" + shape };
    },

    // The round trip to the server, the median of three; and how its disk is.
    async probe() {
        if (document.hidden || this.idle) return;
        disk.want();
        const times = [];
        try {
            for (let i = 0; i < 3; i++) {
                const began = performance.now();
                await fetch("/api/health", { cache: "no-store" });
                times.push(performance.now() - began);
            }
        } catch {
            return; // the socket's own state says what is wrong
        }
        if (this.idle) return;
        this.latency = Math.max(1, Math.round(times.sort((a, b) => a - b)[1]));
        this.showBadge();
    },

    retry() {
        live.retry();
    },

    reload() {
        location.reload();
    },

    nextTheme() {
        this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
        chosenSet("theme", this.theme === "auto" ? "" : this.theme);
    },

    nextDensity() {
        chosenSet("density", document.documentElement.dataset.density ? "" : "compact");
    },

    get themeHref() {
        return "#t-" + this.theme;
    },

    get themeLabel() {
        return "Theme: " + this.theme;
    },

    /* ---- run ---- */

    async loadDefinitions() {
        try {
            const answer = await api("/job-definitions");
            this.definitions = answer.job_definitions.map((d) => ({
                ...d,
                button: d.id + "-run",
                off: d.enabled === false,
                about: d.enabled === false ? "Disabled" : d.description || "",
            }));
            this.definitionsError = "";
            this.definitionsKnown = true;
        } catch (error) {
            this.definitionsError = error.message;
        }
    },

    openMenu() {
        this.menu = true;
        this.$nextTick(() => this.focusMenu());
        this.loadDefinitions().then(() => this.$nextTick(() => this.focusMenu()));
    },

    // The first definition, once there is one, unless the reader has already gone to another.
    focusMenu() {
        const { menu } = this.$refs;
        if (this.menu && !menu.contains(document.activeElement))
            menu.querySelector("button:not(:disabled)")?.focus();
    },

    toggleMenu() {
        if (this.menu) this.closeMenu();
        else this.openMenu();
    },

    closeMenu() {
        if (!this.menu) return;
        this.menu = false;
        this.$refs.run.focus();
    },

    leaveMenu() {
        this.menu = false;
    },

    menuKey(e) {
        const items = [...this.$refs.menu.querySelectorAll("button:not(:disabled)")];
        const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
        if (step) {
            e.preventDefault();
            items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
        }
    },

    // wants: the reader wants to see what can be chosen.
    choose(definition, wants) {
        this.menu = false;
        const fields = parametersOf(definition).map(fieldOf);
        this.form = {
            id: definition.id,
            name: definition.name,
            description: definition.description || "",
            fields,
            priority: definition.priority,
            turn: turnText(definition),
            error: "",
            busy: false,
        };
        // Shown once the fields are there, so that the first one has the focus; and always when
        // there may be something to choose.
        if (fields.length || definition.pool || definition.max_running || definition.priority || wants) this.$nextTick(() => this.$refs.form.showModal());
        else this.run();
    },

    async run() {
        const { form } = this; // before the answer the reader may open another one
        form.busy = true;
        this.$dispatch("jobasked"); // a list of jobs gives way to the new one
        const parameters = Object.fromEntries(form.fields.map((f) => [f.name, f.value]));
        try {
            const { job_id: jobId } = await post(
                "/job-definitions/" + encodeURIComponent(form.id) + "/execute",
                { parameters, priority: Number(form.priority) },
            );
            if (form === this.form) this.$refs.form.close();
            if (document.body.dataset.page === "job") location.assign("/jobs/" + jobId);
            scrollTo({ top: 0 });
        } catch (error) {
            if (form === this.form && this.$refs.form.open) form.error = error.message;
            else this.toast(error.message);
        }
        form.busy = false;
    },

    closeForm() {
        this.$refs.form.close();
    },

    // What opened the form, an item of the menu, is not there any more to have the focus again.
    leaveForm() {
        this.$refs.run.focus();
    },

    /* ---- cancel ---- */

    askCancel(job) {
        this.ask = { id: job.job_id, name: job.job_name, error: "", busy: false };
        this.$refs.ask.showModal();
    },

    async cancel() {
        const { ask } = this;
        ask.busy = true;
        try {
            await post("/jobs/" + ask.id + "/cancel");
            if (ask === this.ask) this.$refs.ask.close();
        } catch (error) {
            if (ask === this.ask && this.$refs.ask.open) ask.error = error.message;
            else this.toast(error.message);
        }
        ask.busy = false;
    },

    closeAsk() {
        this.$refs.ask.close();
    },

    /* ---- small things ---- */

    keysAll() {
        keysAdd("Everywhere", [
            { keys: ["r"], about: "run a definition", run: () => !this.idle && this.openMenu() },
            { keys: ["?"], about: "this help", run: () => this.openHelp() },
            { keys: ["Ctrl+K"], about: "do or open anything", run: () => this.openPalette() },
            { keys: ["."], about: "rows closer together, or as usual", run: () => this.nextDensity() },
            { keys: ["Escape"], about: "close what is open", run: () => (this.menu ? this.closeMenu() : false) },
        ]);
    },

    // What has the keys, what can be opened and run, by a few letters.
    async openPalette() {
        const loading = import(linked("palette")).catch(() => ({}));
        const [{ paletteOpen }] = await Promise.all([loading, this.idle || this.loadDefinitions()]);
        if (!paletteOpen) return this.toast("This part of the page could not be loaded: the server cannot be reached.");
        const go = (text, href, hint = "page") => ({ text, hint, run: () => location.assign(href) });
        const jobs = state.list ? state.list.order.slice(0, 20).map((id) => state.list.jobs[id]) : [];
        const keys = keyGroups().flatMap((group) => group.keys.filter((key) => key.keys.length === 1));
        paletteOpen({
            entries: [
                go("Queue", "/queue"),
                go("Definitions", "/definitions"),
                go("Documents", "/documents"),
                ...this.definitions.filter((d) => !d.off).map((d) => ({ text: "Run " + d.name, hint: d.id, run: () => this.choose(d) })),
                ...jobs.map((job) => go(job.job_name, "/jobs/" + job.job_id, job.status)),
                ...keys.map(({ keys: [key], about, run }) => ({ text: about, hint: KEY_NAMES[key] || key, run: () => run(key, { target: document.body }) })),
            ],
            find: async (word) => {
                const answer = await api("/jobs?" + new URLSearchParams({ q: word, limit: 8 }));
                return answer.jobs.map((job) => go(job.name, "/jobs/" + job.id, job.status));
            },
        });
    },

    openHelp() {
        const name = (key) => KEY_NAMES[key] || key;
        this.help = keyGroups().map(({ title, keys }) => ({
            title,
            keys: keys.map(({ keys: names, about }) => ({ about, names: names.map(name) })),
        }));
        this.$nextTick(() => this.$refs.help.showModal());
    },

    closeHelp() {
        this.$refs.help.close();
    },

    toast(text) {
        const id = Date.now() + Math.random();
        this.toasts.push({ id, text });
        setTimeout(() => this.dismiss(id), TOAST_MS);
    },

    dismiss(id) {
        this.toasts = this.toasts.filter((toast) => toast.id !== id);
    },
});
