// cursor.js: the client's whole rule, for one topic.
//
// A frame says `from` and `to` and holds all events of its topic in (from, to]. From this follows
// the rule: from > cursor is a gap, subscribe again from the cursor; skip what is at or before
// the cursor; then the cursor is max(cursor, to). So events come out exactly once and in order,
// whatever the network does. The cursor moves only when what it stands for was taken.
//
// Pure: no socket, no clock. Held to tests/vectors/client-rule.json, as src/cli/cursor.c is.

const GAPS = 3; // gaps one after the other before a snapshot is asked for

export class Cursor {
    seq = null; // everything up to here was taken; null: a snapshot is needed first
    epoch = "";
    asked = false; // a subscription is on its way: what leaves a gap is older than it
    gaps = 0;
    ended = false; // nothing will follow

    // from: a cursor to go on from, or null.
    constructor(from = null) {
        if (from) Object.assign(this, { seq: from.seq, epoch: from.epoch });
    }

    toString() {
        return this.epoch + ":" + this.seq;
    }

    // What to subscribe with now.
    request() {
        this.asked = true;
        return this.seq === null ? { snapshot: true } : { since: String(this) };
    }

    // History was rewritten, or the server says so: begin again with a snapshot.
    forget() {
        this.seq = null;
        this.ended = false;
    }

    // Takes a frame of the topic. `page` is told what to take: snapshot(state), events(events),
    // and is asked complete(totals) → bool; page.epoch is that of the server's greeting. Gives
    //     "snapshot", "applied", "ended"   it was taken
    //     "stale"                          nothing in it is new
    //     "reset"                          a snapshot follows
    //     "gap"                            subscribe again, with request()
    //     "other"                          it is none of these frames
    take(frame, page) {
        const take = TAKES[frame.type];
        return take ? take(this, frame, page) : "other";
    }
}

const TAKES = {
    subscribed(cursor) {
        cursor.asked = false;
        return "other";
    },

    snapshot(cursor, frame, page) {
        page.snapshot(frame.state);
        cursor.seq = frame.as_of;
        cursor.epoch = page.epoch;
        return "snapshot";
    },

    reset(cursor) {
        cursor.forget();
        return "reset";
    },

    events(cursor, frame, page) {
        if (cursor.seq === null) return "stale"; // of before the snapshot that was asked for
        if (frame.from > cursor.seq) {
            if (cursor.asked) return "stale";
            cursor.gaps += 1;
            if (cursor.gaps > GAPS) cursor.forget();
            return "gap";
        }
        const fresh = [];
        let { seq } = cursor;
        for (const event of frame.events) {
            if (event.seq <= seq) continue;
            fresh.push(event);
            seq = event.seq;
        }
        if (fresh.length) page.events(fresh);
        seq = Math.max(seq, frame.to);
        if (seq === cursor.seq) return "stale";
        cursor.seq = seq;
        cursor.gaps = 0;
        return "applied";
    },

    end(cursor, frame, page) {
        if (cursor.seq === null) return "stale";
        if (frame.to > cursor.seq || !page.complete(frame.lines || {})) {
            cursor.gaps += 1;
            if (cursor.gaps > GAPS) return "stale"; // a snapshot did not help: it is as it is
            cursor.forget();
            return "gap";
        }
        cursor.ended = true;
        return "ended";
    },
};
