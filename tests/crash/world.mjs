// world.mjs: a data folder, one server after the other on it, and a mixed load that goes on through all
// of them: commands (some fork into sessions of their own), generators, requests, attempts, timeouts,
// silence, cancels, schedules, pools and priorities, jobs of jobs, reruns of what failed, deletes, viewers.
//
//     const world = await World.open(t, { seed });
//     await world.start("engine.retry:2");     // null when it died before it listened
//     await world.play();                      // until the fault has struck, or it took too long
//     await world.server.stop("SIGKILL");
//     await world.settle();                    // a server without a fault; until all jobs are over
//     assert.deepEqual(await world.check(), []);
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";

import { folder, serve } from "../api/server.mjs";
import { dice } from "../faults/soak.mjs";
import { Scope } from "../faults/stage.mjs";
import { alive, everything, examine, processesOf } from "./invariants.mjs";

const ACTIVE = 8; // jobs at once
const SCHEDULES = 40;
const HANG_MS = 60000; // a job that takes longer has been forgotten

const note = "read -r line </proc/self/stat; set -- $line; echo $1 ${22} >>$HOME_OF/pids";
const shell = (name, command, more = {}) => ({ name, type: "shell", ...more, config: { command: `${note}; ${command}`, env: { HOME_OF: "{home}" } } });
const generator = (name, config, more = {}) => ({ name, type: "generator", config, ...more });

// What runs. Most take some tenths of a second; `endless` and `family` until they are cancelled.
const definitions = {
    mixed: { steps: [
        shell("say", "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo say $i of 40; done"),
        shell("flaky", "echo once >>$HOME_OF/$TAILRACE_STEP_ID; test $(wc -l <$HOME_OF/$TAILRACE_STEP_ID) -ge 3", { retry: { attempts: 50, backoff: "10ms", backoff_max: "20ms" } }),
        { name: "ask", type: "http", config: { url: "{url}/flaky/$" }, retry: { attempts: 50, backoff: "10ms", backoff_max: "20ms" } },
        generator("make", { worker_count: 8, log_count: 20, log_delay_ms: 1, concurrency: 3, failure_rate: 0.2 }, { on_error: "continue", retry: { attempts: 2, backoff: "10ms" } }),
        shell("breaks", "echo no >&2; exit 3"),
        shell("never", "echo never", { depends: ["breaks"] }),
        shell("tidy", "i=0; while [ $i -lt 5 ]; do i=$((i+1)); echo say $i of 5; done", { depends: ["never", "make", "say", "ask", "flaky"], always_run: true }),
    ] },
    good: { steps: [
        generator("one", { worker_count: 4, log_count: 10, concurrency: 2 }),
        shell("two", "echo say 1 of 2; sleep 0.05; echo say 2 of 2", { depends: ["one"] }),
        shell("three", "echo say 1 of 1", { depends: ["one"] }),
        shell("four", "echo say 1 of 1", { depends: ["two", "three"] }),
    ] },
    graph: { secrets: { word: { file: "{home}/word" } }, steps: [
        shell("list", 'for i in a b c d e f g h; do set -- "$@" $i; done; { echo "items<<END"; seq 1 12; echo END; echo version=7; } >>$TAILRACE_OUTPUT; echo say 1 of 1'),
        shell("each", 'test "$STEP_LIST_VERSION" = 7 || exit 9; echo say 1 of 2; echo say 2 of 2; test $ITEM != 5 || exit 3', { depends: ["list"], for_each: "{steps.list.items}", parallel: 3, on_error: "continue" }),
        shell("plan-b", "echo say 1 of 1", { when: { each: "failed" } }),
        shell("never", "echo never", { when: { each: "completed" } }),
        shell("end", "echo say 1 of 1", { when: { "plan-b": "completed", never: "skipped" } }),
        shell("chatty", "seq 1 400", { max_lines: 50 }),
        shell("quiet", "echo $SECRET_WORD; echo $SECRET_WORD | base64; printf %s $SECRET_WORD | head -c 9; echo $SECRET_WORD | tail -c 8; exit 0"),
        { name: "plain", type: "shell", config: { command: "/bin/sleep 0.03" } },
    ] },
    child: { parameters: { p: "" }, steps: [shell("s", "echo say 1 of 2; sleep 0.02; echo found=7 >>$TAILRACE_OUTPUT; echo say 2 of 2")] },
    parent: { steps: [
        shell("list", 'printf "items<<END\\na\\nb\\nc\\nEND\\n" >>$TAILRACE_OUTPUT'),
        { name: "each", type: "job", depends: ["list"], for_each: "{steps.list.items}", parallel: 2, config: { definition: "child", parameters: { p: "{item}" } } },
        shell("speaks", 'if [ "$ITEM" ]; then echo say 1 of 1; exit; fi; tailrace spawn x; tailrace spawn y; tailrace output n=2; tailrace log hello; tailrace progress all; true'),
        shell("end", 'test "$STEP_SPEAKS_N$STEP_EACH_FOUND" = 27', { depends: ["speaks", "each"] }),
    ] },
    told: { keep: { jobs: 3 }, webhooks: [{ url: "{url}/told", retry: { attempts: 100, backoff: "20ms", backoff_max: "50ms" } }], steps: [shell("s", "echo say 1 of 1")] },
    late: { timeout: "600ms", steps: [
        shell("task", "echo begun; sleep 1000", { task_timeout: "100ms", retry: { attempts: 2, backoff: "10ms" }, on_error: "continue" }),
        shell("step", "echo begun; sleep 1000", { timeout: "200ms", on_error: "continue" }),
        shell("job", "echo begun; sleep 1000", { depends: ["task", "step"] }),
    ] },
    silent: { steps: [shell("s", "echo begun; sleep 1000", { heartbeat: "300ms" })] },
    endless: { steps: [
        shell("wait", "echo begun; exec sleep 1000"),
        generator("make", { worker_count: 2, log_count: 100000, log_delay_ms: 5, concurrency: 1 }),
        shell("after", "echo never", { depends: ["wait"] }),
    ] },
    redo: { parameters: { fail: "yes" }, steps: [
        shell("long", "echo say 1 of 1; echo word=$(date +%s%N) >>$TAILRACE_OUTPUT"),
        shell("breaks", 'echo word $STEP_LONG_WORD; test "$PARAM_FAIL" = no', { depends: ["long"] }),
    ] },
    chore: { steps: [generator("make", { worker_count: 1, log_count: 1 })] },
    narrow: { pool: "narrow", steps: [shell("s", "echo say 1 of 1; sleep 0.03")] },
    single: { max_running: 1, steps: [shell("s", "echo say 1 of 1; sleep 0.02")] },
    asks: { steps: [{ name: "ask", type: "http", for_each: Array.from({ length: 30 }, (_, i) => `${i}`), parallel: 8, config: { url: "{url}/{item}" }, retry: { attempts: 50, backoff: "10ms", backoff_max: "20ms" } }] },
    family: { steps: [
        shell("leaves", `(setsid env -i HOME_OF=$HOME_OF sh -c '${note}; exec sleep 1000' >/dev/null 2>&1 &); (sh -c 'trap "" TERM HUP; ${note}; sleep 1000; true' &); until [ $(wc -l <$HOME_OF/pids) -ge 3 ]; do sleep 0.01; done; echo say 1 of 1`),
    ] },
    many: { steps: [generator("make", { worker_count: 4500, log_count: 0, concurrency: 64 })] },
    flood: { steps: [generator("make", { worker_count: 4, log_count: 3000 })] },
};
for (let i = 0; i < SCHEDULES; i++) // due at each New Year; World.scheduleBack() lets one of them be late
    definitions[`timed-${i}`] = { schedule: { cron: "0 0 1 1 *", missed: "run-all", overlap: "allow" }, steps: [shell("s", "echo say 1 of 1")] };
const POOLS = { narrow: 2 };
const CROWDS = { narrow: 6, single: 4 }; // so many come at once
const USUAL = ["redo", "narrow", "single", "narrow", "redo", "single", "mixed", "graph", "good", "told", "graph", "parent", "told", "parent", "late", "silent", "endless", "family"];

// How they end, whatever dies; those that are cancelled apart.
export const OUTCOMES = { mixed: "failed: step 'breaks': exit code 3", graph: "completed: ", good: "completed: ", told: "completed: ", parent: "completed: ", child: "completed: ", late: "failed: timeout: the job took longer than 600ms", silent: "failed: step 's': no sign of life for 300ms (heartbeat)", redo: "failed: step 'breaks': exit code 1", narrow: "completed: ", single: "completed: ", asks: "completed: ", family: "completed: ", many: "completed: ", flood: "completed: " };
const SECRET = "open-sesame-4711";

export class World {
    accepted = new Set();
    cancelled = new Set(); // answered
    checked = new Set();
    outcomes = {}; // OUTCOMES, when nothing but kills happens
    counts = { jobs: 0, tasks: 0, attempts: 0, lines: 0 }; // of all that was looked at
    messages = new Map(); // job -> what its webhook said
    strange = [];
    late = 0; // schedules that were set back
    server = null;

    // t: a test, or anything else with after(run)
    static async open(t, { seed = 1 } = {}) {
        const world = new World();
        Object.assign(world, { data: await folder(t), home: await folder(t), random: dice(seed), asked: new Map() });
        await writeFile(path.join(world.home, "pids"), "");
        await writeFile(path.join(world.home, "word"), SECRET, { mode: 0o600 });
        world.site = http.createServer((request, response) => {
            if (request.url === "/told") return world.told(request, response);
            const count = (world.asked.get(request.url) ?? 0) + 1;
            world.asked.set(request.url, count);
            response.writeHead(count % 2 ? 503 : 200, { "Content-Type": "text/plain" }).end("say 1 of 2\nsay 2 of 2\n");
        }).listen(0, "127.0.0.1");
        await once(world.site, "listening");
        t.after(() => (world.site.closeAllConnections(), world.site.close()));
        t.after(() => world.kill());
        const url = `http://127.0.0.1:${world.site.address().port}`;
        world.files = Object.fromEntries(Object.entries(definitions).map(([id, definition]) => {
            const whole = { id, name: id, ...definition };
            return [`${id}.json`, JSON.stringify(whole).replaceAll("{home}", world.home).replaceAll("{url}", url)];
        }));
        return world;
    }

    // A receiver of webhooks that takes every second message.
    told(request, response) {
        let text = "";
        request.on("data", (data) => (text += data)).on("end", () => {
            const { type, data } = JSON.parse(text), id = request.headers["webhook-id"];
            const taken = this.random(2) === 0, known = this.messages.get(data.job_id);
            if (known && (known.id !== id || known.type !== type)) this.strange.push(`webhook: job ${data.job_id} is told as ${type} ${id}, and before as ${known.type} ${known.id}`);
            this.messages.set(data.job_id, { id, type, taken: known?.taken || taken });
            response.writeHead(taken ? 204 : 503).end();
        });
    }

    // Those that have ended were told, and nobody else.
    async toldCheck(jobs) {
        for (const until = Date.now() + HANG_MS; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, 20)))
            if (jobs.every((job) => this.messages.get(job.id)?.taken)) break;
        for (const job of jobs) {
            const message = this.messages.get(job.id);
            if (!message?.taken) this.strange.push(`webhook: job ${job.id} is ${job.status}, and nobody was told`);
            else if (message.type !== `job.${job.status}`) this.strange.push(`webhook: job ${job.id} is ${job.status}, and told as ${message.type}`);
        }
        return this.strange.splice(0);
    }

    // A server on the folder, which the load has not reached yet. fault: NAME:N[:ACTION]
    async start(fault = "", options = {}) {
        this.fault = fault;
        this.scope = new Scope();
        this.struck = false;
        this.server = await serve(this.scope, { data: this.data, definitions: this.files, quiet: true, args: Object.entries(POOLS).flatMap(([name, n]) => ["--pool", `${name}=${n}`]), env: { TAILRACE_FAULT: fault }, ...options })
            .catch((e) => { this.refusal = e.message; return null; });
        const wrong = /.*left out.*/.exec(this.server?.stderr ?? "");
        if (wrong) {
            await this.kill();
            throw new Error(wrong[0]);
        }
        if (!this.server) await this.scope.end();
        else if (/^[^:]+:\d+(:kill)?$/.test(fault)) this.server.asked = "SIGKILL";
        return this.server;
    }

    // Waits for the end of one that somebody else has killed.
    async died() {
        await this.server?.ended;
        return this.kill();
    }

    // Ends the server that there is.
    async kill(signal = "SIGKILL") {
        if (!this.server) return null;
        const { stderr } = this.server, ended = await this.server.stop(signal);
        const died = !this.fault.startsWith("memory") && ["SIGABRT", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"].includes(ended.signal);
        if (died || /Sanitizer|runtime error/.test(stderr)) this.strange.push(`crash: a server with the fault '${this.fault}' ended by ${ended.signal}: ${stderr.slice(-2000)}`);
        await this.scope.end();
        this.server = null;
        return ended;
    }

    // The next schedule was looked at so many years ago: so many jobs of it are due at the next start.
    scheduleBack(years) {
        if (this.late === SCHEDULES || !this.beginning) return; // or no server has listened yet
        execFileSync("sqlite3", [path.join(this.data, "tailrace.db"), ".timeout 5000", `UPDATE schedules SET decided_at = decided_at - ${years * 365.25 * 86400e6} WHERE definition_id = 'timed-${this.late++}'`]);
    }

    /* ---- the load ---- */

    // An answer, or null when there is none, or the server says that it is in trouble.
    async ask(method, target, body) {
        try {
            const answer = await this.server.fetch(target, { method, ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }), signal: AbortSignal.timeout(20000) });
            return answer.status < 500 ? answer : null;
        } catch {
            return null;
        }
    }

    async submit(definition, target = `/api/job-definitions/${definition}/execute`, body = {}) {
        const answer = await this.ask("POST", target, { ...body, priority: this.random(3) });
        if (answer?.status !== 202) return null;
        this.accepted.add(answer.body.job_id);
        return answer.body.job_id;
    }

    async cancel(id) {
        const answer = id && (await this.ask("POST", `/api/jobs/${id}/cancel`, {}));
        if (answer?.status === 200) this.cancelled.add(id);
    }

    // Some that failed run again from there.
    async redo() {
        const failed = (await this.ask("GET", "/api/jobs?definition=redo&status=failed&limit=20"))?.body.jobs ?? [];
        if (failed.length) await this.submit("redo", `/api/jobs/${failed[this.random(failed.length)].id}/rerun`, { from_failed: true, parameters: { fail: "no" } });
    }

    async active() {
        return (await this.ask("GET", "/api/jobs?status=pending,running&limit=1000"))?.body.jobs ?? null;
    }

    look(topic) { // one that reads, and one that does not
        const socket = this.server.socket(["tailrace.v1"]);
        socket.opened.then(() => socket.send({ op: "sub", topic, since: this.beginning }), () => {});
        return socket;
    }

    // One thing somebody does.
    async turn() {
        const active = await this.active();
        if (!active) return;
        const definition = USUAL[this.random(USUAL.length)];
        if (active.length < ACTIVE) await Promise.all(Array.from({ length: CROWDS[definition] ?? 1 }, () => this.submit(definition)));
        const endless = active.filter((job) => job.definition_id === "endless" && job.status === "running");
        if (endless.length && this.random(3) === 0) await this.cancel(endless[0].id);
        if (this.random(12) === 0) await this.redo();
        if (this.random(40) === 0) {
            const ended = (await this.ask("GET", "/api/jobs?status=completed,failed,cancelled&limit=20"))?.body.jobs.filter((job) => job.definition_id !== "child") ?? [];
            const victim = ended[this.random(ended.length || 1)];
            if (victim) await this.ask("DELETE", `/api/jobs/${victim.id}`);
        }
        if (this.random(4) === 0 && active.length) this.look("job:" + active[0].id);
    }

    // Keeps the load up until the fault has struck (a server that is to die is dead then), or for so long.
    async play({ ms = 15000, more } = {}) {
        const until = Date.now() + ms, server = this.server;
        let over = false;
        server.ended.then(() => (over = true));
        this.beginning = (await this.ask("GET", "/api/status"))?.body.cursor.replace(/:.*/, ":0") ?? this.beginning;
        await more?.(this);
        while (!over && !this.strikes() && Date.now() < until) await this.turn();
        if (over || (this.strikes() && /^[^:]+:\d+(:kill)?$/.test(this.fault))) await server.ended;
        return this.strikes();
    }

    strikes() {
        return /fault point/.test(this.server?.stderr ?? "");
    }

    /* ---- the end ---- */

    // Waits until nothing is active; says which jobs do not end.
    async settle() {
        const server = this.server ?? (await this.start());
        const until = Date.now() + HANG_MS;
        for (;;) {
            const active = await this.active();
            if (!active) throw new Error("the server does not say what is active\n" + server.stderr);
            for (const job of active) if (["endless"].includes(job.definition_id) && !this.cancelled.has(job.id)) await this.cancel(job.id);
            if (!active.length) return [];
            const beginning = await server.beginning();
            const over = await Promise.race([
                Promise.all(active.map((job) => server.events(`job:${job.id}?min=none`, beginning).catch(() => {}))),
                new Promise((resolve) => setTimeout(resolve, until - Date.now(), "late").unref()),
            ]);
            if (over === "late") return active.map((job) => `hangs: job ${job.id} (${job.definition_id}) is ${job.status}`);
        }
    }

    // All the invariants, at the end of a server that has settled.
    async check() {
        const found = [...(await this.settle())];
        found.push(...await examine(this.server, { ...this, secret: SECRET, places: { narrow: POOLS.narrow, single: 1 } }));
        found.push(...await this.toldCheck((await everything(this.server, "/api/jobs?definition=told", "jobs")).filter((job) => this.checked.has(job.id))));
        const { code, signal } = await this.kill("SIGTERM");
        if (code !== 0) found.push(`stop: the server ended with ${code ?? signal}`);
        const pids = readFileSync(path.join(this.home, "pids"), "utf8").split("\n").filter(Boolean);
        for (const line of alive(pids)) found.push(`orphan: process ${line}`);
        for (const pid of processesOf(`HOME_OF=${this.home}`)) found.push(`orphan: process ${pid}: ${readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")}`);
        return found;
    }
}
