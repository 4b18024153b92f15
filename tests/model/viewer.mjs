// A viewer of the model: the page's own client rule (ui/cursor.js), a fold, and a network that
// may be cut at any time.
import { Cursor } from "../../ui/cursor.js";
import { fold, linesIn } from "./log.mjs";
import { bytesOf } from "./server.mjs";

// The rule with a mistake seeded into it: each event of each frame is taken.
class ForgetfulCursor extends Cursor {
    take(frame, page) {
        if (frame.type !== "events" || this.seq === null || frame.from > this.seq)
            return super.take(frame, page);
        if (frame.events.length) page.events(frame.events);
        this.seq = Math.max(this.seq, frame.to);
        return "applied";
    }
}

export class Viewer {
    connection = null;
    epoch = null; // of the newest greeting
    topics = new Map(); // name → {name, cursor, state, and what checkers note}

    constructor(server, checks, mistake) {
        Object.assign(this, { server, checks, mistake });
    }

    #topic(name) {
        const cursor = this.mistake.noDeduplication ? new ForgetfulCursor() : new Cursor();
        return { name, cursor, state: null, seen: new Set(), bookmark: 0, begun: 0 };
    }

    open(name) {
        const t = this.#topic(name);
        this.topics.set(name, t);
        if (this.connection) this.#subscribe(t);
        return t;
    }

    close(name) {
        this.topics.delete(name);
        if (this.connection) this.connection.ops.push({ op: "unsub", topic: name });
    }

    // Asks again from where it is, while frames are under way.
    again(name) {
        const t = this.topics.get(name);
        const current = t.history === this.server.log.epoch;
        if (current && !t.cursor.ended) this.#subscribe(t);
    }

    connect() {
        this.connection = this.server.connect();
        for (const t of this.topics.values()) if (!t.cursor.ended) this.#subscribe(t);
    }

    // What was on its way is lost.
    cut() {
        if (this.connection) this.server.cut(this.connection);
        this.connection = null;
    }

    #subscribe(t) {
        this.connection.ops.push({ op: "sub", topic: t.name, ...t.cursor.request() });
    }

    #greeted({ epoch }) {
        const rewritten = this.epoch !== null && this.epoch !== epoch;
        this.epoch = epoch;
        for (const t of rewritten ? this.topics.values() : []) {
            if (!t.cursor.ended) continue;
            t.cursor.forget();
            this.#subscribe(t);
        }
    }

    // Reads one frame from the network. False: there is none.
    read() {
        if (this.connection && !this.connection.open) this.connection = null;
        const frame = this.connection && this.connection.wire.shift();
        if (!frame) return false;
        this.connection.bytes -= bytesOf(frame);
        if (frame.type === "status") this.#greeted(frame.payload);
        const t = this.topics.get(frame.topic);
        if (t) this.#take(t, frame);
        return true;
    }

    #take(t, frame) {
        const applied = [];
        this.checks.arrived(t, frame);
        const verdict = t.cursor.take(frame, {
            epoch: this.epoch,
            snapshot: (state) => {
                t.state = state;
                Object.assign(t, { seen: new Set(), bookmark: 0, begun: frame.as_of });
            },
            events: (events) => {
                applied.push(...events);
                t.state = events.reduce(fold, t.state);
            },
            complete: ({ total }) => linesIn(t.state) === total,
        });
        this.checks.taken(this, t, frame, verdict, applied);
        if (verdict === "gap") this.#subscribe(t);
        else if (verdict === "applied")
            this.connection.ops.push({ op: "ack", topic: t.name, to: t.cursor.seq });
    }
}
