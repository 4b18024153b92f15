// reducer.js: the page's state is a fold over what the server sends, and this is the fold.
//
// Pure: no DOM, no clock, no network. A state is never changed, a fold returns a new one that
// shares all that stayed the same, so a view knows by identity what it has to paint again.
//
//     state = {list, trees, tails, system}
//     list   topic `jobs`: {order: [job_id, newest first], jobs: {job_id: job}, stats, total_count}
//     trees  topic `job:<id>`, one for every job that is open: {job_id: job with lines}
//     tails  of whose steps more lines are kept than TAIL: {job_id: lines}
//     system topic `system`: its newest events, [{ts, event, subject, level, message}]
//
// The two are folds of two topics and never mixed: a viewer of `job:<id>` gets a job's end after
// its last line, and an event of `jobs` that came earlier must not spoil that. The list has no
// lines, and counts of lines as step_progress tells them: whatever is in a state can be had by
// folding events, or a reload would show something else than the page that stayed open.
//
// Who does not show a job's newest lines follows `job:<id>?min=none`: all of the job but lines.

export const TAIL = 100; // newest lines kept per step, as many as a snapshot has
const SYSTEM_EVENTS = 50; // as many as a snapshot has
export const LISTED = 50; // newest jobs listed; of older ones only those that are not final

export const JOBS = "jobs";
export const SYSTEM = "system";
export const jobTopic = (jobId) => "job:" + jobId;
export const countsTopic = (jobId) => jobTopic(jobId) + "?min=none";
const topicJob = (topic) => topic.slice("job:".length).split("?")[0];

const FINAL = new Set(["completed", "failed", "cancelled", "skipped"]);
export const isFinal = (status) => FINAL.has(status);

export const initial = () => ({ list: null, trees: {}, tails: {}, system: [] });

// Messages: {type: "snapshot", topic, state}   the state of a topic, all at once
//           {type: "events", topic, events}    what followed, each event exactly once
//           {type: "tail", topic, lines}       so many of the newest lines are kept from now on
//           {type: "close", topic}             the reader closed the job
export function fold(state, message) {
    const { topic } = message;
    const draft = new Draft(state);
    if (topic === SYSTEM) systemFold(draft.root, message);
    else if (message.type === "snapshot") snapshotFold(draft.root, topic, message.state);
    else if (message.type === "close") closeFold(draft, topic);
    else if (message.type === "events") eventsFold(draft, topic, message.events);
    else if (message.type === "tail") tailFold(draft, topic, message.lines);
    return draft.root;
}

// Copies what is about to change, once per fold.
class Draft {
    constructor(state) {
        this.root = { ...state };
        this.fresh = new Set([this.root]);
    }

    at(holder, key) {
        const old = holder[key];
        if (old === undefined || old === null || this.fresh.has(old)) return old;
        const copy = Array.isArray(old) ? old.slice() : { ...old };
        this.fresh.add(copy);
        holder[key] = copy;
        return copy;
    }

    list() {
        return this.at(this.root, "list");
    }

    tree(jobId) {
        return this.at(this.at(this.root, "trees"), jobId);
    }

    step(job, stepId) {
        const steps = this.at(job, "steps");
        const i = steps.findIndex((step) => step.step_id === stepId);
        return i < 0 ? null : this.at(steps, i);
    }

    // What has lines: a step, or the job itself for lines of no step.
    writer(job, stepId) {
        return stepId ? this.step(job, stepId) : job;
    }
}

/* ---- snapshots ---- */

function snapshotFold(root, topic, state) {
    if (topic !== JOBS) {
        const jobId = topicJob(topic);
        root.trees = { ...root.trees, [jobId]: treeOf(state) };
        return;
    }
    root.list = {
        order: state.jobs.map((job) => job.job_id),
        jobs: Object.fromEntries(state.jobs.map((job) => [job.job_id, jobOf(job)])),
        stats: { ...state.stats },
        total_count: state.total_count,
    };
}

const TASK_COUNTS = ["total", "pending", "running", "completed", "failed", "cancelled"];
const LEVELS = ["debug", "info", "warn", "error"];
const pick = (from, keys) => Object.fromEntries(keys.map((key) => [key, (from && from[key]) || 0]));

const jobOf = (job) => ({
    job_id: job.job_id,
    job_name: job.job_name || "",
    definition_id: job.definition_id || "",
    started_by: job.started_by || "",
    status: job.status,
    created_at: job.created_at || null,
    started_at: job.started_at || null,
    completed_at: job.completed_at || null,
    error: job.error || "",
    cause: job.cause || "",
    priority: job.priority || 0,
    waits_for: job.waits_for || "",
    steps: (job.steps || []).map(stepOf),
});

const stepOf = (step) => ({
    step_id: step.step_id,
    name: step.name,
    type: step.type || "",
    status: step.status || "pending",
    depends: step.depends || [],
    started_at: step.started_at || null,
    completed_at: step.completed_at || null,
    error: step.error || "",
    cause: step.cause || "",
    progress_text: step.progress_text || "",
    documents: step.documents || 0,
    kill_at: step.kill_at || null,
    tasks: pick(step.child_summary, TASK_COUNTS),
    ...countsOf(step),
});

// A tree with lines has counts as they are, one without has them as they were told.
const countsOf = ({ lines = {}, ...step }) => ({
    total_logs: step.total_logs ?? lines.total ?? 0,
    level_counts: pick(step.level_counts || lines, LEVELS),
    first_error: step.first_error ?? lines.first_error ?? 0,
    last_error: step.last_error ?? lines.last_error ?? 0,
});

const linesOf = (from) => ({
    logs: (from.logs || []).map(lineOf),
});

const treeOf = (job) => ({
    ...jobOf(job),
    ...linesOf(job),
    total_logs: job.total_logs || 0,
    steps: (job.steps || []).map((step) => ({ ...stepOf(step), ...linesOf(step), outputs: step.outputs || {} })),
});

const lineOf = (line) => ({
    line: line.line,
    timestamp: line.timestamp,
    level: line.level,
    originator: line.originator || "",
    message: line.message,
});

/* ---- events ---- */

const FOLDS = {
    job_log: lineFold,
    step_output: outputFold,
    step_progress: progressFold,
    job_status_change: statusFold,
    // crawler_job_log is a line's companion for machines: nothing of it is painted here.
};

function eventsFold(draft, topic, events) {
    for (const event of events) {
        const apply = FOLDS[event.type];
        if (apply) apply(draft, topic, event.payload, event);
    }
}

function jobAt(draft, topic, payload) {
    if (topic !== JOBS) return draft.tree(topicJob(topic));
    const list = draft.list();
    return list && draft.at(draft.at(list, "jobs"), payload.manager_id);
}

function lineFold(draft, topic, payload) {
    const job = jobAt(draft, topic, payload);
    const writer = job && draft.writer(job, payload.step_id);
    if (!writer || payload.line <= writer.total_logs) return;
    writer.total_logs = payload.line;
    if (payload.step_id) levelCount(draft, writer, payload);
    const logs = draft.at(writer, "logs");
    const most = draft.root.tails[job.job_id] || TAIL;
    logs.push(lineOf(payload));
    if (logs.length > most) logs.splice(0, logs.length - most);
}

function levelCount(draft, step, { level, line }) {
    draft.at(step, "level_counts")[level] += 1;
    if (level !== "error") return;
    step.first_error ||= line;
    step.last_error = line;
}

function outputFold(draft, topic, { manager_id, step_id, name, value }) {
    const job = jobAt(draft, topic, { manager_id });
    const step = job && draft.step(job, step_id);
    if (step?.outputs) draft.at(step, "outputs")[name] = value;
}

function progressFold(draft, topic, payload) {
    const job = jobAt(draft, topic, payload);
    const step = job && draft.step(job, payload.step_id);
    if (!step) return;
    step.tasks = Object.fromEntries(TASK_COUNTS.map((key) => [key, payload[key + "_jobs"] || 0]));
    step.progress_text = payload.progress_text || "";
    step.documents = payload.documents || 0;
    step.kill_at = payload.kill_at || null;
    const { lines } = payload;
    if (lines && lines.total > step.total_logs) Object.assign(step, countsOf({ lines }));
}

function statusFold(draft, topic, payload, event) {
    if (payload.kind === "task") return; // counted in step_progress
    const time = payload.timestamp || event.ts;
    if (payload.kind === "job" && payload.steps) jobBegin(draft, topic, payload, time);
    const job = jobAt(draft, topic, payload);
    const moved = job && (payload.kind === "step" ? draft.step(job, payload.step_id) : job);
    if (!moved) return;
    if (topic === JOBS && payload.kind === "job") statsMove(draft, moved.status, payload.status);
    moved.status = payload.status;
    if (payload.kind === "job") moved.waits_for = payload.waits_for || "";
    if (payload.status === "running") moved.started_at = time;
    if (isFinal(payload.status)) {
        moved.completed_at = time;
        moved.error = payload.error || "";
        moved.cause = payload.cause || "";
        if (topic === JOBS && payload.kind === "job") listTrim(draft);
    }
}

// A job's first event has its steps, so that nobody has to fetch them.
function jobBegin(draft, topic, payload, time) {
    const begin = {
        ...payload,
        job_id: payload.manager_id,
        created_at: time,
        error: "",
        cause: "",
    };
    if (topic !== JOBS) {
        draft.at(draft.root, "trees")[topicJob(topic)] = treeOf({ ...begin, logs: [] });
        return;
    }
    const list = draft.list();
    if (!list || list.jobs[begin.job_id]) return;
    draft.at(list, "jobs")[begin.job_id] = jobOf(begin);
    draft.at(list, "order").unshift(begin.job_id);
    list.total_count += 1;
    const stats = draft.at(list, "stats");
    stats.total_jobs += 1;
    stats[payload.status + "_jobs"] += 1;
    listTrim(draft);
}

function statsMove(draft, from, to) {
    if (from === to) return;
    const stats = draft.at(draft.list(), "stats");
    stats[from + "_jobs"] -= 1;
    stats[to + "_jobs"] += 1;
}

// The list is what a snapshot would have: the newest, and all that are not final.
function listTrim(draft) {
    const list = draft.list();
    if (list.order.length <= LISTED) return;
    const leaves = list.order.filter((id, i) => i >= LISTED && isFinal(list.jobs[id].status));
    if (!leaves.length) return;
    const jobs = draft.at(list, "jobs");
    for (const id of leaves) delete jobs[id];
    list.order = list.order.filter((id) => jobs[id]);
}

function systemFold(root, { type, state, events }) {
    const before = type === "events" ? root.system : [];
    const told = (events || state?.events || []).map(({ ts, payload }) => ({ ts, ...payload }));
    root.system = [...before, ...told].slice(-SYSTEM_EVENTS);
}

/* ---- the reader ---- */

function tailFold(draft, topic, lines) {
    draft.at(draft.root, "tails")[topicJob(topic)] = lines;
}

function closeFold(draft, topic) {
    for (const part of ["trees", "tails"]) delete draft.at(draft.root, part)[topicJob(topic)];
}

// Does a tree hold as many lines as the server says there are? `lines`: {step or job id: total}.
export function isComplete(state, topic, lines) {
    const tree = state.trees[topicJob(topic)];
    if (!tree || topic.includes("?")) return true; // of some lines only
    const fits = (id, writer) => lines[id] === undefined || lines[id] === writer.total_logs;
    return fits(tree.job_id, tree) && tree.steps.every((step) => fits(step.step_id, step));
}

// The newest state of a job that the page has: of its own topic when it is open.
export const jobState = (state, jobId) =>
    state.trees[jobId] || (state.list && state.list.jobs[jobId]) || null;
