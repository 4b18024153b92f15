// What a step says for those after it: how it is said, where it arrives, what is refused.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import nodeTest from "node:test";
import { command, folder, listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const step = (name, command, more = "") => `  - name: ${name}\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n${more}`;
const definition = (steps, more = "") => `id: d\nname: D\n${more}steps:\n${steps.join("")}`;

const site = (t, answer) => listener(t, (request, response) => response.writeHead(200, { "Content-Type": "application/json" }).end(answer));

async function run(t, text, options = {}) {
    const server = await serve(t, { definitions: { "d.yaml": text }, ...options });
    const job = await server.run("d");
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    const steps = Object.fromEntries(tree.steps.map((s) => [s.name, { ...s, texts: s.logs.map(({ message }) => message) }]));
    return { server, job, tree, steps, events: await server.events(`job:${job}`, await server.beginning()) };
}

const SAYS = String.raw`printf 'version=1.2=3\n\nfiles<<END\na b\n\n"c"\nEND\nempty=\n' >> "$TAILRACE_OUTPUT"; echo again >/dev/null; echo version=2.0 >> "$TAILRACE_OUTPUT"`;

test("outputs of a command are kept, told, and arrive as variables and in settings of all steps after it", async (t) => {
    const there = await site(t, "{}");
    const data = await folder(t);
    const { server, tree, steps, events } = await run(t, definition([
        step("find-it", SAYS),
        step("between", "true", "    depends: [find-it]\n"),
        step("tell", 'echo "<$STEP_FIND_IT_VERSION> <$STEP_FIND_IT_FILES> <$STEP_FIND_IT_EMPTY>"', "    depends: [between]\n"),
        `  - name: ask\n    type: http\n    depends: [between]\n    config: { url: "${there.url}/{steps.find-it.version}?{none}" }\n`,
        step("beside", 'echo "<$STEP_FIND_IT_VERSION>"'),
    ]), { data });
    assert.equal(tree.status, "completed", tree.cause);
    assert.deepEqual(steps["find-it"].outputs, { version: "2.0", files: 'a b\n\n"c"', empty: "" });
    assert.deepEqual(steps.tell.texts.slice(1, -1), ["<2.0> <a b", "", '"c"> <>']);
    assert.ok(steps.beside.texts.includes("<>"), "a step that does not wait for it gets nothing of it");
    assert.deepEqual(there.asked.map(({ path }) => path), ["/2.0?{none}"]);
    assert.deepEqual((await server.get(`/api/jobs/${steps["find-it"].step_id}`)).body.outputs, steps["find-it"].outputs);
    const told = events.filter(({ type }) => type === "step_output").map(({ payload }) => [payload.step_name, payload.name, payload.value]);
    assert.deepEqual(told.map(([, name, value]) => [name, value]), [["version", "1.2=3"], ["files", 'a b\n\n"c"'], ["empty", ""], ["version", "2.0"]]);
    assert.deepEqual(readdirSync(data).sort(), ["lock", "mark", "tailrace.db", "tailrace.db-shm", "tailrace.db-wal"], "nothing was written beside the store");
});

test("what outputs take counts in the bytes of a job", async (t) => {
    const bytes = async (size) => {
        const { server, job } = await run(t, definition([step("a", `printf 'a=%0${size}d\\n' 1 >> "$TAILRACE_OUTPUT"`)]));
        return (await server.get("/api/jobs/" + job)).body.bytes;
    };
    assert.ok(await bytes(50000) - await bytes(10000) > 39000);
});

for (const [what, says, cause] of [
    ["a line that is none", "echo nonsense", "TAILRACE_OUTPUT, line 1: expected name=value, found 'nonsense'"],
    ["a name that is none", "echo; echo 'Big=1'", "TAILRACE_OUTPUT, line 2: an output's name is lower-case letters, digits and '_', the first a letter, at most 64, not 'Big'"],
    ["a block without its end", "echo 'a<<END'; echo b", "TAILRACE_OUTPUT, line 1: the line 'END' that ends it is missing"],
    ["a zero byte", "printf 'a=\\0\\n'", "TAILRACE_OUTPUT, line 1: output 'a' is no text in UTF-8"],
    ["too much", "printf 'a=%070000d\\n' 1", "TAILRACE_OUTPUT, line 1: with output 'a' the step's outputs have 70001 bytes, at most 65536 are allowed"],
    ["far too much", "head -c 200000 /dev/zero || true", "TAILRACE_OUTPUT has more than 128 KiB"],
    ["too many", "seq -f 'a%g=x' 65", "TAILRACE_OUTPUT, line 65: output 'a65' is one too many: a step has at most 64"],
])
    test(`${what} fails the step, and says so`, async (t) => {
        const { steps } = await run(t, definition([step("s", `{ ${says}; } > "$TAILRACE_OUTPUT"`)]));
        assert.deepEqual([steps.s.status, steps.s.cause], ["failed", cause]);
        assert.ok(steps.s.texts.includes(cause));
    });

test("a file that grows too large is cut while the command runs, takes no more, and the cause says why", async (t) => {
    const cut = 'head -c 1000000 /dev/zero >> "$TAILRACE_OUTPUT"; until [ $(wc -c < "$TAILRACE_OUTPUT") -lt 200000 ]; do sleep 0.02; done; wc -c < "$TAILRACE_OUTPUT"';
    const { steps } = await run(t, definition([
        step("stops", `${cut}; cat /dev/zero >> "$TAILRACE_OUTPUT"`),
        step("begins-anew", `${cut}; echo version=1 > "$TAILRACE_OUTPUT"; sed -n p < /dev/null > "$TAILRACE_OUTPUT"`),
        step("goes-on", `${cut}; true`),
    ]));
    for (const [name, cause] of [["stops", "exit code 1, TAILRACE_OUTPUT has more than 128 KiB"], ["begins-anew", "exit code 2, TAILRACE_OUTPUT has more than 128 KiB"], ["goes-on", "TAILRACE_OUTPUT has more than 128 KiB"]]) {
        assert.equal(steps[name].cause, cause);
        assert.ok(steps[name].texts.includes("131073"), steps[name].texts.join("\n"));
    }
});

test("an output that was not set fails the step that asks for it, unless its command does", async (t) => {
    const ask = (name, more) => `  - name: ${name}\n    type: http\n${more}    config: { url: "http://127.0.0.1:1/", headers: { X-Version: "{steps.list.version}" } }\n`;
    const { steps } = await run(t, definition([
        step("list", "exit 1", "    on_error: continue\n"),
        ask("web", "    depends: [list]\n"),
        step("command", 'echo "<${STEP_LIST_VERSION-unset}>"', "    depends: [list]\n"),
    ]));
    assert.equal(steps.web.cause, "config.headers.X-Version: step 'list' has set no output 'version'");
    assert.ok(steps.command.texts.includes("<unset>"));
});

test("a value that its setting cannot have fails the step, and is never filled in twice", async (t) => {
    const { steps } = await run(t, definition([
        step("list", "{ echo count=many; echo 'tricky={steps.list.count} {p}'; } > $TAILRACE_OUTPUT"),
        '  - name: wrong\n    type: generator\n    depends: [list]\n    config: { log_count: "{steps.list.count}" }\n',
        '  - name: whole\n    type: shell\n    depends: [list]\n    config: { command: \'echo "$A"\', env: { A: "{p} {steps.list.tricky} ${p}" } }\n',
    ], "parameters: { p: '{steps.list.count}' }\n"));
    assert.equal(steps.wrong.cause, "config.log_count: expected a whole number, found 'many'");
    assert.ok(steps.whole.texts.includes("{steps.list.count} {steps.list.count} {p} ${p}"), steps.whole.texts.join("\n"));
});

test("a reference to a step that is none, or does not come before, is an error of the definition", async (t) => {
    const server = await serve(t);
    const post = (config, depends = "") => server.fetch("/api/job-definitions", {
        method: "POST", headers: { "Content-Type": "application/yaml" },
        body: `id: d\nname: D\nsteps:\n  - { name: list, type: generator }\n  - { name: other, type: generator }\n  - { name: s, type: http${depends}, config: { url: "http://a/${config}" } }\n`,
    });
    for (const [config, depends, error] of [
        ["{steps.lists.a}", "", "there is no step 'lists', did you mean 'list'?"],
        ["{steps.list.a}", "", "step 's' does not depend on step 'list', whose output it asks for"],
        ["{steps.other.a}", ", depends: [list]", "step 's' does not depend on step 'other', whose output it asks for"],
        ["{steps.s.a}", "", "step 's' does not depend on step 's', whose output it asks for"],
        ["{steps.list}", ", depends: [list]", "expected {steps.NAME.OUTPUT}, found '{steps.list}'"],
        ["{steps.list.A}", ", depends: [list]", "expected {steps.NAME.OUTPUT}, found '{steps.list.A}'"],
    ]) {
        const { status, body } = await post(config, depends);
        assert.deepEqual([status, body.line, body.field], [400, 6, "steps[2].config.url"], JSON.stringify(body));
        assert.ok(body.error.endsWith(error), body.error);
    }
    assert.equal((await post("{steps.list.a}", ", depends: [list]")).status, 201);
});

test("of an answer its status, its body and parts of its JSON become outputs", async (t) => {
    const { url } = await site(t, '{"app":{"version":"1.0","a/b":[1,{"c":true}]}}');
    const ask = (name, outputs) => `  - name: ${name}\n    type: http\n    config: { url: "${url}", outputs: ${outputs} }\n`;
    const { steps } = await run(t, definition([
        ask("fine", "{ code: status, version: /app/version, list: /app/a~1b, flag: /app/a~1b/1/c, text: body }"),
        ask("gone", "{ version: /app/name }"),
        step("use", 'echo "$STEP_FINE_VERSION $STEP_FINE_CODE"', "    depends: [fine]\n"),
    ]));
    assert.deepEqual(steps.fine.outputs, { code: "200", version: "1.0", list: '[1,{"c":true}]', flag: "true", text: '{"app":{"version":"1.0","a/b":[1,{"c":true}]}}' });
    assert.equal(steps.gone.cause, "output 'version': the answer has no /app/name");
    assert.ok(steps.use.texts.includes("1.0 200"));
    const { server } = await run(t, definition([step("s", "true")]));
    for (const [outputs, error] of [["{ A: body }", "not 'A'"], ["{ a: bodies }", "expected status, body or a path in JSON such as /name, found 'bodies'"]]) {
        const { status, body } = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition([ask("s", outputs)]) });
        assert.equal(status, 400);
        assert.ok(body.error.endsWith(error), body.error);
    }
});

test("outputs of before are there after the server was killed", async (t) => {
    const data = await folder(t);
    const text = definition([
        step("list", "echo version=7 > $TAILRACE_OUTPUT"),
        step("use", '[ -e "$PARAM_FILE" ] || { echo > "$PARAM_FILE"; stays=yes; }; echo "version $STEP_LIST_VERSION"; [ -z "$stays" ] || exec sleep 1000', "    depends: [list]\n"),
    ], `parameters: { file: ${data}/was-here }\n`);
    const first = await serve(t, { data, definitions: { "d.yaml": text } });
    const job = await first.execute("d");
    await first.event(job, ({ payload }) => payload.message === "version 7");
    await first.stop("SIGKILL");
    const again = await serve(t, { data });
    await again.events(`job:${job}`, await again.beginning());
    const { body } = await again.get(`/api/jobs/${job}/tree`);
    assert.equal(body.status, "completed", body.cause);
    assert.equal(body.steps[1].logs.filter(({ message }) => message === "version 7").length, 2);
});

test("the command line shows outputs, of each the first line", async (t) => {
    const { server, job } = await run(t, definition([step("list", "printf 'files<<E\\none\\ntwo\\nE\\nversion=7\\n' > $TAILRACE_OUTPUT"), step("none", "true")]));
    const { stdout } = await command(["show", job], { env: { ...process.env, TAILRACE_URL: server.url } });
    assert.match(stdout, /\nSTEP +OUTPUT +VALUE\nlist +files +one …\nlist +version +7\n$/);
});
