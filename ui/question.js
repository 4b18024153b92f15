// question.js: a question to the server that is asked until it is answered.
//
//     const runs = new Question((id) => api("/jobs/" + id), { answered(body), failed(error) });
//     runs.ask(id);
//
// The newest asking wins: an answer to an earlier one is void. What got no answer, or one that only
// says that the server is in trouble (5xx), is asked again: at once when the connection is back, and
// after pauses that grow. What the server refuses (4xx) is not asked again.

const FIRST_MS = 1000;
const MOST_MS = 60000;

const unanswered = new Set();

// The connection was lost and is there again: what was on its way then may never be answered.
export function questionsAgain() {
    for (const question of [...unanswered]) question.again();
}

const isRefused = ({ status }) => status >= 400 && status < 500;

export class Question {
    #send;
    #on;
    #timers;
    #about = [];
    #asked = 0; // times
    #failed = 0; // times, one after the other
    #isFlying = false;
    #isStale = false; // there was news since it was asked
    #timer = null;

    // send(...about) → promise of the answer. on: {answered(answer), failed(error)}, the second each
    // time that it failed. timers: for tests.
    constructor(send, on, timers = globalThis) {
        this.#send = send;
        this.#on = on;
        this.#timers = timers;
    }

    // Asks now.
    ask(...about) {
        this.#about = about;
        this.#failed = 0;
        return this.again();
    }

    // Asks because something has changed: once at a time, and after a failure not before its pause.
    want(...about) {
        this.#about = about;
        if (this.#isFlying) this.#isStale = true;
        else if (!this.#timer) this.again();
    }

    // Nobody wants to know any more.
    drop() {
        this.#asked += 1;
        this.#end();
    }

    // Asks the same once more, now.
    async again() {
        this.#end();
        const asked = (this.#asked += 1);
        this.#isFlying = true;
        unanswered.add(this);
        const [answer, error] = await this.#send(...this.#about).then((got) => [got], (why) => [null, why]);
        if (asked !== this.#asked) return;
        const isStale = this.#isStale;
        this.#end();
        if (!error) this.#answered(answer, isStale);
        else if (isRefused(error)) this.#on.failed?.(error);
        else this.#later(error);
    }

    #answered(answer, isStale) {
        this.#failed = 0;
        this.#on.answered(answer);
        if (isStale) this.again();
    }

    #later(error) {
        const wait = Math.min(MOST_MS, FIRST_MS * 2 ** this.#failed++);
        unanswered.add(this);
        this.#timer = this.#timers.setTimeout(() => this.again(), wait);
        this.#on.failed?.(error);
    }

    #end() {
        this.#timers.clearTimeout(this.#timer);
        this.#timer = null;
        this.#isFlying = this.#isStale = false;
        unanswered.delete(this);
    }
}
