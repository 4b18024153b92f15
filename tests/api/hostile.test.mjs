// Commands, peers and disks that do their worst: the server stays up, or ends in good order.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { folder, serve } from "./server.mjs";

const shell = (id, command) => `id: ${id}\nname: ${id}\nsteps:\n  - name: s\n    type: shell\n    config: { command: ${JSON.stringify(command)} }\n`;

test("a server whose disk is full stops in good order in the middle of a command's flood", async (t) => {
    const full = path.join(await folder(t), "full"); // is there when more than 16 MiB were read
    const server = await serve(t, {
        definitions: {
            "flood.yaml": shell("flood", `head -c 16800000 /dev/zero | tr '\\0' x; touch ${full}; yes`),
        },
        env: { TAILRACE_FAULT: "store.commit.before:5:stick" },
    });
    await server.execute("flood");
    while (!existsSync(full)) await sleep(20);
    const began = Date.now();
    const { code, signal } = await server.stop();
    assert.equal(signal, null, "ended by itself");
    assert.equal(code, 7);
    assert.match(server.stderr, /the last batch could not be committed/);
    assert.ok(Date.now() - began < 9000, "did not wait until patience ended");
});
