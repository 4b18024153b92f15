// uWebSockets as a peer: its publish() to one topic. UWS names its addon. See source.mjs.
import { createRequire } from "node:module";
import { allThere, publishAll } from "./source.mjs";

const uws = createRequire(import.meta.url)(process.env.UWS);
const viewers = new Set();
const app = uws.App().ws("/*", {
    maxBackpressure: 0, // no limit: nothing may be lost
    compression: uws.DISABLED,
    open: (viewer) => {
        viewer.subscribe("lines");
        viewers.add(viewer);
    },
    close: (viewer) => viewers.delete(viewer),
});
app.listen("127.0.0.1", 0, (socket) => console.log(`listening on http://127.0.0.1:${uws.us_socket_local_port(socket)}`));
await allThere();
await publishAll(
    (text) => void app.publish("lines", text),
    () => {
        let most = 0;
        for (const viewer of viewers) most = Math.max(most, viewer.getBufferedAmount());
        return most;
    },
);
