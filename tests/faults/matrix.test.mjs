// The fault matrix: a job runs under the eyes of viewers of all transports, a fault strikes, what died
// is started again, everybody comes back with the cursor they had, and the judge finds nothing that was
// lost, doubled, reordered, or seen without being kept. One test is one row.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { chmod, cp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";

import { BINARY, folder } from "../api/server.mjs";
import { Stage } from "./stage.mjs";
import { Truth } from "./validate.mjs";

// Some seconds of lines, from tasks and from a command; `flood` makes more than sockets hold.
const definitions = {
    "lines.yaml": `id: lines
name: Lines
steps:
  - name: make
    type: generator
    config: { worker_count: 8, log_count: 250, log_delay_ms: 2 }
  - name: script
    type: shell
    config: { command: "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo script line $i; done" }
  - name: after
    type: shell
    depends: [make, script]
    config: { command: "echo one; echo two" }
`,
    "flood.yaml": `id: flood
name: Flood
steps:
  - name: make
    type: generator
    config: { worker_count: 4, log_count: 3000 }
`,
    "short.yaml": "id: short\nname: Short\nsteps:\n  - { name: s, type: shell, config: { command: echo short } }\n",
};

const row = (name, run) => test(name, { timeout: 120000 }, run);

// One row: `strike(stage, job, viewers)` does its worst while the job runs. options: definition,
// transports, watch (see Stage.watch), and what Stage.open takes.
async function suffer(t, strike, { definition = "lines", transports, watch, ...options } = {}) {
    const stage = await Stage.open(t, { definitions, ...options });
    const job = await stage.server.execute(definition);
    const viewers = stage.watch(job, transports, watch?.(stage));
    for (const transport of ["v1", "sse", "poll"]) {
        stage.view(transport, { topic: "jobs", only: job });
        stage.view(transport, { topic: "system" });
    }
    await strike(stage, job, viewers);
    await stage.over(job);
    assert.deepEqual(await stage.verdict([job]), []);
    return stage;
}

/* ---- the server ---- */

for (const signal of ["SIGKILL", "SIGTERM"])
    row(`server: ${signal} three times during a job`, (t) =>
        suffer(t, async (stage, job, [viewer]) => {
            for (const count of [1, 300, 900]) {
                await viewer.reached(count);
                await stage.restart(signal);
            }
        }));

const stateOf = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) (.).*$/s, "$1");

row("server: SIGSTOP; cut off, its viewers come back to one that is stopped; SIGCONT", (t) =>
    suffer(t, async (stage, job, viewers) => {
        await viewers[0].reached(300);
        process.kill(stage.server.pid, "SIGSTOP");
        while (stateOf(stage.server.pid) !== "T") await new Promise(setImmediate);
        viewers.forEach((viewer) => viewer.cut());
        const before = viewers.map((viewer) => viewer.connection);
        const back = () => viewers.every((viewer, i) => viewer.connection > before[i] || viewer.recording.transport === "follow");
        while (!back()) await new Promise((resolve) => setTimeout(resolve, 1));
        process.kill(stage.server.pid, "SIGCONT");
    }));

row("server: SIGSTOP, then SIGKILL", (t) =>
    suffer(t, async (stage, job, [viewer]) => {
        await viewer.reached(500);
        process.kill(stage.server.pid, "SIGSTOP");
        await stage.restart("SIGKILL");
    }));

/* ---- viewers ---- */

row("viewers: all stopped (the command line by SIGSTOP) until the job is over, then they go on", (t) =>
    suffer(t, async (stage, job, viewers) => {
        await Promise.all(viewers.map((viewer) => viewer.reached(1)));
        viewers.forEach((viewer) => viewer.stall());
        await stage.over(job);
        viewers.forEach((viewer) => viewer.goOn());
    }, { definition: "flood" }));

row("viewers: stopped while the server is killed and started again, then they go on", (t) =>
    suffer(t, async (stage, job, viewers) => {
        await Promise.all(viewers.map((viewer) => viewer.reached(1)));
        viewers.forEach((viewer) => viewer.stall());
        await stage.restart("SIGKILL");
        await stage.over(job);
        viewers.forEach((viewer) => viewer.goOn());
    }, { definition: "flood" }));

/* ---- the network ---- */

const behindProxy = (stage) => ({ url: stage.proxy.url });
const NETWORK = {
    "a latency of 20 ms both ways": () => ({ down: { latency: 20 }, up: { latency: 20 } }),
    "a bandwidth of 256 KiB/s": () => ({ down: { bandwidth: 262144 } }),
    "cut at random bytes, forty times": (n) => (n < 40 ? { down: { cut: (n * 7919) % 40000 } } : {}),
    "reset at random bytes, forty times": (n) => (n < 40 ? { reset: true, down: { cut: (n * 6997) % 40000 } } : {}),
    "cut in what the viewers ask, sixteen times": (n) => (n < 16 ? { up: { cut: (n * 37) % 400 } } : {}),
};

for (const [name, plan] of Object.entries(NETWORK))
    row(`network: ${name}`, (t) =>
        suffer(t, (stage) => (stage.proxy.plan = plan), { watch: behindProxy }));

for (const direction of ["down", "up"]) {
    row(`network: a black hole ${direction}, until the job is over`, (t) =>
        suffer(t, async (stage, job, viewers) => {
            await viewers[0].reached(300);
            for (const link of stage.proxy.links) link.hole(direction);
            await stage.over(job);
            stage.proxy.cut();
        }, { watch: behindProxy }));

    row(`network: half closed ${direction}`, (t) =>
        suffer(t, async (stage, job, viewers) => {
            for (const count of [100, 500, 900]) {
                await viewers[0].reached(count);
                for (const link of stage.proxy.links) link.half(direction);
            }
        }, { watch: behindProxy }));
}

/* ---- named places ---- */

// Lets the server die (or fail) when it comes to a place for the n-th time, while a job runs.
async function atPlace(stage, place, n, action, strike) {
    await stage.kill("SIGKILL");
    const server = await stage.start({ TAILRACE_FAULT: `${place}:${n}:${action}` }).catch(() => null); // it may die before it listens
    if (server) await strike?.();
    if (action !== "kill") return;
    if (server) await server.ended;
    await stage.scope.end();
    await stage.start();
}

for (const place of ["store.commit.before", "store.commit.before_fsync", "store.commit.after", "feed.publish.before"])
    row(`dies at ${place}, for the 1st, 3rd, 10th and 40th time`, (t) =>
        suffer(t, async (stage, job, [viewer]) => {
            await viewer.reached(100);
            for (const n of [1, 3, 10, 40]) await atPlace(stage, place, n, "kill");
        }));

row("dies while subscriptions are opened (feed.end), the 1st and 4th time", (t) =>
    suffer(t, async (stage, job, [viewer]) => {
        await viewer.reached(100);
        for (const n of [1, 4]) await atPlace(stage, "feed.end", n, "kill");
    }));

row("dies while the log is read for viewers that come back (feed.catch_up), the 1st and 3rd time", (t) =>
    suffer(t, async (stage, job, viewers) => {
        for (const n of [1, 3]) {
            await viewers[0].reached(500 * n);
            viewers.forEach((viewer) => viewer.stall());
            await atPlace(stage, "feed.catch_up", n, "kill", () => viewers.forEach((viewer) => viewer.goOn()));
        }
    }, { definition: "flood" }));

for (const [action, does] of [["kill", "the server dies"], ["stick", "the connection breaks, every time"]])
    row(`in the middle of a frame to a viewer that does not read (viewer.send.partial), ${does}`, (t) =>
        suffer(t, async (stage, job, [viewer]) => {
            await viewer.reached(6000);
            let late;
            await atPlace(stage, "viewer.send.partial", 1, action, async () => {
                late = stage.view("v1", { topic: "job:" + job }); // all before it is due
                await Promise.race([late.reached(1), stage.server.ended]);
                late.stall();
                await (action === "kill" ? stage.server.ended : stage.over(job));
            });
            late.goOn();
            await late.ended;
            assert.ok(late.connection > 1, "it was cut off");
        }, { definition: "flood" }));

/* ---- deleting ---- */

// An old job is deleted while viewers of all jobs, and of that job, look.
async function deleteOld(stage, job, strike) {
    const old = await stage.server.execute("short");
    await stage.over(old);
    const early = ["v1", "sse", "poll"].map((transport) => stage.view(transport, { topic: "jobs", only: job }));
    await Promise.all(early.map((viewer) => viewer.reached(1)));
    await strike(old);
    early.forEach((viewer) => viewer.cut());
}

row("a job is deleted while viewers look at the list of all jobs", (t) =>
    suffer(t, (stage, job) => deleteOld(stage, job, (old) => stage.delete(old))));

row("the server dies while it deletes a job (store.delete)", (t) =>
    suffer(t, (stage, job) =>
        deleteOld(stage, job, async (old) => {
            await atPlace(stage, "store.delete", 1, "kill", () => assert.rejects(stage.delete(old)));
            assert.equal((await stage.server.get("/api/jobs/" + old)).status, 200, "nothing of it happened");
            await stage.delete(old);
        })));

row("a delete whose commit fails at first (store.delete)", (t) =>
    suffer(t, (stage, job) =>
        deleteOld(stage, job, (old) => atPlace(stage, "store.delete", 1, "fail", () => stage.delete(old)))));

/* ---- disks ---- */

for (const [place, definition, says] of [
    ["store.commit.before", "lines", /cannot commit, trying again/],
    ["store.commit.before_fsync", "lines", /cannot commit, trying again/],
    ["feed.catch_up", "flood", /cannot read the log for/],
    ["feed.end", "lines", null], // told to the viewer, who asks again
])
    row(`EIO at ${place}`, (t) =>
        suffer(t, async (stage, job, viewers) => {
            await viewers[0].reached(100);
            viewers.forEach((viewer) => viewer.stall());
            await atPlace(stage, place, 1, "fail", () => viewers.forEach((viewer) => viewer.goOn()));
            if (says) await stage.server.said(says);
        }, { definition }));

row("EIO at every commit from the 3rd on, until kill -9", (t) =>
    suffer(t, async (stage, job, [viewer]) => {
        await viewer.reached(100);
        await stage.restart("SIGKILL", { TAILRACE_FAULT: "store.commit.before_fsync:3:stick" });
        await stage.server.said(/cannot commit, trying again/);
        await stage.restart("SIGKILL");
    }));

// A file that may not grow is as good as a full disk; the signal that tells of it is ignored.
async function brimful(t) {
    const name = path.join(await folder(t), "tailrace");
    await writeFile(name, `#!/bin/sh\ntrap '' XFSZ\nexec ${BINARY} "$@"\n`);
    await chmod(name, 0o755);
    return name;
}

row("a disk that is full during a job, until there is room again", async (t) => {
    const binary = await brimful(t);
    await suffer(t, async (stage, job, [viewer]) => {
        await viewer.reached(300);
        const limit = (bytes) => execFileSync("prlimit", ["--pid", stage.server.pid, `--fsize=${bytes}:unlimited`]);
        limit(statSync(path.join(stage.options.data, "tailrace.db-wal")).size + 4096);
        await stage.server.said(/cannot commit, trying again/);
        limit("unlimited");
        await stage.server.said(/commits succeed again/);
    }, { binary });
});

/* ---- another history ---- */

// The history that follows `replace` is another one; viewers of the first one come back to it.
async function rewrite(t, replace) {
    const stage = await Stage.open(t, { definitions });
    const data = stage.options.data, copy = path.join(await folder(t), "copy");
    await stage.kill("SIGTERM");
    await cp(data, copy, { recursive: true });
    await stage.start();
    const old = await stage.server.execute("short");
    await stage.over(old);
    const before = await new Truth().read(stage.server, [old]);
    before.topics.set("jobs", before.topics.get("jobs of " + old));
    const viewers = ["v1", "sse", "poll"].map((transport) => stage.view(transport, { topic: "jobs" }));
    await Promise.all(viewers.map((viewer) => viewer.reached(before.topics.get("jobs").length)));
    await stage.kill();
    const seen = viewers.map((viewer) => viewer.events), jobs = [];
    await replace(copy, data);
    await stage.start();
    do { // until all have come back and been told something new
        jobs.push(await stage.server.execute("short"));
        await stage.over(jobs.at(-1));
    } while (viewers.some((viewer, i) => viewer.events === seen[i]));
    const { found, resets } = await stage.examine(jobs, { truths: [before] });
    assert.deepEqual(found, []);
    assert.equal(resets, viewers.length);
}

const another = "viewers get another state with a reset, and nothing of it as a part of what they had";

row(`the data is replaced: ${another}`, (t) =>
    rewrite(t, (copy, data) => rm(data, { recursive: true })));

row(`an old copy of the database is put back: ${another}`, (t) =>
    rewrite(t, async (copy, data) => {
        const files = (folder) => readdirSync(folder).filter((name) => name.startsWith("tailrace.db"));
        for (const name of files(data)) await rm(path.join(data, name));
        for (const name of files(copy)) await cp(path.join(copy, name), path.join(data, name));
    }));
