// How the end of a step goes, by what its log says.
import assert from "node:assert/strict";
import test from "node:test";

import { endingText } from "../../ui/job/ending.js";

const NOW = Date.parse("2026-11-28T03:00:00Z");
const said = (...messages) => ({
    name: "s",
    status: "running",
    logs: messages.map((message, i) => ({ line: i + 1, message, timestamp: new Date(NOW - 1000).toISOString() })),
});

test("the newest of what the log says about the end counts", () => {
    assert.equal(endingText(said("hello"), NOW), "");
    assert.equal(endingText(said("stopping: SIGTERM sent, SIGKILL in 5s", "bye"), NOW), "Step s is ending: SIGKILL in 4 s.");
    assert.equal(endingText(said("stopping: SIGTERM sent, SIGKILL in 1h", "SIGKILL in 90s: 2 processes are left"), NOW), "Step s is ending: SIGKILL in 89 s.");
    assert.equal(endingText(said("stopping: SIGTERM sent, SIGKILL in 500ms"), NOW), "Step s is ending: SIGKILL in 0 s.");
    assert.equal(endingText(said("SIGKILL in 1s: 1 process is left", "survived SIGTERM: 12 (sh), 13 (sleep); SIGKILL sent"), NOW), "Step s is ending: SIGKILL was sent.");
    assert.equal(endingText(said("stopping: SIGKILL sent"), NOW), "Step s is ending: SIGKILL was sent.");
    assert.equal(endingText(said("stopping: SIGKILL sent", "stopped after 0.1 s: all processes are gone"), NOW), "");
    assert.equal(endingText({ ...said("stopping: SIGKILL sent"), status: "failed" }, NOW), "");
});
