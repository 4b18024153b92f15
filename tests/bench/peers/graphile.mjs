// graphile-worker: tasks that do nothing, enqueued (a thousand a call, or one a call and 64 calls under way) and
// carried out 64 at a time, tuned for throughput: tasks are fetched 500 at a time and their ends written in
// batches. Usage: graphile.mjs PACKAGES TASKS bulk|single SOCKET-FOLDER PORT
import { createRequire } from "node:module";

const [folder, tasks, how, host, port] = process.argv.slice(2);
const packages = createRequire(`${folder}/`);
const { Logger, makeWorkerUtils, run } = packages("graphile-worker"), { Pool } = packages("pg");
const count = Number(tasks), AT_ONCE = 64, A_CALL = 1000;

const pgPool = new Pool({ host, port: Number(port), user: "postgres", database: "postgres", max: AT_ONCE + 6 });
pgPool.on("error", () => {});
pgPool.on("connect", (client) => client.on("error", () => {}));
const logger = new Logger(() => () => {});
const tools = await makeWorkerUtils({ pgPool, logger });
await tools.migrate();
const began = performance.now();

if (how === "bulk")
    for (let from = 0; from < count; from += A_CALL)
        await tools.addJobs(Array.from({ length: Math.min(A_CALL, count - from) }, (_, i) => ({ identifier: "nothing", payload: { number: from + i } })));
const worker = { concurrentJobs: AT_ONCE, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
let done = 0;
const runner = await run({ pgPool, logger, noHandleSignals: true, preset: { worker }, taskList: { nothing: async () => {} } });
const ended = new Promise((resolve) => runner.events.on("job:complete", () => ++done === count && resolve()));
if (how === "single") {
    let next = 0;
    const one = async () => {
        while (next < count) await tools.addJob("nothing", { number: next++ });
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
}
await ended;
// The last batch of ends may not be written yet.
while ((await pgPool.query("SELECT 1 FROM graphile_worker._private_jobs LIMIT 1")).rowCount > 0);
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
process.exit();
