// wrap.js: how a line is broken into rows of so many cells, by arithmetic. Nothing is measured in
// the page, so a million lines can be placed without painting them.

const ASCII = /^[\x20-\x7e]*$/;
// Marks and joiners, which are on the character before.
const NOTHING = /[\p{M}\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]/u;
const WIDE =
    /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const TAB = 8;

// A character's cells, `at` being where it stands.
function cellsOf(c, at) {
    if (c < "\x7f") return c === "\t" ? TAB - (at % TAB) : 1;
    if (NOTHING.test(c)) return 0;
    return WIDE.test(c) ? 2 : 1;
}

// The text of each row; one, and empty, of an empty line. `columns` 0: not broken.
export function rowsCut(text, columns) {
    if (!columns || (ASCII.test(text) && text.length <= columns)) return [text];
    const rows = [];
    let from = 0;
    let at = 0;
    let i = 0;
    for (const c of text) {
        const cells = Math.min(cellsOf(c, at), columns);
        if (at + cells > columns) {
            rows.push(text.slice(from, i));
            from = i;
            at = 0;
        }
        at += cells;
        i += c.length;
    }
    rows.push(text.slice(from));
    return rows;
}

// The same pieces with a newline wherever a row ends.
export function piecesCut(pieces, columns) {
    const rows = rowsCut(pieces.map(({ text }) => text).join(""), columns);
    let room = rows.shift().length; // to the end of the row
    const cut = (text) => {
        if (text.length <= room || !rows.length) {
            room -= text.length;
            return text;
        }
        const head = text.slice(0, room);
        const rest = text.slice(room);
        room = rows.shift().length;
        return head + "\n" + cut(rest);
    };
    return pieces.map((piece) => ({ ...piece, text: cut(piece.text) }));
}

export function rowsCount(text, columns) {
    if (!columns) return 1;
    if (ASCII.test(text)) return Math.max(1, Math.ceil(text.length / columns));
    return rowsCut(text, columns).length;
}
