// palette.js: everything that can be done or opened, by a few letters. Loaded when it is wanted.
//
//     paletteOpen({entries: [{text, hint, run()}], find: async (word) => entries})

import { attributeSet, make } from "./dom.js";
import { fuzzyAll } from "./fuzzy.js";

const SHOWN = 12;
const TYPING_MS = 120;

export function paletteOpen(options) {
    if (document.querySelector("dialog[open]")) return;
    new Palette(options).open();
}

class Palette {
    #entries;
    #found = []; // of the server, for the word that is typed
    #shown = [];
    #at = 0;
    #find;
    #typing = null;

    constructor({ entries, find }) {
        this.#entries = entries;
        this.#find = find;
        this.dialog = make("dialog", "palette", { "aria-label": "Do or open" });
        this.input = make("input", "", {
            type: "text",
            role: "combobox",
            "aria-expanded": "true",
            "aria-controls": "palette-list",
            "aria-label": "Do or open",
            placeholder: "Do or open …",
            autocomplete: "off",
            spellcheck: "false",
        });
        this.list = make("ul", "", { role: "listbox", id: "palette-list", "aria-label": "Found" });
        this.dialog.append(this.input, this.list);
        this.input.addEventListener("input", () => this.#typed());
        this.input.addEventListener("keydown", (e) => this.#key(e));
        this.dialog.addEventListener("click", (e) => e.target === this.dialog && this.dialog.close());
        this.dialog.addEventListener("close", () => this.dialog.remove());
    }

    open() {
        document.body.append(this.dialog);
        this.dialog.showModal();
        this.#show();
    }

    #typed() {
        this.#found = [];
        this.#at = 0;
        this.#show();
        clearTimeout(this.#typing);
        this.#typing = setTimeout(() => this.#ask(this.input.value.trim()), TYPING_MS);
    }

    async #ask(word) {
        if (!word) return;
        const found = await this.#find(word).catch(() => []);
        if (word !== this.input.value.trim() || !this.dialog.open) return;
        this.#found = found;
        this.#show();
    }

    #show() {
        const known = fuzzyAll(this.#entries, this.input.value, SHOWN);
        const texts = new Set(known.map((entry) => entry.text + entry.hint));
        const fresh = this.#found.filter((entry) => !texts.has(entry.text + entry.hint));
        this.#shown = [...known, ...fresh].slice(0, SHOWN);
        this.list.replaceChildren(...this.#shown.map((entry, i) => this.#row(entry, i)));
        if (!this.#shown.length) this.list.append(this.#none());
        this.#mark();
    }

    #row(entry, i) {
        const row = make("li", "", { role: "option", id: "palette-" + i });
        const hint = make("span", "soft");
        hint.textContent = entry.hint;
        row.append(entry.text, hint);
        row.addEventListener("click", () => this.#run(entry));
        return row;
    }

    #none() {
        const row = make("li", "soft", { role: "option", "aria-disabled": "true" });
        row.textContent = "Nothing is called so.";
        return row;
    }

    #mark() {
        const rows = [...this.list.querySelectorAll("[id]")];
        rows.forEach((row, i) => attributeSet(row, "aria-selected", i === this.#at));
        if (rows.length) attributeSet(this.input, "aria-activedescendant", "palette-" + this.#at);
        else this.input.removeAttribute("aria-activedescendant");
        rows[this.#at]?.scrollIntoView({ block: "nearest" });
    }

    #key(e) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
        const n = this.#shown.length;
        if (step && n) this.#at = (this.#at + step + n) % n;
        else if (e.key === "Enter" && n) return e.preventDefault(), this.#run(this.#shown[this.#at]);
        else return;
        e.preventDefault();
        this.#mark();
    }

    #run(entry) {
        this.dialog.close();
        entry.run();
    }
}
