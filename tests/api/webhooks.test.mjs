// Webhooks: who is told how a job ended is told at least once, whatever dies, and can tell that it is true.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import nodeTest from "node:test";
import { folder, listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const definition = (webhooks, more = {}) => ({ "d.json": JSON.stringify({ id: "d", name: "D", webhooks, steps: [{ name: "s", type: "shell", config: { command: "true" } }], ...more }) });
const failing = [{ name: "bad", type: "shell", config: { command: "echo to be read; exit 3" } }, { name: "after", type: "shell", depends: ["bad"], config: { command: "true" } }];

// Waits for an event of the topic system.
async function told(server, event) {
    for (let cursor = await server.beginning(); ; ) {
        const { body } = await server.get(`/api/events?topic=system&since=${cursor}&wait=25`);
        const found = body.events.find(({ payload }) => payload.event === event);
        if (found) return found.payload;
        cursor = body.cursor;
    }
}

const signature = (key, { headers, body }) => "v1," + createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");

test("a job that failed is told with its cause and its steps, signed by a secret", async (t) => {
    const site = await listener(t);
    const server = await serve(t, { env: { KEY: "a key of one's own" }, definitions: definition([{ url: site.url + "/hook?a=b", on: ["failed"], secret: "key" }], { secrets: { key: { env: "KEY" } }, steps: failing }) });
    const job = await server.run("d");
    const message = await site.got(1);
    const { type, timestamp, data } = JSON.parse(message.body);
    const tree = (await server.get(`/api/jobs/${job}/tree`)).body;
    assert.deepEqual([message.method, message.path, message.headers["content-type"]], ["POST", "/hook?a=b", "application/json"]);
    assert.deepEqual([type, data.job_id, data.definition_id, data.name, data.status, data.cause], ["job.failed", job, "d", "D", "failed", "step 'bad': exit code 3"]);
    assert.deepEqual([timestamp, data.started_at, data.started_by], [tree.completed_at, tree.started_at, "API"]);
    assert.deepEqual(data.steps.map(({ name, status, cause }) => [name, status, cause]), [["bad", "failed", "exit code 3"], ["after", "skipped", "step 'bad' was not successful"]]);
    assert.equal(message.headers["webhook-signature"], signature("a key of one's own", message));
    assert.match(message.headers["webhook-id"], /^[0-9a-f-]{36}$/);
    assert.ok(Math.abs(Date.now() / 1000 - message.headers["webhook-timestamp"]) < 60);
    const { subject, message: text, level } = await told(server, "webhook_delivered");
    assert.deepEqual([subject, level], [job, "info"]);
    assert.match(text, /^http:\/\/127\.0\.0\.1:\d+\/hook\?a=b: taken, 200 OK, \d+ ms$/);
});

test("a secret that is a part of the address is not told when the address cannot be reached", async (t) => {
    const host = "secret-host.invalid";
    const server = await serve(t, { env: { HOST: host }, definitions: definition([{ url: "http://{secrets.host}/hook", retry: { attempts: 1 } }], { secrets: { host: { env: "HOST" } } }) });
    await server.run("d");
    const { message } = await told(server, "webhook_given_up");
    assert.match(message, /^http:\/\/\{secrets\.host\}\/hook: given up after attempt 1 of 1: .*\*\*\*.* does not resolve/);
    assert.ok(!message.includes(host), message);
});

test("each webhook has the outcomes that it asks for, and nobody signs without a key", async (t) => {
    const site = await listener(t), on = (outcome) => ({ url: `${site.url}/${outcome}`, on: [outcome] });
    const server = await serve(t, { definitions: definition([on("completed"), on("failed"), on("cancelled"), { url: site.url + "/all" }],
        { parameters: { command: "true" }, steps: [{ name: "s", type: "shell", config: { command: 'eval "$PARAM_COMMAND"' } }] }) });
    await server.run("d", { command: "true" });
    await site.got(2);
    await server.run("d", { command: "false" });
    await site.got(4);
    const job = await server.execute("d", { command: "echo ready; sleep 60" });
    await server.event(job, ({ payload }) => payload.message === "ready");
    await server.post(`/api/jobs/${job}/cancel`);
    await site.got(6);
    assert.deepEqual(site.asked.map(({ path, body }) => path + " " + JSON.parse(body).type).sort(), ["/all job.cancelled", "/all job.completed", "/all job.failed", "/cancelled job.cancelled", "/completed job.completed", "/failed job.failed"]);
    assert.ok(site.asked.every(({ headers }) => !("webhook-signature" in headers)));
});

test("a key of the specification is what its base64 says", async (t) => {
    const site = await listener(t), key = Buffer.from("0123456789abcdef01234567");
    const server = await serve(t, { env: { KEY: "whsec_" + key.toString("base64") }, definitions: definition([{ url: site.url, secret: "key" }], { secrets: { key: { env: "KEY" } } }) });
    await server.run("d");
    const message = await site.got(1);
    assert.equal(message.headers["webhook-signature"], signature(key, message));
});

test("a receiver that answers 500 gets the same message again, until it takes it", async (t) => {
    const site = await listener(t, (request, response, n) => response.writeHead(n < 3 ? 500 : 204).end());
    const server = await serve(t, { definitions: definition([{ url: site.url, retry: { attempts: 5, backoff: "20ms" } }]) });
    const job = await server.run("d");
    await site.got(3);
    assert.equal((await told(server, "webhook_delivered")).subject, job);
    assert.match((await told(server, "webhook_failed")).message, /: attempt 1 of 5: HTTP 500 Internal Server Error; the next one in 0\.0 s$/);
    assert.deepEqual([new Set(site.asked.map(({ headers }) => headers["webhook-id"])).size, new Set(site.asked.map(({ body }) => body)).size], [1, 1]);
});

test("after the last attempt a message is given up, and after 410 at once; a redirect is not followed", async (t) => {
    for (const [status, attempts, cause] of [[503, 3, "given up after attempt 3 of 3: HTTP 503 Service Unavailable"], [410, 1, "given up after attempt 1 of 3: HTTP 410 Gone"], [302, 3, "given up after attempt 3 of 3: HTTP 302 Found"]]) {
        const site = await listener(t, (request, response) => response.writeHead(status, { Location: "/elsewhere" }).end());
        const server = await serve(t, { definitions: definition([{ url: site.url, retry: { attempts: 3, backoff: "1ms" } }]) });
        await server.run("d");
        const { message, level } = await told(server, "webhook_given_up");
        assert.deepEqual([message, level], [`${site.url}: ${cause}`, "error"]);
        assert.equal(site.asked.length, attempts);
    }
});

test("a receiver that never answers is given up after the timeout, and does not keep others waiting", async (t) => {
    const slow = await listener(t, () => {}), fast = await listener(t);
    const server = await serve(t, { definitions: definition([{ url: slow.url, timeout: "300ms", retry: { attempts: 1 } }, { url: fast.url }]) });
    await server.run("d");
    await fast.got(1);
    assert.match((await told(server, "webhook_given_up")).message, /: given up after attempt 1 of 1: timed out after .* s \(no answer\)$/);
});

test("a message outlives kill -9, a receiver that is down, and its job", async (t) => {
    const down = await listener(t), { port, url } = down;
    await down.close();
    const data = await folder(t), definitions = definition([{ url, retry: { attempts: 100, backoff: "50ms", backoff_max: "100ms" } }]);
    const first = await serve(t, { data, definitions });
    const job = await first.run("d");
    assert.match((await told(first, "webhook_failed")).message, /attempt 1 of 100: .* refuses connections; the next one in /);
    assert.equal((await first.get("/api/status")).body.webhooks_waiting, 1);
    assert.match((await first.get("/metrics")).text, /^tailrace_webhooks_waiting 1$/m);
    assert.equal((await first.fetch(`/api/jobs/${job}`, { method: "DELETE" })).status, 200);
    await first.stop("SIGKILL");
    const second = await serve(t, { data, definitions });
    const up = await listener(t, undefined, port);
    const message = await up.got(1);
    assert.equal(JSON.parse(message.body).data.job_id, job);
    await told(second, "webhook_delivered");
    assert.equal((await second.get("/api/status")).body.webhooks_waiting, 0);
    await second.stop();
    const third = await serve(t, { data, definitions }); // and nothing is left of it
    const next = await third.run("d");
    assert.equal(JSON.parse((await up.got(2)).body).data.job_id, next);
});

test("what was under way when the server died or stopped is sent once more, with the same id", async (t) => {
    const site = await listener(t, (request, response, n) => n > 2 && response.end());
    const data = await folder(t), definitions = definition([{ url: site.url }]);
    const first = await serve(t, { data, definitions });
    await first.run("d");
    await site.got(1);
    await first.stop("SIGKILL");
    const second = await serve(t, { data, definitions });
    await site.got(2);
    assert.deepEqual(await second.stop(), { code: 0, signal: null });
    const third = await serve(t, { data, definitions });
    await told(third, "webhook_delivered");
    assert.equal(new Set(site.asked.map(({ headers }) => headers["webhook-id"])).size, 1);
    assert.equal(site.asked.length, 3);
});

// From the job's beginning to the end of its message there are few commits: the server dies at each of them.
for (const point of ["store.commit.before", "store.commit.before_fsync", "store.commit.after", "engine.batch.closed"])
    test(`a server that dies at any ${point} tells each end, and each by one id`, async (t) => {
        const site = await listener(t), data = await folder(t), definitions = definition([{ url: site.url }]);
        for (let n = 1, died = true; died && n < 30; n++) {
            const server = await serve(t, { data, definitions, env: { TAILRACE_FAULT: `${point}:${n}` } }).catch(() => null);
            if (!server) continue;
            server.asked = "SIGKILL"; // it may
            const job = await server.execute("d").catch(() => null);
            died = await Promise.race([server.ended.then(() => true), job ? told(server, "webhook_delivered").then(() => false, () => true) : server.ended]) !== false;
            await server.stop("SIGKILL");
        }
        const last = await serve(t, { data, definitions });
        const { body } = await last.get("/api/jobs?limit=1000");
        const jobs = body.jobs.map(({ id, job_id }) => id ?? job_id);
        const idsOf = (job) => new Set(site.asked.filter(({ body }) => JSON.parse(body).data.job_id === job).map(({ headers }) => headers["webhook-id"]));
        for (const job of jobs) {
            await last.events(`job:${job}?min=none`, await last.beginning());
            for (let n = 1; idsOf(job).size === 0; n++) await site.got(n);
            assert.equal(idsOf(job).size, 1, job);
        }
        assert.ok(jobs.length >= 2, String(jobs.length));
    });

test("the address may be a secret, which is told nobody; one that cannot be read is said and tried again", async (t) => {
    const site = await listener(t);
    const server = await serve(t, { env: { HOOK: site.url + "/very-secret" }, definitions: definition([{ url: "{secrets.hook}" }, { url: site.url + "/x", secret: "gone", retry: { attempts: 2, backoff: "1ms" } }],
        { secrets: { hook: { env: "HOOK" }, gone: { file: "/nowhere/key" } }, steps: [{ name: "g", type: "generator", config: { log_count: 1 } }] }) });
    const job = await server.run("d");
    assert.match((await server.get(`/api/jobs/${job}`)).body.cause ?? "", /secret 'gone': the file \/nowhere\/key cannot be read/);
    assert.equal((await site.got(1)).path, "/very-secret");
    assert.match((await told(server, "webhook_given_up")).message, /\/x: given up after attempt 2 of 2: secret 'gone': the file \/nowhere\/key cannot be read: No such file or directory$/);
    assert.match((await told(server, "webhook_delivered")).message, /^\{secrets\.hook\}: taken, 200 OK/);
    const all = JSON.stringify(await server.get(`/api/events?topic=system&since=${await server.beginning()}`)) + server.stderr;
    assert.doesNotMatch(all, /very-secret/);
    assert.equal(site.asked.length, 1);
});

test("what is wrong in a webhook is told with its place", async (t) => {
    const server = await serve(t);
    const url = "http://127.0.0.1:1/";
    for (const [webhooks, field, wrong] of [
        ["x", "webhooks", /expected a list/],
        [[{ on: ["failed"] }], "webhooks[0].url", /expected an address/],
        [[{ url: "ftp://x" }], "webhooks[0].url", /expected an address that begins with http:\/\/ or https:\/\//],
        [[{ url: "http://x/{secrets.no}" }], "webhooks[0].url", /there is no secret 'no'$/],
        [[{ url, on: ["ended"] }], "webhooks[0].on[0]", /expected completed, failed or cancelled|expected .*completed/],
        [[{ url, on: [] }], "webhooks[0].on", /expected at least one of completed, failed, cancelled$/],
        [[{ url, secret: "kye" }], "webhooks[0].secret", /there is no secret 'kye', did you mean 'key'\?$/],
        [[{ url, retry: { attempts: 0 } }], "webhooks[0].retry.attempts", /expected/],
        [[{ url, timeout: "1h" }], "webhooks[0].timeout", /expected/],
        [Array.from({ length: 11 }, () => ({ url })), "webhooks", /expected at most 10 webhooks, found 11$/],
    ]) {
        const { status, body } = await server.post("/api/job-definitions", { id: "e", name: "E", secrets: { key: { env: "A" } }, webhooks, steps: [{ name: "s", type: "generator" }] });
        assert.deepEqual([status, body.field], [400, field], body.error);
        assert.match(body.error, wrong);
    }
    const { body } = await server.post("/api/job-definitions", { id: "e", name: "E", webhooks: [{ url }], steps: [{ name: "s", type: "generator" }] });
    assert.deepEqual(body.webhooks, [{ url, on: ["completed", "failed", "cancelled"], secret: null, retry: { attempts: 8, backoff: "10s", backoff_max: "10m" }, timeout: "10s" }]);
});
