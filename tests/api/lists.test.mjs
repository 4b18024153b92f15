// What lists can be narrowed to, and what they tell beside their rows.
import assert from "node:assert/strict";
import test from "node:test";

import { listener, serve } from "./server.mjs";

const shell = (id, name, command) => `
id: ${id}
name: ${name}
steps:
  - name: a
    type: shell
    config: { command: "${command}" }
`;

test("jobs are found by a word of their name or definition, and counted exactly", async (t) => {
    const server = await serve(t, {
        definitions: {
            "a.yaml": shell("night-build", "Build at Night", "true"),
            "b.yaml": shell("b", "100% _Other_", "exit 1"),
        },
    });
    for (const id of ["night-build", "b", "night-build", "night-build"]) await server.run(id);
    const found = async (query) => {
        const { status, body } = await server.get("/api/jobs?" + query);
        assert.equal(status, 200, JSON.stringify(body));
        return [body.total_count, body.jobs.map((job) => job.definition_id)];
    };
    const NIGHT = "night-build";
    assert.deepEqual(await found("q=nIGHT"), [3, [NIGHT, NIGHT, NIGHT]]);
    assert.deepEqual(await found("q=night-b&limit=2"), [3, [NIGHT, NIGHT]]);
    assert.deepEqual(await found("q=night&limit=2&offset=2"), [3, [NIGHT]]);
    assert.deepEqual(await found("q=night&offset=3"), [3, []]);
    assert.deepEqual(await found("q=night&status=failed"), [0, []]);
    assert.deepEqual(await found("q=other&status=failed,completed"), [1, ["b"]]);
    assert.deepEqual(await found("q=%25%20_"), [1, ["b"]], "% and _ are as they are");
    assert.deepEqual(await found("q=t%0Anight"), [0, []], "name and definition are apart");
    assert.deepEqual(await found("q=other&definition=" + NIGHT), [0, []]);
    assert.deepEqual(await found("q="), [4, [NIGHT, NIGHT, "b", NIGHT]]);
});

test("definitions tell their newest runs when they are asked to", async (t) => {
    const server = await serve(t, {
        definitions: { "a.yaml": shell("a", "A", "true"), "b.yaml": shell("b", "B", "exit 1"), "c.yaml": shell("c", "C", "true") },
    });
    const ids = [];
    for (let i = 0; i < 3; i++) ids.unshift(await server.run("a"));
    const failed = await server.run("b");
    const list = async (query) => (await server.get("/api/job-definitions?" + query)).body;
    const { job_definitions: all, total_count: total } = await list("runs=2");
    assert.deepEqual(all.map((d) => [d.id, d.runs.map((run) => run.job_id)]),
        [["a", ids.slice(0, 2)], ["b", [failed]], ["c", []]]);
    assert.equal(total, 3);
    assert.deepEqual(Object.keys(all[1].runs[0]), ["job_id", "status", "created_at", "started_at", "completed_at", "duration_ms"]);
    assert.equal(all[1].runs[0].status, "failed");
    assert.deepEqual((await list("runs=2&limit=1&offset=1")).job_definitions.map((d) => d.id), ["b"]);
    assert.deepEqual((await list("runs=2&offset=9")).job_definitions, []);
    assert.equal("runs" in (await list("")).job_definitions[0], false);
    for (const wrong of ["21", "-1", "x"]) {
        const { status, body } = await server.get("/api/job-definitions?runs=" + wrong);
        assert.deepEqual([status, body.field], [400, "runs"]);
        assert.match(body.error, /0 to 20/);
    }
});

// A site of three pages on loopback.
async function site(t) {
    const page = (title, text, links = "") => `<html><head><title>${title}</title></head><body><main><h1>${title}</h1><p>${text}</p>${links}</main></body></html>`;
    const pages = {
        "/": page("Harbour", "Ships and Fish, 100% fresh", '<a href="/two.html">two</a> <a href="/three.html">three</a>'),
        "/two.html": page("Market", "fish and bread"),
        "/three.html": page("Forest", "trees"),
    };
    const { port } = await listener(t, ({ url }, response) => response.writeHead(pages[url] ? 200 : 404, { "Content-Type": "text/html" }).end(pages[url]));
    return "127.0.0.1:" + port;
}

const crawl = (host) => `
id: crawl
name: Crawl
steps:
  - name: crawl
    type: crawler
    config: { start_urls: ["http://${host}/"], max_depth: 2, max_pages: 10, concurrency: 1, follow_links: true }
`;

test("documents are found by words, host, job and time, and counted by host and job", async (t) => {
    const host = await site(t);
    const server = await serve(t, { definitions: { "crawl.yaml": crawl(host) } });
    const first = await server.run("crawl");
    const second = await server.run("crawl");
    const list = async (query) => {
        const { status, body } = await server.get("/api/documents?" + query);
        assert.equal(status, 200, JSON.stringify(body));
        return body;
    };
    const titles = async (query) => {
        const { documents, total_count: total } = await list(query);
        return [total, documents.map((d) => d.title).sort()];
    };
    const all = await list("");
    assert.equal(all.total_count, 6);
    assert.deepEqual(await titles("q=FISH&job_id=" + first), [2, ["Harbour", "Market"]]);
    assert.deepEqual(await titles("q=fish%20%20ships&job_id=" + first), [1, ["Harbour"]]);
    assert.deepEqual(await titles("q=trees%20http://"), [2, ["Forest", "Forest"]], "words of text and address");
    assert.deepEqual(await titles("q=market%20fish&limit=1"), [2, ["Market"]], "words of title and text together");
    assert.deepEqual(await titles("q=100%25"), [2, ["Harbour", "Harbour"]]);
    assert.deepEqual(await titles("q=nothing"), [0, []]);
    assert.deepEqual(await titles("host=" + host + "&q=trees"), [2, ["Forest", "Forest"]]);
    assert.deepEqual(await titles("host=127.0.0.1"), [0, []], "another port is another host");
    const { facets } = await list("q=bread&facets=true");
    assert.deepEqual(facets, {
        hosts: [{ host, count: 2 }],
        jobs: [second, first].map((job_id) => ({ job_id, job_name: "Crawl", count: 1 })),
    });
    const { facets: whole } = await list(`facets=true&job_id=${first}&host=other`);
    assert.deepEqual(whole.jobs.map((job) => job.count), [3, 3], "facets are of all jobs and hosts");
    const times = all.documents.map((d) => d.created_at);
    assert.equal((await list("since=" + times[0])).documents[0].id, all.documents[0].id);
    assert.equal((await list("since=" + times[2])).total_count, times.filter((at) => at >= times[2]).length);
    assert.equal((await list("since=2999-01-01T00:00:00Z")).total_count, 0);
});

test("what documents cannot be narrowed to is refused, and the field is named", async (t) => {
    const server = await serve(t, { definitions: {} });
    const wrong = [
        ["q=" + "a+".repeat(9), "q", 400],
        ["job_id=x", "job_id", 400],
        ["since=yesterday", "since", 400],
        ["facets=maybe", "facets", 400],
        ["hots=x", "hots", 400],
        ["job_id=0199e9c2-7a6d-7c11-9a54-1c2b3d4e5f62", undefined, 404],
    ];
    for (const [query, field, want] of wrong) {
        const { status, body } = await server.get("/api/documents?" + query);
        assert.deepEqual([status, body.field], [want, field], query + JSON.stringify(body));
        assert.ok(body.error.length > 10);
    }
});
