// fuzzy.js: does a text have the letters of a word in their order? Pure.

// How well, the higher the better; -1: it does not. Letters that begin words, and that follow on
// each other, count more.
export function fuzzy(text, word) {
    const all = text.toLowerCase();
    const wanted = word.toLowerCase().replaceAll(" ", "");
    if (!wanted) return 0;
    let [at, score, before] = [0, 0, -2];
    for (const letter of wanted) {
        const found = all.indexOf(letter, at);
        if (found < 0) return -1;
        const begins = found === 0 || /[\s\-_/.:]/.test(all[found - 1]);
        score += (found === before + 1 ? 3 : 0) + (begins ? 2 : 0) + 1;
        [before, at] = [found, found + 1];
    }
    return score - all.length / 1000;
}

// Those of [{text}] that fit, the best first, at most `most`.
export const fuzzyAll = (entries, word, most) =>
    entries
        .map((entry) => [fuzzy(entry.text, word), entry])
        .filter(([score]) => score >= 0)
        .sort(([a], [b]) => b - a)
        .slice(0, most)
        .map(([, entry]) => entry);
