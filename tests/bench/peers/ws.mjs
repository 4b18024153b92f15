// The npm package ws as a peer: each message is given to each viewer with send(). See source.mjs.
import { WebSocketServer } from "ws";
import { allThere, publishAll } from "./source.mjs";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 1024, perMessageDeflate: false });
server.on("listening", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
await allThere();
await publishAll(
    (text) => {
        const bytes = Buffer.from(text);
        for (const viewer of server.clients) viewer.send(bytes, { binary: false });
    },
    () => Math.max(0, ...[...server.clients].map((viewer) => viewer.bufferedAmount)),
);
