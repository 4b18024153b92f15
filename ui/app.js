// app.js: starts the shell and, inside it, the page that this is.

import Alpine from "@alpinejs/csp";

import { pageMake as queueMake } from "./pages/queue.js";
import { shellMake } from "./shell.js";

const PAGES = { queue: queueMake };

Alpine.data("shell", shellMake);
Alpine.data("page", PAGES[document.body.dataset.page]);
Alpine.start();
