// The docs are run: every command, snippet and definition in README.md and docs/ as it stands there,
// every answer compared in its shape with a real one, every table with the code it is about.
// Only the ports differ: 8085 and 8090 stand for the server and the news site that a test starts.
//
// How blocks are marked:
//     ```console               lines with "$ " are run by bash, their exit status must be 0 (unless
//                              the line looks at it with $?). What follows is their whole output, if
//                              anything does: … stands for any text, … alone for any lines. A serve
//                              command must become ready and end well; of make, the goals must exist.
//     ```js                    run by node until it prints; to its end when it says process.exit
//     ```yaml                  a whole definition: it is valid, and can be run by later commands
//     ```json METHOD PATH [STATUS] [BODY]   an answer of the server
//     ```json event TYPE [STATUS]           an event of a job
//     ```json frame [plain] TYPE            what a WebSocket says
//                              Members and their types are those of the real one, null fits anything,
//                              "…" stands for further members.
//     ```c FILE, ```diff FILE, ```yaml FILE  docs/first-change.md: tried in a copy of the tree
// (never again: 18)
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import readline from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { MISTAKES } from "../model/mistakes.mjs";
import { BINARY, folder, serve } from "./server.mjs";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const BUILD = path.dirname(BINARY);
const NEWSROOM = process.env.NEWSROOM || path.join(BUILD, "newsroom");
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(MAKE|MFLAGS|TAILRACE_|NO_COLOR)/.test(name)));
const FIRST_CHANGE = "docs/first-change.md";

const read = (file) => readFileSync(path.join(ROOT, file), "utf8");
const docs = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].concat(
    readdirSync(path.join(ROOT, "docs"), { recursive: true }).map((name) => "docs/" + name).filter((name) => name.endsWith(".md")));
const texts = Object.fromEntries(docs.map((file) => [file, read(file)]));

function blocksOf(file) {
    const found = texts[file].matchAll(/^```(\w*) ?([^\n]*)\n(.*?)^```$/gms);
    return [...found].map(([, language, info, text]) => ({ file, language, info, text }));
}
const blocks = docs.flatMap(blocksOf);
const prose = (file) => texts[file].replace(/^```.*?^```$/gms, "");

// The rows of the table that begins with these heads, as lists of cells.
function table(file, ...heads) {
    const lines = prose(file).split("\n");
    const cells = (line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim().replaceAll("\\|", "|"));
    const at = lines.findIndex((line) => heads.every((head, i) => cells(line)[i] === head));
    assert.ok(at >= 0, `${file} has no table with the heads ${heads.join(", ")}`);
    const end = lines.findIndex((line, i) => i > at && !line.startsWith("|"));
    return lines.slice(at + 2, end).map(cells);
}
const slug = (head) => head.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").trim().replaceAll(" ", "-");
const bare = (cell) => cell.replaceAll("`", "");

/* ---- definitions ---- */

const isWhole = (text) => /^id: /m.test(text) && /^steps:/m.test(text);
const definitions = Object.fromEntries(
    blocks.filter(({ language, text }) => language === "yaml" && isWhole(text))
        .filter(({ file }) => file !== FIRST_CHANGE)
        .map(({ text }) => [/^id: (.+)$/m.exec(text)[1] + ".yaml", text]));
for (const name of readdirSync(path.join(ROOT, "definitions"))) definitions[name] = read("definitions/" + name);

/* ---- a stage: server, news site, and a folder to stand in ---- */

async function newsroom(t) {
    const child = spawn(NEWSROOM, ["--listen", "127.0.0.1:0"], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    t.after(() => (child.kill(), ended));
    const [line] = await once(readline.createInterface({ input: child.stdout }), "line");
    return new URL(line.replace("listening on ", "")).port;
}

async function stage(t) {
    const site = await newsroom(t);
    const home = await folder(t);
    const at = (text, server) => text.replaceAll("127.0.0.1:8090", "127.0.0.1:" + site)
        .replaceAll("127.0.0.1:8085", "127.0.0.1:" + (server?.port ?? 8085));
    const own = Object.fromEntries(Object.entries(definitions).map(([name, text]) => [name, at(text)]));
    const data = await folder(t);
    const server = await serve(t, { data, definitions: own, args: ["--pool", "database=2"] }); // docs/job-definitions.md
    await mkdir(path.join(home, "definitions"));
    for (const [name, text] of Object.entries(own)) await writeFile(path.join(home, "definitions", name), text);
    await symlink(BUILD, path.join(home, "build"));
    await symlink(path.join(ROOT, "examples"), path.join(home, "examples"));
    await symlink(path.join(ROOT, "node_modules"), path.join(home, "node_modules"));
    return { home, server, at: (text) => at(text, server), env: { ...ENV, TAILRACE_URL: server.url, TAILRACE_DATA: data },
        from: (text) => text.replaceAll("127.0.0.1:" + site, "127.0.0.1:8090").replaceAll("127.0.0.1:" + server.port, "127.0.0.1:8085") };
}

/* ---- console ---- */

// [{command, output: lines or null}]
function commandsOf(text) {
    const commands = [];
    let open = false;
    for (const line of text.trimEnd().split("\n")) {
        const last = commands.at(-1);
        if (line.startsWith("$ ")) commands.push({ command: line.slice(2), output: null });
        else if (open) last.command += "\n" + line;
        else (last.output ??= []).push(line);
        const quotes = (commands.at(-1).command.match(/'/g) ?? []).length;
        open = commands.at(-1).output === null && (commands.at(-1).command.endsWith("\\") || quotes % 2 === 1);
    }
    return commands;
}

function outputPattern(lines) {
    const escape = (text) => text.trim().replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
    const parts = lines.map((line) =>
        line.trim() === "…" ? "(?:[^\\n]*\\n)*?" : " *" + line.split("…").map(escape).join("[^\\n]*?") + " *\\n");
    return new RegExp("^" + parts.join("") + "$");
}

async function bash(script, cwd, env) {
    const child = spawn("bash", ["-c", script], { cwd, env, stdio: ["ignore", "pipe", "ignore"], timeout: 600000 });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    await once(child, "close");
    return output;
}

// One shell for a block, so that a variable lasts; between commands it says what became of them.
async function consoleRun(block, cwd, env, { at = String, from = String } = {}) {
    const commands = commandsOf(block.text);
    const script = commands.map(({ command }) => `${at(command)}\nprintf '\\n\\036%d\\n' $?\n`).join("");
    const results = from(await bash("exec 2>&1\n" + script, cwd, env)).split(/\n\x1e(\d+)\n/);
    commands.forEach(({ command, output }, i) => {
        const real = results[2 * i], where = `${block.file}: $ ${command}\n${real}`;
        assert.equal(results[2 * i + 1], "0", where);
        if (output) assert.match(real.trimEnd() + "\n", outputPattern(output), where);
    });
}

const goals = new Set(read("Makefile").match(/^[a-z-]+(?=:)/gm));
function makeCheck(command) {
    for (const word of command.split(/\s+/).slice(1))
        assert.ok(goals.has(word) || /^(-j\d|[A-Z]+=\w+)$/.test(word), `make has no goal '${word}'`);
}

async function serveRun(block, cwd) {
    const [{ command, output }] = commandsOf(block.text);
    const child = spawn("bash", ["-c", "exec " + command], { cwd, env: { ...ENV, TAILRACE_LISTEN: "127.0.0.1:0" } });
    const ended = once(child, "close");
    const [line] = await once(readline.createInterface({ input: child.stdout }), "line");
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
    assert.match(line.replace(/:\d+$/, ":8085") + "\n", outputPattern(output), block.file);
}

async function consoleTry(block, s) {
    const commands = commandsOf(block.text);
    if (commands.every(({ command }) => command.startsWith("make "))) commands.forEach(({ command }) => makeCheck(command));
    else if (commands[0].command.startsWith("build/tailrace serve")) await serveRun(block, s.home);
    else await consoleRun(block, s.home, s.env, s);
}

/* ---- snippets ---- */

async function snippetTry(t, block, s, n) {
    const file = path.join(s.home, `snippet-${n}.mjs`);
    await writeFile(file, s.at(block.text));
    const child = spawn(process.execPath, [file], { env: s.env, cwd: s.home, stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    t.after(() => child.kill());
    const printed = once(readline.createInterface({ input: child.stdout }), "line");
    if (block.text.includes("process.exit")) {
        assert.deepEqual(await ended, [0, null], block.file);
    } else {
        while ((await s.server.get("/api/status")).body.viewers === 0) assert.equal(child.exitCode, null);
        await s.server.execute("hello");
    }
    assert.ok((await printed)[0].length > 0);
    child.kill();
    await ended;
}

/* ---- answers ---- */

function shapeCheck(example, real, where) {
    if (example === null || real === null) return;
    assert.equal(Array.isArray(real) ? "array" : typeof real, Array.isArray(example) ? "array" : typeof example, where);
    if (Array.isArray(example)) {
        if (example.length === 0) return;
        assert.ok(real.length > 0, where + " is empty");
        shapeCheck(example[0], real[0], where + "[0]");
    } else if (typeof example === "object") {
        const names = Object.keys(example).filter((name) => name !== "…");
        if (!("…" in example)) assert.deepEqual(Object.keys(real).sort(), names.sort(), where);
        for (const name of names) shapeCheck(example[name], real[name], where + "." + name);
    }
}

// A crawl that has ended, and what there is to ask about it.
async function crawl(s) {
    const job = await s.server.run("front-page");
    const tree = (await s.server.get(`/api/jobs/${job}/tree`)).body;
    assert.equal(tree.status, "completed", tree.cause);
    const beginning = await s.server.beginning();
    return { job, step: tree.steps[0].step_id, epoch: beginning.split(":")[0], beginning,
        events: [...(await s.server.events("job:" + job, beginning)),
            ...(await s.server.get("/api/events?topic=system&since=" + beginning)).body.events] };
}

async function framesOf(s, run) {
    const plain = s.server.socket(), v1 = s.server.socket(["tailrace.v1"]);
    await Promise.all([plain.opened, v1.opened]);
    const frames = { "plain status": await plain.next("status") };
    v1.send({ op: "sub", topic: "jbos" });
    v1.send({ op: "sub", topic: "job:" + run.job, since: run.beginning });
    await v1.next("end");
    for (const frame of v1.seen) frames[frame.type] ??= frame;
    await Promise.all([plain.close(), v1.close()]);
    return frames;
}

async function answerTry(block, s, run, frames) {
    const example = JSON.parse(block.text), [kind, ...words] = block.info.split(" "), where = `${block.file}: ${block.info}`;
    if (kind === "event") {
        const [type, status] = words;
        const real = run.events.find((e) => e.type === type && (!status || e.payload.status === status));
        assert.ok(real, where);
        return shapeCheck(example, type === "job_log" ? run.events.find((e) => e.type === type && e.payload.originator === "worker") : real, where);
    }
    if (kind === "frame") {
        assert.ok(frames[words.join(" ")], where);
        return shapeCheck(example, frames[words.join(" ")], where);
    }
    const [, target, status, body] = /^\S+ (\S+)(?: (\d{3}))?(?: (\{.*\}))?$/.exec(block.info);
    const options = { method: kind, ...(body && { body, headers: { "Content-Type": "application/json" } }) };
    const asked = target.replace("JOB", run.job).replace("STEP", run.step).replace("EPOCH", run.epoch);
    const answer = await s.server.fetch(asked, options);
    assert.equal(answer.status, Number(status ?? 200), where + "\n" + answer.text);
    shapeCheck(example, answer.body, where);
}

/* ---- a document ---- */

for (const file of docs.filter((name) => name !== FIRST_CHANGE && blocksOf(name).some(({ language }) => /console|js|json/.test(language)))) {
    test(`${file}: commands, snippets and answers are as written`, { timeout: 180000 }, async (t) => {
        const s = await stage(t);
        const own = blocksOf(file);
        const answers = own.filter(({ language }) => language === "json");
        const run = answers.length ? await crawl(s) : null;
        const frames = run ? await framesOf(s, run) : null;
        for (const block of answers) await answerTry(block, s, run, frames);
        for (const [n, block] of own.entries()) {
            if (block.language === "console") await consoleTry(block, s);
            if (block.language === "js") await snippetTry(t, block, s, n);
        }
    });
}

test("definitions in the docs are whole and valid", async (t) => {
    const home = await folder(t);
    for (const { file, language, info, text } of blocks)
        if (language === "yaml") assert.ok(isWhole(text) && (info === "" || file === FIRST_CHANGE), `${file}: ${text}`);
    for (const [name, text] of Object.entries(definitions)) {
        await writeFile(path.join(home, name), text);
        assert.match(await bash(`'${BINARY}' validate ${name} 2>&1`, home, ENV), /is valid/);
    }
});

test("the first change compiles, passes its tests and works, in a copy of the tree", { timeout: 900000 }, async (t) => {
    const home = await folder(t);
    const build = path.relative(ROOT, BUILD), san = build.split("/")[1] ?? "";
    const wanted = ["Makefile", "package.json", "package-lock.json", ".npmrc", "src", "tests", "tools", "ui", "examples",
        "definitions", "build/gen", `${build}/src`, `${build}/tests`, `${build}/gen`, `${build}/tailrace`, `${build}/newsroom`];
    await bash(`cp -a --parents ${wanted.filter((name) => existsSync(path.join(ROOT, name))).join(" ")} '${home}'`, ROOT, ENV);
    await symlink(path.join(ROOT, "node_modules"), path.join(home, "node_modules"));
    const env = { ...ENV, SAN: san, CI: "true" };
    for (const block of blocksOf(FIRST_CHANGE)) {
        const { language, info, text } = block;
        if (language === "console") await consoleRun({ ...block, text: text.replaceAll("build/", build + "/") }, home, env);
        else if (info && language !== "diff") await writeFile(path.join(home, info), text);
        else if (language === "diff") {
            await writeFile(path.join(home, "change.diff"), text);
            assert.equal(await bash("git apply change.diff 2>&1", home, env), "");
        }
    }
});

/* ---- tables ---- */

test("links, anchors and files that the docs name exist", () => {
    const anchors = (file) => new Set([...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, head]) => slug(head)));
    for (const file of docs) {
        for (const [, target] of prose(file).matchAll(/\]\(([^)\s]+)\)/g)) {
            if (/^https?:/.test(target)) continue;
            const [name, anchor] = target.split("#");
            const to = name ? path.join(path.dirname(file), name) : file;
            assert.ok(existsSync(path.join(ROOT, to)), `${file}: there is no ${target}`);
            if (anchor) assert.ok(anchors(to).has(anchor), `${file}: ${to} has no heading for #${anchor}`);
        }
        for (const [, name] of prose(file).matchAll(/`((?:src|ui|tests|tools|docs|examples|definitions)\/[\w./-]*)`/g))
            if (name !== "definitions/front-page.yaml") assert.ok(existsSync(path.join(ROOT, name)), `${file}: there is no ${name}`);
    }
});

test("the floors are those that tools/layers checks", () => {
    const real = [...read("tools/layers").matchAll(/^ {2}\[(\w+)\]="([^"]*)"/gm)]
        .map(([, name, may]) => [name, may.split(" ").filter((word) => word !== name).sort().join(" ")]);
    const written = table("docs/architecture.md", "folder", "holds", "may use").filter(([name]) => name.includes("src/"))
        .map(([name, , may]) => [bare(name).split("/")[1], may.split(" ").filter(Boolean).sort().join(" ")]);
    assert.deepEqual(written, real);
});

test("the life of a line names functions that are in those files", () => {
    for (const [file, name] of table("docs/architecture.md", "where", "function"))
        assert.match(read(bare(file)), new RegExp(`\\b${bare(name)}\\b`), `${file} ${name}`);
});

test("the limits are those of the code", () => {
    const source = read("src/base/limits.h").replace(/\/\*.*?\*\//gs, "");
    const real = [...source.matchAll(/(LIMIT_\w+)\s*=\s*([\d\s*]+),/g)]
        .map(([, name, value]) => [name, value.split("*").reduce((a, b) => a * Number(b), 1)]);
    const units = { KiB: 1024, MiB: 1024 * 1024 };
    const written = table("docs/architecture.md", "limit", "value").map(([name, value]) => {
        const [number, unit] = value.split(" ");
        return [bare(name), Number(number) * (units[unit] ?? 1)];
    });
    assert.deepEqual(written.sort(), real.sort());
});

test("the fault points are those of the program", async () => {
    const real = await bash(`TAILRACE_FAULT=list '${BINARY}'`, ROOT, ENV);
    const written = table("docs/architecture.md", "point", "where it is").map((cells) => cells.map((cell, i) => (i ? cell : bare(cell))));
    assert.deepEqual(written, real.trimEnd().split("\n").map((line) => line.split("\t")));
});

test("the routes are those of the server", async (t) => {
    const server = await serve(t);
    const { paths } = (await server.get("/api/openapi.json")).body;
    const real = Object.entries(paths).flatMap(([name, methods]) => Object.entries(methods).map(([method, { parameters }]) =>
        [`${method.toUpperCase()} ${name}`, parameters.filter((p) => p.in === "query").map((p) => p.name).sort().join(" ")]));
    const written = table("docs/api.md", "route", "query").map(([route, query]) => [bare(route), bare(query).split(" ").sort().join(" ")]);
    const isOfPages = ([route]) => !route.includes(" /api/") && !["GET /ws", "GET /metrics"].includes(route);
    assert.deepEqual(written.sort(), real.filter((row) => !isOfPages(row)).sort());
});

test("the settings of each worker are those of the code, with their defaults", async (t) => {
    const server = await serve(t);
    const required = { crawler: { start_urls: ["http://127.0.0.1:1/"] }, shell: { command: "true" }, http: { url: "http://127.0.0.1:1/" }, generator: {} };
    const text = texts["docs/job-definitions.md"];
    for (const [type, config] of Object.entries(required)) {
        const { body } = await server.post("/api/job-definitions/validate", { id: "x", name: "X", steps: [{ name: "x", type, config }] });
        assert.ok(body.valid, body.error);
        const real = Object.entries(body.steps[0].config).map(([name, value]) =>
            [name, name in config ? "required" : typeof value === "string" && value ? value : JSON.stringify(value)]);
        const section = text.slice(text.indexOf(`### ${type}`)).split("\n### ")[0].split("\n## ")[0];
        const written = [...section.slice(section.indexOf("| setting")).matchAll(/^\| `(\w+)` \| [^|]* \| ([^|]*) \|/gm)]
            .map(([, name, value]) => [name, bare(value)]);
        assert.deepEqual(written.slice(0, real.length), real, type);
        assert.ok(written.slice(real.length).every(([name]) => name === name.toUpperCase()), type);
    }
    assert.deepEqual(/expected (.*)$/.exec((await server.post("/api/job-definitions/validate",
        { id: "x", name: "X", steps: [{ name: "x", type: "zzzzzz" }] })).body.error)?.[1]?.match(/\w+/g)
        ?.filter((word) => word in required).sort(), Object.keys(required).sort());
});

test("the keys of definitions are those of the code", () => {
    const keys = (file, last) => [...read(file).matchAll(/keys\[\] = \{([^}]*)\}/g)]
        .map(([, list]) => list.match(/\w+(?=")/g)).find((list) => list.includes(last)).sort();
    const written = (heading) => {
        const section = texts["docs/job-definitions.md"].split(`## ${heading}\n`)[1].split("\n## ")[0];
        return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name).sort();
    };
    assert.deepEqual(written("Fields of a definition"), keys("src/job/definition.c", "steps"));
    assert.deepEqual(written("Fields of a step"), keys("src/job/step.c", "depends"));
});

test("the file at a glance has every key, and who looks for a section finds it", () => {
    const text = texts["docs/job-definitions.md"];
    const glance = definitions["weekly-archive.yaml"];
    for (const heading of ["Fields of a definition", "Fields of a step"]) {
        const section = text.split(`## ${heading}\n`)[1].split("\n## ")[0];
        for (const [, key] of section.matchAll(/^\| `(\w+)` \|/gm)) assert.match(glance, new RegExp(`^ *(- )?${key}:`, "m"));
    }
    for (const [file, head] of [["docs/job-definitions.md", "to"], ["docs/operations.md", "to"]]) {
        const listed = table(file, head, "read").flatMap(([, cell]) => [...cell.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor));
        const headings = [...prose(file).matchAll(/^## (.*)$/gm)].map(([, title]) => slug(title));
        assert.deepEqual(headings.filter((title) => !listed.includes(title)), [], file);
    }
});

test("the commands and the error codes are those of the program", async () => {
    const help = await bash(`'${BINARY}' help`, ROOT, ENV);
    const real = [...help.matchAll(/^ {2}([a-z]+) +\S/gm)].map(([, name]) => name).sort();
    const written = table("docs/operations.md", "command", "what").flatMap(([cell]) => [...cell.matchAll(/`([a-z]+)/g)].map(([, name]) => name));
    assert.deepEqual(written.sort(), real);
    const codes = [...read("src/base/err.h").matchAll(/X\(E_\w+, (\d+), \d+, "(\w+)"\)/g)].map(([, status, code]) => `${status} ${code}`);
    for (const [status, code] of table("docs/api.md", "status", "code").flatMap(([status, cell]) => [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => [status, code])))
        assert.ok(codes.includes(`${status} ${code}`), `${status} ${code}`);
});

test("every test that an invariant or a promise is guarded by exists", () => {
    const files = readdirSync(path.join(ROOT, "tests"), { recursive: true }).map((name) => path.join("tests", name))
        .filter((name) => /\.(c|mjs)$/.test(name) && statSync(path.join(ROOT, name)).isFile() && !name.endsWith("docs.test.mjs"));
    const all = files.map(read).join("\n");
    // Names that are put together: each ${…} stands for any text.
    const patterns = [...all.matchAll(/(?:test|row|story)\(`([^`]+)`/g)].map(([, name]) =>
        new RegExp(`^${name.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")).join(".+")}$`));
    const promises = table("docs/pages.md", "promise", "guarded by").filter(([head]) => !head.startsWith("**"));
    for (const [invariant, guard] of [...table("docs/protocol.md", "invariant", "guarded by"), ...promises]) {
        const names = [...guard.matchAll(/`([^`]+)`|"([^"]+)"/g)];
        assert.ok(names.length > 0, invariant);
        for (const [, c, js] of names)
            assert.ok(all.includes(c ? `TEST(${c})` : `"${js}"`) || patterns.some((pattern) => pattern.test(js)), `${invariant}: there is no ${c ?? js}`);
    }
});

test("the mistakes that are seeded into the model, and who finds them out, are those written down", () => {
    const written = table("docs/protocol.md", "mistake", "found out by the checker of");
    assert.deepEqual(written, MISTAKES.map(({ who, invariant }) => [who, invariant]));
});
