// The log of the model, and what fills it. The log knows the truth: all events, what is durable,
// and what the state of a topic was after each of them; checkers ask it, the server only reads.

export const topicHas = (topic, e) =>
    topic === "jobs" ? e.type !== "line" : topic === "job:" + e.job;

// The fold of the model's page and of its snapshots: small, but with totals, newest lines,
// states and progress, as the real one.
export function fold(state, e) {
    if (e.type === "state") return { ...state, [e.job]: e.value };
    const writer = state[e.step] || { total: 0, newest: [], progress: 0 };
    const change =
        e.type === "line"
            ? { total: writer.total + 1, newest: [...writer.newest, e.value].slice(-4) }
            : { progress: e.value };
    return { ...state, [e.step]: { ...writer, ...change } };
}

export const linesIn = (state) =>
    Object.values(state).reduce((sum, writer) => sum + (writer.total || 0), 0);

export class Log {
    epoch = 1;
    events = []; // events[i].seq is i + 1
    durable = 0; // so many of them survive a kill -9
    floor = 0; // so many of them can not be read any more
    #groups = 0;
    #states = new Map(); // topic → states; states[seq] is the state after that event

    // A group is written together or not at all.
    append(events) {
        this.#groups += 1;
        for (const e of events)
            this.events.push({ ...e, seq: this.events.length + 1, group: this.#groups });
    }

    sync() {
        this.durable = this.events.length;
    }

    kill() {
        this.#cut(this.durable);
    }

    // An old backup is put back: another history, so another epoch.
    restore(seq) {
        while (this.splits(seq)) seq -= 1;
        this.#cut(seq);
        this.durable = seq;
        this.floor = Math.min(this.floor, seq);
        this.epoch += 1;
    }

    #cut(seq) {
        this.events.length = seq;
        for (const states of this.#states.values())
            states.length = Math.min(states.length, seq + 1);
    }

    // Does a cut after this event split a group?
    splits(seq) {
        const [a, b] = [this.events[seq - 1], this.events[seq]];
        return Boolean(a && b && a.group === b.group);
    }

    // The truth: of a topic in (from, to].
    between(topic, from, to) {
        return this.events.slice(from, to).filter((e) => topicHas(topic, e));
    }

    // The truth: the state of a topic after an event.
    state(topic, seq) {
        if (!this.#states.has(topic)) this.#states.set(topic, [{}]);
        const states = this.#states.get(topic);
        while (states.length <= seq) {
            const e = this.events[states.length - 1];
            states.push(topicHas(topic, e) ? fold(states.at(-1), e) : states.at(-1));
        }
        return states[seq];
    }

    // The last seq of a job that has ended, or 0.
    endOf(topic, upto) {
        const job = topic.slice("job:".length);
        if (this.state(topic, upto)[job] !== "completed") return 0;
        return this.events.findLast((e) => e.job === job && e.value === "completed").seq;
    }
}

// Runs jobs of two steps: lines, some in groups with a companion, progress that is told at most
// once in a while but whose last value always comes, states.
export class Engine {
    jobs = []; // that run: {job, steps: [{step, line, progress, told}]}
    finals = new Map(); // step → last progress of those that ended
    #next = 1;

    constructor(log, rand, mistake) {
        Object.assign(this, { log, rand, mistake });
    }

    #pick(from) {
        return from[Math.floor(this.rand() * from.length)];
    }

    work() {
        if (this.jobs.length < 3 && this.rand() < 0.2) return this.#begin();
        if (!this.jobs.length) return;
        const job = this.#pick(this.jobs);
        const step = this.#pick(job.steps);
        const x = this.rand();
        if (x < 0.6) this.#lines(job, step, 1);
        else if (x < 0.75) this.#lines(job, step, 3);
        else if (x < 0.97) this.#progress(job, step);
        else this.#end(job);
    }

    #begin() {
        const job = "j" + this.#next++;
        const steps = [0, 1].map((i) => ({
            step: job + "." + i,
            line: 0,
            progress: 0,
            told: 0,
            quiet: true,
        }));
        this.jobs.push({ job, steps });
        this.log.append([{ job, type: "state", value: "running" }]);
    }

    #lines(job, step, count) {
        const line = () => ({ job: job.job, step: step.step, type: "line", value: ++step.line });
        this.log.append(Array.from({ length: count }, line));
    }

    #told(job, step) {
        step.told = step.progress;
        return { job: job.job, step: step.step, type: "progress", value: step.progress };
    }

    #progress(job, step) {
        step.progress += 1;
        if (step.quiet) this.log.append([this.#told(job, step)]);
        step.quiet = false;
    }

    // Time passes: progress that was held back is told.
    tick() {
        for (const job of this.jobs) {
            for (const step of job.steps) {
                const late = step.told !== step.progress && !this.mistake.noLastProgress;
                if (late) this.log.append([this.#told(job, step)]);
                step.quiet = !late;
            }
        }
    }

    #end(job) {
        const late = this.mistake.noLastProgress
            ? []
            : job.steps.filter((step) => step.told !== step.progress);
        this.log.append([
            ...late.map((step) => this.#told(job, step)),
            { job: job.job, type: "state", value: "completed" },
        ]);
        for (const step of job.steps) this.finals.set(step.step, step.progress);
        this.jobs = this.jobs.filter((other) => other !== job);
    }

    // After a kill the engine knows what the log knows.
    recover() {
        const state = this.log.state("jobs", this.log.events.length);
        const lines = (job, step) =>
            this.log.state("job:" + job, this.log.events.length)[step]?.total || 0;
        this.finals.clear();
        this.jobs = [];
        for (const job of Object.keys(state).filter((key) => !key.includes("."))) {
            const steps = [0, 1].map((i) => {
                const step = job + "." + i;
                const progress = state[step]?.progress || 0;
                return { step, line: lines(job, step), progress, told: progress, quiet: true };
            });
            if (state[job] !== "completed") this.jobs.push({ job, steps });
            else for (const step of steps) this.finals.set(step.step, step.progress);
        }
    }

    // The last progress of each step that made any.
    *lastProgress() {
        for (const job of this.jobs)
            for (const { step, progress } of job.steps) if (progress) yield [step, progress];
        for (const [step, progress] of this.finals) if (progress) yield [step, progress];
    }
}
