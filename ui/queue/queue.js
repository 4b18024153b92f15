// queue/queue.js: <tailrace-queue>, the tree of jobs, steps and lines.
//
// render() paints the reducer's state into elements that stay: one card per job, one item per
// step, found again by their ids and changed only where something changed. What is open follows
// from the state (what runs is open, and the newest job) unless the reader chose otherwise.
//
//     events  follow, unfollow  {detail: {job_id}}   the card opened, closed
//             cancel            {detail: {job_id, job_name}}
//             again             {detail: {job_id}}
//             notice            {detail: {text}}   of a log
//
// `lines(jobId, stepId, after, limit)` is set by the page: a promise of lines of a step.

import { childrenSet, make, textSet } from "../dom.js";
import { count } from "../format.js";
import "../log/log.js";
import { isFinal, jobState } from "../reducer.js";
import { placesOf } from "../places.js";
import { Card } from "./card.js";
import { grouped, isWanted } from "./filter.js";

const OPEN_BY_THEMSELVES = 8; // running jobs; a reader may open more
const MANY = 100; // cards: of more, those that are far from what is in sight are not made
const FIRST = 30; // are made in any case
const NEAR = "1500px";
const HEADS = "main :is(.disclosure, .tree-step-header:enabled, .older-name)"; // what keys go through

export class TailraceQueue extends HTMLElement {
    filter = {}; // of filter.js
    ids = []; // of the cards, in their order; another array when they are others
    #cards = new Map();
    #groups = new Map(); // status → its heading
    #far = new IntersectionObserver((seen) => this.#came(seen), { rootMargin: NEAR + " 0px" });
    #near = new Set(); // ids of cards that have come near
    #choices = new Map(); // job or step id → open or not, as the reader chose
    #pointer = null;
    #held = null; // {el, top}
    #high = 0; // of the page
    #at = 0; // scrollY, both as they were seen last

    connectedCallback() {
        this.setAttribute("role", "list");
        this.setAttribute("aria-label", "Jobs, newest first");
        const point = (e) => {
            this.#pointer = e.type === "pointermove" ? [e.clientX, e.clientY] : null;
            this.#hold();
        };
        this.addEventListener("pointermove", point);
        this.addEventListener("pointerleave", point);
        addEventListener("scroll", () => this.#scrolled(), { passive: true });
        new ResizeObserver(() => this.#keep()).observe(this);
        this.addEventListener("lognotice", (e) => this.tell("notice", e.detail));
        this.addEventListener("loglines", () => this.tell("changed", {}));
    }

    // state: the reducer's. now: ms. idle: the server cannot be asked for anything now.
    render(state, now, idle) {
        if (!state.list) return;
        this.#place(this.#listed(state), state);
        const places = placesOf(state.list);
        let running = 0;
        this.ids.forEach((id, i) => {
            const card = this.#cards.get(id);
            const job = jobState(state, id);
            if (!card.isMade && i >= FIRST && this.ids.length > MANY && !this.#near.has(id))
                return card.name(job.job_name);
            this.#make(card);
            const byItself = (!isFinal(job.status) && running++ < OPEN_BY_THEMSELVES) || i === 0;
            card.open(this.#choices.get(id) ?? (byItself || card.touched()));
            if (card.isDue(job, now, idle, this.ids.length > MANY))
                card.render(job, id in state.trees, now, idle, this.#choices, places[id]);
        });
        this.#keep();
    }

    choose(id, open) {
        this.#choices.set(id, open);
    }

    // Nothing is held in place until the pointer moves again.
    free() {
        this.#pointer = this.#held = null;
    }

    // Jobs that the reader has open stay, however old.
    #listed(state) {
        const { jobs } = state.list;
        const order = state.list.order.filter((id) => isWanted(jobs[id], this.filter));
        const kept = Object.keys(state.trees).filter((id) => !jobs[id] && this.#choices.get(id));
        return kept.length ? [...order, ...kept.sort().reverse()] : order;
    }

    // Puts cards, and headings if they are wanted, into their order.
    #place(listed, state) {
        const groups = this.filter.group
            ? grouped(listed, (id) => jobState(state, id).status)
            : [["", listed]];
        const ids = groups.flatMap(([, members]) => members);
        for (const [status, members] of groups) if (status) this.#heading(status, members.length);
        const isSame = ids.length === this.ids.length && ids.every((id, i) => id === this.ids[i]);
        const headings = groups.map(([status]) => status).join();
        if (isSame && headings === this.dataset.groups) return;
        const cards = (members) => members.map((id) => this.#card(id).el);
        childrenSet(
            this,
            groups.flatMap(([status, members]) =>
                status ? [this.#groups.get(status), ...cards(members)] : cards(members),
            ),
        );
        this.#forget(new Set(ids));
        this.ids = ids;
        this.dataset.groups = headings;
    }

    #heading(status, size) {
        if (!this.#groups.has(status)) {
            const el = make("div", "group", { role: "listitem", "data-status": status });
            this.#groups.set(status, el);
        }
        textSet(this.#groups.get(status), status + " · " + count(size));
    }

    #card(id) {
        if (!this.#cards.has(id)) {
            this.#cards.set(id, new Card(this, id));
            this.#far.observe(this.#cards.get(id).el);
        }
        return this.#cards.get(id);
    }

    #make(card) {
        if (card.isMade) return;
        this.#far.unobserve(card.el);
        card.make();
    }

    #came(seen) {
        for (const { isIntersecting, target } of seen) if (isIntersecting) this.#near.add(target.dataset.jobId);
        this.tell("changed", {});
    }

    #forget(listed) {
        for (const [id, card] of this.#cards) {
            if (listed.has(id)) continue;
            if (card.isMade) card.open(false);
            this.#far.unobserve(card.el);
            this.#near.delete(id);
            this.#cards.delete(id);
        }
    }

    // What is under the pointer stays there, whatever comes and grows above it; without one, and
    // somewhere down the page, what is at its top. The browser's own way holds what may just close.
    #hold() {
        const at = this.#pointer || (scrollY > 0 && [innerWidth / 2, 80]);
        const under = at && document.elementFromPoint(...at);
        const el = under && under.closest(".tree-step, .card");
        this.#held = el && this.contains(el) ? { el, top: el.getBoundingClientRect().top } : null;
        this.#at = scrollY;
    }

    // By whoever reads, or because the page became shorter than it was scrolled down?
    #scrolled() {
        const high = document.documentElement.scrollHeight;
        const isCut = high < this.#high && scrollY < this.#at;
        if (scrollY !== this.#at && !isCut) this.#hold();
        this.#high = high;
    }

    #keep() {
        if (!this.#held) return;
        this.#scrolled(); // its event may be still to come
        const { el, top } = this.#held || {};
        if (!el || !el.isConnected) return;
        scrollBy(0, el.getBoundingClientRect().top - top);
        this.#at = scrollY;
    }

    tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    toggle(id, open) {
        this.choose(id, open);
        this.free(); // the reader's own doing
        this.tell("changed", {});
    }

    logMake(jobId, stepId) {
        const log = make("tailrace-log", "");
        const fetchPage = (after, limit) => this.lines(jobId, stepId, after, limit);
        log.compact = true;
        log.open({ jobId, stepId, fetchPage });
        return log;
    }

    // Does what a key stands for; false when it is not for the queue now.
    key(key) {
        this.#makeBeside(document.activeElement.closest(".card"));
        const heads = [...document.querySelectorAll(HEADS)].filter((el) => el.checkVisibility());
        const at = heads.indexOf(document.activeElement);
        const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[key];
        const isIn = at >= 0 || this.contains(document.activeElement);
        if (!isIn && key !== "j") return false;
        if (step && heads[at + step]) heads[at + step].focus();
        else if (key === "ArrowRight" || key === "ArrowLeft")
            this.#fold(heads[at], key === "ArrowRight");
        else if (key === "x") this.#cancelFocused();
        else return false;
        return true;
    }

    // The cards before and after one can be gone to.
    #makeBeside(card) {
        for (const side of ["previousElementSibling", "nextElementSibling"]) {
            let beside = card?.[side];
            while (beside && !this.#cards.has(beside.dataset.jobId)) beside = beside[side];
            if (beside) this.#make(this.#cards.get(beside.dataset.jobId));
        }
        this.tell("changed", {});
    }

    #fold(head, open) {
        const now = head && head.getAttribute("aria-expanded");
        if (now && (now === "true") !== open) head.click();
    }

    #cancelFocused() {
        const card = document.activeElement.closest(".card");
        const button = card && card.querySelector(".cancel");
        if (button && !button.hidden) button.click();
    }
}

customElements.define("tailrace-queue", TailraceQueue);
