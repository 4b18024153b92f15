// queue/pace.js: how fast a counter has grown of late, as a number and as a line of blocks. Pure.

import { count } from "../format.js";

const SECONDS = 9;
const BLOCKS = "▁▂▃▄▅▆▇█";

export class Pace {
    #samples = []; // [second, counter at its end]

    // The counter is so now (ms). Returns "38/s ▁▂▅▇▅", or "" while there is nothing to tell.
    add(counter, now) {
        const second = Math.floor(now / 1000);
        const last = this.#samples.at(-1);
        if (last && last[0] === second) last[1] = counter;
        else this.#samples.push([second, counter]);
        while (this.#samples[0][0] < second - SECONDS) this.#samples.shift();
        return this.#text(second);
    }

    #text(second) {
        const rates = this.#rates(second);
        const most = Math.max(...rates, 0);
        if (!most) return "";
        const bars = rates.map((rate) => BLOCKS[Math.min(7, Math.floor((rate / most) * 7.99))]);
        return count(Math.round(rates.at(-1))) + "/s " + bars.join("");
    }

    // Of each whole second; seconds without a sample share what came in the next one.
    #rates(second) {
        const rates = [];
        for (let i = 1; i < this.#samples.length; i++) {
            const [[from, before], [to, after]] = [this.#samples[i - 1], this.#samples[i]];
            if (to === second && i > 1) break; // it is not over
            for (let s = from; s < to; s++) rates.push(Math.max(0, after - before) / (to - from));
        }
        return rates;
    }
}
