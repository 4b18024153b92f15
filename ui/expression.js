// expression.js: what attributes say to Alpine (see alpine.js), as functions of what they speak of.
// Pure.

const TERM = /^(!{0,2})([$\w]+(?:\.\w+)*)(?:\(([^()]*)\))?$/;
const SET = /^(\w+(?:\.\w+)*) = (\w+)$/;

const known = new Map();

// (scope) → its value.
export function expressionOf(text) {
    if (!known.has(text)) known.set(text, setOf(text) || bothOf(text.split(" && ").map(termOf)));
    return known.get(text);
}

const bothOf = (terms) => (scope) => terms.reduce((value, term) => value && term(scope), true);

function termOf(text) {
    if (/^'[^']*'$/.test(text)) return () => text.slice(1, -1);
    const [, not, path, given] = TERM.exec(text) || fail(text);
    const terms = given?.split(/, */).filter(Boolean).map(termOf);
    const value = (scope) => {
        const found = valueOf(path, scope);
        return terms ? found.apply(scope, terms.map((term) => term(scope))) : found;
    };
    if (!not) return value;
    return (scope) => (not === "!") !== Boolean(value(scope));
}

function setOf(text) {
    const [, path, from] = SET.exec(text) || [];
    if (!path) return null;
    const [, of, name] = /^(?:(.*)\.)?(\w+)$/.exec(path);
    return (scope) => void ((of ? valueOf(of, scope) : scope)[name] = scope[from]);
}

function valueOf(path, scope) {
    const [first, ...parts] = path.split(".");
    if (!(first in scope)) throw new Error("there is no " + first);
    return parts.reduce((value, name) => value[name], scope[first]);
}

function fail(text) {
    throw new Error("an attribute says what ui/expression.js does not know: " + text);
}
