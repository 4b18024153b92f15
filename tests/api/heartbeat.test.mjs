// What hangs is noticed by its silence; whatever shows a sign of life, as each worker type does it,
// runs on. Signs come ten times as often as they have to, so that a busy machine does not matter.
import assert from "node:assert/strict";
import nodeTest from "node:test";
import { listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const shell = (command, more = {}, config = {}) => ({ name: "s", type: "shell", heartbeat: "2s", config: { command, ...config }, ...more });
const SILENT = "no sign of life for 2s (heartbeat)";

// Runs definitions of one step each at the same time, and tells how each step ended.
async function run(t, steps, others = {}) {
    const definition = (id, step) => JSON.stringify({ id, name: id, steps: [step] });
    const all = { ...steps, ...others };
    const server = await serve(t, { definitions: Object.fromEntries(Object.entries(all).map(([id, step]) => [`${id}.json`, definition(id, step)])) });
    return Object.fromEntries(await Promise.all(Object.keys(steps).map(async (id) => {
        const { body } = await server.get(`/api/jobs/${await server.run(id)}/tree`);
        const [{ status, cause, logs }] = body.steps;
        return [id, { status, cause, texts: logs.map(({ message }) => message) }];
    })));
}

const often = (what, times = 20) => `for i in $(seq ${times}); do ${what}; sleep 0.2; done`;

test("a command that hangs is ended as by a timeout, and tried again; one that shows signs of life is not", async (t) => {
    const retry = { attempts: 2, backoff: "10ms" };
    const it = await run(t, {
        hangs: shell("echo begun; exec sleep 1000"),
        "hangs-deaf": shell("trap '' TERM; echo begun; while :; do sleep 0.1; done", {}, { grace: "1s" }),
        "hangs-once": shell('echo "run $TAILRACE_ATTEMPT"; [ "$TAILRACE_ATTEMPT" -gt 1 ] || exec sleep 1000', { retry }),
        lines: shell(often("echo line $i")),
        dots: shell(often("printf .")),
        "dots-of-a-pipe": shell(often("printf . >&2"), {}, { pty: false }),
        progress: shell(often('tailrace progress "$i/20"')),
        "each-alone": shell(`[ "$ITEM" = hangs ] && exec sleep 1000; ${often("echo line $i")}`, { for_each: ["hangs", "lives"], parallel: 2 }),
        "may-be-silent": shell("sleep 4", { heartbeat: "0" }),
    });
    assert.deepEqual([it.hangs.status, it.hangs.cause], ["failed", SILENT]);
    assert.equal(it.hangs.texts[1], "begun");
    assert.equal(it.hangs.texts[2], SILENT);
    assert.match(it.hangs.texts[3], /^stopping: SIGTERM sent/);
    assert.equal(it["hangs-deaf"].cause, SILENT);
    assert.ok(it["hangs-deaf"].texts.some((text) => /^survived SIGTERM: .*; SIGKILL sent$/.test(text)), it["hangs-deaf"].texts.join("\n"));
    assert.equal(it["hangs-once"].status, "completed");
    assert.ok(it["hangs-once"].texts.some((text) => text.startsWith(`attempt 1 of 2 failed: ${SILENT}; the next one in `)));
    assert.ok(it["hangs-once"].texts.includes("run 2"));
    for (const id of ["lines", "dots", "dots-of-a-pipe", "progress", "may-be-silent"]) assert.equal(it[id].status, "completed", `${id}: ${it[id].cause}`);
    assert.ok(it.dots.texts.includes(".".repeat(20)));
    assert.equal(it["each-alone"].cause, `1 of 2 items failed, the last one: 'hangs': ${SILENT}`);
    assert.ok(it["each-alone"].texts.includes(`item 'hangs': ${SILENT}`));
});

test("a request is alive while its answer comes", async (t) => {
    const slow = (response, left) => (left ? (response.write("x"), setTimeout(slow, 200, response, left - 1)) : response.end());
    const site = await listener(t, ({ url }, response) => url === "/slow" && (response.writeHead(200, { "Content-Type": "text/plain" }), slow(response, 20)));
    const ask = (path) => ({ name: "s", type: "http", heartbeat: "2s", config: { url: site.url + path } });
    const it = await run(t, { never: ask("/never"), slow: ask("/slow") });
    assert.deepEqual([it.never.status, it.never.cause], ["failed", SILENT]);
    assert.equal(it.slow.status, "completed", it.slow.cause);
    assert.ok(it.slow.texts.includes("x".repeat(20)));
});

test("a job that a step started shows life for it, and misses nothing while it waits", async (t) => {
    const start = (definition) => ({ name: "s", type: "job", heartbeat: "2s", config: { definition } });
    const it = await run(t, { "of-alive": start("alive"), "of-waiting": start("waiting"), "of-hanging": start("hanging") }, {
        alive: shell(often("printf ."), { heartbeat: "0" }),
        waiting: shell('[ "$TAILRACE_ATTEMPT" -gt 1 ]', { heartbeat: "0", retry: { attempts: 2, backoff: "8s" } }), // half of it at least
        hanging: shell("exec sleep 1000", { heartbeat: "0" }),
    });
    assert.equal(it["of-alive"].status, "completed", it["of-alive"].cause);
    assert.equal(it["of-waiting"].status, "completed", it["of-waiting"].cause);
    assert.deepEqual([it["of-hanging"].status, it["of-hanging"].cause], ["failed", SILENT]);
});
