// Commands, as the engine runs them: what they used, how they are stopped, what they may say.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { processesOf } from "../crash/invariants.mjs";
import { BINARY, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const definition = (config, more = {}) => ({ "d.json": JSON.stringify({ id: "d", name: "D", ...more.job, steps: [
    { name: "s", type: "shell", config, ...more.step }] }) });

async function ran(t, config, more) {
    const server = await serve(t, { definitions: definition(config, more) });
    const job = await server.run("d");
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    return { server, job, step: body.steps[0], texts: body.steps[0].logs.map(({ message }) => message) };
}

test("the last line of a step says what its command used, and its cause does not", async (t) => {
    const { step, texts } = await ran(t, { command: "head -c 200000000 /dev/zero | tail -n 1 | wc -c; exit 3" });
    assert.equal(step.cause, "exit code 3");
    const [, cpu, memory] = texts.at(-1).match(/^failed after \d+\.\d{3} s, CPU (\d+\.\d{3}) s, peak memory ([\d.]+) MB: exit code 3$/);
    assert.ok(Number(cpu) > 0.01 && Number(cpu) < 30, cpu);
    assert.ok(Number(memory) > 190 && Number(memory) < 600, memory);
});

test("less memory than the server's own is told as a bound", async (t) => {
    const { texts } = await ran(t, { command: "true" });
    assert.match(texts.at(-1), /^completed after \d+\.\d{3} s, CPU 0\.\d{3} s, peak memory under [\d.]+ MB$/);
});

test("a cancel can be watched: a countdown, who survived, and that all are gone", async (t) => {
    const server = await serve(t, { definitions: definition({ grace: "4s", command: "trap '' TERM; echo ready; while :; do sleep 0.05; done" }) });
    const job = await server.execute("d");
    const says = (text) => ({ payload }) => payload.message?.startsWith(text);
    await server.event(job, says("ready"));
    await server.post(`/api/jobs/${job}/cancel`);
    await server.event(job, says("stopping: SIGTERM sent, SIGKILL in 4s"));
    await server.event(job, says("SIGKILL in "));
    await server.event(job, says("survived SIGTERM: "));
    await server.event(job, says("stopped after "));
    await server.events(`job:${job}?min=none`, await server.beginning());
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    assert.equal(body.status, "cancelled");
    const texts = body.steps[0].logs.map(({ message }) => message);
    const left = texts.slice(3, -3).map((text) => Number(/^SIGKILL in ([123])s: \d process(?:es are| is) left$/.exec(text)?.[1]));
    assert.ok(left.length > 0 && left.every((s, i) => s < (left[i - 1] ?? 4)), texts.join("\n")); // a busy machine looks less often
    assert.match(texts.at(-3), /^survived SIGTERM: .*\d+ \(sh\).*; SIGKILL sent$/);
    assert.match(texts.at(-2), /^stopped after \d+\.\d s: all processes are gone$/);
    assert.match(texts.at(-1), /^cancelled after /);
    const told = (await server.events(`job:${job}`, await server.beginning())).filter(({ type }) => type === "step_progress").map(({ payload }) => payload.kill_at);
    const asked = body.logs.find(({ message }) => message.startsWith("cancel asked for")).timestamp;
    const grace = Date.parse(told.find(Boolean)) - Date.parse(asked);
    assert.ok(grace >= 3999 && grace < 5000, `killed ${grace} ms after the cancel`);
    assert.deepEqual([told.at(-1), body.steps[0].kill_at], [null, null], "and nothing is when it has ended");
});

test("a command has no file that its server was started with", async (t) => {
    const binary = path.join(await folder(t), "wrapped");
    await writeFile(binary, `#!/bin/sh\nexec 7</etc/passwd\nexec ${BINARY} "$@"\n`, { mode: 0o755 });
    const server = await serve(t, { binary, definitions: definition({ command: "test ! -e /proc/self/fd/7; echo $?; ulimit -n" }) });
    const job = await server.run("d");
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    const [, has, files] = body.steps[0].logs.map(({ message }) => message);
    assert.equal(has, "0");
    assert.ok(Number(files) <= 65536, files);
});

test("a server that stops waits for the grace of its commands; at a second signal it kills them", async (t) => {
    const marker = `MARKER=${process.pid}-${Date.now()}`, [, value] = marker.split("=");
    const begin = async (grace) => {
        const command = "trap '' TERM; (trap '' TERM; setsid sleep 1000 &) ; echo ready; while :; do sleep 0.05; done";
        const server = await serve(t, { definitions: definition({ grace, env: { MARKER: value }, command }) });
        const job = await server.execute("d");
        await server.event(job, ({ payload }) => payload.message === "ready");
        assert.notEqual(processesOf(marker).length, 0);
        return { server, job };
    };
    const patient = await begin("11s"), hasty = await begin("1h"), at = Date.now();
    hasty.server.child.stderr.once("data", () => process.kill(hasty.server.pid, "SIGTERM"));
    const [first, second] = await Promise.all([patient.server.stop(), hasty.server.stop()]);
    assert.deepEqual([first, second], [{ code: 0, signal: null }, { code: 143, signal: null }], patient.server.stderr);
    assert.ok(Date.now() - at >= 11000);
    assert.deepEqual(processesOf(marker), []);
});

for (const pty of [true, false])
    test(`lines as long as may be, without an end, with zero bytes and no UTF-8, from ${pty ? "a terminal" : "a pipe"}`, async (t) => {
        const command = [
            "x() { head -c $1 /dev/zero | tr '\\0' $2; }",
            "x 65536 a; echo",
            "x 65537 b; echo",
            "printf 'c\\000d\\n'",
            "printf 'e\\377\\303\\050f\\n'",
            "printf end",
        ].join("\n");
        const { texts } = await ran(t, { pty, command });
        assert.deepEqual(texts.slice(1, -1).map((text) => (text.length > 100 ? `${text.length} ${text[0]}` : text)),
            ["65536 a", "65536 b", "b", "c\0d", "e\ufffd\ufffd(f", "end"]);
    });

test("stdout and stderr are told apart, in colour, and nothing asks or turns pages", async (t) => {
    const { step } = await ran(t, { command: "printf '\\033[31mred\\033[0m\\n'; test -t 2 && echo warned >&2; printf '%s\\n' \"$TERM $PAGER $GIT_PAGER\"; read -r answer; echo \"answer: $answer\"" });
    const said = step.logs.slice(1, -1);
    assert.deepEqual(said.filter(({ level }) => level === "warn").map(({ message }) => message), ["warned"]);
    assert.deepEqual(said.filter(({ level }) => level === "info").map(({ message }) => message),
        ["\u001b[31mred\u001b[0m", "xterm-256color cat cat", "answer: "]);
});
