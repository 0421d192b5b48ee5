/*
 * One request as frames of HTTP/2, with nothing checked: what a client that
 * respects the protocol would refuse to send is what is wanted here.
 */

const HEADERS = 1;
const DATA = 0;
const SETTINGS = 4;
const CONTINUATION = 9;

const END_STREAM = 1;
const END_HEADERS = 4;

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME = 16000;

function frame(type, flags, stream, payload) {
    const head = Buffer.alloc(9);

    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);

    return Buffer.concat([head, payload]);
}

/* HPACK's number, of the 7 bits that are left beside the Huffman flag */
function number(n) {
    const out = [];

    if (n < 127) {
        return Buffer.from([n]);
    }

    out.push(127);

    for (n -= 127; n >= 128; n >>= 7) {
        out.push((n & 127) | 128);
    }

    out.push(n);

    return Buffer.from(out);
}

const string = text => {
    const bytes = Buffer.from(text, 'latin1');

    return Buffer.concat([number(bytes.length), bytes]);
};

/* a literal that is never indexed */
const field = ([name, value]) =>
    Buffer.concat([Buffer.from([0x10]), string(name), string(value)]);

const HOP = /^(connection|transfer-encoding|upgrade|host)$/;


export function frames(req) {
    const fields = [
        [':method', req.method],
        [':scheme', 'http'],
        [':path', (req.form ?? '') + req.target],
        [':authority', req.host[0] ?? ''],
        ...req.authorization.map(value => ['authorization', value]),
        ...req.type === undefined ? [] : [['content-type', req.type]],
        ...req.headers.map(([name, value]) => [name.toLowerCase(), value]),
        ...req.framing === 'chunked' ? [['transfer-encoding', 'chunked']] : [],
        ...req.framing === 'a wrong length' ? [['content-length', '1']] : [],
        ...req.framing === 'two lengths'
            ? [[':method', 'GET'], [':path', '/-/ping']] : [],
    ].filter(([name]) => req.framing === 'chunked' || !HOP.test(name));

    const block = Buffer.concat(fields.map(field));
    const body = Buffer.from(req.body ?? '', 'latin1');
    const end = body.length === 0 ? END_STREAM : 0;
    const out = [Buffer.from(PREFACE), frame(SETTINGS, 0, 0, Buffer.alloc(0))];

    if (block.length <= FRAME) {
        out.push(frame(HEADERS, END_HEADERS | end, 1, block));
    } else {
        out.push(frame(HEADERS, end, 1, block.subarray(0, FRAME)),
                 frame(CONTINUATION, END_HEADERS, 1, block.subarray(FRAME)));
    }

    if (!end) {
        out.push(frame(DATA, END_STREAM, 1, body.subarray(0, FRAME)));
    }

    return Buffer.concat(out);
}


/* has the only stream ended, or the whole connection? */
export function ended(bytes) {
    const GOAWAY = 7;
    const RST_STREAM = 3;

    for (let at = 0; at + 9 <= bytes.length;) {
        const size = bytes.readUIntBE(at, 3);
        const type = bytes[at + 3];
        const flags = bytes[at + 4];
        const stream = bytes.readUInt32BE(at + 5);

        if (type === GOAWAY || type === RST_STREAM
            || (stream === 1 && (type === DATA || type === HEADERS)
                && (flags & END_STREAM)))
        {
            return true;
        }

        at += 9 + size;
    }

    return false;
}
