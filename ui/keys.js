// keys.js: every key of the page in one place, so that the help tells all of them.
//
//     keysAdd("Log", [{ keys: ["j", "k"], about: "line down, up", run: (key) => … }]);
//
// A key is as KeyboardEvent.key names it. It does nothing while the reader types or a dialog is
// open. run() may return false: then the key was not for it.

const groups = [];

export function keysAdd(title, keys) {
    groups.push({ title, keys });
}

// [{title, keys: [{keys, about}]}], for the help.
export const keyGroups = () => groups;

const TYPING = "input, textarea, select, [contenteditable], .menu";

addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return;
    // A field that was closed just now has the focus until the next frame.
    if (document.querySelector("dialog[open]") || e.target.closest?.(TYPING)?.checkVisibility()) return;
    for (const { keys } of groups) {
        const found = keys.find((entry) => entry.keys.includes(e.key));
        if (!found || found.run(e.key, e) === false) continue;
        e.preventDefault();
        return;
    }
});
