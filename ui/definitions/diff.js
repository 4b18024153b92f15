// definitions/diff.js: two texts, line by line. Pure.
//
// The longest common subsequence by its table (Wagner and Fischer, 1974), after what both begin and
// end with is set aside: definitions have hundreds of lines at most.

const MOST = 4000000; // places in the table; beyond, all in between counts as changed

// [{sign: " ", "-" or "+", text}]: what of `old` stayed, went, and what came.
export function diff(old, now) {
    const a = old.split("\n");
    const b = now.split("\n");
    let head = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    let tail = 0;
    while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
    const same = (lines) => lines.map((text) => ({ sign: " ", text }));
    return [
        ...same(a.slice(0, head)),
        ...between(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
        ...same(tail ? a.slice(-tail) : []),
    ];
}

function between(a, b) {
    const common = a.length * b.length > MOST ? null : table(a, b);
    const found = [];
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
        if (common && i < a.length && j < b.length && a[i] === b[j]) {
            found.push({ sign: " ", text: a[i] });
            i++, j++;
        } else if (i < a.length && (!common || j === b.length || common[i + 1][j] >= common[i][j + 1]))
            found.push({ sign: "-", text: a[i++] });
        else found.push({ sign: "+", text: b[j++] });
    }
    return found;
}

// [i][j]: how much a from i on and b from j on have in common.
function table(a, b) {
    const rows = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--)
            rows[i][j] =
                a[i] === b[j] ? rows[i + 1][j + 1] + 1 : Math.max(rows[i + 1][j], rows[i][j + 1]);
    return rows;
}

// Only what changed, with so many lines around it; a gap is {sign: "…", text: ""}.
export function diffShort(lines, around = 3) {
    const near = new Set();
    lines.forEach(({ sign }, i) => {
        for (let k = i - around; sign !== " " && k <= i + around; k++) near.add(k);
    });
    const shown = [];
    lines.forEach((line, i) => {
        if (near.has(i)) shown.push(line);
        else if (shown.at(-1)?.sign !== "…") shown.push({ sign: "…", text: "" });
    });
    return shown;
}
