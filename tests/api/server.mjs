// server.mjs: a real server of one test's own: port 0, its own data folder, stopped by its pid.
//
//     const server = await serve(t, { definitions: { "a.yaml": "id: a ..." } });
//     const { status, body } = await server.get("/api/jobs");
//     const job = await server.run("a");              // waits until it is final
//
// TAILRACE_BIN names another binary, such as a sanitizer build.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import WebSocket from "ws";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
export const BINARY = process.env.TAILRACE_BIN || path.join(ROOT, "build", "tailrace");

const newest = new Map(); // data folder -> its newest server
const killed = new Set(); // data folders whose newest server had no chance to end its commands

export async function folder(t) {
    const name = await mkdtemp(path.join(tmpdir(), "tailrace-test-"));
    const within = (data) => data === name || data.startsWith(name + "/");
    // What a test registers first is done first: the folder goes when nobody writes into it any more.
    t.after(async () => {
        for (const [data, server] of newest) if (within(data) && newest.delete(data)) await server.stop();
        for (const data of killed) if (within(data)) await commandsEnd(data);
        await rm(name, { recursive: true, force: true });
    });
    return name;
}

// What the next server of this folder does first, and no more of what it does.
async function commandsEnd(data) {
    killed.delete(data);
    await command(["serve", "--listen", "127.0.0.1:0", "--data", data], { cwd: tmpdir(), env: { ...process.env, TAILRACE_FAULT: "worker.shell.leftovers:1" } });
}

// A process that ends by itself: {code, stdout, stderr}.
export async function command(args, options = {}) {
    const child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    const out = { stdout: "", stderr: "" };
    child.stdout.on("data", (data) => (out.stdout += data));
    child.stderr.on("data", (data) => (out.stderr += data));
    const [code] = await once(child, "close");
    return { code, ...out };
}

export class Server {
    constructor(child, url, quiet = false) {
        this.child = child;
        this.url = url;
        this.pid = child.pid;
        this.stderr = "";
        this.ended = once(child, "close").then(([code, signal]) => {
            if (code !== 0 && signal !== this.asked && !quiet) console.error(`server ${this.pid} ended with ${code ?? signal}:\n${this.stderr}`);
            return { code, signal };
        });
    }

    get port() {
        return Number(new URL(this.url).port);
    }

    async fetch(target, options) {
        const response = await fetch(this.url + target, options);
        const text = await response.text();
        const json = (response.headers.get("content-type") || "").startsWith("application/json");
        return { status: response.status, headers: response.headers, text, body: json && text ? JSON.parse(text) : null };
    }

    get(target) {
        return this.fetch(target);
    }

    post(target, body = {}) {
        return this.fetch(target, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
        });
    }

    async execute(definition, parameters) {
        const { status, body } = await this.post(`/api/job-definitions/${definition}/execute`, parameters ? { parameters } : {});
        if (status !== 202) throw new Error(`execute: ${status} ${body.error}`);
        return body.job_id;
    }

    // All events of a topic after a cursor, one answer after the other, until its end.
    async events(topic, since) {
        const events = [];
        for (let cursor = since; ; ) {
            const { status, body } = await this.get(`/api/events?topic=${encodeURIComponent(topic)}&since=${cursor}&wait=25`);
            if (status !== 200) throw new Error(`events: ${status} ${body.error}`);
            events.push(...body.events);
            if (body.end) return events;
            cursor = body.cursor;
        }
    }

    // The first event of a job, from its beginning on, that `want` takes; it has to come before the
    // job's end.
    async event(job, want) {
        for (let cursor = await this.beginning(); ; ) {
            const { body } = await this.get(`/api/events?topic=job:${job}&since=${cursor}&wait=25`);
            const found = body.events.find(want);
            if (found) return found;
            if (body.end) throw new Error("the job ended, and the event did not come");
            cursor = body.cursor;
        }
    }

    async cursor() {
        return (await this.get("/api/status")).body.cursor;
    }

    // The cursor from which the whole log follows.
    async beginning() {
        return (await this.cursor()).replace(/:.*/, ":0");
    }

    // Executes a definition and waits for the end of the job.
    async run(definition, parameters) {
        const id = await this.execute(definition, parameters);
        await this.events(`job:${id}?min=none`, await this.beginning()); // not its lines
        return id;
    }

    // Waits until it has said something on stderr; what it did since may be known before.
    async said(what) {
        while (!what.test(this.stderr)) await once(this.child.stderr, "data");
    }

    // An open socket with `next()`, which waits for the next message that `want` takes.
    socket(protocols = [], options = {}) {
        return new Socket(new WebSocket(this.url.replace("http", "ws") + "/ws", protocols, options));
    }

    async stop(signal = "SIGTERM") {
        this.asked = signal;
        if (this.child.exitCode === null && this.child.signalCode === null) process.kill(this.pid, signal);
        return this.ended;
    }
}

export class Socket {
    constructor(ws) {
        this.ws = ws;
        this.messages = []; // not yet taken by next()
        this.seen = []; // all
        this.waiting = null;
        this.opened = once(ws, "open");
        this.opened.catch(() => {});
        this.closed = new Promise((resolve) => {
            ws.on("close", (code, reason) => {
                resolve({ code, reason: reason.toString() });
                this.waiting?.();
            });
        });
        ws.on("error", () => {}); // a close follows
        ws.on("message", (data) => {
            const message = JSON.parse(data.toString());
            this.messages.push(message);
            this.seen.push(message);
            this.waiting?.();
        });
    }

    async next(want = () => true) {
        const matches = typeof want === "string" ? (m) => m.type === want : want;
        for (;;) {
            while (this.messages.length) {
                const message = this.messages.shift();
                if (matches(message)) return message;
            }
            if (this.ws.readyState === WebSocket.CLOSED) throw new Error("the socket was closed before the message came");
            await new Promise((resolve) => (this.waiting = resolve));
        }
    }

    send(message) {
        this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
    }

    close() {
        this.ws.close();
        return this.closed;
    }
}

// Starts a server and stops it when the test `t` ends. options: definitions {file: text}, args,
// env, cwd, data (a folder that outlives it), binary (another program), quiet (it is to die),
// spawned (is given the process, which does not listen yet).
export async function serve(t, options = {}) {
    const home = await folder(t);
    const definitions = path.join(home, "definitions");
    await mkdir(definitions);
    for (const [name, text] of Object.entries(options.definitions || {})) await writeFile(path.join(definitions, name), text);
    const data = options.data || path.join(home, "data");
    const args = ["serve", "--listen", "127.0.0.1:0", "--data", data, "--definitions", definitions, ...(options.args || [])];
    const child = spawn(options.binary || BINARY, args, {
        cwd: options.cwd || home,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...options.env },
    });
    options.spawned?.(child);
    killed.delete(data);
    child.on("exit", (code, signal) => signal && killed.add(data));
    const server = new Server(child, "", options.quiet);
    newest.set(data, server);
    child.stderr.on("data", (data) => (server.stderr += data));
    t.after(() => server.stop());
    for await (const line of createInterface({ input: child.stdout })) {
        const found = line.match(/^listening on (http:\/\/\S+)$/);
        if (found) {
            server.url = found[1];
            child.stdout.resume();
            return server;
        }
    }
    await server.ended;
    throw new Error("the server did not start: " + server.stderr);
}

// A server on loopback that notes what it was asked, and answers as `answer` says: got(n) waits for
// the n-th request. `port` to come back on the same one.
export async function listener(t, answer = (request, response) => response.end("fine\n"), port = 0) {
    const asked = [], waiting = [];
    const it = http.createServer(async (request, response) => {
        let body = "";
        for await (const part of request) body += part;
        asked.push({ method: request.method, path: request.url, headers: request.headers, body });
        answer(request, response, asked.length);
        for (const wake of waiting.splice(0)) wake();
    });
    it.listen(port, "127.0.0.1");
    await once(it, "listening");
    const close = () => new Promise((closed) => {
        it.close(closed);
        it.closeAllConnections();
    });
    t.after(close);
    return {
        url: `http://127.0.0.1:${it.address().port}`, port: it.address().port, asked, close,
        async got(n) {
            while (asked.length < n) await new Promise((wake) => waiting.push(wake));
            return asked[n - 1];
        },
    };
}
