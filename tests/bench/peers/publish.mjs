// Publishes to nchan: one POST after the other over one connection. See source.mjs.
import { connect } from "node:net";
import { options, publishAll } from "./source.mjs";

const url = new URL(options.url);
const socket = connect(Number(url.port), url.hostname).setNoDelay(true);
let answered = () => {};
let answers = "";
socket.on("data", (data) => {
    answers += data.toString("latin1");
    const end = answers.indexOf("\r\n\r\n");
    const length = /content-length: (\d+)/i.exec(answers);
    if (end < 0 || !length || answers.length < end + 4 + Number(length[1])) return;
    if (!/^HTTP\/1.1 20[12] /.test(answers)) throw new Error(answers);
    answers = "";
    answered();
});
await new Promise((resolve) => socket.on("connect", resolve));
await publishAll((text) => {
    socket.write(`POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return new Promise((resolve) => (answered = resolve));
});
socket.end();
