// The connection against a real WebSocket server that plays what networks and restarts do.
// Every event comes out exactly once and in order. (never again: 4, 5, 6, 13)
import assert from "node:assert/strict";
import test from "node:test";
import { WebSocket, WebSocketServer } from "ws";

import { Live, PROTOCOL } from "../../ui/live.js";
import { fold, initial, isComplete } from "../../ui/reducer.js";
import { historyMake, snapshot, topicEvents } from "./history.mjs";

// What is waited for and does not come is a failure, not a hang.
const story = (name, run) => test(name, { timeout: 20000 }, run);

const HELLO = {
    protocol: 1,
    server: "0.1.0",
    instance: "one",
    epoch: "e1",
    head: 100,
    ping_s: 20,
    max_frame: 131072,
};
const event = (seq) => ({ seq, type: "job_log", ts: "", payload: {} });
const range = (from, to) => Array.from({ length: to - from }, (_, i) => event(from + 1 + i));

// Things that happen, waited for one after the other.
class Queue {
    #items = [];
    #waiting = [];

    put(item) {
        const waiting = this.#waiting.shift();
        if (waiting) waiting(item);
        else this.#items.push(item);
    }

    take() {
        if (this.#items.length) return Promise.resolve(this.#items.shift());
        return new Promise((resolve) => this.#waiting.push(resolve));
    }

    async until(wanted) {
        for (;;) {
            const item = await this.take();
            if (wanted(item)) return item;
        }
    }
}

// Timers that fire when the test says so, whatever time it is.
class Clock {
    timers = new Map();
    next = 1;
    set = (run, ms) => {
        this.timers.set(this.next, { run, ms });
        return this.next++;
    };
    clear = (id) => this.timers.delete(id);

    fire(wanted) {
        for (const [id, { run, ms }] of [...this.timers]) {
            if (!wanted(ms)) continue;
            this.timers.delete(id);
            run();
        }
    }
}

// A server whose connections the test speaks for, and a client with its clock in the test's hand.
async function stage(t, options = {}) {
    const server = new WebSocketServer({
        port: 0,
        host: "127.0.0.1",
        handleProtocols: (offered) => offered.has(PROTOCOL) && PROTOCOL,
    });
    await new Promise((resolve) => server.once("listening", resolve));
    const arrivals = new Queue();
    server.on("connection", (ws) => {
        const peer = { ws, ops: new Queue(), say: (frame) => ws.send(JSON.stringify(frame)) };
        ws.on("message", (data) => peer.ops.put(JSON.parse(data)));
        arrivals.put(peer);
    });
    const clock = new Clock();
    const messages = new Queue();
    const statuses = new Queue();
    const refused = new Queue();
    const live = new Live({
        url: "ws://127.0.0.1:" + server.address().port,
        WebSocket,
        setTimeout: options.clock === false ? setTimeout : clock.set,
        clearTimeout: options.clock === false ? clearTimeout : clock.clear,
        random: () => 0.5,
        message: (m) => messages.put(m),
        status: (s) => statuses.put(s),
        refused: (topic, sentence) => refused.put(sentence),
        ...options.live,
    });
    t.after(() => {
        live.stop();
        for (const ws of server.clients) ws.terminate();
        server.close();
    });
    return { server, arrivals, clock, messages, statuses, refused, live };
}

// Up to a subscribed topic with its snapshot as of 100.
async function begun(t, options) {
    const s = await stage(t, options);
    s.live.open("job:1");
    s.live.start();
    const peer = await greeted(s);
    assert.deepEqual(await peer.ops.take(), { op: "sub", topic: "job:1", snapshot: true });
    peer.say({ type: "subscribed", topic: "job:1", from: 100, head: 100, floor: 0 });
    peer.say({ type: "snapshot", topic: "job:1", as_of: 100, state: {} });
    peer.say({ type: "caught_up", topic: "job:1", at: 100 });
    assert.equal((await s.messages.take()).type, "snapshot");
    return { ...s, peer };
}

async function greeted(s, hello = HELLO) {
    const peer = await s.arrivals.take();
    assert.equal(peer.ws.protocol, PROTOCOL);
    peer.say({ type: "status", payload: hello });
    return peer;
}

const frame = (from, to, events = range(from, to)) => ({
    type: "events",
    topic: "job:1",
    from,
    to,
    events,
});
const seqs = (message) => message.events.map((e) => e.seq);

story("a topic that the server cannot open now is asked for again", async (t) => {
    const s = await stage(t);
    s.live.open("job:1");
    s.live.start();
    const peer = await greeted(s);
    const wanted = { op: "sub", topic: "job:1", snapshot: true };
    assert.deepEqual(await peer.ops.take(), wanted);
    peer.say({ type: "error", code: "io", message: "the disk", retry: true, topic: "job:1" });
    await s.refused.take();
    s.clock.fire((ms) => ms === 5000);
    assert.deepEqual(await peer.ops.take(), wanted);
});

story("totals that never match are not asked for without end", async (t) => {
    const s = await begun(t, { live: { complete: () => false } });
    const { peer } = s;
    for (let i = 0; i < 3; i++) {
        peer.say({ type: "end", topic: "job:1", to: 100, lines: {} });
        assert.deepEqual(await peer.ops.take(), { op: "sub", topic: "job:1", snapshot: true });
        peer.say({ type: "snapshot", topic: "job:1", as_of: 100, state: {} });
        await s.messages.take();
    }
    peer.say({ type: "end", topic: "job:1", to: 100, lines: {} });
    peer.say({ type: "error", code: "unknown_topic", message: "next", retry: false, topic: "x" });
    await s.refused.take();
    s.live.open("job:2");
    assert.equal((await peer.ops.take()).topic, "job:2");
});

story(
    "frames that tile come out as they are; a bookmark moves the cursor and says nothing",
    async (t) => {
        const { peer, messages, live } = await begun(t);
        peer.say(frame(100, 103));
        peer.say(frame(103, 110, []));
        peer.say(frame(110, 112));
        assert.deepEqual(seqs(await messages.take()), [101, 102, 103]);
        assert.deepEqual(seqs(await messages.take()), [111, 112]);
        assert.equal(live.cursor("job:1"), "e1:112");
    },
);

story("what came before is skipped, wholly and in part", async (t) => {
    const { peer, messages } = await begun(t);
    peer.say(frame(100, 105));
    peer.say(frame(100, 105));
    peer.say(frame(102, 107));
    assert.deepEqual(seqs(await messages.take()), [101, 102, 103, 104, 105]);
    assert.deepEqual(seqs(await messages.take()), [106, 107]);
});

story("a gap is never applied: the topic is subscribed again from the cursor", async (t) => {
    const { peer, messages } = await begun(t);
    peer.say(frame(100, 102));
    peer.say(frame(105, 108)); // 103 to 105 are missing
    peer.say(frame(108, 109)); // still of the old subscription
    assert.deepEqual(await peer.ops.take(), { op: "sub", topic: "job:1", since: "e1:102" });
    peer.say({ type: "subscribed", topic: "job:1", from: 102, head: 109, floor: 0 });
    peer.say(frame(102, 109));
    assert.deepEqual(seqs(await messages.take()), [101, 102]);
    assert.deepEqual(seqs(await messages.take()), [103, 104, 105, 106, 107, 108, 109]);
});

story("a server that only makes gaps is asked for a snapshot", async (t) => {
    const { peer } = await begun(t);
    for (let i = 0; i < 3; i++) {
        peer.say(frame(200, 201));
        assert.equal((await peer.ops.take()).since, "e1:100");
        peer.say({ type: "subscribed", topic: "job:1", from: 100, head: 201, floor: 0 });
    }
    peer.say(frame(200, 201));
    assert.equal((await peer.ops.take()).snapshot, true);
});

story("after a reset nothing counts until the snapshot is there", async (t) => {
    const { peer, messages, live } = await begun(t);
    peer.say({ type: "reset", topic: "job:1", reason: "pruned" });
    peer.say(frame(100, 101));
    peer.say({ type: "snapshot", topic: "job:1", as_of: 300, state: { fresh: true } });
    peer.say(frame(300, 301));
    assert.deepEqual((await messages.take()).state, { fresh: true });
    assert.deepEqual(seqs(await messages.take()), [301]);
    assert.equal(live.cursor("job:1"), "e1:301");
});

story("who comes back far behind asks for the newest state, and is at once where the others are", async (t) => {
    const s = await begun(t);
    s.peer.ws.terminate();
    await s.statuses.until((x) => x.state === "offline");
    s.clock.fire((ms) => ms === 500);
    const again = await greeted(s);
    assert.equal((await again.ops.take()).since, "e1:100");
    again.say({ type: "subscribed", topic: "job:1", from: 100, head: 60101, floor: 0 });
    assert.deepEqual(await again.ops.take(), { op: "sub", topic: "job:1", snapshot: true });
    again.say(frame(100, 104)); // on its way already
    again.say({ type: "subscribed", topic: "job:1", from: 60101, head: 60101, floor: 0 });
    again.say({ type: "snapshot", topic: "job:1", as_of: 60101, state: { newest: true } });
    again.say(frame(60101, 60102));
    assert.deepEqual((await s.messages.take()).state, { newest: true });
    assert.deepEqual(seqs(await s.messages.take()), [60102]);
    again.say({ type: "lag", topic: "job:1", events: 50000 }); // near enough to go through
    again.say(frame(60102, 60103));
    assert.deepEqual(seqs(await s.messages.take()), [60103]);
    again.say({ type: "lag", topic: "job:1", events: 50001 });
    assert.deepEqual(await again.ops.take(), { op: "sub", topic: "job:1", snapshot: true });
});

story(
    "a lost connection goes on from its cursor, and says since when and until when",
    async (t) => {
        const s = await begun(t);
        s.peer.say(frame(100, 104));
        await s.messages.take();
        s.peer.ws.terminate();
        const offline = await s.statuses.until((x) => x.state === "offline");
        assert.equal(offline.retryAt - offline.since, 500); // half of the first second: random is 0.5
        s.clock.fire((ms) => ms === 500);
        const again = await greeted(s);
        assert.deepEqual(await again.ops.take(), { op: "sub", topic: "job:1", since: "e1:104" });
        again.say({ type: "subscribed", topic: "job:1", from: 104, head: 106, floor: 0 });
        assert.equal((await s.statuses.until((x) => x.state === "catching")).behind, 2);
        again.say(frame(104, 106));
        again.say({ type: "caught_up", topic: "job:1", at: 106 });
        assert.deepEqual(seqs(await s.messages.take()), [105, 106]);
        await s.statuses.until((x) => x.state === "live");
    },
);

story("tries come later and later, at most every 30 seconds, until one succeeds", async (t) => {
    const s = await stage(t);
    s.live.open("jobs");
    s.live.start();
    const waits = [];
    for (let i = 0; i < 8; i++) {
        (await s.arrivals.take()).ws.terminate();
        const offline = await s.statuses.until((x) => x.state === "offline" && x.retryAt !== null);
        const wait = [...s.clock.timers.values()]
            .map((x) => x.ms)
            .find((ms) => ms % 500 === 0 && ms !== 400 && ms <= 15000);
        waits.push(wait);
        assert.ok(offline.since);
        s.live.retry();
    }
    assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
});

// What is waited before the first try after this close; by itself it would be 500 ms.
async function waitAfter(t, code, reason) {
    const s = await begun(t);
    s.peer.ws.close(code, reason);
    const offline = await s.statuses.until((x) => x.state === "offline");
    const wait = offline.retryAt - offline.since;
    s.clock.fire((ms) => ms === wait);
    await s.arrivals.take();
    return wait;
}

story("a server that restarts says when to come back, and that is kept to", async (t) => {
    assert.equal(await waitAfter(t, 4001, "restart; retry_ms=734"), 734);
    assert.equal(await waitAfter(t, 4001, "retry_ms=0"), 0);
    assert.equal(await waitAfter(t, 4001, "restart; retry_ms=999999999"), 30000);
});

story("a wait that is no number, or of another close, is not kept to", async (t) => {
    assert.equal(await waitAfter(t, 4001, "restart"), 500);
    assert.equal(await waitAfter(t, 4001, "restart; retry_ms=-5"), 500);
    assert.equal(await waitAfter(t, 4001, "restart; no_retry_ms=5"), 500);
    assert.equal(await waitAfter(t, 4003, "retry_ms=734"), 500);
});

story("only the first try keeps to the wait that was told", async (t) => {
    const s = await begun(t);
    s.peer.ws.close(4001, "restart; retry_ms=734");
    await s.statuses.until((x) => x.state === "offline");
    s.live.retry();
    (await s.arrivals.take()).ws.close(4001, "restart; retry_ms=734");
    await s.statuses.until((x) => x.state === "offline" && x.retryAt !== null);
    assert.deepEqual(
        [...s.clock.timers.values()].map((x) => x.ms).filter((ms) => ms !== 400),
        [1000],
    );
});

story("silence longer than the heartbeat allows counts as lost, any frame as life", async (t) => {
    const s = await begun(t, {});
    s.peer.say(frame(100, 100, []));
    s.peer.say(frame(100, 101));
    await s.messages.take();
    const watch = [...s.clock.timers.values()].filter((x) => x.ms === 50000);
    assert.equal(watch.length, 1);
    s.clock.fire((ms) => ms === 50000);
    await s.statuses.until((x) => x.state === "offline");
});

story("a restarted server is named, the place is kept", async (t) => {
    const s = await begun(t);
    s.peer.ws.close(4001);
    await s.statuses.until((x) => x.state === "offline");
    s.live.retry();
    const again = await greeted(s, { ...HELLO, instance: "two" });
    await s.statuses.until((x) => x.state === "restarted");
    assert.equal((await again.ops.take()).since, "e1:100");
    again.say({ type: "caught_up", topic: "job:1", at: 100 });
    s.clock.fire((ms) => ms === 6000);
    await s.statuses.until((x) => x.state === "live");
});

story("a close for good is not tried again", async (t) => {
    const s = await begun(t);
    s.peer.ws.close(4505);
    const stopped = await s.statuses.until((x) => x.state === "stopped");
    assert.match(stopped.reason, /reload/);
    assert.equal(
        [...s.clock.timers.values()].some((x) => x.ms === 500),
        false,
    );
});

story(
    "an end whose totals do not match is answered with a snapshot, one that does ends it",
    async (t) => {
        const told = [];
        let complete = false;
        const s = await begun(t, {
            live: { complete: (topic, lines) => (told.push(lines), complete) },
        });
        s.peer.say(frame(100, 104));
        s.peer.say({ type: "end", topic: "job:1", to: 104, lines: { a: 9 } });
        assert.deepEqual(await s.peer.ops.take(), { op: "sub", topic: "job:1", snapshot: true });
        complete = true;
        s.peer.say({ type: "snapshot", topic: "job:1", as_of: 104, state: {} });
        s.peer.say({ type: "end", topic: "job:1", to: 104, lines: { a: 9 } });
        s.peer.say({ type: "lag", topic: "job:1", events: 0 });
        s.peer.ws.ping();
        await new Promise((resolve) => s.peer.ws.once("pong", resolve));
        assert.deepEqual(told, [{ a: 9 }, { a: 9 }]);
        s.peer.ws.terminate();
        await s.statuses.until((x) => x.state === "offline");
        s.live.open("jobs");
        s.live.retry();
        const again = await greeted(s);
        assert.equal((await again.ops.take()).topic, "jobs"); // what has ended is not asked for again
    },
);

story("what was applied is acknowledged every 256 KiB, with the newest place", async (t) => {
    const s = await begun(t);
    const big = (from) =>
        frame(from, from + 1, [{ ...event(from + 1), pad: "x".repeat(100 * 1024) }]);
    for (let i = 0; i < 6; i++) s.peer.say(big(100 + i));
    assert.deepEqual(await s.peer.ops.take(), { op: "ack", topic: "job:1", to: 103 });
    assert.deepEqual(await s.peer.ops.take(), { op: "ack", topic: "job:1", to: 106 });
});

story("many topics at once stay below the server's 20 frames a second", async (t) => {
    const s = await stage(t);
    for (let i = 0; i < 30; i++) s.live.open("job:" + i);
    s.live.start();
    const peer = await greeted(s);
    for (let i = 0; i < 8; i++) await peer.ops.take();
    let more = 0;
    peer.ws.on("message", () => more++);
    for (let i = 0; i < 10; i++) s.clock.fire((ms) => ms === 100); // one second
    peer.ws.ping();
    await new Promise((resolve) => peer.ws.once("pong", resolve));
    assert.equal(more, 10);
});

story("a topic that is closed is unsubscribed, its late frames are dropped", async (t) => {
    const s = await begun(t);
    s.live.close("job:1");
    assert.deepEqual(await s.peer.ops.take(), { op: "unsub", topic: "job:1" });
    s.peer.say(frame(100, 105));
    s.live.open("job:2");
    assert.equal((await s.peer.ops.take()).topic, "job:2");
    s.peer.say({ type: "snapshot", topic: "job:2", as_of: 105, state: {} });
    assert.equal((await s.messages.take()).topic, "job:2");
});

// The whole road: a server that cuts connections, doubles and loses frames; the page's state at
// the end is that of a page that was loaded then.
story("through cuts, doubled and lost frames the state ends as a fresh page's", async (t) => {
    const { events } = historyMake(5, 3, 30);
    const topic = "job:" + events.find((e) => e.type === "step_progress").payload.manager_id;
    let state = initial();
    const done = new Queue();
    const s = await stage(t, {
        clock: false,
        live: {
            random: () => 0,
            message: (m) => (state = fold(state, m)),
            complete: (name, lines) => {
                const good = isComplete(state, name, lines);
                if (good) done.put(name);
                return good;
            },
        },
    });
    let step = 0;
    const serve = (peer, cursor) => {
        while (peer.ws.readyState === 1 && cursor < events.length) {
            step += 1;
            const to = Math.min(events.length, cursor + 1 + ((step * 7) % 23));
            const say = (from) =>
                peer.say({
                    type: "events",
                    topic,
                    from,
                    to,
                    events: topicEvents(events.slice(from, to), topic),
                });
            if (step % 11 === 0) return peer.ws.terminate();
            if (step % 7 !== 0) say(cursor); // otherwise lost
            if (step % 5 === 0) say(Math.max(0, cursor - 3)); // doubled
            cursor = to;
        }
        const full = snapshot(events, topic);
        peer.say({
            type: "end",
            topic,
            to: events.length,
            lines: Object.fromEntries(full.steps.map((x) => [x.step_id, x.total_logs])),
        });
    };
    const welcome = async () => {
        for (;;) {
            const peer = await s.arrivals.take();
            peer.say({ type: "status", payload: HELLO });
            peer.ws.on("message", (data) => {
                const op = JSON.parse(data);
                if (op.op !== "sub") return;
                const at = op.snapshot
                    ? events.findIndex((e) => topicEvents([e], topic).length) + 1
                    : Number(op.since.split(":")[1]);
                peer.say({ type: "subscribed", topic, from: at, head: events.length, floor: 0 });
                if (op.snapshot)
                    peer.say({
                        type: "snapshot",
                        topic,
                        as_of: at,
                        state: snapshot(events.slice(0, at), topic),
                    });
                serve(peer, at);
            });
        }
    };
    welcome();
    s.live.open(topic);
    s.live.start();
    assert.equal(await done.take(), topic);
    const fresh = fold(initial(), { type: "snapshot", topic, state: snapshot(events, topic) });
    assert.deepEqual(state, fresh);
});
