// shown.mjs: what a reader sees on any page, in a form that can be compared.
//
//     {title, parts, ticks}   parts: each visible element that says something, from top to bottom:
//                             its text and what it says without words (status, shape, value, open)
//
// Left out is what is no property of the data: the connection's badge, messages that go away by
// themselves, how fast something has been going. A time that still runs is in `ticks`, in seconds.
// Of a log, rows that are in sight count.

import { frames, until } from "./browser.mjs";

// Puts every log of a page to its end, has what is new put into its lists, and waits until the page is
// at rest: nothing is on its way, and nothing runs so fast that it is painted as one text.
export async function rest(reader) {
    await reader.evaluate(() => {
        for (const log of document.querySelectorAll("tailrace-log")) log.follow = true;
        for (const button of document.querySelectorAll("main .title button"))
            if (button.checkVisibility() && /^\+[\d,]+ new$/.test(button.textContent)) button.click();
    });
    await until(
        reader,
        () =>
            window.flying === 0 &&
            [...document.querySelectorAll(".log-stream")].every((el) => !el.checkVisibility()),
    );
    await frames(reader);
}

export const shown = (reader) =>
    reader.evaluate(() => {
        const OUT = ".badge, .toasts, .spoken, .menu, .log-probe, [aria-hidden=true]:not(use, svg)";
        const SAYS = ["data-status", "data-level", "data-line", "href", "aria-expanded", "aria-pressed"];
        const VALUES = ["aria-valuenow", "aria-current", "aria-selected", "disabled", "datetime"];
        const FINAL = ["completed", "failed", "cancelled", "skipped"];
        const RATE = /^[~\d,.]+ ?[a-zA-Z]*\/s$/;
        const TIME = /(\d+)h (\d\d)m|(\d+)m (\d\d)s|([\d.]+) s\b|(\d+) ms\b/g;
        const ticks = [];

        const inSight = (el) => {
            const scroller = el.closest(".log-scroll");
            if (!scroller) return true;
            const [a, b] = [el, scroller].map((each) => each.getBoundingClientRect());
            return a.bottom > b.top + 1 && a.top < b.bottom - 1;
        };
        const runs = (el) => {
            const status = el.closest("[data-status]")?.dataset.status;
            return !el.closest(".tree-log-line") && !FINAL.includes(status);
        };
        const timed = (text) =>
            text.replace(TIME, (all, h, hm, m, ms, s, milli) => {
                ticks.push((h * 60 + +hm) * 60 || m * 60 + +ms || Number(s) || milli / 1000);
                return "…";
            });
        const ownText = (el) =>
            [...el.childNodes].map((node) => (node.nodeType === 3 ? node.data : "")).join("")
                .replace(/\s+/g, " ").trim();
        const part = (el) => {
            const text = ownText(el);
            if (RATE.test(text)) return "";
            const says = [...SAYS, ...VALUES].filter((name) => el.hasAttribute(name))
                .map((name) => name + "=" + el.getAttribute(name));
            if ("value" in el && !["LI", "BUTTON", "OPTION"].includes(el.tagName)) says.push("value=" + el.value);
            return [text && (runs(el) ? timed(text) : text), ...says].filter(Boolean).join(" ");
        };
        const parts = [...document.body.querySelectorAll("*")]
            .filter((el) => !el.closest(OUT) && el.checkVisibility({ visibilityProperty: true }))
            .filter(inSight)
            .map(part)
            .filter(Boolean);
        return { title: document.title, parts, ticks };
    });

const TOLERANCE_S = 5; // between looking at one page and at the other

// The first difference of two of them as a sentence, "" when there is none.
export function apart(a, b) {
    if (a.title !== b.title) return `the title is "${a.title}", not "${b.title}"`;
    const at = a.parts.findIndex((part, i) => part !== b.parts[i]);
    const around = (parts, i) => parts.slice(Math.max(0, i - 4), i + 3).join("\n    ");
    if (at >= 0 || a.parts.length !== b.parts.length) {
        const i = at >= 0 ? at : a.parts.length;
        return `it shows\n    ${around(a.parts, i)}\nand a fresh page\n    ${around(b.parts, i)}`;
    }
    const tick = a.ticks.findIndex((s, i) => Math.abs(s - b.ticks[i]) > TOLERANCE_S);
    return tick < 0 ? "" : `a time is ${a.ticks[tick]} s, not ${b.ticks[tick]} s`;
}
