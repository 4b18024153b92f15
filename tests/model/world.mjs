// A world of the model: jobs, a server, viewers of all kinds, and everything that happens to
// them, decided by a seed.
import { random } from "../api/history.mjs";
import { Checks } from "./checks.mjs";
import { Engine, Log } from "./log.mjs";
import { Server } from "./server.mjs";
import { Viewer } from "./viewer.mjs";

const STEPS = 400;
const VIEWERS = 4;

class World {
    constructor(seed, mistake, only) {
        this.rand = random(seed);
        this.mistake = mistake;
        this.log = new Log();
        this.checks = new Checks(this.log, only);
        this.engine = new Engine(this.log, this.rand, mistake);
        this.server = new Server(this.log, this.rand, mistake, this.checks);
        this.viewers = Array.from({ length: VIEWERS }, () => this.viewer());
    }

    viewer() {
        const viewer = new Viewer(this.server, this.checks, this.mistake);
        viewer.open("jobs");
        return viewer;
    }

    below(n) {
        return Math.floor(this.rand() * n);
    }

    pick(from) {
        return from[this.below(from.length)];
    }

    step() {
        const x = this.rand();
        const deeds = [
            [0.34, () => this.engine.work()],
            [0.38, () => this.engine.tick()],
            [0.5, () => this.log.sync()],
            [0.62, () => this.server.publish()],
            [0.625, () => this.restart(() => this.log.kill())],
            [0.629, () => this.restart(() => this.log.restore(this.below(this.log.durable + 1)))],
            [0.64, () => this.prune()],
            [0.66, () => this.beat()],
            [1, () => this.attend(this.below(VIEWERS))],
        ];
        deeds.find(([upto]) => x < upto)[1]();
    }

    restart(damage) {
        this.server.stop();
        damage();
        this.engine.recover();
        this.server.start();
    }

    prune() {
        this.log.floor += this.below(this.log.durable - this.log.floor + 1);
    }

    beat() {
        for (const connection of this.server.connections) this.server.heartbeat(connection);
    }

    // Viewer 0 hardly reads.
    attend(i) {
        const viewer = this.viewers[i];
        const x = this.rand();
        if (!viewer.connection) this.comeBack(viewer);
        else if (x < 0.03) viewer.cut();
        else if (x < 0.1) this.browse(viewer);
        else if (x < 0.14) viewer.again(this.pick([...viewer.topics.keys()]));
        const { connection } = viewer;
        if (!connection || !connection.open) return viewer.read();
        while (this.server.hear(connection));
        this.server.turn(connection);
        for (let n = this.below(i ? 5 : 2); n > 0; n--) viewer.read();
    }

    comeBack(viewer) {
        const t = this.pick([...viewer.topics.values()]);
        const old = t.cursor.seq !== null && !t.cursor.ended;
        if (old && this.rand() < 0.05) t.cursor.seq = this.log.durable + 100000; // made up by hand
        viewer.connect();
    }

    // Opens and closes jobs, as a reader does.
    browse(viewer) {
        const name = "job:j" + (1 + this.below(8));
        if (viewer.topics.has(name)) viewer.close(name);
        if (this.log.state("jobs", this.log.durable)[name.slice(4)]) viewer.open(name);
    }

    // Nothing new comes, everybody reads to the end.
    settle() {
        this.engine.tick();
        this.engine.tick();
        this.log.sync();
        this.server.publish();
        for (const viewer of this.viewers) {
            viewer.read();
            if (!viewer.connection) viewer.connect();
            this.drain(viewer);
            this.checks.quiet(viewer, this.engine);
        }
    }

    // A server that goes in circles has been found out before it has gone round so often.
    drain(viewer) {
        const { connection } = viewer;
        const { server } = this;
        const round = () =>
            [server.hear(connection), server.turn(connection), viewer.read()].some(Boolean) ||
            [...connection.subs.values()].some((sub) => sub.opening);
        for (let n = 0; n < 1000 && round(); n++);
        server.heartbeat(connection);
        for (let n = 0; n < 1000 && round(); n++);
    }

    // From a place that anybody could have, with the state of that place.
    resume(topic, seq) {
        const viewer = new Viewer(this.server, this.checks, this.mistake);
        const t = viewer.open(topic);
        Object.assign(t, {
            state: this.log.state(topic, seq),
            history: this.log.epoch,
            begun: seq,
            last: seq,
        });
        Object.assign(t.cursor, { seq, epoch: this.log.epoch });
        viewer.connect();
        this.drain(viewer);
        this.checks.resumed(viewer, t, seq);
        viewer.cut();
    }

    resumeAnywhere(times) {
        const jobs = Object.keys(this.log.state("jobs", this.log.durable));
        const topics = ["jobs", ...jobs.filter((key) => !key.includes(".")).map((j) => "job:" + j)];
        for (let i = 0; i < times; i++) {
            const span = this.log.durable - this.log.floor + 1;
            this.resume(this.pick(topics), this.log.floor + this.below(span));
        }
    }
}

// What happened, counted; or a Violation when an invariant does not hold.
export function worldRun(seed, mistake = {}, only = null) {
    const world = new World(seed, mistake, only);
    for (let i = 0; i < STEPS; i++) world.step();
    world.settle();
    world.resumeAnywhere(6);
    return world.checks.counts;
}
