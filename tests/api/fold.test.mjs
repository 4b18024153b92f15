// Refresh-equivalence on the server's side: a tree that REST shows at any moment is the fold of the events
// up to its cursor. A page that opens now and one that has followed from the start see the same.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { fold, initial } from "../../ui/reducer.js";
import { serve } from "./server.mjs";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const NEWSROOM = process.env.NEWSROOM || path.join(ROOT, "build", "newsroom");
const DEFINITION = `id: crawl
name: Crawl
parameters: { site: {} }
steps:
  - name: pages
    type: crawler
    config: { start_urls: ["{site}"], exclude_patterns: [slow, endless, large], concurrency: 4 }
  - name: after
    type: shell
    depends: [pages]
    config: { command: "echo one; exit 3" }
`;

function foldStep(events, id) {
    const own = events.filter((e) => e.payload.step_id === id);
    const progress = own.filter((e) => e.type === "step_progress").at(-1)?.payload;
    const lines = own.filter((e) => e.type === "job_log").map((e) => e.payload);
    const moves = own.filter((e) => e.type === "job_status_change" && e.payload.kind === "step").map((e) => e.payload);
    return {
        status: moves.at(-1)?.status ?? "pending",
        cause: moves.at(-1)?.cause ?? "",
        started_at: moves.find((m) => m.status === "running")?.timestamp ?? null,
        total_logs: lines.length,
        newest: lines.slice(-100).map((l) => `${l.line} ${l.message}`),
        progress_text: progress?.progress_text ?? "",
        documents: progress?.documents ?? 0,
        tasks: [progress?.total_jobs ?? 0, progress?.pending_jobs ?? 0, progress?.running_jobs ?? 0, progress?.completed_jobs ?? 0, progress?.failed_jobs ?? 0],
    };
}

function shown(step) {
    const { total, pending, running, completed, failed } = step.child_summary;
    return {
        status: step.status,
        cause: step.cause,
        started_at: step.started_at,
        total_logs: step.total_logs,
        newest: step.logs.map((l) => `${l.line} ${l.message}`),
        progress_text: step.progress_text,
        documents: step.documents,
        tasks: [total, pending, running, completed, failed],
    };
}

test("a tree at any moment is the fold of the events up to its cursor", async (t) => {
    const site = spawn(NEWSROOM, ["--listen", "127.0.0.1:0", "--delay", "10"], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => site.kill());
    const [text] = await once(site.stdout, "data");
    const server = await serve(t, { definitions: { "crawl.yaml": DEFINITION } });
    let moments = 0; // a busy machine looks less often: then another crawl
    while (moments <= 20) {
        const job = await server.execute("crawl", { site: String(text).trim().replace("listening on ", "") });
        const trees = [];
        do trees.push((await server.get(`/api/jobs/${job}/tree`)).body);
        while (!["completed", "failed"].includes(trees.at(-1).status));
        const events = await server.events(`job:${job}`, await server.beginning());
        for (const tree of trees) {
            const seq = Number(tree.cursor.split(":")[1]);
            const until = events.filter((e) => e.seq <= seq);
            for (const step of tree.steps) assert.deepEqual(shown(step), foldStep(until, step.step_id), `step ${step.name} at seq ${seq}`);
        }
        moments += trees.length;
    }
    t.diagnostic(`${moments} moments compared`);
});

async function listOf(socket) {
    socket.send({ op: "sub", topic: "jobs", snapshot: true });
    const { state } = await socket.next("snapshot");
    return fold(initial(), { type: "snapshot", topic: "jobs", state });
}

test("with more jobs than a list holds, a page that stayed open lists those that a fresh one lists", async (t) => {
    const quick = "id: quick\nname: Quick\nsteps:\n  - { name: g, type: generator, config: { log_count: 1 } }\n";
    const long = 'id: long\nname: Long\nsteps:\n  - { name: s, type: shell, config: { command: "sleep 1000" } }\n';
    const server = await serve(t, { definitions: { "quick.yaml": quick, "long.yaml": long } });
    const open = server.socket("tailrace.v1");
    await open.opened;
    let page = await listOf(open);
    const running = [await server.execute("long")];
    for (let i = 0; i < 55; i++) await server.run("quick");
    running.push(await server.execute("long"));
    await server.run("quick");

    const fresh = server.socket("tailrace.v1");
    await fresh.opened;
    fresh.send({ op: "sub", topic: "jobs", snapshot: true });
    const { state, as_of: asOf } = await fresh.next("snapshot");
    const want = fold(initial(), { type: "snapshot", topic: "jobs", state });
    for (let to = 0; to < asOf; ) {
        const frame = await open.next("events");
        page = fold(page, { type: "events", topic: "jobs", events: frame.events.filter((e) => e.seq <= asOf) });
        to = frame.to;
    }
    assert.deepEqual(page.list.order, want.list.order);
    assert.equal(want.list.order.length, 51, "the newest 50, and the one that runs although it is older");
    assert.ok(running.every((id) => want.list.order.includes(id)));
    assert.deepEqual(page.list, want.list);
});
