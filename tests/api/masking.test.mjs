// A secret given to a job is found nowhere: not in the data folder, an answer, a socket, the page,
// a backup or the server's log, whichever way the job printed it.
import assert from "node:assert/strict";
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { command, folder, listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 120000 }, run);

const TOKEN = "tö+k/en 'w1th' \"all\" & <odd> 100%25";
const KEY = ["-----BEGIN OPENSSH PRIVATE KEY-----", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW",
    "QyNTUxOQAAACB9xr0cPYtMnYHXhE3Wq1Qz0kTb9a7GQ3mJf8m2ZCk3ZwAAAJj0hYpQ9IWK", "UAAAAAtzc2g=", "-----END OPENSSH PRIVATE KEY-----"].join("\n");

// What would give a secret away, wherever it stands. Of base64 the digits that depend on it alone.
function base64(text, before) {
    const bytes = Buffer.concat([Buffer.alloc(before, "x"), Buffer.from(text)]);
    return bytes.toString("base64").slice(Math.ceil((before * 4) / 3), Math.floor((bytes.length * 4) / 3));
}

function tracesOf(text) {
    const json = JSON.stringify(text).slice(1, -1), uri = encodeURIComponent(text), form = new URLSearchParams({ q: text }).toString().slice(2);
    const ascii = json.replace(/[^\0-\x7f]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
    const hex = Buffer.from(text).toString("hex");
    return [text, json, ascii, uri, uri.toLowerCase(), form, hex, hex.toUpperCase(), ...[0, 1, 2].flatMap((n) => [base64(text, n), base64(text, n).replaceAll("+", "-").replaceAll("/", "_")])];
}
const traces = [...tracesOf(TOKEN), ...tracesOf(KEY), ...KEY.split("\n")];

function nothingIn(text, where) {
    // As the lines of one text, and as a text that was split anywhere.
    for (const form of [text, text.replaceAll("\\n", "").replaceAll("\n", "")])
        for (const trace of traces) {
            const at = form.indexOf(trace);
            assert.equal(at, -1, `${where} has ${trace}: ${form.slice(Math.max(0, at - 100), at + 100)}`);
        }
}

// Prints the variables in all ways there are, each on its own line, to both outputs.
const PRINTER = `
const { execFileSync } = require("node:child_process"), { writeSync } = require("node:fs");
const say = (text, fd = 1) => { for (let at = 0, bytes = Buffer.from(text); at < bytes.length; ) try { at += writeSync(fd, bytes, at); } catch (e) { if (e.code !== "EAGAIN") throw e; } };
for (const secret of [process.env.SECRET_TOKEN, process.env.SECRET_KEY]) {
    for (const fd of [1, 2]) {
        say("plain: " + secret + "\\n", fd);
        say(["no", "line", "end", secret, "\\r", secret, "\\n"].join(" "), fd);
        for (const byte of Buffer.from("bytes: " + secret + "\\n")) say(Buffer.from([byte]), fd);
        for (const character of secret) say(character + "\\n", fd);
        for (let cut = 1; cut < secret.length; cut += 3) say(secret.slice(0, cut) + "\\n" + secret.slice(cut) + "\\n", fd);
    }
    const bytes = Buffer.from(secret);
    for (const before of ["", "x", "xx", "user:"]) {
        const whole = Buffer.concat([Buffer.from(before), bytes, Buffer.from("\\n")]).toString("base64");
        for (const text of [whole, whole.replaceAll("=", ""), whole.replaceAll("+", "-").replaceAll("/", "_")]) say("base64: " + text + "\\n");
        for (const width of [4, 19, 64, 76]) say(whole.replace(new RegExp(".{" + width + "}", "g"), "$&\\n") + "\\n");
        say(JSON.stringify({ wrapped: whole.replace(/.{10}/g, "$&\\n") }) + "\\n");
        say(execFileSync("base64", { input: before + secret }).toString());
    }
    const hex = bytes.toString("hex");
    say([hex, hex.toUpperCase(), hex.match(/../g).join(":"), hex.match(/../g).join(" "), hex.replace(/../g, "\\\\x$&"), hex.replace(/.{30}/g, "$&\\n")].join("\\n") + "\\n");
    const every = hex.replace(/../g, "%$&");
    say([encodeURIComponent(secret), encodeURI(secret), encodeURIComponent(secret).toLowerCase(), new URLSearchParams({ q: secret }), every, every.toUpperCase()].join("\\n") + "\\n");
    say(JSON.stringify({ secret, inside: JSON.stringify("x") }) + "\\n");
    say(JSON.stringify(secret).replace(/[^\\0-\\x7f]/g, (c) => "\\\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")) + "\\n");
    say("<p>" + secret.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[c]) + "</p>\\n");
    say(secret.slice(0, 5) + "\\x1b[1;31m" + secret.slice(5, 9) + "\\x1b[0m" + secret.slice(9) + "\\n");
    say("x".repeat(65536 - 10) + secret + "\\n");
    say("long " + "y".repeat(16 * 65536 - 20) + secret + "\\n");
}
say("not a secret: all of this line is to be read\\n");
`;

// All files below a folder, as texts.
async function filesOf(top) {
    const names = (await readdir(top, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    return Promise.all(names.map(async ({ parentPath, path: old, name }) => [name, await readFile(path.join(parentPath ?? old, name), "latin1")]));
}

const latin1 = (text) => Buffer.from(text, "utf8").toString("latin1");

// All that can be asked about a job, and about the server.
async function askEverything(server, job) {
    const { body: tree } = await server.get(`/api/jobs/${job}/tree?lines=100`);
    const targets = ["/api/jobs", "/api/jobs/queue", "/api/jobs/stats", "/api/job-definitions", "/api/job-definitions/all", "/api/documents", "/api/status", "/metrics", "/api/openapi.json", "/queue", `/jobs/${job}`, `/jobs/${job}/read`,
        `/api/jobs/${job}`, `/api/jobs/${job}/tree?lines=100`, `/api/jobs/${job}/children`, `/api/jobs/${job}/results`, `/api/jobs/${job}/status`, `/api/jobs/${job}/logs.txt`, `/api/jobs/${job}/logs/aggregated?limit=1000`,
        `/api/events/stream?topic=job:${job}&since=${await server.beginning()}`,
        ...tree.steps.flatMap(({ name, step_id }) => [`/api/jobs/${step_id}`, `/api/jobs/${job}/logs?step=${name}&limit=1000`, `/api/jobs/${job}/search?step=${name}&q=e&texts=true&limit=1000`])];
    for (const target of targets) {
        const { status, text } = await server.get(target);
        assert.ok(status < 400, `${status} ${target}: ${text}`);
        nothingIn(text, target);
    }
    const events = await server.events(`job:${job}`, await server.beginning());
    nothingIn(events.map((event) => JSON.stringify(event)).join("\n"), "long-poll");
    nothingIn(events.map(({ payload }) => payload.message ?? "").join("\n"), "the messages");
    return { tree, events };
}

test("a secret is found nowhere, whichever way a command printed it", async (t) => {
    const home = await folder(t), data = path.join(home, "data"), file = path.join(home, "key"), printer = path.join(home, "print.cjs");
    await writeFile(file, KEY + "\n", { mode: 0o600 });
    await writeFile(printer, PRINTER);
    const { url: site, asked } = await listener(t, (request, response, n) => {
        if (request.url.startsWith("/page")) return response.writeHead(200, { "Content-Type": "text/html" }).end(`<html><head><title>${TOKEN.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</title></head><body><article><p>It is ${encodeURIComponent(TOKEN)} here, in a page that says it twice.</p><a href="/next?${encodeURIComponent(TOKEN)}">next</a></article></body></html>`);
        response.writeHead(request.url.startsWith("/away") ? 302 : 500, { "Content-Type": "text/plain", Location: "/failed?t=" + encodeURIComponent(TOKEN) }).end(`you sent ${request.headers.authorization} and ${asked[n - 1].body}\n`);
    });
    const definition = { id: "all", name: "All", secrets: { token: { env: "THE_TOKEN" }, key: { file } }, steps: [
        { name: "print", type: "shell", config: { command: `${process.execPath} ${printer}` } },
        { name: "trace", type: "shell", on_error: "continue", retry: { attempts: 2, backoff: "1ms" }, config: { command: `set -x; : "$SECRET_TOKEN"; : "$SECRET_KEY"; exit 3` } },
        { name: "ask", type: "http", on_error: "continue", config: { url: site + "/away?t={secrets.token}", method: "POST", headers: { Authorization: "Bearer abc" }, body: "{secrets.key}" } },
        { name: "wrong", type: "http", on_error: "continue", config: { url: "{secrets.token}" } },
        { name: "header", type: "http", on_error: "continue", config: { url: site, headers: { "X-Key": "{secrets.key}" } } },
        { name: "gone", type: "http", on_error: "continue", config: { url: "http://127.0.0.1:1/{secrets.token}" } },
        { name: "crawl", type: "crawler", config: { start_urls: [site + "/page"], respect_robots: false } },
    ] };
    const server = await serve(t, { data, definitions: { "all.json": JSON.stringify(definition) }, env: { THE_TOKEN: TOKEN } });
    const plain = server.socket(), v1 = server.socket(["tailrace.v1"]);
    await Promise.all([plain.opened, v1.opened]);
    v1.send({ op: "sub", topic: "jobs", since: await server.beginning() });
    const job = await server.execute("all");
    v1.send({ op: "sub", topic: `job:${job}`, since: await server.beginning(), id: 2 });
    await v1.next("end");
    const { tree, events } = await askEverything(server, job);
    assert.equal(tree.status, "completed", tree.cause);
    for (const socket of [plain, v1]) nothingIn(socket.seen.map((message) => JSON.stringify(message)).join("\n"), "a socket");
    assert.equal((await command(["backup", "--data", data, path.join(home, "copy.db")])).code, 0);
    await server.stop();
    nothingIn(server.stderr, "the server's log");
    const files = await filesOf(home);
    assert.ok(files.some(([name]) => name === "tailrace.db") && files.some(([name]) => name === "copy.db"));
    for (const [name, bytes] of files.filter(([name]) => name !== "key"))
        for (const trace of traces) assert.ok(!bytes.includes(latin1(trace)), `${name} has ${trace}`);

    // And the rest is there.
    const lines = (name) => events.filter(({ type, payload }) => type === "job_log" && payload.step_name === name).map(({ payload }) => payload.message);
    const printed = lines("print");
    assert.ok(printed.includes("plain: ***") && printed.includes("bytes: ***"));
    assert.ok(printed.includes("not a secret: all of this line is to be read"));
    assert.ok(printed.some((line) => line.endsWith("x***")));
    assert.deepEqual(lines("trace").filter((line) => line.startsWith("+ :")).map((line) => line.replace(/'/g, "")), ["+ : ***", "+ : ***", "+ : ***", "+ : ***"]);
    const causes = Object.fromEntries(tree.steps.map(({ name, cause }) => [name, cause]));
    assert.equal(causes.ask, "HTTP 500 Internal Server Error, expected 2xx");
    assert.equal(lines("ask")[1].replace(/302.*, leads/, "302, leads"), `POST ${site}/away?t=*** 302, leads to ${site}/failed?t=***`);
    assert.match(lines("gone")[1], /^GET http:\/\/127\.0\.0\.1:1\/\*\*\*: /);
    assert.ok(lines("crawl").some((line) => line.includes("cannot be queued: it holds a secret")), lines("crawl").join("\n"));
    assert.match(causes.header, /^headers\.X-Key: /);
});

test("a secret that was changed between two steps is masked as it was and as it is", async (t) => {
    const file = path.join(await folder(t), "token"), old = "the-first-value";
    await writeFile(file, old, { mode: 0o600 });
    const steps = [{ name: "one", type: "shell", config: { command: `echo "$SECRET_TOKEN"; printf the-second-value > ${file}` } },
        { name: "two", type: "shell", depends: ["one"], config: { command: `echo "$SECRET_TOKEN and the-first-value"` } }];
    const server = await serve(t, { definitions: { "d.json": JSON.stringify({ id: "d", name: "D", secrets: { token: { file } }, steps }) } });
    const job = await server.run("d");
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    assert.deepEqual(body.steps.map(({ logs }) => logs[1].message), ["***", "*** and ***"]);
});

test("tasks of one step that print pieces at the same time are not mixed up", async (t) => {
    const both = await folder(t);
    const command = 'echo "${SECRET_TOKEN%se}"; : > "$BOTH/$ITEM"; until test -e "$BOTH/a" && test -e "$BOTH/b"; do sleep 0.01; done; echo "se of $ITEM"; echo "se"';
    const steps = [{ name: "s", type: "shell", for_each: ["a", "b"], parallel: 2, config: { env: { BOTH: both }, command } }];
    const server = await serve(t, { env: { TOKEN: "correct horse" }, definitions: { "d.json": JSON.stringify({ id: "d", name: "D", secrets: { token: { env: "TOKEN" } }, steps }) } });
    const job = await server.run("d");
    const events = await server.events(`job:${job}`, await server.beginning());
    const lines = events.filter(({ type, payload }) => type === "job_log" && payload.originator === "worker").map(({ payload }) => payload.message);
    assert.deepEqual(lines.sort(), ["***", "***", "*** of a", "*** of b", "se", "se"]);
});

test("an output is masked when a secret is in it, and else is what was said; the disk never has it", async (t) => {
    const data = await folder(t), go = path.join(await folder(t), "go");
    const command = `echo "token=<$SECRET_TOKEN>" >> $TAILRACE_OUTPUT; echo "other=it is corr" >> $TAILRACE_OUTPUT; echo written; until test -e "$GO"; do sleep 0.02; done`;
    const steps = [{ name: "s", type: "shell", config: { env: { GO: go }, command } }];
    const server = await serve(t, { data, env: { TOKEN: "correct horse" }, definitions: { "d.json": JSON.stringify({ id: "d", name: "D", secrets: { token: { env: "TOKEN" } }, steps }) } });
    const job = await server.execute("d");
    await server.event(job, ({ payload }) => payload.message === "written");
    for (const file of await readdir(data, { recursive: true, withFileTypes: true }))
        if (file.isFile()) assert.ok(!(await readFile(path.join(file.parentPath ?? file.path, file.name))).includes("correct horse"), file.name);
    await writeFile(go, "");
    await server.events(`job:${job}`, await server.beginning());
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    assert.deepEqual(body.steps[0].outputs, { token: "<***>", other: "it is corr" });
});

test("a secret that is written in place of an output is not told in pieces", async (t) => {
    const secrets = { token: { env: "TOKEN" }, pair: { env: "PAIR" } };
    const TOKEN = "eyJhbGciOiJIUzI1NiJ9." + "Q".repeat(120), PAIR = "password=correct-horse";
    const steps = ["$SECRET_TOKEN", "x<<$SECRET_TOKEN", "$SECRET_PAIR"].map((text, i) => ({ name: `s${i}`, type: "shell", config: { command: `echo "${text}" >> $TAILRACE_OUTPUT` } }));
    steps.push({ name: "s3", type: "shell", config: { command: 'tailrace output "$SECRET_PAIR"' } });
    const server = await serve(t, { env: { TOKEN, PAIR }, definitions: { "d.json": JSON.stringify({ id: "d", name: "D", secrets, steps }) } });
    const job = await server.run("d");
    const { body, text } = await server.get(`/api/jobs/${job}/tree`);
    assert.ok(!text.includes("QQQQ") && !text.includes("correct-horse"), text);
    assert.deepEqual(body.steps.map(({ cause, outputs }) => [cause, outputs]), [
        ["TAILRACE_OUTPUT, line 1: expected name=value, found (141 bytes)", {}],
        ["TAILRACE_OUTPUT, line 1: the line (141 bytes) that ends it is missing", {}],
        ["TAILRACE_OUTPUT, line 1: an output's name holds a secret", {}],
        ["exit code 2", {}],
    ]);
});

test("a line that holds no secret comes at once, also when it ends as one begins", async (t) => {
    const server = await serve(t, { env: { TOKEN: "correct horse" }, definitions: { "d.json": JSON.stringify({ id: "d", name: "D", secrets: { token: { env: "TOKEN" } },
        steps: [{ name: "s", type: "shell", config: { command: "echo cor; read forever < $FIFO" , env: { FIFO: "/dev/zero" } } }] }) } });
    const job = await server.execute("d");
    const { payload } = await server.event(job, ({ payload }) => payload.originator === "worker");
    assert.equal(payload.message, "cor");
    await server.post(`/api/jobs/${job}/cancel`);
});
