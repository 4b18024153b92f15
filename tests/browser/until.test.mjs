// until() itself, on which all tests of this folder wait: it misses nothing, whatever tells of it.

import { after, test } from "node:test";

import { blankPage, quit, until } from "./browser.mjs";

after(quit);

// A blank page of which `wanted` becomes true once it is waited for, by `change`.
async function changed(t, change, wanted) {
    const reader = await blankPage();
    t.after(() => reader.close());
    await reader.setContent("<p style='height: 9999px'></p><input>");
    await reader.evaluate(change);
    await until(reader, wanted);
}

const changes = {
    "a variable": [() => setTimeout(() => (window.isThere = true), 100), () => window.isThere],
    "a value": [() => setTimeout(() => (document.querySelector("input").value = "x"), 100), () => document.querySelector("input").value],
    "a place that is scrolled to": [() => setTimeout(() => scrollTo(0, 99), 100), () => scrollY === 99],
    "what was not there to be asked about": [() => setTimeout(() => (window.it = { is: true }), 100), () => window.it.is],
    "what is there for a moment only": [
        () => setTimeout(async () => ((document.body.id = "x"), await null, await null, (document.body.id = "")), 100),
        () => document.body.id === "x",
    ],
};
for (const [what, [change, wanted]] of Object.entries(changes))
    test(`${what} is seen`, { timeout: 60000 }, (t) => changed(t, change, wanted));
