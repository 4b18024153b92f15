// Search over real logs: against an independent count of the same lines.

import assert from "node:assert/strict";
import { test as nodeTest } from "node:test";

import { serve } from "./server.mjs";

// A hang is a failure too.
const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const MANY = `
id: many
name: Many
steps:
  - name: say
    type: shell
    config: { command: 'seq -f "line %g of them" 60000; echo "Ärger 7"; printf "a%.0s" $(seq 60); echo; echo ERROR >&2' }
`;
const definitions = { "many.yaml": MANY };

// Asks until everything was looked at.
async function searched(server, id, query) {
    const found = { count: 0, lines: [], logs: [], requests: 0 };
    const onward = query.order === "desc" ? "before" : "after";
    for (let at = {}; ; ) {
        const text = new URLSearchParams({ step: "say", ...query, ...at });
        const { status, body } = await server.get(`/api/jobs/${id}/search?${text}`);
        assert.equal(status, 200, JSON.stringify(body));
        found.count += body.count;
        found.lines.push(...body.lines);
        found.logs.push(...(body.logs || []));
        found.requests += 1;
        if (body.complete) return { ...found, last: body };
        at = { [onward]: body.next };
    }
}

async function allLines(server, id) {
    const text = await (await fetch(`${server.url}/api/jobs/${id}/logs.txt?step=say`)).text();
    return text.trimEnd().split("\n").map((line, i) => ({ line: i + 1, text: line }));
}

test("a search finds what a reading of all lines finds, in both directions", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("many");
    const lines = await allLines(server, id);
    const expected = lines.filter(({ text }) => text.includes("99 of")).map(({ line }) => line);
    assert.ok(expected.length > 500);
    const up = await searched(server, id, { q: "99 OF" });
    assert.deepEqual(up.lines, expected);
    assert.equal(up.count, expected.length);
    assert.equal(up.last.to, lines.length);
    assert.equal(up.last.total_logs, lines.length);
    const down = await searched(server, id, { q: "99 of", order: "desc" });
    assert.deepEqual(down.lines, [...expected].reverse());
    const between = await searched(server, id, { q: "99 of", after: 1000, before: 2000 });
    assert.deepEqual(between.lines, expected.filter((line) => line > 1000 && line < 2000));
    assert.deepEqual([between.last.from <= 1001, between.last.to], [true, 1999]);
});

test("limit limits the numbers, never the count; texts are the lines themselves", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("many");
    const none = await searched(server, id, { q: "line 5", limit: 0 });
    assert.deepEqual(none.lines, []);
    const lines = await allLines(server, id);
    assert.equal(none.count, lines.filter(({ text }) => text.includes("line 5")).length);
    const { body } = await server.get(`/api/jobs/${id}/search?step=say&q=line&limit=3&texts=true`);
    assert.deepEqual(body.logs.map((l) => [l.line, l.message]), body.lines.map((n) => [n, lines[n - 1].text.slice(-body.logs[n - body.lines[0]].message.length)]));
    assert.equal(body.logs.length, 3);
});

test("case, expressions, levels and letters of all of Unicode", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("many");
    const count = async (query) => (await searched(server, id, query)).count;
    assert.equal(await count({ q: "LINE 60000 OF" }), 1);
    assert.equal(await count({ q: "LINE 60000 OF", case: true }), 0);
    assert.equal(await count({ q: "line 60000 of", case: true }), 1);
    assert.equal(await count({ q: "äRGER" }), 1);
    assert.equal(await count({ q: "^line 5\\d{3} ", regex: true }), 1000);
    assert.equal(await count({ q: "5\\d{3}" }), 0, "words are no expression");
    assert.equal(await count({ q: "error", level: "warn" }), 1);
    assert.equal(await count({ q: "line", level: "warn" }), 0);
    assert.equal(await count({ level: "warn" }), 1, "without words: all lines of the level");
});

test("what is wrong in a search is said, with the field", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("many");
    const wrong = [
        ["step=say&q=", "q", /1 to 1000 bytes/],
        ["step=say&q=" + "a".repeat(1001), "q", /1 to 1000 bytes/],
        ["q=a", "step", /step names the step/],
        ["step=say&q=(&regex=true", "q", /missing closing parenthesis, at character 2/],
        ["step=say&q=" + "(".repeat(60) + ")".repeat(60) + "&regex=true", "q", /at character/],
        ["step=say&q=a&regex=maybe", "regex", /true|false/],
        ["step=say&q=a&limit=10001", "limit", /10000/],
        ["step=say&q=a&texts=true&limit=1001", "limit", /1000/],
        ["step=say&q=a&level=loud", "level", /debug, info, warn, error/],
        ["step=say&q=a&after=-1", "after", /0/],
        ["step=say&regex=true&q=" + encodeURIComponent("^(a|aa)+[!?]$") + "&after=60000", "q", /takes too long/],
    ];
    for (const [query, field, sentence] of wrong) {
        const { status, body } = await server.get(`/api/jobs/${id}/search?${query}`);
        assert.deepEqual([status, body.field], [400, field], query + " " + JSON.stringify(body));
        assert.match(body.error, sentence);
    }
    const { status, body } = await server.get(`/api/jobs/${id}/search?step=other&q=a`);
    assert.deepEqual([status, body.field], [404, "step"]);
});

test("a full page of lines is kept by browsers, any other is not", async (t) => {
    const server = await serve(t, { definitions });
    const id = await server.run("many");
    const epoch = (await server.get("/api/status")).body.cursor.split(":")[0];
    const cacheOf = async (query) => {
        const answer = await fetch(`${server.url}/api/jobs/${id}/logs?step=say&limit=256&${query}`);
        await answer.arrayBuffer();
        return [answer.status, answer.headers.get("cache-control")];
    };
    const kept = [200, "private, max-age=31536000, immutable"];
    const not = [200, "no-store"];
    assert.deepEqual(await cacheOf("after=512&epoch=" + epoch), kept);
    assert.deepEqual(await cacheOf("after=512"), not, "of a history without a name");
    assert.deepEqual(await cacheOf("after=59999&epoch=" + epoch), not, "there may be more");
    assert.deepEqual(await cacheOf("order=desc&epoch=" + epoch), not, "what is newest changes");
    assert.deepEqual(await cacheOf("level=info&epoch=" + epoch), not);
    assert.deepEqual(await cacheOf("epoch=another"), [410, "no-store"]);
});
