// places.js: who waits for what, at which place of the line. Pure.

const known = new WeakMap(); // list → {job_id: place}

// The places of all jobs of a list (see reducer.js) that wait, 1 the next one.
export function placesOf(list) {
    if (!known.has(list)) known.set(list, placesFind(list));
    return known.get(list);
}

function placesFind({ order, jobs }) {
    const waiting = order.map((id) => jobs[id]).filter((job) => job.status === "pending" && job.waits_for);
    waiting.sort((a, b) => b.priority - a.priority || (a.created_at < b.created_at ? -1 : 1));
    const [places, lines] = [{}, {}];
    for (const { job_id, waits_for: what } of waiting) places[job_id] = lines[what] = (lines[what] || 0) + 1;
    return places;
}
