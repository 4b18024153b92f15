// Server-Sent Events: the same cursors and frames as over a WebSocket, for EventSource and curl.
import assert from "node:assert/strict";
import test from "node:test";
import { serve } from "./server.mjs";

const definitions = {
    "lines.yaml": "id: lines\nname: Lines\nsteps:\n  - name: make\n    type: generator\n    config: { worker_count: 2, log_count: 400, log_delay_ms: 1, concurrency: 2 }\n",
    "waits.yaml": 'id: waits\nname: Waits\nsteps:\n  - name: wait\n    type: shell\n    config: { command: "exec sleep 1000" }\n',
};

// What a stream says, one after the other: {event, id, data (parsed), retry, comment}.
async function* stream(server, query, headers = {}, signal = undefined) {
    const response = await fetch(`${server.url}/api/events/stream?${query}`, { headers, signal });
    assert.equal(response.status, 200, `${response.status} ${query}`);
    assert.match(response.headers.get("content-type"), /^text\/event-stream/);
    assert.equal(response.headers.get("x-accel-buffering"), "no");
    let text = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
        text += piece;
        for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) yield parse(text.slice(0, end));
    }
    assert.equal(text, "", "the stream ends behind a whole event");
}

function parse(block) {
    const said = { event: "message" };
    for (const line of block.split("\n")) {
        const [, name, value] = line.match(/^([a-z]*): (.*)$/);
        said[name || "comment"] = name === "data" ? JSON.parse(value) : value;
    }
    return said;
}

async function all(server, query, headers) {
    const said = [];
    for await (const one of stream(server, query, headers)) said.push(one);
    return said;
}

const eventsOf = (said) => said.filter((s) => s.event === "message" && s.data).flatMap((s) => s.data.events);

test("a stream tells each event of a job once, in order, ends with its totals, and so does long-poll", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const job = await server.execute("lines");
    const said = await all(server, `topic=job:${job}&since=${since}`);
    assert.equal(said[0].retry, "1000");
    assert.equal(said[1].event, "subscribed");
    assert.ok(said.some((s) => s.event === "caught_up"));
    assert.equal(said.at(-1).event, "end");
    assert.deepEqual(eventsOf(said), await server.events(`job:${job}`, since));
    const lines = eventsOf(said).filter((e) => e.type === "job_log").length;
    assert.equal(Object.values(said.at(-1).data.lines).reduce((a, b) => a + b), lines);
    const epoch = since.split(":")[0];
    for (const s of said.filter((s) => s.event === "message" && s.data)) assert.equal(s.id, `${epoch}:${s.data.to}`);
});

test("who comes back with Last-Event-ID goes on there, whatever since says, and 204 ends it for good", async (t) => {
    const server = await serve(t, { definitions });
    const since = await server.beginning();
    const job = await server.run("lines");
    const whole = eventsOf(await all(server, `topic=job:${job}&since=${since}`));
    for (const at of [0, 1, 17, whole.length - 1]) {
        const headers = { "Last-Event-ID": since.replace(/:.*/, `:${whole[at].seq}`) };
        if (at === whole.length - 1) {
            const response = await fetch(`${server.url}/api/events/stream?topic=job:${job}&since=${since}`, { headers });
            assert.equal(response.status, 204);
        } else assert.deepEqual(eventsOf(await all(server, `topic=job:${job}&since=${since}`, headers)), whole.slice(at + 1));
    }
});

test("a stream that begins with the state goes on right behind it, with as many lines as were asked for", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("lines");
    const said = await all(server, `topic=job:${job}&tail=7`);
    const snapshot = said.find((s) => s.event === "snapshot");
    assert.equal(snapshot.id.split(":")[1], String(snapshot.data.as_of));
    assert.ok(snapshot.data.state.steps[0].logs.length <= 7);
    const seen = snapshot.data.state.steps[0].total_logs + eventsOf(said).filter((e) => e.type === "job_log" && e.payload.step_id).length;
    assert.equal(seen, said.at(-1).data.lines[snapshot.data.state.steps[0].step_id]);
});

test("a cursor that is of no use is answered with a reset and the state, and the id moves only with the state", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.run("lines");
    for (const [cursor, reason] of [["0123456789abcdef:5", "epoch"], [(await server.cursor()).replace(/:.*/, ":999999"), "ahead"]]) {
        const said = await all(server, `topic=job:${job}&since=${cursor}`);
        const at = said.findIndex((s) => s.event === "reset");
        assert.equal(said[at].data.reason, reason);
        assert.equal(said[at].id, undefined);
        assert.equal(said[at + 1].event, "snapshot");
    }
});

test("what is wrong with a stream's address is said with the field", async (t) => {
    const server = await serve(t, { definitions });
    for (const [query, status, field] of [
        ["", 400, "topic"], ["topic=jobs&since=seven", 400, "since"], ["topic=jobs&tail=0", 400, "tail"],
        ["topic=jobs&snapshot=maybe", 400, "snapshot"], ["topic=nothing", 404, undefined], ["topic=jobs&sinc=x:1", 400, "sinc"],
        ["topic=job:0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f60", 404, undefined],
    ]) {
        const { status: got, body } = await server.get(`/api/events/stream?${query}`);
        assert.equal(got, status, query);
        assert.equal(body.field, field, query);
    }
    const response = await fetch(`${server.url}/api/events/stream?topic=jobs`, { headers: { "Last-Event-ID": "what" } });
    assert.equal((await response.json()).field, "Last-Event-ID");
});

test("silence on a stream is broken by a comment", async (t) => {
    const server = await serve(t, { args: ["--heartbeat", "1"] });
    const stop = new AbortController();
    for await (const said of stream(server, "topic=jobs", {}, stop.signal)) if (said.comment) break;
    stop.abort();
});

test("a server that stops ends its streams behind a whole event, and tells when to come back", async (t) => {
    const server = await serve(t, { definitions });
    const said = [];
    for await (const one of stream(server, "topic=jobs&snapshot=true")) {
        said.push(one);
        if (one.event === "caught_up") process.kill(server.pid, "SIGTERM");
    }
    assert.ok(Number(said.at(-1).retry) >= 1000);
    assert.deepEqual(await server.ended, { code: 0, signal: null });
});

test("who looks at all jobs is given the state again when one is deleted, by stream, socket and long-poll", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.run("lines");
    const before = await server.cursor();
    const socket = server.socket("tailrace.v1");
    await socket.next("status");
    socket.send({ op: "sub", topic: "jobs", snapshot: true });
    await socket.next("caught_up");
    const waiting = server.get(`/api/events?topic=jobs&since=${before}&wait=25`);
    const stop = new AbortController();
    const said = stream(server, "topic=jobs&snapshot=true", {}, stop.signal);
    const next = async (event) => {
        for (;;) {
            const { value } = await said.next();
            if (value.event === event) return value;
        }
    };
    assert.equal((await next("snapshot")).data.state.jobs.length, 1);
    await next("caught_up");
    assert.equal((await server.fetch(`/api/jobs/${job}`, { method: "DELETE" })).status, 200);
    assert.equal((await next("reset")).data.reason, "pruned");
    assert.deepEqual((await next("snapshot")).data.state.jobs, []);
    assert.equal((await socket.next("reset")).reason, "pruned");
    assert.deepEqual((await socket.next("snapshot")).state.jobs, []);
    const { status, body } = await waiting;
    assert.deepEqual([status, body.reason], [410, "pruned"]);
    socket.send({ op: "sub", topic: "jobs", since: before });
    assert.equal((await socket.next("reset")).reason, "pruned");
    stop.abort();
    await socket.close();
});

test("who looks at a job that is deleted is told that it is gone", async (t) => {
    const server = await serve(t, { definitions });
    const job = await server.execute("waits");
    const socket = server.socket("tailrace.v1");
    await socket.next("status");
    socket.send({ op: "sub", topic: `job:${job}?min=error`, snapshot: true });
    await socket.next("caught_up");
    await server.post(`/api/jobs/${job}/cancel`);
    await socket.next("end");
    const other = await server.execute("waits");
    socket.send({ op: "sub", topic: `job:${other}`, snapshot: true });
    await socket.next("caught_up");
    await server.post(`/api/jobs/${other}/cancel`);
    await server.events(`job:${other}`, await server.beginning());
    await server.fetch(`/api/jobs/${other}`, { method: "DELETE" });
    const { topic } = await socket.next((m) => (m.type === "end" || m.type === "error") && m.topic === `job:${other}`);
    assert.equal(topic, `job:${other}`);
    socket.send({ op: "sub", topic: `job:${other}`, snapshot: true });
    assert.equal((await socket.next("error")).code, "unknown_topic");
    await socket.close();
});

test("what the server does itself is the topic system, over restarts", async (t) => {
    const one = await serve(t, { definitions });
    const data = one.child.spawnargs[one.child.spawnargs.indexOf("--data") + 1];
    const job = await one.run("lines");
    await one.fetch(`/api/jobs/${job}`, { method: "DELETE" });
    assert.equal((await one.post("/api/job-definitions", { id: "new", name: "New", steps: [{ name: "s", type: "shell", config: { command: "true" } }] })).status, 201);
    await one.stop();
    const two = await serve(t, { definitions, data });
    const events = [];
    for (let cursor = await two.beginning(), body; events.length < 5; cursor = body.cursor) {
        ({ body } = await two.get(`/api/events?topic=system&since=${cursor}&wait=25`));
        assert.equal(body.end, false);
        events.push(...body.events);
    }
    assert.deepEqual(events.map((e) => [e.type, e.payload.event]), ["started", "job_deleted", "definition_added", "stopping", "started"].map((e) => ["system", e]));
    assert.equal(events[1].payload.subject, job);
    const socket = two.socket("tailrace.v1");
    await socket.next("status");
    socket.send({ op: "sub", topic: "system", snapshot: true });
    const { state } = await socket.next("snapshot");
    assert.deepEqual(state.events, events);
    await two.fetch("/api/job-definitions/new", { method: "DELETE" });
    const live = await socket.next((m) => m.type === "events" && m.events.length);
    assert.equal(live.events[0].payload.event, "definition_removed");
    await socket.close();
});
