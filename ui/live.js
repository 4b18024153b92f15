// live.js: the connection. One WebSocket carries all topics of the page; a topic is a cursor
// (cursor.js), so that events come out exactly once and in order, whatever the network does.
//
// Works in the page and in node: WebSocket class, timers and clock are handed in.

import { Cursor } from "./cursor.js";

export const PROTOCOL = "tailrace.v1";

const ACK_BYTES = 256 * 1024; // the server waits when 1 MiB is not acknowledged
const CONNECT_MS = 10000; // an attempt without an answer is given up
const SHOW_CONNECTING_MS = 400; // a quick connect is not worth a word
const RESTARTED_MS = 6000; // how long a restart of the server is told
const RETRY_FIRST_MS = 1000;
const RETRY_MOST_MS = 30000;
const DEAD_FACTOR = 2.5; // silence, in heartbeats, after which a connection counts as dead
const FAR_EVENTS = 50000; // behind: the newest state is asked for instead
const BURST = 8; // frames sent at once; then one each SEND_MS: the server takes 20 a second
const SEND_MS = 100;
const AGAIN_MS = 5000; // what the server could not open now is asked for again

// options: url          address of the socket, or a function that returns it
//          message(m)   {type: "snapshot"|"events", topic, …} for the reducer; applied on return
//          status(s)    the connection's state changed (see `status`)
//          complete(topic, lines) → bool   do the lines applied match the totals of `end`
//          refused(topic, sentence)        the topic is unknown, or cannot be opened now
//          WebSocket, setTimeout, clearTimeout, now, random   for tests
export class Live {
    #o;
    #ws = null;
    #topics = new Map();
    #timers = {};
    #outbox = [];
    #acks = new Map();
    #tokens = BURST;
    #unacked = 0;
    #tries = 0;
    #hello = null; // the newest status payload of the server
    #pingMs = 20000;
    #stopped = true;

    constructor(options) {
        this.#o = {
            WebSocket: globalThis.WebSocket,
            setTimeout: globalThis.setTimeout.bind(globalThis),
            clearTimeout: globalThis.clearTimeout.bind(globalThis),
            now: Date.now,
            random: Math.random,
            status() {},
            refused() {},
            complete: () => true,
            ...options,
        };
        // state: starting, connecting, live, catching, restarted, offline, stopped
        this.status = {
            state: "starting",
            since: null,
            retryAt: null,
            behind: 0,
            reason: "",
            server: "",
        };
    }

    start() {
        this.#stopped = false;
        this.#timer("connecting", SHOW_CONNECTING_MS, () => {
            if (this.status.state === "starting") this.#set({ state: "connecting" });
        });
        this.#connect();
    }

    stop() {
        this.#stopped = true;
        for (const name of Object.keys(this.#timers)) this.#clear(name);
        const ws = this.#ws;
        this.#ws = null;
        if (ws) ws.close(1000);
    }

    // Try to connect now; nothing when there is a connection.
    retry() {
        if (this.#stopped || this.#ws) return;
        this.#clear("retry");
        this.#connect();
    }

    // Subscribes to a topic: its state now, then what follows; or what follows on a cursor.
    open(topic, from = null) {
        if (this.#topics.has(topic)) return;
        const t = {
            topic,
            cursor: new Cursor(from),
            caught: false,
            behind: 0,
            acked: 0,
        };
        this.#topics.set(topic, t);
        if (this.#ready()) this.#subscribe(t);
    }

    close(topic) {
        if (!this.#topics.delete(topic)) return;
        this.#acks.delete(topic);
        if (this.#ready()) this.#send({ op: "unsub", topic });
        this.#settle();
    }

    // Another topic in place of one, from its newest state on.
    reopen(topic, other) {
        this.close(topic);
        this.open(other);
    }

    // Another topic in place of one, from where that one is: both are of the same log.
    move(topic, other) {
        const from = this.#topics.get(topic);
        this.close(topic);
        this.open(other, from && from.cursor);
    }

    // The name of the server's history; "" before it said so.
    get epoch() {
        return this.#hello ? this.#hello.epoch : "";
    }

    // The cursor of a topic as text, or null before its first snapshot.
    cursor(topic) {
        const t = this.#topics.get(topic);
        return t && t.cursor.seq !== null ? String(t.cursor) : null;
    }

    /* ---- the socket ---- */

    #ready() {
        return this.#ws !== null && this.#ws.readyState === 1;
    }

    #connect() {
        const { WebSocket, url } = this.#o;
        const ws = new WebSocket(typeof url === "function" ? url() : url, [PROTOCOL]);
        this.#ws = ws;
        if (this.status.state === "offline") this.#set({ retryAt: null });
        this.#timer("life", CONNECT_MS, () => this.#lost(ws, { code: 1006 }));
        ws.onopen = () => this.#opened(ws);
        ws.onmessage = (event) => ws === this.#ws && this.#received(event.data);
        ws.onclose = (event) => this.#lost(ws, event);
        ws.onerror = () => {}; // a close follows
    }

    #opened(ws) {
        if (ws !== this.#ws) return;
        this.#outbox = [];
        this.#acks.clear();
        this.#unacked = 0;
        this.#tokens = BURST;
        this.#alive();
        for (const t of this.#topics.values()) {
            t.caught = t.cursor.ended;
            t.cursor.asked = false;
            if (!t.cursor.ended) this.#subscribe(t);
        }
    }

    #lost(ws, event) {
        if (ws !== this.#ws) return;
        this.#ws = null;
        this.#clear("life");
        this.#clear("send");
        this.#clear("restarted");
        ws.onmessage = null;
        if (ws.readyState < 2) ws.close();
        if (this.#stopped) return;
        if (event.code >= 4500 && event.code <= 4999) {
            this.#stopped = true;
            this.#set({ state: "stopped", reason: stopReason(event), retryAt: null, behind: 0 });
            return;
        }
        const most = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** this.#tries);
        this.#tries += 1;
        const told = this.#tries === 1 ? waitTold(event) : null;
        const wait = told ?? Math.round(this.#o.random() * most);
        const now = this.#o.now();
        const since = this.status.state === "offline" ? this.status.since : now;
        this.#set({ state: "offline", since, retryAt: now + wait, behind: 0 });
        this.#timer("retry", wait, () => this.#connect());
    }

    // Anything received counts as life. The server breaks a silence every ping_s seconds.
    #alive() {
        const ws = this.#ws;
        this.#timer("life", DEAD_FACTOR * this.#pingMs, () => this.#lost(ws, { code: 1006 }));
    }

    #received(text) {
        this.#alive();
        let frame;
        try {
            frame = JSON.parse(text);
        } catch {
            this.#lost(this.#ws, { code: 1006 });
            return;
        }
        if (frame.type === "status") this.#greeted(frame.payload);
        else this.#routed(frame);
        this.#account(text.length);
    }

    #greeted(hello) {
        const before = this.#hello;
        this.#hello = hello;
        this.#pingMs = (hello.ping_s || 20) * 1000;
        this.#alive();
        if (before && before.epoch !== hello.epoch) this.#rewritten();
        this.#set({ server: hello.server, retryAt: null });
        if (before && before.instance !== hello.instance) {
            this.#set({ state: "restarted", since: this.#o.now() });
            this.#timer("restarted", RESTARTED_MS, () => {
                this.#clear("restarted");
                this.#settle();
            });
        }
        this.#settle();
    }

    // History was rewritten (a restored backup): what had ended may have changed too.
    #rewritten() {
        for (const t of this.#topics.values()) {
            if (!t.cursor.ended) continue;
            t.cursor.forget();
            this.#subscribe(t);
        }
    }

    /* ---- topics ---- */

    #subscribe(t) {
        t.caught = false;
        this.#send({ op: "sub", topic: t.topic, ...t.cursor.request() });
    }

    #routed(frame) {
        const t = this.#topics.get(frame.topic);
        if (frame.type === "error") this.#failed(t, frame);
        if (!t) return; // closed while the frame was on its way
        this.#moved(t, t.cursor.take(frame, this.#page(t)), frame);
        if (frame.type === "subscribed") {
            t.behind = Math.max(0, frame.head - frame.from);
            this.#leap(t);
        } else if (frame.type === "caught_up") {
            t.caught = true;
            t.behind = 0;
            this.#tries = 0;
        } else if (frame.type === "lag") {
            t.caught = false;
            t.behind = frame.events;
            this.#leap(t);
        }
        this.#settle();
    }

    // So far behind, the newest state is sooner there than all that led to it, and is the same.
    #leap(t) {
        if (t.behind <= FAR_EVENTS || t.cursor.seq === null) return;
        t.cursor.forget();
        this.#subscribe(t);
    }

    // Where the cursor hands on what it takes.
    #page({ topic }) {
        return {
            epoch: this.#hello ? this.#hello.epoch : "",
            snapshot: (state) => this.#o.message({ type: "snapshot", topic, state }),
            events: (events) => this.#o.message({ type: "events", topic, events }),
            complete: (lines) => this.#o.complete(topic, lines),
        };
    }

    #moved(t, verdict, frame) {
        if (verdict === "gap") this.#subscribe(t);
        else if (verdict === "reset") t.caught = false;
        else if (verdict === "snapshot") t.behind = 0;
        else if (verdict === "applied") t.behind = Math.max(0, t.behind - frame.events.length);
        else if (verdict === "ended") {
            t.caught = true;
            t.behind = 0;
            this.#tries = 0;
        }
    }

    #failed(t, frame) {
        if (t && !frame.retry) this.#topics.delete(t.topic);
        if (t && frame.retry) this.#timer("again " + t.topic, AGAIN_MS, () => this.#again(t));
        this.#o.refused(frame.topic || "", frame.message || frame.code);
    }

    #again(t) {
        this.#clear("again " + t.topic);
        if (this.#topics.get(t.topic) === t && this.#ready()) this.#subscribe(t);
    }

    // The badge's state, from what the topics say.
    #settle() {
        if (!this.#hello || !this.#ready() || this.status.state === "stopped") return;
        const late = [...this.#topics.values()].filter((t) => !t.caught);
        const behind = late.reduce((most, t) => Math.max(most, t.behind), 0);
        if (behind > 0) this.#set({ state: "catching", behind, since: null });
        else if (this.#timers.restarted === undefined)
            this.#set({ state: "live", behind: 0, since: null });
        else this.#set({ state: "restarted", behind: 0 });
    }

    /* ---- sending ---- */

    // Browsers give no back-pressure, so what was applied is acknowledged; the newest place of
    // each topic is enough.
    #account(size) {
        this.#unacked += size;
        if (this.#unacked < ACK_BYTES) return;
        this.#unacked = 0;
        for (const t of this.#topics.values()) {
            const { seq } = t.cursor;
            if (seq === null || seq === t.acked) continue;
            t.acked = seq;
            this.#acks.set(t.topic, seq);
        }
        this.#drain();
    }

    #send(op) {
        this.#outbox.push(op);
        this.#drain();
    }

    #drain() {
        while (this.#ready() && this.#tokens > 0) {
            const op = this.#next();
            if (!op) break;
            this.#tokens -= 1;
            this.#ws.send(JSON.stringify(op));
        }
        if (this.#timers.send === undefined && this.#tokens < BURST) {
            this.#timer("send", SEND_MS, () => {
                this.#clear("send");
                this.#tokens += 1;
                this.#drain();
            });
        }
    }

    #next() {
        if (this.#outbox.length) return this.#outbox.shift();
        for (const [topic, to] of this.#acks) {
            this.#acks.delete(topic);
            return { op: "ack", topic, to };
        }
        return null;
    }

    /* ---- small things ---- */

    #set(change) {
        const old = this.status;
        const changed = Object.keys(change).some((key) => old[key] !== change[key]);
        if (!changed) return;
        this.status = { ...old, ...change };
        this.#o.status(this.status);
    }

    #timer(name, ms, run) {
        this.#clear(name);
        this.#timers[name] = this.#o.setTimeout(run, ms);
    }

    #clear(name) {
        if (this.#timers[name] === undefined) return;
        this.#o.clearTimeout(this.#timers[name]);
        delete this.#timers[name];
    }
}

function stopReason(event) {
    const known = {
        4501: "You are not signed in.",
        4503: "You may not see this.",
        4505: "The server speaks a newer protocol: reload the page.",
    };
    return known[event.code] || event.reason || "The server closed the connection for good.";
}

// A server that restarts spreads its viewers: "restart; retry_ms=734".
function waitTold(event) {
    const found = event.code === 4001 && /(?:^|;) *retry_ms=(\d{1,9}) *(?:;|$)/.exec(event.reason);
    return found ? Math.min(RETRY_MOST_MS, Number(found[1])) : null;
}
