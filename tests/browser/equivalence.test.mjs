// At random moments of a mixed load, whatever page has been open meanwhile shows what a page shows
// that was opened just now. (never again: 1, 2, 3, 4, 6, 18)
//
// Jobs of several definitions run, fail, are cancelled and run again, and the network of the open
// pages is cut now and then. MOMENTS=200 for the long form, SEED=n to see a run again.

import assert from "node:assert/strict";
import test, { after } from "node:test";

import { serve } from "../api/server.mjs";
import { Proxy } from "../faults/proxy.mjs";
import { dice } from "../faults/soak.mjs";
import { Heads, newsroom, page, quit, reached, topicsOf, until } from "./browser.mjs";
import { Load, definitions } from "./load.mjs";
import { apart, rest, shown } from "./shown.mjs";

after(quit);

const MOMENTS = Number(process.env.MOMENTS ?? 24);
const SEED = Number(process.env.SEED ?? Date.now() % 1000000);
const JOB_PAGES = 2; // open at a time, of different jobs
const TRIES = 10; // times that a difference is looked at again

// Pages that stay open, behind a network that can be cut.
class Readers {
    all = []; // {reader, path}

    static async open(t, server) {
        const readers = new Readers();
        Object.assign(readers, { t, server, isOn: true });
        readers.proxy = await Proxy.open(t, () => (readers.isOn ? server.port : null));
        for (const path of ["/queue", "/definitions", "/definitions/two", "/documents"]) await readers.add(path);
        return readers;
    }

    async add(path) {
        const reader = await page(this.t, this.proxy, { path, quiet: /WebSocket|ERR_/ });
        this.all.push({ reader, path });
    }

    // The newest jobs have a page each; the page of an old one is closed.
    async jobAdd(id) {
        const pages = this.all.filter(({ path }) => path.startsWith("/jobs/"));
        if (pages.length >= JOB_PAGES) {
            this.all.splice(this.all.indexOf(pages[0]), 1);
            await pages[0].reader.context().close();
        }
        await this.add("/jobs/" + id);
    }

    async cut() {
        this.isOn = false;
        this.proxy.cut();
        await this.#badges(["offline"]); // before: a browser that is offline may not notice the end
        await this.#each((reader) => reader.context().setOffline(true));
        this.isOn = true;
        await this.#each((reader) => reader.context().setOffline(false));
        await this.#badges(["live", "catching", "restarted"]);
    }

    #badges(states) {
        return this.#each((reader) =>
            until(reader, (states) => states.includes(document.querySelector(".badge").dataset.state), states),
        );
    }

    #each(run) {
        return Promise.all(this.all.map(({ reader }) => run(reader)));
    }
}

// How what `open` shows differs from what a fresh page shows: a sentence, or "". Both are read when
// both have the newest event of every topic; when there is another one meanwhile, once more. What a
// page asks for when an event came, or after its first lines, has a little time to come.
async function difference(t, server, heads, { reader, path }) {
    for (;;) {
        const fresh = await page(t, server, { path });
        const pages = [reader, fresh];
        const topics = [...new Set((await Promise.all(pages.map(topicsOf))).flat())];
        const newest = JSON.stringify(await heads.ask(topics));
        let found = "?";
        for (let tries = 0; found && tries < TRIES; tries++) {
            const seen = [];
            for (const each of pages) {
                if (tries) await each.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));
                await reached(each, JSON.parse(newest));
                await rest(each);
                seen.push(await shown(each));
            }
            found = apart(...seen);
        }
        const still = JSON.stringify(await heads.ask(topics));
        assert.deepEqual(fresh.complaints, []);
        await fresh.context().close();
        if (still === newest) return found;
    }
}

async function equivalence(t, moments) {
    t.diagnostic(`SEED=${SEED}`);
    const random = dice(SEED);
    const site = await newsroom(t, "--delay", "10");
    const server = await serve(t, { definitions });
    const load = await Load.open(t, server, site, random);
    await load.begin();
    const readers = await Readers.open(t, server);
    const heads = new Heads(server);
    const looked = {};
    for (let moment = 1; moment <= moments; moment++) {
        for (let i = 1 + random(5); i > 0; i--) {
            const begun = await load.act();
            if (begun && random(3) === 0) await readers.jobAdd(begun);
        }
        if (random(4) === 0) await readers.cut();
        if (moment === 1) await readers.jobAdd(load.newest);
        const open = readers.all[random(readers.all.length)];
        load.pause();
        const found = await difference(t, server, heads, open);
        load.go();
        if (found) return `moment ${moment}, ${open.path}: ${found}`;
        const kind = open.path.replace(/[^/]{30,}/, "…");
        looked[kind] = (looked[kind] ?? 0) + 1;
    }
    for (const { reader } of readers.all) assert.deepEqual(reader.complaints, []);
    const pages = Object.entries(looked).map(([path, n]) => `${path} ${n}`).join(", ");
    t.diagnostic(`the same at ${moments} moments: ${pages}; ${load.summary()}; ${readers.proxy.count} connections`);
    return "";
}

test(`at ${MOMENTS} random moments of a mixed load every open page shows what a fresh page shows`, { timeout: 60000 + MOMENTS * 10000 }, async (t) => {
    assert.equal(await equivalence(t, MOMENTS), "");
});
