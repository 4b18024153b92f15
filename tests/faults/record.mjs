// record.mjs: viewers that judge nothing. Each keeps, in an append-only list, what it said and what
// it was told, as received; it knows just enough of the protocol to come back with its cursor. The
// judge is validate.mjs, afterwards.
//
//     const viewer = view("v1", { url, topic: "job:" + id, since: epoch + ":0" });
//     await viewer.ended;                        // it was told the end of its topic
//     validate([viewer.recording], truth)
//
// Transports: v1 and deflate (WebSocket with the sub-protocol, without and with an offer of
// permessage-deflate), plain (WebSocket without it), sse, poll, follow (`tailrace logs --follow`).
// `url` is a text, or a function that may promise one: who waits for a server waits there.

import { spawn } from "node:child_process";
import http from "node:http";
import { createInterface } from "node:readline";

import WebSocket from "ws";

import { BINARY } from "../api/server.mjs";

const AGAIN_MS = 20; // between two attempts to connect

class Recording {
    entries = [];

    constructor(transport, { topic, since, only }) {
        Object.assign(this, { transport, topic, since, only });
    }

    // kind: "sent" (a message or an address that was asked for), "frame" (as received), "close".
    add(connection, kind, text) {
        this.entries.push({ connection, kind, text, at: performance.now() });
    }
}

class Viewer {
    connection = 0;
    over = false;
    ends = true; // it sees the end of a job by itself
    events = 0; // received, also twice; what tests wait for
    #waiting = [];

    constructor(transport, options) {
        this.url = typeof options.url === "function" ? options.url : () => options.url;
        this.topic = options.topic;
        this.options = options;
        [this.epoch, this.cursor] = parseCursor(options.since);
        this.recording = new Recording(transport, options);
        this.ended = new Promise((resolve) => (this.#end = resolve));
        this.#run();
    }

    #end;

    // One connection after the other, until the end.
    async #run() {
        while (!this.over) {
            const url = await this.url();
            if (this.over) break;
            this.connection += 1;
            await this.connect(url);
            if (!this.over) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        }
        this.#end();
        this.#waiting.forEach(({ resolve }) => resolve());
    }

    add(kind, text) {
        this.recording.add(this.connection, kind, text);
    }

    received(count) {
        this.events += count;
        this.#waiting = this.#waiting.filter(({ wanted, resolve }) => this.events < wanted || resolve());
    }

    // Resolves when so many events have come, or the viewer has ended.
    reached(wanted) {
        if (this.over || this.events >= wanted) return Promise.resolve();
        return new Promise((resolve) => this.#waiting.push({ wanted, resolve }));
    }

    // The rule of docs/protocol.md. False: there is a gap, and the topic is to be asked for again.
    take(frame) {
        if (frame.type === "snapshot") this.cursor = frame.as_of;
        if (frame.type === "end") this.finish();
        if (frame.type !== "events") return true;
        this.received(frame.events.length);
        if (frame.from > this.cursor) return false;
        this.cursor = Math.max(this.cursor, frame.to);
        return true;
    }

    get since() {
        return this.epoch + ":" + this.cursor;
    }

    finish() {
        this.over = true;
        this.cut();
    }

    // Nothing more: not all topics end.
    stop() {
        this.finish();
        return this.ended;
    }
}

export function parseCursor(text) {
    const [epoch, seq] = (text ?? ":0").split(":");
    return [epoch, Number(seq)];
}

class WebSocketViewer extends Viewer {
    protocols = [];

    connect(url) {
        const deflate = this.recording.transport === "deflate";
        const ws = new WebSocket(url.replace("http", "ws") + "/ws", this.protocols, { perMessageDeflate: deflate });
        this.ws = ws;
        ws.on("message", (data) => {
            if (ws !== this.ws || this.over) return;
            this.add("frame", data.toString());
            this.heard(data.toString());
        });
        ws.on("error", () => {}); // a close follows
        return new Promise((resolve) =>
            ws.on("close", (code) => {
                this.add("close", String(code));
                resolve();
            }),
        );
    }

    cut() {
        this.ws?.terminate();
    }

    // Takes nothing from the socket, as a process that was stopped.
    stall() {
        this.ws?.pause();
    }

    goOn() {
        this.ws?.resume();
    }
}

class V1Viewer extends WebSocketViewer {
    protocols = ["tailrace.v1"];

    say(message) {
        if (this.ws.readyState !== WebSocket.OPEN) return;
        this.add("sent", JSON.stringify(message));
        this.ws.send(JSON.stringify(message));
    }

    subscribe() {
        this.say({ op: "sub", topic: this.topic, since: this.since });
    }

    heard(text) {
        const frame = JSON.parse(text);
        if (frame.type === "status") {
            this.epoch ||= frame.payload.epoch;
            this.status = frame.payload;
            this.subscribe();
        } else if (frame.type === "error" && frame.retry) {
            this.cut();
        } else if (!this.take(frame)) {
            this.subscribe();
        } else if (frame.type === "snapshot") {
            this.epoch = this.status.epoch;
        }
    }
}

class PlainViewer extends WebSocketViewer {
    ends = false;

    heard() {
        this.received(1);
    }
}

class HttpViewer extends Viewer {
    agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

    // Hands on the response; null: there was none.
    ask(url, headers = {}) {
        const said = Object.entries(headers).map(([name, value]) => ` ${name}: ${value}`);
        this.add("sent", new URL(url).pathname + new URL(url).search + said.join(""));
        return new Promise((resolve) => {
            this.request = http.get(url, { agent: this.agent, headers }, resolve);
            this.request.on("error", (error) => {
                this.add("close", error.code ?? error.message);
                resolve(null);
            });
        });
    }

    cut() {
        this.request?.destroy();
    }

    stall() {
        this.request?.socket?.pause();
    }

    goOn() {
        this.request?.socket?.resume();
    }

    finish() {
        super.finish();
        this.agent.destroy();
    }
}

class PollViewer extends HttpViewer {
    async connect(url) {
        while (!this.over && (await this.poll(url)));
    }

    // False: the answer did not come, or was no answer.
    async poll(url) {
        const topic = encodeURIComponent(this.topic);
        const response = await this.ask(`${url}/api/events?topic=${topic}&since=${this.since}&wait=20`);
        const text = response && (await whole(response));
        if (text === null || this.over) return false;
        this.add("frame", `${response.statusCode} ${text}`);
        if (response.statusCode === 410) return this.beginAgain(url);
        if (response.statusCode !== 200) return false;
        const frame = JSON.parse(text);
        this.take({ ...frame, type: "events" });
        if (frame.end) this.finish();
        return true;
    }

    // A fresh state, and on from its cursor.
    async beginAgain(url) {
        const response = await this.ask(`${url}/api/jobs?limit=1`);
        const text = response && (await whole(response));
        if (text === null || response.statusCode !== 200) return false;
        const { cursor } = JSON.parse(text);
        this.add("frame", `200 ${JSON.stringify({ cursor })}`);
        [this.epoch, this.cursor] = parseCursor(cursor);
        return true;
    }
}

// All of a body, or null when it broke off.
function whole(response) {
    const parts = [];
    response.on("data", (part) => parts.push(part));
    return new Promise((resolve) => {
        response.on("end", () => resolve(response.complete ? Buffer.concat(parts).toString() : null));
        response.on("error", () => resolve(null));
        response.on("close", () => resolve(null));
    });
}

class SseViewer extends HttpViewer {
    lastId = null;

    async connect(url) {
        const topic = encodeURIComponent(this.topic);
        const headers = this.lastId ? { "Last-Event-ID": this.lastId } : {};
        const since = this.recording.since ? `&since=${this.recording.since}` : "";
        const response = await this.ask(`${url}/api/events/stream?topic=${topic}${since}`, headers);
        if (!response) return;
        if (response.statusCode === 200) return this.read(response);
        this.add("frame", `${response.statusCode} ${await whole(response)}`);
        if (response.statusCode === 204) this.finish(); // nothing will follow
    }

    read(response) {
        let rest = "";
        response.setEncoding("utf8");
        response.on("data", (part) => {
            const blocks = (rest + part).split("\n\n");
            rest = blocks.pop();
            for (const block of blocks) {
                if (this.over) return;
                this.add("frame", block);
                this.heard(block);
            }
        });
        response.on("error", () => {}); // a close follows
        return new Promise((resolve) =>
            response.on("close", () => {
                this.add("close", response.complete ? "end" : "broken off");
                resolve();
            }),
        );
    }

    heard(block) {
        const { id, frame } = parseSse(block);
        if (id) this.lastId = id;
        if (frame && !this.take(frame)) this.cut();
    }
}

// One block of an event stream: {id, frame}; a comment has neither.
export function parseSse(block) {
    const fields = { data: "" };
    for (const line of block.split("\n")) {
        const [, name, value] = line.match(/^([^:]*):? ?(.*)$/s);
        if (name === "data") fields.data += value;
        else if (name) fields[name] = value;
    }
    const frame = fields.data ? JSON.parse(fields.data) : null;
    if (frame && fields.event) frame.type = fields.event;
    return { id: fields.id, frame };
}

class FollowViewer extends Viewer {
    async connect(url) {
        const id = this.topic.replace("job:", "");
        const args = ["logs", id, "--follow", "--json", "--server", url];
        this.add("sent", args.join(" "));
        this.child = spawn(BINARY, args, { stdio: ["ignore", "pipe", "pipe"] });
        this.stderr = "";
        this.child.stderr.on("data", (data) => (this.stderr += data));
        createInterface({ input: this.child.stdout }).on("line", (line) => {
            this.add("frame", line);
            this.received(1);
        });
        const code = await new Promise((resolve) => this.child.on("close", resolve));
        this.add("close", /Sanitizer|runtime error/.test(this.stderr) ? this.stderr : String(code));
        // its very first question was not answered (8), or by a server that was stopping (6)
        if (!(["6", "8"].includes(String(code)) && this.events === 0)) this.over = true;
    }

    signal(name) {
        this.child?.kill(name);
    }

    stall() {
        this.signal("SIGSTOP");
    }

    goOn() {
        this.signal("SIGCONT");
    }

    cut() {} // it has no cursor of its own to come back with

    stop() {
        this.over = true;
        this.signal("SIGCONT");
        this.signal("SIGTERM");
        return this.ended;
    }
}

const VIEWERS = {
    v1: V1Viewer,
    deflate: V1Viewer,
    plain: PlainViewer,
    sse: SseViewer,
    poll: PollViewer,
    follow: FollowViewer,
};

export const TRANSPORTS = Object.keys(VIEWERS);

// options: url, topic (the plain form has none), since (a cursor; the plain form and `follow` take none),
// only (of a topic of many jobs: the job whose events are judged).
export const view = (transport, options) => new VIEWERS[transport](transport, options);
