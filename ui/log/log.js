// log.js: <tailrace-log>, the lines of one step, however many.
//
//     log.open({jobId, stepId, name, fetchPage(after, limit), search(params), epoch})
//     log.show(writer)      {logs: the newest, total_logs, level_counts, first_error, status}
//
// A line has rows (rows.js, axis.js), rows have pixels (window.js), and those in sight are painted
// (view.js). Lines come from the writer, or are fetched when they come in sight (pages.js). What
// the reader does is told by gestures.js; whether that leaves the end says follow.js.
//
// With `compact` it is a small log: of the writer's lines, and of earlier ones that the reader asks
// for; nothing is folded or coloured, and there is no status line.
//
//     events  logfollow   {follow}                      the reader left the end, or came back to it
//             loghits     {count, at, complete, error}  of the query
//             logplace    {line, to}                    the reader chose these lines
//             lognotice   {text}                        a sentence for the reader
//             loglines    {lines}                       earlier lines came in

import { attributeSet, hiddenSet, textSet, unobserved } from "../dom.js";
import { count, plural } from "../format.js";
import { Question } from "../question.js";
import { isFinal } from "../reducer.js";
import { Finder, noneText } from "./finder.js";
import { patternOf } from "./finds.js";
import { END_ROWS, follows } from "./follow.js";
import { frameMake } from "./frame.js";
import { clipboardPut, gesturesListen } from "./gestures.js";
import { groupLast, groupsFind } from "./groups.js";
import { Minimap } from "./minimap.js";
import { Pages } from "./pages.js";
import { Rate } from "./rate.js";
import { Rows } from "./rows.js";
import { Status } from "./status.js";
import { Stream, gutterCells } from "./stream.js";
import { View } from "./view.js";
import { ROW } from "./window.js";

const NARROW = 600; // px: no room for time and originator
const EARLIER = 200; // lines fetched at once by a compact log
const NEAR_ROWS = 50; // so near to the end of what a filter knows, more is asked for
const TICK_MS = 250;
const STREAM = { on: 150, off: 100, ms: 25 }; // lines/s; ms between two paints
const COPY_MOST = 20000; // lines

export class TailraceLog extends HTMLElement {
    #o = {};
    #writer = null;
    #pages = new Pages({
        put: (entry) => this.#map.put(entry.line, entry.level),
        changed: (from, to) => this.#changed(from - 1, to + 1),
        failed: (error) => this.#notice("Lines could not be loaded: " + error.message),
    });
    #rows = new Rows(this.#pages);
    #view = new View(this.#rows);
    #axis = this.#view.axis;
    #finder = new Finder((from, to) => this.#found(from, to));
    #map = new Minimap();
    #marks = new Question(() => this.#finder.marks(), { answered: (marks) => this.#mapFill(marks) });
    #rate = new Rate();
    #status = new Status((line) => this.#go("hit", line));
    #frame = frameMake(this.#view.painters, this.#map.el, this.#status.el);
    #follow = true;
    #left = 0; // lines that there were when the reader left the end
    #place = null; // [line, to] to go to once it is there
    #chosen = [0, 0]; // lines
    #current = 0;
    #isNew = true; // nothing was shown yet
    #isDue = false; // something is to be painted
    #timer = null;
    #missedAt = 0;
    #toldAt = -Infinity; // the status line
    #paintedAt = 0;
    #stamp = 0; // of how rows look
    #digits = 0; // of line numbers
    #how = { time: "abs", wrap: false, level: "debug", query: null, filter: false };

    connectedCallback() {
        if (this.isConnected && this.firstChild) return;
        this.classList.add("tree-step-logs");
        this.append(...this.#frame.all);
        this.#kind();
        this.#listen();
    }

    // The element that scrolls.
    get scroller() {
        return this.#frame.scroller;
    }

    /* ---- what is shown ---- */

    open(options) {
        this.#o = options;
        this.dataset.jobId = options.jobId;
        this.dataset.stepId = options.stepId;
        if (options.name) this.label = "Lines of step " + options.name;
        this.#writer = null;
        this.#isNew = true;
        this.#follow = true;
        this.#place = null;
        this.#choose(0);
        this.#kind();
        this.#restart();
    }

    // Another one: the history was rewritten (a backup was put back).
    set epoch(epoch) {
        if (epoch === this.#o.epoch) return;
        const isOther = Boolean(this.#o.epoch);
        this.#o = { ...this.#o, epoch };
        if (isOther) this.#restart();
    }

    // Names the log for those who cannot see where it is.
    set label(text) {
        attributeSet(this.scroller, "aria-label", text);
    }

    get isCompact() {
        return Boolean(this.compact) || this.hasAttribute("compact") || !this.#o.fetchPage;
    }

    // How many lines can be scrolled to.
    get lines() {
        return this.#axis.total - this.#rows.first + 1;
    }

    show(writer) {
        const before = this.#writer;
        if (before === writer) return;
        this.#writer = writer;
        if (before && writer.total_logs < before.total_logs) this.#restart(); // another history
        if (before && !this.#isNew) this.#rate.add(writer.total_logs, performance.now());
        else this.#rate.begin(writer.total_logs, performance.now());
        this.#pages.putTail(writer.logs);
        this.#axis.grow(writer.total_logs);
        if (this.isCompact) this.#firstMove(writer);
        this.#finder.grow(writer.total_logs);
        this.#begin(writer);
        // Nobody reads a stream: every other frame is enough.
        if (this.#view.isStreaming && performance.now() - this.#paintedAt < STREAM.ms)
            this.#paintSoon();
        else this.paint();
    }

    // The log is of another history: nothing that is here holds.
    #restart() {
        this.#pages.open(this.#o.fetchPage);
        this.#rows.forget();
        this.#rows.first = 1;
        this.#axis.reset(0);
        this.#map.forget();
        this.#marks.drop();
        this.#finder.open(this.#o.search);
        this.#find();
    }

    // Where a log opens: at a place that was asked for; what runs, at its end; what failed, at the
    // first error; else at the top.
    #begin({ total_logs: total, status, first_error: error }) {
        if (!total) return;
        const isFirst = this.#isNew && !this.isCompact;
        this.#isNew = false;
        if (this.#place && this.#place[0] <= total) {
            const [line, to] = this.#place;
            this.#place = null;
            this.goto(line, to);
        } else if (isFirst && !this.#place && status && isFinal(status)) {
            this.#turn(false);
            this.#view.anchor = { line: 1, dy: 0 };
            if (status === "failed" && error) this.#go("hit", error);
        }
        const { error: errors = 0, warn: warnings = 0 } = this.#writer.level_counts || {};
        if (isFirst && errors + warnings) this.#marks.ask();
    }

    // A compact log has the writer's lines, and those before them that the reader got.
    #firstMove({ logs, total_logs: total }) {
        const before = this.#rows.first;
        const oldest = logs.length ? logs[0].line : total + 1;
        this.#rows.first = this.#follow ? oldest : Math.min(before, oldest);
        if (before !== this.#rows.first)
            this.#axis.touch(Math.min(before, oldest), Math.max(before, oldest));
    }

    #kind() {
        this.#rows.isBare = this.isCompact;
        this.classList.toggle("full", !this.isCompact);
        hiddenSet(this.#status.el, this.isCompact);
        hiddenSet(this.#map.el, this.isCompact);
    }

    #changed(from, to) {
        this.#axis.touch(from, to);
        this.#paintSoon();
    }

    // Errors and warnings that did not come by.
    #mapFill(marks) {
        for (const [level, lines] of marks) for (const line of lines) this.#map.put(line, level);
        this.#paintSoon();
    }

    /* ---- the reader ---- */

    #listen() {
        const { scroller, newer, earlier } = this.#frame;
        gesturesListen(scroller, {
            did: (name) => this.#did(name),
            scrolled: () => this.#scrolled(),
            pressed: () => this.#view.isStreaming && this.#did("line"),
            numbered: (line, isTo) => this.#numbered(line, isTo),
            clicked: (line) => this.#clicked(line),
            toggled: (line) => this.#toggle(line),
            text: (line) => this.#pages.at(line)?.text ?? "",
        });
        // A log that grows, or is opened again, is still at its end if it was followed.
        new ResizeObserver(() => this.#resized()).observe(scroller);
        newer.addEventListener("click", () => this.#did("button"));
        earlier.addEventListener("click", () => this.#earlier());
        this.#map.onPlace((share) =>
            this.#go("place", Math.max(1, Math.ceil(share * this.#axis.total))),
        );
    }

    #did(what) {
        if (!this.#writer) return;
        this.#turn(follows(this.#follow, what, this.#view.above, this.#view.below));
        if (this.#follow || this.#view.isStreaming) this.paint();
    }

    #turn(follow) {
        if (this.#follow === follow) return;
        this.#follow = follow;
        this.#left = this.#axis.total;
        if (!follow) this.#view.hold();
        this.#paintSoon();
        this.#tell("logfollow", { follow });
    }

    #scrolled() {
        this.scroller.classList.toggle("sideways", this.scroller.scrollLeft > 0);
        const went = this.#writer ? this.#view.scrolled(this.scroller) : 0;
        if (!went) return;
        const did = went < 0 ? "scrolled-up" : "scrolled-down";
        this.#turn(follows(this.#follow, did, this.#view.above, this.#view.below));
        if (!this.#follow) this.#view.hold();
        this.paint();
    }

    #resized() {
        this.#view.measure(this.#frame);
        this.#wrapAnew();
        this.paint();
    }

    #numbered(line, isTo) {
        this.#choose(isTo && this.#current ? this.#current : line, line);
        this.#did("line");
        this.paint();
        const [first, last] = this.#chosen;
        this.#tell("logplace", { line: first, to: last });
    }

    #clicked(line) {
        this.#choose(line);
        this.#did("line");
        this.paint();
    }

    #choose(line, to = line) {
        this.#current = line;
        this.#chosen = [Math.min(line, to), Math.max(line, to)];
    }

    async #earlier() {
        const { first, shown } = this.#rows;
        this.#turn(false);
        if (shown) return shown.more(true);
        const after = Math.max(0, first - 1 - EARLIER);
        try {
            this.#pages.put(await this.#o.fetchPage(after, first - 1 - after));
        } catch (error) {
            return this.#notice("Lines could not be loaded: " + error.message);
        }
        this.#rows.first = Math.min(this.#rows.first, after + 1);
        this.#axis.touch(after + 1, first);
        this.#view.bring(first, true); // the end of what came in above
        this.paint();
        this.#tell("loglines", { lines: this.lines });
    }

    /* ---- folding ---- */

    async #toggle(line) {
        const entry = this.#pages.at(line);
        if (!entry) return;
        if (entry.kind !== "group") {
            this.#rows.unfold(line);
        } else if (this.#rows.isFolded(line)) {
            this.#rows.fold(line, 0);
        } else {
            const last = await this.#groups((search) => groupLast(search, entry, this.#pages));
            this.#rows.fold(line, last || this.#axis.total); // it goes on: as far as it is now
        }
        this.#axis.touch(line, this.#axis.total);
        this.#did("line");
        this.paint();
    }

    // Opens all groups, or folds those that have ended.
    async foldAll(open) {
        const groups = open ? [] : await this.#groups((search) => groupsFind(search, 0));
        this.#rows.forget();
        for (const [line, last] of groups || []) this.#rows.fold(line, last);
        this.#axis.reset();
        this.paint();
    }

    async #groups(find) {
        try {
            return await find(this.#o.search);
        } catch (error) {
            return this.#notice("Groups could not be looked for: " + error.message);
        }
    }

    /* ---- places ---- */

    // Shows a line, or a range of them; once it is there, when it is not yet.
    async goto(line, to = line) {
        const [from, last] = [Math.min(line, to), Math.max(line, to)];
        if (!this.#writer || from > this.#axis.total) this.#place = [from, last];
        else await this.#go("place", Math.max(1, from), last);
    }

    // Shows the first line that is as late as a time, in ms.
    async gotoTime(time) {
        const total = this.#axis.total;
        let [low, high] = [1, total];
        while (low < high) {
            const middle = (low + high) >> 1;
            await this.#pages.ensure(middle, middle, total);
            if (this.#pages.at(middle)?.time < time) low = middle + 1;
            else high = middle;
        }
        await this.goto(low);
    }

    // Scrolls by rows, down or up.
    scrollRows(rows) {
        if (rows < 0) this.#did("wheel-up");
        this.scroller.scrollTop += rows * ROW;
        this.#scrolled();
    }

    async #go(did, line, to = line) {
        this.#turn(follows(this.#follow, did, this.#view.above, this.#view.below));
        this.#choose(line, to);
        this.#bring(line);
        this.#view.intoPage(this.scroller, line);
        await this.#pages.ensure(line, line, this.#axis.total);
        // It may be one of similar ones, which is not known before it is here.
        if (this.#current === line && this.#isRevealed(line)) this.#bring(line);
    }

    // Opens what hides a line, if anything does.
    #isRevealed(line) {
        this.#axis.rowOf(line); // what is similar is found out by placing it
        const from = this.#rows.reveal(line);
        if (from < Infinity) this.#axis.touch(from, this.#axis.total);
        return from < Infinity;
    }

    #bring(line) {
        this.#isRevealed(line);
        if (line < this.#rows.first) this.#axis.touch(line, this.#rows.first);
        this.#rows.first = Math.min(this.#rows.first, line);
        this.#view.bring(line);
        this.paint();
    }

    // kind: "error", "warn" or "hit".
    next(kind) {
        return this.#step(kind, false);
    }

    prev(kind) {
        return this.#step(kind, true);
    }

    async #step(kind, isBack) {
        if (!this.#writer) return;
        if (this.#view.isStale) this.paint(); // or what is in sight is not known
        try {
            const line = await this.#finder.next(kind, this.#from(isBack), isBack);
            if (!line) return this.#notice(noneText(kind, isBack));
            await this.#go("hit", line);
            if (kind === "hit") this.#tellHits();
        } catch (error) {
            this.#notice(error.message);
        }
    }

    // Where to look from: the line that was looked at last, if it is in sight still.
    #from(isBack) {
        if (this.#follow) return isBack ? this.#axis.total + 1 : 0;
        if (this.#current && this.#view.isInSight(this.#current)) return this.#current;
        return this.#view.topLine().line - (isBack ? 0 : 1);
    }

    // Puts the chosen lines into the clipboard.
    async copy() {
        const [from, to] = this.#chosen;
        if (!from) return this.#notice("Click on a line's number first.");
        if (to - from >= COPY_MOST) return this.#notice("These are too many lines to copy.");
        await this.#pages.ensure(from, to, this.#axis.total);
        const texts = [];
        for (let line = from; line <= to; line++) texts.push(this.#pages.at(line)?.text ?? "");
        this.#notice(await clipboardPut(texts));
    }

    /* ---- how it is shown ---- */

    // The line that was chosen or gone to last, 0: none.
    get current() {
        return this.#current;
    }

    // Properties: time ("abs", "rel", "delta", "off"), wrap; level (and worse only), query
    // ({q, regex, case} or null), filter (hits only).
    static {
        for (const name of ["time", "wrap", "level", "query", "filter"])
            Object.defineProperty(this.prototype, name, {
                get() {
                    return this.#how[name];
                },
                set(value) {
                    this.#how[name] = value;
                    if (name === "time" || name === "wrap") this.#lookAnew();
                    else this.#find();
                },
            });
    }

    get follow() {
        return this.#follow;
    }

    set follow(follow) {
        this.#turn(follow);
    }

    #lookAnew() {
        this.#stamp += 1;
        this.#wrapAnew();
        this.#paintSoon();
    }

    #wrapAnew() {
        const { clientWidth } = this.scroller;
        this.classList.toggle("narrow", clientWidth > 0 && clientWidth < NARROW);
        const cells = Math.floor(clientWidth / this.#view.cell) - 2;
        const columns = this.#how.wrap ? Math.max(16, cells - gutterCells(this.#look())) : 0;
        if (columns === this.#rows.columns) return;
        this.#rows.columns = columns;
        this.#axis.reset();
    }

    #digitsSet(digits) {
        this.#digits = digits;
        this.style.setProperty("--digits", digits);
        this.#wrapAnew();
    }

    // What both painters go by.
    #look() {
        const isNarrow = this.classList.contains("narrow");
        const { started_at: started, status } = this.#writer || {};
        return {
            stamp: this.#stamp,
            time: this.#how.time,
            from: Date.parse(started) || (this.#pages.at(1)?.time ?? NaN),
            digits: Math.max(4, String(this.#axis.total).length),
            hasTime: this.#how.time !== "off" && !isNarrow,
            hasWho: this.dataset.stepId !== "" && !isNarrow,
            columns: this.#rows.columns,
            isBare: this.isCompact,
            size: status && isFinal(status) ? this.#axis.total : -1,
            pattern: patternOf(this.query),
            mark: (line) => this.#mark(line),
            timeOf: (line) => this.#pages.at(line)?.time ?? NaN,
        };
    }

    #mark(line) {
        const [from, to] = this.#chosen;
        const isHit = !this.filter && this.#finder.hits?.has(line);
        return (line >= from && line <= to ? "chosen " : "") + (isHit ? "hit" : "");
    }

    /* ---- search and filter ---- */

    // Looks anew, from where the reader is.
    #find() {
        const { total } = this.#axis;
        const { line } = this.#view.anchor;
        const at = this.#follow ? total + 1 : Math.min(total + 1, line);
        this.#finder.start(this.#how, at, total);
        this.#rows.shown = this.#finder.shown;
        this.#stamp += 1;
        this.#axis.reset();
        this.#tellHits();
        this.#paintSoon();
    }

    #found(from, to) {
        if (this.#rows.shown) this.#axis.touch(from, to);
        this.#tellHits();
        this.#paintSoon();
    }

    #tellHits() {
        const { hits } = this.#finder;
        const { count = 0, isComplete: complete = true, error = "" } = hits || {};
        const at = hits ? hits.at(this.#current) : 0;
        this.#tell("loghits", { count, at, complete, error });
    }

    /* ---- painting ---- */

    #paintSoon() {
        if (this.#isDue) return;
        this.#isDue = true;
        requestAnimationFrame(() => this.#isDue && this.paint());
    }

    paint() {
        this.#isDue = false;
        if (!this.#writer || !this.isConnected) return;
        const now = performance.now();
        this.#paintedAt = now;
        const rate = this.#rate.at(now);
        const look = this.#look();
        if (look.digits !== this.#digits) this.#digitsSet(look.digits);
        attributeSet(this, "data-time", look.time);
        const pieces = unobserved(() =>
            this.#view.paint(this.#frame, look, this.#follow, this.#streams(rate)),
        );
        this.#want(pieces, now);
        this.#buttons();
        if (!this.isCompact) this.#tellStatus(rate, now);
        if (this.#view.isStale) this.#paintSoon();
    }

    // Faster than anybody reads? Not to and fro when it is about that.
    #streams(rate) {
        const enough = this.#view.isStreaming ? STREAM.off : STREAM.on;
        return !this.isCompact && this.#follow && rate > enough && Stream.isPossible;
    }

    #want(pieces, now) {
        const missing = pieces.find((piece) => piece.kind === "missing");
        const { shown } = this.#rows;
        if (shown) return this.#wantShown(shown, missing);
        if (!missing) this.#missedAt = 0;
        else this.#missedAt ||= now;
        // What is followed comes by itself, mostly.
        if (!this.#follow || (missing && now - this.#missedAt >= TICK_MS))
            this.#pages.want(
                pieces.map((piece) => piece.line),
                this.#axis.total,
            );
        else if (missing) this.#tick();
    }

    async #wantShown(shown, missing) {
        if (!this.#follow && this.#view.above < NEAR_ROWS * ROW) shown.more(true);
        if (this.#view.below < NEAR_ROWS) shown.more(false);
        if (!missing) return;
        try {
            const lines = await shown.texts(missing.line);
            if (lines && shown === this.#rows.shown) this.#pages.putLoose(lines);
        } catch (error) {
            this.#notice("Lines could not be loaded: " + error.message);
        }
    }

    #buttons() {
        const { earlier, newer } = this.#frame;
        const { first, shown } = this.#rows;
        const above = shown ? shown.above : first - 1;
        hiddenSet(earlier, above <= 0);
        if (above > 0) textSet(earlier, "↑ " + plural(above, "earlier line"));
        hiddenSet(newer, this.#follow || this.#view.below <= END_ROWS);
        if (newer.hidden) return;
        const fresh = this.#axis.total - this.#left;
        textSet(newer, fresh > 0 ? "↓ " + count(fresh) + " new" : "↓ End");
    }

    #tellStatus(rate, now) {
        if (rate > 0) this.#tick();
        if (now - this.#toldAt < TICK_MS) return this.#tick();
        this.#toldAt = now;
        const { shown } = this.#rows;
        const how = {
            follow: this.#follow,
            rate,
            skips: this.#view.isStreaming,
            filter: shown ? count(shown.count) + " shown" : "",
        };
        this.#status.show(this.#writer, how, now);
        const hits = this.#finder.hits?.lines ?? [];
        this.#map.paint(this.#axis.total, hits, ...this.#view.share);
    }

    #tick() {
        this.#timer ??= setTimeout(() => {
            this.#timer = null;
            if (this.isConnected) this.#paintSoon();
        }, TICK_MS);
    }

    #notice(text) {
        this.#tell("lognotice", { text });
    }

    #tell(name, detail) {
        this.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
    }
}

customElements.define("tailrace-log", TailraceLog);
