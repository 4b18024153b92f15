// The fault suite: at every fault point of the program (`TAILRACE_FAULT=list tailrace`) a server under a
// mixed load dies, or the point fails, and the next server goes on; the invariants (invariants.mjs) are
// looked at. At the end it prints what it did to each point.
//
//     node --test tests/crash/points.test.mjs               each point and action once
//     POINTS=long node --test tests/crash/points.test.mjs   at the 1st, 2nd, 3rd, 7th … hit, each checked alone
//     POINT=engine.retry SEED=7 …                           only these points; LANES=1: one after the other
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
const WORLD = 24; // so many on one data folder
const LANES = Number(process.env.LANES ?? (LONG ? 4 : 1)); // data folders at once: most of the time one waits
const TIMES = [1, 2, 3, 7, 20, 60];
const RARE = { "store.checkpoint": { most: 7, why: "8 MiB of log for each" } };
const OFTEN = { "store.disk.write": [300, 3000], "store.disk.sync": [300] }; // some of them copy the log into the database
const MEMORY = LONG ? 40 : 1;

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

// Points that a server passes once, or that few things pass.
const ONCE = ["store.open", "engine.recovered", "engine.stop", "worker.shell.leftovers", "store.backup.copy", "store.backup.rename",
    "store.compact.write", "store.compact.before_switch", "store.compact.after_switch",
    "viewer.send.partial", "engine.queue.refill", "engine.retention"];

// What is asked for so that a point is passed n times soon: jobs of a definition, one for each so many times.
const JOBS = { "engine.retry": ["mixed", 3], "engine.timeout": ["late", 3], "engine.subjob": ["parent", 3], "engine.errand": ["parent", 4], "engine.queue.refill": ["many", 1],
    "engine.retention": ["told", 0.2], "store.checkpoint": ["flood", 0.2], webhook: ["told", 1], "worker.http": ["asks", 30] };
const deleteSome = async (world, n) => {
    await jobsMake(world, ["chore", 1], n);
    const chores = async (status) => (await world.ask("GET", `/api/jobs?definition=chore&status=${status}&limit=1000`))?.body.jobs ?? [];
    while ((await chores("pending,running")).length);
    for (const { id } of await chores("completed")) await world.ask("DELETE", `/api/jobs/${id}`);
};
const MORE = {
    "store.delete": deleteSome,
    "store.sweep": deleteSome,
    "engine.cancel": async (world, n) => {
        for (; n > 0; n--) await world.cancel(await world.submit("endless"));
    },
    "viewer.send.partial": async (world) => { // a viewer that reads nothing of what is more than its socket holds
        const socket = world.look("job:" + (await world.submit("flood")));
        await socket.opened.catch(() => {});
        socket.ws._socket?.pause();
    },
};

async function jobsMake(world, [definition, times], n) {
    for (let left = Math.ceil(n / times); left > 0; left--) await world.submit(definition);
}

const ofPoint = (table, point) => table[Object.keys(table).find((name) => point.startsWith(name))];
const more = (point, n) => async (world) => {
    const jobs = ofPoint(JOBS, point);
    if (jobs && (n > 3 || jobs[1] <= 1)) await jobsMake(world, jobs, n);
    await MORE[point]?.(world, n);
};

// What an earlier server leaves: something that runs, for points of the start as much as they are to be passed.
async function leave(world, { point, n, phase }) {
    await world.start();
    const running = point.startsWith("engine.recover.") ? n : phase === "stop" ? 12 : 0;
    await world.play(running ? { ms: 0, more: () => jobsMake(world, ["endless", 1], running) } : { ms: 500 });
    await world.kill();
}

async function backup(world, fault) {
    const to = path.join(await folder(world), "copy.db");
    const { stderr } = await command(["backup", to, "--data", world.data], { env: { ...process.env, TAILRACE_FAULT: fault } });
    if (existsSync(to)) world.found.push(`backup: ${fault} left a file that has the copy's name`);
    const { code } = await command(["backup", to, "--data", world.data]);
    if (code !== 0) world.found.push(`backup: after ${fault} there can be no copy any more`);
    return stderr.includes("fault point");
}

// Memory is asked for everywhere. How often before the server is asked to end and how often after that
// differs, so that place is looked for: more than what strikes before it, and less than what is never reached.
async function memoryStrike(world, one) {
    const among = (world.among ??= { least: 1000, most: 12000 });
    for (let tries = one.phase === "stop" ? 20 : 1; tries > 0; tries--) {
        if (one.phase === "stop") one.n = Math.ceil(among.least + (world.random(100) / 100) * (among.most - among.least));
        const server = await world.start(`memory:${one.n}:${one.action}`);
        const isEarly = server ? await world.play({ ms: one.phase === "stop" ? 0 : 20000 }) : "start";
        if (one.phase !== "stop" && isEarly) return server ? "load" : "start";
        await world.kill("SIGTERM");
        if (!isEarly && /fault point/.test(server.stderr)) return "stop";
        among[isEarly ? "least" : "most"] = one.n;
        if (among.most - among.least < 20) Object.assign(among, { least: among.least * 0.8, most: among.most * 1.2 });
    }
    return null;
}

// Does what it takes until the fault strikes; when it did: at the start, under load or at the stop.
async function strike(world, one) {
    const { point, n, action } = one, fault = `${point}:${n}:${action}`, before = world.random(3);
    if (before) world.scheduleBack(before);
    if (point.startsWith("engine.schedule")) world.scheduleBack(3 + n);
    if (point === "memory") return memoryStrike(world, one);
    const server = await world.start(point.startsWith("store.backup") ? "" : fault);
    if (!server) return /fault point/.test(world.refusal) && "start";
    if (point.startsWith("store.backup")) return (await backup(world, fault)) && "load";
    if (point === "engine.stop") {
        await world.play({ ms: 300 });
        const ended = world.kill("SIGTERM");
        await ended;
        return /fault point/.test(server.stderr) && "stop";
    }
    return (await world.play({ more: more(point, n), ms: LONG ? 20000 : 10000 })) && "load";
}

const listed = (await command(["version"], { env: { ...process.env, TAILRACE_FAULT: "list" } })).stdout.trimEnd().split("\n").map((line) => line.split("\t"));
const chosen = listed.filter(([name]) => !ONLY || name.startsWith(ONLY));

function cases(random) {
    const all = [];
    for (const [point, , fails] of chosen)
        for (const action of fails ? (LONG ? ["kill", "fail", "stick"] : ["kill", "fail"]) : ["kill"]) {
            if (point === "memory") {
                if (action === "stick") continue; // it ends the program
                for (let i = 0; i < (action === "fail" ? MEMORY : MEMORY / 4); i++) {
                    const phase = ["load", "start", "load", "stop"][i % 4];
                    all.push({ point, action, phase, n: phase === "start" ? Math.ceil(10 ** (random(3500) / 1000)) : 4000 + random(50000) });
                }
                continue;
            }
            const once = ONCE.includes(point) || action === "stick" || (action === "fail" && !LONG);
            const most = RARE[point]?.most ?? Infinity;
            const times = once ? [1] : LONG ? [...TIMES.filter((n) => n <= most), ...(ofPoint(OFTEN, point) ?? [])] : [1 + random(3)];
            for (const n of times) all.push({ point, action, n });
        }
    return all;
}

// Each fault after the other on one data folder, and a look at everything after so many.
async function lane(t, seed, groups, { random, broken }) {
    const scope = new Scope();
    t.after(() => scope.end());
    let world, used = WORLD;
    for (let group; (group = groups.shift()); ) {
        if (used >= WORLD) {
            await scope.end();
            world = Object.assign(await World.open(scope, { seed: seed + groups.length }), { found: [], after: (run) => scope.after(run) });
            used = 0;
        }
        used += group.length;
        await leave(world, group[0]);
        for (const one of group) {
            const began = performance.now();
            one.struck = await strike(world, one);
            if (!one.struck && !LONG && one.n > 1) { // there was not so much to do
                await world.kill();
                one.n = 1;
                one.struck = await strike(world, one);
            }
            one.ms = performance.now() - began;
            if (process.env.TRACE) console.error(one.point, one.n, one.action, one.struck, Math.round(one.ms));
            await world.kill(one.action === "fail" && random(6) === 0 ? "SIGTERM" : "SIGKILL");
        }
        const found = [...world.found.splice(0), ...await world.check()];
        if (process.env.TRACE && found.length) console.error(found.join("\n"));
        for (const one of group) one.violations = found.length;
        if (found.length) broken.push(`after ${group.map(({ point, n, action }) => `${point}:${n}:${action}`).join(", ")}:`, ...found.slice(0, 20));
    }
    await scope.end();
}

function tableTell(t, all) {
    const rows = new Map();
    for (const one of all) rows.set(`${one.point.padEnd(30)} ${one.action.padEnd(6)}`, [...(rows.get(`${one.point.padEnd(30)} ${one.action.padEnd(6)}`) ?? []), one]);
    t.diagnostic(`${"fault point".padEnd(30)} action  times  at hit ${" ".repeat(18)} ms    violations`);
    for (const [name, ones] of rows) {
        const hits = ones.filter((one) => one.struck).map((one) => one.n), missed = ones.filter((one) => !one.struck).map((one) => one.n);
        const sum = (what) => Math.round(ones.reduce((total, one) => total + one[what], 0));
        const phases = ["start", "load", "stop"].map((phase) => `${ones.filter((one) => one.struck === phase).length} at the ${phase}`).join(", ");
        const at = (hits.length > 9 ? `${Math.min(...hits)} to ${Math.max(...hits)}, ${phases}` : hits.join(" ")) + (missed.length ? ` (not reached: ${missed.join(" ")})` : "") + (LONG && RARE[ones[0].point] ? ` (no further: ${RARE[ones[0].point].why})` : "");
        t.diagnostic(`${name} ${String(hits.length).padStart(6)}  ${at.padEnd(25)}  ${String(sum("ms")).padEnd(6)}${sum("violations")}`);
    }
}

test("at every fault point a server dies or fails, and the next one breaks no invariant", { timeout: LONG ? 7200000 : 300000 }, async (t) => {
    t.diagnostic(`SEED=${SEED}`);
    const began = performance.now(), random = dice(SEED), broken = [], all = cases(random), groups = [];
    for (let i = 0; i < all.length; i += TOGETHER) groups.push(all.slice(i, i + TOGETHER));
    const lanes = Array.from({ length: LANES }, (_, i) => lane(t, SEED + 1000 * i, groups, { random, broken }));
    await Promise.all(lanes);
    tableTell(t, all);
    t.diagnostic(`${all.length} faults in ${Math.round((performance.now() - began) / 1000)} s`);
    assert.equal(broken.join("\n"), "");
    assert.deepEqual(all.filter((one) => !one.struck).map(({ point, n, action }) => `${point}:${n}:${action}`), [], "not reached");
});
