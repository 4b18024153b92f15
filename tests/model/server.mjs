// The model server: one log, a ring of shared frames for each topic, and for each connection a
// cursor for each topic, nothing else. Mistakes can be seeded into it, one at a time.
import { topicHas, linesIn } from "./log.mjs";

export const RING = 5; // frames in a ring
export const FRAME = 8; // events in a frame
export const WAITING = 260; // bytes that may wait in a socket before its viewer is parked

export const bytesOf = (frame) =>
    frame.type === "snapshot" ? 100 : 20 + 10 * (frame.events ? frame.events.length : 0);

export const BYTES_MOST = WAITING + bytesOf({ events: { length: FRAME } }) + 200;

export class Server {
    topics = new Map(); // name → {tail, ring}
    connections = new Set();

    constructor(log, rand, mistake, checks) {
        Object.assign(this, { log, rand, mistake, checks });
        this.published = this.#visible();
    }

    #visible() {
        return this.mistake.shownBeforeDurable ? this.log.events.length : this.log.durable;
    }

    // What is committed becomes frames, one per topic, shared by all who look at it.
    publish() {
        this.published = this.#visible();
        for (const [name, topic] of this.topics) {
            const events = this.log.between(name, topic.tail, this.published);
            while (events.length) {
                const part = events.splice(0, FRAME);
                const to = events.length ? part.at(-1).seq : this.published;
                topic.ring.push(this.#frame(name, topic.tail, to, part));
                topic.tail = to;
            }
            topic.ring = topic.ring.slice(-RING);
        }
    }

    #frame(topic, from, to, events) {
        return { type: "events", topic, from, to, events };
    }

    #topic(name) {
        if (!this.topics.has(name)) this.topics.set(name, { tail: this.published, ring: [] });
        return this.topics.get(name);
    }

    // kill -9: what was not synced is gone, and all that was in memory.
    stop() {
        for (const connection of [...this.connections]) this.cut(connection);
        this.topics.clear();
    }

    start() {
        this.published = this.#visible();
    }

    connect() {
        const connection = { open: true, wire: [], bytes: 0, ops: [], subs: new Map() };
        this.connections.add(connection);
        this.#send(connection, { type: "status", payload: { epoch: this.log.epoch } });
        return connection;
    }

    cut(connection) {
        connection.open = false;
        this.connections.delete(connection);
    }

    /* ---- subscribing ---- */

    hear(connection) {
        const op = connection.ops.shift();
        if (!op) return false;
        if (op.op === "ack") {
            const sub = connection.subs.get(op.topic);
            if (sub) sub.acked = op.to;
        } else if (op.op === "unsub") connection.subs.delete(op.topic);
        else connection.subs.set(op.topic, this.#subscribe(op));
        return true;
    }

    #subscribe(op) {
        this.#topic(op.topic);
        if (op.snapshot) return this.#opening(op.topic, null);
        const [epoch, seq] = op.since.split(":").map(Number);
        const reset = this.#resetOf(op.topic, epoch, seq);
        this.checks.opened(epoch, seq, reset);
        return reset ? this.#opening(op.topic, reset) : { seq, acked: seq, opening: { seq } };
    }

    #resetOf(topic, epoch, seq) {
        if (epoch !== this.log.epoch && !this.mistake.epochIgnored) return "epoch";
        if (seq < this.log.floor && !this.mistake.partialReplay) return "pruned";
        if (seq > this.#visible() && !this.mistake.futureAccepted) return "ahead";
        const oldest = this.#topic(topic).ring[0];
        if (this.mistake.windowOfMemory && oldest && seq < oldest.from) return "pruned";
        return null;
    }

    // A snapshot is read now, and sent a little later: the log goes on meanwhile.
    #opening(topic, reset) {
        let seq = this.#visible();
        if (this.mistake.groupSplit && this.log.splits(seq - 1) && seq > 1) seq -= 1;
        return { seq, opening: { seq, reset, state: this.log.state(topic, seq) } };
    }

    #opened(topic, sub) {
        const { seq, reset, state } = sub.opening;
        const at = state && this.mistake.positionAfterData ? this.#visible() : seq;
        sub.opening = null;
        sub.seq = sub.acked = at;
        return [
            { type: "subscribed", topic, from: at, head: this.published, floor: this.log.floor },
            reset && { type: "reset", topic, reason: reset },
            state && { type: "snapshot", topic, as_of: at, state },
        ].filter(Boolean);
    }

    /* ---- sending ---- */

    // One turn of the loop for a connection: the next frames after its cursors, while its socket
    // takes them. Then it is parked, which is to do nothing.
    turn(connection) {
        let moved = false;
        for (const [topic, sub] of connection.subs) {
            while (connection.bytes < WAITING || this.mistake.queued) {
                const frames = this.#next(topic, sub);
                for (const frame of frames) this.#send(connection, frame);
                if (frames.length) moved = true;
                if (sub.ended) connection.subs.delete(topic);
                if (sub.ended || !frames.length) break;
            }
            if (this.mistake.droppedWhenSlow && connection.bytes >= WAITING && !sub.opening)
                sub.seq = Math.max(sub.seq, this.#topic(topic).tail);
        }
        return moved;
    }

    #next(name, sub) {
        const topic = this.#topic(name);
        if (sub.opening) return this.rand() < 0.3 ? this.#opened(name, sub) : [];
        const end = this.#end(name, sub);
        if (end) return [end];
        if (sub.seq >= topic.tail) return [];
        const ring = topic.ring.find((f) => f.to > sub.seq);
        if (ring && (ring.from <= sub.seq || this.mistake.frameBehindCursor)) {
            sub.seq = ring.to;
            return [ring];
        }
        if (sub.seq < this.log.floor && !this.#skips(sub)) {
            this.checks.opened(this.log.epoch, sub.seq, "pruned");
            Object.assign(sub, this.#opening(name, "pruned"));
            return [];
        }
        return [this.#read(name, sub, ring ? ring.from : topic.tail)];
    }

    #skips(sub) {
        if (this.mistake.prunedSkipped) sub.seq = this.log.floor;
        return this.mistake.prunedSkipped || this.mistake.partialReplay;
    }

    // A frame from the store: what is below the floor is not there any more.
    #read(topic, sub, upto) {
        const from = sub.seq;
        const events = this.log
            .between(topic, from, upto)
            .filter((e) => e.seq > this.log.floor);
        const part = events.slice(0, 1 + Math.floor(this.rand() * FRAME));
        const to = part.length < events.length ? part.at(-1).seq : upto;
        if (this.mistake.sortedByStep)
            part.sort((a, b) => (a.step || "").localeCompare(b.step || ""));
        sub.seq = to;
        return this.#frame(topic, from, to, part);
    }

    #end(topic, sub) {
        const seq = topic === "jobs" ? 0 : this.log.endOf(topic, this.#visible());
        if (!seq || (sub.seq < seq && !this.mistake.endEarly)) return null;
        sub.ended = true;
        const lines = { total: linesIn(this.log.state(topic, seq)) };
        return { type: "end", topic, to: seq, lines };
    }

    // Silence is broken by bookmarks, through the same queue as the rest.
    heartbeat(connection) {
        for (const [name, sub] of connection.subs) {
            const topic = this.#topic(name);
            if (sub.opening) continue;
            if (this.mistake.heartbeatOvertakes) {
                const frame = this.#frame(name, sub.acked, Math.max(sub.acked, sub.seq), []);
                this.#send(connection, frame, "unshift");
            } else if (sub.seq >= topic.tail && connection.bytes < WAITING) {
                const events = this.log.events.slice(topic.tail, this.published);
                const pending = events.some((e) => topicHas(name, e));
                const to = pending ? sub.seq : Math.max(this.published, sub.seq);
                this.#send(connection, this.#frame(name, sub.seq, to, []));
                sub.seq = to;
            }
        }
    }

    #send(connection, frame, put = "push") {
        connection.wire[put](frame);
        connection.bytes += bytesOf(frame);
        this.checks.sent(connection, frame);
    }
}
