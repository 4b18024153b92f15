// However a job ends, nothing that it started is left: a command with a family of processes, each of
// which tries to get away in its own way, and notes its pid in a file, with its start: pids are used again.
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { folder, serve } from "../api/server.mjs";
import { alive, processesOf } from "./invariants.mjs";

const test = (name, run) => nodeTest(name, { timeout: 120000 }, run);

// Each line runs in a shell of its own; `note` writes that shell's pid and start.
const members = {
    child: "note; sleep 1000 & wait",
    "child that ignores SIGTERM": "trap '' TERM HUP INT; note; while :; do sleep 1; done",
    "child of a session of its own": "exec setsid sh -c '. $FAMILY/note; note; sleep 1000; true'",
    "daemon, forked twice": "setsid sh -c '(. $FAMILY/note; exec >/dev/null 2>&1 </dev/null; cd /; trap \"\" TERM HUP; note; while :; do sleep 1; done) &'",
    "grandchild that holds the pipe": "(setsid sh -c '. $FAMILY/note; note; sleep 1000; true' &)",
    "process that executes itself without end": "exec setsid $FAMILY/again",
    "daemon that clears its environment": "(exec env -i PATH=$PATH FAMILY=$FAMILY setsid sh -c '. $FAMILY/note; note; exec sleep 1000' >/dev/null 2>&1 &)",
    "daemons that clear their environment and ignore signals, fifty": "note; n=0; while [ $((n += 1)) -le 50 ]; do (env -i FAMILY=$FAMILY PATH=$PATH setsid $FAMILY/one >/dev/null 2>&1 </dev/null &); done; wait",
    "process that is another one all the time": "note; exec setsid $FAMILY/hop",
    "halted parent": "note; kill -STOP $$", // the last: it starts no more
};
const COUNT = Object.keys(members).length;

async function familyMake(t) {
    const home = await folder(t);
    const file = async (name, text) => {
        await writeFile(path.join(home, name), text);
        await chmod(path.join(home, name), 0o755);
    };
    // $$ of a subshell is its parent's: the kernel's own word is asked.
    await file("note", "note() { to=${1:-pids}; read -r line </proc/self/stat; set -- $line; echo $1 ${22} >>$FAMILY/$to; }\n");
    await file("again", '#!/bin/sh\n. $FAMILY/note\n[ "$1" ] || note\nexec "$0" again\n');
    await file("begin", ["#!/bin/sh", ". $FAMILY/note", ...Object.values(members).map((line) => `(${line}) &`), "wait", ""].join("\n"));
    await file("one", "#!/bin/sh\ntrap '' TERM HUP INT\n. $FAMILY/note\nnote more\nwhile [ -e $FAMILY ]; do sleep 1; done\n");
    await file("hop", "#!/bin/sh\ntrap '' TERM HUP INT\n. $FAMILY/note\nnote more\nsleep 0.02\n[ -e $FAMILY ] && setsid $0 &\n");
    await file("pids", "");
    await file("more", "");
    const noted = async (name) => (await readFile(path.join(home, name), "utf8")).split("\n").filter(Boolean);
    return { home, pids: () => noted("pids"), more: () => noted("more") };
}

const definition = (home, more) => JSON.stringify({ id: "d", name: "D", ...more.job, steps: [
    { name: "family", type: "shell", config: { env: { FAMILY: home }, command: more.command ?? "exec $FAMILY/begin" }, ...more.step }] });

async function begun(t, more = {}, times = 1, options = {}) {
    const family = options.family ?? await familyMake(t);
    const server = await serve(t, { ...options, definitions: { "d.json": definition(family.home, more) } });
    const job = options.job ?? await server.execute("d");
    while (!options.hurried && (await family.pids()).length < times * COUNT) await pause(20);
    const ended = async () => {
        await server.events(`job:${job}`, await server.beginning());
        return (await server.get(`/api/jobs/${job}`)).body.status;
    };
    return { family, server, job, ended };
}

async function goneCheck({ family }, least = COUNT) {
    const pids = await family.pids();
    assert.ok(pids.length >= least, `${pids.length} have begun`);
    const all = [...pids, ...(await family.more())];
    assert.ok(all.every((line) => /^\d+ \d+$/.test(line)), all.join("\n"));
    assert.deepEqual(alive(all), [], "these are left");
    assert.deepEqual(processesOf(`FAMILY=${family.home}`), [], "nobody is left who had no time to note its number");
}

test("nothing is left of a job that was cancelled", async (t) => {
    const it = await begun(t);
    await it.server.post(`/api/jobs/${it.job}/cancel`);
    assert.equal(await it.ended(), "cancelled");
    await goneCheck(it);
});

for (const [what, more] of Object.entries({
    task: { step: { task_timeout: "1500ms" } },
    step: { step: { timeout: "1500ms" } },
    job: { job: { timeout: "1500ms" } },
}))
    test(`nothing is left when the ${what} takes too long`, async (t) => {
        const it = await begun(t, more, 1, { hurried: true }); // on a busy machine before all have begun
        assert.equal(await it.ended(), "failed");
        await goneCheck(it, 0);
    });

test("nothing is left of a command that ends and leaves its family behind", async (t) => {
    const it = await begun(t, { command: `$FAMILY/begin & until [ $(wc -l <$FAMILY/pids) -ge ${COUNT} ]; do sleep 0.02; done` });
    assert.equal(await it.ended(), "completed");
    await goneCheck(it);
});

test("nothing is left of a server that was asked to end", async (t) => {
    const it = await begun(t);
    assert.equal((await it.server.stop()).code, 0);
    await goneCheck(it);
});

test("nothing is left of a server that was killed, once there is a new one", async (t) => {
    const data = await folder(t);
    const first = await begun(t, {}, 1, { data });
    await first.server.stop("SIGKILL");
    const second = await begun(t, {}, 2, { data, family: first.family, job: first.job });
    const old = (await first.family.pids()).slice(0, COUNT);
    assert.deepEqual(alive(old), [], "these are left");
    await second.server.post(`/api/jobs/${second.job}/cancel`);
    assert.equal(await second.ended(), "cancelled");
    await goneCheck(second, 2 * COUNT);
});
