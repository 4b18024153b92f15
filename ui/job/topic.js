// job/topic.js: what of a job the page subscribes to: all of it while the end of a log is on the
// screen, and all but its lines while nobody would see them (the reader has scrolled away, or has
// another tab in front): then counters come, and the lines when they are looked at.

import { countsTopic, jobTopic } from "../reducer.js";
import { dispatch, live } from "../state.js";

const TAIL = 512; // newest lines kept per step: more than come between two frames

export class JobTopic {
    #jobId;
    #now = null;

    constructor(jobId) {
        this.#jobId = jobId;
        dispatch({ type: "tail", topic: jobTopic(jobId), lines: TAIL });
    }

    // isSeen: the newest lines are on the screen.
    want(isSeen) {
        const topic = (isSeen ? jobTopic : countsTopic)(this.#jobId);
        if (topic === this.#now) return;
        // Counters go on from where the whole is: it has to be somewhere first.
        if (!isSeen && this.#now && live.cursor(this.#now) === null) return;
        if (!this.#now) live.open(topic);
        else if (isSeen) live.reopen(this.#now, topic); // what came meanwhile is not caught up with
        else live.move(this.#now, topic);
        this.#now = topic;
    }
}
