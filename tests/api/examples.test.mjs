// Every definition of examples/jobs is valid, is listed, runs by itself and ends as its list says.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import nodeTest from "node:test";
import { fileURLToPath } from "node:url";
import { command, serve } from "./server.mjs";

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..", "examples", "jobs");
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml")).sort();
const rows = [...readFileSync(path.join(FOLDER, "README.md"), "utf8").matchAll(/^\| \[([\w-]+\.yaml)\]\(\1\) \| .* \| (\w+) \|$/gm)];
const ends = Object.fromEntries(rows.map(([, file, outcome]) => [file, outcome]));

nodeTest("the list names each file, and each is valid without a warning", async () => {
    assert.deepEqual(Object.keys(ends), files);
    const { code, stdout, stderr } = await command(["validate", ...files.map((file) => path.join(FOLDER, file))]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.doesNotMatch(stdout, /warning/);
});

nodeTest("each runs and ends as the list says", { timeout: 120000 }, async (t) => {
    const definitions = Object.fromEntries(files.map((file) => [file, readFileSync(path.join(FOLDER, file), "utf8")]));
    const server = await serve(t, { definitions, args: ["--pool", "database=2", "--max-jobs", "4"] }); // not all at once: some have two seconds
    const jobs = await Promise.all(files.map((file) => {
        const id = path.basename(file, ".yaml");
        return server.run(id, ["health", "request"].includes(id) ? { server: server.url } : undefined);
    }));
    const lines = {};
    for (const [i, file] of files.entries()) {
        const { body } = await server.get(`/api/jobs/${jobs[i]}/tree`);
        assert.equal(body.status, ends[file], `${file}: ${body.cause}`);
        lines[file] = Object.fromEntries(body.steps.map((s) => [s.name, s.logs.map(({ message }) => message).join("\n")]));
    }
    const again = await server.post(`/api/jobs/${jobs[files.indexOf("again.yaml")]}/rerun`, { from_failed: true, parameters: { works: "true" } });
    await server.events(`job:${again.body.job_id}`, await server.beginning());
    const taken = (await server.get(`/api/jobs/${again.body.job_id}/tree`)).body;
    assert.deepEqual([taken.status, ...taken.steps.map(({ logs }) => logs[0].message.replace(/ from job .*/, ""))], ["completed", "taken over", "started (shell)"]);
    assert.ok(taken.steps[1].logs.some(({ message }) => message === "12 rows"));
    assert.match(lines["any-bytes.yaml"].write, /^\/tmp\n(.*\n)?a zero byte: <\0>\n(.*\n)?no UTF-8: <\ufffd>$/m);
    assert.match(lines["any-bytes.yaml"].write, /^x{65536}\n(.*\n)?x{4464}\n(.*\n)?no newline at the end$/m);
    assert.match(lines["attempts.yaml"].flaky, /this is attempt 1\n(.*\n)*this is attempt 3\n/);
    assert.match(lines["branches.yaml"].both, /both have ended/);
    assert.match(lines["cleanup.yaml"].tidy, /tidied up/);
    assert.doesNotMatch(lines["cleanup.yaml"].publish, /never printed/);
    for (const name of ["one", "two", "three", "four"]) assert.ok(lines["each.yaml"].pack.includes(`packed ${name}.txt`));
    assert.match(lines["deadline.yaml"].slow, /working\n(.*\n)*failed after .*: timeout: the job took longer than 2s$/);
    assert.equal(lines["deadline.yaml"].after, "");
    assert.match(lines["each.yaml"].tell, /all is packed, north\n.*\nall is packed, south/);
    assert.match(lines["colours.yaml"].terminal, /\u001b\[32mthis is green\u001b\[0m/);
    assert.match(lines["colours.yaml"].pipe, /this is plain/);
    assert.match(lines["goodbye.yaml"].polite, /SIGTERM sent, SIGKILL in 20s\n(.*\n)*goodbye\n(.*\n)*stopped after [\d.]+ s: all processes are gone/);
    assert.match(lines["health.yaml"].ask, /\/api\/health 200 OK, application\/json/);
    assert.match(lines["heartbeat.yaml"]["hangs-once"], /attempt 1 of 2 failed: no sign of life for 2s \(heartbeat\)(.*\n)*copied/);
    assert.match(lines["heartbeat.yaml"].slow, /^\.{10} done$/m);
    assert.match(lines["limits.yaml"].endless, /killed by signal 24 \(CPU time limit exceeded\), more than cpu_time: 1s/);
    assert.match(lines["job-of-jobs.yaml"].greet, /job [0-9a-f-]{36} was started/);
    assert.match(lines["job-of-jobs.yaml"].tell, /version 1\.4\.2 is out/);
    assert.match(lines["many-lines.yaml"].copy, /copied file 49999\ncopied file 50000\n/);
    assert.match(lines["many-lines.yaml"].flood, /it wrote more than 100 lines/);
    assert.match(lines["outputs.yaml"].release, /release 1\.4\.2\n- one\.txt\n- two\.txt/);
    assert.match(lines["parameters.yaml"].greet, /hello, world\nhello, world/);
    assert.match(lines["plan-b.yaml"].second, /the other way/);
    assert.match(lines["plan-b.yaml"].arrive, /arrived/);
    assert.doesNotMatch(lines["plan-b.yaml"].rejoice, /never printed/);
    assert.match(lines["request.yaml"].tell, /^version \d+\.\d+\.\d+, status 200$/m);
    assert.match(lines["secrets.yaml"].use, /the command has it\nprinted, it is <\*\*\*>, and <\*\*\*>\n/);
    assert.match(lines["speaks.yaml"].copy, /two files are new\n(.*\n)*copying a\.txt, 120 bytes\n(.*\n)*copying b\.txt, 7 bytes\n/);
    assert.match(lines["speaks.yaml"].tell, /2 files were copied/);
    assert.match(lines["stubborn.yaml"].deaf, /SIGTERM sent, SIGKILL in 1s\nsurvived SIGTERM: .*sleep.*; SIGKILL sent\n(.*\n)*stopped after [\d.]+ s: all processes are gone/);
    assert.match(lines["stubborn.yaml"].after, /nothing of it is left/);
    assert.match(lines["timeouts.yaml"].slow, /timeout: /);
    assert.match(lines["timeouts.yaml"].after, /going on/);
    assert.match(lines["shared-pool.yaml"].load, /one of at most two/);
    assert.match(lines["tolerance.yaml"].after, /all the same/);
});
