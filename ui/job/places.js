// job/places.js: what an address says, and where a job page opens. Pure.

// "#L120", "#L120-140", "#E1": {line, to} or {error: n}; null when it says nothing.
export function placeParse(hash) {
    const lines = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash);
    if (lines) {
        const [a, b] = [Number(lines[1]), Number(lines[2] ?? lines[1])];
        return a && b ? { line: Math.min(a, b), to: Math.max(a, b) } : null;
    }
    const error = /^#E(\d{1,9})$/.exec(hash);
    return error && Number(error[1]) ? { error: Number(error[1]) } : null;
}

export const placeFormat = ({ line, to }) => "#L" + line + (to > line ? "-" + to : "");

// The step to show to whoever has chosen none, now and as the job goes on: one that runs, else one
// that failed, else the one that was begun last, else the first.
export function stepPick(steps) {
    const by = (status) => steps.find((step) => step.status === status);
    const begun = steps.filter((step) => step.started_at);
    return by("running") || by("failed") || begun.at(-1) || steps[0] || null;
}
