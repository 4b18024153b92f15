// What a running command asks the server for: with its token, for its own task, while it runs.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const definition = (command, more = {}) => ({ "d.json": JSON.stringify({ id: "d", name: "D", steps: [
    { name: "s", type: "shell", config: { command }, ...more },
    { name: "after", type: "shell", depends: ["s"], config: { command: 'echo "$STEP_S_A, $STEP_S_B"' } }] }) });

async function ran(t, command, more) {
    const server = await serve(t, { definitions: definition(command, more) });
    const job = await server.run("d");
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    return { server, job, body, logs: body.steps[0].logs, texts: body.steps[0].logs.map(({ message }) => message), after: body.steps[1].logs };
}

test("log says lines with a level, of its arguments or of standard input, whatever their bytes are", async (t) => {
    const { logs } = await ran(t, [
        "tailrace log --level error it is   late",
        "printf 'a\\n\\nb\\000c\\377d\\nno end' | tailrace log -l debug",
        "tailrace log ''",
    ].join("\n"));
    assert.deepEqual(logs.slice(1, -1).map(({ level, message }) => `${level} ${message}`),
        ["error it is late", "debug a", "debug ", "debug b\ufffdc\ufffdd", "debug no end", "info "]);
});

test("lines of standard input come while there are more to come", async (t) => {
    const server = await serve(t, { definitions: definition("(echo first; sleep 1000) | tailrace log") });
    const job = await server.execute("d");
    await server.event(job, ({ payload }) => payload.message === "first");
    await server.post(`/api/jobs/${job}/cancel`);
});

test("progress, outputs and further tasks are those of its step", async (t) => {
    const { body, texts, after } = await ran(t, [
        '[ "$ITEM" ] && { echo "this is $ITEM"; exit; }',
        "tailrace progress 12/40",
        "tailrace output a=1 'b=two = words'",
        "tailrace spawn one; tailrace spawn 'two words'; tailrace spawn one; echo status $?",
    ].join("\n"));
    assert.equal(body.status, "completed");
    assert.equal(body.steps[0].progress_text ?? body.steps[0].progress?.text, "12/40");
    assert.equal(after[1].message, "1, two = words");
    assert.ok(texts.includes("this is one") && texts.includes("this is two words"), texts.join("\n"));
    assert.ok(texts.includes("tailrace: step 's' has the task 'one' already") && texts.includes("status 5"), texts.join("\n"));
    assert.equal(body.steps[0].child_summary.completed, 3);
});

test("a task gets the values that it is spawned with, also after a restart", async (t) => {
    const data = await folder(t);
    const text = ['if [ "$ITEM" ]; then', `  [ "$ITEM" = one ] || [ -e ${data}/was-here ] || { touch ${data}/was-here; stays=yes; }`, '  echo "$ITEM: <$ITEM_SIZE> <$ITEM_KIND_2> <${ITEM_NONE-unset}>"', '  [ -z "$stays" ] || exec sleep 1000', "  exit", "fi",
        "tailrace spawn one size=12 'kind_2=two = \"words\"\nand a line'", "tailrace spawn two size=", "tailrace spawn three"].join("\n").replace("\\n", "\n");
    const first = await serve(t, { data, definitions: definition(text) });
    const job = await first.execute("d");
    await first.event(job, ({ payload }) => payload.message?.startsWith("two: "));
    await first.stop("SIGKILL");
    const server = await serve(t, { data });
    await server.events(`job:${job}`, await server.beginning());
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    const texts = body.steps[0].logs.map(({ message }) => message);
    assert.ok(texts.join("\n").includes('one: <12> <two = "words"\nand a line> <unset>'), texts.join("\n"));
    assert.equal(texts.filter((text) => text === "two: <> <> <unset>").length, 2);
    assert.ok(texts.includes("three: <> <> <unset>"));
});

test("values that are none are refused, with the reason, and a name that is there twice", async (t) => {
    const { texts } = await ran(t, [
        'exec 2>&1; [ "$ITEM" ] && exit', // two terminals have no order
        "tailrace spawn a b; echo $?",
        "tailrace spawn a B=1; echo $?",
        "tailrace spawn a =1; echo $?",
        "tailrace spawn a b=1 b=2; echo $?",
        "tailrace output b=1 b=2; echo $?",
        "tailrace output 1b=1; echo $?",
        "tailrace spawn a b=$(printf %08192d 1); echo $?",
        "tailrace spawn a b=$(printf %08191d 1); echo $?",
    ].join("\n"));
    assert.deepEqual(texts.filter((text) => /^tailrace|^\d+$/.test(text)), [
        "tailrace: 'b' is not NAME=VALUE", "2",
        "tailrace: 'B' cannot be a name: that is lower-case letters, digits and '_', the first a letter, at most 64", "2",
        "tailrace: '' cannot be a name: that is lower-case letters, digits and '_', the first a letter, at most 64", "2",
        "tailrace: 'b' is there twice", "2",
        "tailrace: 'b' is there twice", "2",
        "tailrace: '1b' cannot be a name: that is lower-case letters, digits and '_', the first a letter, at most 64", "2",
        "tailrace: the values have 8193 bytes with their names, at most 8192 are allowed", "2",
        "0",
    ]);
});

test("a token is for its own task, and only while it runs", async (t) => {
    const server = await serve(t, { definitions: definition("echo $TAILRACE_STEP_ID $TAILRACE_TASK $TAILRACE_TOKEN; sleep 1000") });
    const jobs = [await server.execute("d"), await server.execute("d")];
    const found = [];
    for (const job of jobs) {
        const { payload } = await server.event(job, ({ payload }) => / [0-9a-f]{32}$/.test(payload.message ?? ""));
        found.push(payload.message.split(" "));
    }
    const ask = async (step, task, token, what = "log", body = { lines: ["hello"] }) => {
        const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
        return server.fetch(`/api/steps/${step}/tasks/${task}/${what}`, { method: "POST", headers, body: JSON.stringify(body) });
    };
    const [[step, task, token], [otherStep, otherTask, otherToken]] = found;
    assert.equal((await ask(step, task, token)).status, 200);
    for (const [s, k, w] of [[step, task, otherToken], [otherStep, task, token], [step, otherTask, token], [otherStep, otherTask, token],
        [step, task, token.slice(1)], [step, task, `${token}0`], [step, task, "0".repeat(32)], [step, task, undefined]])
        assert.equal((await ask(s, k, w)).status, 403, `${s} ${k} ${w}`);
    assert.equal((await ask("x", task, token)).status, 404);
    for (const [what, body] of [["log", {}], ["log", { lines: "x" }], ["log", { lines: [[]] }], ["log", { lines: [], level: "blue" }], ["log", { lines: [], more: 1 }],
        ["progress", {}], ["progress", { text: "a\nb" }], ["progress", { text: "x".repeat(201) }], ["output", { outputs: ["a"] }],
        ["output", { outputs: { "A-B": "1" } }], ["spawn", { key: "" }], ["spawn", { key: "a", values: ["b"] }], ["spawn", { key: "a", values: { b: {} } }], ["spawn", { key: "a", values: { B: "1" } }], ["spawn", { key: "a", more: 1 }], ["spawn", { key: "x".repeat(8193) }]]) {
        const { status, body: answer } = await ask(step, task, token, what, body);
        assert.ok([400, 413].includes(status), `${what} ${JSON.stringify(body).slice(0, 80)}: ${status} ${JSON.stringify(answer)}`);
    }
    await server.post(`/api/jobs/${jobs[0]}/cancel`);
    await server.events(`job:${jobs[0]}?min=none`, await server.beginning());
    assert.equal((await ask(step, task, token)).status, 403);
    await server.post(`/api/jobs/${jobs[1]}/cancel`);
});

test("a token is stored nowhere", async (t) => {
    const data = await folder(t), note = path.join(await folder(t), "token");
    const server = await serve(t, { data, definitions: definition(`echo $TAILRACE_TOKEN >${note}; tailrace log hello`) });
    await server.run("d");
    await server.stop();
    const token = readFileSync(note, "utf8").trim();
    assert.match(token, /^[0-9a-f]{32}$/);
    const files = readdirSync(data, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
    assert.ok(files.length > 0);
    for (const f of files) assert.ok(!readFileSync(path.join(f.path ?? f.parentPath, f.name)).includes(token), f.name);
});

test("outside of a step, and with wrong arguments, they say so", async () => {
    const env = { PATH: process.env.PATH };
    for (const [args, code, text] of [
        [["log", "x"], 5, /this is for commands of a step: TAILRACE_URL/],
        [["progress", "1/2"], 5, /this is for commands of a step/],
        [["spawn", "x"], 5, /this is for commands of a step/],
        [["output", "a=1"], 5, /this is for commands of a step/],
        [["output", "a"], 2, /'a' is not NAME=VALUE/],
        [["output", "a-b=1"], 2, /'a-b' cannot be a name/],
        [["progress"], 2, /TEXT/],
        [["log", "--leve", "x"], 2, /--level/],
    ]) {
        const out = await command(args, { env });
        assert.equal(out.code, code, args.join(" "));
        assert.match(out.stderr, text);
    }
    const wrong = { ...env, TAILRACE_URL: "http://127.0.0.1:1", TAILRACE_STEP_ID: "x", TAILRACE_TASK: "x", TAILRACE_TOKEN: "x" };
    assert.equal((await command(["log", "x"], { env: wrong })).code, 8);
});
