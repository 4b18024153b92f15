// state.js: the page's one state, and the connection that feeds it.
//
// Everything that arrives goes through the reducer, and what changed is painted once per frame.
// Whoever paints registers with onPaint and reads the state; nobody keeps a copy of it.

import { unobserved } from "./dom.js";
import { Live } from "./live.js";
import { questionsAgain } from "./question.js";
import { fold, initial, isComplete } from "./reducer.js";

const painters = [];
let painting = false;
let wasOffline = false;

export let state = initial();
export let idle = true; // the server cannot be asked for anything now

export function dispatch(message) {
    state = fold(state, message);
    paintSoon();
}

// paint(state, now): now in ms.
export function onPaint(paint) {
    painters.push(paint);
    paintSoon();
}

export function paintSoon() {
    if (painting) return;
    painting = true;
    requestAnimationFrame(() => {
        painting = false;
        unobserved(() => painters.forEach((paint) => paint(state, Date.now())));
    });
}

const watchers = { status: [], refused: [] };

// what: "status": watch(status of live.js); "refused": watch(topic, sentence).
export const onLive = (what, watch) => watchers[what].push(watch);

export const live = new Live({
    url: () => location.origin.replace(/^http/, "ws") + "/ws",
    message: dispatch,
    status(status) {
        idle = !["live", "catching", "restarted"].includes(status.state);
        for (const watch of watchers.status) watch(status);
        if (!idle && wasOffline) questionsAgain();
        wasOffline = status.state === "offline" || (wasOffline && idle);
        paintSoon();
    },
    complete: (topic, lines) => isComplete(state, topic, lines),
    refused(topic, sentence) {
        for (const watch of watchers.refused) watch(topic, sentence);
    },
});

// Closes a topic and forgets what it told.
export function leave(topic) {
    live.close(topic);
    dispatch({ type: "close", topic });
}
