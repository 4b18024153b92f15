// pages/documents.js: what crawls kept: a list that is searched and narrowed in the address, and
// the text of one. New ones are announced, and come in when the reader wants them.

import { api } from "../api.js";
import { start } from "../app.js";
import { markdownShow } from "../documents/markdown.js";
import { count, plural, when } from "../format.js";
import { keysAdd } from "../keys.js";
import { Question } from "../question.js";
import { onPaint, paintSoon } from "../state.js";

const PAGE = 50;
const TYPING_MS = 250;
const FRESH_MS = 300; // between news and the question how many
const at = (name) => document.querySelector(name);
const idOf = () => decodeURIComponent(location.pathname.split("/")[2] || "");
const SAFE = /^https?:/i;

let page = null;
let looked = {}; // what the list of jobs told last
let counting = null;

const all = new Question(() => page.ask(0, true), {
    answered: (answer) => page.listSet(answer),
    failed: ({ message }) => (page.listError = message),
});
const further = new Question((offset) => page.ask(offset, false), {
    answered: ({ documents }) => page.listAdd(documents),
    failed: ({ message }) => (page.listError = message),
});
const newer = new Question(() => page.ask(0, false, 1), {
    answered: ({ total_count: total }) => (page.fresh = Math.max(0, total - page.total)),
});
const one = new Question((id) => api("/documents/" + encodeURIComponent(id)), {
    answered: (document) => page.oneSet(document),
    failed: ({ message }) => Object.assign(page, { shown: false, oneError: message }),
});

start(() => ({
    q: "",
    host: "",
    job: "",
    list: [],
    total: 0,
    hosts: [],
    jobs: [],
    known: false,
    listError: "",
    oneError: "",
    shown: false,
    raw: false,
    save: "",
    fileName: "",
    document: { title: "", url: "", facts: "", job: "", markdown: "" },
    fresh: 0, // documents that came since

    init() {
        page = this;
        addEventListener("popstate", () => this.route());
        onPaint((state) => this.look(state.list));
        this.keysAll();
        this.route();
    },

    route() {
        const query = new URLSearchParams(location.search);
        this.q = query.get("q") || "";
        this.host = query.get("host") || "";
        this.job = query.get("job") || "";
        this.load();
        this.show();
    },

    keysAll() {
        const links = () => [...document.querySelectorAll("a.document")];
        const move = (by) => {
            const i = links().indexOf(document.activeElement);
            links()[i < 0 ? 0 : Math.max(0, i + by)]?.focus();
        };
        keysAdd("Documents", [
            { keys: ["j", "k"], about: "next, previous document", run: (key) => move(key === "j" ? 1 : -1) },
            { keys: ["/"], about: "search", run: () => at("#search").focus() },
            { keys: ["Escape"], about: "back to the list", run: () => (this.shown ? this.close() : false) },
        ]);
    },

    /* ---- the list ---- */

    query() {
        const query = { q: this.q.trim(), host: this.host, job: this.job };
        return Object.fromEntries(Object.entries(query).filter(([, value]) => value));
    },

    async ask(offset, facets, limit = PAGE) {
        const { job, ...rest } = this.query();
        const query = { ...rest, ...(job && { job_id: job }), limit, offset, ...(facets && { facets }) };
        return api("/documents?" + new URLSearchParams(query));
    },

    load() {
        further.drop();
        all.ask();
    },

    listSet({ documents, total_count: total, facets }) {
        this.list = documents.map((d) => this.itemOf(d));
        this.total = total;
        this.facetsSet(facets);
        this.listError = "";
        this.known = true;
        this.fresh = 0;
        newer.drop();
        looked = {};
        paintSoon();
    },

    loadMore() {
        further.ask(this.list.length);
    },

    listAdd(documents) {
        const known = new Set(this.list.map((d) => d.id));
        this.list.push(...documents.filter((d) => !known.has(d.id)).map((d) => this.itemOf(d)));
        this.listError = "";
    },

    facetsSet({ hosts, jobs }) {
        const text = (name, n) => name + " (" + count(n) + ")";
        this.hosts = hosts.map((f) => ({ ...f, text: text(f.host, f.count), chosen: f.host === this.host }));
        this.jobs = jobs.map((f) => ({ ...f, text: text(f.job_name || f.job_id, f.count), chosen: f.job_id === this.job }));
    },

    itemOf(d) {
        const { words = 0, bytes = 0 } = d.metadata || {};
        const size = words ? plural(words, "word") : plural(bytes, "byte");
        return {
            id: d.id,
            title: d.title || d.url,
            url: d.url,
            link: "/documents/" + d.id,
            facts: [size, when(d.created_at, Date.now())].join(" · "),
            current: d.id === idOf() ? "page" : null,
        };
    },

    // Documents that came since: told, not put in, so that no row moves under the reader. When the
    // list of jobs tells of some, or of other jobs, the server is asked how many there are now.
    look(list) {
        if (!list || !this.known) return;
        const told = Object.values(list.jobs).reduce(
            (sum, job) => sum + job.steps.reduce((n, step) => n + step.documents, 0), 0);
        if (told === looked.told && list.order === looked.order) return;
        looked = { told, order: list.order };
        counting ??= setTimeout(() => ((counting = null), newer.want()), FRESH_MS);
    },

    refresh() {
        this.load();
        scrollTo({ top: 0 });
    },

    get error() {
        return this.listError || this.oneError;
    },

    get freshText() {
        return "+" + count(this.fresh) + " new";
    },

    get found() {
        return this.known ? plural(this.total, "document") : "";
    },

    get empty() {
        return this.known && !this.list.length && !this.shown;
    },

    get narrowed() {
        return Boolean(this.q || this.host || this.job);
    },

    get emptyTitle() {
        return this.narrowed ? "Nothing found" : "No documents yet";
    },

    get emptyText() {
        return this.narrowed ? "No document has all these words." : "What a crawler step keeps appears here: run one.";
    },

    get more() {
        return this.list.length > 0 && this.list.length < this.total;
    },

    get moreText() {
        return "Show more of " + count(this.total - this.list.length);
    },

    /* ---- narrowing ---- */

    typed() {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.search(), TYPING_MS);
    },

    search() {
        clearTimeout(this.typing);
        history.replaceState(null, "", this.address(location.pathname));
        this.load();
    },

    chooseHost(host) {
        this.host = host;
        this.search();
    },

    chooseJob(job) {
        this.job = job;
        this.search();
    },

    address(path) {
        const query = String(new URLSearchParams(this.query()));
        return path + (query && "?" + query);
    },

    /* ---- one document ---- */

    open(id) {
        history.pushState(null, "", this.address("/documents/" + id));
        this.show();
    },

    close() {
        history.pushState(null, "", this.address("/documents"));
        this.show();
        this.mark();
    },

    get openClass() {
        return this.shown ? "open" : "";
    },

    mark() {
        for (const d of this.list) d.current = d.id === idOf() ? "page" : null;
    },

    // The document that the address says, or none.
    show() {
        const id = idOf();
        this.oneError = "";
        if (id) return one.ask(id);
        one.drop();
        this.shown = false;
    },

    oneSet(d) {
        const { facts, title } = this.itemOf(d);
        const url = SAFE.test(d.url) ? d.url : "";
        this.document = { title, url, facts, job: "/jobs/" + d.job_id, markdown: d.markdown || "" };
        this.fileName = (title.replace(/[^\w.-]+/g, "-").slice(0, 60) || "document") + ".md";
        URL.revokeObjectURL(this.save);
        this.save = URL.createObjectURL(new Blob([this.document.markdown], { type: "text/markdown" }));
        this.shown = true;
        this.oneError = "";
        this.mark();
        this.paint();
    },

    toggleRaw() {
        this.raw = !this.raw;
        this.paint();
    },

    paint() {
        const el = at(".markdown");
        if (!this.raw) return markdownShow(el, this.document.markdown, this.document.url);
        const pre = document.createElement("pre");
        pre.tabIndex = 0;
        pre.textContent = this.document.markdown;
        el.replaceChildren(pre);
    },
}));
