// beanstalkd: tasks that do nothing: put, reserved, deleted. "single": 64 connections, each with one task, which
// waits for each answer; "pipelined": one connection, 64 of a kind written at once. beanstalkd keeps only puts and
// deletes on the disk. Usage: beanstalkd.mjs - TASKS pipelined|single PORT
import { once } from "node:events";
import { connect } from "node:net";

const [, tasks, how, port] = process.argv.slice(2);
const count = Number(tasks), AT_ONCE = 64;
const PUT = "put 0 0 600 8\r\nnothing!\r\n", RESERVE = "reserve\r\n", remove = (id) => `delete ${id}\r\n`;

async function open() {
    const socket = connect(Number(port), "127.0.0.1").setNoDelay(true);
    await once(socket, "connect");
    let text = "", wanted = 0, answers = [], resolve;
    socket.on("data", (bytes) => {
        text += bytes.toString("latin1");
        for (let end; (end = text.indexOf("\r\n")) >= 0; ) {
            const reserved = /^RESERVED (\d+) (\d+)$/.exec(text.slice(0, end));
            const length = end + 2 + (reserved ? Number(reserved[2]) + 2 : 0);
            if (text.length < length) return;
            if (!reserved && !/^(INSERTED \d+|DELETED)$/.test(text.slice(0, end))) throw new Error(`beanstalkd says ${text.slice(0, end)}`);
            answers.push(reserved?.[1]);
            text = text.slice(length);
            if (answers.length === wanted) resolve(answers);
        }
    });
    /** Writes some commands, resolves with the ids of their answers. */
    return (commands) => {
        wanted = commands.length;
        answers = [];
        socket.write(commands.join(""));
        return new Promise((done) => (resolve = done));
    };
}

const connections = await Promise.all(Array.from({ length: how === "single" ? AT_ONCE : 1 }, open));
const a_time = how === "single" ? 1 : AT_ONCE;
let left = count;
const began = performance.now();
await Promise.all(connections.map(async (ask) => {
    while (left > 0) {
        const some = Math.min(a_time, left);
        left -= some;
        await ask(Array(some).fill(PUT));
        const ids = await ask(Array(some).fill(RESERVE));
        await ask(ids.map(remove));
    }
}));
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
process.exit();
