// The judge finds what is wrong: a right recording passes, and each way of doctoring it is named.
import assert from "node:assert/strict";
import test from "node:test";

import { Truth, examine, validate, validateLines } from "./validate.mjs";

const JOB = "job:j";
const ts = "2026-11-23T10:15:02.123456Z";
const line = (seq, number) => ({
    seq,
    type: "job_log",
    ts,
    payload: { job_id: "s", manager_id: "j", step_id: "s", timestamp: ts, level: "info", message: `line ${number}`, line: number },
});
const state = (seq, status) => ({
    seq,
    type: "job_status_change",
    ts,
    payload: { job_id: "j", manager_id: "j", step_id: "", timestamp: ts, kind: "job", status },
});

// Events 1 to 12 of the job, and 13 of another one.
const EVENTS = [state(1, "running"), ...Array.from({ length: 10 }, (_, i) => line(i + 2, i + 1)), state(12, "completed")];

function truthMake(epoch = "e", events = EVENTS) {
    const truth = new Truth();
    Object.assign(truth, { epoch, head: 13 });
    truth.add(JOB, events);
    truth.ends.set(JOB, { to: 12, lines: { s: 10 } });
    truth.add("job:other", [state(13, "running")]);
    return truth;
}

const range = (from, to) => structuredClone(EVENTS.filter(({ seq }) => seq > from && seq <= to));
const frame = (from, to) => ({ type: "events", topic: JOB, from, to, events: range(from, to) });
const status = { type: "status", payload: { protocol: 1, epoch: "e", head: 12 } };
const subscribed = (from) => ({ type: "subscribed", topic: JOB, from, head: 12, floor: 0 });
const end = { type: "end", topic: JOB, to: 12, lines: { s: 10 } };
const sub = (seq) => ({ op: "sub", topic: JOB, since: "e:" + seq });

// Two connections of one viewer, cut after event 7; what it says has an op.
const conversation = () => structuredClone([
    status, sub(0), subscribed(0), frame(0, 4), frame(4, 4), frame(4, 7), "close",
    status, sub(7), subscribed(7), frame(5, 10), { type: "caught_up", topic: JOB, at: 10 }, frame(10, 12), end,
]);

const FORMS = {
    v1: (message) => [message.op ? "sent" : "frame", JSON.stringify(message)],
    sse: (message) => {
        if (message.op) return ["sent", `/api/events/stream?topic=${JOB}&since=${message.since}`];
        if (message.type === "events") return ["frame", `id: e:${message.to}\ndata: ${JSON.stringify(message)}`];
        return ["frame", `event: ${message.type}\ndata: ${JSON.stringify(message)}`];
    },
    poll: (message) => {
        if (message.op) return ["sent", `/api/events?topic=${JOB}&since=${message.since}&wait=20`];
        const { type, ...body } = message;
        if (type === "reset") return ["frame", `410 ${JSON.stringify(body)}`];
        if (type === "events") return ["frame", `200 ${JSON.stringify({ ...body, cursor: "e:" + body.to, end: body.to === 12 })}`];
        return ["close", ""];
    },
};

function record(transport, topic, entries) {
    let connection = 1;
    const recording = { transport, topic, since: "e:0", entries: [] };
    for (const entry of entries) {
        const [kind, text] = entry === "close" ? ["close", ""] : FORMS[transport] ? FORMS[transport](entry) : ["frame", JSON.stringify(entry)];
        recording.entries.push({ connection, kind, text });
        if (kind === "close") connection += 1;
    }
    return recording;
}

const named = (found) => [...new Set(found.map(({ invariant }) => invariant))].sort();

for (const transport of Object.keys(FORMS))
    test(`a right recording over ${transport} passes`, () => {
        const report = examine([record(transport, JOB, conversation())], truthMake());
        assert.deepEqual(report.found, []);
        assert.equal(report.deliveries, 12);
    });

const frames = (said) => said.filter(({ type }) => type === "events");
const DOCTORED = {
    "a line that is left out": [["no gap"], (said) => frames(said)[2].events.splice(1, 1)],
    "a frame that is left out": [["no gap"], (said) => said.splice(3, 1)],
    "the last event left out of the last frame": [["no gap"], (said) => frames(said).at(-1).events.pop()],
    "a line that comes twice": [["unique"], (said) => frames(said)[2].events.push(frames(said)[2].events.at(-1))],
    "a frame that comes twice": [["tiles", "unique"], (said) => said.splice(6, 0, frame(0, 4))],
    "two lines that are swapped": [["ordered"], (said) => frames(said)[2].events.reverse()],
    "a line with another number": [["durable"], (said) => (frames(said)[2].events[0].payload.line = 99)],
    "a line with another text": [["durable"], (said) => (frames(said)[2].events[0].payload.message = "line 44")],
    "an event with another seq": [["durable", "no gap", "tiles"], (said) => (frames(said)[2].events[2].seq = 13)],
    "an event that the store does not have": [["durable", "tiles"], (said) => frames(said).at(-1).events.push(line(99, 11))],
    "an event with another time than its payload's": [["durable"], (said) => (frames(said)[0].events[0].ts = "2026-11-23T10:15:02.000000Z")],
    "an event outside its frame": [["no gap", "tiles"], (said) => frames(said)[1].events.push(...frames(said)[2].events.splice(0, 1))],
    "an event after a bookmark that covers it": [["bookmark", "no gap"], (said) => said.splice(5, 2, { ...frame(4, 7), events: [] }, frame(4, 7), "close")],
    "a frame that promises more than there is": [["durable"], (said) => (frames(said).at(-1).to = 14)],
    "a subscription that begins too late": [["no gap"], (said) => said.splice(9, 1, subscribed(8))],
    "a place to catch up that was not reached": [["tiles"], (said) => said.splice(11, 1, { type: "caught_up", topic: JOB, at: 11 })],
    "an end with wrong totals": [["end"], (said) => (said.at(-1).lines.s = 9)],
    "an end without totals of a step": [["end"], (said) => (said.at(-1).lines = {})],
    "an end at another event": [["end"], (said) => (said.at(-1).to = 11)],
    "an end before the last frame": [["end"], (said) => said.push(...said.splice(-2, 1))],
    "an end that never comes": [["end"], (said) => said.pop()],
    "a reset without a cause": [["reset"], (said) => said.splice(10, 0, { type: "reset", topic: JOB, reason: "epoch" }, { type: "snapshot", topic: JOB, as_of: 7, state: {} })],
    "a state that nobody asked for": [["reset"], (said) => said.splice(10, 0, { type: "snapshot", topic: JOB, as_of: 7, state: {} })],
    "a reset without a state": [["reset"], (said) => said.splice(10, 0, { type: "reset", topic: JOB, reason: "ahead" })],
    "an epoch that the store does not have": [["reset"], (said) => (said[7].payload.epoch = "f")],
};

for (const [what, [wanted, doctor]] of Object.entries(DOCTORED))
    test(`${what} is named: ${wanted.join(", ")}`, () => {
        const said = conversation();
        doctor(said);
        assert.deepEqual(named(validate([record("v1", JOB, said)], truthMake())), wanted);
    });

test("a line that is left out, doubled or altered is named over SSE and long-poll too", () => {
    for (const transport of ["sse", "poll"])
        for (const what of ["a line that is left out", "a line that comes twice", "two lines that are swapped", "a line with another text"]) {
            const [wanted, doctor] = DOCTORED[what], said = conversation();
            doctor(said);
            assert.deepEqual(named(validate([record(transport, JOB, said)], truthMake())), wanted, `${transport}: ${what}`);
        }
});

test("a frame whose id is not its end is named", () => {
    const recording = record("sse", JOB, conversation());
    recording.entries[3].text = recording.entries[3].text.replace("id: e:4", "id: e:5");
    assert.deepEqual(named(validate([recording], truthMake())), ["tiles"]);
});

test("what one transport tells differently from another is named, though the store has neither", () => {
    const told = line(40, 11), other = structuredClone(told);
    other.payload.message = "something else";
    const found = validate([record("plain", undefined, [told]), record("plain", undefined, [other])], truthMake());
    assert.deepEqual(named(found), ["durable", "same"]);
});

test("the same told by all transports passes, and a wrong word of one is named", () => {
    const all = () => [
        ...Object.keys(FORMS).map((transport) => record(transport, JOB, conversation())),
        record("plain", undefined, EVENTS.slice(3)),
        Object.assign(record("follow", JOB, EVENTS)),
    ];
    const right = all();
    right.at(-1).entries.push({ connection: 1, kind: "close", text: "0" });
    assert.deepEqual(validate(right, truthMake()), []);
    right[3].entries[2].text = right[3].entries[2].text.replace("line 5", "line 6");
    assert.deepEqual(named(validate(right, truthMake())), ["durable", "same"]);
});

test("a reset passes when its cause is there: a job was deleted, the cursor is ahead, the history is another", () => {
    const resetAt = (since, reason) => record("v1", reason === "pruned" ? "jobs" : JOB, [
        { ...status, payload: { ...status.payload, epoch: reason === "epoch" ? "f" : "e" } },
        sub(since), subscribed(4), { type: "reset", topic: JOB, reason },
        { type: "snapshot", topic: JOB, as_of: 4, state: {} }, ...(reason === "pruned" ? [] : [frame(4, 12), end]),
    ]);
    const deleted = truthMake();
    deleted.pruned.push(13);
    assert.deepEqual(validate([resetAt(3, "pruned")], deleted), []);
    assert.deepEqual(named(validate([resetAt(3, "pruned")], truthMake())), ["reset"]);
    assert.deepEqual(validate([resetAt(14, "ahead")], truthMake()), []);
    assert.deepEqual(named(validate([resetAt(3, "ahead")], truthMake())), ["reset"]);
    assert.deepEqual(validate([resetAt(3, "epoch")], truthMake("e"), truthMake("f")), []);
});

test("in the plain form, what is left out, doubled or swapped is named", () => {
    const of = (...seqs) => named(validate([record("plain", undefined, seqs.map((seq) => EVENTS[seq - 1]))], truthMake()));
    assert.deepEqual(of(3, 4, 5, 6), []);
    assert.deepEqual(of(3, 4, 6), ["no gap"]);
    assert.deepEqual(of(3, 4, 4, 5), ["unique"]);
    assert.deepEqual(of(3, 5, 4, 6), ["no gap", "ordered"]);
});

test("of --follow, what is left out, doubled or swapped is named, and an exit that is none", () => {
    const of = (code, ...seqs) => {
        const recording = record("follow", JOB, seqs.map((seq) => EVENTS[seq - 1]));
        recording.entries.push({ connection: 1, kind: "close", text: code });
        return named(validate([recording], truthMake()));
    };
    assert.deepEqual(of("0", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), []);
    assert.deepEqual(of("0", 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12), ["no gap"]);
    assert.deepEqual(of("0", 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), ["unique"]);
    assert.deepEqual(of("0", 1, 3, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12), ["no gap", "ordered"]);
    assert.deepEqual(of("0", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), ["no gap"]);
    assert.deepEqual(of("5", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), ["end"]);
});

test("lines of /logs that differ from the events are named", () => {
    const logs = EVENTS.filter(({ type }) => type === "job_log").map(({ seq, payload }) => ({ ...payload, seq }));
    assert.deepEqual(validateLines(logs, "j", truthMake()), []);
    assert.deepEqual(named(validateLines(logs.filter(({ line }) => line !== 4), "j", truthMake())), ["no gap"]);
    assert.deepEqual(named(validateLines(logs.slice(0, 9), "j", truthMake())), ["same"]);
    assert.deepEqual(named(validateLines(logs.map((l) => ({ ...l, message: l.line === 4 ? "?" : l.message })), "j", truthMake())), ["same"]);
});
