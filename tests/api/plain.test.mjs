// What a client sees that speaks no sub-protocol and has no page beside it: every event of one run
// of the News Crawler, each with its ids. (never again: 2, 4, 18)

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { serve } from "./server.mjs";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const NEWSROOM = process.env.NEWSROOM || path.join(ROOT, "build", "newsroom");
const definitions = {
    "news-crawler.yaml": readFileSync(path.join(ROOT, "definitions", "news-crawler.yaml"), "utf8"),
};
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TYPES = ["job_log", "crawler_job_log", "step_progress", "job_status_change"];

async function site(t) {
    const child = spawn(NEWSROOM, ["--listen", "127.0.0.1:0"], {
        cwd: ROOT,
        stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(async () => {
        child.kill("SIGTERM");
        await once(child, "close");
    });
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    return line.match(/http:\S+/)[0];
}

// Every event says whose it is: of the job itself, or of one of its steps or their tasks.
function idsCheck(event, id, tree) {
    const { payload } = event;
    const where = `${event.type} ${event.seq}: ${JSON.stringify(payload)}`;
    assert.ok(Number.isInteger(event.seq), where);
    assert.equal(payload.manager_id, id, where);
    assert.match(payload.job_id, UUID, where);
    assert.match(payload.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, where);
    assert.equal(typeof payload.source_type, "string", where);
    assert.equal(typeof payload.originator, "string", where);
    if (payload.job_id === id) {
        assert.deepEqual([payload.parent_job_id, payload.step_id, payload.step_name], ["", "", ""], where);
        return;
    }
    const step = tree.steps.find((s) => s.step_id === payload.step_id);
    assert.ok(step, where);
    assert.equal(payload.step_name, step.name, where);
    // A step's parent is the job, a task's is the step.
    assert.equal(payload.parent_job_id, payload.job_id === step.step_id ? id : step.step_id, where);
}

test("a plain client gets every event of a run, with its ids, at once", { timeout: 60000 }, async (t) => {
    const address = await site(t);
    const server = await serve(t, { definitions });
    const socket = server.socket();
    const arrivals = new Map(); // seq → ms
    socket.ws.on("message", (data) => {
        const { seq } = JSON.parse(data.toString());
        if (seq) arrivals.set(seq, performance.timeOrigin + performance.now());
    });
    const first = await socket.next();
    assert.equal(first.type, "status");

    const id = await server.execute("news-crawler", { site: address, delay: "20ms" });
    const { payload: last } = await socket.next(
        ({ type, payload }) =>
            type === "job_status_change" && payload.kind === "job" &&
            ["completed", "failed", "cancelled"].includes(payload.status),
    );
    assert.equal(last.status, "completed");
    await socket.close();

    const events = socket.seen.filter((m) => m.type !== "status");
    const tree = (await server.get(`/api/jobs/${id}/tree`)).body;
    for (const event of events) idsCheck(event, id, tree);
    const count = (type) => events.filter((event) => event.type === type).length;
    t.diagnostic(TYPES.map((type) => `${type} ${count(type)}`).join(", "));
    assert.ok(count("job_log") > 100);
    for (const type of TYPES) assert.ok(count(type) > 0, type);
    assert.deepEqual(events.filter((event) => !TYPES.includes(event.type)), []);

    // All that the log has of this run, in its order, each once.
    const stored = await server.events(`job:${id}`, await server.beginning());
    assert.deepEqual(events.map((e) => e.seq), stored.map((e) => e.seq));
    assert.deepEqual(events.map((e) => e.payload), stored.map((e) => e.payload));

    const late = (type) => {
        const delays = events
            .filter((e) => e.type === type)
            .map((e) => arrivals.get(e.seq) - Date.parse(e.payload.timestamp.replace(/(\.\d{3})\d+/, "$1")))
            .sort((a, b) => a - b);
        return `${type} p50 ${delays[delays.length >> 1].toFixed(1)} max ${delays.at(-1).toFixed(1)}`;
    };
    t.diagnostic("made → received, ms: " + TYPES.map(late).join(", "));
});
