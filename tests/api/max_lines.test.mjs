// A step that writes too many lines: its first and its newest are kept, numbers have no gaps.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import nodeTest from "node:test";
import { folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const definition = (more, command) => `id: a\nname: a\nsteps:\n  - { name: s, type: shell, ${more}, config: { command: '${command}' } }\n`;

async function steps(server, job) {
    return (await server.get(`/api/jobs/${job}/tree?lines=10`)).body;
}

// All lines of the step: [number, level, text].
async function lines(server, job) {
    const { body } = await server.get(`/api/jobs/${job}/logs?step=s&order=asc&limit=1000`);
    const all = [...body.logs];
    for (let more = body; more.logs.length === 1000; ) {
        ({ body: more } = await server.get(`/api/jobs/${job}/logs?step=s&order=asc&limit=1000&after=${all.at(-1).line}`));
        all.push(...more.logs);
    }
    return all.map(({ line, level, message }) => [line, level, message]);
}

test("the first lines and the newest are kept, and between them stands how many were left out", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": definition("max_lines: 100", "seq 1 50000; echo end") } });
    const job = await server.run("a");
    const got = await lines(server, job);
    assert.deepEqual(got.map(([line]) => line), got.map((_, i) => i + 1));
    const texts = got.map(([, , text]) => text);
    const mark = texts.findIndex((text) => / lines left out …$/.test(text));
    assert.deepEqual(texts.slice(0, 3), ["started (shell)", "1", "2"]);
    assert.equal(texts[99], "99"); // the hundredth line
    assert.equal(texts[100], "more than 100 lines: from here on only the newest 100 are kept, and shown when the step ends (max_lines)");
    assert.deepEqual(texts.slice(101, mark), ["… 10,000 lines left out so far …", "… 20,000 lines left out so far …", "… 40,000 lines left out so far …"]);
    assert.equal(texts[mark], "… 49,802 lines left out …");
    assert.deepEqual(texts.slice(mark + 1, mark + 4), ["49902", "49903", "49904"]);
    assert.deepEqual(texts.slice(-3, -1), ["50000", "end"]);
    assert.match(texts.at(-1), /^completed after /);
    assert.equal((await steps(server, job)).status, "completed");
});

test("a step of no more lines than that is left alone, to the last one", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": definition("max_lines: 100", "seq 1 99") } });
    const got = await lines(server, await server.run("a"));
    assert.deepEqual(got.slice(1, -1).map(([, , text]) => Number(text)), Array.from({ length: 99 }, (_, i) => i + 1));
    assert.equal(got.length, 101);
});

test("told so, the step fails, with the reason", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": definition("max_lines: { lines: 50, then: fail }", "yes") } });
    const job = await server.run("a");
    const { status, cause, steps: [step] } = await steps(server, job);
    assert.deepEqual([status, step.status, step.cause], ["failed", "failed", "it wrote more than 50 lines"]);
    assert.equal(cause, "step 's': it wrote more than 50 lines");
    const got = await lines(server, job);
    assert.ok(got.length < 250, `${got.length} lines`);
});

test("a cancelled step tells what it wrote last, and what it writes while it ends is seen as it comes", async (t) => {
    const command = 'trap "echo cleaning up; exit 1" TERM; seq 1 5000; echo waiting; while :; do sleep 0.05; done';
    const server = await serve(t, { definitions: { "a.yaml": `id: a\nname: a\nsteps:\n  - name: s\n    type: shell\n    max_lines: 20\n    config:\n      command: |\n        ${command}\n` } });
    const job = await server.execute("a");
    await server.event(job, ({ payload }) => /^more than 20 lines/.test(payload.message));
    await server.post(`/api/jobs/${job}/cancel`);
    await server.events(`job:${job}`, await server.beginning());
    const texts = (await lines(server, job)).map(([, , text]) => text);
    assert.ok(texts.some((text) => / lines left out …$/.test(text)), texts.slice(-30).join("\n"));
    assert.ok(texts.indexOf("cleaning up") > texts.findIndex((text) => / left out …$/.test(text)));
});

test("after kill -9 and after a stop the step goes on with the lines it has, without gaps", async (t) => {
    const data = await folder(t);
    const definitions = { "a.yaml": definition("max_lines: 50", `seq 1 3000; test -e "${data}/go" && exit 0; echo sleeping; while :; do sleep 0.05; done`) };
    let server = await serve(t, { data, definitions });
    const job = await server.execute("a");
    await server.event(job, ({ payload }) => /^more than 50 lines/.test(payload.message));
    await server.stop("SIGKILL");
    server = await serve(t, { data, definitions });
    await server.event(job, ({ payload }) => /^the server was restarted/.test(payload.message));
    await server.stop("SIGTERM");
    await writeFile(`${data}/go`, "");
    server = await serve(t, { data, definitions });
    await server.events(`job:${job}`, await server.beginning());
    const got = await lines(server, job);
    assert.deepEqual(got.map(([line]) => line), got.map((_, i) => i + 1));
    assert.equal(got.filter(([, , text]) => /^the server was restarted/.test(text)).length, 2);
    assert.equal(got.at(-2)[2], "3000");
    assert.ok(got.length < 600, `${got.length} lines`);
    assert.equal((await steps(server, job)).status, "completed");
});

test("limits that are none are refused, with the place", async (t) => {
    const server = await serve(t, {});
    for (const [wrong, field] of [
        ["max_lines: 9", "steps[0].max_lines"],
        ["max_lines: many", "steps[0].max_lines"],
        ["max_lines: { then: fail }", "steps[0].max_lines.lines"],
        ["max_lines: { lines: 100, then: stop }", "steps[0].max_lines.then"],
        ["max_lines: { lines: 100, keep: 3 }", "steps[0].max_lines.keep"],
    ]) {
        const { status, body } = await server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": "application/yaml" }, body: definition(wrong, "true") });
        assert.deepEqual([status, body.field, body.line], [400, field, 4], `${wrong}: ${body.error}`);
    }
});
