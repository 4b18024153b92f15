// validate.mjs: the judge of recordings (record.mjs). It compares them with what the store tells over
// REST after the fact, and names each invariant of docs/protocol.md that is broken:
//
//     ordered    events come in the order of seq
//     unique     an event comes once in a subscription
//     no gap     all events of the topic come
//     tiles      a frame holds events of (from, to], and begins where the one before it ended
//     bookmark   nothing at or before a bookmark comes after it
//     durable    what was seen is in the store, with the same seq, line and text
//     end        the end is last, at the last event, with the totals of the store
//     reset      a cursor is refused only with a cause
//     same       two transports never tell the same event differently
//
//     const truth = await new Truth().read(server, [job]);
//     assert.deepEqual(validate(recordings, truth), []);
//
// A violation is {invariant, who, says}.

import { parseCursor, parseSse } from "./record.mjs";

const SAYS_MAX = 400; // characters of a violation

// All that every transport tells of an event.
const identity = ({ seq, type, payload }) => `${seq} ${type} ${JSON.stringify(payload)}`;

/* ---- what the store has ---- */

export class Truth {
    epoch = "";
    head = 0;
    topics = new Map(); // topic, or "jobs of <id>" -> seqs of its events, in order
    events = new Map(); // seq -> identity
    ends = new Map(); // topic of a job that has ended -> {to: its last event, lines: {step id: number}}
    pruned = []; // a seq for each job that was deleted: topic `jobs` may refuse cursors before it

    async read(server, ids) {
        for (const id of ids) await this.#readTopic(server, "job:" + id);
        return this.readHead(server);
    }

    // How far the store is, and what is about no job: to be asked again when nobody looks any more.
    async readHead(server) {
        this.topics.delete("system");
        await this.#readTopic(server, "system");
        [this.epoch, this.head] = parseCursor(await server.cursor());
        return this;
    }

    add(topic, events) {
        const seqs = this.topics.get(topic) ?? [];
        this.topics.set(topic, seqs);
        for (const event of events) {
            if (event.seq <= (seqs.at(-1) ?? 0)) throw new Error(`REST told ${event.seq} after ${seqs.at(-1)}`);
            seqs.push(event.seq);
            if (!this.events.has(event.seq)) this.events.set(event.seq, identity(event));
        }
    }

    async #readTopic(server, topic) {
        const id = topic.replace("job:", "");
        for (let cursor = await server.beginning(); ; ) {
            const { status, body } = await server.get(`/api/events?topic=${topic}&since=${cursor}&wait=0`);
            if (status !== 200) throw new Error(`${topic}: ${status} ${body.error}`);
            this.add(topic, body.events);
            this.add("jobs of " + id, body.events.filter(isOfJobs));
            if (body.end) this.#end(id);
            if (body.end || !body.events.length) return;
            cursor = body.cursor;
        }
    }

    #end(id) {
        const lines = {};
        for (const seq of this.topics.get("job:" + id)) {
            const [, type, payload] = this.events.get(seq).match(/^\d+ (\S+) (.*)$/s);
            if (type !== "job_log") continue;
            const stream = JSON.parse(payload).step_id || id;
            lines[stream] = (lines[stream] ?? 0) + 1;
        }
        this.ends.set("job:" + id, { to: this.topics.get("job:" + id).at(-1), lines });
    }
}

// Does an event belong to the topic of all jobs as well?
const isOfJobs = ({ type, payload }) => type === "step_progress" || (type === "job_status_change" && payload.kind !== "task");

// Lines as `GET /api/jobs/{id}/logs` has them: are they numbered, and the same as the events?
export function validateLines(lines, id, truth) {
    const found = [];
    const next = new Map();
    for (const { step_id, line, seq, level, message } of lines) {
        const wanted = (next.get(step_id) ?? 0) + 1;
        const wrong = (invariant, says) => found.push({ invariant, who: "logs of " + id, says });
        if (line !== wanted) wrong("no gap", `line ${line} of step "${step_id}" where ${wanted} was due`);
        next.set(step_id, line);
        const [, payload] = truth.events.get(seq)?.match(/^\d+ job_log (.*)$/s) ?? [null, "{}"];
        const event = JSON.parse(payload);
        if (event.line !== line || event.message !== message || event.level !== level || event.step_id !== step_id)
            wrong("same", `line ${line} of step "${step_id}" is not event ${seq}`);
    }
    const { lines: totals } = truth.ends.get("job:" + id);
    for (const [stream, total] of Object.entries(totals)) {
        const count = next.get(stream === id ? "" : stream) ?? 0;
        if (count !== total) found.push({ invariant: "same", who: "logs of " + id, says: `${count} lines, ${total} events of ${stream}` });
    }
    return found;
}

/* ---- recordings as frames ---- */

// The header wins.
const addressSince = (text) => (text.match(/Last-Event-ID: (\S+)/) ?? text.match(/since=([^& ]+)/))?.[1];
const asked = (since) => (since === undefined ? [] : [{ type: "asked", since }]);

// What an entry says, in the words of the v1 form; {type: "asked", since} is the viewer's own.
const DECODE = {
    v1({ kind, text }) {
        const message = JSON.parse(text);
        return kind === "sent" ? asked(message.since) : [message];
    },
    deflate: (entry) => DECODE.v1(entry),
    sse({ kind, text }) {
        if (kind === "sent") return asked(addressSince(text));
        if (/^\d{3} /.test(text)) return text.startsWith("204") ? [{ type: "end" }] : [];
        const { id, frame } = parseSse(text);
        return frame ? [{ ...frame, id }] : [];
    },
    poll({ kind, text }) {
        if (kind === "sent") return asked(addressSince(text));
        const status = text.slice(0, 3);
        if (status !== "200" && status !== "410") return [];
        const body = JSON.parse(text.slice(4));
        if (status === "410") return [{ type: "reset", reason: body.reason }];
        if (!body.events) return [{ type: "snapshot", as_of: parseCursor(body.cursor)[1] }];
        const events = { ...body, type: "events", id: body.cursor };
        return body.end ? [events, { type: "end" }] : [events];
    },
};

/* ---- judges ---- */

class Judge {
    constructor(recording, truths, report) {
        Object.assign(this, { recording, truths, report });
        this.truth = truths[0];
    }

    // Is it about an event that the judge knows the truth of?
    concerns({ payload }) {
        return !this.recording.only || payload.manager_id === this.recording.only;
    }

    // The seqs of all events that are due.
    get due() {
        const { topic, only } = this.recording;
        return this.truth.topics.get(only ? "jobs of " + only : topic) ?? [];
    }

    wrong(invariant, says) {
        const { transport, topic } = this.recording;
        const place = this.entry ? `, connection ${this.entry.connection}` : "";
        this.report.found.push({ invariant, who: `${transport} ${topic ?? ""}${place}`, says: says.slice(0, SAYS_MAX) });
    }

    // Holds an event against the store, and against what others were told.
    event(event) {
        const { seq } = event, text = identity(event), stored = this.truth.events.get(seq);
        const told = this.report.told.get(`${this.truth.epoch}:${seq}`);
        if (stored === undefined) this.wrong("durable", `event ${seq} is not in the store: ${text}`);
        else if (stored !== text) this.wrong("durable", `the store has ${stored}, told was ${text}`);
        else if (event.ts && event.ts !== event.payload.timestamp) this.wrong("durable", `event ${seq} has two times`);
        if (told !== undefined && told !== text) this.wrong("same", `others were told ${told}, this one ${text}`);
        this.report.told.set(`${this.truth.epoch}:${seq}`, stored === text ? stored : text);
        this.report.deliveries += 1;
    }

    // No number of the server's is ahead of what the store has afterwards.
    heads(frame) {
        const head = Math.max(...this.truths.map((t) => t.head));
        for (const name of ["to", "head", "at", "as_of"])
            if (frame[name] > head) this.wrong("durable", `${name} ${frame[name]} is ahead of the store's ${head}`);
    }

    of(epoch) {
        const truth = this.truths.find((t) => t.epoch === epoch);
        if (truth) this.truth = truth;
        else this.wrong("reset", `the epoch ${epoch} is none of the store's`);
    }

    finish() {}
}

// v1, SSE and long-poll: frames with a cursor.
class TopicJudge extends Judge {
    constructor(...args) {
        super(...args);
        [, this.cursor] = parseCursor(this.recording.since); // by the rule of the client
        this.begin(this.cursor);
        this.isComplete = false;
    }

    take(entry) {
        this.entry = entry;
        if (entry.kind === "close") return;
        for (const frame of DECODE[this.recording.transport](entry)) {
            if (frame.id) this.of(parseCursor(frame.id)[0]);
            this.heads(frame);
            if (this.isReset && ["events", "end", "caught_up"].includes(frame.type)) this.wrong("reset", `${frame.type} before the state`);
            this[frame.type]?.(frame);
        }
    }

    // A subscription, or a state, from which all that follows is due.
    begin(seq) {
        this.wire = seq; // where the newest frame ended
        this.isFirst = true; // the first frame may begin earlier
        this.isOver = false;
        this.seen = new Set();
    }

    asked({ since }) {
        const [epoch, seq] = parseCursor(since);
        if (this.since && seq > this.cursor && !this.isReset) this.wrong("no gap", `it went on at ${seq}, having seen up to ${this.cursor}`);
        this.since = { epoch, seq };
        this.begin(seq);
    }

    status({ payload }) {
        this.of(payload.epoch);
        this.heads(payload);
    }

    // A reset, which may follow, has another beginning.
    subscribed({ from }) {
        this.subscribedAt = from;
    }

    begun() {
        const from = this.subscribedAt;
        this.subscribedAt = null;
        if (from > this.wire) this.wrong("no gap", `subscribed at ${from}, asked for ${this.wire}`);
    }

    reset({ reason }) {
        const { epoch } = this.since, { wire } = this;
        const causes = {
            epoch: () => wire > 0 && this.truths.some((t) => t.epoch !== epoch),
            ahead: () => wire > this.truth.head,
            pruned: () => this.recording.topic === "jobs" && this.truth.pruned.some((seq) => wire < seq),
        };
        if (!causes[reason]?.()) this.wrong("reset", `${reason}, for the cursor ${epoch}:${wire}`);
        this.report.resets += 1;
        this.isReset = true;
        this.subscribedAt = null;
    }

    snapshot({ as_of }) {
        if (!this.isReset) this.wrong("reset", "a state without a reset");
        this.isReset = false;
        this.cursor = as_of;
        this.begin(as_of);
    }

    caught_up({ at }) {
        this.begun();
        if (at !== this.wire) this.wrong("tiles", `caught up at ${at} after a frame up to ${this.wire}`);
    }

    events({ from, to, events, id }) {
        this.begun();
        if (this.isOver) this.wrong("end", `a frame of (${from}, ${to}] after the end`);
        if (from > to || (to < this.wire && !this.isFirst)) this.wrong("tiles", `a frame of (${from}, ${to}] after one up to ${this.wire}`);
        if (id && parseCursor(id)[1] !== to) this.wrong("tiles", `a frame up to ${to} with the id ${id}`);
        this.sequence(from, to, events);
        if (from > this.wire) {
            this.wrong("no gap", `a frame from ${from} after one up to ${this.wire}`);
            return; // the viewer asks again
        }
        this.complete(to, events);
        this.isFirst = false;
        this.wire = Math.max(this.wire, to);
        this.cursor = Math.max(this.cursor, to);
    }

    sequence(from, to, events) {
        let last = 0;
        for (const { seq } of events) {
            if (seq <= from || seq > to) this.wrong("tiles", `event ${seq} in a frame of (${from}, ${to}]`);
            if (this.seen.has(seq)) this.wrong("unique", `event ${seq} came twice`);
            else if (seq <= this.wire && !this.isFirst) this.wrong("bookmark", `event ${seq} came after all up to ${this.wire}`);
            else if (seq < last) this.wrong("ordered", `event ${seq} came after ${last}`);
            last = Math.max(last, seq);
            this.seen.add(seq);
        }
    }

    // Are these all that the store has in (cursor, to]?
    complete(to, events) {
        const seqs = this.due, got = new Set();
        for (const event of events) {
            if (event.seq <= this.cursor || got.has(event.seq) || !this.concerns(event)) continue;
            got.add(event.seq);
            this.event(event);
        }
        for (let i = indexAfter(seqs, this.cursor); seqs[i] <= to; i++)
            if (!got.has(seqs[i])) this.wrong("no gap", `event ${seqs[i]} is missing`);
    }

    // Without `to` and `lines`, an end says that nothing follows what was sent.
    end({ to = this.wire, lines }) {
        this.begun();
        const due = this.truth.ends.get(this.recording.topic) ?? {};
        if (this.isOver) this.wrong("end", "the end came twice");
        if (this.wire < to) this.wrong("end", `the end came at ${this.wire}, before event ${to}`);
        if (!(to >= due.to)) this.wrong("end", `an end at ${to}, the store's last event is ${due.to}`);
        for (const stream of new Set(Object.keys({ ...lines, ...due.lines })))
            if (lines && (lines[stream] ?? 0) !== (due.lines?.[stream] ?? 0))
                this.wrong("end", `${lines[stream]} lines of ${stream}, the store has ${due.lines?.[stream]}`);
        this.isOver = true;
        this.isComplete = true;
    }

    finish() {
        if (!this.isComplete && this.truth.ends.has(this.recording.topic))
            this.wrong("end", `never told; the last frame was up to ${this.cursor}`);
    }
}

// The smallest index of a larger number.
function indexAfter(seqs, seq) {
    let low = 0;
    for (let high = seqs.length; low < high; ) {
        const middle = (low + high) >> 1;
        if (seqs[middle] > seq) high = middle;
        else low = middle + 1;
    }
    return low;
}

// The plain form: the events of all jobs, from some moment on, one connection at a time.
class PlainJudge extends Judge {
    constructor(...args) {
        super(...args);
        this.system = new Set(this.truth.topics.get("system"));
    }

    take(entry) {
        this.entry = entry;
        if (entry.kind === "close") return (this.last = undefined);
        const frame = JSON.parse(entry.text);
        if (frame.type === "status") {
            this.of(frame.payload.epoch);
            this.heads(frame.payload);
            return;
        }
        this.follows(frame.seq, this.last);
        this.last = Math.max(frame.seq, this.last ?? 0);
        if (this.concerns(frame)) this.event(frame);
    }

    follows(seq, last) {
        let due = last + 1;
        while (this.system.has(due)) due += 1;
        if (last === undefined || seq === due) return;
        if (seq === last) this.wrong("unique", `event ${seq} came twice`);
        else if (seq < last) this.wrong("ordered", `event ${seq} came after ${last}`);
        else this.wrong("no gap", `event ${seq} came after ${last}`);
    }
}

// `tailrace logs --follow --json`: each event of the job once, whatever happened between.
class FollowJudge extends Judge {
    count = 0;

    take(entry) {
        this.entry = entry;
        if (entry.kind === "frame") this.line(JSON.parse(entry.text));
        if (entry.kind === "close") this.code = entry.text;
    }

    line(event) {
        const seqs = this.due, due = seqs[this.count];
        const at = indexAfter(seqs, event.seq) - 1;
        if (event.seq === seqs[this.count - 1]) this.wrong("unique", `event ${event.seq} was printed twice`);
        else if (event.seq < due) this.wrong("ordered", `event ${event.seq} was printed when ${due} was due`);
        else if (event.seq > due) this.wrong("no gap", `event ${event.seq} was printed when ${due} was due`);
        this.event(event);
        this.count = Math.max(this.count, at + 1);
    }

    finish() {
        if (this.count !== this.due.length) this.wrong("no gap", `${this.count} of ${this.due.length} events were printed`);
        if (!["0", "1", "3"].includes(this.code)) this.wrong("end", `exit status ${this.code}`);
    }
}

const JUDGES = { plain: PlainJudge, follow: FollowJudge };

// The violations of recordings; with `report.resets` and `report.deliveries` counted beside them.
// Several truths: of a history that was replaced meanwhile.
export function examine(recordings, ...truths) {
    const report = { found: [], told: new Map(), resets: 0, deliveries: 0 };
    for (const recording of recordings) {
        const judge = new (JUDGES[recording.transport] ?? TopicJudge)(recording, truths, report);
        for (const entry of recording.entries) judge.take(entry);
        judge.entry = null;
        judge.finish();
    }
    return report;
}

export const validate = (recordings, ...truths) => examine(recordings, ...truths).found;
