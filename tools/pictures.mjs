// pictures.mjs: takes docs/pictures/ from a real run: a site that takes its time, a server, a page.
//
// The site is stopped while the pictures of the running crawl are taken, so that all of them show
// the same moment. Run it by `make pictures`.

import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

import { blankPage, ended, newsroom, page, quit, runFromPage, until } from "../tests/browser/browser.mjs";
import { serve } from "../tests/api/server.mjs";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const OUT = path.join(ROOT, "docs", "pictures");
const SIZES = [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
];

// What the helpers of the tests expect of a test: to end things in the end.
const endings = [];
const t = { after: (end) => endings.unshift(end) };

/* ---- a PNG with a palette: a third of the size, and of the edges of letters nothing is lost
        that could be seen ---- */

// {width, height, colours: one number 0xAABBGGRR per pixel}, decoded by the browser itself.
async function pixels(screenshot) {
    const blank = await blankPage();
    const found = await blank.evaluate(async (base64) => {
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        const bitmap = await createImageBitmap(new Blob([bytes]));
        const { width, height } = bitmap;
        const canvas = new OffscreenCanvas(width, height).getContext("2d");
        canvas.drawImage(bitmap, 0, 0);
        const { data } = canvas.getImageData(0, 0, width, height);
        const reader = new FileReader();
        reader.readAsDataURL(new Blob([data]));
        await new Promise((resolve) => (reader.onload = resolve));
        return { width, height, bytes: reader.result.split(",")[1] };
    }, screenshot.toString("base64"));
    await blank.close();
    const bytes = Uint8Array.from(Buffer.from(found.bytes, "base64"));
    return { ...found, colours: new Uint32Array(bytes.buffer) };
}

const rgb = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];

const far = (a, b) => a.reduce((sum, part, i) => sum + (part - b[i]) ** 2, 0);

// At most 256 colours so that each colour of the picture is near to one of them, as near as that
// is possible; the most frequent ones stay what they are. And for each colour the place of its nearest.
function paletteMake(colours) {
    const uses = new Map();
    for (const colour of colours) uses.set(colour, (uses.get(colour) || 0) + 1);
    const ranked = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a)).map(rgb);
    let palette = ranked;
    for (let near = 8; palette.length > 256; near *= 1.3) {
        palette = ranked.slice(0, 48);
        for (const colour of ranked.slice(48))
            if (palette.every((other) => far(colour, other) > near)) palette.push(colour);
    }
    const nearest = (colour) => {
        const distances = palette.map((other) => far(colour, other));
        return distances.indexOf(Math.min(...distances));
    };
    return { palette, places: new Map([...uses.keys()].map((c) => [c, nearest(rgb(c))])) };
}

function pngMake({ width, height, colours }) {
    const { palette, places } = paletteMake(colours);
    const rows = Buffer.alloc((width + 1) * height); // each row begins with its filter: none
    colours.forEach((colour, i) => {
        rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = places.get(colour);
    });
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 3], 8); // eight bits, with a palette
    return Buffer.concat([
        Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
        chunk("IHDR", header),
        chunk("PLTE", Buffer.from(palette.flat())),
        chunk("IDAT", deflateSync(rows, { level: 9 })),
        chunk("IEND", Buffer.alloc(0)),
    ]);
}

function chunk(type, data) {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

function crc(bytes) {
    let rest = ~0;
    for (const byte of bytes) {
        rest ^= byte;
        for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
    }
    return ~rest >>> 0;
}

/* ---- the run ---- */

const taken = new Map(); // file → screenshot

async function take(reader, name) {
    for (const size of SIZES) {
        await reader.setViewportSize(size);
        for (const colorScheme of ["light", "dark"]) {
            await reader.emulateMedia({ colorScheme });
            const file = path.join(OUT, `${name}-${colorScheme}-${size.width}.png`);
            taken.set(file, await reader.screenshot({ animations: "disabled" }));
        }
    }
    await reader.setViewportSize(SIZES[0]);
}

const visit = (reader, server, path, ready) =>
    reader.goto(server.url + path).then(() => until(reader, (ready) => document.querySelector(ready), ready));

try {
    await mkdir(OUT, { recursive: true });
    const site = await newsroom(t, "--delay", "30");
    const server = await serve(t, { cwd: ROOT, args: ["--definitions", "definitions"] });
    const reader = await page(t, server, SIZES[0]);
    await ended(reader, await runFromPage(reader, "hello", { who: "world" }));
    const load = { workers: "5", lines: "200", delay_ms: "1" };
    await ended(reader, await runFromPage(reader, "load", load));
    const nowhere = await runFromPage(reader, "news-crawler", { site: "http://127.0.0.1:1", delay: "0ms" });
    await ended(reader, nowhere);
    const id = await runFromPage(reader, "news-crawler", { site: site.url, delay: "60ms" });
    await until(reader, () => document.querySelector('.tree-log-line[data-line="64"]'));
    process.kill(site.pid, "SIGSTOP");
    await take(reader, "queue-running");
    await visit(reader, server, "/jobs/" + id, ".job-runs a");
    await take(reader, "job-running");
    process.kill(site.pid, "SIGCONT");
    await until(reader, () => document.querySelector(".job-head .label[data-status=completed]"));
    await visit(reader, server, "/queue", `.label[data-job-id="${id}"][data-status=completed]`);
    await take(reader, "queue-after");
    await visit(reader, server, "/jobs/" + nowhere, ".job-runs a");
    await take(reader, "job-failed");
    await visit(reader, server, "/definitions", "#news-crawler-run, main a[href*=news-crawler]");
    await take(reader, "definitions");
    await visit(reader, server, "/documents", "a.document");
    await reader.click("a.document");
    await until(reader, () => document.querySelector(".document-shown").checkVisibility());
    await take(reader, "documents");
    for (const [file, screenshot] of taken) {
        const png = pngMake(await pixels(screenshot));
        await writeFile(file, png);
        console.log(`${path.relative(ROOT, file)} ${Math.round(png.length / 1024)} KB`);
    }
} finally {
    await quit();
    for (const end of endings) await end();
}
