// Which place a job that waits has: the highest priority is the next, then who was asked for first.
import assert from "node:assert/strict";
import test from "node:test";

import { placesOf } from "../../ui/places.js";
import { hasRest, jobNote, stopText, waitText, whyText } from "../../ui/words.js";

const job = (job_id, created_at, more) => ({ job_id, created_at, status: "pending", priority: 0, waits_for: "a place", ...more });
const listOf = (...jobs) => ({ order: jobs.map((each) => each.job_id), jobs: Object.fromEntries(jobs.map((each) => [each.job_id, each])) });

test("places are those of the line, each line by itself", () => {
    const list = listOf(
        job("newest", "4"), job("urgent", "3", { priority: 10 }), job("other", "2", { waits_for: "another place" }),
        job("first", "1"), job("runs", "0", { status: "running", waits_for: "" }), job("idle", "0", { waits_for: "" }),
    );
    assert.deepEqual(placesOf(list), { urgent: 1, first: 2, newest: 3, other: 1 });
    assert.equal(placesOf(list), placesOf(list), "found once for each list");
});

test("what a job waits for is said with its place, if that is known", () => {
    assert.equal(waitText({ waits_for: "a place of pool db (2 at once)" }, 1200), "number 1,200 in line for a place of pool db (2 at once)");
    assert.equal(waitText({ waits_for: "a place" }), "waits for a place");
    assert.equal(waitText({ waits_for: "" }, 1), "");
});

test("what is being stopped says when it is killed, and that it was", () => {
    const now = Date.parse("2026-11-28T03:00:00Z");
    const step = { name: "s", status: "running", progress_text: "1/3", kill_at: "2026-11-28T03:00:04.200Z" };
    const job = { status: "running", steps: [{ ...step, kill_at: null }, step] };
    assert.equal(stopText(step, now), "SIGKILL in 5 s");
    assert.equal(jobNote(job, 0, now), "SIGKILL in 5 s");
    assert.equal(stopText(step, now + 4200), "SIGKILL was sent");
    assert.equal(stopText({ ...step, status: "failed" }, now), "", "it has ended, however");
    assert.equal(stopText({ ...step, kill_at: null }, now), "");
    assert.equal(jobNote({ status: "running", steps: [{ ...step, kill_at: null }] }, 0, now), "1/3");
});

test("why something ended has the first error and the cause, and says nothing twice", () => {
    const why = (error, cause, status = "failed") => whyText({ status, error, cause });
    assert.equal(why("no luck", "exit code 3"), "no luck · exit code 3");
    assert.equal(why("", "exit code 3"), "exit code 3");
    assert.equal(why("no luck", ""), "no luck");
    assert.equal(why("GET http://a/: http://a refuses connections", "step 'ask': http://a refuses connections (attempt 3 of 3)"), "step 'ask': http://a refuses connections (attempt 3 of 3)");
    assert.equal(why("", "cancelled by page", "cancelled"), "cancelled by page");
    assert.equal(why("", "taken over from job 1", "completed"), "");
});

test("something is left of a job that did not end well and of which a step did", () => {
    const rest = (status, ...steps) => hasRest({ status, steps: steps.map((status) => ({ status })) });
    assert.equal(rest("failed", "completed", "failed"), true);
    assert.equal(rest("cancelled", "completed", "cancelled"), true);
    assert.equal(rest("failed", "failed", "skipped"), false, "all of it is left");
    assert.equal(rest("completed", "completed", "failed"), false, "its failure was meant");
    assert.equal(rest("running", "completed", "failed"), false);
});
