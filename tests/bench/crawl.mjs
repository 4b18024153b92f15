// Crawls a real site (the HTML of python3-doc and postgresql-doc-15, served by newsroom) with tailrace,
// wget -r and scrapy, in turn, several rounds, and prints a table with medians and ratios.
// tailrace does the whole job: documents kept, lines durable and live. Usage: node tests/bench/crawl.mjs [rounds]
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reach } from "./reach.mjs";

const ROOTS = ["python=/usr/share/doc/python3.11/html", "postgres=/usr/share/doc/postgresql-doc-15/html"];
const rounds = Number(process.argv[2] ?? 3);
const scratch = mkdtempSync(join(tmpdir(), "tailrace-bench-"));
const children = [];

function start(command, args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.stdout.once("data", (text) => resolve({ child, url: String(text).trim().replace("listening on ", "").replace(/\/$/, "") }));
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
  });
}

/** CPU seconds and peak resident KiB of a process so far. */
function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, peak: Number(peak) };
}

async function json(url, options) {
  const answer = await fetch(url, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

/** A fresh server for each round, so that the peak memory is this crawl's. */
async function runTailrace(site, round) {
  const definition = {
    id: "bench", name: "Bench",
    steps: [{ name: "crawl", type: "crawler", config: { start_urls: [`${site}/`], max_pages: 0, max_depth: 1000, concurrency: 16 } }],
  };
  const definitions = mkdtempSync(join(scratch, "definitions-"));
  writeFileSync(join(definitions, "bench.json"), JSON.stringify(definition));
  const { child, url } = await start("build/tailrace", ["serve", "--listen", "127.0.0.1:0", "--data", join(scratch, `data-${round}`), "--definitions", definitions]);
  const before = usage(child.pid);
  const began = process.hrtime.bigint();
  const { job_id: job } = await json(`${url}/api/job-definitions/bench/execute`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  let cursor = null, events = 0, progress = null;
  for (let end = false; !end; ) {
    const query = cursor ? `&since=${cursor}` : "&since=epoch:0";
    const answer = await json(`${url}/api/events?topic=job:${job}${query}&wait=25`);
    for (const event of answer.events) if (event.type === "step_progress") progress = event.payload;
    events += answer.events.length;
    cursor = answer.cursor;
    end = answer.end;
  }
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  const after = usage(child.pid);
  const { total_count: documents } = await json(`${url}/api/jobs/${job}/results?limit=1`);
  const stopped = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await stopped;
  return { wall, cpu: after.cpu - before.cpu, peak: after.peak, pages: documents, events, progress };
}

function timed(command, args, cwd) {
  const out = join(scratch, "time");
  try {
    execFileSync("/usr/bin/time", ["-o", out, "-f", "%e %U %S %M", command, ...args], { cwd, stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    if (error.status !== 8 || command !== "wget") throw error; // wget: 8 says that some page was missing
  }
  const [wall, user, sys, peak] = readFileSync(out, "utf8").trim().split("\n").pop().split(" ").map(Number);
  return { wall, cpu: user + sys, peak };
}

function runWget(site, round) {
  const folder = join(scratch, `wget-${round}`);
  const figures = timed("wget", ["-q", "-r", "-l", "inf", "-e", "robots=on", "-P", folder, `${site}/`], scratch);
  const pages = Number(execFileSync("sh", ["-c", `find ${folder} -name '*.html' | wc -l`]));
  return { ...figures, pages };
}

function runScrapy(site, round) {
  const out = join(scratch, `scrapy-${round}.jl`);
  const figures = timed("scrapy", ["runspider", "-o", out, "-a", `start=${site}/`, join(process.cwd(), "tests/bench/spider.py")], scratch);
  return { ...figures, pages: readFileSync(out, "utf8").split("\n").length - 1 };
}

const median = (list) => list.slice().sort((a, b) => a - b)[Math.floor(list.length / 2)];

try {
  const { url: site } = await start("build/newsroom", ["--listen", "127.0.0.1:0", ...ROOTS.flatMap((root) => ["--root", root])]);
  const seen = [...(await reach(`${site}/`)).values()];
  const html = seen.filter((page) => page.status === 200 && page.type.startsWith("text/html")).length;
  console.log(`reachable by links: ${seen.length} addresses, ${html} HTML pages`);
  const results = { tailrace: [], wget: [], scrapy: [] };
  for (let round = 0; round < rounds; round++) {
    results.tailrace.push(await runTailrace(site, round));
    results.wget.push(runWget(site, round));
    results.scrapy.push(runScrapy(site, round));
  }
  const { progress, events } = results.tailrace[0];
  console.log(`tailrace: step_progress total ${progress.total_jobs}, completed ${progress.completed_jobs}, failed ${progress.failed_jobs}, documents ${progress.documents}; ${events} events`);
  console.log("\n| crawler | pages | pages/s | CPU ms/page | peak MiB | pages/s of scrapy |");
  console.log("|---|---|---|---|---|---|");
  const rate = (name) => median(results[name].map((r) => r.pages / r.wall));
  for (const [name, list] of Object.entries(results)) {
    const cpu = median(list.map((r) => (r.cpu * 1000) / r.pages));
    const peak = median(list.map((r) => r.peak)) / 1024;
    console.log(`| ${name} | ${median(list.map((r) => r.pages))} | ${rate(name).toFixed(0)} | ${cpu.toFixed(2)} | ${peak.toFixed(0)} | ${(rate(name) / rate("scrapy")).toFixed(1)} |`);
  }
} finally {
  for (const child of children) if (child.exitCode === null) child.kill("SIGTERM");
  rmSync(scratch, { recursive: true, force: true });
}
