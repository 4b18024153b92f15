// One checker for each invariant of docs/protocol.md. They see what is sent, what arrives and what
// is taken, and hold it against the log; they share nothing with the server that they judge.
import { linesIn } from "./log.mjs";
import { BYTES_MOST, WAITING } from "./server.mjs";

export const INVARIANTS = [
    "ordered",
    "unique",
    "no gap against the store",
    "an event group is never split by a snapshot",
    "resumable from every seq",
    "nothing at or before a bookmark arrives after it",
    "visible implies durable",
    "refresh-equivalence at every frame boundary",
    "bounded bytes per connection",
    "`end` totals match",
    "a cursor of another epoch is never accepted",
    "the last progress arrives",
    "no reset without a cause",
];

export class Violation extends Error {
    constructor(invariant, what) {
        super(invariant + ": " + what);
        this.invariant = invariant;
    }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Checks {
    counts = {}; // what happened: a world in which nothing does proves nothing

    // `only`: the one checker to listen to, so that one can be tried without help from the others.
    constructor(log, only) {
        Object.assign(this, { log, only });
    }

    fail(invariant, what) {
        if (!INVARIANTS.includes(invariant)) throw new Error("no such invariant: " + invariant);
        if (!this.only || this.only === invariant) throw new Violation(invariant, what);
    }

    count(what) {
        this.counts[what] = (this.counts[what] || 0) + 1;
    }

    // The server takes a cursor, or answers it with a reset.
    opened(epoch, seq, reset) {
        const { log } = this;
        const cause =
            epoch !== log.epoch
                ? "epoch"
                : seq < log.floor
                  ? "pruned"
                  : seq > log.durable
                    ? "ahead"
                    : null;
        this.count(reset ? "reset " + reset : "cursors taken");
        if (cause === "epoch" && reset !== "epoch")
            this.fail("a cursor of another epoch is never accepted", epoch + ":" + seq);
        if (reset && reset !== cause)
            this.fail("no reset without a cause", "told " + reset + ", the cause is " + cause);
    }

    // The server puts a frame on the wire.
    sent(connection, frame) {
        const to = frame.type === "events" ? frame.to : frame.as_of;
        if (connection.bytes >= WAITING) this.count("parked");
        if (to > this.log.durable)
            this.fail("visible implies durable", to + " is shown before its sync");
        if (connection.bytes > BYTES_MOST)
            this.fail("bounded bytes per connection", connection.bytes + " bytes wait");
        if (frame.type === "snapshot" && this.log.splits(frame.as_of))
            this.fail("an event group is never split by a snapshot", "as of " + frame.as_of);
        if (frame.type === "events") this.#tiles(frame);
    }

    #tiles({ topic, from, to, events }) {
        const seqs = events.map((e) => e.seq);
        if (seqs.some((seq, i) => seq <= (i ? seqs[i - 1] : from)))
            this.fail("ordered", topic + " " + seqs);
        const all = this.log.between(topic, from, to).map((e) => e.seq);
        const missing = all.filter((seq) => !seqs.includes(seq));
        if (missing.length) this.fail("no gap against the store", topic + " lacks " + missing);
    }

    // A frame reaches a client.
    arrived(t, frame) {
        if (frame.type !== "events" || t.cursor.seq === null) return;
        const late = frame.events.find(
            ({ seq }) => seq <= t.bookmark && seq > t.begun && !t.seen.has(seq),
        );
        if (late)
            this.fail(
                "nothing at or before a bookmark arrives after it",
                late.seq + " after the bookmark at " + t.bookmark,
            );
        for (const { seq } of frame.events) t.seen.add(seq);
        if (!frame.events.length) t.bookmark = Math.max(t.bookmark, frame.to);
    }

    // A client took a frame, or found something wrong with it.
    taken(viewer, t, frame, verdict, applied) {
        if (verdict === "snapshot") t.history = this.log.epoch;
        if (verdict === "reset" && frame.reason === "epoch" && t.history === this.log.epoch)
            this.fail("no reset without a cause", t.name + " was of this epoch");
        this.count(frame.type === "events" ? "frames " + verdict : frame.type);
        if (applied.length && applied.length < frame.events.length) this.count("frames overlap");
        if (verdict === "gap" && frame.type === "events")
            this.fail("no gap against the store", t.name + " from " + frame.from);
        if (verdict === "gap" && frame.type === "end")
            this.fail("`end` totals match", t.name + " ends at " + frame.to);
        if (verdict === "ended" && frame.lines.total !== this.#linesOf(t.name))
            this.fail("`end` totals match", t.name + " has not " + frame.lines.total + " lines");
        if (t.cursor.seq !== null) this.#unique(t, frame, verdict, applied);
        if (verdict === "applied" || verdict === "snapshot" || verdict === "ended")
            this.fresh(viewer, t);
    }

    #linesOf(topic) {
        return linesIn(this.log.state(topic, this.log.events.length));
    }

    #unique(t, frame, verdict, applied) {
        if (verdict === "snapshot") t.last = frame.as_of;
        for (const { seq } of applied) {
            if (seq <= t.last) this.fail("unique", t.name + " " + seq + " was taken before");
            t.last = seq;
        }
    }

    // What is shown is what a reload would show.
    fresh(viewer, t) {
        const { epoch, events } = this.log;
        if (viewer.epoch !== epoch || t.cursor.seq === null) return;
        const lost = t.cursor.seq > events.length;
        if (lost || !same(t.state, this.log.state(t.name, t.cursor.seq)))
            this.fail("refresh-equivalence at every frame boundary", t.name + " " + t.cursor);
    }

    // All is quiet, and everybody has read everything.
    quiet(viewer, engine) {
        const { durable } = this.log;
        for (const t of viewer.topics.values()) {
            if (!same(t.state, this.log.state(t.name, durable)))
                this.fail("refresh-equivalence at every frame boundary", t.name + " at the end");
            if (!t.cursor.ended && t.cursor.seq !== durable)
                this.fail("no gap against the store", t.name + " stays at " + t.cursor);
        }
        const { state } = viewer.topics.get("jobs");
        for (const [step, progress] of engine.lastProgress())
            if (state[step]?.progress !== progress)
                this.fail("the last progress arrives", step + " stays behind " + progress);
    }

    // A client that came back with an old place has read everything.
    resumed(viewer, t, from) {
        const end = this.log.endOf(t.name, this.log.durable);
        const head = t.cursor.ended ? end : this.log.durable;
        if (t.begun !== from || t.cursor.seq < head || !same(t.state, this.log.state(t.name, head)))
            this.fail("resumable from every seq", t.name + " from " + from);
    }
}
