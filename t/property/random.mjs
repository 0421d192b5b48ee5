/*
 * Chance that can be repeated: a seed gives the same requests anywhere.
 */

export class Random {

    constructor(seed) {
        this.state = seed >>> 0;
    }

    /* splitmix32 */
    next() {
        let z = this.state = (this.state + 0x9e3779b9) >>> 0;

        z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
        z = Math.imul(z ^ (z >>> 15), 0x735a2d97);

        return (z ^ (z >>> 15)) >>> 0;
    }

    below(n) {
        return this.next() % n;
    }

    chance(percent) {
        return this.below(100) < percent;
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    /* of [weight, value] pairs */
    weighed(pairs) {
        let at = this.below(pairs.reduce((sum, [weight]) => sum + weight, 0));

        return pairs.find(([weight]) => (at -= weight) < 0)[1];
    }
}
