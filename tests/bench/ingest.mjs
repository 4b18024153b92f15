// Ingest through the whole server: a process that writes lines as fast as it can, against `cat` and `sync`
// of the same bytes; fifty steps at once at steady rates; what a line takes on the disk.
// Usage: node tests/bench/ingest.mjs [one|fifty ...] [--quick] [--rounds N]. See docs/benchmarks.md.
import { closeSync, openSync, readSync, readdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { LINE_BYTES, catAndSync, oneStep, writeLines } from "./chatty.mjs";
import { BOTH_CORES, cpu, fixed, measure, median, runCases, scratch, table, tailrace } from "./rig.mjs";

const { values: flags, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean" }, rounds: { type: "string" } },
});
const ROUNDS = Number(flags.rounds ?? (flags.quick ? 1 : 3));
const LINES = flags.quick ? 200000 : 2000000;

/** Bytes in the data folder, without the pages that are free for what comes next. */
function bytesUsed(folder) {
    let bytes = 0;
    for (const name of readdirSync(folder, { recursive: true })) {
        const file = path.join(folder, name);
        const { size } = statSync(file);
        if (!statSync(file).isFile()) continue;
        const head = Buffer.alloc(100), f = openSync(file, "r");
        readSync(f, head, 0, 100, 0);
        closeSync(f);
        const database = head.toString("latin1", 0, 15) === "SQLite format 3";
        bytes += size - (database ? head.readUInt32BE(36) * (head.readUInt16BE(16) === 1 ? 65536 : head.readUInt16BE(16)) : 0);
    }
    return bytes;
}

/** Waits until compaction and checkpoints are over: nothing of the server runs for a while. */
async function settled(server) {
    for (let before = -1; cpu(server.pid) !== before; await sleep(5000)) before = cpu(server.pid);
}

async function oneStepOnDisk(file, cores) {
    let perLine;
    const after = async (server) => {
        await settled(server);
        await server.end();
        perLine = bytesUsed(server.data) / LINES;
    };
    const perSecond = await oneStep(file, LINES, cores, { after });
    return { perSecond, perLine };
}

async function one() {
    const file = path.join(scratch, "lines.txt");
    writeLines(file, LINES);
    console.log(`### One step: ${LINES} lines of ${LINE_BYTES} bytes, as fast as they can\n`);
    const rows = [];
    for (const [name, cores] of [["both cores", BOTH_CORES], ["one core", "0"]]) {
        const ours = [], cats = [];
        for (let round = 0; round < ROUNDS; round++) {
            cats.push(catAndSync(file, LINES, cores));
            ours.push(await oneStepOnDisk(file, cores));
        }
        const perSecond = median(ours.map((r) => r.perSecond)), cat = median(cats);
        rows.push([name, fixed(perSecond, 0), fixed(cat, 0), fixed(perSecond / cat, 3), fixed(median(ours.map((r) => r.perLine)), 1)]);
    }
    rmSync(file);
    table(["server and `cat` on", "lines/s until the end is durable", "`cat > file; sync`, lines/s", "share", "bytes a line on the disk, compacted"], rows);
}

const STEPS = 50;

async function fiftySteps(rate) {
    const seconds = flags.quick ? 3 : 10;
    const config = { lines_per_second: rate / STEPS, log_count: (rate / STEPS) * seconds, line_bytes: LINE_BYTES };
    const server = await tailrace(Array.from({ length: STEPS }, (_, i) => ({ name: `lines-${i + 1}`, type: "generator", config })));
    const threads = ["store", "checkpoint"];
    const before = threads.map((name) => cpu(server.pid, name));
    const stop = server.stop;
    let used;
    server.stop = () => ((used = threads.map((name, i) => cpu(server.pid, name) - before[i])), stop());
    const result = await measure(server, { viewers: 1, skipMs: 1000, timeout: 60 });
    return { ...result, store: used[0] / result.seconds, checkpoint: used[1] / result.seconds, all: result.cpu_s / result.seconds };
}

async function fifty() {
    console.log(`### ${STEPS} steps at once, from a line's time stamp to a viewer\n`);
    const rows = [];
    for (const rate of [20000, 200000]) {
        const all = [];
        for (let round = 0; round < ROUNDS; round++) all.push(await fiftySteps(rate));
        const of = (key) => median(all.map((r) => r[key]));
        const percent = (key) => fixed(100 * of(key), 1);
        rows.push([rate, fixed(of("per_second"), 0), fixed(of("p50_ms"), 2), fixed(of("p99_ms"), 2), fixed(of("max_ms"), 1),
            percent("store"), percent("checkpoint"), percent("all"), all.every((r) => r.clean) ? "all" : "NO"]);
    }
    table(["lines/s asked for", "lines/s", "p50 ms", "p99 ms", "max ms", "store thread, % of a core", "checkpoint thread", "whole server",
        "complete, in order"], rows);
}

const cases = { one, fifty };
await runCases(cases, positionals.length ? positionals : Object.keys(cases));
