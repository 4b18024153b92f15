// A step that is another job: its outcome, what goes on to it, and that it is never started twice.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const child = (command, more = "") => `id: child\nname: Child\nparameters: { what: x, file: "" }\n${more}steps:\n  - { name: work, type: shell, config: { command: ${JSON.stringify(command)} } }\n`;
const parent = (more = "", config = "definition: child, parameters: { what: \"{p}\" }") => `id: parent\nname: Parent\nparameters: { p: y }\nsteps:\n  - name: run\n    type: job\n${more}    config: { ${config} }\n  - { name: after, type: shell, depends: [run], config: { command: "echo after" } }\n`;

async function treeOf(server, job) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    return { tree, steps: Object.fromEntries(tree.steps.map((s) => [s.name, { ...s, texts: s.logs.map(({ message }) => message) }])) };
}
const childrenOf = async (server) => (await server.get("/api/jobs?definition=child&limit=100")).body.jobs;
const idOf = (text) => /^job ([0-9a-f-]{36}) /.exec(text)?.[1];

async function stage(t, definitions, options = {}) {
    const server = await serve(t, { definitions, ...options });
    return { server, ended: async (job) => (await server.events(`job:${job}`, await server.beginning()), treeOf(server, job)) };
}
// The id of the child, once it has said so.
const begun = async (server, job, step = "work") => {
    const { payload } = await server.event(job, ({ payload }) => idOf(payload.message ?? "") !== undefined);
    const id = idOf(payload.message);
    await server.event(id, ({ payload }) => payload.step_name === step && payload.message === "begun");
    return id;
};

test("a job runs, with its parameters, and its end is that of the step", async (t) => {
    const { server, ended } = await stage(t, { "c.yaml": child('echo "this is $PARAM_WHAT"'), "p.yaml": parent() });
    const job = await server.execute("parent", { p: "it" });
    const { tree, steps } = await ended(job);
    assert.equal(tree.status, "completed", tree.cause);
    const id = idOf(steps.run.texts[1]);
    const one = await treeOf(server, id);
    assert.ok(one.steps.work.texts.includes("this is it"));
    const { body } = await server.get(`/api/jobs/${id}`);
    const [task] = (await server.get(`/api/jobs/${steps.run.step_id}/children`)).body.children;
    assert.deepEqual([body.parent_id, body.parent_job_id, body.started_by], [task.id, job, `job ${job}, step run`]);
    assert.equal((await server.get(`/api/jobs/${job}`)).body.parent_job_id, "");
    assert.equal(steps.after.status, "completed");
});

test("a failure is told with the job and its cause, and is tried again as another job", async (t) => {
    const { server, ended } = await stage(t, { "c.yaml": child("exit 3"), "p.yaml": parent("    retry: { attempts: 2, backoff: 1ms }\n") });
    const { tree, steps } = await ended(await server.execute("parent"));
    const jobs = await childrenOf(server);
    assert.equal(jobs.length, 2);
    assert.equal(steps.run.cause, `job ${jobs[0].id} failed: step 'work': exit code 3 (attempt 2 of 2)`);
    assert.equal(tree.status, "failed");
    assert.equal(steps.after.status, "skipped");
});

// Two steps that set outputs, then one that ends the job with this status.
const says = (status, more = "") => `id: says\nname: Says\n${more}steps:\n` + ["echo a=1; echo b=one", "printf 'b<<E\\ntwo\\nlines\\nE\\nkey=%s\\n' \"$SECRET_KEY\"", `exit ${status}`]
    .map((command, i) => `  - { name: s${i}, type: shell, ${i ? `depends: [s${i - 1}], ` : ""}config: { command: ${JSON.stringify(i < 2 ? `{ ${command}; } >> $TAILRACE_OUTPUT` : command)} } }\n`).join("");
const uses = (more = "", after = "    on_error: continue\n") => `id: uses\nname: Uses\n${more}steps:\n  - name: run\n    type: job\n${after}    config: { definition: says }\n`
    + '  - { name: after, type: shell, depends: [run], config: { env: { B: "{steps.run.b}" }, command: \'echo "$STEP_RUN_A, $B"\' } }\n';

test("outputs of its steps are those of the step, also when it fails, and no secret is in them", async (t) => {
    const key = "a-key-of-some-length", env = { ...process.env, THE_KEY: key };
    for (const status of [0, 3]) {
        const { server, ended } = await stage(t, { "s.yaml": says(status, "secrets: { key: { env: THE_KEY } }\n"), "u.yaml": uses() }, { env });
        const job = await server.execute("uses"), { steps } = await ended(job);
        assert.deepEqual(steps.run.outputs, { a: "1", b: "two\nlines", key: "***" });
        assert.equal(steps.run.status, status ? "failed" : "completed");
        assert.deepEqual(steps.after.texts.slice(1, -1), ["1, two", "lines"]);
        const told = (await server.events(`job:${job}`, await server.beginning())).filter(({ type }) => type === "step_output");
        assert.deepEqual(told.map(({ payload }) => [payload.name, payload.value]), [["a", "1"], ["b", "one"], ["b", "two\nlines"], ["key", "***"]]);
    }
});

test("more outputs than a step can have fail it, and say so", async (t) => {
    const many = (name, from) => `  - { name: ${name}, type: shell, config: { command: 'seq -f "a%g=x" ${from} ${from + 39} >> $TAILRACE_OUTPUT' } }\n`;
    const { server, ended } = await stage(t, { "s.yaml": `id: says\nname: Says\nsteps:\n${many("one", 1)}${many("two", 41)}`, "u.yaml": uses("", "") });
    const { steps } = await ended(await server.execute("uses"));
    assert.match(steps.run.cause, /^job [0-9a-f-]{36} has completed, but: output 'a65' is one too many: a step has at most 64$/);
});

test("a cancel goes through, and who cancels only the child fails the step", async (t) => {
    const { server, ended } = await stage(t, { "c.yaml": child("echo begun; exec sleep 1000"), "p.yaml": parent() });
    const job = await server.execute("parent");
    const id = await begun(server, job);
    await server.post(`/api/jobs/${job}/cancel`);
    const { tree, steps } = await ended(job);
    assert.deepEqual([tree.status, tree.cause, steps.run.status], ["cancelled", "cancelled by API", "cancelled"]);
    const { body } = await server.get(`/api/jobs/${id}`);
    assert.deepEqual([body.status, body.cause], ["cancelled", `cancelled by its parent job ${job}`]);
    const second = await server.execute("parent");
    const other = await begun(server, second);
    await server.post(`/api/jobs/${other}/cancel`);
    assert.equal((await ended(second)).steps.run.cause, `job ${other} was cancelled by API`);
});

test("a timeout goes through", async (t) => {
    const { server, ended } = await stage(t, { "c.yaml": child("exec sleep 1000"), "p.yaml": parent("    timeout: 1s\n") });
    const { steps } = await ended(await server.execute("parent"));
    assert.equal(steps.run.cause, "timeout: the step took longer than 1s");
    assert.deepEqual((await childrenOf(server)).map((j) => j.status), ["cancelled"]);
});

test("what cannot be started fails the step with the reason", async (t) => {
    const { server, ended } = await stage(t, {
        "c.yaml": child("true"),
        "off.yaml": "id: off\nname: Off\nenabled: false\nsteps:\n  - { name: s, type: generator }\n",
        "a.yaml": parent("", "definition: lost").replace("id: parent", "id: a"),
        "b.yaml": parent("", "definition: child, parameters: { wath: x }").replace("id: parent", "id: b"),
        "o.yaml": parent("", "definition: off").replace("id: parent", "id: o"),
        "loop.yaml": "id: loop\nname: Loop\nsteps:\n  - { name: again, type: job, config: { definition: loop } }\n",
    });
    const cause = async (id) => (await ended(await server.execute(id))).steps.run.cause;
    assert.equal(await cause("a"), "there is no definition 'lost'");
    assert.equal(await cause("b"), "child: there is no parameter 'wath'");
    assert.equal(await cause("o"), "definition 'off' is disabled");
    const { tree } = await ended(await server.execute("loop"));
    assert.match(tree.cause, /jobs may start jobs 8 deep, this would be one more: does 'loop' lead to itself\?$/);
    assert.equal((await server.get("/api/jobs?definition=loop&limit=100")).body.jobs.length, 9);
});

test("a job for each item, and no place is needed where there is only one", async (t) => {
    const { server, ended } = await stage(t, {
        "c.yaml": child('[ "$PARAM_WHAT" != b ]', "max_running: 1\n"),
        "p.yaml": parent("    for_each: [a, b, c]\n    parallel: 3\n", "definition: child, parameters: { what: \"{item}\" }"),
    }, { args: ["--max-jobs", "1"] });
    const { steps } = await ended(await server.execute("parent"));
    assert.match(steps.run.cause, /^1 of 3 items failed, the last one: 'b': job [0-9a-f-]{36} failed: step 'work': exit code 1$/);
    assert.equal((await childrenOf(server)).length, 3);
});

test("of one job only so many may come, by whichever roads", async (t) => {
    const loop = "id: loop\nname: Loop\nsteps:\n  - { name: again, type: job, for_each: [a, b, c], parallel: 3, config: { definition: loop } }\n";
    const { server, ended } = await stage(t, { "l.yaml": loop, "c.yaml": child("true"),
        "p.yaml": parent(`    for_each: [${Array.from({ length: 21 }, (_, i) => i)}]\n    retry: { attempts: 2, backoff: 1h }\n`) }, { args: ["--max-family", "20"] });
    const job = await server.execute("loop");
    const { tree } = await ended(job);
    assert.equal((await server.get("/api/status")).body.max_family, 20);
    assert.ok(tree.cause.endsWith(`: 20 jobs have come of job ${job}, more may not (serve --max-family 20): does 'loop' lead to itself?`), tree.cause);
    const { body } = await server.get("/api/jobs?definition=loop&limit=100");
    assert.deepEqual([body.jobs.length, new Set(body.jobs.map((j) => j.status)).size], [21, 1]);
    const other = (await ended(await server.execute("parent"))).steps.run;
    assert.deepEqual([other.child_summary.completed, other.child_summary.failed], [20, 1], "that one is another family, and does not try again what cannot become better");
    for (const wrong of ["-1", "x", ""]) {
        const { code, stderr } = await command(["serve", "--max-family", wrong]);
        assert.deepEqual([code, stderr], [2, `tailrace: max-family is a number of jobs, 0 for no limit, not '${wrong}'\n`]);
    }
});

for (const [what, count, args, cause] of [
    ["how many have come of a job", 8, ["--max-family", "7"], /: 7 jobs have come of job /],
    ["how deep they are", 9, ["--max-family", "0"], /: jobs may start jobs 8 deep, this would be one more/],
])
    test(`${what} is known after the server was killed`, async (t) => {
        const data = await folder(t), file = path.join(data, "note");
        const command = `echo run >> ${file}; echo begun; [ $(wc -l < ${file}) -ne 5 ] || exec sleep 1000`;
        const loop = `id: loop\nname: Loop\nsteps:\n  - { name: hold, type: shell, config: { command: ${JSON.stringify(command)} } }\n  - { name: again, type: job, depends: [hold], config: { definition: loop } }\n`;
        const options = { data, args, definitions: { "l.yaml": loop } };
        const first = await serve(t, options);
        const job = await first.execute("loop");
        for (let i = 1, id = job; i < 5; i++) id = await begun(first, id, "hold");
        await first.stop("SIGKILL");
        const server = await serve(t, options);
        await server.events(`job:${job}`, await server.beginning());
        assert.match((await server.get(`/api/jobs/${job}`)).body.cause, cause);
        assert.equal((await server.get("/api/jobs?definition=loop&limit=100")).body.jobs.length, count);
    });

for (const [how, signal] of [["killed", "SIGKILL"], ["stopped", "SIGTERM"]])
    test(`a server that is ${how} goes on with both, and starts nothing twice`, async (t) => {
        const data = await folder(t), file = path.join(data, "note");
        writeFileSync(file, "");
        const command = `echo run >> ${file}; echo begun; [ $(wc -l < ${file}) -gt 1 ] || exec sleep 1000`;
        const options = { data, definitions: { "c.yaml": child(command), "p.yaml": parent() } };
        const first = await serve(t, options);
        const job = await first.execute("parent");
        const id = await begun(first, job);
        await first.stop(signal);
        const server = await serve(t, options);
        await server.events(`job:${job}`, await server.beginning());
        const { tree, steps } = await treeOf(server, job);
        assert.equal(tree.status, "completed", tree.cause);
        assert.deepEqual((await childrenOf(server)).map((j) => [j.id, j.status]), [[id, "completed"]]);
        assert.ok(steps.run.texts.includes(`job ${id} goes on`));
        assert.equal(readFileSync(file, "utf8"), "run\nrun\n");
    });

// What a newer version could read, and this one cannot.
const spoil = (data, definition) => execFileSync("sqlite3", [path.join(data, "tailrace.db"), `UPDATE jobs SET source = replace(source, 'type:', 'kind:') WHERE definition_id = '${definition}'`]);

const GONE = /^cannot go on after a restart: stored definition:[0-9:]+: steps\[0\]: unknown key 'kind'$/;
for (const [what, spoiled, more, of] of [
    ["its own: the task has failed", ["child"], "", { child: GONE, run: /^job [0-9a-f-]{36} failed: cannot go on after a restart/ }],
    ["its own, and a further attempt starts another", ["child"], "    retry: { attempts: 4, backoff: 1ms }\n", { child: GONE, run: /^completed$/ }],
    ["its parent's: it is cancelled", ["parent"], "", { child: /^cancelled by its parent job/, run: GONE }],
    ["those of both: each has failed", ["child", "parent"], "", { child: GONE, run: GONE }],
])
    test(`nobody waits for a job whose definition cannot be read after a restart; ${what}`, async (t) => {
        const data = await folder(t), file = path.join(data, "note");
        const command = `echo run >> ${file}; echo begun; [ $(wc -l < ${file}) -gt 1 ] || exec sleep 1000`;
        const options = { data, definitions: { "c.yaml": child(command), "p.yaml": parent(more) } };
        const first = await serve(t, options);
        const job = await first.execute("parent");
        const id = await begun(first, job);
        await first.stop("SIGKILL");
        for (const one of spoiled) spoil(data, one);
        const server = await serve(t, options);
        for (const one of [id, job]) await server.events(`job:${one}?min=none`, await server.beginning());
        const { tree, steps } = await treeOf(server, job);
        const cause = ({ cause, status }) => cause || status;
        assert.match(cause((await server.get(`/api/jobs/${id}`)).body), of.child);
        assert.match(cause(steps.run), of.run);
        assert.equal(tree.status, cause(steps.run) === "completed" ? "completed" : "failed");
        assert.equal((await childrenOf(server)).length, more ? 2 : 1);
    });

test("outputs of a child that had ended when the server was killed are there", async (t) => {
    const data = await folder(t);
    const hold = '[ -e "$PARAM_FILE" ] || { echo > "$PARAM_FILE"; stays=yes; }; echo "$STEP_RUN_A"; [ -z "$stays" ] || exec sleep 1000';
    const options = { data, definitions: { "s.yaml": says(0), "u.yaml": uses(`parameters: { file: ${data}/was-here }\n`).replace(/command: '.*?'/, () => `command: ${JSON.stringify(hold)}`) } };
    const first = await serve(t, options);
    const job = await first.execute("uses");
    await first.event(job, ({ payload }) => payload.message === "1");
    await first.stop("SIGKILL");
    const server = await serve(t, options);
    await server.events(`job:${job}`, await server.beginning());
    const { steps } = await treeOf(server, job);
    assert.equal(steps.after.texts.filter((text) => text === "1").length, 2);
    assert.equal(steps.run.outputs.b, "two\nlines");
});

test("a child that had ended when the server was killed is not run again", async (t) => {
    const data = await folder(t), file = path.join(data, "note");
    const options = { data, definitions: { "c.yaml": child(`echo run >> ${file}`), "p.yaml": parent().replace("echo after", "echo begun; exec sleep 1000") } };
    const first = await serve(t, options);
    const job = await first.execute("parent");
    await first.event(job, ({ payload }) => payload.message === "begun");
    await first.stop("SIGKILL");
    const server = await serve(t, options);
    await server.event(job, ({ payload }) => /going on/.test(payload.message ?? ""));
    assert.equal((await childrenOf(server)).length, 1);
    assert.equal(readFileSync(file, "utf8"), "run\n");
    await server.post(`/api/jobs/${job}/cancel`);
    await server.events(`job:${job}`, await server.beginning());
});
