// The live protocol as a WebSocket client sees it, in both forms, with what goes wrong.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test as nodeTest } from "node:test";

import { serve } from "./server.mjs";

// A hang is a failure too.
const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const V1 = "tailrace.v1";
const definitions = {
    "lines.yaml": `
id: lines
name: Lines
steps:
  - name: make
    type: generator
    config: { worker_count: 2, log_count: 100, log_delay_ms: 1, concurrency: 2 }
`,
    "waits.yaml": `
id: waits
name: Waits
steps:
  - name: wait
    type: shell
    config: { command: "exec sleep 1000" }
`,
    "many.yaml": `
id: many
name: Many lines
steps:
  - name: make
    type: generator
    config: { worker_count: 4, log_count: 10000, concurrency: 4 }
`,
};

// Applies frames by the client's whole rule; a gap is an error.
class Follower {
    constructor(cursor) {
        this.cursor = cursor;
        this.events = [];
    }

    take(frame) {
        assert.ok(frame.from <= this.cursor, `a gap: frame from ${frame.from}, cursor ${this.cursor}`);
        for (const event of frame.events) if (event.seq > this.cursor) this.events.push(event);
        this.cursor = Math.max(this.cursor, frame.to);
    }
}

// Subscribes and follows until the topic's end; `frames` limits how many are taken first.
async function follow(socket, topic, since, stopAfter = Infinity) {
    const follower = new Follower(Number(since.split(":")[1]));
    socket.send({ op: "sub", topic, since });
    await socket.next((m) => m.type === "subscribed" && m.topic === topic);
    for (let frames = 0; frames < stopAfter; ) {
        const m = await socket.next((m) => m.topic === topic);
        if (m.type === "end") return { follower, end: m };
        if (m.type !== "events") continue;
        follower.take(m);
        frames += 1;
    }
    return { follower };
}

const lineOf = (event) => [event.payload.step_id, event.payload.line, event.payload.message];

// The server's own "started" has the first number, and is no event of a job.
async function begun(server) {
    while ((await server.cursor()).endsWith(":0"));
}

test("a v1 client is greeted first, and follows a job from its first event to its end", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const socket = server.socket(V1);
    const status = await socket.next();
    assert.equal(status.type, "status");
    assert.equal(status.payload.protocol, 1);
    assert.equal(status.payload.ping_s, 20);
    assert.equal(status.payload.epoch + ":0", since);
    assert.equal(socket.ws.protocol, V1);

    const id = await server.execute("lines");
    const { follower, end } = await follow(socket, `job:${id}`, since);
    assert.equal(follower.events.at(-1).payload.status, "completed");
    const lines = (await server.get(`/api/jobs/${id}/logs`)).body.logs;
    assert.deepEqual(follower.events.filter((e) => e.type === "job_log").map(lineOf),
        lines.map((line) => [line.step_id, line.line, line.message]));
    const step = lines.find((line) => line.step_name === "make").step_id;
    assert.equal(end.lines[step], lines.filter((line) => line.step_id === step).length);
    assert.ok(socket.seen.some((m) => m.type === "caught_up"));
    await socket.close();
});

test("a snapshot is the tree that REST shows, and what follows begins behind it", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("lines");
    const socket = server.socket(V1);
    await socket.next("status");
    socket.send({ op: "sub", topic: `job:${id}`, snapshot: true });
    const snapshot = await socket.next("snapshot");
    const { body } = await server.get(`/api/jobs/${id}/tree`);
    for (const step of body.steps) delete step.child_summary.error_groups;
    assert.deepEqual(snapshot.state, body);
    const end = await socket.next("end");
    assert.equal(end.to, snapshot.as_of);

    socket.send({ op: "sub", topic: `job:${id}`, tail: 7 });
    assert.equal((await socket.next("snapshot")).state.steps[0].logs.length, 7);
    socket.send({ op: "sub", topic: "jobs", snapshot: true });
    const jobs = await socket.next((m) => m.type === "snapshot" && m.topic === "jobs");
    assert.deepEqual(jobs.state.jobs.map((job) => job.job_id), [id]);
    assert.equal(jobs.state.stats.completed_jobs, 1);
    await socket.close();
});

test("a client that goes away again and again sees every event once", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const id = await server.execute("many");
    const events = [];
    for (let cursor = since; ; ) {
        const socket = server.socket(V1);
        await socket.next("status");
        const { follower, end } = await follow(socket, `job:${id}`, cursor, 5);
        events.push(...follower.events);
        cursor = cursor.replace(/:.*/, `:${follower.cursor}`);
        socket.ws.terminate();
        if (end) break;
    }
    const seqs = events.map((event) => event.seq);
    assert.equal(new Set(seqs).size, seqs.length);
    assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
    const { total_count } = (await server.get(`/api/jobs/${id}/logs?limit=1`)).body;
    assert.equal(events.filter((event) => event.type === "job_log").length, total_count);
    assert.ok(total_count > 40000);
});

test("a cursor that cannot be followed gives a reset with its reason, then the state", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("lines");
    const epoch = (await server.cursor()).split(":")[0];
    const socket = server.socket(V1);
    await socket.next("status");
    for (const [since, reason] of [["0123456789abcdef:5", "epoch"], [`${epoch}:999999`, "ahead"]]) {
        socket.send({ op: "sub", topic: `job:${id}`, since });
        assert.equal((await socket.next("reset")).reason, reason);
        assert.equal((await socket.next("snapshot")).state.job_id, id);
        await socket.next("end");
    }
    await socket.close();
});

test("wrong messages are answered with what is wrong, and the connection goes on", async (t) => {
    const server = await serve(t, { definitions });
    const socket = server.socket(V1);
    await socket.next("status");
    const wrong = [
        [{ op: "dance", topic: "jobs" }, "unknown_op", /sub, unsub, ack/],
        [{ topic: "jobs" }, "unknown_op", /sub, unsub, ack/],
        [{ op: "sub" }, "bad_request", /topic/],
        [{ op: "sub", topic: "weather" }, "unknown_topic", /weather.*jobs/],
        [{ op: "sub", topic: "job:7" }, "unknown_topic", /job:7/],
        [{ op: "sub", topic: "job:01a209d3-acbf-7000-81fd-53967694f021" }, "unknown_topic", /01a209d3/],
        [{ op: "sub", topic: "jobs", since: "yesterday" }, "bad_cursor", /epoch:seq/],
        [{ op: "sub", topic: "jobs", tail: -1 }, "bad_cursor", /tail/],
        [{ op: "ack", topic: "jobs" }, "bad_request", /`to`/],
    ];
    for (const [message, code, sentence] of wrong) {
        socket.send(message);
        const error = await socket.next("error");
        assert.equal(error.code, code, JSON.stringify(message));
        assert.match(error.message, sentence);
        assert.equal(error.retry, false);
    }
    socket.send({ op: "sub", topic: "jobs", snapshot: true });
    await socket.next("snapshot");
    await socket.close();
});

test("64 subscriptions are the most for one connection", async (t) => {
    const server = await serve(t, { definitions });
    const ids = await Promise.all(Array.from({ length: 16 }, () => server.execute("waits")));
    const topics = ids.flatMap((id) => ["debug", "info", "warn", "error"].map((level) => `job:${id}?min=${level}`));
    const socket = server.socket(V1);
    await socket.next("status");
    for (const topic of topics) socket.send({ op: "sub", topic });
    socket.send({ op: "sub", topic: "jobs" });
    assert.equal((await socket.next("error")).code, "too_many_subscriptions");
    socket.send({ op: "unsub", topic: topics[0] });
    socket.send({ op: "sub", topic: "jobs" });
    await socket.next((m) => m.type === "subscribed" && m.topic === "jobs");
    await socket.close();
});

test("rubbish closes the connection with a code and a reason, and nothing else suffers", async (t) => {
    const server = await serve(t, { definitions });
    const healthy = server.socket(V1);
    await healthy.next("status");
    const cases = [
        [(ws) => ws.send("this is not JSON"), 4500, /JSON object/],
        [(ws) => ws.send("[1,2]"), 4500, /JSON object/],
        [(ws) => ws.send(JSON.stringify({ op: "sub", topic: "x".repeat(17000) })), 4500, /too large/],
        [(ws) => ws.send(Buffer.from([1, 2, 3])), 1003, /text/],
        [(ws) => { for (let i = 0; i < 200; i++) ws.send('{"op":"unsub","topic":"jobs"}'); }, 4500, /20 messages a second/],
    ];
    for (const [send, code, reason] of cases) {
        const socket = server.socket(V1);
        await socket.next("status");
        send(socket.ws);
        const closed = await socket.closed;
        assert.equal(closed.code, code);
        assert.match(closed.reason, reason);
    }
    healthy.send({ op: "sub", topic: "jobs", snapshot: true });
    await healthy.next("snapshot");
    await healthy.close();
    assert.equal((await server.get("/api/health")).status, 200);
});

// A client written by hand: what it sends need not be right.
async function raw(server, head) {
    const socket = net.connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    const state = { socket, bytes: Buffer.alloc(0), ended: once(socket, "close") };
    socket.on("data", (data) => (state.bytes = Buffer.concat([state.bytes, data])));
    socket.on("error", () => {});
    socket.write(head);
    return state;
}

const HANDSHAKE = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

test("bytes that are no WebSocket frames get 1002, also glued to the handshake", async (t) => {
    const server = await serve(t);
    const glued = await raw(server, Buffer.concat([Buffer.from(HANDSHAKE + "\r\n"), Buffer.from([0x81, 0x05, 72, 101, 108, 108, 111])]));
    await glued.ended;
    const head = glued.bytes.indexOf("\r\n\r\n") + 4;
    assert.match(glued.bytes.subarray(0, head).toString(), /^HTTP\/1.1 101[^]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
    assert.equal(glued.bytes[head], 0x88);
    assert.equal(glued.bytes.readUInt16BE(head + 2), 1002);
    assert.match(glued.bytes.subarray(head + 4).toString(), /masked/);
});

test("the first frame is not glued to the handshake's answer", async (t) => {
    const server = await serve(t);
    for (let isGlued = true, tries = 100; isGlued; tries--) { // by a busy client, which reads late: then another one
        assert.ok(tries > 0, "it always is");
        const client = await raw(server, HANDSHAKE + "\r\n");
        const [first] = await once(client.socket, "data");
        isGlued = !first.toString("latin1").endsWith("\r\n\r\n");
        if (!isGlued) await once(client.socket, "data");
        client.socket.destroy();
    }
});

test("a handshake that is wrong is answered over HTTP", async (t) => {
    const server = await serve(t);
    const plain = await server.get("/ws");
    assert.equal(plain.status, 426);
    assert.equal(plain.headers.get("upgrade"), "websocket");
    const isWhole = (text) => text.split("\r\n\r\n")[1]?.length >= Number(/^content-length: (\d+)/im.exec(text)?.[1]);
    const answer = async (head) => {
        const client = await raw(server, head);
        while (!isWhole(client.bytes.toString())) await once(client.socket, "data");
        client.socket.destroy();
        return client.bytes.toString();
    };
    assert.match(await answer(HANDSHAKE.replace("13", "8") + "\r\n"), /^HTTP\/1.1 426[^]*Sec-WebSocket-Version: 13/);
    assert.match(await answer(HANDSHAKE.replace("dGhl", "") + "\r\n"), /^HTTP\/1.1 400[^]*Sec-WebSocket-Key/);
    assert.match(await answer(HANDSHAKE + "Sec-WebSocket-Protocol: chat\r\n\r\n"), /^HTTP\/1.1 400[^]*tailrace\.v1/);
    assert.match(await answer(HANDSHAKE + "Origin: http://evil.example\r\n\r\n"), /^HTTP\/1.1 403[^]*evil\.example/);
    assert.match(await answer(HANDSHAKE.replace("127.0.0.1", "evil.example") + "\r\n"), /^HTTP\/1.1 403/);
});

test("a plain client misses nothing after its status, also when the server is busy reading", async (t) => {
    const load = "id: load\nname: Load\nsteps:\n  - { name: s, type: generator, config: { worker_count: 1, log_count: 100000 } }\n";
    const server = await serve(t, { definitions: { ...definitions, "load.yaml": load }, env: { UV_THREADPOOL_SIZE: "1" } });
    const big = await server.run("load");
    const searches = Array.from({ length: 20 }, (_, i) => server.get(`/api/jobs/${big}/search?step=s&q=nothing+${i}`));
    await searches[0];
    const socket = server.socket();
    const { payload } = await socket.next("status");
    const id = await server.run("lines");
    await socket.next((m) => m.type === "job_status_change" && m.payload.job_id === id && m.payload.status === "completed");
    const events = socket.seen.filter((m) => m.type !== "status");
    assert.deepEqual(events.map((m) => m.seq), events.map((_, i) => payload.head + i + 1));
    assert.deepEqual((await Promise.all(searches)).map(({ status }) => status), searches.map(() => 200));
    await socket.close();
});

test("a plain client gets status first, then every event of every job, whatever it says", async (t) => {
    const server = await serve(t, { definitions });
    await begun(server);
    const socket = server.socket();
    const status = await socket.next();
    assert.equal(status.type, "status");
    assert.equal(status.payload.status, "running");
    socket.send("this is not JSON, and nobody minds");
    const ids = [await server.run("lines"), await server.run("lines")];
    for (const id of ids)
        await socket.next((m) => m.type === "job_status_change" && m.payload.job_id === id && m.payload.status === "completed");
    const events = socket.seen.filter((m) => m.type !== "status");
    assert.deepEqual(events.map((m) => m.seq), events.map((_, i) => status.payload.head + i + 1));
    for (const event of events) {
        assert.ok(ids.includes(event.payload.manager_id));
        if (event.payload.step_id) assert.equal(event.payload.step_name, "make");
    }
    assert.ok(events.filter((m) => m.type === "job_log").length > 400);
    assert.ok(events.some((m) => m.type === "step_progress"));
    await socket.close();
});

test("a plain client is told the status again without asking", async (t) => {
    const server = await serve(t);
    const socket = server.socket();
    await socket.next("status");
    await socket.next("status");
    await socket.next("status");
    await socket.close();
});

test("a client that does not read costs nothing, and misses nothing when it reads again", async (t) => {
    const server = await serve(t, { definitions });
    await begun(server);
    const slow = server.socket();
    const { payload } = await slow.next("status");
    slow.ws.pause();
    const id = await server.run("many");
    slow.ws.resume();
    await slow.next((m) => m.type === "job_status_change" && m.payload.job_id === id && m.payload.status === "completed");
    const events = slow.seen.filter((m) => m.type !== "status");
    assert.deepEqual(events.map((m) => m.seq), events.map((_, i) => payload.head + i + 1));
    slow.ws.terminate();
});

test("who acknowledges gets at most a mebibyte ahead of it, and then the rest", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const id = await server.run("many");
    const topic = `job:${id}`;
    const socket = server.socket(V1);
    await socket.next("status");
    socket.send({ op: "ack", topic, to: 0 });
    socket.send({ op: "sub", topic, since });
    let bytes = 0;
    socket.ws.on("message", (data) => (bytes += data.length));
    const pong = once(socket.ws, "pong"); // it comes when the server has nothing to send any more
    while (bytes < 1024 * 1024) await socket.next("events");
    socket.ws.ping();
    await pong;
    assert.ok(bytes < 1.3 * 1024 * 1024, `${bytes} bytes came`);
    assert.ok(!socket.seen.some((m) => m.type === "end"));
    for (let acked = 0, last; last?.type !== "end"; acked = bytes) {
        socket.send({ op: "ack", topic, to: socket.seen.filter((m) => m.type === "events").at(-1).to });
        last = await socket.next((m) => m.type === "end" || bytes - acked > 512 * 1024); // it takes 20 messages a second
    }
    await socket.close();
});

test("silence is broken by a bookmark for each topic and a ping", async (t) => {
    const server = await serve(t, { args: ["--heartbeat", "1"] });
    const socket = server.socket(V1);
    await socket.next("status");
    const ping = once(socket.ws, "ping");
    socket.send({ op: "sub", topic: "jobs", since: await server.beginning() });
    const bookmark = await socket.next("events");
    assert.deepEqual(bookmark.events, []);
    assert.ok(bookmark.to >= bookmark.from);
    await ping;
    await socket.close();
});

test("who answers no ping is closed with 4004", async (t) => {
    const server = await serve(t, { args: ["--heartbeat", "1"] });
    const socket = server.socket(V1, { autoPong: false });
    await socket.next("status");
    assert.equal((await socket.closed).code, 4004);
});

test("a server that stops tells its viewers to come back, and ends with 0", async (t) => {
    const server = await serve(t, { definitions });
    const sockets = [server.socket(V1), server.socket()];
    for (const socket of sockets) await socket.next("status");
    const waiting = server.get("/api/events?topic=jobs&wait=25");
    await server.get("/api/health");
    const ended = server.stop();
    for (const socket of sockets) assert.equal((await socket.closed).code, 4001);
    assert.equal((await waiting).status, 200);
    assert.deepEqual(await ended, { code: 0, signal: null });
});

test("who offers permessage-deflate gets the same frames compressed, and may compress what it says", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const topic = `job:${await server.run("lines")}`;
    const followed = {};
    for (const deflate of [true, false]) {
        const socket = server.socket(V1, { perMessageDeflate: deflate && { threshold: 0 } });
        await socket.next("status");
        assert.equal(socket.ws.extensions, deflate ? "permessage-deflate" : "");
        let bytes = 0;
        socket.ws._socket.on("data", (data) => (bytes += data.length));
        const { events } = await follow(socket, topic, since);
        followed[deflate] = { events, bytes };
        await socket.close();
    }
    assert.deepEqual(followed.true.events, followed.false.events);
    assert.ok(followed.true.bytes < 0.4 * followed.false.bytes, `${followed.true.bytes} of ${followed.false.bytes} bytes`);
});

test("a server that stops spreads over time when its viewers come back", async (t) => {
    const server = await serve(t, { definitions });
    const sockets = Array.from({ length: 10 }, () => server.socket(V1));
    await Promise.all(sockets.map((socket) => socket.next("status")));
    void server.stop();
    const closes = await Promise.all(sockets.map((socket) => socket.closed));
    assert.ok(closes.every(({ code }) => code === 4001));
    const waits = closes.map(({ reason }) => Number(reason.match(/^restart; retry_ms=(\d+)$/)[1]));
    assert.equal(new Set(waits).size, waits.length, `${waits}`);
});
