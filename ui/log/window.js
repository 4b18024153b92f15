// window.js: the part of a long column of rows that is in sight, in pixels.
//
// Browsers give up at some height, so the element is at most MOST px high. A longer log moves in
// it as usual when the reader scrolls by a little; by a lot (the scroll bar) is in proportion; and
// near the element's ends, or far out of proportion, it is put back in proportion.
//
//     top     px of the log above what is in sight: the truth
//     at      where the element is to be scrolled to for that
//     shift   px of the log above the element's own beginning

export const ROW = 20; // px, as in log.css
export const MOST = 8000000;
const FAR = 10; // heights of what is in sight: more than that was the scroll bar
const OUT = MOST / 4; // px out of proportion

export class Window {
    top = 0;
    at = 0;
    sight = 0;
    whole = 0;

    get height() {
        return Math.min(this.whole, MOST);
    }

    get shift() {
        return this.top - this.at;
    }

    get below() {
        return Math.max(0, Math.round((this.#topMost - this.top) / ROW));
    }

    // How many rows there are. Call to() after it.
    size(rows) {
        this.whole = rows * ROW;
    }

    to(top) {
        const before = this.top;
        this.top = this.#within(Math.round(top));
        this.#settle(this.at + this.top - before);
    }

    // The reader scrolled the element. Returns by how much the log moved. Where the element ends the
    // log does too only if it came there in proportion, or is in sight of it: else rows would be
    // skipped.
    scrolled(at) {
        const before = this.top;
        const went = at - this.at;
        const isFar = Math.abs(went) > FAR * this.sight;
        const isInProportion = this.whole <= MOST || isFar;
        if (at <= 0 && (isInProportion || before <= this.sight)) this.top = 0;
        else if (at >= this.#atMost - 1 && (isInProportion || this.#topMost - before <= this.sight))
            this.top = this.#topMost;
        else if (this.whole <= MOST) this.top = at;
        else this.top = isFar ? Math.round(at / this.#scale) : this.#within(before + went);
        this.#settle(at);
        return this.top - before;
    }

    #settle(at) {
        const due = Math.round(this.top * this.#scale);
        const isNearEnd = at < this.sight || at > this.#atMost - this.sight;
        const isOut = Math.abs(at - due) > OUT;
        this.at = this.whole <= MOST ? this.top : isNearEnd || isOut ? due : at;
    }

    #within(top) {
        return Math.min(this.#topMost, Math.max(0, top));
    }

    get #topMost() {
        return Math.max(0, this.whole - this.sight);
    }

    get #atMost() {
        return Math.max(0, this.height - this.sight);
    }

    get #scale() {
        return this.#topMost ? this.#atMost / this.#topMost : 1;
    }
}
