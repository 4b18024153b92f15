// alpine.js: Alpine, of its parts what the pages use, and what an attribute may say to it:
//
//     name   part.of.it   'text'   !that   !!that   this && that   call(that, 'text')   name = value
//
// That is all, so neither eval, which the security policy forbids, nor a parser of JavaScript is
// needed. Whatever else an attribute says is an error.

import { data } from "alpinejs/src/datas";
import { setEvaluator } from "alpinejs/src/evaluator";
import { start } from "alpinejs/src/lifecycle";
import { injectMagics } from "alpinejs/src/magics";
import { mutateDom } from "alpinejs/src/mutation";
import { setReactivityEngine } from "alpinejs/src/reactivity";
import { closestDataStack, mergeProxies } from "alpinejs/src/scope";
import { tryCatch } from "alpinejs/src/utils/error";
import "alpinejs/src/directives/x-bind";
import "alpinejs/src/directives/x-cloak";
import "alpinejs/src/directives/x-data";
import "alpinejs/src/directives/x-for";
import "alpinejs/src/directives/x-if";
import "alpinejs/src/directives/x-ignore";
import "alpinejs/src/directives/x-model";
import "alpinejs/src/directives/x-on";
import "alpinejs/src/directives/x-ref";
import "alpinejs/src/directives/x-show";
import "alpinejs/src/directives/x-text";
import "alpinejs/src/magics/$dispatch";
import "alpinejs/src/magics/$nextTick";
import "alpinejs/src/magics/$refs";
import { effect, reactive, stop, toRaw } from "@vue/reactivity";

import { expressionOf } from "./expression.js";

export { data, mutateDom, start };

setReactivityEngine({
    reactive,
    effect(run, { scheduler }) {
        const runner = effect(run, { scheduler: () => scheduler(runner) });
        return runner;
    },
    release: stop,
    raw: toRaw,
});

setEvaluator((el, expression) => {
    const stack = [injectMagics({}, el), ...closestDataStack(el)];
    const run = typeof expression === "function" ? () => expression : expressionOf(expression);
    const evaluate = (receive = () => {}, { scope = {}, params = [] } = {}) => {
        const all = mergeProxies([scope, ...stack]);
        const value = run(all);
        receive(typeof value === "function" ? value.apply(all, params) : value);
    };
    return tryCatch.bind(null, el, expression, evaluate);
});
