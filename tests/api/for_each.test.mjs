// One step, a task for each item: where items come from, how many run at once, what a failure means.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import nodeTest from "node:test";
import { folder, listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const step = (name, command, more = "") => `  - name: ${name}\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n${more}`;
const definition = (steps, more = "") => `id: d\nname: D\n${more}steps:\n${steps.join("")}`;

async function treeOf(server, job) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    return { tree, steps: Object.fromEntries(tree.steps.map((s) => [s.name, { ...s, texts: s.logs.map(({ message }) => message) }])) };
}

async function run(t, text, parameters) {
    const server = await serve(t, { definitions: { "d.yaml": text } });
    const job = await server.run("d", parameters);
    return { server, job, ...(await treeOf(server, job)) };
}

const tasksOf = async (server, step) => (await server.get(`/api/jobs/${step.step_id}/children?limit=1000`)).body.children;

test("a command runs once for each item, one after the other, and has it as a variable", async (t) => {
    const { server, tree, steps } = await run(t, definition([
        step("each", 'echo "<$ITEM> {item}"', "    for_each: [a, 'b c', \"{p}\", a, '$(date)', '']\n"),
    ], "parameters: { p: \"x'y\" }\n"));
    assert.equal(tree.status, "completed", tree.cause);
    assert.deepEqual(steps.each.texts.slice(1, -1), ["item 'a'", "<a> {item}", "item 'b c'", "<b c> {item}", "item 'x'y'", "<x'y> {item}", "item 'a'", "<a> {item}", "item '$(date)'", "<$(date)> {item}"]);
    assert.equal(steps.each.progress_text, "5/5");
    const tasks = await tasksOf(server, steps.each);
    assert.deepEqual(tasks.map(({ name, config }) => [name, config.item]), [["a", "a"], ["b c", "b c"], ["x'y", "x'y"], ["a #4", "a"], ["$(date)", "$(date)"]]);
});

test("a text is split into its lines: of a parameter, of an output", async (t) => {
    const { steps } = await run(t, definition([
        step("list", "printf 'files<<E\\none\\n two \\n\\nE\\n' > $TAILRACE_OUTPUT"),
        step("each", 'echo "<$ITEM>"', '    depends: [list]\n    for_each: "{steps.list.files}\\n{p}"\n'),
        step("lines", 'echo "<$ITEM>"', "    for_each: |\n      first\n      second\n"),
        step("none", "echo never", '    depends: [list]\n    for_each: "{q}"\n'),
    ], "parameters: { p: three, q: '' }\n"), { p: "three\r\nfour" });
    const said = (s) => s.texts.filter((text) => text.startsWith("<"));
    assert.deepEqual(said(steps.each), ["<one>", "<two>", "<three>", "<four>"]);
    assert.deepEqual(said(steps.lines), ["<first>", "<second>"]);
    assert.deepEqual([steps.none.status, steps.none.texts[1], steps.none.child_summary.total], ["completed", "for_each has no items", 0]);
});

test("as many run at once as parallel says, and no more", async (t) => {
    const waiting = [];
    let running = 0, most = 0;
    const site = await listener(t, (request, response, n) => {
        most = Math.max(most, ++running);
        const answer = () => { running--; response.end("fine"); };
        // three are held until there are three: two would be too few, a fourth is seen by `most`
        if (running === 3) for (const go of [...waiting.splice(0), answer]) go();
        else if (n > 6) answer();
        else waiting.push(answer);
    });
    const items = "abcdefg".split("");
    const { tree, steps } = await run(t, definition([
        `  - name: ask\n    type: http\n    for_each: [${items}]\n    parallel: 3\n    config: { url: "${site.url}/{item}", headers: { X-It: "{item}{no}" } }\n`,
    ]));
    assert.equal(tree.status, "completed", tree.cause);
    assert.equal(most, 3);
    assert.deepEqual(site.asked.map(({ path }) => path).sort(), items.map((item) => "/" + item));
    assert.equal(steps.ask.child_summary.completed, 7);
});

test("items that fail fail the step, when all have run, unless failures are tolerated", async (t) => {
    const some = step("some", '[ "$ITEM" != b ] && [ "$ITEM" != d ] || exit 3', "    for_each: [a, b, c, d, e]\n");
    const { tree, steps } = await run(t, definition([some, step("after", "true", "    depends: [some]\n")]));
    assert.equal(steps.some.cause, "2 of 5 items failed, the last one: 'd': exit code 3");
    assert.equal(tree.cause, "step 'some': " + steps.some.cause);
    assert.equal(steps.some.child_summary.completed, 3);
    assert.ok(steps.some.texts.includes("item 'b' failed: exit code 3"));
    assert.equal(steps.after.status, "skipped");
    assert.equal(steps.some.progress_text, "5/5");
    const tolerant = await run(t, definition([some], "error_tolerance: { max_child_failures: 2, failure_action: stop_all }\n"));
    assert.equal(tolerant.tree.status, "completed");
    const stopped = await run(t, definition([some], "error_tolerance: { max_child_failures: 0, failure_action: stop_all }\n"));
    assert.equal(stopped.steps.some.cause, "1 tasks failed, 0 are tolerated, the last one: 'b': exit code 3");
    assert.equal(stopped.steps.some.child_summary.cancelled, 3);
});

test("each item is tried again for itself", async (t) => {
    const note = path.join(await folder(t), "note");
    const { server, steps, tree } = await run(t, definition([
        step("each", 'echo "$ITEM" >> "$PARAM_NOTE"; [ "$ITEM" != b ] || [ "$(grep -c b "$PARAM_NOTE")" = 2 ]', "    for_each: [a, b, c]\n    retry: { attempts: 3, backoff: 1ms }\n"),
    ], `parameters: { note: ${note} }\n`));
    assert.equal(tree.status, "completed", tree.cause);
    assert.deepEqual(readFileSync(note, "utf8").trim().split("\n").sort(), ["a", "b", "b", "c"]);
    assert.deepEqual((await tasksOf(server, steps.each)).map((t) => t.attempt), [1, 2, 1]);
    assert.ok(steps.each.texts.some((text) => text.startsWith("item 'b': attempt 1 of 3 failed: exit code 1")));
    assert.ok(steps.each.texts.includes("item 'b': attempt 2 of 3"));
});

test("a setting that is wrong with its item fails that item, and is not tried again", async (t) => {
    const { steps } = await run(t, definition(['  - name: ask\n    type: http\n    for_each: ["http://127.0.0.1:1/", "ftp://x/"]\n    retry: { attempts: 5, backoff: 0 }\n    config: { url: "{item}" }\n']));
    const text = steps.ask.texts.find((text) => text.startsWith("item 'ftp://x/' failed"));
    assert.equal(text, "item 'ftp://x/' failed: config.url: the scheme 'ftp' is neither http nor https");
    assert.equal(steps.ask.status, "failed");
});

test("a cancel ends items that run, and those that wait", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": definition([step("each", 'echo "begun $ITEM"; sleep 1000', "    for_each: [a, b, c, d]\n    parallel: 2\n")]) } });
    const job = await server.execute("d");
    await server.event(job, ({ payload }) => payload.message === "begun a");
    await server.event(job, ({ payload }) => payload.message === "begun b");
    await server.post(`/api/jobs/${job}/cancel`);
    await server.events(`job:${job}`, await server.beginning());
    const { steps } = await treeOf(server, job);
    assert.deepEqual([steps.each.status, steps.each.child_summary.cancelled], ["cancelled", 4]);
});

test("a server that is killed goes on with the items that are left", async (t) => {
    const data = await folder(t), note = path.join(data, "note");
    writeFileSync(note, "");
    const text = definition([
        step("list", "seq 1 30 | sed '1ifiles<<E' > $TAILRACE_OUTPUT; echo E >> $TAILRACE_OUTPUT"),
        step("each", 'echo "$ITEM" >> "$PARAM_NOTE"; echo "done $ITEM"', '    depends: [list]\n    for_each: "{steps.list.files}"\n    parallel: 2\n'),
    ], `parameters: { note: ${note} }\n`);
    let server = await serve(t, { data, definitions: { "d.yaml": text } });
    const job = await server.execute("d");
    for (const item of [5, 15]) {
        await server.event(job, ({ payload }) => payload.message === `done ${item}`);
        await server.stop("SIGKILL");
        server = await serve(t, { data });
    }
    await server.events(`job:${job}`, await server.beginning());
    const { tree, steps } = await treeOf(server, job);
    assert.equal(tree.status, "completed", tree.cause);
    assert.deepEqual([steps.each.child_summary.total, steps.each.child_summary.completed, steps.each.progress_text], [30, 30, "30/30"]);
    const ran = readFileSync(note, "utf8").trim().split("\n").map(Number);
    assert.equal(new Set(ran).size, 30);
    for (const item of [1, 2, 3]) assert.equal(ran.filter((n) => n === item).length, 1, "its end was kept before that of 5 was seen");
});

test("a hundred thousand items are taken, one more is not", async (t) => {
    const many = (n) => Array.from({ length: n }, (_, i) => i).join("\n");
    const server = await serve(t, { definitions: { "d.yaml": definition([step("each", 'exit 1', '    for_each: "{items}"\n    parallel: 2\n')], "parameters: { items: }\nerror_tolerance: { max_child_failures: 3, failure_action: stop_all }\n") } });
    const job = await server.run("d", { items: many(100000) });
    const { steps } = await treeOf(server, job);
    assert.deepEqual([steps.each.child_summary.total, /^[45] tasks failed, 3 are tolerated/.test(steps.each.cause)], [100000, true]);
    for (const [items, error] of [[many(100001), "more than 100000 items"], ["a\n" + "x".repeat(5000), "item 2 has 5000 bytes, at most 4096 are allowed"]]) {
        const { status, body } = await server.post("/api/job-definitions/d/execute", { parameters: { items } });
        assert.deepEqual([status, body.field, body.error.endsWith(`steps[0].for_each: ${error}`)], [400, "steps[0].for_each", true], body.error);
    }
    assert.equal((await server.get("/api/jobs")).body.jobs.length, 1);
});

test("a time and a terminal may come from the item, for each task its own", async (t) => {
    const silent = await listener(t, () => {});
    const { steps } = await run(t, definition([
        `  - name: ask\n    type: http\n    for_each: [80ms, x]\n    config: { url: "${silent.url}/", timeout: "{item}" }\n`,
        '  - name: look\n    type: shell\n    for_each: ["true", "false"]\n    config: { command: \'[ -t 1 ] && a=terminal; echo "$ITEM: ${a-pipe}, pager ${PAGER-none}"\', pty: "{item}" }\n']));
    const texts = steps.ask.texts.filter((text) => / failed: /.test(text));
    assert.match(texts[0], /^item '80ms' failed: .*no answer/);
    assert.equal(texts[1], "item 'x' failed: config.timeout: expected a duration such as 250ms, 2s, 30m or 1h, found 'x'");
    assert.deepEqual(steps.look.texts.filter((text) => /pager/.test(text)), ["true: terminal, pager cat", "false: pipe, pager none"]);
});

test("an item of an output that is too long fails the step", async (t) => {
    const says = (text) => step("list", `{ echo "files<<END"; ${text}; echo; echo END; } >> "$TAILRACE_OUTPUT"`);
    const { steps } = await run(t, definition([says("echo a; head -c 5000 /dev/zero | tr '\\0' x"),
        step("lines", "true", '    depends: [list]\n    for_each: "{steps.list.files}"\n'), step("list-of", "true", '    depends: [list]\n    for_each: [a, "{steps.list.files}"]\n')]));
    assert.equal(steps.lines.cause, "for_each: item 2 has 5000 bytes, at most 4096 are allowed");
    assert.equal(steps["list-of"].cause, "for_each[1]: an item has at most 4096 bytes, this one 5002");
});

test("what is no list of items is refused, with its place", async (t) => {
    const server = await serve(t);
    const post = (type, more) => server.fetch("/api/job-definitions", {
        method: "POST", headers: { "Content-Type": "application/yaml" },
        body: `id: d\nname: D\nsteps:\n  - { name: list, type: generator }\n  - name: s\n    type: ${type}\n${more}    config: { ${type === "shell" ? "command: x" : type === "crawler" ? "start_urls: [http://a/]" : ""} }\n`,
    });
    for (const [type, more, line, field, error] of [
        ["crawler", "    for_each: [a]\n", 7, "steps[1].for_each", "a step of type crawler has tasks of its own, so it cannot have for_each"],
        ["shell", "    for_each: []\n", 7, "steps[1].for_each", "expected at least one entry"],
        ["shell", "    for_each: { a: b }\n", 7, "steps[1].for_each", "expected a list of items, or a text with one in each line, found a map"],
        ["shell", "    for_each: [a, [b]]\n", 7, "steps[1].for_each[1]", "expected text, found a list"],
        ["shell", `    for_each:\n      - a\n      - ${"x".repeat(4097)}\n`, 9, "steps[1].for_each[1]", "an item has at most 4096 bytes, this one 4097"],
        ["shell", `    for_each: "a\\n${"x".repeat(4097)}"\n`, 7, "steps[1].for_each", "item 2 has 4097 bytes, at most 4096 are allowed"],
        ["shell", `    for_each: [${"a,".repeat(100001)}]\n`, 7, "steps[1].for_each", "more than 100000 items"],
        ["shell", "    for_each: [a]\n    parallel: 0\n", 8, "steps[1].parallel", "expected 1 to 1000, found '0'"],
        ["shell", "    parallel: 2\n", 7, "steps[1].parallel", "only a step with for_each is parallel"],
        ["shell", '    for_each: "{steps.list.files}"\n', 7, "steps[1].for_each", "step 's' does not depend on step 'list', whose output it asks for"],
        ["shell", '    for_each: [a, "{steps.lost.files}"]\n', 7, "steps[1].for_each[1]", "there is no step 'lost', did you mean 'list'?"],
    ]) {
        const { status, body } = await post(type, more);
        assert.deepEqual([status, body.line, body.field], [400, line, field], JSON.stringify(body));
        assert.ok(body.error.endsWith(error), body.error);
    }
});

test("a definition shows its items as they were written, and can be sent back", async (t) => {
    const server = await serve(t, { definitions: { "d.yaml": definition([step("a", "true", "    for_each: [x, \"{p}\"]\n    parallel: 4\n"), step("b", "true", '    for_each: "{p}"\n')], "parameters: { p: y }\n") } });
    const { body } = await server.get("/api/job-definitions/d");
    assert.deepEqual(body.steps.map((s) => [s.for_each, s.parallel]), [[["x", "{p}"], 4], ["{p}", 1]]);
    const again = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id: "e", name: "E", parameters: { p: "y" }, steps: body.steps }) });
    assert.equal(again.status, 201, again.text);
    assert.deepEqual((await server.get("/api/job-definitions/e")).body.steps, body.steps);
});
