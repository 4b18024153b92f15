// What examples/operator holds works: the options in a file, the nightly copy and who is told when it
// fails, the receiver of webhooks, and the names of figures that alerts are about. And so does the unit
// for systemd. (What the server tells systemd while it runs: tests/unit/supervisor_test.c.)
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import nodeTest from "node:test";
import { fileURLToPath } from "node:url";
import { BINARY, command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);
const EXAMPLES = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../examples/operator");
const read = (name) => readFile(path.join(EXAMPLES, name), "utf8");
const KEY = "a key that nobody guesses\n";

// The receiver, with its port and `line()`, which waits for the next thing that it says.
async function receiver(t, keyFile) {
    const child = spawn(process.execPath, [path.join(EXAMPLES, "receiver.mjs")], { env: { ...process.env, KEY_FILE: keyFile, PORT: "0" }, stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    t.after(() => child.kill());
    const line = async () => (await lines.next()).value;
    return { line, port: /^listening on (\d+)$/.exec(await line())[1] };
}

// A server with the nightly copy, in which only places, ports and pauses are other ones.
async function night(t) {
    const home = await folder(t), data = path.join(home, "data"), copies = path.join(home, "copies"), keyFile = path.join(home, "key");
    await writeFile(keyFile, KEY, { mode: 0o600 });
    await mkdir(copies);
    const told = await receiver(t, keyFile);
    const text = (await read("definitions/nightly-backup.yaml")).replace("/etc/tailrace/webhook-key", keyFile)
        .replace("127.0.0.1:9099", "127.0.0.1:" + told.port).replace("backoff: 1m", "backoff: 0");
    const server = await serve(t, { data, definitions: { "nightly-backup.yaml": text } });
    return { server, told, data, copies, run: (where) => server.run("nightly-backup", { data, copies: where }) };
}

test("the file of options is taken as it stands, and a flag wins over it", async (t) => {
    const text = await read("tailrace.yaml");
    const server = await serve(t, { args: ["--config", path.join(EXAMPLES, "tailrace.yaml"), "--min-free", "1MiB"] });
    const { body } = await server.get("/api/status");
    assert.deepEqual(body.pools.map(({ name, places }) => `${name}: ${places}`).join(", "), /pools: \{ (.*) \}/.exec(text)[1]);
    assert.deepEqual([body.max_jobs, body.max_family, body.space.min_free_bytes], [16, 1000, 1024 * 1024]);
    await server.stop();
    for (const line of server.stderr.trimEnd().split("\n")) assert.equal(typeof JSON.parse(line).message, "string");
});

test("each night there is a copy that a server can be started on, and seven are kept", async (t) => {
    const { server, copies, run } = await night(t);
    for (let day = 10; day < 19; day++) await writeFile(path.join(copies, `2020-01-${day}T03-15-00-1.db`), "old");
    const before = (await server.get(`/api/jobs/${await run(copies)}/tree`)).body;
    assert.equal(before.status, "completed", before.cause);
    const names = (await readdir(copies)).sort();
    assert.deepEqual(names.slice(0, 6), [13, 14, 15, 16, 17, 18].map((day) => `2020-01-${day}T03-15-00-1.db`));
    assert.equal(names.length, 7);
    assert.match(before.steps[1].logs.map(({ message }) => message).join("\n"), /removed .*2020-01-10T.*\.db has \d{4,} bytes/s);

    const night2 = await run(copies), [newest] = (await readdir(copies)).sort().reverse();
    const data = path.join(await folder(t), "data");
    await mkdir(data);
    await copyFile(path.join(copies, newest), path.join(data, "tailrace.db"));
    const second = await serve(t, { data });
    const said = async (job) => (await second.events(`job:${job}`, await second.beginning())).map(({ payload }) => payload.message).join("\n");
    assert.match(await said(before.job_id), /completed after/);
    // The job that copied ran when it was copied, if it was on the disk by then.
    if ((await second.get(`/api/jobs/${night2}`)).status !== 404) assert.match(await said(night2), /the server was restarted[^]*completed after/);
    assert.equal((await readdir(copies)).length, 7);
    await second.stop();
});

test("a night without a copy is tried three times, and told once, to a receiver that believes nobody else", async (t) => {
    const { told, copies, run, server } = await night(t);
    const body = JSON.stringify({ type: "job.failed", data: { name: "Forged" } });
    const forged = (signature, at = Math.floor(Date.now() / 1000)) => fetch(`http://127.0.0.1:${told.port}/`, { method: "POST", body,
        headers: { "webhook-id": "x", "webhook-timestamp": String(at), ...(signature && { "webhook-signature": signature }) } });
    for (const signature of [undefined, "v1,", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]) assert.equal((await forged(signature)).status, 401);
    const job = await run(path.join(copies, "nowhere"));
    const tree = (await server.get(`/api/jobs/${job}/tree`)).body;
    assert.equal(tree.cause, "step 'copy': exit code 7 (attempt 3 of 3)");
    assert.equal(await told.line(), "job.failed: Nightly backup: step 'copy': exit code 7 (attempt 3 of 3)");
    await run(copies);
    await run(path.join(copies, "nowhere"));
    assert.match(await told.line(), /^job\.failed: /, "what went well is not told");
});

test("alerts are about figures that there are", async (t) => {
    const server = await serve(t);
    const { text } = await server.get("/metrics");
    const known = new Set([...text.matchAll(/^# HELP (\S+)/gm)].map(([, name]) => name));
    const named = [...(await read("alerts.yaml")).matchAll(/tailrace_\w+/g)].map(([name]) => name);
    assert.ok(named.length >= 5);
    for (const name of named) assert.ok(known.has(name), name);
    assert.match(await read("prometheus.yaml"), /metrics_path: \/metrics\n/);
    assert.ok([...(await read("README.md")).matchAll(/\]\(([^)]*)\)/g)].every(([, name]) => !name.startsWith("/")));
});

const unit = () => readFile(path.join(EXAMPLES, "../../systemd/tailrace.service"), "utf8");

test("systemd has nothing to say against the unit", async (t) => {
    const file = path.join(await folder(t), "tailrace.service");
    await writeFile(file, (await unit()).replace("/usr/local/bin/tailrace", BINARY));
    const child = spawn("systemd-analyze", ["verify", file], { stdio: ["ignore", "ignore", "pipe"] });
    const started = await Promise.race([once(child, "spawn").then(() => true), once(child, "error").then(() => false)]);
    if (!started) return t.skip("there is no systemd-analyze");
    let said = "";
    child.stderr.on("data", (data) => (said += data));
    const [code] = await once(child, "close");
    assert.deepEqual([code, said], [0, ""]);
});

test("the server takes the command of the unit", async () => { // up to an address that is none
    const [, words] = /^ExecStart=\S+ (.*)$/m.exec(await unit());
    const { code, stderr } = await command([...words.split(" "), "--listen", "nowhere"]);
    assert.equal(code, 2);
    assert.match(stderr, /^tailrace: 'nowhere' is no address to listen on/);
});
