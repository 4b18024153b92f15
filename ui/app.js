// app.js: starts the shell and, inside it, the page that this is. Each page's module calls it.

import { data, mutateDom, start as alpineStart } from "./alpine.js";
import { unobservedBy } from "./dom.js";
import { shellMake } from "./shell.js";

// pageMake: makes the Alpine component of <main>.
export function start(pageMake) {
    data("shell", shellMake);
    data("page", pageMake);
    alpineStart();
    unobservedBy(mutateDom);
}
