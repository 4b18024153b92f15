// assets.mjs OUT.c: bundles the page and writes it as one C file (see src/server/asset.h).
//
// The same input gives the same output, byte for byte. A page names its files by content hash,
// so that browsers may keep them for ever; pages themselves are asked for again each time.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const UI = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "ui");
const PAGES = path.join(UI, "pages");
const BUDGET = { js: 50 * 1024, css: 10 * 1024 }; // gzip, what one page loads
const TYPES = {
    html: "text/html; charset=utf-8",
    js: "text/javascript; charset=utf-8",
    css: "text/css; charset=utf-8",
    svg: "image/svg+xml",
};

const hash = (data) => createHash("sha256").update(data).digest("hex").slice(0, 12);
const kind = (name) => name.split(".").pop();

// One ready file: what is served, under which name.
function assetOf(name, data, served, immutable) {
    const zipped = gzipSync(data, { level: 9 });
    zipped[9] = 255; // the system it was made on does not matter
    const gzip = zipped.length < data.length ? zipped : null;
    return { path: served, type: TYPES[kind(name)], data, gzip, etag: hash(data), immutable };
}

// Alpine's list of all that it has is for plugins, and would bring in all of it.
const unlisted = {
    name: "unlisted",
    setup({ onResolve, onLoad }) {
        onResolve({ filter: /^\.\/alpine$/ }, () => ({ path: "alpine", namespace: "unlisted" }));
        onLoad({ filter: /^/, namespace: "unlisted" }, () => ({ contents: "export default {}" }));
    },
};

async function bundle(name) {
    const result = await build({
        entryPoints: [path.join(UI, name)],
        bundle: true,
        plugins: [unlisted],
        minify: true,
        write: false,
        format: "esm",
        target: ["chrome123", "firefox120", "safari17.5"],
        legalComments: "none",
        charset: "utf8",
        logLevel: "warning",
    });
    return Buffer.from(result.outputFiles[0].contents);
}

// Each page has one script with all that it needs. Files that pages share would be kept by
// browsers from one page to the next, but compress worse: 51.4 KB instead of 49.2 for a job.
export async function assetsBuild() {
    const pages = (await readdir(PAGES)).filter((name) => name.endsWith(".html")).sort();
    const scripts = pages.map((name) => "pages/" + name.replace(".html", ".js"));
    const assets = [];
    const names = {};
    for (const name of ["theme.js", "palette.js", "style.css", ...scripts]) {
        const data = await bundle(name);
        names[name] = "/assets/" + path.basename(name).replace(".", "-" + hash(data) + ".");
        assets.push(assetOf(name, data, names[name], true));
    }
    for (const name of ["favicon.svg", "favicon-running.svg", "favicon-failed.svg", "favicon-offline.svg"]) {
        const data = await readFile(path.join(UI, name));
        names[name] = name === "favicon.svg" ? "/" + name : "/assets/" + name.replace(".", "-" + hash(data) + ".");
        assets.push(assetOf(name, data, names[name], name !== "favicon.svg"));
    }
    const shell = await readFile(path.join(UI, "shell.html"), "utf8");
    for (const name of pages) {
        const page = await pageRead(shell, name);
        const data = Buffer.from(pageLink(page.html, names));
        const loads = [names["theme.js"], names[page.script]];
        for (const place of page.places)
            assets.push({ ...assetOf("page.html", data, place, false), loads });
    }
    return assets.sort((a, b) => (a.path < b.path ? -1 : 1));
}

// A page in the shell. It says where it is in its first line: <!-- title: … at: /path … -->
async function pageRead(shell, file) {
    const text = await readFile(path.join(PAGES, file), "utf8");
    const head = text.match(/^<!-- title: (.+?)\s+at: (.+?) -->\n/);
    if (!head) throw new Error(file + " does not begin with <!-- title: … at: /path … -->");
    const [first, title, at] = head;
    const places = at.split(/\s+/);
    const script = "pages/" + file.replace(".html", ".js");
    const html = shell
        .replace("TITLE", title)
        .replace("NAME", file.replace(".html", ""))
        .replace("page.js", script)
        .replace("<!-- the page -->", () => text.slice(first.length))
        .replace(`<a href="${places.at(-1)}">`, `<a href="${places.at(-1)}" aria-current="page">`);
    return { html, places, script };
}

// Puts the served names into a page, and refuses what the security policy would block.
function pageLink(html, names) {
    const linked = html.replace(
        /\b(src|href)="([\w./-]*\w\.(?:js|css|svg))"/g,
        (all, attribute, file) => {
            if (!names[file]) throw new Error("a page names " + file + ", which is not an asset");
            return attribute + '="' + names[file] + '"';
        },
    );
    const blocked = linked.match(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i);
    if (blocked) throw new Error("a page has inline script or style: " + blocked[0]);
    return linked.replace(/^\s+/gm, "");
}

/* ---- C ---- */

function bytes(data) {
    const lines = [];
    for (let i = 0; i < data.length; i += 24)
        lines.push("    " + [...data.subarray(i, i + 24)].join(","));
    return lines.join(",\n");
}

export function cText(assets) {
    const arrays = new Map(); // content → name: a page with two paths is stored once
    const out = ["/* Generated by tools/assets.mjs. */", '#include "server/asset.h"', ""];
    const array = (data) => {
        if (!data) return "NULL";
        const key = hash(data);
        if (!arrays.has(key)) {
            arrays.set(key, "bytes_" + arrays.size);
            out.push(
                "static const unsigned char " + arrays.get(key) + "[] = {",
                bytes(data),
                "};",
                "",
            );
        }
        return arrays.get(key);
    };
    const rows = assets.map(
        (a) =>
            `    {"${a.path}", "${a.type}", ${array(a.data)}, ${a.data.length},\n` +
            `     ${array(a.gzip)}, ${a.gzip ? a.gzip.length : 0}, "\\"${a.etag}\\"", ${a.immutable}},`,
    );
    out.push("const struct asset assets[] = {", ...rows, "};", "");
    out.push("const size_t asset_count = sizeof assets / sizeof assets[0];", "");
    return out.join("\n");
}

// What each page loads, against the budget.
function report(assets) {
    const sizes = Object.fromEntries(assets.map((a) => [a.path, (a.gzip || a.data).length]));
    const sum = (paths) => paths.reduce((total, name) => total + sizes[name], 0);
    const check = (what, size, most) => {
        console.log(`${what.padEnd(16)} ${(size / 1024).toFixed(1)} KB of ${most / 1024} KB (gzip)`);
        if (size > most) throw new Error(what + " is over its budget");
    };
    for (const { path: place, loads } of assets.filter((a) => a.loads))
        check("js of " + place, sum(loads), BUDGET.js);
    check("css", sum(assets.filter((a) => kind(a.path) === "css").map((a) => a.path)), BUDGET.css);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const out = process.argv[2];
    if (!out) {
        console.error("usage: node tools/assets.mjs OUT.c");
        process.exit(2);
    }
    const assets = await assetsBuild();
    report(assets);
    await mkdir(path.dirname(path.resolve(out)), { recursive: true });
    await writeFile(out, cText(assets));
}
