// The fault suite: at every fault point of the program (`TAILRACE_FAULT=list tailrace`) a server under a
// mixed load dies, or the point fails, and the next server goes on; the invariants (invariants.mjs) are
// looked at. At the end it prints what it did to each point.
//
//     node --test tests/crash/points.test.mjs               each point and action once
//     POINTS=long node --test tests/crash/points.test.mjs   at the 1st, 2nd, 3rd, 7th … hit, each checked alone
//     POINT=engine.retry SEED=7 …                           only these points
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import test from "node:test";

import { command, folder } from "../api/server.mjs";
import { dice } from "../faults/soak.mjs";
import { Scope } from "../faults/stage.mjs";
import { World } from "./world.mjs";

const LONG = process.env.POINTS === "long";
const ONLY = process.env.POINT;
const SEED = Number(process.env.SEED ?? Date.now() % 1000000);
const TOGETHER = LONG ? 1 : 24; // so many faults, then all is looked at
const TIMES = [1, 2, 3, 7, 20, 60];

/* ---- what is wrong in the variable ---- */

for (const [fault, says] of [
    ["nowhere:1", "there is no fault point 'nowhere'; TAILRACE_FAULT=list lists them"],
    ["store.comit.before:1", "there is no fault point 'store.comit.before', nearest is 'store.commit.before'; TAILRACE_FAULT=list lists them"],
    ["store.open", "TAILRACE_FAULT is NAME:N[:kill|fail|stick], N from 1, not 'store.open'"],
    ["store.open:0", "N from 1, not 'store.open:0'"],
    ["store.open:99999999999999999999", "N from 1, not 'store.open:99999999999999999999'"],
    ["store.open:1:", "not 'store.open:1:'"],
    ["store.open:1:explode", "not 'store.open:1:explode'"],
    ["store.commit.after:1:fail", "at store.commit.after nothing can fail, only kill is possible"],
])
    test(`TAILRACE_FAULT=${fault} is refused with a reason`, async () => {
        const { code, stdout, stderr } = await command(["version"], { env: { ...process.env, TAILRACE_FAULT: fault } });
        assert.deepEqual([code, stdout], [2, ""]);
        assert.ok(stderr.includes(says), stderr);
    });

/* ---- every point ---- */

// Points that a server passes once, or that the load does not pass of itself.
const ONCE = ["store.open", "engine.recovered", "engine.stop", "worker.shell.leftovers", "store.backup.copy", "store.backup.rename",
    "store.compact.write", "store.compact.before_switch", "store.compact.after_switch",
    "viewer.send.partial", "engine.queue.refill", "engine.retention"];
const refill = (world) => world.submit("many");

// A viewer that reads nothing of what is more than its socket holds.
async function slowViewer(world) {
    const job = await world.submit("flood");
    const socket = world.look("job:" + job);
    await socket.opened.catch(() => {});
    socket.ws._socket?.pause();
}

const MORE = { "engine.queue.refill": refill, "viewer.send.partial": slowViewer };

async function backup(world, fault) {
    const to = path.join(await folder(world), "copy.db");
    const { stderr } = await command(["backup", to, "--data", world.data], { env: { ...process.env, TAILRACE_FAULT: fault } });
    if (existsSync(to)) world.found.push(`backup: ${fault} left a file that has the copy's name`);
    const { code } = await command(["backup", to, "--data", world.data]);
    if (code !== 0) world.found.push(`backup: after ${fault} there can be no copy any more`);
    return stderr.includes("fault point");
}

// Does what it takes until the fault strikes; true when it did.
async function strike(world, point, fault) {
    const before = world.random(3);
    if (before) world.scheduleBack(before);
    if (point.startsWith("engine.schedule")) world.scheduleBack(4);
    const server = await world.start(point.startsWith("store.backup") ? "" : fault);
    if (!server) return /fault point/.test(world.refusal);
    if (point.startsWith("store.backup")) return backup(world, fault);
    if (point === "engine.stop") {
        await world.play({ ms: 300 });
        const ended = world.kill("SIGTERM");
        await ended;
        return /fault point/.test(server.stderr);
    }
    return world.play({ more: MORE[point], ms: LONG ? 20000 : 10000 });
}

const listed = (await command(["version"], { env: { ...process.env, TAILRACE_FAULT: "list" } })).stdout.trimEnd().split("\n").map((line) => line.split("\t"));
const chosen = listed.filter(([name]) => !ONLY || name.startsWith(ONLY));

function cases(random) {
    const all = [];
    for (const [point, , fails] of chosen)
        for (const action of fails ? (LONG ? ["kill", "fail", "stick"] : ["kill", "fail"]) : ["kill"]) {
            const memory = point === "memory" ? 500 + random(60000) : 0;
            const once = ONCE.includes(point) || action === "stick" || (action === "fail" && !LONG);
            const times = memory ? [memory] : once ? [1] : LONG ? TIMES : [1 + random(3)];
            for (const n of times) all.push({ point, action, n });
        }
    return all;
}

test("at every fault point a server dies or fails, and the next one breaks no invariant", { timeout: LONG ? 7200000 : 300000 }, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const random = dice(SEED), table = new Map(), broken = [];
    const all = cases(random);
    for (let i = 0; i < all.length; i += TOGETHER) {
        const group = all.slice(i, i + TOGETHER), scope = new Scope();
        t.after(() => scope.end());
        const world = Object.assign(await World.open(scope, { seed: SEED + i }), { found: [], after: (run) => scope.after(run) });
        await world.start();
        await world.play({ ms: 500 }); // so that something is there
        await world.kill();
        for (const one of group) {
            const began = performance.now();
            let struck = await strike(world, one.point, `${one.point}:${one.n}:${one.action}`);
            if (!struck && !LONG && one.n > 1) { // there was not so much to do
                await world.kill();
                struck = await strike(world, one.point, `${one.point}:${(one.n = 1)}:${one.action}`);
            }
            one.ms = performance.now() - began;
            if (process.env.TRACE) console.error(one.point, one.n, one.action, struck, Math.round(one.ms));
            await world.kill(one.action === "fail" && random(6) === 0 ? "SIGTERM" : "SIGKILL");
            const key = `${one.point} ${one.action}`;
            const row = table.get(key) ?? { struck: 0, hits: [], missed: [], violations: 0 };
            table.set(key, row);
            struck ? row.hits.push(one.n) : row.missed.push(one.n);
            row.ms = (row.ms ?? 0) + one.ms;
            one.row = row;
        }
        if (process.env.TRACE) console.error("looking at everything");
        const found = [...world.found, ...await world.check()];
        if (process.env.TRACE && found.length) console.error(found.join("\n"));
        for (const one of group) one.row.violations += found.length;
        if (found.length) broken.push(`after ${group.map(({ point, n, action }) => `${point}:${n}:${action}`).join(", ")}:`, ...found.slice(0, 20));
        await scope.end();
    }
    t.diagnostic(`${"fault point".padEnd(30)} action  times  at hit ${" ".repeat(18)} ms    violations`);
    for (const [key, { hits, missed, violations, ms }] of table) {
        const [point, action] = key.split(" ");
        t.diagnostic(`${point.padEnd(30)} ${action.padEnd(6)} ${String(hits.length).padStart(6)}  ${(hits.join(" ") + (missed.length ? ` (not reached: ${missed.join(" ")})` : "")).padEnd(25)} ${String(Math.round(ms)).padEnd(6)}${violations}`);
    }
    const never = [...table].filter(([, { hits }]) => !hits.length).map(([key]) => key);
    assert.equal(broken.join("\n"), "");
    assert.deepEqual(never, [], "points that no load has reached");
});
