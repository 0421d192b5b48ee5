/*
 * QR codes: ISO/IEC 18004, bytes, error correction L.
 */

/* of each version, 1 to 40: error correction bytes of a block, and blocks */
const QR_CHECK = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22,
    24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30,
    30, 30, 30, 30, 30, 30, 30];
const QR_BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8,
    8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24,
    25];

const QR_MASKS = [
    (x, y) => (x + y) % 2 === 0,
    (x, y) => y % 2 === 0,
    x => x % 3 === 0,
    (x, y) => (x + y) % 3 === 0,
    (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
    (x, y) => x * y % 2 + x * y % 3 === 0,
    (x, y) => (x * y % 2 + x * y % 3) % 2 === 0,
    (x, y) => ((x + y) % 2 + x * y % 3) % 2 === 0,
];

/* in GF(256) with the polynomial 0x11d */
function qrTimes(a, b) {
    let product = 0;

    for (; b; b >>= 1) {
        product ^= b & 1 ? a : 0;
        a = a << 1 ^ (a >> 7) * 0x11d;
    }

    return product;
}

/* the generator without its first coefficient, which is 1 */
function qrGenerator(degree) {
    let generator = [1];

    for (let i = 0, root = 1; i < degree; i++, root = qrTimes(root, 2)) {
        generator = [...generator, 0].map((each, j) =>
            each ^ (j > 0 ? qrTimes(generator[j - 1], root) : 0));
    }

    return generator.slice(1);
}

function qrCheckBytes(data, generator) {
    const rest = generator.map(() => 0);

    for (const byte of data) {
        const factor = byte ^ rest.shift();

        rest.push(0);
        generator.forEach((each, i) => { rest[i] ^= qrTimes(each, factor); });
    }

    return rest;
}


class Qr {

    constructor(version) {
        this.version = version;
        this.size = 17 + 4 * version;
        this.dark = new Uint8Array(this.size ** 2);
        this.fixed = new Uint8Array(this.size ** 2);
        this.drawPatterns();
        this.capacity = Math.floor(
            this.fixed.filter(each => !each).length / 8);
    }

    get(x, y) {
        return this.dark[y * this.size + x];
    }

    fix(x, y, dark) {
        if (x >= 0 && y >= 0 && x < this.size && y < this.size) {
            this.dark[y * this.size + x] = dark ? 1 : 0;
            this.fixed[y * this.size + x] = 1;
        }
    }

    drawPatterns() {
        const { size } = this;

        for (let i = 0; i < size; i++) {
            this.fix(i, 6, i % 2 === 0);
            this.fix(6, i, i % 2 === 0);
        }

        const places = this.alignment();

        for (const x of places) {
            for (const y of places) {
                if (!this.inFinder(x, y)) {
                    this.drawRings(x, y, 2);
                }
            }
        }

        for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
            this.drawRings(x, y, 4);
        }

        this.drawFormat(0);
        this.drawVersion();
    }

    inFinder(x, y) {
        const far = this.size - 9;

        return (x < 8 && (y < 8 || y > far)) || (x > far && y < 8);
    }

    alignment() {
        const { version, size } = this;

        if (version === 1) {
            return [];
        }

        const count = Math.floor(version / 7) + 2;
        const step = version === 32 ? 26
            : Math.ceil((size - 13) / (2 * count - 2)) * 2;

        return [6, ...Array.from({ length: count - 1 }, (_, i) =>
            size - 7 - i * step)];
    }

    /* dark but for the rings at distances 2 and 4 of a finder, 1 of others */
    drawRings(x, y, radius) {
        for (let dy = -radius; dy <= radius; dy++) {
            for (let dx = -radius; dx <= radius; dx++) {
                const ring = Math.max(Math.abs(dx), Math.abs(dy));

                this.fix(x + dx, y + dy, radius === 4 ? ring % 2 || ring === 0
                                                      : ring !== 1);
            }
        }
    }

    drawFormat(mask) {
        const { size } = this;
        const bits = qrBits(1 << 3 | mask, 10, 0x537) ^ 0x5412;

        for (let i = 0; i < 15; i++) {
            const bit = bits >> i & 1;

            /* around the first finder, without the timing patterns */
            if (i < 8) {
                this.fix(8, i < 6 ? i : i + 1, bit);
            } else {
                this.fix(i === 8 ? 7 : 14 - i, 8, bit);
            }

            /* beside the two others */
            if (i < 8) {
                this.fix(size - 1 - i, 8, bit);
            } else {
                this.fix(8, size - 15 + i, bit);
            }
        }

        this.fix(8, size - 8, 1);
    }

    drawVersion() {
        if (this.version < 7) {
            return;
        }

        const bits = qrBits(this.version, 12, 0x1f25);

        for (let i = 0; i < 18; i++) {
            const near = Math.floor(i / 3);
            const far = this.size - 11 + i % 3;

            this.fix(near, far, bits >> i & 1);
            this.fix(far, near, bits >> i & 1);
        }
    }

    /* from the right, in columns of two, up and down in turn */
    drawBytes(bytes) {
        const { size } = this;
        let at = 0;

        for (let right = size - 1, up = true; right > 0; right -= 2) {
            right -= right === 6 ? 1 : 0;

            for (let i = 0; i < size; i++) {
                const y = up ? size - 1 - i : i;

                for (const x of [right, right - 1]) {
                    if (!this.fixed[y * size + x]) {
                        this.dark[y * size + x] =
                            bytes[at >> 3] >> 7 - (at & 7) & 1;
                        at++;
                    }
                }
            }

            up = !up;
        }
    }

    mask(number) {
        for (let y = 0; y < this.size; y++) {
            for (let x = 0; x < this.size; x++) {
                const at = y * this.size + x;

                this.dark[at] ^= !this.fixed[at] && QR_MASKS[number](x, y);
            }
        }
    }

    drawMask() {
        let best = 0;
        let least = Infinity;

        for (let number = 0; number < 8; number++) {
            this.mask(number);
            this.drawFormat(number);

            const penalty = this.penalty();

            if (penalty < least) {
                [best, least] = [number, penalty];
            }

            this.mask(number);
        }

        this.mask(best);
        this.drawFormat(best);
    }

    /* how hard it is to read */
    penalty() {
        const { size } = this;
        let sum = 0;
        let dark = 0;

        for (let i = 0; i < size; i++) {
            const row = Array.from({ length: size }, (_, j) => this.get(j, i));
            const column = Array.from({ length: size },
                                      (_, j) => this.get(i, j));

            sum += qrPenalty(row.join('')) + qrPenalty(column.join(''));
            dark += row.filter(Boolean).length;
        }

        for (let y = 1; y < size; y++) {
            for (let x = 1; x < size; x++) {
                const four = this.get(x, y) + this.get(x - 1, y)
                    + this.get(x, y - 1) + this.get(x - 1, y - 1);

                sum += four % 4 === 0 ? 3 : 0;
            }
        }

        return sum + 10 * Math.floor(Math.abs(dark * 20 - size ** 2 * 10)
                                     / size ** 2);
    }
}

/* of one line: modules alike in a row, and what looks like a finder */
function qrPenalty(line) {
    const runs = line.match(/0{5,}|1{5,}/g) ?? [];
    const finders = line.match(/(?=1011101(0000)|(?<=0000)1011101)/g) ?? [];

    return runs.reduce((sum, run) => sum + run.length - 2, 0)
        + 40 * finders.length;
}

/* "number" with "degree" bits of a remainder behind it */
function qrBits(number, degree, polynomial) {
    let rest = number << degree;

    for (let i = 31 - Math.clz32(rest); i >= degree;
         i = 31 - Math.clz32(rest))
    {
        rest ^= polynomial << i - degree;
    }

    return number << degree | rest;
}

/* data, then check bytes, both taken from the blocks in turn */
function qrInterleave(data, version, capacity) {
    const blocks = QR_BLOCKS[version - 1];
    const generator = qrGenerator(QR_CHECK[version - 1]);
    const short = Math.floor(data.length / blocks);
    const longer = data.length % blocks;
    const parts = [];

    for (let i = 0, at = 0; i < blocks; i++) {
        const length = short + (i >= blocks - longer ? 1 : 0);

        parts.push(data.slice(at, at + length));
        at += length;
    }

    const checks = parts.map(part => qrCheckBytes(part, generator));
    const turn = lists => Array.from({ length: lists.at(-1).length }, (_, i) =>
        lists.filter(list => i < list.length).map(list => list[i])).flat();

    return [...turn(parts), ...turn(checks)].slice(0, capacity);
}

/* the code of a text, or null if it is too long for any */
export function qrCode(text) {
    const bytes = [...new TextEncoder().encode(text)];

    for (let version = 1; version <= 40; version++) {
        const wide = version > 9;
        const qr = new Qr(version);
        const room = qr.capacity
            - QR_CHECK[version - 1] * QR_BLOCKS[version - 1];

        if (bytes.length + (wide ? 3 : 2) > room) {
            continue;
        }

        /* mode 4, length, bytes, four bits of an end: four bits off */
        const length = wide ? [bytes.length >> 8, bytes.length & 255]
            : [bytes.length];
        const whole = [4, ...length, ...bytes, 0];
        const data = whole.slice(1).map((byte, i) =>
            (i === 0 ? 4 : whole[i] & 15) << 4 | byte >> 4);

        for (let pad = 0xec; data.length < room; pad ^= 0xec ^ 0x11) {
            data.push(pad);
        }

        qr.drawBytes(qrInterleave(data, version, qr.capacity));
        qr.drawMask();

        return qr;
    }

    return null;
}
