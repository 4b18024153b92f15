// invariants.mjs: what has to be true of everything a server keeps, whatever died meanwhile. It reads
// all jobs over the API and folds their events:
//
//     lost         a job that was accepted is there, unless it was deleted
//     moves        states move as docs/architecture.md has it; final is final, and comes exactly once
//     twice        a task is completed at most once, its attempts are numbered 1, 2, 3 …
//     cause        what failed, was cancelled or skipped says why; so does what went back to the queue
//     order        nothing of a step comes after its end, nothing of a job after its own
//     rows         rows say what the events say: states, causes, counts of tasks, of lines
//     lines        lines are numbered 1, 2, 3 …, and a step has all of them
//     whole        the lines of an attempt that completed are all there ("say 3 of 40")
//     taken        a step that is taken over ran nothing, and has what it had in the job before
//     places       of a pool, and of a definition, no more run at once than may; the next is always the one
//                  with the highest priority, of those the one that was asked for first
//     schedule     a scheduled time has its job once
//     cancel       a job whose cancel was answered was cancelled
//     outcome      a job ends as it would have without a kill
//     secret       no event has it
//     orphan       no process that a command started is alive
//
//     assert.deepEqual(await examine(server, { accepted, cancelled }), []);
import { readFileSync, readdirSync } from "node:fs";

const MOVES = {
    job: { pending: ["running", "cancelled"], running: ["completed", "failed", "cancelled"] },
    step: { pending: ["running", "cancelled", "skipped"], running: ["completed", "failed", "cancelled"] },
    task: { pending: ["running", "cancelled"], running: ["completed", "failed", "cancelled", "pending"] },
};
const isFinal = (status) => ["completed", "failed", "cancelled", "skipped"].includes(status);
const COUNTS = ["pending", "running", "completed", "failed", "cancelled"];

export async function everything(server, target, list) {
    const found = [];
    for (let offset = 0; ; offset += 500) {
        const { status, body } = await server.get(`${target}${target.includes("?") ? "&" : "?"}limit=500&offset=${offset}`);
        if (status !== 200) throw new Error(`${target}: ${status} ${body?.error}`);
        found.push(...body[list]);
        if (body[list].length < 500) return found;
    }
}

// What the events of one job say.
class Fold {
    found = [];
    states = new Map(); // id -> {kind, status, cause, step, attempt, completions}
    lines = new Map(); // step id, "" for the job -> number
    said = new Map(); // task -> texts of its newest attempt
    over = null;

    constructor(id) {
        this.id = id;
    }

    wrong(invariant, says) {
        this.found.push(`${invariant}: job ${this.id}: ${says}`);
    }

    take({ seq, type, payload }) {
        if (this.over) this.wrong("order", `event ${seq} (${type}) after its end`);
        const step = payload.step_id && this.states.get(payload.step_id);
        if (step && isFinal(step.status) && type !== "job_status_change") this.wrong("order", `event ${seq} (${type}) after the end of step ${payload.step_name}`);
        if (type === "job_status_change") this.move(seq, payload);
        if (type === "job_log") this.line(seq, payload);
        if (type === "step_progress" && step) step.progress = payload;
    }

    line(seq, { step_id, line, job_id, message, originator }) {
        const wanted = (this.lines.get(step_id) ?? 0) + 1;
        if (line !== wanted) this.wrong("lines", `event ${seq} is line ${line} of step '${step_id}', ${wanted} was due`);
        this.lines.set(step_id, line);
        if (originator === "worker") this.said.get(job_id)?.push(message);
    }

    move(seq, { kind, job_id, step_id, status, cause, attempt, steps, ...payload }) {
        const it = this.states.get(job_id);
        for (const { step_id: id, name, status: first } of steps ?? []) this.states.set(id, { kind: "step", name, status: first });
        if (!it) {
            // the first event of a job says "pending", a task's first one its first attempt
            this.states.set(job_id, { kind, status: "pending", step: step_id, attempt: 0, name: payload.key ?? payload.job_name, completions: 0, payload });
            if (kind === "job") this.created = seq;
            if (kind === "job" && status === "pending") return;
            return this.move(seq, { kind, job_id, step_id, status, cause, attempt, ...payload });
        }
        const what = `${kind} '${it.name}' (event ${seq})`;
        const taken = kind === "step" && `${it.status} ${status}` === "pending completed" && /^taken over from job (.+)/.exec(cause);
        if (taken) it.from = taken[1];
        if (kind === "job" && it.status === "pending" && status === "pending") return; // what it waits for is news
        if (!taken && !MOVES[kind][it.status]?.includes(status)) this.wrong("moves", `${what} from ${it.status} to ${status}`);
        if (["failed", "cancelled", "skipped"].includes(status) && !cause) this.wrong("cause", `${what} is ${status} without a cause`);
        if (kind === "task" && status === "pending" && !cause) this.wrong("cause", `${what} went back without a cause`);
        if (kind === "task" && status === "running") {
            if (attempt !== it.attempt + 1) this.wrong("twice", `${what}: attempt ${attempt} after ${it.attempt}`);
            it.attempt = attempt;
            this.said.set(job_id, []);
        }
        if (status === "completed" && kind === "task") {
            if (++it.completions > 1) this.wrong("twice", `${what} is completed for the ${it.completions}. time`);
            this.whole(what, this.said.get(job_id) ?? []);
        }
        if (kind === "step" && isFinal(status)) this.tasksOf(job_id).forEach((t) => isFinal(t.status) || this.wrong("moves", `${what} has ended, its task '${t.name}' is ${t.status}`));
        if (kind === "job" && isFinal(status)) {
            this.over = status;
            this.ended = seq;
            for (const s of this.states.values()) if (s.kind === "step" && !isFinal(s.status)) this.wrong("moves", `it has ended, its step '${s.name}' is ${s.status}`);
        }
        if (kind === "job" && status === "running") this.begun = seq;
        it.status = status;
        it.cause = cause;
    }

    tasksOf(step) {
        return [...this.states.values()].filter((it) => it.kind === "task" && it.step === step);
    }

    // "say 1 of 40", "say 2 of 40" …: all of them, in order.
    whole(what, said) {
        const numbered = said.map((text) => /^say (\d+) of (\d+)$/.exec(text)).filter(Boolean);
        const due = numbered.length ? Number(numbered[0][2]) : 0;
        if (numbered.length !== due || numbered.some(([, n], i) => Number(n) !== i + 1))
            this.wrong("whole", `${what} is completed, and has ${numbered.length} of ${due} lines: ${numbered.map(([, n]) => n)}`);
    }
}

// Compares the rows with the fold.
function rowsCheck(fold, tree, tasks) {
    const same = (what, row, event) => row === event || fold.wrong("rows", `${what} is '${row}', its events say '${event}'`);
    const job = fold.states.get(fold.id);
    same("its state", tree.status, job?.status);
    same("its cause", tree.cause, job?.cause ?? "");
    for (const step of tree.steps) {
        const it = fold.states.get(step.step_id), name = `step '${step.name}'`;
        same(`state of ${name}`, step.status, it?.status);
        same(`cause of ${name}`, step.cause ?? "", it?.cause ?? "");
        same(`lines of ${name}`, step.total_logs, fold.lines.get(step.step_id) ?? 0);
        const own = fold.tasksOf(step.step_id);
        for (const status of COUNTS.slice(1)) // one that never moved has no event
            same(`${status} of ${name}`, step.child_summary[status], own.filter((t) => t.status === status).length);
        const rows = tasks.filter((t) => t.parent_id === step.step_id);
        for (const status of COUNTS) same(`${status} of ${name}, by its tasks`, step.child_summary[status], rows.filter((t) => t.status === status).length);
        if (isFinal(step.status) && step.child_summary.pending + step.child_summary.running) fold.wrong("rows", `${name} has ended, and ${JSON.stringify(step.child_summary)}`);
        if (it?.progress) for (const status of COUNTS) same(`${status} of ${name}, by its last progress`, step.child_summary[status], it.progress[`${status}_jobs`]);
    }
    for (const row of tasks) {
        const it = fold.states.get(row.id);
        if (it) same(`state of task '${it.name}'`, row.status, it.status);
        else if (row.status !== "pending") fold.wrong("rows", `task ${row.id} is ${row.status}, and no event says so`);
    }
}

async function linesCheck(fold, server) {
    const next = new Map();
    for (let after = await server.beginning(); after !== null; ) {
        const { body } = await server.get(`/api/jobs/${fold.id}/logs?order=asc&limit=1000&after=${after}`);
        for (const { step_id, line } of body.logs) {
            const wanted = (next.get(step_id) ?? 0) + 1;
            if (line !== wanted) fold.wrong("lines", `line ${line} of step '${step_id}' where ${wanted} was due`);
            next.set(step_id, line);
        }
        after = body.next;
    }
    for (const [step, count] of fold.lines) if (next.get(step) !== count) fold.wrong("lines", `${next.get(step) ?? 0} lines of step '${step}', its events are ${count}`);
}

async function jobCheck(server, row, secret) {
    const fold = new Fold(row.id);
    for (const event of await server.events(`job:${row.id}`, await server.beginning())) {
        fold.take(event);
        if (secret && JSON.stringify(event).includes(secret)) fold.wrong("secret", `event ${event.seq} has the secret`);
    }
    if (!fold.over) fold.wrong("moves", `it never ended: ${row.status}`);
    const tree = (await server.get(`/api/jobs/${row.id}/tree?lines=1`)).body;
    rowsCheck(fold, tree, await everything(server, `/api/jobs/${row.id}/children`, "children"));
    await linesCheck(fold, server);
    return fold;
}

// Steps that were taken over, and what was said with their outputs.
async function takenCheck(fold, server) {
    const { body: tree } = await server.get(`/api/jobs/${fold.id}/tree`);
    for (const step of tree.steps) {
        const it = fold.states.get(step.step_id);
        if (!it?.from) continue;
        const { status, body: old } = await server.get(`/api/jobs/${it.from}/tree`);
        const before = old?.steps?.find(({ name }) => name === step.name);
        if (fold.tasksOf(step.step_id).length) fold.wrong("taken", `step '${step.name}' is taken over, and has tasks`);
        if (status === 404) continue; // it was deleted since
        if (before?.status !== "completed") fold.wrong("taken", `step '${step.name}' is taken over, and was ${before?.status} in job ${it.from}`);
        if (JSON.stringify(step.outputs) !== JSON.stringify(before?.outputs)) fold.wrong("taken", `step '${step.name}' has ${JSON.stringify(step.outputs)}, and had ${JSON.stringify(before?.outputs)} in job ${it.from}`);
    }
}

// Folds of jobs that share places, of which there are so many; by what the rows say of their priority.
function placesCheck(folds, what, most) {
    const found = [], isAfter = (seq, at) => seq === undefined || seq > at;
    for (const it of folds.filter(({ begun }) => begun)) {
        const running = folds.filter(({ begun, ended }) => begun <= it.begun && isAfter(ended, it.begun));
        if (running.length > most) found.push(`places: job ${it.id} has begun as the ${running.length}. of ${what}, at once may ${most}`);
        const isFirst = (other) => other.priority > it.priority || (other.priority === it.priority && other.created < it.created);
        const passed = folds.find((other) => isFirst(other) && other.created < it.begun && isAfter(other.begun, it.begun) && isAfter(other.ended, it.begun));
        if (passed) found.push(`places: job ${it.id} of ${what} (priority ${it.priority}) has begun, and ${passed.id} (priority ${passed.priority}) was before it`);
    }
    return found;
}

/* ---- processes ---- */

// Processes that have this in their environment.
export function processesOf(marker) {
    return readdirSync("/proc").filter((pid) => {
        if (!/^\d+$/.test(pid)) return false;
        try {
            return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(marker) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
        } catch {
            return false;
        }
    });
}

// Of lines "pid starttime" (proc(5): the first and the 22nd field of stat) those that are alive.
export function alive(lines) {
    return lines.filter((line) => {
        const [pid, start] = line.split(" ");
        try {
            const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
            const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
            return fields[19] === start && !/[ZX]/.test(fields[0]);
        } catch {
            return false;
        }
    });
}

/* ---- all of it ---- */

// Ids of the jobs of which the log says that they were deleted.
async function deletedRead(server) {
    const deleted = new Set();
    for (let cursor = await server.beginning(); ; ) {
        const { body } = await server.get(`/api/events?topic=system&since=${cursor}&wait=0`);
        for (const { payload } of body.events) if (payload.event === "job_deleted") deleted.add(payload.subject);
        if (!body.events.length) return deleted;
        cursor = body.cursor;
    }
}

// What is broken, as sentences. All jobs have to be over. checked: ids that were looked at before;
// outcomes: definition -> "state: cause"; places: pool or definition -> how many at once.
// counts: is added to.
export async function examine(server, { accepted = [], cancelled = new Set(), outcomes = {}, secret, places = {}, checked = new Set(), counts = {} } = {}) {
    const found = [], times = new Map(), children = new Map(), sharing = new Map();
    const before = await deletedRead(server);
    const rows = await everything(server, "/api/jobs?order_by=created_at&order_dir=asc", "jobs");
    const deleted = await deletedRead(server); // what is kept no longer may go at any time
    const ids = new Set(rows.map((row) => row.id));
    for (const id of accepted) if (!ids.has(id) && !deleted.has(id) && (await server.get(`/api/jobs/${id}`)).status === 404) found.push(`lost: job ${id} was accepted and is not there`);
    for (const id of ids) if (before.has(id)) found.push(`lost: job ${id} was deleted and is there`);
    for (const row of rows) {
        if (row.started_by?.startsWith("schedule, due")) {
            const time = `${row.definition_id ?? row.job_definition_id} ${row.started_by}`;
            if (times.has(time)) found.push(`schedule: ${time}: jobs ${times.get(time)} and ${row.id}`);
            times.set(time, row.id);
        }
        if (row.parent_job_id) children.set(row.parent_job_id, [...(children.get(row.parent_job_id) ?? []), row]);
        if (checked.has(row.id)) continue;
        if (!isFinal(row.status)) {
            found.push(`moves: job ${row.id} (${row.definition_id}) is still ${row.status}`);
            continue;
        }
        const fold = await jobCheck(server, row, secret).catch(async (e) => {
            if ((await server.get(`/api/jobs/${row.id}`)).status !== 404) throw e;
            return null; // it was just deleted: kept no longer
        });
        if (!fold) continue;
        await takenCheck(fold, server);
        const share = [row.pool, row.definition_id].find((name) => places[name]);
        if (share) sharing.set(share, [...(sharing.get(share) ?? []), Object.assign(fold, { priority: row.priority })]);
        const isAgain = [...fold.states.values()].some(({ from }) => from);
        const wanted = isAgain ? "completed: " : outcomes[row.definition_id], is = `${row.status}: ${row.cause}`;
        if (wanted && outcomes[row.definition_id] && row.status !== "cancelled" && is !== wanted) fold.wrong("outcome", `job of '${row.definition_id}' is '${is}', not '${wanted}'`);
        if (cancelled.has(row.id) && fold.over !== "cancelled") fold.wrong("cancel", `its cancel was answered, and it is ${fold.over}`);
        found.push(...fold.found);
        checked.add(row.id);
        const tasks = [...fold.states.values()].filter((it) => it.kind === "task");
        counts.jobs++;
        counts.tasks += tasks.length;
        counts.attempts += tasks.reduce((sum, it) => sum + it.attempt, 0);
        counts.lines += [...fold.lines.values()].reduce((sum, n) => sum + n, 0);
    }
    for (const [share, folds] of sharing) found.push(...placesCheck(folds, share, places[share]));
    for (const { id, definition_id, status } of rows) {
        const own = children.get(id) ?? [];
        if (definition_id === "parent" && status === "completed" && (own.length !== 3 || new Set(own.map((child) => child.parent_id)).size !== 3))
            found.push(`twice: job ${id} has three items, and for them the jobs ${own.map((child) => `${child.id} of ${child.parent_id}`)}`);
    }
    return found;
}
