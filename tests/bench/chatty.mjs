// What one process that writes as fast as it can brings to the log, and what else does with the same bytes.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { scratch, tailrace } from "./rig.mjs";

export const LINE_BYTES = 170;

/** Lines as a crawler writes them: alike, but not the same. */
export function writeLines(file, lines) {
    let state = 20261123;
    const any = (below) => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % below;
    };
    const hex = () => any(2 ** 32).toString(16).padStart(8, "0");
    const out = openSync(file, "w");
    for (let made = 0; made < lines; made += 10000) {
        let text = "";
        for (let i = 0; i < 10000; i++)
            text += (["fetched", "skipped", "queued", "parsed"][any(4)] + ` http://127.0.0.1:8090/articles/${any(5000)}/${hex()}.html status ` +
                `${any(50) ? 200 : 404} in ${any(900)} ms, ${any(90000)} bytes, depth ${any(4)}, queue ${any(700)}, links found ${any(60)}, ` +
                `worker ${any(8)}, host ok`).padEnd(LINE_BYTES - 1, ".") + "\n";
        writeFileSync(out, text);
    }
    closeSync(out);
}

/** Follows the states of the job to its end: when its step `name` began and when the end came, in seconds. */
async function stepSeconds(server, name) {
    const topic = encodeURIComponent(`${server.topic}?min=error`);
    let began = 0;
    for (let cursor = (await server.json("/api/status")).cursor, end = false; !end; ) {
        const answer = await server.json(`/api/events?topic=${topic}&since=${cursor}&wait=25`);
        for (const { type, ts, payload } of answer.events)
            if (type === "job_status_change" && payload.step_name === name && payload.kind === "step" && payload.status === "running") began = Date.parse(ts);
        cursor = answer.cursor;
        end = answer.end;
    }
    return (Date.now() - began) / 1000;
}

/**
 * A shell step with `cat` of the file, from its start until the job's end is durable and told: lines/s. It writes
 * to pipes, or to terminals. `after` gets the server, which then runs no longer than it.
 */
export async function oneStep(file, lines, cores, { pty = false, after = async () => {} } = {}) {
    const server = await tailrace([{ name: "lines", type: "shell", config: { command: `exec cat '${file}'`, pty } }], { cores });
    const over = stepSeconds(server, "lines");
    server.go();
    const seconds = await over;
    const { total_logs: kept } = await server.json(`/api/jobs/${server.topic.slice(4)}/status`);
    if (kept < lines) throw new Error(`${lines} lines were written, ${kept} are kept`);
    await after(server);
    await server.stop();
    return lines / seconds;
}

/** Lines/s of a command line with `COPY` for the file that it writes. */
function commandLine(text, lines, cores) {
    const copy = path.join(scratch, "copy");
    const began = process.hrtime.bigint();
    execFileSync("taskset", ["-c", cores, "sh", "-c", text.replaceAll("COPY", `'${copy}'`)]);
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    rmSync(copy);
    return lines / seconds;
}

export const catAndSync = (file, lines, cores) => commandLine(`cat '${file}' > COPY; sync COPY`, lines, cores);
export const catThroughTs = (file, lines, cores) => commandLine(`cat '${file}' | ts > COPY`, lines, cores);
