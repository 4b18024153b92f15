// ansi.js: what a terminal would show of a line, as pieces of text, each with its style.
//
// Understood are colours and styles (SGR), links to the web (OSC 8), `\r` and "erase in line",
// which programs use to write over what they have just written. All else is left out.
//
//     pieces("a \x1b[1mb") → [{text: "a ", style: PLAIN}, {text: "b", style: {bold: true}}]
//
// A colour is what CSS takes: var(--c0) … var(--c15), or rgb().

export const PLAIN = {};

const SPECIAL = /[\x00-\x08\x0a-\x1f\x7f]/;
const TOKEN =
    /\x1b\[([0-?]*)[ -/]*([@-~])|\x1b\]([^\x07\x1b]*)(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\x08\x0a-\x1f\x7f]+/g;
const LINK = /^(?:https?:\/\/|mailto:)[^\s]+$/i;
const LINK_MOST = 2048;

export function pieces(message) {
    const text = message.endsWith("\r") ? message.slice(0, -1) : message;
    if (!SPECIAL.test(text)) return [{ text, style: PLAIN }];
    const cells = []; // [character, style], so that what is written over is gone
    let at = 0;
    let style = PLAIN;
    for (const [token, parameters, command, osc] of text.matchAll(TOKEN)) {
        if (token === "\r") at = 0;
        else if (command === "m") style = restyled(style, parameters);
        else if (command === "K") erase(cells, at, parameters);
        else if (osc !== undefined) style = linked(style, osc);
        else if (!SPECIAL.test(token[0])) for (const c of token) cells[at++] = [c, style];
    }
    return joined(cells);
}

// The same without the styles.
export const plainOf = (message) =>
    SPECIAL.test(message)
        ? pieces(message)
              .map((piece) => piece.text)
              .join("")
        : message;

function erase(cells, at, parameters) {
    if (parameters === "2") cells.fill([" ", PLAIN], 0, at);
    if (parameters !== "1") cells.length = Math.min(cells.length, at);
}

function joined(cells) {
    const found = [];
    for (const [text, style] of cells) {
        const last = found.at(-1);
        if (last && last.style === style) last.text += text;
        else found.push({ text, style });
    }
    return found;
}

function linked(style, osc) {
    const [, uri] = /^8;[^;]*;(.*)$/s.exec(osc) || [];
    if (uri === undefined) return style;
    const { href, ...rest } = style;
    return LINK.test(uri) && uri.length <= LINK_MOST ? { ...rest, href: uri } : plainIf(rest);
}

const ON = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike" };
const OFF = {
    22: ["bold", "dim"],
    23: ["italic"],
    24: ["underline"],
    27: ["inverse"],
    29: ["strike"],
    39: ["fg"],
    49: ["bg"],
};

function restyled(style, parameters) {
    const codes = parameters.replace(":2::", ":2:").split(/[;:]/).map(Number);
    let next = { ...style };
    for (let i = 0; i < codes.length; i++) {
        const code = codes[i];
        const place = { 38: "fg", 48: "bg" }[code];
        if (code === 0) next = style.href ? { href: style.href } : {};
        else if (ON[code]) next[ON[code]] = true;
        else if (OFF[code]) for (const key of OFF[code]) delete next[key];
        else if (place && codes[i + 1] === 5) next[place] = indexed(codes[(i += 2)]);
        else if (place) {
            next[place] = "rgb(" + [2, 3, 4].map((k) => byte(codes[i + k])).join() + ")";
            i += 4;
        } else Object.assign(next, basic(code));
    }
    return plainIf(next);
}

const plainIf = (style) => (Object.keys(style).length ? style : PLAIN);

function basic(code) {
    const color = (code % 10) + (code >= 90 ? 8 : 0);
    if (code % 10 > 7) return null;
    if ((code >= 30 && code < 40) || (code >= 90 && code < 100)) return { fg: indexed(color) };
    if ((code >= 40 && code < 50) || (code >= 100 && code < 110)) return { bg: indexed(color) };
    return null;
}

const byte = (n) => Math.min(255, n || 0);
const STEPS = [0, 95, 135, 175, 215, 255];

// A colour of the 256: 16 of the theme, a cube of 6 × 6 × 6, and greys.
function indexed(n) {
    if (!(n >= 16)) return "var(--c" + (n || 0) + ")";
    if (n >= 232) return "rgb(" + Array(3).fill(byte(8 + 10 * (n - 232))).join() + ")";
    return "rgb(" + [36, 6, 1].map((d) => STEPS[Math.floor((n - 16) / d) % 6]).join() + ")";
}
