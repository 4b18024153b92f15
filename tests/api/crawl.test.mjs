// The crawler on a real site that nobody here wrote: the HTML of python3-doc and postgresql-doc-15. An
// independent search by links says which addresses there are.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { reach } from "../bench/reach.mjs";
import { serve } from "./server.mjs";

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");
const NEWSROOM = process.env.NEWSROOM || path.join(ROOT, "build", "newsroom");
const SITES = ["python=/usr/share/doc/python3.11/html", "postgres=/usr/share/doc/postgresql-doc-15/html"];
const DEFINITION = `id: docs
name: Documentation
parameters: { site: {} }
steps:
  - name: crawl
    type: crawler
    config: { start_urls: ["{site}"], max_pages: 0, max_depth: 1000, concurrency: 16 }
`;

test("two thousand pages of real documentation are crawled completely, each once", async (t) => {
    const site = spawn(NEWSROOM, ["--listen", "127.0.0.1:0", ...SITES.flatMap((s) => ["--root", s])], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => site.kill());
    const [text] = await once(site.stdout, "data");
    const start = String(text).trim().replace("listening on ", "");
    const reachable = await reach(start);
    const expected = [...reachable].filter(([, page]) => page.status === 200 && page.type.startsWith("text/html")).map(([url]) => url);
    assert.ok(expected.length > 1500, `only ${expected.length} pages: are the packages there?`);

    const server = await serve(t, { definitions: { "docs.yaml": DEFINITION } });
    const job = await server.run("docs", { site: start });
    const kept = [];
    for (let offset = 0, total = 1; offset < total; ) {
        const { body } = await server.get(`/api/jobs/${job}/results?limit=1000&offset=${offset}`);
        kept.push(...body.documents.map((d) => d.url));
        total = body.total_count;
        offset += body.documents.length;
    }
    assert.deepEqual(kept.sort(), expected.sort(), "the pages that were kept are those that links reach, each once");

    const events = await server.events(`job:${job}`, await server.beginning());
    const progress = events.filter((e) => e.type === "step_progress").at(-1).payload;
    assert.equal(progress.total_jobs, reachable.size);
    assert.equal(progress.completed_jobs + progress.failed_jobs, reachable.size);
    assert.equal(progress.failed_jobs, [...reachable.values()].filter((page) => page.status >= 400).length);
    assert.equal(progress.documents, expected.length);
});
