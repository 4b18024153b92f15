// queue/filter.js: which jobs the reader wants to see, as the page's address says it. Pure.
//
//     {status, q, definition, group}   each "" when it is not asked for; group: "status"

export const STATUSES = ["running", "pending", "completed", "failed", "cancelled"];

export function filterOf(search) {
    const query = new URLSearchParams(search);
    const oneOf = (name, values) => (values.includes(query.get(name)) ? query.get(name) : "");
    return {
        status: oneOf("status", STATUSES),
        q: query.get("q") || "",
        definition: query.get("definition") || "",
        group: oneOf("group", ["status"]),
    };
}

// "" or "?status=failed&q=news".
export function searchOf(filter) {
    const wanted = Object.entries(filter).filter(([, value]) => value);
    return wanted.length ? "?" + new URLSearchParams(wanted) : "";
}

// job: of the reducer, or as the API gives it.
export function isWanted(job, { status, q, definition }) {
    if (status && job.status !== status) return false;
    if (definition && job.definition_id !== definition) return false;
    const text = (job.job_name || job.name || "") + "\n" + job.definition_id;
    return !q || text.toLowerCase().includes(q.toLowerCase());
}

// [[status, ids]] of those that there are, what needs attention first.
export function grouped(ids, statusOf) {
    const groups = new Map(STATUSES.map((status) => [status, []]));
    for (const id of ids) groups.get(statusOf(id)).push(id);
    return [...groups].filter(([, members]) => members.length);
}
