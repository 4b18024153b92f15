// Wrong input, answered well: one clear sentence with the place, the right status, and nothing lost.
import assert from "node:assert/strict";
import { open, truncate, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import test from "node:test";
import { command, folder, serve } from "./server.mjs";

const GOOD = `id: good
name: Good
steps:
  - name: a
    type: shell
    config: { command: "echo fine" }
`;
const post = (server, text, type = "application/yaml") =>
    server.fetch("/api/job-definitions", { method: "POST", headers: { "Content-Type": type }, body: text });

const WRONG = {
    "a misspelt key": [GOOD.replace("command:", "comand:"), /unknown key 'comand', did you mean 'command'/, 6],
    "an unknown type": [GOOD.replace("shell", "shel"), /'shel'.*'shell'/s, 5],
    "a circle": [GOOD.replace("    type", "    depends: [b]\n    type") + "  - name: b\n    type: shell\n    depends: [a]\n    config: { command: x }\n", /a → b → a/],
    "a missing dependency": [GOOD.replace("    type", "    depends: [zz]\n    type"), /'zz'/, 5],
    "tabs": [GOOD.replace("    type", "\ttype"), /tab/, 5],
    "a wrong type": [GOOD + "enabled: maybe\n", /enabled: expected true or false, found 'maybe'/, 7],
    "nothing at all": ["", /./],
};

for (const [what, [text, sentence, line]] of Object.entries(WRONG)) {
    test(`a definition with ${what} is refused with the place and what was expected`, async (t) => {
        const server = await serve(t);
        const answer = await post(server, text);
        assert.equal(answer.status, 400);
        assert.match(answer.body.error, sentence);
        assert.ok(!answer.body.error.includes("\n"), "one sentence");
        if (line) assert.equal(answer.body.line, line);
        const file = path.join(await folder(t), "wrong.yaml");
        await writeFile(file, text);
        const { code, stderr } = await command(["validate", file]);
        assert.equal(code, 2);
        assert.match(stderr, sentence);
        assert.ok(stderr.includes(line ? `${file}:${line}:` : file), stderr);
        assert.equal((await server.get("/api/job-definitions")).body.total_count, 0);
    });
}

test("10 MB of YAML are refused by their size, over the API and from a file", async (t) => {
    const big = GOOD + `description: ${"x".repeat(10 << 20)}\n`;
    const server = await serve(t);
    const answer = await post(server, big);
    assert.equal(answer.status, 413);
    assert.match(answer.body.error, /larger than 1024 KiB/);
    const file = path.join(await folder(t), "big.yaml");
    await writeFile(file, big);
    const { code, stderr } = await command(["validate", file]);
    assert.equal(code, 2);
    assert.match(stderr, /big\.yaml.*bytes/);
    assert.equal((await server.get("/api/health")).status, 200);
});

test("of two definitions with one id in the folder the second is named and left out", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": GOOD, "b.yaml": GOOD, "c.yaml": GOOD.replace("good", "other").replace("shell", "shel") } });
    await server.run("good");
    await server.stop();
    assert.match(server.stderr, /b\.yaml: id 'good' is taken already by .*a\.yaml/);
    assert.match(server.stderr, /c\.yaml:5:.*'shel'/);
});

test("a second definition with one id over the API is refused, and the first still runs", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": GOOD } });
    assert.equal((await server.get("/api/job-definitions")).body.total_count, 1);
    const again = await post(server, GOOD);
    assert.equal(again.status, 409);
    assert.match(again.body.error, /'good' already/);
    await server.run("good");
});

test("a port in use is one sentence", async (t) => {
    const server = await serve(t);
    const { code, stderr, stdout } = await command(["serve", "--listen", `127.0.0.1:${server.port}`, "--data", await folder(t)]);
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${server.port}: another program uses this port`));
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
});

test("a data folder that cannot be written is one sentence with its path", async (t) => {
    const file = path.join(await folder(t), "file");
    await writeFile(file, "");
    const { code, stderr } = await command(["serve", "--listen", "127.0.0.1:0", "--data", path.join(file, "data")]);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes(file), stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
});

async function usedData(t) {
    const data = await folder(t);
    const server = await serve(t, { data, definitions: { "good.yaml": GOOD } });
    for (let i = 0; i < 3; i++) await server.run("good");
    await server.stop();
    return data;
}

test("a data folder of a newer version is refused and left as it is", async (t) => {
    const data = await usedData(t);
    const file = path.join(data, "tailrace.db");
    const handle = await open(file, "r+");
    await handle.write(Buffer.from([0, 0, 3, 231]), 0, 4, 60); // SQLite's header: user_version = 999
    await handle.close();
    const { code, stderr } = await command(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert.notEqual(code, 0);
    assert.match(stderr, /newer/);
    assert.match(stderr, /999/);
});

test("a truncated database is refused with its path", async (t) => {
    const data = await usedData(t);
    const file = path.join(data, "tailrace.db");
    await truncate(file, 5000);
    const { code, stderr } = await command(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes(file), stderr);
});

test("a second server on one data folder is refused and says who has it", async (t) => {
    const data = await folder(t);
    const first = await serve(t, { data });
    const { code, stderr } = await command(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes(String(first.pid)), stderr);
});

test("an unknown job is 404 on every route, with a sentence", async (t) => {
    const server = await serve(t);
    const id = "0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62";
    for (const route of ["", "/tree", "/status", "/children", "/logs", "/logs/aggregated", "/logs.txt", "/results"]) {
        const { status, text } = await server.get(`/api/jobs/${id}${route}`);
        assert.equal(status, 404, route);
        assert.match(JSON.parse(text).error, /job|0199e9c2/);
    }
    assert.equal((await server.post(`/api/jobs/${id}/cancel`)).status, 404);
    assert.equal((await server.get("/api/jobs/nonsense")).status, 404);
});

test("a body that is not JSON is 400 with the place", async (t) => {
    const server = await serve(t, { definitions: { "good.yaml": GOOD } });
    const answer = await server.fetch("/api/job-definitions/good/execute", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"parameters":\n {"a" 1}}' });
    assert.equal(answer.status, 400);
    assert.equal(answer.body.line, 2);
    assert.match(answer.body.error, /JSON/i);
    const typed = await server.fetch("/api/job-definitions/good/execute", { method: "POST", headers: { "Content-Type": "image/png" }, body: "x" });
    assert.equal(typed.status, 415);
});

const crawl = (url) => `id: crawl\nname: Crawl\nsteps:\n  - name: c\n    type: crawler\n    config: { start_urls: ["${url}"], timeout: 5s }\n`;

async function crawlFails(t, url, cause) {
    const server = await serve(t, { definitions: { "crawl.yaml": crawl(url) } });
    const job = await server.run("crawl");
    const { body: tree } = await server.get(`/api/jobs/${job}/tree`);
    assert.equal(tree.status, "failed");
    assert.match(tree.cause, cause);
    assert.ok(tree.steps[0].logs.some((line) => ["warn", "error"].includes(line.level) && line.message.includes(url)), "a line names the address");
}

test("a start address that does not resolve fails the job and says so", (t) => crawlFails(t, "http://no-such-host.invalid/", /resolve/));

test("a start address that refuses fails the job and says so", async (t) => {
    const closed = net.createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => closed.once("listening", resolve));
    const { port } = closed.address();
    await new Promise((resolve) => closed.close(resolve));
    await crawlFails(t, `http://127.0.0.1:${port}/`, /refuses connections/);
});

test("a start address that speaks no HTTP fails the job and says so", async (t) => {
    const chatter = net.createServer((socket) => {
        socket.on("error", () => {});
        socket.end("220 mail.example ESMTP ready\r\n");
    }).listen(0, "127.0.0.1");
    t.after(() => chatter.close());
    await new Promise((resolve) => chatter.once("listening", resolve));
    await crawlFails(t, `http://127.0.0.1:${chatter.address().port}/`, /HTTP/);
});
