// groups.js: where a group of lines (`::group::name` … `::endgroup::`) ends. Looked for in memory
// as far as that goes, and then by the server.

const SCAN = 2000; // lines looked at in one go
const MARKERS = { q: "^::(end)?group::", regex: true, case: true, texts: true, limit: 1000 };

// The entry that ends the group which `head` begins, or null when it is not in memory (yet). Goes
// on where it stopped the last time.
export function groupScan(head, pages) {
    const scan = (head.scan ??= { line: head.line + 1, depth: 1, end: null });
    for (let n = 0; n < SCAN && !scan.end; n++, scan.line++) {
        const entry = pages.at(scan.line);
        if (!entry) break;
        if (entry.kind === "group") scan.depth += 1;
        if (entry.kind === "end") scan.depth -= 1;
        if (scan.depth === 0) scan.end = entry;
    }
    return scan.end;
}

// The last line of the group; nothing when there is none yet.
export async function groupLast(search, head, pages) {
    const end = groupScan(head, pages);
    if (end) return end.line;
    return (await groupsFind(search, head.line - 1, head.line)).get(head.line);
}

// Groups that begin after a line, as a map from their first line to their last; up to the end of
// the group that begins in `only`, if given.
export async function groupsFind(search, after, only) {
    const found = new Map();
    const open = [];
    for (let next = search ? after : null; next !== null; ) {
        const answer = await search({ ...MARKERS, after: next });
        for (const { line, message } of answer.logs) {
            if (message.startsWith("::group::")) open.push(line);
            else if (open.length) found.set(open.pop(), line);
            if (found.has(only)) return found;
        }
        next = answer.logs.length < answer.count ? answer.logs.at(-1).line : answer.next;
    }
    return found;
}
