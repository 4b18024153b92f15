// logpage.js: makes a page into one with nothing but a log in it, of a step named in its address:
// what a page has to do for <tailrace-log>, and no more. `window.log` is the element, `told` what it
// told, `asked` its requests.

import { dispatch, live, onPaint } from "../../ui/state.js";
import { jobTopic } from "../../ui/reducer.js";
import "../../ui/log/log.js";

const { job, step } = Object.fromEntries(new URLSearchParams(location.search));
const topic = jobTopic(job);
const log = document.createElement("tailrace-log");
Object.assign(window, { log, told: [], asked: [] });

async function ask(what, params) {
    const query = new URLSearchParams({ step, ...params });
    window.asked.push(what + "?" + query);
    const answer = await fetch("/api/jobs/" + job + "/" + what + "?" + query);
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    return body;
}

document.body.replaceChildren(document.querySelector(".sprite"), document.querySelector("main"));
document.querySelector("main").replaceChildren(log);
for (const name of ["logfollow", "loghits", "logplace", "lognotice"])
    log.addEventListener(name, ({ detail }) => window.told.push([name, detail]));
log.open({
    jobId: job,
    stepId: step,
    name: step,
    fetchPage: async (after, limit) => (await ask("logs", { after, limit })).logs,
    search: (params) => ask("search", params),
});
dispatch({ type: "tail", topic, lines: 512 });
onPaint((state) => {
    const tree = state.trees[job];
    if (tree) log.show(tree.steps.find(({ name }) => name === step));
});
live.open(topic);
live.start();
