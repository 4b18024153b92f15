// proxy.mjs: a network of the test's own between a viewer and the server. It passes bytes on until it
// is told to misbehave.
//
//     const proxy = await Proxy.open(t, () => server.port);
//     proxy.plan = (n) => ({ down: { cut: 4711 } });     // what happens to the n-th connection
//     proxy.links.forEach((link) => link.reset());       // what happens now
//
// A plan has a way `down` (server to client) and a way `up`, each with:
//     cut        end the connection after exactly so many bytes
//     half       after so many bytes only this way ends; the other goes on
//     hole       after so many bytes nothing is passed on any more, and nothing is read
//     latency    ms that each piece is on its way
//     bandwidth  bytes a second
// and `reset: true`, which makes a cut an RST.

import { once } from "node:events";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const PIECES_PER_S = 20; // how finely a small bandwidth is doled out
const ON_THE_WAY = 64; // pieces that a latency holds

const least = (way) => Math.min(way.cut ?? Infinity, way.half ?? Infinity, way.hole ?? Infinity);

class Link {
    passed = { down: 0, up: 0 };
    #open = { down: Promise.resolve(), up: Promise.resolve() };
    #release = {};

    constructor(client, server, plan) {
        Object.assign(this, { client, server, plan });
        this.over = Promise.all([once(client, "close"), once(server, "close")].map((p) => p.catch(() => {})));
        for (const socket of [client, server]) socket.on("error", () => this.cut()).setNoDelay();
        this.#pass("up", client, server);
        this.#pass("down", server, client);
    }

    async #pass(direction, from, to) {
        const way = this.plan[direction] ?? {};
        const most = way.bandwidth ? Math.ceil(way.bandwidth / PIECES_PER_S) : Infinity;
        let sent = Promise.resolve(), waiting = 0;
        try {
            if (least(way) === 0) this.#strike(direction, way, to);
            for await (let chunk of from.iterator({ destroyOnReturn: false })) {
                while (chunk.length && !to.writableEnded) {
                    const left = least(way) - this.passed[direction];
                    const piece = chunk.subarray(0, Math.min(most, left));
                    chunk = chunk.subarray(piece.length);
                    await this.#open[direction];
                    this.passed[direction] += piece.length;
                    const late = way.latency ? pause(way.latency) : null;
                    waiting += 1;
                    sent = sent.then(() => late).then(() => write(to, piece)).then(() => (waiting -= 1));
                    if (!late || waiting > ON_THE_WAY || piece.length === left) await sent;
                    if (way.bandwidth) await pause((1000 * piece.length) / way.bandwidth);
                    if (piece.length === left) this.#strike(direction, way, to);
                }
            }
            await sent;
            to.end();
        } catch {
            this.cut();
        }
    }

    // The bytes of a plan have passed.
    #strike(direction, way, to) {
        const n = this.passed[direction];
        if (n === way.cut) this.cut();
        if (n === way.half) to.end();
        if (n !== way.hole) return;
        way.hole = undefined;
        this.hole(direction);
    }

    // Passes nothing on, and reads nothing, until fill().
    hole(...directions) {
        for (const direction of directions)
            this.#open[direction] = new Promise((resolve) => (this.#release[direction] = resolve));
    }

    fill() {
        for (const release of Object.values(this.#release)) release();
    }

    // The client gets what was passed on and the end of it; the server an end.
    cut() {
        this.fill();
        if (this.plan.reset) this.client.resetAndDestroy();
        else this.client.end(() => this.client.destroy());
        this.server.destroy();
    }

    reset() {
        this.fill();
        this.client.resetAndDestroy();
        this.server.resetAndDestroy();
    }

    // One side says that it will say no more; the other way stays open.
    half(direction) {
        (direction === "down" ? this.client : this.server).end();
    }
}

const write = (to, piece) => new Promise((resolve, reject) => to.write(piece, (error) => (error ? reject(error) : resolve())));

export class Proxy {
    plan = () => ({});
    links = new Set();
    count = 0; // connections so far

    // `port()`: of the server now, or a promise of it; null refuses.
    static async open(t, port) {
        const proxy = new Proxy(port);
        proxy.listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => proxy.#accept(client));
        await once(proxy.listener.listen(0, "127.0.0.1"), "listening");
        proxy.url = `http://127.0.0.1:${proxy.listener.address().port}`;
        t.after(() => proxy.close());
        return proxy;
    }

    constructor(port) {
        this.port = port;
    }

    async #accept(client) {
        client.on("error", () => {});
        const n = this.count++;
        const port = await this.port();
        if (!port) return client.resetAndDestroy();
        const server = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        try {
            await once(server, "connect");
        } catch {
            return client.resetAndDestroy();
        }
        const link = new Link(client, server, this.plan(n));
        this.links.add(link);
        link.over.then(() => this.links.delete(link));
    }

    cut() {
        for (const link of this.links) link.cut();
    }

    close() {
        for (const link of this.links) link.reset();
        return new Promise((resolve) => this.listener.close(resolve));
    }
}
