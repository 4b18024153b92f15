// Mistakes that can be seeded into the model, each with the invariant whose checker finds it out
// without help from the others. docs/protocol.md has the same list.

const GAP = "no gap against the store";
const FRESH = "refresh-equivalence at every frame boundary";

export const MISTAKES = [
    {
        who: "a server that reads a snapshot's position after its data",
        mistake: "positionAfterData",
        invariant: FRESH,
    },
    {
        who: "a server that shows what is not durable",
        mistake: "shownBeforeDurable",
        invariant: "visible implies durable",
    },
    {
        who: "a server that drops frames for a slow viewer",
        mistake: "droppedWhenSlow",
        invariant: GAP,
    },
    {
        who: "a server whose heartbeat overtakes",
        mistake: "heartbeatOvertakes",
        invariant: "nothing at or before a bookmark arrives after it",
    },
    {
        who: "a server that throttles progress without the last value",
        mistake: "noLastProgress",
        invariant: "the last progress arrives",
    },
    {
        who: "a server that replays a pruned range in part",
        mistake: "partialReplay",
        invariant: GAP,
    },
    {
        who: "a server that skips a pruned range silently",
        mistake: "prunedSkipped",
        invariant: GAP,
    },
    {
        who: "a server that accepts a cursor of the future",
        mistake: "futureAccepted",
        invariant: FRESH,
    },
    {
        who: "a client that does not deduplicate",
        mistake: "noDeduplication",
        invariant: "unique",
    },
    {
        who: "a server that tells the end before the last line",
        mistake: "endEarly",
        invariant: "`end` totals match",
    },
    {
        who: "a server that ignores the epoch",
        mistake: "epochIgnored",
        invariant: "a cursor of another epoch is never accepted",
    },
    {
        who: "a server that sends a frame of its ring that begins behind the cursor",
        mistake: "frameBehindCursor",
        invariant: "resumable from every seq",
    },
    {
        who: "a server that sorts what it reads by step",
        mistake: "sortedByStep",
        invariant: "ordered",
    },
    {
        who: "a server that takes a snapshot in the middle of a group",
        mistake: "groupSplit",
        invariant: "an event group is never split by a snapshot",
    },
    {
        who: "a server that queues for a slow viewer",
        mistake: "queued",
        invariant: "bounded bytes per connection",
    },
    {
        who: "a server that remembers no further than its memory",
        mistake: "windowOfMemory",
        invariant: "no reset without a cause",
    },
];
