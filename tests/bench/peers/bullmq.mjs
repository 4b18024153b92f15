// BullMQ: tasks that do nothing, enqueued (a thousand a call, or one a call and 64 calls under way) and carried
// out by a worker with 64 at a time. Usage: bullmq.mjs PACKAGES TASKS bulk|single PORT
import { createRequire } from "node:module";

const [folder, tasks, how, port] = process.argv.slice(2);
const { Queue, Worker } = createRequire(`${folder}/`)("bullmq");
const count = Number(tasks), AT_ONCE = 64, A_CALL = 1000;
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };

const queue = new Queue("bench", { connection, defaultJobOptions: { removeOnComplete: true } });
await queue.waitUntilReady();
const began = performance.now();

if (how === "bulk") {
    // First all of it, then the work: side by side is slower, they share this process.
    for (let from = 0; from < count; from += A_CALL)
        await queue.addBulk(Array.from({ length: Math.min(A_CALL, count - from) }, (_, i) => ({ name: "nothing", data: { number: from + i } })));
}
let done = 0;
const worker = new Worker("bench", async () => {}, { connection, concurrency: AT_ONCE });
const ended = new Promise((resolve) => worker.on("completed", () => ++done === count && resolve()));
if (how === "single") {
    let next = 0;
    const one = async () => {
        while (next < count) await queue.add("nothing", { number: next++ });
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
}
await ended;
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
process.exit();
