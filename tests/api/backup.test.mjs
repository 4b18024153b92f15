// `tailrace backup`: a copy of a busy server's data is a state that there was, and works.
import assert from "node:assert/strict";
import { copyFile, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 120000 }, run);

const definitions = {
    "load.yaml": "id: load\nname: Load\nsteps:\n  - { name: many, type: generator, config: { worker_count: 1, log_count: 100000, lines_per_second: 20000 } }\n",
    "hello.yaml": "id: hello\nname: Hello\nsteps:\n  - { name: say, type: shell, config: { command: 'seq 100' } }\n",
};

// A server on a copy, in a folder of its own.
async function restored(t, copy) {
    const data = path.join(await folder(t), "data");
    await mkdir(data);
    await copyFile(copy, path.join(data, "tailrace.db"));
    return { server: await serve(t, { data, definitions }), data };
}

const steps = async (server, job) => (await server.get(`/api/jobs/${job}/tree`)).body.steps;

test("copies of a server that writes are each a state that there was, and new ones go on from it", async (t) => {
    const home = await folder(t), data = path.join(home, "data");
    const server = await serve(t, { data, definitions });
    const before = await server.run("hello");
    const [hello] = await steps(server, before);
    const busy = await server.execute("load");
    await server.event(busy, ({ payload }) => payload.line > 1000);
    let least = 0;
    for (let i = 0; i < 3; i++) {
        const copy = path.join(home, `copy-${i}.db`);
        const told = (await server.get(`/api/jobs/${busy}/logs?order=desc&limit=1&step=many`)).body.logs[0].line;
        const { code, stdout, stderr } = await command(["backup", "--data", data, copy]);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /copy-\d\.db: [\d.]+ [KM]?B\n$/);
        const { server: second } = await restored(t, copy);
        assert.deepEqual((await steps(second, before))[0], hello);
        assert.notEqual((await second.cursor()).split(":")[0], (await server.cursor()).split(":")[0], "its history has a name of its own");
    const events = await second.get(`/api/events?topic=job:${busy}&since=${await second.beginning()}&limit=512`);
        assert.equal(events.status, 200, events.body.error);
        const lines = events.body.events.filter(({ type, payload }) => type === "job_log" && payload.step_name === "many").map(({ payload }) => payload.line);
        assert.deepEqual(lines, lines.map((line, at) => at + 1), "each line with its number, from the first on");
        const held = (await second.get(`/api/jobs/${busy}/logs?order=desc&limit=1&step=many`)).body.logs[0].line;
        assert.ok(held >= told && told >= least, "what was told before is in it");
        least = told;
        const again = await second.run("hello");
        assert.equal((await steps(second, again))[0].status, "completed");
        await second.stop();
    }
    await server.post(`/api/jobs/${busy}/cancel`);
    assert.deepEqual((await readdir(home)).filter((name) => /part|journal|wal/.test(name)), []);
});

test("whoever follows the old history begins anew on the copy", async (t) => {
    const home = await folder(t), data = path.join(home, "data"), copy = path.join(home, "copy.db");
    const server = await serve(t, { data, definitions });
    const job = await server.run("hello");
    const cursor = await server.cursor();
    await server.stop(); // a copy of one that does not run is the same
    assert.equal((await command(["backup", "--data", data, copy])).code, 0);
    const { server: second } = await restored(t, copy);
    const socket = second.socket(["tailrace.v1"]);
    await socket.opened;
    socket.send({ op: "sub", topic: `job:${job}`, since: cursor });
    assert.equal((await socket.next("reset")).reason, "epoch");
});

test("what cannot be copied is said, and leaves no file", async (t) => {
    const home = await folder(t);
    const wrong = async (data, copy, code, sentence) => {
        const { code: real, stderr } = await command(["backup", "--data", data, copy]);
        assert.deepEqual([real, sentence.test(stderr)], [code, true], stderr);
    };
    await wrong(path.join(home, "none"), path.join(home, "c.db"), 4, /there is no data of tailrace in .*none/);
    const garbage = path.join(home, "garbage");
    await mkdir(garbage);
    await writeFile(path.join(garbage, "tailrace.db"), "not a database at all, but long enough to look at".repeat(100));
    await wrong(garbage, path.join(home, "c.db"), 7, /tailrace\.db is damaged or is not a tailrace database/);
    const data = path.join(home, "data");
    await (await serve(t, { data, definitions })).stop();
    await writeFile(path.join(home, "there.db"), "mine");
    await wrong(data, path.join(home, "there.db"), 5, /there is a file .*there\.db already/);
    assert.equal((await stat(path.join(home, "there.db"))).size, 4);
    await wrong(data, path.join(home, "no", "folder.db"), 7, /folder\.db/);
    assert.deepEqual((await readdir(home)).sort(), ["data", "garbage", "there.db"]);
    const none = await command(["backup"]);
    assert.equal(none.code, 2);
});
