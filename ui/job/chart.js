// job/chart.js: where the bars of a timeline and the boxes of a graph are. Pure.

// When a job began and how long its timeline is, in ms.
export function scaleOf(job, now) {
    const from = Date.parse(job.started_at || job.created_at) || now;
    const to = job.completed_at ? Date.parse(job.completed_at) : now;
    return { from, length: Math.max(1, to - from) };
}

// A step's bar as shares of the timeline; null before it begins.
export function barOf(step, scale, now) {
    if (!step.started_at) return null;
    const from = Date.parse(step.started_at);
    const to = step.completed_at ? Date.parse(step.completed_at) : Math.max(now, from);
    const share = (ms) => Math.min(1, Math.max(0, ms / scale.length));
    return { from: share(from - scale.from), length: share(to - from) };
}

// Columns of a graph: a step stands right of all that it depends on. [[step, …], …]
export function layersOf(steps) {
    const byName = new Map(steps.map((step) => [step.name, step]));
    const depth = new Map();
    const depthOf = (step) => {
        if (!depth.has(step)) {
            depth.set(step, 0); // whatever a definition says, this ends
            const before = step.depends.map((name) => byName.get(name)).filter(Boolean);
            depth.set(step, 1 + Math.max(-1, ...before.map(depthOf)));
        }
        return depth.get(step);
    };
    const layers = [];
    for (const step of steps) (layers[depthOf(step)] ||= []).push(step);
    return layers;
}

// Is there more to see than a row of steps, one after the other?
export const hasBranches = (steps) => layersOf(steps).some((layer) => layer.length > 1);
