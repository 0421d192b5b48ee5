/*
 * From a seed to the bytes of a case: what one connection sends.
 */

import { operation, operationNamed } from './operations.mjs';
import { Random } from './random.mjs';
import { spell } from './spellings.mjs';
import { frames } from './http2.mjs';

const crlf = '\r\n';


function lines(req, { first = false } = {}) {
    const { method, headers } = req;
    const target = (req.form ?? '') + req.target;
    const version = req.version ?? 'HTTP/1.1';
    const all = [
        ...req.host.map(value => ['Host', value]),
        ...req.authorization.map(value => ['Authorization', value]),
        ...req.type === undefined ? [] : [['Content-Type', req.type]],
        ...headers,
        ...req.lengths,
        ...first ? [] : [['Connection', 'close']],
    ];

    return [`${method} ${target}${version && ` ${version}`}`,
            ...all.map(([name, value]) => `${name}: ${value}`), '', '']
        .join(req.eol ?? crlf);
}

const plain = (req, options) => lines(req, options) + (req.body ?? '');

const chunk = text => `${text.length.toString(16)}${crlf}${text}${crlf}`;
const chunked = text => (text ? chunk(text) : '') + `0${crlf}${crlf}`;

/* another, on the same connection and by the same person */
const other = (req, target) => ({
    method: 'GET', target, host: ['registry'], headers: [], lengths: [],
    authorization: req.plainly,
});

const length = text => ['Content-Length', String((text ?? '').length)];


/* by the name that spellings.mjs gave; each returns the bytes */

const FRAMINGS = {
    'chunked': (req, random) => {
        const body = req.body ?? '';
        const half = body.length >> 1;

        req.lengths = [['Transfer-Encoding', 'chunked']];

        return lines(req) + random.pick([
            chunked(body),
            (half ? chunk(body.slice(0, half)) : '')
                + chunked(body.slice(half)),
            chunked(body).replace(crlf, `;x=y${crlf}`),
            chunked(body).replace(/^/, '000'),
            `${chunked(body).slice(0, -2)}X-Npm-User: root${crlf}${crlf}`,
        ]);
    },

    'an odd Transfer-Encoding': (req, random) => {
        const [name, value] = random.pick([
            ['Transfer-Encoding', 'chunked, identity'],
            ['Transfer-Encoding', 'identity, chunked'],
            ['Transfer-Encoding', 'xchunked'],
            ['Transfer-Encoding', 'CHUNKED'],
            ['Transfer-Encoding', ' chunked'],
            ['Transfer-Encoding', '\tchunked'],
            ['Transfer-Encoding', 'chunked\0'],
            ['Transfer-Encoding', '"chunked"'],
            ['Transfer-Encoding', 'gzip, chunked'],
            ['Transfer-Encoding', ''],
            ['Transfer-Encoding ', 'chunked'],
            ['Transfer_Encoding', 'chunked'],
            ['X: y\r\nTransfer-Encoding', 'chunked'],
            ['Transfer-Encoding', 'chunked\r\nTransfer-Encoding: x'],
        ]);

        req.lengths = [[name, value],
                       ...random.chance(50) ? [length(req.body)] : []];

        return lines(req) + random.pick([req.body ?? '',
                                         chunked(req.body ?? '')]);
    },

    'two lengths': (req, random) => {
        const [name, value] = length(req.body);

        req.lengths = [[name, value], [name, random.pick([value, '0', '1'])]];

        return plain(req);
    },

    'length and chunked': (req, random) => {
        const body = chunked(req.body ?? '');

        req.lengths = [random.chance(50) ? length(body)
            : ['Content-Length', random.pick(['0', '4', '5'])],
                       ['Transfer-Encoding', 'chunked']];

        if (random.chance(50)) {
            req.lengths.reverse();
        }

        return lines(req) + body;
    },

    'a wrong length': (req, random) => {
        const right = (req.body ?? '').length;

        req.lengths = [['Content-Length', random.pick([
            String(right + 1), String(Math.max(0, right - 1)), '0', '-1',
            `+${right}`, `0x${right.toString(16)}`, `${right}, ${right}`,
            `${right} `, `${right}.0`, '99999999999999999999', '',
            `0${right}`, `${right}\0`,
        ])]];

        return plain(req);
    },

    'bare line feeds': req => {
        req.eol = '\n';

        return plain(req);
    },

    'another version': (req, random) => {
        req.version = random.pick(['HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2',
                                   'HTTP/0.9', 'HTTP/2.0', 'http/1.1', '',
                                   'HTTP/1.1 x', 'HTTP/01.1', 'HTTP/1.10']);

        return plain(req);
    },

    'after another request': (req, random, at) =>
        plain(other(req, at('/-/ping')), { first: true }) + plain(req),

    'before another request': (req, random, at) =>
        plain(req, { first: true }) + plain(other(req, at('/-/ping'))),

    /* one for whoever counts the bytes otherwise */
    'in the body of another': (req, random, at) => {
        const outer = other(req, at(random.pick(['/-/ping', '/pkg',
                                                 '/-/whoami'])));
        const inner = plain(req);

        outer.method = random.pick(['GET', 'GET', 'HEAD', 'OPTIONS', 'POST']);
        outer.target = outer.method === 'POST'
            ? at('/-/npm/v1/security/audits') : outer.target;
        outer.lengths = random.pick([
            [length(inner)],
            [],
            [['Content-Length', '0']],
            [length(inner), ['Transfer-Encoding', 'chunked']],
            [['Transfer-Encoding', 'chunked']],
            [['Transfer-Encoding', 'chunked'], length(inner)],
            [['Transfer-Encoding ', 'chunked'], length(inner)],
            [['Content-Length ', '0'], length(inner)],
        ]);

        return lines(outer, { first: true }) + random.pick([
            inner, `0${crlf}${crlf}${inner}`, chunked(inner),
            `${inner.length.toString(16)};${crlf}${inner}${crlf}`
                + `0${crlf}${crlf}`,
        ]);
    },
};


/*
 * "tokens" are of the same shapes and lengths, whatever they may do: so the
 * same seed gives the same bytes but for the token.  A "command" is sent as
 * its client sends it.
 */
export function makeCase(seed, variant, world, tokens, command) {
    const random = new Random(seed);
    const token = random.weighed([[8, tokens[0]],
                                  ...tokens.slice(1).map(t => [1, t])]);
    const req = {
        ...command ? operationNamed(command, random, world, token)
            : operation(random, world, token),
        headers: [], host: ['registry'],
        authorization: [`Bearer ${token}`], plainly: [`Bearer ${token}`],
    };
    const spellings = command ? [] : spell(req, random, world, token);
    const at = path => (req.base ?? variant.base) + path.slice(1);

    req.target = req.path[0] === '/' ? at(req.path) : req.path;
    req.lengths = req.body === undefined ? [] : [length(req.body)];

    const choose = new Random(req.variety ?? 0);
    const bytes = variant.http2 ? frames(req)
        : Buffer.from((FRAMINGS[req.framing] ?? plain)(req, choose, at),
                      'latin1');

    return { seed, variant, token, spellings, bytes,
             operation: req.operation, kind: req.kind };
}
