// Takes webhooks: looks whether they are ours and new, and says what happened in one line each.
//
//     KEY_FILE=/etc/tailrace/webhook-key PORT=9099 node receiver.mjs
//
// An answer that is no 2xx lets the server send it again; one that comes twice has the same id.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";

const key = readFileSync(process.env.KEY_FILE, "utf8").replace(/\n$/, "");
const MOST = 1024 * 1024, seen = new Set();

function isOurs({ "webhook-id": id, "webhook-timestamp": at, "webhook-signature": given = "" }, body) {
    const expected = Buffer.from("v1," + createHmac("sha256", key).update(`${id}.${at}.${body}`).digest("base64"));
    const signature = Buffer.from(given);
    return signature.length === expected.length && timingSafeEqual(signature, expected) && Math.abs(Date.now() / 1000 - at) < 300;
}

async function take(request) {
    let body = "";
    for await (const part of request.setEncoding("utf8")) if ((body += part).length > MOST) return 413;
    if (!isOurs(request.headers, body)) return 401;
    const id = request.headers["webhook-id"];
    if (seen.has(id)) return 204;
    seen.add(id);
    const { type, data } = JSON.parse(body);
    console.log(`${type}: ${data.name}${data.cause ? `: ${data.cause}` : ""}`);
    return 204;
}

const server = http.createServer((request, response) =>
    take(request).then((status) => response.writeHead(status).end(), () => response.destroy()));
server.listen(Number(process.env.PORT ?? 9099), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
