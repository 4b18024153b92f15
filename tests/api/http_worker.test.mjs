// The http worker against a real server on loopback: what it asks, what it makes of the answer.
import assert from "node:assert/strict";
import nodeTest from "node:test";
import { folder, listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

const says = (text, status = 200, headers = {}) => (request, response) => response.writeHead(status, { "Content-Type": "text/plain", ...headers }).end(text);
const leads = (location, status) => (request, response, n) => (n > 1 ? says("arrived\n")(request, response) : response.writeHead(status, { Location: location }).end());

const definition = (config, more = {}) => JSON.stringify({ id: "d", name: "D", parameters: { who: { default: "you" } }, steps: [{ name: "ask", type: "http", config, ...more }] });

// Runs one step with these settings: its outcome, cause and lines.
async function run(t, config, more) {
    const server = await serve(t, { definitions: { "d.json": definition(config, more) } });
    const job = await server.run("d");
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    const [step] = body.steps;
    return { status: step.status, cause: step.cause, lines: step.logs.map(({ level, message }) => `${level} ${message.replace(/\d+ ms/, "N ms")}`) };
}

test("an answer is a line, and its text becomes lines", async (t) => {
    const site = await listener(t, says("one\r\ntwo\n\nfour"));
    const { status, lines } = await run(t, { url: site.url + "/a?q={who}" });
    assert.equal(status, "completed");
    assert.deepEqual(lines.slice(1, -1), [`info GET ${site.url}/a?q=you 200 OK, text/plain, 14 B, N ms`, "info one", "info two", "info ", "info four"]);
    assert.equal(site.asked[0].path, "/a?q=you");
    assert.match(site.asked[0].headers["user-agent"], /^tailrace\//);
});

for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    test(`${method} goes out with its headers and its body`, async (t) => {
        const site = await listener(t, says("fine", 201));
        const body = method === "GET" || method === "HEAD" ? undefined : '{"to":"{who}"}';
        const { status } = await run(t, { url: site.url, method, headers: { "X-Key": "k {who}", "Content-Type": "application/json", "X-Empty": "" }, body });
        assert.equal(status, "completed");
        const [asked] = site.asked;
        assert.deepEqual([asked.method, asked.body], [method, body ? '{"to":"you"}' : ""]);
        assert.deepEqual([asked.headers["x-key"], asked.headers["x-empty"], asked.headers["content-type"]], ["k you", "", "application/json"]);
        assert.equal(asked.headers.expect, undefined);
    });

test("without a body and a type nothing is made up", async (t) => {
    const site = await listener(t, says("fine"));
    await run(t, { url: site.url, method: "POST" });
    assert.deepEqual([site.asked[0].headers["content-type"], site.asked[0].headers["content-length"]], [undefined, "0"]);
});

test("a status that was not expected fails the step, and its text is kept as warnings", async (t) => {
    const site = await listener(t, says("try later\n", 503));
    const { status, cause, lines } = await run(t, { url: site.url });
    assert.deepEqual([status, cause], ["failed", "HTTP 503 Service Unavailable, expected 2xx"]);
    assert.deepEqual(lines.slice(1, 3), [`error GET ${site.url}/ 503 Service Unavailable, text/plain, 10 B, N ms`, "warn try later"]);
});

test("what is expected is said by numbers, classes and ranges", async (t) => {
    for (const [expect_status, answer, outcome] of [[["404"], 404, "completed"], [["2xx", "409"], 409, "completed"], [["200-204"], 205, "failed"], [["201", "4xx"], 200, "failed"], [["4xx"], 200, "failed"], [["302"], 302, "completed"]]) {
        const site = await listener(t, says("x", answer, { Location: "/elsewhere" }));
        const { status, cause } = await run(t, { url: site.url, expect_status });
        assert.equal(status, outcome, `${expect_status} and ${answer}`);
        if (outcome === "failed") assert.ok(cause.endsWith(`, expected ${expect_status.join(" or ")}`), cause);
        assert.equal(site.asked.length, 1);
    }
});

test("retry asks again until the answer is right", async (t) => {
    const site = await listener(t, (request, response, n) => says("n", n < 3 ? 500 : 200)(request, response));
    const { status } = await run(t, { url: site.url, method: "POST", body: "b" }, { retry: { attempts: 4, backoff: "10ms" } });
    assert.equal(status, "completed");
    assert.deepEqual(site.asked.map(({ method, body }) => method + body), ["POSTb", "POSTb", "POSTb"]);
});

test("redirects are followed as browsers do, and each is a line", async (t) => {
    for (const [status, method, then] of [[301, "POST", "GET"], [302, "DELETE", "GET"], [303, "PUT", "GET"], [302, "HEAD", "HEAD"], [307, "POST", "POSTb"], [308, "PATCH", "PATCHb"]]) {
        const site = await listener(t, leads("/next", status));
        const { lines } = await run(t, { url: site.url, method, headers: { Authorization: "secret" }, body: method === "HEAD" || method === "DELETE" ? "" : "b" });
        assert.equal(site.asked[1].path, "/next");
        assert.equal(site.asked[1].method + site.asked[1].body, then, `${status} of ${method}`);
        assert.equal(site.asked[1].headers.authorization, "secret");
        assert.match(lines[1], new RegExp(`^info ${method} ${site.url}/ ${status} .*, leads to ${site.url}/next$`));
    }
});

test("a redirect takes neither headers nor body to another server", async (t) => {
    const other = await listener(t, says("hello"));
    const site = await listener(t, leads(other.url + "/there", 302));
    const config = { url: site.url, method: "POST", headers: { Authorization: "secret", Cookie: "c=1", "X-Key": "secret" }, body: "secret" };
    assert.equal((await run(t, config)).status, "completed");
    assert.deepEqual([other.asked[0].method, other.asked[0].body], ["GET", ""]);
    assert.doesNotMatch(JSON.stringify(other.asked[0]), /secret|c=1/);
    const keeps = await listener(t, leads(other.url + "/there", 307));
    const { status, cause } = await run(t, { ...config, url: keeps.url });
    assert.deepEqual([status, cause, other.asked.length], ["failed", "a redirect to another server, which the body is not meant for", 1]);
});

test("redirects have an end, and cannot lead to this machine from elsewhere or to another scheme", async (t) => {
    const round = await listener(t, (request, response) => response.writeHead(302, { Location: "/again" }).end());
    assert.equal((await run(t, { url: round.url, max_redirects: 3 })).cause, "more redirects in a row than max_redirects");
    assert.equal(round.asked.length, 4);
    const away = await listener(t, leads("http://169.254.0.1/", 302));
    assert.match((await run(t, { url: away.url })).cause, /private address/);
    const file = await listener(t, leads("file:///etc/passwd", 302));
    assert.match((await run(t, { url: file.url })).cause, /^a redirect that cannot be followed: /);
});

test("an answer that is too long is cut, one that is no text is not shown, and neither fails", async (t) => {
    const long = await listener(t, says("x".repeat(5000)));
    const cut = await run(t, { url: long.url, max_size: "1KiB" });
    assert.deepEqual([cut.status, cut.lines[1], cut.lines[2]], ["completed", `info GET ${long.url}/ 200 OK, text/plain, 1.0 KB, N ms, cut at max_size`, "info " + "x".repeat(1024)]);
    const picture = await listener(t, says("\0\xff", 200, { "Content-Type": "image/png" }));
    const shown = await run(t, { url: picture.url });
    assert.match(shown.lines[1], /image\/png, \d B, N ms, no text$/);
    assert.equal(shown.lines.length, 3);
    assert.equal((await run(t, { url: long.url, log_answer: false })).lines.length, 3);
});

test("an answer of many lines becomes all of them, in order, and can be stopped in the middle", async (t) => {
    const count = 300000;
    const site = await listener(t, says(Array.from({ length: count }, (_, i) => `${i}\n`).join("")));
    const server = await serve(t, { definitions: { "d.json": definition({ url: site.url, max_size: "8MiB" }) } });
    const whole = await server.run("d");
    const line = async (job, after) => (await server.get(`/api/jobs/${job}/logs?step=ask&limit=1&after=${after}`)).body.logs[0]?.message;
    assert.deepEqual([await line(whole, 2), await line(whole, count + 1)], ["0", String(count - 1)]);
    assert.match(await line(whole, count + 2), /^completed/);
    const stopped = await server.execute("d");
    await server.event(stopped, ({ payload }) => payload.message === "999");
    await server.post(`/api/jobs/${stopped}/cancel`);
    await server.events(`job:${stopped}?min=none`, await server.beginning());
    const { body } = await server.get(`/api/jobs/${stopped}/tree`);
    assert.ok(["cancelled", "completed"].includes(body.steps[0].status));
});

test("no answer fails with the reason", async (t) => {
    const closed = await listener(t, (request, response) => response.destroy());
    assert.match((await run(t, { url: closed.url })).cause, /closed the connection without an answer$/);
    const slow = await listener(t, () => {});
    assert.match((await run(t, { url: slow.url, timeout: "200ms" })).cause, /^timed out after .* s \(no answer\)$/);
    const { cause, lines } = await run(t, { url: "http://127.0.0.1:1/x" });
    assert.equal(cause, "http://127.0.0.1:1 refuses connections");
    assert.equal(lines[1], "error GET http://127.0.0.1:1/x: http://127.0.0.1:1 refuses connections");
});

test("an answer may take as long as the timeout says", async (t) => {
    const site = await listener(t, (request, response) => setTimeout(() => says("at last")(request, response), 25000));
    assert.equal((await run(t, { url: site.url, timeout: "50s" })).status, "completed");
});

test("a request that waits is cancelled with its job", async (t) => {
    const slow = await listener(t, () => {});
    const server = await serve(t, { definitions: { "d.json": definition({ url: slow.url }) } });
    const job = await server.execute("d");
    await slow.got(1);
    await server.post(`/api/jobs/${job}/cancel`);
    await server.events(`job:${job}`, await server.beginning());
    const { body } = await server.get(`/api/jobs/${job}/tree`);
    assert.deepEqual([body.status, body.steps[0].status], ["cancelled", "cancelled"]);
});

test("a request that a killed server left is asked again", async (t) => {
    const slow = await listener(t, (request, response, n) => n > 1 && says("at last")(request, response));
    const data = await folder(t), definitions = { "d.json": definition({ url: slow.url }) };
    const first = await serve(t, { data, definitions });
    const job = await first.execute("d");
    await slow.got(1);
    await first.stop("SIGKILL");
    const second = await serve(t, { data, definitions });
    await second.events(`job:${job}`, await second.beginning());
    const { body } = await second.get(`/api/jobs/${job}/tree`);
    assert.equal(body.status, "completed");
    assert.ok(body.steps[0].logs.some(({ message }) => message === "at last"));
});

test("settings that cannot be are refused with their place and what was expected", async (t) => {
    const server = await serve(t, { definitions: { "d.json": definition({ url: "http://{who}/" }) } });
    for (const [config, field, wrong] of [
        [{ url: "ftp://a/" }, "url", /ftp/],
        [{ url: "nowhere" }, "url", /does not begin with http/],
        [{ url: "http://a/", method: "BREW" }, "method", /expected GET, HEAD/],
        [{ url: "http://a/", headers: { "a b": "c" } }, "headers.a b", /'a b' cannot be the name of a header$/],
        [{ url: "http://a/", headers: { "X-A": "b\r\nX-C: d" } }, "headers.X-A", /expected one line without control characters, at most 16 KiB$/],
        [{ url: "http://a/", headers: { "content-length": "3" } }, "headers.content-length", /Content-Length is set by tailrace itself$/],
        [{ url: "http://a/", expect_status: ["2xx", "ok"] }, "expect_status[1]", /expected statuses such as 200, 2xx or 200-299, found 'ok'$/],
        [{ url: "http://a/", expect_status: ["299-200"] }, "expect_status[0]", /found '299-200'$/],
    ]) {
        const { status, body } = await server.post("/api/job-definitions", JSON.parse(definition(config).replace('"d"', '"e"')));
        assert.deepEqual([status, body.field], [400, "steps[0].config." + field], body.error);
        assert.match(body.error, wrong);
    }
    const { status, body } = await server.post("/api/job-definitions/d/execute", { parameters: { who: "a b" } });
    assert.deepEqual([status, body.field], [400, "steps[0].config.url"], body.error);
});
