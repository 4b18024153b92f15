// A question to the server: the newest asking wins, and it is asked until it is answered.
// (never again: 1, 7)
import assert from "node:assert/strict";
import test from "node:test";

import { Question, questionsAgain } from "../../ui/question.js";

// A server whose answers are given by the test, and a clock that it turns.
function worldOf() {
    const world = { asked: [], answers: [], failures: [], waits: [], pauses: new Map() };
    const timers = {
        setTimeout: (run, ms) => (world.waits.push(ms), world.pauses.set(world.waits.length, run), world.waits.length),
        clearTimeout: (id) => world.pauses.delete(id),
    };
    const send = (...about) =>
        new Promise((answer, fail) => world.asked.push({ about, answer, fail: (status) => fail(Object.assign(new Error("no"), { status })) }));
    const on = { answered: (answer) => world.answers.push(answer), failed: ({ status }) => world.failures.push(status) };
    world.question = new Question(send, on, timers);
    world.turn = () => new Promise((resolve) => setImmediate(resolve));
    world.pass = async () => {
        const [[id, run]] = world.pauses;
        world.pauses.delete(id);
        run();
        await world.turn();
    };
    return world;
}

test("an answer that was overtaken is void", async () => {
    const { question, asked, answers, turn } = worldOf();
    question.ask("first");
    question.ask("second");
    asked[1].answer(2);
    await turn();
    asked[0].answer(1);
    await turn();
    assert.deepEqual(answers, [2]);
    assert.deepEqual(asked.map(({ about }) => about), [["first"], ["second"]]);
});

test("a failure that was overtaken is void, and what nobody wants to know any more", async () => {
    const { question, asked, answers, failures, waits, turn } = worldOf();
    question.ask();
    question.ask();
    asked[0].fail(500);
    question.drop();
    asked[1].answer(1);
    await turn();
    assert.deepEqual([answers, failures, waits], [[], [], []]);
});

test("a server in trouble is asked again after pauses that grow, one that refuses is not", async () => {
    const { question, asked, answers, failures, waits, pauses, turn, pass } = worldOf();
    question.ask("x");
    for (let i = 0; i < 9; i++) {
        asked.at(-1).fail(i % 2 ? 503 : 0);
        await turn();
        if (i < 8) await pass();
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => s * 1000));
    assert.equal(failures.length, 9);
    question.want("y"); // news does not shorten the pause
    assert.equal(asked.length, 9);
    await pass();
    assert.deepEqual(asked.at(-1).about, ["y"]);
    asked.at(-1).answer("at last");
    await turn();
    assert.deepEqual(answers, ["at last"]);
    question.ask("z");
    asked.at(-1).fail(404);
    await turn();
    assert.equal(failures.at(-1), 404);
    assert.equal(pauses.size, 0);
});

test("news that comes while a question is on its way is asked for once, after it", async () => {
    const { question, asked, answers, turn } = worldOf();
    question.want(1);
    for (let n = 2; n < 10; n++) question.want(n);
    assert.equal(asked.length, 1);
    asked[0].answer("a");
    await turn();
    assert.deepEqual(asked.map(({ about }) => about), [[1], [9]]);
    asked[1].answer("b");
    await turn();
    assert.equal(asked.length, 2);
    assert.deepEqual(answers, ["a", "b"]);
});

test("what has no answer is asked again at once when the connection is back", async () => {
    const { question, asked, answers, pauses, turn } = worldOf();
    question.ask();
    asked[0].fail(0);
    await turn();
    questionsAgain();
    assert.equal(asked.length, 2);
    assert.equal(pauses.size, 0);
    questionsAgain(); // the one on its way may have been lost with the connection
    assert.equal(asked.length, 3);
    asked[2].answer("here");
    asked[1].answer("late");
    await turn();
    assert.deepEqual(answers, ["here"]);
    questionsAgain();
    assert.equal(asked.length, 3);
});
