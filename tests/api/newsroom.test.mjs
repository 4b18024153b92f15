// The news site of the examples: every page can be found, each oddity does what it promises, and a
// served folder stays a folder. NEWSROOM names another binary, for instance a sanitizer build.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { once } from "node:events";
import readline from "node:readline";
import test from "node:test";
import { fileURLToPath } from "node:url";

const repo = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const binary = process.env.NEWSROOM ?? path.join(repo, "build/newsroom");
const articlesFolder = path.join(repo, "examples/newsroom/articles");

/** Starts the program on a free port; stops it when the test ends and expects exit status 0. */
async function start(t, ...args) {
  const child = spawn(binary, ["--listen", "127.0.0.1:0", ...args], {
    cwd: repo,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  const exited = once(child, "exit");
  t.after(async () => {
    child.kill("SIGTERM");
    const [code, signal] = await exited;
    assert.deepEqual([code, signal, complaints], [0, null, ""]);
  });
  const lines = readline.createInterface({ input: child.stdout });
  const [line] = await Promise.race([
    once(lines, "line"),
    exited.then(([code]) => assert.fail(`ended with ${code}: ${complaints}`)),
  ]);
  const match = /^listening on (http:\/\/127\.0\.0\.1:\d+)\/$/.exec(line);
  assert.ok(match, line);
  return { origin: match[1], port: Number(new URL(match[1]).port), pid: child.pid };
}

/** Runs the program to its end. */
async function run(...args) {
  const child = spawn(binary, args, { cwd: repo });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => (stderr += data));
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

/** One request whose path goes out exactly as given. */
function get(site, address, { method = "GET", headers, agent } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: site.port, path: address, method, headers, agent };
    const request = http.request(options, (response) => {
      const parts = [];
      response.on("data", (data) => parts.push(data));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(parts);
        resolve({ status: response.statusCode, headers: response.headers, body });
      });
    });
    request.on("error", reject);
    request.end();
  });
}

/** What the server answers to raw bytes, until it or the client has nothing more to say. */
async function raw(site, bytes) {
  const socket = net.connect(site.port, "127.0.0.1");
  socket.end(bytes);
  const parts = [];
  socket.on("data", (data) => parts.push(data));
  socket.on("error", () => {}); // a reset is an answer, too
  await once(socket, "close");
  return Buffer.concat(parts).toString("latin1");
}

function links(html) {
  const found = html.matchAll(/<a\b[^>]*?href="([^"]*)"/g);
  return [...found].map((match) => match[1].replaceAll("&amp;", "&"));
}

/** Follows every link of the site that robots may follow; the answers by address. */
async function crawl(site, avoid) {
  const seen = new Map([["/", null]]);
  const queue = ["/"];
  while (queue.length > 0) {
    const address = queue.shift();
    const answer = await get(site, address);
    seen.set(address, answer);
    const found = [];
    if (answer.headers.location) found.push(answer.headers.location);
    else if (/html/.test(answer.headers["content-type"])) found.push(...links(answer.body.toString()));
    for (const link of found) {
      const url = new URL(link, site.origin + address);
      const next = (url.pathname + url.search).replaceAll(/%7E/gi, "~").replaceAll("%61", "a");
      if (url.origin !== site.origin || seen.has(next) || avoid.test(next)) continue;
      seen.set(next, null);
      queue.push(next);
    }
  }
  return seen;
}

test("following links finds every article and about eighty written pages", async (t) => {
  const site = await start(t);
  const seen = await crawl(site, /^\/(admin|private|endless|slow|large|loop)/);
  const pages = [...seen].filter(([, answer]) => answer.status === 200);
  const files = (await fs.readdir(articlesFolder)).map((name) => name.replace(/\.txt$/, ""));
  const articles = pages.flatMap(([address]) => /^\/article\/(.+)$/.exec(address)?.[1] ?? []);
  assert.deepEqual(articles.sort(), files.sort());
  assert.ok(files.length >= 60);

  const written = pages.filter(([address]) => /^\/($|article|news|archive|tag|about|imprint)/.test(address));
  assert.ok(written.length >= 80 && written.length <= 100, `${written.length} pages`);
  const broken = [...seen].filter(([, answer]) => answer.status >= 400).map(([address]) => address);
  assert.deepEqual(broken.sort(), ["/article/withdrawn", "/error"]);
});

test("an article is a whole page with a head that machines can read", async (t) => {
  const site = await start(t);
  const slug = "eel-count-doubles-below-the-weir";
  const { status, headers, body } = await get(site, `/article/${slug}`);
  const html = body.toString();
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "text/html; charset=utf-8");
  assert.match(html, /^<!DOCTYPE html>\n<html lang="en">/);
  assert.match(html, /<title>Eel count doubles below the weir \| The Lorn Valley Courier<\/title>/);
  assert.match(html, /<meta name="description" content="A ladder of wet brushes/);
  assert.match(html, /<meta property="og:type" content="article">/);
  assert.match(html, /property="article:published_time" content="2025-05-31T05:20:00Z"/);
  assert.ok(html.includes(`<link rel="canonical" href="${site.origin}/article/${slug}">`));
  assert.match(html, /<h1>Eel count doubles below the weir<\/h1>/);
  assert.match(html, /<blockquote><p>A fifth is the sea/);
  assert.match(html, /<time datetime="2025-05-31T05:20:00Z">Saturday, 31 May 2025, 05:20<\/time>/);
  assert.equal((html.match(/<main>|<\/main>|<article>|<\/article>|<\/html>/g) ?? []).length, 5);
});

test("a section front has pages, and each page one address", async (t) => {
  const site = await start(t);
  const first = (await get(site, "/news/science/")).body.toString();
  assert.ok(links(first).includes("/news/science/?page=2"));
  const second = (await get(site, "/news/science/?page=2")).body.toString();
  const shown = [...links(first), ...links(second)].filter((link) => link.startsWith("/article/"));
  assert.equal(new Set(shown).size, 12);
  const again = await get(site, "/news/science/?page=1");
  assert.deepEqual([again.status, again.headers.location], [301, "/news/science/"]);
  for (const wrong of ["0", "3", "x", "-1", "2x", "99999999999999999999", ""])
    assert.equal((await get(site, `/news/science/?page=${wrong}`)).status, 404, wrong);
});

test("robots.txt and sitemap.xml name the site they were asked at", async (t) => {
  const site = await start(t);
  const robots = await get(site, "/robots.txt");
  assert.equal(
    robots.body.toString(),
    `User-agent: *\nDisallow: /admin/\nDisallow: /private/\n\nSitemap: ${site.origin}/sitemap.xml\n`,
  );
  const sitemap = await get(site, "/sitemap.xml");
  assert.equal(sitemap.headers["content-type"], "application/xml");
  const places = [...sitemap.body.toString().matchAll(/<loc>([^<]*)<\/loc>/g)].map((m) => m[1]);
  assert.ok(places.length > 70);
  for (const place of places)
    assert.equal((await get(site, place.slice(site.origin.length))).status, 200, place);
  const forged = await get(site, "/robots.txt", { headers: { host: 'x"><script>' } });
  assert.ok(forged.body.toString().includes(`Sitemap: ${site.origin}/`));
});

test("moved, circular, missing and failing pages answer so", async (t) => {
  const site = await start(t);
  const expected = [
    ["/old/news/alder-cross-stay-up.html", 301, "/article/alder-cross-stay-up"],
    ["/old/news/nothing.html", 404, undefined],
    ["/loop/a", 302, "/loop/b"],
    ["/loop/b", 302, "/loop/a"],
    ["/news", 301, "/news/"],
    ["/news/sport", 301, "/news/sport/"],
    ["/article/withdrawn", 404, undefined],
    ["/error", 500, undefined],
    ["/admin/login", 200, undefined],
    ["/private/drafts", 200, undefined],
  ];
  for (const [address, status, location] of expected) {
    const answer = await get(site, address);
    assert.deepEqual([answer.status, answer.headers.location], [status, location], address);
  }
});

test("every spelling of an address leads to the same page", async (t) => {
  const site = await start(t);
  const service = (await get(site, "/service/")).body.toString();
  const spelled = links(service.slice(service.indexOf("many spellings")));
  const same = spelled.filter((link) => link.includes("rticle/"));
  assert.equal(same.length, 8);
  const bodies = new Set();
  for (const link of same) {
    const address = link.replace(/^http:\/\/[^/]*/i, "").replace(/#.*/, "");
    bodies.add((await get(site, address)).body.toString()); // dots and escapes go out as they are
    assert.equal(new URL(link, site.origin).origin, site.origin, link);
  }
  assert.equal(bodies.size, 1);
  const notices = await Promise.all(["/~notices/", "/%7Enotices/", "/%7enotices/"].map((a) => get(site, a)));
  assert.equal(new Set(notices.map((answer) => answer.body.toString())).size, 1);
  const ads = await Promise.all(["a=1&b=2", "b=2&a=1"].map((q) => get(site, `/classified?${q}`)));
  assert.ok(ads[0].status === 200 && ads[0].body.equals(ads[1].body));
  for (const odd of ["mailto:", "tel:", "javascript:", "http://example.com/"])
    assert.ok(links(service).some((link) => link.startsWith(odd)), odd);
  assert.match(service, /href="\/subscribe" rel="nofollow"/);
});

test("two pages are in Latin-1, one says so in the header, one in its meta", async (t) => {
  const site = await start(t);
  for (const [address, type, meta] of [
    ["/latin1", "text/html; charset=ISO-8859-1", false],
    ["/latin1-meta", "text/html", true],
  ]) {
    const { headers, body } = await get(site, address);
    assert.equal(headers["content-type"], type);
    const html = body.toString("latin1");
    assert.equal(/<meta charset="iso-8859-1">/.test(html), meta);
    assert.equal(/<meta charset/.test(html), meta);
    assert.match(html, /Café Müller: pâté maison.*5 &#8364;/s);
    assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(body));
  }
});

test("pictures, style and the PDF have their types, and are what they say", async (t) => {
  const site = await start(t);
  const png = await get(site, "/static/weir.png");
  assert.equal(png.headers["content-type"], "image/png");
  assert.deepEqual([png.body.readUInt32BE(16), png.body.readUInt32BE(20)], [320, 80]);
  const pdf = await get(site, "/static/timetable.pdf");
  assert.equal(pdf.headers["content-type"], "application/pdf");
  const text = pdf.body.toString("latin1");
  const xref = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(text)[1]);
  const offsets = [...text.slice(xref).matchAll(/^(\d{10}) 00000 n $/gm)].map((m) => Number(m[1]));
  assert.equal(offsets.length, 6);
  offsets.forEach((at, i) => assert.ok(text.startsWith(`${i + 1} 0 obj`, at)));
  assert.equal((await get(site, "/static/weir.svg")).headers["content-type"], "image/svg+xml");
  assert.match((await get(site, "/static/site.css")).headers["content-type"], /^text\/css/);
});

test("the large page is about 600 KB", async (t) => {
  const site = await start(t);
  const { body } = await get(site, "/large");
  assert.ok(body.length > 550_000 && body.length < 650_000, `${body.length}`);
  assert.match(body.toString(), /2024-12-31 23:00.*<\/html>\n$/s);
});

test("slow pages wait without holding anyone up", async (t) => {
  const site = await start(t);
  const order = [];
  const begun = performance.now();
  const slow = Array.from({ length: 20 }, () =>
    get(site, "/slow").then((answer) => order.push(`slow ${answer.status}`)),
  );
  await get(site, "/").then(() => order.push("fast"));
  await Promise.all(slow);
  const took = performance.now() - begun;
  assert.deepEqual(order, ["fast", ...slow.map(() => "slow 200")]);
  assert.ok(took >= 1499, `${took} ms`); // and all twenty at the same time, with two threads:
  assert.ok(took < 20 * 1500, `${took} ms`);
});

test("the endless page goes on until the client hangs up, and ends with the server", async (t) => {
  const site = await start(t);
  await new Promise((resolve, reject) => {
    let received = 0;
    const request = http.get(`${site.origin}/endless`, (response) => {
      assert.equal(response.headers["content-length"], undefined);
      response.on("data", (data) => {
        received += data.length;
        if (received > 100_000) request.destroy();
      });
      response.on("close", resolve);
      response.on("end", () => reject(new Error("it ended")));
    });
    request.on("error", () => {});
  });
  assert.equal((await get(site, "/")).status, 200);
  // These two are still there when the server is told to end, and must not keep it from doing so.
  for (const address of ["/endless", "/slow"]) {
    const socket = net.connect(site.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`GET ${address} HTTP/1.1\r\nHost: x\r\n\r\n`);
    if (address === "/endless") await once(socket, "data");
    t.after(() => socket.destroy());
  }
});

test("--delay holds every answer back", async (t) => {
  const site = await start(t, "--delay", "300");
  const begun = performance.now();
  await Promise.all(Array.from({ length: 30 }, () => get(site, "/about")));
  const took = performance.now() - begun;
  assert.ok(took >= 299, `${took} ms`);
  assert.ok(took < 30 * 300, `${took} ms`);
});

test("HEAD is GET without the body, other methods are 405, connections stay open", async (t) => {
  const site = await start(t);
  const full = await get(site, "/about");
  const head = await get(site, "/about", { method: "HEAD" });
  assert.deepEqual([head.status, head.body.length], [200, 0]);
  assert.equal(head.headers["content-length"], String(full.body.length));
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const answer = await get(site, "/", { method });
    assert.deepEqual([answer.status, answer.headers.allow], [405, "GET, HEAD"], method);
  }
  const request = "GET /about HTTP/1.1\r\nHost: x\r\n\r\n";
  const twice = await raw(site, request + request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  assert.equal(twice.match(/^HTTP\/1\.1 200/gm).length, 2);
});

test("hostile requests get an answer or a closed door, and the next visitor is served", async (t) => {
  const site = await start(t, "--timeout", "1"); // two of them never end
  const status = async (bytes) => Number(/^HTTP\/1\.. (\d+)/.exec(await raw(site, bytes))?.[1] ?? 0);
  const ask = (address) => status(`GET ${address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  assert.equal(await ask("/%00"), 400);
  assert.equal(await ask("/about%00.png"), 400);
  assert.equal(await ask("/%zz"), 400);
  assert.equal(await ask("/%2"), 400);
  assert.equal(await ask("*"), 400);
  assert.equal(await ask("/" + "a".repeat(4000)), 404);
  assert.equal(await ask("/" + "a".repeat(5000)), 414);
  assert.equal(await ask("/" + "../".repeat(1000) + "about"), 200);
  assert.equal(await ask("/%ff%fe<script>"), 404);
  assert.equal(await ask("/old/news/.html"), 404);
  assert.equal(await ask("/news//"), 200);
  await ask("/" + "a".repeat(100_000));
  await ask("/" + "%41".repeat(9_000));
  await status(Buffer.from([0, 255, 13, 10, 0, 0, 13, 10, 13, 10]));
  await status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\nshort");
  await status("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  await status("GET / HTTP/1.1\r\n" + "X: y\r\n".repeat(10_000) + "\r\n");
  assert.equal(await ask("/about"), 200);
});

/** A folder with files, a folder in it, and links that lead inside and outside. */
async function makeFolder(t) {
  const base = await fs.mkdtemp(path.join(os.tmpdir(), "newsroom-"));
  t.after(() => fs.rm(base, { recursive: true }));
  const root = path.join(base, "root");
  await fs.mkdir(path.join(root, "sub"), { recursive: true });
  await fs.mkdir(path.join(root, "bare"));
  await fs.mkdir(path.join(base, "root-neighbour"));
  await fs.writeFile(path.join(base, "secret.txt"), "secret");
  await fs.writeFile(path.join(base, "root-neighbour/index.html"), "secret");
  await fs.writeFile(path.join(root, "index.html"), "<h1>Root</h1>");
  await fs.writeFile(path.join(root, "sub/index.html"), "<h1>Sub</h1>");
  await fs.writeFile(path.join(root, "empty.txt"), "");
  await fs.writeFile(path.join(root, "with space & ü.txt"), "odd name");
  for (const name of ["a.htm", "a.css", "a.js", "a.png", "a.svg", "a.PDF", "a.bin"])
    await fs.writeFile(path.join(root, name), name);
  await fs.symlink("sub/index.html", path.join(root, "inside.html"));
  await fs.symlink("../secret.txt", path.join(root, "outside.txt"));
  await fs.symlink(base, path.join(root, "up"));
  await fs.symlink(path.join(base, "root-neighbour"), path.join(root, "neighbour"));
  return { base, root };
}

test("--root serves a folder of files with their types", async (t) => {
  const { root } = await makeFolder(t);
  const site = await start(t, "--root", root);
  const expected = {
    "/": "text/html",
    "/sub/": "text/html",
    "/inside.html": "text/html",
    "/a.htm": "text/html",
    "/a.css": "text/css",
    "/a.js": "text/javascript",
    "/a.png": "image/png",
    "/a.svg": "image/svg+xml",
    "/a.PDF": "application/pdf",
    "/a.bin": "application/octet-stream",
    "/empty.txt": "text/plain",
    "/with%20space%20%26%20%C3%BC.txt": "text/plain",
  };
  for (const [address, type] of Object.entries(expected)) {
    const answer = await get(site, address);
    assert.deepEqual([answer.status, answer.headers["content-type"]], [200, type], address);
  }
  assert.equal((await get(site, "/with%20space%20%26%20%C3%BC.txt")).body.toString(), "odd name");
  assert.equal((await get(site, "/empty.txt")).body.length, 0);
  const moved = await get(site, "/sub?x=1");
  assert.deepEqual([moved.status, moved.headers.location], [301, "/sub/"]);
  for (const missing of ["/bare/", "/nothing", "/a.css/", "/robots.txt"])
    assert.equal((await get(site, missing)).status, 404, missing);
});

test("nothing outside of the folder can be read, by dots, escapes or links", async (t) => {
  const { base, root } = await makeFolder(t);
  const site = await start(t, "--root", root);
  for (const address of [
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/..%5csecret.txt",
    "/....//secret.txt",
    "/outside.txt",
    "/up/secret.txt",
    "/up/root-neighbour/index.html",
    "/neighbour/",
    "/neighbour/index.html",
    "//etc/passwd",
    `/${base}/secret.txt`,
    "/proc/self/environ",
  ]) {
    const answer = await get(site, address);
    assert.equal(answer.status, 404, address);
    assert.ok(!answer.body.includes("secret"), address);
  }
  const moved = await get(site, "//example.com/../sub");
  assert.equal(moved.headers.location, "/sub/"); // never "//host"
});

test("several folders live side by side under their prefixes", async (t) => {
  const { base, root } = await makeFolder(t);
  const site = await start(t, "--root", `one=${root}`, "--root", `two=${path.join(base, "root-neighbour")}`);
  assert.deepEqual(links((await get(site, "/")).body.toString()), ["/one/", "/two/"]);
  assert.equal((await get(site, "/one/")).body.toString(), "<h1>Root</h1>");
  assert.equal((await get(site, "/two/index.html")).body.toString(), "secret");
  assert.equal((await get(site, "/one")).headers.location, "/one/");
  assert.equal((await get(site, "/one/sub")).headers.location, "/one/sub/");
  for (const missing of ["/three/", "/on/", "/one/../secret.txt", "/index.html"])
    assert.equal((await get(site, missing)).status, 404, missing);
});

test("wrong arguments end with status 2 and one sentence", async (t) => {
  const { base, root } = await makeFolder(t);
  const empty = path.join(root, "bare");
  const broken = path.join(base, "broken");
  await fs.mkdir(broken);
  await fs.writeFile(path.join(broken, "a.txt"), "title: A\nsection: sport\ncolour: red\n\nText.\n");
  const expected = [
    [["--nonsense"], /unrecognized option/],
    [["--listen"], /requires an argument/],
    [["extra"], /'extra' is not an option/],
    [["--listen", "8090"], /--listen '8090': give an address and a port/],
    [["--listen", "127.0.0.1:70000"], /--listen '127.0.0.1:70000'/],
    [["--listen", "nowhere:1"], /--listen 'nowhere:1'/],
    [["--delay", "-1"], /--delay '-1': give milliseconds/],
    [["--delay", "1s"], /--delay '1s'/],
    [["--timeout", "0"], /--timeout '0': give seconds from 1 to 3600/],
    [["--root", path.join(base, "nothing")], /cannot open the folder .*No such file/],
    [["--root", path.join(base, "secret.txt")], /cannot open the folder .*Not a directory/],
    [["--root", `a b=${root}`], /the prefix before '='/],
    [["--root", `a=${root}`, "--root", `a=${root}`], /prefix 'a' is taken/],
    [["--root", root, "--root", `a=${root}`], /need a prefix each/],
    [["--root", root, "--articles", articlesFolder], /exclude each other/],
    [["--articles", path.join(base, "nothing")], /cannot open the folder of articles/],
    [["--articles", empty], /there is no article in/],
    [["--articles", broken], /a\.txt:3: 'colour': unknown header field/],
  ];
  for (const [args, sentence] of expected) {
    const { code, stdout, stderr } = await run(...args);
    assert.deepEqual([code, stdout], [2, ""], `${args}: ${stderr}`);
    assert.match(stderr, sentence);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
  const help = await run("--help");
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^Usage: newsroom /);
});

test("a port in use ends with status 1 and one sentence", async (t) => {
  const site = await start(t);
  const { code, stderr } = await run("--listen", `127.0.0.1:${site.port}`);
  assert.equal(code, 1);
  assert.match(stderr, /^\S*newsroom\S*: cannot listen on 127\.0\.0\.1:\d+: Address already in use\.\n$/);
});
