// job/ending.js: how the end of a step that is being stopped goes, by what its log says. Pure.

const LEFT = /^(?:stopping: SIGTERM sent, )?SIGKILL in ((?:\d+(?:ms|s|m|h) ?)+)(?:: \d+ process.*)?$/;
const KILLED = /(?:^stopping:|;) SIGKILL sent$/;
const OVER = /^stopped after [\d.]+ s: all processes are gone$/;
const MS = { ms: 1, s: 1000, m: 60000, h: 3600000 };

const durationOf = (text) =>
    [...text.matchAll(/(\d+)(ms|s|m|h)/g)].reduce((sum, [, n, unit]) => sum + n * MS[unit], 0);

// "" of a step that is not being stopped.
export function endingText({ name, status, logs }, now) {
    const said = status === "running" && logs.findLast(({ message }) => LEFT.test(message) || KILLED.test(message) || OVER.test(message));
    if (!said || OVER.test(said.message)) return "";
    const [, left] = LEFT.exec(said.message) || [];
    if (!left) return "Step " + name + " is ending: SIGKILL was sent.";
    const ms = Date.parse(said.timestamp) + durationOf(left) - now;
    return "Step " + name + " is ending: SIGKILL in " + Math.max(0, Math.ceil(ms / 1000)) + " s.";
}
