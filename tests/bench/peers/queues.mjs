// Queues beside which tasks are measured: their servers, each with nothing in it and every change fsynced, and
// their clients, one run of each. Servers are Debian's; clients from npm are installed into build/queues.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { BOTH_CORES, ROOT, accepts, freePort, scratch, start, stop } from "../rig.mjs";

// The newest that Debian's node runs; ioredis is BullMQ's usual driver.
const PACKAGES = ["bullmq@6.7.0", "ioredis@6.0.0", "graphile-worker@0.17.3"];
const here = path.dirname(fileURLToPath(import.meta.url));
const folder = path.join(ROOT, "build", "queues");

/** Fetches the clients, once. */
export function installClients() {
    const names = PACKAGES.map((name) => name.replace(/@[^@]*$/, ""));
    if (names.every((name) => existsSync(path.join(folder, "node_modules", name)))) return;
    mkdirSync(folder, { recursive: true });
    execFileSync("npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", ...PACKAGES], { stdio: "pipe" });
}

/** Runs a client to its end: tasks/s. It prints {"seconds": n} for all of them, enqueued and completed. */
async function client(file, tasks, how, ...more) {
    const child = start(BOTH_CORES, process.execPath, [path.join(here, file), folder, String(tasks), how, ...more]);
    const { value } = await child.lines.next();
    await child.ended;
    if (!value) throw new Error(`${file} ended early`);
    return tasks / JSON.parse(value).seconds;
}

async function withServer(child, port, use) {
    try {
        while (child.exitCode === null && !(await accepts(port)));
        return await use();
    } finally {
        await stop(child);
    }
}

/** How: "bulk" or "single". */
export async function bullmq(tasks, how) {
    const home = mkdtempSync(path.join(scratch, "redis-")), port = await freePort();
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    const child = start(BOTH_CORES, "redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", home, "--logfile", "log", ...durable]);
    return withServer(child, port, () => client("bullmq.mjs", tasks, how, String(port)));
}

/** How: "pipelined" or "single". */
export async function beanstalkd(tasks, how) {
    const home = mkdtempSync(path.join(scratch, "beanstalkd-")), port = await freePort();
    const child = start(BOTH_CORES, "beanstalkd", ["-b", home, "-f0", "-l", "127.0.0.1", "-p", String(port)]);
    return withServer(child, port, () => client("beanstalkd.mjs", tasks, how, String(port)));
}

/** PostgreSQL does not run as root: then as the user that Debian made for it. */
function asPostgres(command, args) {
    return process.getuid() ? [command, args] : ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", command, ...args]];
}

/** How: "bulk" or "single". */
export async function graphile(tasks, how) {
    const home = mkdtempSync(path.join(scratch, "postgres-")), data = path.join(home, "data"), port = await freePort();
    const programs = "/usr/lib/postgresql", bin = path.join(programs, readdirSync(programs).sort().at(-1), "bin");
    chmodSync(scratch, 0o711);
    if (!process.getuid()) execFileSync("chown", ["postgres", home]);
    execFileSync(...asPostgres(path.join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "postgres", "--no-sync"]), { stdio: "pipe" });
    const settings = ["fsync=on", "synchronous_commit=on", "shared_buffers=512MB", "max_wal_size=4GB", "wal_level=minimal", "max_wal_senders=0",
        "max_connections=120", "autovacuum=off"].flatMap((setting) => ["-c", setting]);
    const args = ["-D", data, "-p", String(port), "-k", home, "-c", "listen_addresses=127.0.0.1", ...settings];
    const child = start(BOTH_CORES, ...asPostgres(path.join(bin, "postgres"), args));
    try {
        return await withServer(child, port, () => client("graphile.mjs", tasks, how, home, String(port)));
    } finally {
        rmSync(home, { recursive: true, force: true });
    }
}
