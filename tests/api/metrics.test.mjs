// Figures for a collector: the format, and that they are the ones that the API tells.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { serve } from "./server.mjs";

const definition = (id, command, more = "") => `id: ${id}\nname: ${id}\n${more}steps:\n  - { name: s, type: shell, config: { command: ${command} } }\n`;

// {name{labels}: value}; each has its help and type before it, once.
function read(text) {
    const values = {};
    const known = new Set();
    let now = "";
    for (const row of text.trimEnd().split("\n")) {
        const [, help] = /^# HELP ([a-z_]+) [A-Z].*\.$/.exec(row) ?? [];
        if (help) {
            assert.ok(!known.has(help), help);
            known.add((now = help));
        } else if (row.startsWith("#")) {
            assert.match(row, new RegExp(`^# TYPE ${now} (gauge|counter)$`));
        } else {
            const [, name, labels = "", value] = /^([a-z_]+)(\{[a-z]+="[^"]*"\})? (\S+)$/.exec(row);
            assert.equal(name, now);
            values[name + labels] = Number(value);
            assert.ok(Number.isFinite(values[name + labels]), row);
        }
    }
    return { values, known };
}

test("metrics are in the text format, and say what the API says", { timeout: 60000 }, async (t) => {
    const server = await serve(t, { definitions: { "good.yaml": definition("good", "echo hi"), "bad.yaml": definition("bad", "exit 1"), "long.yaml": definition("long", "exec sleep 1000", "pool: database\nmax_running: 1\n") }, args: ["--pool", "database=2"] });
    await server.run("good");
    await server.run("good");
    await server.run("bad");
    const long = await server.execute("long");
    const waits = await server.execute("long");
    await server.event(waits, ({ payload }) => payload.waits_for);
    await server.event(long, ({ payload }) => payload.kind === "task" && payload.status === "running");
    const { text, status, headers } = await server.get("/metrics");
    assert.deepEqual([status, headers.get("content-type")], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    const { values, known } = read(text);
    assert.equal(values['tailrace_jobs{status="completed"}'], 2);
    assert.equal(values['tailrace_jobs{status="failed"}'], 1);
    assert.deepEqual([values.tailrace_active_jobs, values.tailrace_definitions, values.tailrace_store_trouble], [2, 3, 0]);
    assert.deepEqual(["places", "running", "waiting"].map((what) => values[`tailrace_pool_${what}{pool="database"}`]), [2, 1, 1]);
    const { body } = await server.get("/api/status");
    assert.deepEqual([values['tailrace_tasks{status="running"}'], values['tailrace_tasks{status="pending"}'], values.tailrace_queue_jobs], [1, 0, 1]);
    assert.deepEqual(body.queue, { pending_jobs: 1, running_jobs: 1, pending_tasks: 0, running_tasks: 1 });
    assert.ok(values.tailrace_commits_total > 5 && body.lag.commits >= values.tailrace_commits_total);
    assert.ok(values['tailrace_commit_seconds{quantile="0.99"}'] >= values['tailrace_commit_seconds{quantile="0.5"}'] && body.lag.p50_commit_us > 0);
    assert.ok(body.lag.p99_commit_us >= body.lag.p50_commit_us && body.lag.last_commit_us > 0);
    assert.ok(body.store.events > 20 && body.store.data_bytes > 0 && body.space.free_bytes > 0);
    assert.ok(values.tailrace_events_total <= Number(body.cursor.split(":")[1]) && values.tailrace_events_total > 20);
    assert.equal(Math.round(values.process_start_time_seconds), Math.round(Date.parse(body.started_at) / 1000));
    for (const name of ["tailrace_data_bytes", "tailrace_data_free_bytes", "process_resident_memory_bytes", "process_cpu_seconds_total"]) assert.ok(values[name] > 0, name);
    const documented = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8").split("## Metrics")[1].split("\n## ")[0];
    assert.deepEqual([...documented.matchAll(/`((?:tailrace|process)_[a-z_]+)`/g)].map(([, name]) => name).sort(), [...known].sort());
    for (const job of [waits, long]) await server.post(`/api/jobs/${job}/cancel`);
});
