// Secrets: named in a definition, kept elsewhere, given to commands and requests, told to nobody.
import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import nodeTest from "node:test";
import { folder, listener, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 60000 }, run);

async function secretFile(t, text, mode = 0o600) {
    const file = path.join(await folder(t), "token");
    await writeFile(file, text);
    await chmod(file, mode);
    return file;
}

const definition = (secrets, type, config, more = {}) => JSON.stringify({ id: "d", name: "D", secrets, steps: [{ name: "s", type, config, ...more }] });

// Runs one step: its outcome, cause and lines.
async function run(t, secrets, type, config, options = {}) {
    const server = await serve(t, { definitions: { "d.json": definition(secrets, type, config, options.more) }, env: options.env });
    const job = await server.run("d", options.parameters);
    const [step] = (await server.get(`/api/jobs/${job}/tree`)).body.steps;
    return { server, job, status: step.status, cause: step.cause, lines: step.logs.map(({ level, message }) => `${level} ${message}`) };
}

test("a command has its secrets in its environment, without one newline at the end", async (t) => {
    const file = await secretFile(t, "from a file\n\n"), out = path.join(await folder(t), "out");
    const { status, cause } = await run(t, { token: { file }, other_one: { env: "GIVEN" } }, "shell",
        { env: { BEARER: "<{secrets.token}{secrets.other_one}> ${secrets.token} {secrets.}" }, command: `printf '%s|%s|%s|%s' "$SECRET_TOKEN" "$SECRET_OTHER_ONE" "$BEARER" "$GIVEN" > ${out}` },
        { env: { GIVEN: "from the environment" } });
    assert.equal(status, "completed", cause);
    assert.equal(await readFile(out, "utf8"), "from a file\n|from the environment|<from a file\nfrom the environment> ${secrets.token} {secrets.}|");
});

test("a request has its secrets in address, headers and body, and its key has none", async (t) => {
    const site = await listener(t), file = await secretFile(t, "abc/def 12");
    const { server, job, status, cause } = await run(t, { token: { file } }, "http",
        { url: site.url + "/x/{secrets.token}?q={secrets.token}", method: "POST", headers: { Authorization: "Bearer {secrets.token}" }, body: '{"token":"{secrets.token}"}' });
    assert.equal(status, "completed", cause);
    const [asked] = site.asked;
    assert.deepEqual([asked.path, asked.headers.authorization, asked.body], ["/x/abc/def%2012?q=abc/def%2012", "Bearer abc/def 12", '{"token":"abc/def 12"}']);
    const keys = (await server.events(`job:${job}`, await server.beginning())).map(({ payload }) => payload.key).filter(Boolean);
    assert.deepEqual([...new Set(keys)], [site.url + "/x/{secrets.token}?q={secrets.token}"]);
});

test("a whole address may be a secret, and is looked at when it is known", async (t) => {
    const site = await listener(t);
    assert.equal((await run(t, { hook: { env: "HOOK" } }, "http", { url: "{secrets.hook}" }, { env: { HOOK: site.url + "/hook" } })).status, "completed");
    assert.equal(site.asked[0].path, "/hook");
    const { status, cause } = await run(t, { hook: { env: "HOOK" } }, "http", { url: "{secrets.hook}" }, { env: { HOOK: "ftp://elsewhere" } });
    assert.equal(status, "failed");
    assert.match(cause, /^url: the scheme .* is neither http nor https$/);
    const broken = await run(t, { key: { env: "KEY" } }, "http", { url: site.url, headers: { "X-Key": "{secrets.key}" } }, { env: { KEY: "two\r\nX-Lines: yes" } });
    assert.equal(broken.cause, "headers.X-Key: expected one line without control characters, at most 16 KiB");
});

test("a secret that cannot be read fails the step, and the cause says which and why", async (t) => {
    const home = await folder(t);
    for (const [text, sentence] of [
        [null, /^secret 'token': the file .*token cannot be read: No such file or directory$/],
        ["short\n", /^secret 'token': the file .*token has 5 bytes, at least 6 are needed: /],
        ["with\0zero", /^secret 'token': the file .*token has a NUL byte, expected text$/],
        ["x".repeat(16385), /^secret 'token': the file .*token has more than 16 KiB$/],
    ]) {
        const file = text === null ? path.join(home, "token") : await secretFile(t, text);
        const { status, cause } = await run(t, { token: { file } }, "shell", { command: "echo never" });
        assert.equal(status, "failed");
        assert.match(cause, sentence);
    }
    const { cause } = await run(t, { token: { env: "NOBODY_SET_IT" } }, "shell", { command: "echo never" });
    assert.equal(cause, "secret 'token': the server's environment has no variable NOBODY_SET_IT");
    assert.match((await run(t, { token: { file: home } }, "shell", { command: "echo never" })).cause, /is not a file$/);
});

test("a file that everybody can read is said", async (t) => {
    const file = await secretFile(t, "for everybody", 0o644);
    const { status, lines } = await run(t, { token: { file } }, "shell", { command: "true" });
    assert.equal(status, "completed");
    assert.equal(lines[1], `warn secret 'token': every user of this machine can read the file ${file} (mode 0644)`);
});

test("a value from outside cannot name a secret", async (t) => {
    const site = await listener(t);
    const text = JSON.stringify({ id: "d", name: "D", parameters: { who: { default: "" } }, secrets: { token: { env: "TOKEN" } },
        steps: [{ name: "s", type: "http", config: { url: site.url + "/?{secrets{who}", headers: { "X-A": "{secrets.token}" } } }] });
    const server = await serve(t, { definitions: { "d.json": text }, env: { TOKEN: "a good one" } });
    await server.run("d");
    assert.equal(site.asked[0].headers["x-a"], "a good one");
    for (const who of [".token}", "{secrets.token}"]) {
        const { status, body } = await server.post("/api/job-definitions/d/execute", { parameters: { who } });
        assert.deepEqual([status, body.field], [400, "steps[0].config.url"]);
        assert.match(body.error, /the value of a parameter cannot name a secret$/);
    }
    assert.equal(site.asked.length, 1);
});

test("a secret after a restart is read again", async (t) => {
    const site = await listener(t, (request, response, n) => n > 1 && response.end());
    const data = await folder(t), definitions = { "d.json": definition({ token: { env: "TOKEN" } }, "http", { url: site.url + "/{secrets.token}" }) };
    const first = await serve(t, { data, definitions, env: { TOKEN: "the-first-one" } });
    const job = await first.execute("d");
    await site.got(1);
    await first.stop("SIGKILL");
    const second = await serve(t, { data, definitions, env: { TOKEN: "the-second-one" } });
    await second.events(`job:${job}`, await second.beginning());
    assert.equal((await second.get(`/api/jobs/${job}/tree`)).body.status, "completed");
    assert.deepEqual(site.asked.map(({ path }) => path), ["/the-first-one", "/the-second-one"]);
});

test("what is wrong in a definition is told with its place, and never repeats what may be a secret", async (t) => {
    const server = await serve(t);
    for (const [secrets, config, field, wrong] of [
        [{ token: "geheim" }, {}, "secrets.token", /expected \{file: PATH\} or \{env: NAME\}, for no definition holds a secret itself$/],
        [["geheim"], {}, "secrets", /expected a map of names$/],
        [{ Token: { env: "A" } }, {}, "secrets.Token", /a secret's name is lower-case letters/],
        [{ token: { env: "A", file: "/b" } }, {}, "secrets.token", /expected either 'file' or 'env'$/],
        [{ token: {} }, {}, "secrets.token", /expected either 'file' or 'env'$/],
        [{ token: { file: "b" } }, {}, "secrets.token.file", /expected the whole path of a file, from \/$/],
        [{ token: { env: "A B" } }, {}, "secrets.token.env", /expected the name of an environment variable$/],
        [{ token: { value: "geheim" } }, {}, "secrets.token.value", /unknown key 'value'/],
        [{ token: { env: "A" } }, { env: { X: "{secrets.tokne}" } }, "steps[0].config.env.X", /there is no secret 'tokne'$/],
        [{ token: { env: "A" } }, { cwd: "/{secrets.token}" }, "steps[0].config.cwd", /no secret can be used here$/],
        [Object.fromEntries(Array.from({ length: 33 }, (_, i) => ["s" + i, { env: "A" }])), {}, "secrets", /expected at most 32 secrets, found 33$/],
    ]) {
        const { status, body } = await server.post("/api/job-definitions", { id: "e", name: "E", secrets, steps: [{ name: "s", type: "shell", config: { command: "true", ...config } }] });
        assert.deepEqual([status, body.field], [400, field], body.error);
        assert.match(body.error, wrong);
        assert.doesNotMatch(body.error, /geheim/);
    }
    const { body } = await server.post("/api/job-definitions", { id: "e", name: "E", secrets: { token: { file: "/a" }, other: { env: "B" } }, steps: [{ name: "s", type: "shell", config: { command: "true" } }] });
    assert.deepEqual(body.secrets, { token: { file: "/a" }, other: { env: "B" } });
});
