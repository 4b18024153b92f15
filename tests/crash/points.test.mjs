// The fault points of the program (`TAILRACE_FAULT=list tailrace`).
import assert from "node:assert/strict";
import test from "node:test";

import { command } from "../api/server.mjs";

const wrong = (fault) => command(["version"], { env: { ...process.env, TAILRACE_FAULT: fault } });

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
        const { code, stdout, stderr } = await wrong(fault);
        assert.deepEqual([code, stdout], [2, ""]);
        assert.ok(stderr.includes(says), stderr);
    });
