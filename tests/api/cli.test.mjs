// The command line as a person or a script meets it: every wrong input is one sentence and a status,
// every line of a job comes once and in order, also across a restart of the server.
// TAILRACE names another binary, for instance a sanitizer build.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { listener } from "./server.mjs";

const repo = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const binary = process.env.TAILRACE_BIN ?? path.join(repo, "build/tailrace");
const nobody = "http://127.0.0.1:1"; // no server: port 1 needs a root service nobody has

const definitions = {
  lines: `
id: lines
name: Lines
steps:
  - name: make
    type: generator
    config: { worker_count: 3, log_count: 200, concurrency: 3 }
  - name: say
    type: shell
    depends: [make]
    config: { command: "echo to stdout; echo to stderr >&2" }
`,
  slow: `
id: slow
name: Slow lines
steps:
  - name: make
    type: generator
    config: { worker_count: 2, log_count: 300, log_delay_ms: 5, concurrency: 2 }
`,
  held: `
id: held
name: Held
parameters: { go: }
steps:
  - name: make
    type: shell
    config: { command: 'i=0; until [ -e "$PARAM_GO" ]; do echo "line $((i += 1))"; sleep 0.005; done; echo over' }
`,
  wrong: `
id: wrong
name: Goes wrong
steps:
  - name: fail
    type: shell
    config: { command: "echo before; exit 3" }
`,
  endless: `
id: endless
name: Endless
steps:
  - name: wait
    type: shell
    config: { command: "echo ready; exec sleep 1000" }
`,
  greet: `
id: greet
name: Greeting
parameters:
  whom: { default: world, description: who is greeted }
steps:
  - name: greet
    type: shell
    config: { command: 'printf "hello %s\\n" "$PARAM_WHOM"' }
`,
  odd: `
id: odd
name: Odd bytes
steps:
  - name: odd
    type: shell
    config: { command: 'printf "\\033]0;x\\007 a\\rb \\033[31mred\\033[0m\\n"' }
`,
};

async function folder(t) {
  const name = await fs.mkdtemp(path.join(os.tmpdir(), "tailrace-cli-"));
  t.after(() => fs.rm(name, { recursive: true, force: true }));
  return name;
}

/** Starts a client command; `lines` are those of its stdout so far. */
function start(args, { url = nobody, env = {}, program = binary } = {}) {
  const child = spawn(program, args, {
    cwd: repo,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env.PATH, TZ: "UTC", TAILRACE_URL: url, ...env },
  });
  const command = { child, lines: [], stdout: "", stderr: "", waiters: [] };
  const check = () => {
    command.waiters = command.waiters.filter(({ wanted, resolve }) => !(wanted() && (resolve(), true)));
  };
  child.stdout.on("data", (data) => {
    command.stdout += data;
    command.lines = command.stdout.split("\n").slice(0, -1);
    check();
  });
  child.stderr.on("data", (data) => {
    command.stderr += data;
    check();
  });
  command.ended = once(child, "close").then(([code, signal]) => ({ ...command, code, signal }));
  /** Resolves as soon as `wanted` is true; fails when the command ends before. */
  command.until = (wanted) =>
    Promise.race([
      new Promise((resolve) => {
        command.waiters.push({ wanted, resolve });
        check();
      }),
      command.ended.then(({ code, stderr }) => {
        if (!wanted()) assert.fail(`ended with ${code} before that: ${stderr}`);
      }),
    ]);
  return command;
}

const run = (args, options) => start(args, options).ended;

/** Starts a server; `restart()` kills it without a word and starts it again on the same port. */
async function serve(t) {
  const data = await folder(t);
  const folderOfDefinitions = await folder(t);
  for (const [name, text] of Object.entries(definitions))
    await fs.writeFile(path.join(folderOfDefinitions, `${name}.yaml`), text);
  const server = { url: "" };
  const begin = async (listen) => {
    const args = ["serve", "--listen", listen, "--data", data, "--definitions", folderOfDefinitions];
    server.child = spawn(binary, args, { cwd: repo, stdio: ["ignore", "pipe", "pipe"] });
    let complaints = "";
    server.child.stderr.on("data", (text) => (complaints += text));
    server.exited = once(server.child, "exit");
    const lines = readline.createInterface({ input: server.child.stdout });
    const [line] = await Promise.race([
      once(lines, "line"),
      server.exited.then(([code]) => assert.fail(`serve ended with ${code}: ${complaints}`)),
    ]);
    server.url = /^listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1] ?? assert.fail(line);
  };
  t.after(async () => {
    server.child.kill("SIGKILL");
    await server.exited;
  });
  server.kill = async (signal = "SIGKILL") => {
    server.child.kill(signal);
    await server.exited;
  };
  server.restart = () => begin(new URL(server.url).host);
  await begin("127.0.0.1:0");
  return server;
}

/** Lines as [step, number, level, message]. */
const parse = (lines) =>
  lines.map((line) => {
    const match = /^(\S+) (\d+) (debug|info|warn|error) (.*)$/.exec(line);
    assert.ok(match, `no line of a log: ${line}`);
    return [match[1], Number(match[2]), match[3], match[4]];
  });

/** The lines of each step are numbered 1, 2, 3 ... as they come. */
function assertNumbered(lines) {
  const next = {};
  for (const [step, number] of parse(lines)) {
    next[step] = (next[step] ?? 0) + 1;
    assert.equal(number, next[step], `line ${number} of ${step}`);
  }
  return next;
}

function assertOneSentence({ code, stdout, stderr }, status, pattern) {
  assert.equal(stdout, "");
  assert.match(stderr, pattern);
  assert.match(stderr, /^tailrace: [^\n]+\n$/);
  assert.equal(code, status);
}

// ---- without a server ----

test("help names every command, and each command explains itself", async () => {
  const overview = await run(["help"]);
  const commands = [...overview.stdout.matchAll(/^  (\w+) {2,}/gm)].map((match) => match[1]);
  for (const name of ["serve", "run", "rerun", "logs", "jobs", "show", "cancel", "definitions", "validate"])
    assert.ok(commands.includes(name), name);
  assert.equal((await run([])).stdout, overview.stdout);
  assert.equal((await run(["--help"])).stdout, overview.stdout);
  for (const name of commands) {
    const help = await run(["help", name]);
    assert.equal(help.code, 0);
    assert.match(help.stdout, new RegExp(`^usage: tailrace ${name}`, "m"));
    assert.equal((await run([name, "--help"])).stdout, help.stdout);
    assert.match(help.stdout, /^  -h, --help +print this$/m);
    assert.match(help.stdout, new RegExp(`^examples:\n(  tailrace ${name}( .*)?\n)+$`, "m"));
  }
  assertOneSentence(await run(["help", "shedule"]), 2, /there is no command 'shedule'; did you mean 'schedule'\?/);
});

test("the options of a command stand in a column, and its examples are command lines that it takes", async (t) => {
  const dir = await folder(t);
  await fs.mkdir(path.join(dir, "definitions"));
  await fs.writeFile(path.join(dir, "definitions/lines.yaml"), definitions.lines);
  const overview = (await run(["help"])).stdout;
  for (const [, name] of overview.matchAll(/^  (\w+) {2,}/gm)) {
    const help = (await run(["help", name])).stdout;
    const columns = [...help.matchAll(/^ {2}(?:-\w,|   ) --.*? {2,}(?=\S)/gm)].map(([left]) => left.length);
    assert.ok(columns.length > 0 && columns.every((column) => column === columns[0]), help);
    for (const [, line] of help.matchAll(/^  tailrace (.*)$/gm)) {
      const known = [...help.matchAll(/(?<= )--?[\w-]+/g)].map(([option]) => option);
      for (const [option] of line.matchAll(/(?<= )--?[a-z][\w-]*/g)) assert.ok(known.includes(option), line);
      if (name === "serve") continue; // would go on
      const script = spawn("sh", ["-c", `"${binary}" ${line}`], { cwd: dir, env: { ...process.env, TAILRACE_URL: "http://127.0.0.1:1" } });
      assert.notEqual((await once(script, "close"))[0], 2, line);
    }
  }
});

test("version is one line", async () => {
  const { code, stdout } = await run(["version"]);
  assert.match(stdout, /^tailrace \d+\.\d+\.\d+\n$/);
  assert.equal(code, 0);
});

test("a wrong command line is one sentence and status 2", async () => {
  const wrong = [
    [["runn"], /there is no command 'runn'; did you mean 'run'\?/],
    [["run"], /an argument is missing; usage: tailrace run DEFINITION/],
    [["run", "x", "--folow"], /there is no option --folow; did you mean --follow\?/],
    [["run", "x", "-p", "novalue"], /'novalue' is no parameter, expected NAME=VALUE/],
    [["rerun"], /an argument is missing; usage: tailrace rerun JOB/],
    [["jobs", "extra"], /'extra' is one argument too many/],
    [["jobs", "--limit", "0"], /--limit is '0', expected a number from 1 to 1000/],
    [["jobs", "--status", "blue"], /--status is 'blue', expected pending, running/],
    [["logs", "latest", "--level", "loud"], /--level is 'loud', expected debug, info, warn/],
    [["logs", "latest", "--since"], /--since needs a value/],
    [["show", "abc"], /'abc' is no job: expected an id, at least 8 characters/],
    [["show", "latest", "--server", "ftp://x"], /'ftp:\/\/x' is no address of a server/],
  ];
  for (const [args, pattern] of wrong) assertOneSentence(await run(args), 2, pattern);
});

test("a server that is not there is one sentence and status 8, for every command", async () => {
  const commands = [["run", "x"], ["run", "x", "--follow"], ["logs", "latest"], ["jobs"],
    ["logs", "latest", "--follow"], ["show", "latest"], ["cancel", "latest"], ["rerun", "latest"], ["definitions"]];
  for (const args of commands)
    assertOneSentence(await run(args), 8, /no server answers at http:\/\/127\.0\.0\.1:1; is `tailrace serve` running\?/);
});

test("validate says what is right, and names the place of what is wrong", async (t) => {
  const dir = await folder(t);
  const good = path.join(dir, "good.yaml");
  const bad = path.join(dir, "bad.yaml");
  await fs.writeFile(good, definitions.lines);
  await fs.writeFile(bad, definitions.lines.replace("log_count", "log_cuont"));
  const one = await run(["validate", good]);
  assert.equal(one.stdout, `${good}: definition 'lines' is valid: 2 steps\n`);
  assert.equal(one.code, 0);
  const two = await run(["validate", path.join(dir, "none.yaml"), good, bad]);
  assert.equal(two.stdout, one.stdout);
  assert.match(two.stderr, /^tailrace: there is no file \S+none\.yaml\ntailrace: \S+bad\.yaml:7:\d+: .*log_cuont.*log_count.*\n$/);
  assert.equal(two.code, 2);
  assertOneSentence(await run(["validate", path.join(dir, "none.yaml")]), 4, /there is no file/);
});

test("an answer that is not tailrace's is told apart from no answer", async (t) => {
  const { url } = await listener(t, (request, response) => response.end("<h1>It works!</h1>"));
  assertOneSentence(await run(["jobs"], { url }), 8, /answers with HTTP 200, and not as a tailrace server/);
});

// ---- with a server ----

test("run --follow prints every line once and in order, and ends with the outcome", async (t) => {
  const { url } = await serve(t);
  const followed = await run(["run", "lines", "--follow"], { url });
  assert.equal(followed.code, 0, followed.stderr);
  assert.match(followed.stderr, /tailrace: Lines completed after /);
  const numbers = assertNumbered(followed.lines);
  assert.ok(numbers.make >= 600 && numbers.say >= 2, JSON.stringify(numbers));
  for (const worker of [1, 2, 3]) {
    const own = followed.lines.filter((line) => line.includes(` worker-${worker} line `));
    assert.deepEqual(own.map((line) => Number(/line (\d+)\/200:/.exec(line)[1])),
      Array.from({ length: 200 }, (_, i) => i + 1));
  }
  assert.ok(followed.lines.some((line) => /^say \d+ info to stdout$/.test(line)));
  assert.ok(followed.lines.some((line) => /^say \d+ warn to stderr$/.test(line)));
  const later = await run(["logs", "latest"], { url });
  assert.equal(later.stdout, followed.stdout);
  assert.equal(later.code, 0);
  const again = await run(["logs", "latest", "--follow"], { url });
  assert.equal(again.stdout, followed.stdout);
  assert.equal(again.code, 0);
});

test("the exit status of run --follow is the job's: 1 failed, 3 cancelled", async (t) => {
  const { url } = await serve(t);
  const failed = await run(["run", "wrong", "-f"], { url });
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /Goes wrong failed after .*exit code 3/);

  const endless = start(["run", "endless", "--follow"], { url });
  await endless.until(() => endless.stdout.includes("ready"));
  const cancel = await run(["cancel", "latest"], { url });
  assert.equal(cancel.code, 0, cancel.stderr);
  const cancelled = await endless.ended;
  assert.equal(cancelled.code, 3, cancelled.stderr);
  assert.match(cancelled.stdout, /cancelled after .*: cancelled by command line/);
  assertOneSentence(await run(["cancel", "latest"], { url }), 5, /has ended already/);
});

test("rerun runs a job as it was, but for the parameters that are given", async (t) => {
  const { url } = await serve(t);
  const first = (await run(["run", "greet", "-p", "whom=moon"], { url })).stdout.trim();
  const again = await run(["rerun", first, "--follow"], { url });
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stdout, /moon/);
  const other = await run(["rerun", "latest", "-p", "whom=sun", "--follow"], { url });
  assert.match(other.stdout, /sun/);
  assert.equal((await run(["rerun", "latest", "--json"], { url })).stdout.match(/"job_id"/g).length, 1);
  assertOneSentence(await run(["rerun", first, "-p", "wohm=sun"], { url }), 2, /wohm/);
  assertOneSentence(await run(["rerun", "0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62"], { url }), 4, /no job/);
});

test("Ctrl-C leaves the job running and says so", async (t) => {
  const { url } = await serve(t);
  const follower = start(["run", "endless", "--follow"], { url });
  await follower.until(() => follower.stdout.includes("ready"));
  follower.child.kill("SIGINT");
  const { code, stderr } = await follower.ended;
  assert.equal(code, 130);
  assert.match(stderr, /the job goes on without this; `tailrace logs [0-9a-f-]{36} --follow`/);
  const { stdout } = await run(["show", "latest", "--json"], { url });
  assert.equal(JSON.parse(stdout).status, "running");
  await run(["cancel", "latest"], { url });
});

for (const [signal, does] of [["SIGKILL", "is killed"], ["SIGTERM", "stops in good order"]])
  test(`logs --follow survives a server that ${does} and comes back: each line once`, async (t) => {
    const server = await serve(t);
    const go = path.join(await folder(t), "go"); // it ends when this is there
    const id = (await run(["run", "held", "-p", `go=${go}`], server)).stdout.trim();
    const follower = start(["logs", id, "--follow"], server);
    await follower.until(() => follower.lines.length > 50);
    await server.kill(signal);
    await follower.until(() => follower.stderr.includes("trying again"));
    await server.restart();
    await fs.writeFile(go, "");
    const followed = await follower.ended;
    assert.equal(followed.code, 0, followed.stderr);
    assert.match(followed.stderr, /trying again.*\n.*the server answers again\n/);
    assertNumbered(followed.lines);
    const stored = await run(["logs", id], server);
    assert.equal(followed.stdout, stored.stdout);
  });

test("a job can be run without waiting, with parameters, and wrong ones are named", async (t) => {
  const { url } = await serve(t);
  const started = await run(["run", "greet", "-p", "whom=you & me"], { url });
  assert.match(started.stdout, /^[0-9a-f-]{36}\n$/);
  const followed = await run(["logs", started.stdout.trim(), "--follow"], { url });
  assert.match(followed.stdout, /^greet \d+ info hello you & me$/m);
  assertOneSentence(await run(["run", "greet", "-p", "who=me"], { url }), 2, /who/);
  assertOneSentence(await run(["run", "greeet"], { url }), 4, /greeet/);
});

test("logs can be narrowed to a step, a level, and what came after a cursor", async (t) => {
  const { url } = await serve(t);
  const all = parse((await run(["run", "lines", "-f"], { url })).lines);
  const text = (wanted) =>
    all.filter(wanted).map((line) => line.join(" ") + "\n").join("");
  const say = await run(["logs", "latest", "--step", "say"], { url });
  assert.equal(say.stdout, text(([step]) => step === "say"));
  const warn = await run(["logs", "latest", "--level", "warn"], { url });
  assert.equal(warn.stdout, text(([, , level]) => level === "warn" || level === "error"));
  assert.ok(warn.lines.length > 0);
  assertOneSentence(await run(["logs", "latest", "--step", "sing"], { url }), 4,
    /the job has no step 'sing'; it has make, say/);

  const events = (await run(["logs", "latest", "--json"], { url })).lines.map((l) => JSON.parse(l));
  assert.equal(events.filter(({ type }) => type === "job_log").length, all.length);
  const types = new Set(events.map(({ type }) => type));
  assert.ok(types.has("step_progress") && types.has("job_status_change"));
  const shown = JSON.parse((await run(["show", "latest", "--json"], { url })).stdout);
  const epoch = shown.cursor.replace(/:\d+$/, "");
  const middle = events[Math.floor(events.length / 2)].seq;
  const rest = await run(["logs", "latest", "--since", `${epoch}:${middle}`, "--json"], { url });
  assert.deepEqual(rest.lines.map((l) => JSON.parse(l)), events.filter(({ seq }) => seq > middle));
  assertOneSentence(await run(["logs", "latest", "--since", "elsewhere:5"], { url }), 5, /./);
  assertOneSentence(await run(["logs", "latest", "--since", "5"], { url }), 2, /'5' is no cursor/);
});

test("jobs, show and definitions list what there is", async (t) => {
  const { url } = await serve(t);
  assertOneSentence(await run(["show", "latest"], { url }), 4, /there is no job yet/);
  const id = (await run(["run", "lines"], { url })).stdout.trim();
  await run(["logs", id, "--follow"], { url });

  const listed = await run(["definitions"], { url });
  for (const name of Object.keys(definitions)) assert.match(listed.stdout, new RegExp(`^${name} `, "m"));
  const jobs = await run(["jobs", "--status", "completed"], { url });
  assert.match(jobs.stdout, new RegExp(`^${id}  completed  \\d{4}-\\d\\d-\\d\\d .*  Lines$`, "m"));
  assert.equal((await run(["jobs", "--status", "failed", "--json"], { url })).stdout, "");
  const rows = (await run(["jobs", "--json"], { url })).lines.map((line) => JSON.parse(line));
  assert.deepEqual(rows.map((row) => row.id), [id]);

  const show = await run(["show", id.slice(0, 20)], { url });
  assert.match(show.stdout, /^Lines {2}completed$/m);
  assert.match(show.stdout, /^make +generator +completed +3\/3 +0 +\d+ /m);
  assertOneSentence(await run(["show", "ffffffff"], { url }), 4, /no job whose id begins with 'ffffffff'/);
  assertOneSentence(await run(["show", "018f0000-0000-7000-8000-000000000000"], { url }), 4, /no job/);
});

test("a reader that goes away ends logs without a complaint", async (t) => {
  const { url } = await serve(t);
  await run(["run", "lines", "--follow"], { url });
  const piped = await run(["-c", `"${binary}" logs latest | head -n 1`], { url, program: "/bin/sh" });
  assert.equal(piped.lines.length, 1);
  assert.equal(piped.stderr, "");
});

/** Runs the command on a terminal of its own, 100 columns wide. */
const onTerminal = (args, options) =>
  run(["-qefc", `stty cols 100; exec "${binary}" ${args}`, "/dev/null"],
    { ...options, program: "script", env: { TERM: "xterm-256color", LANG: "C.UTF-8", ...options.env } });

test("a terminal sees colours and a progress line, and no control characters of others", async (t) => {
  const { url } = await serve(t);
  const lines = await onTerminal("run slow --follow", { url });
  assert.equal(lines.code, 0, lines.stdout);
  assert.ok(lines.stdout.includes("\x1b[33mwarn  "));
  assert.ok(/step 1\/1.*make.*\[█* *\] \d\/2  \d running/.test(lines.stdout));
  assert.ok(lines.stdout.includes("\r\x1b[K"));
  const odd = await onTerminal("run odd --follow", { url });
  assert.ok(odd.stdout.includes("\\x1b]0;x\\x07 a\\x0db \x1b[31mred\x1b[0m"), odd.stdout);
  const plain = await onTerminal("run odd --follow", { url, env: { NO_COLOR: "1" } });
  assert.ok(plain.stdout.includes("\\x1b]0;x\\x07 a\\x0db red"), plain.stdout);
  assert.ok(!plain.stdout.includes("\x1b[31m"));
});
