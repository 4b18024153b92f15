// HTTP as such: doors, limits, what is wrong input and how it is answered, starting and stopping.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { test as nodeTest } from "node:test";
import { gunzipSync } from "node:zlib";

import { command, folder, serve } from "./server.mjs";

// A hang is a failure too.
const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const JOB = "01a209d3-acbf-7000-81fd-53967694f021";

// A request with headers that fetch would not send.
async function request(server, method, target, headers = {}, body = undefined) {
    const r = http.request(server.url + target, { method, headers, agent: false });
    r.on("error", () => {});
    r.end(body);
    const [response] = await once(r, "response");
    const parts = [];
    for await (const part of response) parts.push(part);
    const data = Buffer.concat(parts), text = data.toString();
    const json = (response.headers["content-type"] || "").startsWith("application/json") && text;
    return { status: response.statusCode, headers: response.headers, data, text, body: json ? JSON.parse(text) : null };
}

test("what does not exist, or not that way, is said in one sentence", async (t) => {
    const server = await serve(t);
    const cases = [
        ["GET", "/api/nothing", 404, "not_found", /\/api\/nothing/],
        ["GET", `/api/jobs/${JOB}`, 404, "not_found", new RegExp(JOB)],
        ["GET", `/api/jobs/${JOB}/tree`, 404, "not_found", /job/],
        ["GET", `/api/jobs/${JOB}/logs`, 404, "not_found", new RegExp(JOB)],
        ["GET", `/api/jobs/${JOB}/logs.txt`, 404, "not_found", new RegExp(JOB)],
        ["GET", "/api/jobs/42", 404, "not_found", /no job '42'/],
        ["DELETE", `/api/jobs/${JOB}`, 404, "not_found", new RegExp(JOB)],
        ["POST", `/api/jobs/${JOB}/cancel`, 404, "not_found", new RegExp(JOB)],
        ["GET", "/api/job-definitions/none", 404, "not_found", /none/],
        ["POST", "/api/job-definitions/none/execute", 404, "not_found", /none/],
        ["GET", `/api/events?topic=job:${JOB}&wait=0`, 404, "not_found", new RegExp(JOB)],
        ["PUT", "/api/jobs", 405, "method_not_allowed", /GET, HEAD/],
        ["DELETE", "/queue", 405, "method_not_allowed", /GET, HEAD/],
    ];
    for (const [method, target, status, code, sentence] of cases) {
        const answer = await request(server, method, target);
        assert.equal(answer.status, status, `${method} ${target}`);
        assert.equal(answer.body.code, code);
        assert.match(answer.body.error, sentence);
    }
    assert.equal((await request(server, "PATCH", `/api/jobs/${JOB}`)).headers.allow, "GET, HEAD, DELETE");
});

test("a wrong query value is answered with its name", async (t) => {
    const server = await serve(t);
    for (const [query, field] of [
        ["limit=0", "limit"], ["limit=1001", "limit"], ["limit=many", "limit"], ["limit=", "limit"], ["offset=-1", "offset"],
        ["status=done", "status"], ["order_by=colour", "order_by"], ["order_dir=up", "order_dir"],
        ["parent_id=7", "parent_id"], ["stauts=failed", "stauts"], ["limit", "limit"],
    ]) {
        const { status, body } = await server.get(`/api/jobs?${query}`);
        assert.equal(status, 400, query);
        assert.equal(body.field, field);
        assert.match(body.error, new RegExp(field));
    }
    assert.equal((await server.get(`/api/jobs/${JOB}/logs?level=loud`)).body.field, "level");
    assert.equal((await server.get("/api/events")).body.field, "topic");
    assert.equal((await server.get("/api/events?topic=jobs&since=now")).body.field, "since");
    assert.equal((await server.get("/api/events?topic=weather")).status, 404);
});

test("a body that is not JSON is answered with its place, and changes nothing", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": "id: a\nname: A\nsteps:\n  - {name: b, type: shell, config: {command: 'true'}}\n" } });
    const target = "/api/job-definitions/a/execute", json = { "Content-Type": "application/json" };
    const broken = await request(server, "POST", target, json, '{\n  "parameters": oops\n}');
    assert.equal(broken.status, 400);
    assert.equal(broken.body.line, 2);
    assert.ok(broken.body.column > 0);
    for (const body of ["[]", "7", '"text"', '{"parameters":{},"parameters":{}}', '{"parameters":{"x":{}}}', "\xff\xfe"]) {
        const answer = await request(server, "POST", target, json, Buffer.from(body, "latin1"));
        assert.equal(answer.status, 400, body);
        assert.ok(answer.body.error.length > 10);
    }
    const type = await request(server, "POST", target, { "Content-Type": "text/plain" }, "{}");
    assert.equal(type.status, 415);
    assert.match(type.body.error, /application\/json/);
    const none = await request(server, "POST", "/api/job-definitions", {}, "id: b");
    assert.equal(none.status, 415);
    assert.match(none.body.error, /application\/yaml/);
    assert.equal((await server.get("/api/jobs/stats")).body.total_jobs, 0);
    assert.equal((await request(server, "POST", target)).status, 202, "no body at all is fine");
});

test("a body that is too large gets 413, however it comes", async (t) => {
    const server = await serve(t);
    const yaml = { "Content-Type": "application/yaml" }, target = "/api/job-definitions/validate";
    const over = await request(server, "POST", target, yaml, Buffer.alloc(1024 * 1024 + 1, 120));
    assert.equal(over.status, 413);
    assert.match(over.body.error, /1024 KiB/);
    const chunked = await request(server, "POST", target, { ...yaml, "Transfer-Encoding": "chunked" }, Buffer.alloc(2 * 1024 * 1024, 120));
    assert.equal(chunked.status, 413);
    const definition = await request(server, "POST", target, yaml, Buffer.alloc(300 * 1024, 120));
    assert.equal(definition.status, 413, "a definition has a limit of its own");

    // A hundred megabytes are refused before they are sent.
    const socket = net.connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`POST ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/yaml\r\nContent-Length: 104857600\r\n\r\n`);
    const [data] = await once(socket, "data");
    assert.match(data.toString(), /^HTTP\/1.1 413/);
    socket.destroy();
});

test("a page of another site can neither read nor change anything", async (t) => {
    const server = await serve(t);
    const host = new URL(server.url).host;
    assert.equal((await request(server, "GET", "/api/jobs", { Host: "evil.example" })).status, 403);
    assert.equal((await request(server, "GET", "/queue", { Host: "127.0.0.1.evil.example:80" })).status, 403);
    assert.equal((await request(server, "GET", "/api/jobs", { Host: `localhost:${server.port}` })).status, 200);
    const target = `/api/jobs/${JOB}/cancel`;
    for (const origin of ["http://evil.example", "null", `https://${host}`, "http://127.0.0.1:1"]) {
        const answer = await request(server, "POST", target, { Origin: origin });
        assert.equal(answer.status, 403, origin);
        assert.equal(answer.body.code, "forbidden");
    }
    assert.equal((await request(server, "POST", target, { Origin: `http://${host}` })).status, 404);
    assert.equal((await request(server, "POST", target)).status, 404, "no browser, no origin");
});

test("pages come with their policy, compressed when asked, and not twice", async (t) => {
    const server = await serve(t);
    const page = await request(server, "GET", "/queue");
    assert.equal(page.status, 200);
    assert.equal(page.headers["content-security-policy"], "default-src 'none'; script-src 'self'; style-src 'self'; " +
        "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    assert.equal(page.headers["x-content-type-options"], "nosniff");
    assert.equal(page.headers["cache-control"], "no-cache");
    assert.equal((await request(server, "GET", "/?from=mail")).text, page.text);

    const zipped = await request(server, "GET", "/queue", { "Accept-Encoding": "br, gzip" });
    assert.equal(zipped.headers["content-encoding"], "gzip");
    assert.equal(gunzipSync(zipped.data).toString(), page.text);
    assert.equal((await request(server, "GET", "/queue", { "Accept-Encoding": "gzip;q=0" })).headers["content-encoding"], undefined);
    const same = await request(server, "GET", "/queue", { "If-None-Match": `"x", ${page.headers.etag}` });
    assert.equal(same.status, 304);
    assert.equal(same.data.length, 0);

    const [, script] = page.text.match(/src="(\/assets\/queue-[^"]+\.js)"/);
    const asset = await request(server, "GET", script);
    assert.match(asset.headers["cache-control"], /immutable/);
    assert.match(asset.headers["content-type"], /^text\/javascript/);
    assert.equal((await request(server, "GET", "/assets/none.js")).status, 404);

    const head = await request(server, "HEAD", "/api/status");
    assert.equal(head.status, 200);
    assert.equal(head.data.length, 0);
    assert.equal(head.headers["cache-control"], "no-store");
});

test("a page for many things is served below its own place, one part deep", async (t) => {
    const server = await serve(t);
    const name = async (target, method = "GET") => {
        const { status, text, headers } = await request(server, method, target);
        return status === 200 && headers["content-type"] === "text/html; charset=utf-8" ? text.match(/<body[^>]* data-page="([^"]+)"/)?.[1] : status;
    };
    const pages = [
        ["/", "queue"], ["/queue", "queue"], [`/jobs/${JOB}`, "job"], ["/jobs/none?step=a", "job"],
        ["/definitions", "definitions"], ["/definitions/hello", "definitions"],
        ["/documents", "documents"], [`/documents/${JOB}`, "documents"],
        ["/jobs", 404], ["/jobs/", 404], ["/jobs/*/read", 404], [`/jobs/${JOB}/more`, 404], ["/jobs/a%2Fb", 404],
        ["/definitions/", 404], ["/definitions/a/b", 404], ["/documents/", 404], ["/queue/a", 404], ["/assets/", 404], ["/assets/*", 404],
    ];
    for (const [target, page] of pages) assert.equal(await name(target), page, target);
    assert.equal(await name("/jobs/x", "POST"), 405);
    assert.equal((await request(server, "HEAD", "/definitions/x")).status, 200);
    const of = (await request(server, "GET", "/jobs/one")).headers.etag;
    assert.equal((await request(server, "GET", "/jobs/two", { "If-None-Match": of })).status, 304, "they are one page");
});

test("a client that vanishes while its answer is pending does no harm", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": "id: a\nname: A\nsteps:\n  - {name: b, type: shell, config: {command: 'true'}}\n" } });
    const sockets = [];
    for (const target of ["/api/events?topic=jobs&wait=25", "/api/jobs", "/api/status", "/api/jobs/queue"])
        for (let i = 0; i < 10; i++) {
            const socket = net.connect(server.port, "127.0.0.1");
            socket.on("error", () => {});
            socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, () => socket.resetAndDestroy());
            sockets.push(once(socket, "close"));
        }
    await Promise.all(sockets);
    const execute = net.connect(server.port, "127.0.0.1");
    execute.on("error", () => {});
    execute.write("POST /api/job-definitions/a/execute HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n", () => execute.resetAndDestroy());
    await once(execute, "close");
    const id = await server.run("a");
    assert.equal((await server.get(`/api/jobs/${id}`)).body.status, "completed");
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

test("bytes that are no HTTP are refused, and the server goes on", async (t) => {
    const server = await serve(t);
    for (const bytes of ["rubbish\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /" + "x".repeat(100000) + " HTTP/1.1\r\n\r\n"]) {
        const socket = net.connect(server.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.end(bytes);
        socket.resume();
        await once(socket, "close");
    }
    const half = net.connect(server.port, "127.0.0.1"); // a TLS greeting, and then nothing
    half.write("\x16\x03\x01\x02\x00", () => half.destroy());
    await once(half, "close");
    assert.equal((await server.get("/api/health")).status, 200);
});

/* ---- starting ---- */

test("a port in use is one sentence and a status", async (t) => {
    const server = await serve(t);
    const second = await command(["serve", "--listen", `127.0.0.1:${server.port}`, "--data", await folder(t)]);
    assert.equal(second.code, 6);
    assert.equal(second.stdout, "");
    assert.match(second.stderr.trim(), new RegExp(`^tailrace: cannot listen on 127.0.0.1:${server.port}: another program uses this port.*--listen`));
    assert.equal(second.stderr.trim().split("\n").length, 1);
});

test("a data folder in use is one sentence and a status", async (t) => {
    const data = path.join(await folder(t), "data");
    await serve(t, { data });
    const second = await command(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert.equal(second.code, 6);
    assert.ok(second.stderr.includes(data), second.stderr);
});

test("a data folder that cannot be written is one sentence and a status", async (t) => {
    const file = path.join(await folder(t), "file");
    await writeFile(file, "");
    const first = await command(["serve", "--listen", "127.0.0.1:0", "--data", path.join(file, "data")]);
    assert.equal(first.code, 7);
    assert.ok(first.stderr.includes(file), first.stderr);
    assert.equal(first.stderr.trim().split("\n").length, 1);
});

async function databaseOf(data) {
    const files = await readdir(data);
    const sizes = await Promise.all(files.map(async (name) => [(await stat(path.join(data, name))).size, name]));
    return path.join(data, sizes.filter(([, name]) => !/-(wal|shm)$/.test(name)).sort((a, b) => b[0] - a[0])[0][1]);
}

test("a truncated database is told apart from an empty one, and left alone", async (t) => {
    const data = path.join(await folder(t), "data");
    const server = await serve(t, { data, definitions: { "a.yaml": "id: a\nname: A\nsteps:\n  - {name: b, type: shell, config: {command: 'true'}}\n" } });
    await server.run("a");
    await server.stop();
    const file = await databaseOf(data), { size } = await stat(file);
    await truncate(file, Math.floor(size / 2));
    const before = await readFile(file);
    const again = await command(["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert.equal(again.code, 7);
    assert.equal(again.stdout, "");
    assert.ok(again.stderr.includes(data), again.stderr);
    assert.deepEqual(await readFile(file), before);
});

test("a definitions folder that is not there is one sentence and a status", async (t) => {
    const home = await folder(t);
    const wrong = await command(["serve", "--listen", "127.0.0.1:0", "--data", path.join(home, "data"), "--definitions", path.join(home, "none")]);
    assert.ok(wrong.code > 0);
    assert.match(wrong.stderr, /none/);
});

test("settings come from the flag, then the environment, then the file, then the default", async (t) => {
    const home = await folder(t);
    const config = path.join(home, "tailrace.yaml"), data = (name) => path.join(home, name);
    const clean = { ...process.env };
    for (const name of Object.keys(clean)) if (name.startsWith("TAILRACE_") && name !== "TAILRACE_BIN") delete clean[name];
    // An address that is none ends the start at once and says where it came from.
    const listen = async (args, env = {}) => (await command(["serve", "--data", data("d"), ...args], { env: { ...clean, ...env }, cwd: home })).stderr;
    await writeFile(config, "listen: from-file\n");
    assert.match(await listen(["--config", config]), /'from-file'/);
    assert.match(await listen(["--config", config], { TAILRACE_LISTEN: "from-env" }), /'from-env'/);
    assert.match(await listen(["--config", config, "--listen", "from-flag"], { TAILRACE_LISTEN: "from-env" }), /'from-flag'/);
    await writeFile(config, "lissten: x\n");
    assert.match(await listen(["--config", config]), /tailrace\.yaml:1:1.*lissten.*listen/);
    assert.match(await listen(["--config", path.join(home, "none.yaml")]), /none\.yaml/);
    assert.match(await listen(["--heartbeat", "often"]), /heartbeat/);
    const help = (await command(["serve", "--help"])).stdout;
    for (const word of ["--listen", "127.0.0.1:8085", "--data", "./tailrace-data", "--definitions", "--config", "TAILRACE_LISTEN"])
        assert.ok(help.includes(word), word);
});
