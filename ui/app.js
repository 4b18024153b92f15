// app.js: starts the shell and, inside it, the page that this is. Each page's module calls it.

import Alpine from "@alpinejs/csp";

import { unobservedBy } from "./dom.js";
import { shellMake } from "./shell.js";

// pageMake: makes the Alpine component of <main>.
export function start(pageMake) {
    Alpine.data("shell", shellMake);
    Alpine.data("page", pageMake);
    Alpine.start();
    unobservedBy(Alpine.mutateDom);
}
