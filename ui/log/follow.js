// follow.js: does the log follow its end? Only the reader's own doing changes that, never what
// arrives, nor a resize, a filter or wrapping.

export const END_ROWS = 2; // so near to the end counts as being there

const LEAVES = new Set(["select", "line", "hit", "place"]); // looks at something
const SCROLLS = new Set(["wheel-up", "drag", "PageUp", "Home", "ArrowUp"]);
const RETURNS = new Set(["End", "button"]);

// did: what the reader did, or what else happened. above, below: rows out of sight.
export function follows(following, did, above, below) {
    if (LEAVES.has(did)) return false;
    if (RETURNS.has(did)) return true;
    if (SCROLLS.has(did)) return following && above <= 0;
    if (did === "scrolled-up") return following && below <= END_ROWS;
    if (did === "scrolled-down") return following || below <= END_ROWS;
    return following;
}
