// Refresh-equivalence at every frame boundary, between the server's snapshot (src/feed/tree.c over
// the rows of the store) and the page's fold (ui/reducer.js): both from the same recorded runs of
// the real engine, commit by commit (tests/record/record.c). SEEDS=n for more of them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "node:test";

import { JOBS, fold, initial } from "../../ui/reducer.js";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const BUILD = path.dirname(process.env.TAILRACE_BIN || path.join(ROOT, "build", "tailrace"));
const SEEDS = Number(process.env.SEEDS || 4);

const STATS = ["total", "pending", "running", "completed", "failed", "cancelled"];
const NOTHING = {
    jobs: [],
    total_count: 0,
    stats: Object.fromEntries(STATS.map((key) => [key + "_jobs", 0])),
};

const ENDS = [
    "job completed",
    "job failed",
    "job cancelled",
    "step completed",
    "step failed",
    "step cancelled",
    "step skipped",
];

// Lines {from, as_of, events: {topic: […]}, states: {topic: snapshot}}, one for each commit.
async function record(t, seed, jobs) {
    const folder = await mkdtemp(path.join(os.tmpdir(), "tailrace-record-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const { stdout } = await promisify(execFile)(
        path.join(BUILD, "record-stream"),
        [path.join(folder, "data"), String(seed), String(jobs)],
        { maxBuffer: 1 << 30 },
    );
    return stdout.trimEnd().split("\n").map(JSON.parse);
}

const restored = (topic, state) => fold(initial(), { type: "snapshot", topic, state });

const shown = (state, topic) => (topic === JOBS ? state.list : state.trees);

function advanced(state, topic, commit) {
    const events = commit.events[topic];
    return events && events.length ? fold(state, { type: "events", topic, events }) : state;
}

// One page that has been there from the start, for each topic.
function follow(commits, atBoundary) {
    const pages = new Map();
    for (const commit of commits) {
        for (const [topic, state] of Object.entries(commit.states)) {
            const page = advanced(pages.get(topic) || restored(JOBS, NOTHING), topic, commit);
            pages.set(topic, page);
            atBoundary(topic, commit, page, state);
        }
    }
    return pages;
}

function everyBoundary(commits, seed) {
    return follow(commits, (topic, commit, page, state) =>
        assert.deepEqual(
            shown(page, topic),
            shown(restored(topic, state), topic),
            `seed ${seed}: ${topic} in the commit (${commit.from}, ${commit.as_of}]`,
        ),
    );
}

function everyStart(commits, ends, seed) {
    commits.forEach((begin, i) => {
        for (const [topic, state] of Object.entries(begin.states)) {
            const rest = commits.slice(i + 1);
            const page = rest.reduce((p, c) => advanced(p, topic, c), restored(topic, state));
            const where = `seed ${seed}: ${topic} from ${begin.as_of} on`;
            assert.deepEqual(shown(page, topic), shown(ends.get(topic), topic), where);
        }
    });
}

const moves = (commits) =>
    commits.flatMap((c) => c.events.jobs).filter((e) => e.type === "job_status_change");

test("of recorded runs, at every commit and from every snapshot, the page is what a reload would show", async (t) => {
    const ends = new Set();
    let boundaries = 0;
    const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
    const recorded = await Promise.all(seeds.map((seed) => record(t, seed, 6)));
    for (const [i, commits] of recorded.entries()) {
        boundaries += commits.length;
        everyStart(commits, everyBoundary(commits, seeds[i]), seeds[i]);
        for (const { payload: p } of moves(commits)) ends.add(p.kind + " " + p.status);
    }
    t.diagnostic(`${boundaries} commits compared: ${[...ends].sort()}`);
    assert.ok(boundaries > 10 * SEEDS, "only " + boundaries + " commits were looked at");
    for (const end of ENDS) assert.ok(ends.has(end), "no recorded " + end);
});

test("of a recorded run with more jobs than a list holds, the page lists what a reload would list", async (t) => {
    const commits = await record(t, 1, 70);
    const last = commits.at(-1).states.jobs;
    assert.equal(last.total_count, 70);
    assert.ok(last.jobs.length < 70);
    everyStart(commits, everyBoundary(commits, 1), 1);
});
