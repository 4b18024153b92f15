// history.mjs: made-up but lawful histories of events, and what a snapshot of them is.
//
// The snapshot is a query over the whole history up to a seq ("the last status of this step"),
// never a fold: so a test can hold the page's fold against it.

const LEVELS = ["debug", "info", "warn", "error"];
const FINAL = ["completed", "failed", "cancelled", "skipped"];
const COUNTS = ["total", "pending", "running", "completed", "failed", "cancelled"];
const TAIL = 100;
const LISTED = 50;

// A small generator of numbers that are the same for the same seed.
export function random(seed) {
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = Math.imul(a ^ (a >>> 15), a | 1);
        t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

export class History {
    constructor(begin = Date.UTC(2026, 0, 1)) {
        this.events = [];
        this.lines = new Map(); // job or step id → number of lines
        this.clock = begin;
    }

    add(type, job, step, members, originator = "") {
        const seq = this.events.length + 1;
        const ts = new Date(this.clock).toISOString().replace("Z", "000Z");
        this.clock += 7;
        const payload = {
            job_id: step ? step.step_id : job.job_id,
            parent_job_id: step ? job.job_id : "",
            manager_id: job.job_id,
            step_id: step ? step.step_id : "",
            step_name: step ? step.name : "",
            source_type: step ? step.type : "job",
            originator,
            timestamp: ts,
            ...members,
        };
        const event = { seq, type, ts, payload };
        this.events.push(event);
        return event;
    }

    line(job, step, level, message, originator = step ? "worker" : "") {
        const key = step ? step.step_id : job.job_id;
        const line = (this.lines.get(key) || 0) + 1;
        this.lines.set(key, line);
        return this.add("job_log", job, step, { level, message, line }, originator);
    }

    jobStatus(job, status, more = {}) {
        const first = status === "pending" && {
            steps: job.steps.map((s) => ({
                step_id: s.step_id,
                name: s.name,
                type: s.type,
                depends: s.depends,
                status: "pending",
            })),
        };
        return this.add("job_status_change", job, null, {
            kind: "job",
            status,
            cause: "",
            job_name: job.name,
            definition_id: job.definition_id,
            ...first,
            ...more,
        });
    }

    stepStatus(job, step, status, more = {}) {
        return this.add("job_status_change", job, step, {
            kind: "step",
            status,
            cause: "",
            type: step.type,
            ...more,
        });
    }

    taskStatus(job, step, number, status) {
        return this.add("job_status_change", job, step, {
            kind: "task",
            status,
            cause: "",
            attempt: 1,
            key: "task " + number,
            number,
            job_id: step.step_id + "-" + number,
        });
    }

    progress(job, step, tasks, text, documents, kill_at = null) {
        const counts = Object.fromEntries(COUNTS.map((key) => [key + "_jobs", tasks[key] || 0]));
        return this.add("step_progress", job, step, {
            status: "running",
            ...counts,
            progress_text: text,
            documents,
            kill_at,
            lines: told(lines(this.events, job.job_id, step.step_id, false)),
        });
    }

    companion(job, step, url) {
        return this.add(
            "crawler_job_log",
            job,
            step,
            {
                level: "info",
                message: "fetched " + url,
                url,
                depth: 1,
                http_status: 200,
                bytes: 1000,
                duration_ms: 5,
                queued: 1,
                done: 1,
                failed: 0,
            },
            "worker",
        );
    }
}

/* ---- queries ---- */

export function topicEvents(events, topic) {
    if (topic !== "jobs") return events.filter((e) => "job:" + e.payload.manager_id === topic);
    return events.filter(
        (e) =>
            e.type === "step_progress" ||
            (e.type === "job_status_change" && e.payload.kind !== "task"),
    );
}

function moves(events, kind, id) {
    return events.filter(
        (e) =>
            e.type === "job_status_change" &&
            e.payload.kind === kind &&
            (kind === "job" ? e.payload.manager_id : e.payload.step_id) === id,
    );
}

function outcome(found) {
    const timeOf = (statuses) =>
        found.find((e) => statuses.includes(e.payload.status))?.payload.timestamp ?? null;
    const last = found.at(-1);
    const ended = last && FINAL.includes(last.payload.status);
    return {
        status: last ? last.payload.status : "pending",
        started_at: timeOf(["running"]),
        completed_at: timeOf(FINAL),
        duration_ms: 0,
        error: ended ? last.payload.error || "" : "",
        cause: ended ? last.payload.cause : "",
    };
}

function lines(events, jobId, stepId, withLines) {
    const all = events.filter(
        (e) =>
            e.type === "job_log" && e.payload.manager_id === jobId && e.payload.step_id === stepId,
    );
    const shape = ({ seq, payload: p }) => ({
        line: p.line,
        seq,
        timestamp: p.timestamp,
        level: p.level,
        message: p.message,
        job_id: p.job_id,
        step_id: p.step_id,
        step_name: p.step_name,
        originator: p.originator,
        source_type: p.source_type,
    });
    const logs = withLines ? all.slice(-TAIL).map(shape) : [];
    const errors = all.filter((e) => e.payload.level === "error");
    return {
        total_logs: all.length,
        first_error: errors.at(0)?.payload.line ?? 0,
        last_error: errors.at(-1)?.payload.line ?? 0,
        level_counts: Object.fromEntries(
            LEVELS.map((l) => [l, all.filter((e) => e.payload.level === l).length]),
        ),
        first_line: logs.length ? logs[0].line : 0,
        logs,
        all: all.map(shape),
    };
}

// The counts of lines as step_progress has them.
const told = ({ total_logs, level_counts, first_error, last_error }) => ({
    total: total_logs,
    ...level_counts,
    first_error,
    last_error,
});

export function linesOf(events, jobId, stepId) {
    return lines(events, jobId, stepId, true).all;
}

export function tree(events, jobId, withLines) {
    const [begin] = moves(events, "job", jobId);
    const own = lines(events, jobId, "", withLines);
    return {
        job_id: jobId,
        job_name: begin.payload.job_name,
        definition_id: begin.payload.definition_id,
        created_at: begin.payload.timestamp,
        ...outcome(moves(events, "job", jobId)),
        total_logs: own.total_logs,
        logs: own.logs,
        steps: begin.payload.steps.map((s) => stepTree(events, jobId, s, withLines)),
    };
}

function stepTree(events, jobId, step, withLines) {
    const progress = events
        .filter((e) => e.type === "step_progress" && e.payload.step_id === step.step_id)
        .at(-1)?.payload;
    const own = lines(events, jobId, step.step_id, withLines);
    delete own.all;
    const untold = { total_logs: 0, level_counts: {}, first_error: 0, last_error: 0 };
    return {
        step_id: step.step_id,
        name: step.name,
        type: step.type,
        depends: step.depends,
        ...outcome(moves(events, "step", step.step_id)),
        progress_text: progress?.progress_text ?? "",
        documents: progress?.documents ?? 0,
        kill_at: progress?.kill_at ?? null,
        child_summary: Object.fromEntries(
            COUNTS.map((key) => [key, progress?.[key + "_jobs"] ?? 0]),
        ),
        ...(withLines ? own : { lines: progress?.lines ?? told(untold) }),
    };
}

export function snapshot(events, topic) {
    if (topic !== "jobs") return tree(events, topic.slice(4), true);
    const ids = events
        .filter((e) => e.payload.kind === "job" && e.payload.steps)
        .map((e) => e.payload.manager_id)
        .reverse();
    const trees = ids.map((id) => tree(events, id, false));
    const with_ = (status) => trees.filter((t) => t.status === status).length;
    return {
        jobs: trees.filter((t, i) => i < LISTED || !FINAL.includes(t.status)),
        total_count: trees.length,
        stats: {
            total_jobs: trees.length,
            pending_jobs: with_("pending"),
            running_jobs: with_("running"),
            completed_jobs: with_("completed"),
            failed_jobs: with_("failed"),
            cancelled_jobs: with_("cancelled"),
        },
    };
}

/* ---- histories ---- */

export function jobMake(n, steps = ["prepare", "crawl", "report"]) {
    const id = "job-" + String(n).padStart(4, "0");
    return {
        job_id: id,
        name: "Job " + n,
        definition_id: "definition-" + (n % 3),
        steps: steps.map((name, i) => ({
            step_id: id + "-s" + i,
            name,
            type: ["shell", "crawler", "generator"][i % 3],
            depends: i ? [steps[i - 1]] : [],
        })),
    };
}

// Several jobs at once, each going its own lawful way; every kind of event, every end.
export function historyMake(seed, jobCount, burst = 6) {
    const rand = random(seed);
    const history = new History();
    const roads = [];
    for (let n = 1; n <= jobCount || roads.length;) {
        if (n <= jobCount && (roads.length === 0 || rand() < 0.25))
            roads.push(jobRoad(history, jobMake(n++), rand, burst));
        const i = Math.floor(rand() * roads.length);
        if (roads[i].next().done) roads.splice(i, 1);
    }
    return history;
}

function* jobRoad(history, job, rand, burst) {
    yield history.jobStatus(job, "pending");
    if (rand() < 0.1)
        return history.jobStatus(job, "cancelled", { cause: "cancelled by the reader" });
    yield history.jobStatus(job, "running");
    let failed = false;
    for (const step of job.steps) {
        if (rand() < 0.5) yield history.line(job, null, "info", "starting " + step.name);
        if (failed) {
            yield history.stepStatus(job, step, "skipped", { cause: "what it waits for failed" });
            continue;
        }
        failed = yield* stepRoad(history, job, step, rand, burst);
    }
    const error = failed ? { error: "step failed", cause: "exit 1" } : {};
    yield history.jobStatus(job, failed ? "failed" : "completed", error);
}

function* stepRoad(history, job, step, rand, burst) {
    yield history.stepStatus(job, step, "running");
    yield history.line(job, step, "info", "begins", "step");
    const total = 1 + Math.floor(rand() * 4);
    for (let i = 1; i <= total; i++) {
        yield history.taskStatus(job, step, i, "running");
        for (let k = Math.floor(rand() * burst); k > 0; k--)
            yield history.line(
                job,
                step,
                LEVELS[Math.floor(rand() * 4)],
                "line <b>&amp; \u001b[31mred\u001b[0m " + k,
            );
        if (step.type === "crawler") yield history.companion(job, step, "/page-" + i);
        yield history.taskStatus(job, step, i, "completed");
        yield history.progress(
            job,
            step,
            { total, completed: i, pending: total - i },
            i + "/" + total + " done",
            i,
            rand() < 0.1 ? "2026-11-27T12:00:05.000000Z" : null,
        );
    }
    const failed = rand() < 0.15;
    yield history.stepStatus(
        job,
        step,
        failed ? "failed" : "completed",
        failed ? { error: "exit status 1", cause: "exit 1" } : {},
    );
    return failed;
}
