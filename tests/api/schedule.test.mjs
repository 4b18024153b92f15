// Jobs that start by themselves: the times of schedules, against another implementation of time
// zones and another way to go through them; and schedules of a real server. (never again: 17)
import assert from "node:assert/strict";
import nodeTest from "node:test";
import { command, folder, serve } from "./server.mjs";

const test = (name, run) => nodeTest(name, { timeout: 180000 }, run);

/* ---- the times ---- */

const MINUTE = 60000;
const DAY = 24 * 60 * MINUTE;
const BEGIN = Date.UTC(2021, 0, 1);
const END = Date.UTC(2031, 0, 1);

// [[from, offset], …]: how far clocks of a zone are ahead of UTC, as the browser's engine knows it.
function offsetsOf(timeZone) {
    const format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" });
    const offset = (at) => {
        const of = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
        return Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute) - at;
    };
    const found = [[BEGIN, offset(BEGIN)]];
    for (let day = BEGIN; day < END; day += DAY) {
        if (offset(day + DAY) === offset(day)) continue;
        let minute = day;
        while (offset(minute) === offset(day)) minute += MINUTE;
        found.push([minute, offset(minute)]);
    }
    return found;
}

// "5,10-20/5" as a set; numbers only.
function setOf(text, low, high) {
    const set = new Set();
    for (const item of text.split(",")) {
        const [range, step = "1"] = item.split("/");
        const [first, last = item.includes("/") ? high : first] = range === "*" ? [low, high] : range.split("-");
        for (let i = Number(first); i <= Number(last); i += Number(step)) set.add(i);
    }
    return set;
}

// Goes through all minutes of ten years, as somebody who looks at a clock would.
function timesOf(cron, offsets) {
    const [minutes, hours, days, months, weekdays] = cron.split(" ");
    const is = { minute: setOf(minutes, 0, 59), hour: setOf(hours, 0, 23), day: setOf(days, 1, 31), month: setOf(months, 1, 12), weekday: setOf(weekdays, 0, 6) };
    const both = days.startsWith("*") || weekdays.startsWith("*");
    const dayFits = new Map();
    const fits = (local) => {
        const day = Math.floor(local / DAY);
        if (!dayFits.has(day)) {
            const date = new Date(day * DAY);
            const [inMonth, inWeek] = [is.day.has(date.getUTCDate()), is.weekday.has(date.getUTCDay())];
            dayFits.set(day, is.month.has(date.getUTCMonth() + 1) && (both ? inMonth && inWeek : inMonth || inWeek));
        }
        const minute = Math.floor((local - day * DAY) / MINUTE);
        return dayFits.get(day) && is.minute.has(minute % 60) && is.hour.has(Math.floor(minute / 60));
    };
    const times = [];
    let shown = BEGIN + offsets[0][1] - MINUTE; // the latest time that the clock has shown
    let at = 0;
    for (let now = BEGIN; now < END; now += MINUTE) {
        if (at + 1 < offsets.length && offsets[at + 1][0] === now) at++;
        const local = now + offsets[at][1];
        let due = fits(local) && (hours.startsWith("*") || local > shown);
        for (let skipped = shown + MINUTE; skipped < local && !hours.startsWith("*"); skipped += MINUTE) due ||= fits(skipped);
        if (due) times.push(new Date(now).toISOString().replace(".000Z", "Z"));
        shown = Math.max(shown, local);
    }
    return times;
}

const ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
const CRONS = ["30 2 * * *", "0,15,30,45 1-3 * * *", "*/20 */3 * * *", "59 23 31 12 *", "0 0 13 * 5", "0 12 */10 * 1-5", "0 2 29 2 *", "17 * * 3,4,10,11 0"];

for (const zone of ZONES)
    test(`ten years of schedules in ${zone} are as another implementation has them`, async () => {
        const offsets = offsetsOf(zone);
        assert.equal(offsets.length, 21, "twenty times clocks are set");
        for (const cron of CRONS) {
            const want = timesOf(cron, offsets);
            const { stdout, stderr } = await command(["schedule", cron, "--timezone", zone, "--from", "2020-12-31T23:59:59Z", "--count", String(want.length + 1), "--json"]);
            const got = stdout.trim().split("\n").map((line) => JSON.parse(line));
            assert.equal(stderr, "");
            assert.ok(want.length > 1);
            assert.deepEqual(got.slice(0, -1), want, cron);
            assert.ok(Date.parse(got.at(-1)) >= END, cron);
        }
    });

test("the command tells the next times, and what is wrong", async () => {
    const from = ["--from", "2027-03-27T12:00:00Z"];
    const good = await command(["schedule", "30 2 * * *", "-z", "Europe/Berlin", "-n", "2", ...from]);
    assert.equal(good.stdout, "each day at 02:30, Europe/Berlin\nSun 2027-03-28 03:00 +02:00   2027-03-28 01:00 UTC\nMon 2027-03-29 02:30 +02:00   2027-03-29 00:30 UTC\n");
    const mind = await command(["schedule", "0 0 1 * mon", "-n", "1"]);
    assert.match(mind.stdout, /^mind: it is due when either of its two days fits/m);
    for (const [args, sentence] of [
        [["61 * * * *"], /^tailrace: minute: expected 0 to 59, '\*', ranges or lists, found '61'\n$/],
        [["@hourly", "-z", "Mars/Base"], /^tailrace: there is no time zone 'Mars\/Base' on this machine\n$/],
        [["@hourly", "--from", "noon"], /^tailrace: --from: expected a time such as 2026-11-27T03:00:00Z, found 'noon'\n$/],
        [["@hourly", "-n", "0"], /--count/],
        [["0 0 31 6 *"], /is never due/],
    ]) {
        const { code, stdout, stderr } = await command(["schedule", ...args]);
        assert.equal(code, 2, args.join(" "));
        assert.equal(stdout, "");
        assert.match(stderr, sentence);
    }
});

/* ---- a server ---- */

const definition = (id, more, commandText = "echo hello") => `id: ${id}\nname: ${id}\n${more}steps:\n  - { name: s, type: shell, config: { command: ${JSON.stringify(commandText)} } }\n`;
const jobsOf = async (server, id) => (await server.get(`/api/jobs?definition=${id}`)).body.jobs;
const systemEvents = async (server) => {
    const { body } = await server.get(`/api/events?topic=system&since=${await server.beginning()}&wait=0`);
    return body.events.map(({ payload }) => payload);
};

test("a schedule is told in words, with its next runs, and can be paused", async (t) => {
    const data = await folder(t);
    const definitions = {
        "nightly.yaml": definition("nightly", "schedule: { cron: 30 2 * * *, timezone: Europe/Berlin, missed: run-once, overlap: queue }\n"),
        "by-hand.yaml": definition("by-hand", ""),
        "off.yaml": definition("off", "schedule: '@daily'\nenabled: false\n"),
    };
    let server = await serve(t, { data, definitions });
    const path = "/api/job-definitions/nightly";
    const { body } = await server.get(path);
    assert.deepEqual(body.schedule, { cron: "30 2 * * *", timezone: "Europe/Berlin", missed: "run-once", overlap: "queue" });
    assert.equal(body.schedule_words, "each day at 02:30, Europe/Berlin");
    assert.equal(body.next_runs.length, 5);
    assert.ok(body.next_runs.every((time, i) => Date.parse(time) > (i ? Date.parse(body.next_runs[i - 1]) : Date.now())));
    assert.deepEqual([body.paused, body.queued_run], [false, null]);
    const off = (await server.get("/api/job-definitions/off")).body;
    assert.deepEqual([off.next_runs, off.schedule_words], [[], "each day at 00:00, UTC"]);
    const hand = (await server.get("/api/job-definitions/by-hand")).body;
    assert.deepEqual([hand.schedule, hand.schedule_words, hand.next_runs], [null, null, []]);

    const paused = await server.post(path + "/pause");
    assert.deepEqual([paused.status, paused.body.paused, paused.body.next_runs], [200, true, []]);
    await server.stop("SIGKILL");
    server = await serve(t, { data, definitions });
    assert.equal((await server.get(path)).body.paused, true);
    const cli = (...args) => command(args, { env: { ...process.env, TAILRACE_URL: server.url, TZ: "UTC" } });
    assert.match((await cli("definitions")).stdout, /^nightly +1 +paused/m);
    assert.match((await cli("definitions")).stdout, /^off +1 +disabled/m);
    assert.match((await cli("resume", "nightly")).stdout, /^nightly: next run \d{4}-\d\d-\d\d 0[01]:30:00\n$/);
    assert.match((await cli("definitions")).stdout, /^nightly +1 +\d{4}-\d\d-\d\d 0[01]:30:00/m);
    assert.equal((await cli("pause", "nightly")).stdout, "nightly: paused\n");
    assert.deepEqual((await systemEvents(server)).filter(({ event }) => /^schedule/.test(event)).map(({ event, subject }) => `${event} ${subject}`), [
        "schedule_paused nightly",
        "schedule_resumed nightly",
        "schedule_paused nightly",
    ]);
    assert.equal((await cli("pause", "off")).stdout, "off: disabled\n");
    const none = await server.post("/api/job-definitions/by-hand/pause");
    assert.deepEqual([none.status, none.body.error], [409, "definition 'by-hand' has no schedule"]);
    assert.equal((await server.post("/api/job-definitions/nobody/pause")).status, 404);
    const { code, stderr } = await cli("pause", "by-hand");
    assert.deepEqual([code, stderr], [5, "tailrace: definition 'by-hand' has no schedule\n"]);
});

test("a schedule that a definition got over the API is checked and shown before it is kept", async (t) => {
    const server = await serve(t);
    const send = (path, text) => server.fetch("/api/job-definitions" + path, { method: "POST", headers: { "Content-Type": "application/yaml" }, body: text });
    const good = await send("/validate", definition("a", "schedule: 0 9 1 * mon\n"));
    assert.equal(good.body.valid, true);
    assert.equal(good.body.next_runs.length, 5);
    assert.deepEqual(good.body.warnings, ["schedule: it is due when either of its two days fits, not only when both do"]);
    const wrong = await send("", definition("a", "schedule: { cron: '@daily', timezone: Nowhere }\n"));
    assert.equal(wrong.status, 400);
    assert.deepEqual([wrong.body.field, wrong.body.line], ["schedule.timezone", 3]);
    assert.match(wrong.body.error, /expected a name such as Europe\/Berlin, found 'Nowhere'/);
});

// The minute does not end while what comes before its end is made ready.
const minuteLasts = async () => {
    const left = MINUTE - (Date.now() % MINUTE);
    if (left < 20000) await new Promise((resolve) => setTimeout(resolve, left));
};

test("what is due starts by itself, once, whatever dies, and an overlap is what was written", async (t) => {
    await minuteLasts();
    const data = await folder(t);
    const every = (overlap) => `schedule: { cron: "* * * * *", overlap: ${overlap} }\n`;
    const definitions = {
        "plain.yaml": definition("plain", every("skip")),
        "skip.yaml": definition("skip", every("skip"), "exec sleep 1000"),
        "replace.yaml": definition("replace", every("replace"), "exec sleep 1000"),
        "allow.yaml": definition("allow", every("allow"), "exec sleep 1000"),
        "still.yaml": definition("still", every("skip")),
    };
    let server = await serve(t, { data, definitions });
    await server.post("/api/job-definitions/still/pause");
    const first = {};
    for (const id of ["skip", "replace", "allow"]) first[id] = await server.execute(id);
    // The minute comes; what it brings is followed on the topic of all jobs.
    const seen = new Map();
    for (let cursor = await server.cursor(); seen.size < 3; ) {
        const { body } = await server.get(`/api/events?topic=jobs&since=${cursor}&wait=25`);
        for (const { payload } of body.events) if (/^schedule/.test(payload.started_by)) seen.set(payload.definition_id, payload);
        cursor = body.cursor;
    }
    await server.stop("SIGKILL");
    const due = seen.get("plain").started_by;
    assert.match(due, /^schedule, due \d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/);
    assert.deepEqual([...seen.keys()].sort(), ["allow", "plain", "replace"]);
    const late = Date.parse(seen.get("plain").timestamp) - Date.parse(due.replace("schedule, due ", ""));
    t.diagnostic(`started ${late} ms after it was due`);
    assert.ok(late >= 0);

    server = await serve(t, { data, definitions });
    const ofThatMinute = async (id) => (await jobsOf(server, id)).filter(({ started_by: by }) => by === due);
    for (const [id, count] of Object.entries({ plain: 1, skip: 0, replace: 1, allow: 1, still: 0 })) assert.equal((await ofThatMinute(id)).length, count, id);
    const { body: replaced } = await server.get(`/api/jobs/${first.replace}`);
    assert.deepEqual([replaced.status, replaced.cause], ["cancelled", "cancelled by its schedule: the next one is due"]);
    const told = (await systemEvents(server)).map(({ event, subject, message }) => `${event} ${subject}: ${message}`);
    const minute = due.replace("schedule, due ", "");
    assert.ok(told.includes(`schedule_skipped skip: no job for ${minute}, nor for those after it while the one before it still runs`), told.join("\n"));
    assert.ok(told.includes(`schedule_queued replace: the job for ${minute} waits until the one before it has ended`), told.join("\n"));
    for (const { id } of (await server.get("/api/jobs?status=running")).body.jobs) await server.post(`/api/jobs/${id}/cancel`);
});

test("a job says who or what started it", async (t) => {
    const server = await serve(t, { definitions: { "a.yaml": definition("a", "") } });
    const by = async (id) => (await server.get(`/api/jobs/${id}`)).body.started_by;
    const api = await server.run("a");
    assert.equal(await by(api), "API");
    const page = await server.post("/api/job-definitions/a/execute", { by: "page" });
    assert.equal(await by(page.body.job_id), "page");
    const { stdout } = await command(["run", "a", "--server", server.url]);
    assert.equal(await by(stdout.trim()), "command line");
    const again = await server.post(`/api/jobs/${api}/rerun`, { by: "page" });
    assert.equal(await by(again.body.job_id), `page, again after ${api}`);
    const { body: tree } = await server.get(`/api/jobs/${api}/tree`);
    assert.equal(tree.started_by, "API");
    const long = await server.post("/api/job-definitions/a/execute", { by: "x".repeat(65) });
    assert.deepEqual([long.status, long.body.field], [400, "by"]);
    const lines = await server.post("/api/job-definitions/a/execute", { by: "two\nlines" });
    assert.equal(lines.status, 400);
});

test("what a schedule would be due at is told alike by the API and the command line", async (t) => {
    const server = await serve(t);
    const ask = (query) => server.get(`/api/schedule?${new URLSearchParams(query)}`);
    const from = "2027-03-27T12:00:00Z";
    for (const [cron, timezone] of [["30 2 * * *", "Europe/Berlin"], ["0 */2 * * *", "Australia/Lord_Howe"], ["@weekly", "UTC"], ["0 0 29 2 *", "America/New_York"]]) {
        const { status, body } = await ask({ cron, timezone, from, count: 20 });
        assert.equal(status, 200, body.error);
        const { stdout } = await command(["schedule", cron, "-z", timezone, "--from", from, "-n", "20", "--json"]);
        assert.deepEqual(body.times.map((time) => time.replace(".000000", "")), stdout.trim().split("\n").map((line) => JSON.parse(line)));
    }
    const { body } = await ask({ cron: "0 9 13 * fri" });
    assert.deepEqual([body.timezone, body.times.length, body.words], ["UTC", 10, "Friday, and on day 13 of the month at 09:00"]);
    assert.notEqual(body.remark, "");
    for (const [query, field] of [[{}, "cron"], [{ cron: "* * *" }, "cron"], [{ cron: "61 * * * *" }, "cron"], [{ cron: "@daily", timezone: "Europe/Berln" }, "timezone"],
        [{ cron: "@daily", from: "now" }, "from"], [{ cron: "@daily", count: 101 }, "count"], [{ cron: "@daily", count: "x" }, "count"]]) {
        const answer = await ask(query);
        assert.deepEqual([answer.status, answer.body.field], [400, field], JSON.stringify(query));
    }
});
