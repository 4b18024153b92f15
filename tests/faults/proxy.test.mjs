// The network of the fault tests does what a plan says, to the byte.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";

import { Proxy } from "./proxy.mjs";

// A server that says what `answer(socket)` does, and a proxy before it.
async function stage(t, answer) {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("error", () => {});
        answer(socket);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => server.close());
    return Proxy.open(t, () => server.address().port);
}

const connect = (proxy) => net.connect({ port: new URL(proxy.url).port, host: "127.0.0.1", allowHalfOpen: true });

// All that a socket is told until its end, and the error that ended it.
async function all(socket) {
    let text = "", error = null;
    socket.on("data", (data) => (text += data));
    socket.on("error", (e) => (error = e.code));
    await new Promise((resolve) => socket.on("end", resolve).on("close", resolve));
    socket.destroy();
    return { text, error };
}

const TEXT = "0123456789".repeat(1000);
const speaker = (socket) => socket.end(TEXT);
const echo = (socket) => socket.pipe(socket);

test("without a plan all bytes pass both ways, and both ends", async (t) => {
    const proxy = await stage(t, echo);
    const socket = connect(proxy);
    socket.end(TEXT);
    assert.equal((await all(socket)).text, TEXT);
});

test("a cut comes after exactly so many bytes", async (t) => {
    const proxy = await stage(t, speaker);
    for (const n of [0, 1, 2, 9, 4711, 9999]) {
        proxy.plan = () => ({ down: { cut: n } });
        assert.equal((await all(connect(proxy))).text, TEXT.slice(0, n));
    }
});

test("a cut of the way up comes after exactly so many bytes", async (t) => {
    const heard = [];
    const proxy = await stage(t, (socket) => heard.push(all(socket)));
    proxy.plan = () => ({ up: { cut: 1234 } });
    const socket = connect(proxy);
    socket.write(TEXT);
    await all(socket);
    assert.equal((await heard[0]).text, TEXT.slice(0, 1234));
});

test("a reset is an error to the client, not an end", async (t) => {
    const proxy = await stage(t, speaker);
    proxy.plan = () => ({ reset: true, down: { cut: 0 } });
    assert.equal((await all(connect(proxy))).error, "ECONNRESET");
});

test("a black hole takes what comes and passes nothing on, until it is filled", async (t) => {
    const proxy = await stage(t, echo);
    proxy.plan = () => ({ down: { hole: 100 } });
    const socket = connect(proxy);
    let heard = 0, enough;
    const filled = new Promise((resolve) => (enough = resolve));
    socket.on("data", (data) => (heard += data.length) === 100 && enough());
    socket.write(TEXT);
    await filled;
    const [link] = proxy.links;
    socket.write("more"); // the way up is open: a byte that passed it proves that time went by
    while (link.passed.up < TEXT.length + 4) await new Promise(setImmediate);
    assert.equal(heard, 100);
    link.fill();
    socket.end();
    await once(socket, "end");
    assert.equal(heard, TEXT.length + 4);
});

test("a half-closed way ends, the other goes on", async (t) => {
    const heard = [];
    const proxy = await stage(t, (socket) => {
        heard.push(all(socket));
        socket.write(TEXT);
    });
    proxy.plan = () => ({ down: { half: 10 } });
    const socket = connect(proxy);
    let text = "";
    socket.on("data", (data) => (text += data));
    await once(socket, "end");
    assert.equal(text, TEXT.slice(0, 10));
    socket.end("still here");
    assert.equal((await heard[0]).text, "still here");
});

test("a latency delays and a bandwidth paces, and both keep the order", async (t) => {
    const proxy = await stage(t, speaker);
    for (const down of [{ latency: 30 }, { bandwidth: 40000 }, { latency: 30, bandwidth: 40000 }]) {
        proxy.plan = () => ({ down: { ...down } });
        const begun = performance.now();
        assert.equal((await all(connect(proxy))).text, TEXT);
        const least = (down.latency ?? 0) + (down.bandwidth ? 200 : 0); // it can only be slower than told
        assert.ok(performance.now() - begun >= least, JSON.stringify(down));
    }
});
