// What a page shows after live events is what a reload would show: the fold of any snapshot and
// any events after it is the snapshot at the end. (never again: 1, 2, 3)
import assert from "node:assert/strict";
import test from "node:test";

import {
    JOBS,
    TAIL,
    fold,
    initial,
    isComplete,
    jobState,
    jobTopic,
} from "../../ui/reducer.js";
import {
    History,
    historyMake,
    jobMake,
    linesOf,
    random,
    snapshot,
    topicEvents,
} from "./history.mjs";

const loaded = (events, topic, state = initial()) =>
    fold(state, { type: "snapshot", topic, state: structuredClone(snapshot(events, topic)) });

const lived = (state, topic, events) => fold(state, { type: "events", topic, events });

function topicsOf(events) {
    const ids = new Set(events.map((e) => e.payload.manager_id));
    return [JOBS, ...[...ids].map(jobTopic)];
}

// Of the first job that got as far as to report progress.
const busyTopic = (events) =>
    jobTopic(events.find((e) => e.type === "step_progress").payload.manager_id);

// Begins of jobs are folded from nothing: an empty list, or no tree yet.
const emptyState = () => loaded([], JOBS);

test("event by event, at every prefix the page is what a reload would show", () => {
    const { events } = historyMake(1, 4);
    for (const topic of topicsOf(events)) {
        let state = emptyState();
        events.forEach((event, i) => {
            const mine = topicEvents([event], topic);
            state = lived(state, topic, mine);
            const prefix = events.slice(0, i + 1);
            if (topic !== JOBS && !topicEvents(prefix, topic).length) return;
            const fresh = loaded(prefix, topic);
            const where = topic + " after event " + event.seq + " (" + event.type + ")";
            if (topic === JOBS) assert.deepEqual(state.list, fresh.list, where);
            else assert.deepEqual(state.trees, fresh.trees, where);
        });
    }
});

test("a snapshot at any moment and the rest in frames of any size end in the same state", () => {
    for (let seed = 2; seed < 14; seed++) {
        const { events } = historyMake(seed, 5, 40);
        const rand = random(seed + 1000);
        for (const topic of topicsOf(events)) {
            const begin = events.findIndex((e) => topicEvents([e], topic).length) + 1;
            let at = begin + Math.floor(rand() * (events.length - begin));
            let state = loaded(events.slice(0, at), topic);
            while (at < events.length) {
                const to = Math.min(events.length, at + 1 + Math.floor(rand() * 60));
                state = lived(state, topic, topicEvents(events.slice(at, to), topic));
                at = to;
            }
            assert.deepEqual(state, loaded(events, topic), "seed " + seed + " " + topic);
        }
    }
});

test("of many jobs the list keeps the newest and all that are not final", () => {
    const { events } = historyMake(99, 120, 2);
    let state = emptyState();
    for (let at = 0; at < events.length; at += 37) {
        state = lived(state, JOBS, topicEvents(events.slice(at, at + 37), JOBS));
        assert.deepEqual(state.list, loaded(events.slice(0, at + 37), JOBS).list);
    }
    assert.equal(state.list.total_count, 120);
    assert.equal(state.list.order.length, 50);
});

test("every event type that is painted changes the state", () => {
    const { events } = historyMake(3, 2);
    for (const type of ["job_log", "step_progress", "job_status_change"]) {
        const topic = busyTopic(events);
        const [begin, ...rest] = topicEvents(events, topic);
        const all = lived(loaded([begin], topic), topic, rest);
        const less = lived(
            loaded([begin], topic),
            topic,
            rest.filter((e) => e.type !== type),
        );
        assert.notDeepEqual(all, less, type);
    }
});

test("a state is never changed, only replaced, and what stayed the same is shared", () => {
    const { events } = historyMake(4, 3);
    const topic = busyTopic(events);
    let state = emptyState();
    const freeze = (o) => {
        if (o && typeof o === "object" && !Object.isFrozen(o))
            Object.values(Object.freeze(o)).forEach(freeze);
        return o;
    };
    for (const event of events) {
        const before = freeze(state);
        for (const t of [JOBS, topic]) state = lived(state, t, topicEvents([event], t));
        if (event.type !== "job_log" || jobTopic(event.payload.manager_id) !== topic) continue;
        const of = (s) =>
            jobState(s, event.payload.manager_id).steps.filter(
                (x) => x.step_id !== event.payload.step_id,
            );
        of(state).forEach((step, i) => assert.equal(step, of(before)[i]));
        assert.equal(state.list, before.list);
    }
});

function longJob(lines) {
    const history = new History();
    const job = jobMake(1);
    history.jobStatus(job, "pending");
    history.jobStatus(job, "running");
    history.stepStatus(job, job.steps[0], "running");
    for (let i = 0; i < lines; i++) history.line(job, job.steps[0], "info", "line " + i);
    return { history, job, topic: jobTopic(job.job_id), step: job.steps[0] };
}

test("the server's numbers are kept, the newest lines are held", () => {
    const { history, topic } = longJob(812);
    const state = lived(emptyState(), topic, history.events);
    const [step] = state.trees[topic.slice(4)].steps;
    assert.equal(step.total_logs, 812);
    assert.deepEqual(
        [step.logs.length, step.logs[0].line, step.logs.at(-1).line],
        [TAIL, 713, 812],
    );
});

test("of a job whose end is watched more lines are kept, until it is closed", () => {
    const { history, topic } = longJob(5000);
    let state = fold(loaded(history.events.slice(0, 300), topic), { type: "tail", topic, lines: 512 });
    const first = () => state.trees[topic.slice(4)].steps[0];
    state = lived(state, topic, history.events.slice(300));
    assert.deepEqual([first().logs.length, first().logs.at(-1).line], [512, 5000]);
    state = lived(loaded(history.events.slice(0, 300), topic, state), topic, history.events.slice(300));
    assert.equal(first().logs.length, 512, "a snapshot changes nothing about that");
    state = fold(state, { type: "close", topic });
    state = loaded(history.events.slice(0, 300), topic, state);
    state = lived(state, topic, history.events.slice(300));
    assert.equal(first().logs.length, TAIL);
});

test("lines that are there already are not counted twice", () => {
    const { history, topic } = longJob(50);
    const once = loaded(history.events, topic);
    assert.deepEqual(lived(once, topic, history.events.slice(-20)), once);
});

test("an end is checked by its totals", () => {
    const { history, topic, step } = longJob(50);
    const state = loaded(history.events, topic);
    assert.equal(isComplete(state, topic, { [step.step_id]: 50 }), true);
    assert.equal(isComplete(state, topic, { [step.step_id]: 51 }), false);
    assert.equal(isComplete(state, topic, { [step.step_id]: 50, [topic.slice(4)]: 1 }), false);
});

test("a job that is closed leaves nothing behind, the list stays", () => {
    const { history, job, topic } = longJob(5);
    let state = loaded(history.events, topic, loaded(history.events, JOBS));
    state = fold(state, { type: "close", topic });
    assert.deepEqual(state.trees, {});
    assert.equal(jobState(state, job.job_id).status, "running");
});
