// job/outputs.js: what a step says for those after it: in one line, and whole when it is opened.

import { hiddenSet, make, textSet } from "../dom.js";

const SHORT = 60; // characters of a value, in the line

export class Outputs {
    #shown = null;

    constructor() {
        this.el = make("details", "timeline-outputs");
        this.line = make("summary", "");
        this.list = make("dl", "", { tabindex: "0", "aria-label": "Outputs" });
        this.el.append(this.line, this.list);
        this.el.hidden = true;
    }

    // outputs: {name: value}
    show(outputs) {
        if (outputs === this.#shown) return;
        this.#shown = outputs;
        const all = Object.entries(outputs || {});
        hiddenSet(this.el, !all.length);
        textSet(this.line, all.map(([name, value]) => name + " = " + shortOf(value)).join(" · "));
        this.list.replaceChildren(...all.flatMap(([name, value]) => [cell("dt", name), cell("dd", value)]));
    }
}

function cell(tag, text) {
    const el = make(tag, "");
    el.textContent = text;
    return el;
}

function shortOf(value) {
    const [line, ...more] = value.trimEnd().split("\n");
    return line.length > SHORT || more.length ? line.slice(0, SHORT) + " …" : line;
}
