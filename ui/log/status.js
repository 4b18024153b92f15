// status.js: the line below a log that says how it stands, and says it aloud now and then.

import { hiddenSet, make, shape, textSet } from "../dom.js";
import { count, plural } from "../format.js";
import { isFinal } from "../reducer.js";

const SPOKEN_MS = 10000; // at most so often

export class Status {
    #spokenAt = -Infinity;
    #spoken = "";

    // jump(line): the reader wants to go there.
    constructor(jump) {
        this.el = make("div", "log-status");
        const part = (className) => this.el.appendChild(make("span", className));
        this.state = part("log-state");
        this.rate = part("");
        this.total = part("");
        this.errors = part("log-errors");
        this.warnings = part("log-warnings");
        this.errorCount = make("span", "");
        this.warningCount = make("span", "");
        this.errors.append(shape("failed"), this.errorCount);
        this.warnings.append(shape("warning"), this.warningCount);
        this.first = make("button", "log-first", { type: "button" });
        this.first.addEventListener("click", () => jump(this.line));
        this.el.append(this.first);
        // Until something is known: a button without a word is none.
        this.errors.hidden = this.warnings.hidden = this.first.hidden = true;
        this.voice = part("spoken");
        this.voice.setAttribute("role", "status");
    }

    // how: {follow, rate, skips: not every line is painted, filter: what is shown only}
    show(writer, how, now) {
        const { total_logs: total, status } = writer;
        const { error = 0, warn = 0 } = writer.level_counts || {};
        const ended = status && isFinal(status);
        textSet(this.state, stateText(how, ended) + (how.filter && ", " + how.filter));
        textSet(this.rate, how.rate >= 1 && !ended ? count(Math.round(how.rate)) + " lines/s" : "");
        textSet(this.total, plural(total, "line") + (how.skips ? " … showing the newest" : ""));
        hiddenSet(this.rate, !this.rate.textContent);
        hiddenSet(this.errors, !error);
        hiddenSet(this.warnings, !warn);
        textSet(this.errorCount, "E " + count(error));
        textSet(this.warningCount, "W " + count(warn));
        this.line = writer.first_error || 0;
        hiddenSet(this.first, !this.line);
        textSet(this.first, "first error " + count(this.line));
        this.#say([plural(total, "line"), plural(error, "error"), plural(warn, "warning")], now);
    }

    #say(parts, now) {
        const text = parts.join(", ");
        if (text === this.#spoken || now - this.#spokenAt < SPOKEN_MS) return;
        this.#spoken = text;
        this.#spokenAt = now;
        this.voice.textContent = text;
    }
}

function stateText({ follow }, ended) {
    if (ended) return "Ended";
    return follow ? "Following" : "Held";
}
