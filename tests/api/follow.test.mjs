// The client rule of `tailrace logs --follow` against a peer that misbehaves as networks and servers
// do: a right server never sends these answers, so this test sends them itself. Whatever happens,
// each line is printed once and in order.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const repo = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const binary = process.env.TAILRACE_BIN ?? path.join(repo, "build/tailrace");
const job = "019ab000-0000-7000-8000-000000000001";

const line = (seq) => ({
  seq,
  type: "job_log",
  ts: "2026-11-23T10:15:02.123456Z",
  payload: { job_id: job, step_id: "s", step_name: "one", level: "info", message: `m${seq}`, line: seq },
});
const range = (from, to) => Array.from({ length: to - from }, (_, i) => line(from + 1 + i));
const answer = (from, to, more = {}) => ({
  topic: `job:${job}`, from, to, cursor: `e1:${to}`, events: range(from, to), end: false, ...more,
});

/** Answers the requests for events with `answers`, one after the other: objects, or functions that
 * do with the response what they like. `asked` are the cursors that it was asked for. */
async function peer(t, answers) {
  const asked = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, "http://peer");
    const reply = (body, status = 200) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (url.pathname.endsWith("/tree"))
      return reply({ job_id: job, job_name: "Job", status: "completed", cursor: "e1:3",
        duration_ms: 5, steps: [{ step_id: "s", name: "one" }] });
    assert.equal(url.pathname, "/api/events");
    assert.equal(url.searchParams.get("topic"), `job:${job}`);
    asked.push(url.searchParams.get("since"));
    const next = answers.shift();
    if (!next) return reply({ error: "asked once more than expected", code: "not_found" }, 404);
    return typeof next === "function" ? next(response, reply) : reply(next);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}`, asked };
}

async function follow(url) {
  const child = spawn(binary, ["logs", job, "--follow", "--server", url], { stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => (stderr += data));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

const text = (to) => range(0, to).map(({ seq }) => `one ${seq} info m${seq}\n`).join("");

test("what was seen already is skipped", async (t) => {
  const { url, asked } = await peer(t, [
    answer(0, 5),
    answer(2, 8),
    answer(0, 3),
    answer(8, 9, { end: true }),
  ]);
  const { code, stdout } = await follow(url);
  assert.equal(stdout, text(9));
  assert.equal(code, 0);
  assert.deepEqual(asked, ["e1:0", "e1:5", "e1:8", "e1:8"]);
});

test("a bookmark moves the cursor", async (t) => {
  const { url, asked } = await peer(t, [
    answer(0, 2),
    answer(2, 50, { events: [] }),
    answer(50, 51, { events: [], end: true }),
  ]);
  assert.equal((await follow(url)).stdout, text(2));
  assert.deepEqual(asked, ["e1:0", "e1:2", "e1:50"]);
});

test("a gap is not accepted: the same cursor is asked again", async (t) => {
  const { url, asked } = await peer(t, [answer(0, 2), answer(4, 6), answer(2, 6, { end: true })]);
  const { stdout, stderr } = await follow(url);
  assert.equal(stdout, text(6));
  assert.match(stderr, /left out events after e1:2; trying again/);
  assert.deepEqual(asked, ["e1:0", "e1:2", "e1:2"]);
});

test("an answer that breaks off, is no JSON or says 503 is asked again", async (t) => {
  const { url, asked } = await peer(t, [
    answer(0, 2),
    (response) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write('{"from":2,"to":3,"events":[');
      setImmediate(() => response.socket.destroy());
    },
    (response) => response.end("<html>"),
    (response, reply) => reply({ error: "the server is going down", code: "busy" }, 503),
    answer(2, 4, { end: true }),
  ]);
  const { code, stdout, stderr } = await follow(url);
  assert.equal(stdout, text(4));
  assert.equal(code, 0);
  assert.equal(stderr.match(/trying again/g).length, 1); // said once, not at every try
  assert.match(stderr, /the server answers again/);
  assert.deepEqual(asked, ["e1:0", "e1:2", "e1:2", "e1:2", "e1:2"]);
});

test("a history that was replaced is an error, not a part of another one", async (t) => {
  const { url } = await peer(t, [
    answer(0, 2),
    (response, reply) => reply({ error: "the cursor is of another history", code: "gone" }, 410),
  ]);
  const { code, stdout, stderr } = await follow(url);
  assert.equal(stdout, text(2));
  assert.equal(stderr, "tailrace: the cursor is of another history\n");
  assert.equal(code, 5);
});

test("a zero byte and other odd text in a line is printed as it is", async (t) => {
  const odd = line(1);
  odd.payload.message = "a\u0000b\r\u202e";
  const { url } = await peer(t, [answer(0, 1, { events: [odd], end: true })]);
  assert.equal((await follow(url)).stdout, "one 1 info a\u0000b\r\u202e\n");
});
