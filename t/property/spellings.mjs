/*
 * Ways to say a request otherwise: each takes what is to be sent and makes
 * something of it that nginx, the module and the registry might understand
 * differently.
 *
 * Paths are strings of bytes (latin1); what a base or an absolute form puts
 * before them comes later (cases.mjs).
 */

import { gzipSync } from 'node:zlib';

import { EXCEPTIONS, operationNamed, WITH_ANY_END } from './operations.mjs';

const hex = (random, code) => {
    const text = code.toString(16).padStart(2, '0');

    return `%${random.chance(50) ? text : text.toUpperCase()}`;
};

const encode = (random, ch) => hex(random, ch.charCodeAt(0));

/* at some of the places where it is found, and at one of them for sure */
function some(random, text, pattern, change) {
    const places = [...text.matchAll(pattern)];

    if (places.length === 0) {
        return text;
    }

    const sure = random.below(places.length);
    const all = random.chance(20);
    let at = -1;

    return text.replace(pattern, found => {
        at++;

        return at === sure || all || random.chance(15) ? change(found) : found;
    });
}

/* not the first: without it there is no path */
const SLASH = /(?<=.)\//gs;
const ANY = /(?<=.)[^%]/gs;

function insert(random, path, what) {
    const at = 1 + random.below(path.length);

    return path.slice(0, at) + what + path.slice(at);
}

const dots = random => random.weighed([
    [6, '..'], [1, '%2e%2e'], [1, '.%2E'], [1, '%2e.'], [1, '%252e%252e'],
    [1, '..;'], [1, '..%00'], [1, '%c0%ae%c0%ae'], [1, '...'],
]);

const slash = random => random.weighed([
    [8, '/'], [1, '%2f'], [1, '%2F'], [1, '\\'], [1, '%5c'], [1, '//'],
    [1, '%252f'], [1, '%c0%af'],
]);

/* from one path up and down to another, exactly or not */
function climb(random, from, to) {
    const way = random.chance(70) ? slash(random) : '/';
    const up = random.chance(70) ? dots(random) : '..';
    const steps = Math.max(0, from.split('/').length - 1
                              + random.weighed([[8, 0], [1, 1], [1, -1]]));

    return from + `${way}${up}`.repeat(steps)
        + (random.chance(85) ? to : slash(random) + to.slice(1));
}


const PATHS = {
    'as it is, percent-encoded': (req, random) => {
        req.path = some(random, req.path, ANY, ch => encode(random, ch));
    },

    '%2f for /': (req, random) => {
        req.path = some(random, req.path, SLASH, ch => encode(random, ch));
    },

    '/ for %2f': req => {
        req.path = req.path.replace(/%2f/gi, '/');
    },

    '%40 for @': (req, random) => {
        req.path = req.path.replace(/@/g, ch => encode(random, ch));
    },

    'encoded twice': (req, random) => {
        req.path = random.chance(50)
            ? some(random, req.path, /%/g, () => '%25')
            : some(random, req.path, ANY,
                   ch => `%25${encode(random, ch).slice(1)}`);
    },

    'slashes doubled': (req, random) => {
        req.path = some(random, req.path, /\//g,
                        () => random.pick(['//', '///', '/%2f', '%2f/']));
    },

    'dot segments': (req, random) => {
        req.path = some(random, req.path, /\//g, () => random.pick([
            '/./', '/x/../', '/%2e/', '/x/%2e%2e/', '/x%2f..%2f', '/../',
            '/.//', '/..;/', '/.;/', '/x/..\\', '/-/../',
        ]));
    },

    'up from there to what passes': (req, random, world, token) => {
        if (random.chance(60)) {
            Object.assign(req, operationNamed(random.pick(WITH_ANY_END),
                                              random, world, token));
        }

        req.path = climb(random, req.path, random.pick(EXCEPTIONS(token)));
    },

    'up from what passes to there': (req, random, world, token) => {
        req.path = climb(random, random.pick(EXCEPTIONS(token)), req.path);
    },

    'inside a login name': (req, random) => {
        const way = slash(random);

        req.path = '/-/user/org.couchdb.user:x'
            + `${way}${dots(random)}`.repeat(3)
            + req.path.replaceAll('/', way);
    },

    'inside a package': (req, random) => {
        const way = slash(random);

        req.path = '/-/npm/v1/oidc/token/exchange/package/'
            + random.pick(['', '@s%2f', 'x'])
            + `${way}${dots(random)}`.repeat(7 + random.below(3))
            + req.path.replaceAll('/', way);
    },

    'inside a token': (req, random, world, token) => {
        const way = slash(random);

        req.path = `/-/user/token/${random.chance(50) ? token : ''}`
            + `${way}${dots(random)}`.repeat(3 + random.below(3))
            + req.path.replaceAll('/', way);
    },

    'the path of an exception': (req, random, world, token) => {
        req.path = random.pick(EXCEPTIONS(token));
    },

    'parameters': (req, random) => {
        req.path = some(random, `${req.path}/`, /(?<=.)\//gs, found =>
            random.pick([';', ';x=y', ';/..', ';jsessionid=1', ';.png'])
            + found).slice(0, -1);
    },

    'backslashes': (req, random) => {
        req.path = some(random, req.path, SLASH,
                        () => random.pick(['\\', '%5c', '%5C', '\\/', '/\\']));
    },

    'NUL': (req, random) => {
        req.path = insert(random, req.path,
                          random.pick(['%00', '%2500', '\0', '%u0000']));
    },

    'overlong UTF-8': (req, random) => {
        req.path = random.chance(50)
            ? some(random, req.path, SLASH, () => random.pick([
                '%c0%af', '%C0%2f', '%e0%80%af', '%f0%80%80%af', '\xc0\xaf',
                '%u002f', '%ef%bc%8f', '%e2%88%95']))
            : some(random, req.path, /[-.]/g, ch => random.pick([
                '%c0%ae', '%e0%80%ae', '\xc0\xae', '%ef%bc%8e',
                `%u00${ch.charCodeAt(0).toString(16)}`]));
    },

    'control characters': (req, random) => {
        req.path = insert(random, req.path, random.pick([
            '%09', '%0a', '%0d%0a', '%0d%0aX-Npm-User:%20root', '%20', '%7f',
            '\t', '\x01', '\x7f', ' ', '%1b', '\r', '\n',
        ]));
    },

    'high bytes': (req, random) => {
        req.path = insert(random, req.path, random.pick([
            '\x80', '\xff', '\xc3\xa4', '%ff', '%c3%a4', '%80', '\xe2\x80\xae',
            '%ad', '%e2%80%8b', '%c4%b1', '%ef%bb%bf',
        ]));
    },

    'another case': (req, random) => {
        req.path = random.chance(30) ? req.path.toUpperCase()
            : some(random, req.path, /[a-z]/g, ch => ch.toUpperCase());
    },

    'another end': (req, random) => {
        req.path += random.pick([
            '/', '.', '/.', '//', '%20', '%2e', '%2f', '/..;/', '/%2e%2e',
            '.json', '%', '%2', '%zz', '*', '/*', '~', '%3f', '%23', ';',
            '/index.html', '/.%00', ':', '::$DATA',
        ]);
    },

    'a query': (req, random, world, token) => {
        req.path += (req.path.includes('?') ? '&' : '?') + random.pick([
            'write=true', '_method=PUT', '_method=DELETE', 'method=PUT', '',
            '/../../-/ping', `/-/user/token/${token}`, 'x=%0d%0a', '?',
            'rev=1', '-rev=1', '#', '%2e%2e%2f', `token=${token}`,
        ]);
    },

    'a fragment': (req, random) => {
        req.path = insert(random, req.path, random.pick(['#', '#x', '%23']));
    },

    'a question mark within': (req, random) => {
        req.path = insert(random, req.path, random.pick(['?', '%3f', '??']));
    },

    'another command\'s path': (req, random, world, token) => {
        const { path } = operationNamed(random.pick([
            'publish', 'unpublish', 'dist-tag add', 'token delete', 'login',
            'audit', 'logout', 'exchange', 'read',
        ]), random, world, token);

        req.path = path;
    },
};


const METHODS = [
    'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE',
    'CONNECT', 'MKCOL', 'COPY', 'MOVE', 'PROPFIND', 'PROPPATCH', 'LOCK',
    'UNLOCK', 'SEARCH', 'REPORT', 'MERGE', 'BIND', 'REBIND', 'UNBIND', 'ACL',
    'LINK', 'UNLINK', 'PURGE', 'SOURCE', 'NOTIFY', 'SUBSCRIBE', 'CHECKOUT',
    'MKACTIVITY', 'MKCALENDAR', 'M-SEARCH', 'QUERY', 'PRI', 'PUBLISH',
    'GETX', 'PUTGET', 'X', 'BREW', 'GET-PUT', '_PUT',
];

const OVERRIDES = [
    'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override',
    'x-http-method-override', 'X_HTTP_Method_Override', 'X-Original-Method',
    'X-Forwarded-Method', '_method',
];

const ASKED = {
    'another method': (req, random) => {
        req.method = random.pick(METHODS);
    },

    'a method in lower case': (req, random) => {
        req.method = random.pick([
            req.method.toLowerCase(),
            req.method[0] + req.method.slice(1).toLowerCase(),
            req.method.toLowerCase() + req.method,
        ]);
    },

    'a method with more to it': (req, random) => {
        req.method = random.pick([
            ` ${req.method}`, `${req.method} `, `\r\n${req.method}`,
            `${req.method}\t`, `${req.method}\0`, `GET ${req.method}`,
            `\n\r\n${req.method}`, `${req.method}/`, '', `"${req.method}"`,
        ]);
    },

    'the method in a header': (req, random) => {
        req.headers.push([random.pick(OVERRIDES), req.method]);

        /* with an underscore nginx drops the line: then it says nothing */
        req.method = random.pick(['GET', 'HEAD', 'POST', 'OPTIONS']);
    },

    'the path in a header': (req, random, world, token) => {
        req.headers.push([random.pick([
            'X-Rewrite-URL', 'X-Original-URL', 'X-Original-URI',
            'X-Forwarded-URI', 'X-Forwarded-Path', 'X-Forwarded-Prefix',
            'X-Replaced-Path', 'X-Override-URL', 'Content-Location', 'Via',
        ]), req.path]);

        req.path = random.pick(EXCEPTIONS(token));
        req.method = random.chance(50) ? req.method : 'GET';
    },
};


const HEADERS = {
    'a forged name': (req, random) => {
        req.headers.push([random.pick([
            'X-Npm-User', 'x-npm-user', 'X_Npm_User', 'X-Npm_User',
            'X-NPM-USER', 'X-Npm-User ', 'X-Forwarded-User', 'Remote-User',
        ]), 'root']);
    },

    'a header that removes headers': (req, random) => {
        req.headers.push([random.pick(['Connection', 'connection']),
                          random.pick([
                              'X-Npm-User', 'close, X-Npm-User',
                              'authorization', 'X-Case', 'Host',
                              'Content-Length', 'keep-alive, TE',
                          ])]);
    },

    'an upgrade': (req, random) => {
        const [upgrade, more] = random.pick([
            ['h2c', [['HTTP2-Settings', 'AAMAAABkAARAAAAAAAIAAAAA']]],
            ['websocket', [['Sec-WebSocket-Version', '13'],
                           ['Sec-WebSocket-Key',
                            'dGhlIHNhbXBsZSBub25jZQ==']]],
            ['TLS/1.0', []],
        ]);

        req.headers.push(['Connection', 'Upgrade, HTTP2-Settings'],
                         ['Upgrade', upgrade], ...more);
    },

    'another Authorization': (req, random, world, token) => {
        req.authorization = random.pick([
            [`bearer ${token}`], [`BEARER  ${token}`], [`Bearer\t${token}`],
            [`Bearer ${token} `], [`Bearer ${token},`], [`Bearer${token}`],
            [`Bearer ${token}`, `Bearer ${token}`], [`Basic ${token}`],
            [`Token ${token}`], [`Bearer "${token}"`], [`Bearer ${token}=`],
            [`Bearer ${token}\0`], [`Bearer x, Bearer ${token}`], [''], [],
            [`Basic ${Buffer.from('alice:x').toString('base64')}`],
            [`Bearer ${token.toUpperCase()}`], ['Bearer'],
        ]);
    },

    'another Content-Type': (req, random) => {
        req.type = random.pick([
            'application/json; charset=utf-8', 'text/plain',
            'application/octet-stream', 'application/x-www-form-urlencoded',
            'multipart/form-data; boundary=x', 'application/json',
            'application/json;', 'APPLICATION/JSON', undefined, '',
        ]);
    },

    'a compressed body': req => {
        req.body = gzipSync(req.body ?? '').toString('latin1');
        req.headers.push(['Content-Encoding', 'gzip']);
    },

    'Expect': (req, random) => {
        req.headers.push(['Expect', random.pick([
            '100-continue', '100-Continue', '200-ok', '100-continue, x', '',
        ])]);
    },

    'another Host': (req, random) => {
        req.host = random.pick([[], ['a', 'b'], [''], ['x_y'], ['/-/ping'],
                                ['registry:0'], ['[::1]'], ['a b'],
                                ['registry/-/ping?']]);
    },

    'a header over two lines': (req, random) => {
        req.headers.push([random.pick(['X-A', 'Transfer-Encoding',
                                       'X-HTTP-Method-Override']),
                          random.pick(['\r\n PUT', '\r\n\tchunked'])]);
    },

    'a broken header': (req, random) => {
        req.headers.push([random.pick([' X', 'X\0', 'X Y', 'X:', '',
                                       'Content-Length ', 'X(', '\x80']),
                          random.pick(['1', '', '\0', '\x80'])]);
    },
};


/* how the request is put on the wire: cases.mjs does it */

const framing = name => (req, random) => {
    req.framing = name;
    req.variety = random.next();
};

const FRAMES = Object.fromEntries([
    'chunked', 'an odd Transfer-Encoding', 'two lengths',
    'length and chunked', 'a wrong length', 'bare line feeds',
    'another version', 'after another request', 'before another request',
    'in the body of another',
].map(name => [name, framing(name)]));

const FORMS = {
    'absolute form': (req, random) => {
        req.form = random.pick([
            'http://registry', 'HTTP://registry', 'https://registry',
            'http://registry:80', 'http://alice@registry', 'http://',
            'http:', 'ftp://registry', 'http://registry/npm/..', '//registry',
            'http://a\\b', 'http://registry?', 'http://registry#',
        ]);
    },

    'another base': (req, random) => {
        req.base = random.pick(['/', '/npm/', '/npm/npm/', '/NPM/', '/n%70m/',
                                '//npm/', '/npm//', '/npm/../npm/', '/npm/./',
                                '/x/../npm/', '/npm%2f', '/npm;/', '']);
    },
};


export const GROUPS = [
    [52, 'the path', PATHS], [11, 'the method and where it stands', ASKED],
    [14, 'headers', HEADERS], [17, 'the bytes of the message', FRAMES],
    [6, 'the form of the target', FORMS],
];

const WEIGHED = GROUPS.map(([weight, , group]) =>
    [weight, Object.entries(group)]);


/* says a request otherwise in a few ways; returns their names */
export function spell(req, random, world, token) {
    const names = [];
    const count = random.weighed([[8, 0], [42, 1], [32, 2], [18, 3]]);

    for (let i = 0; i < count; i++) {
        const [name, change] = random.pick(random.weighed(WEIGHED));

        change(req, random, world, token);
        names.push(name);
    }

    return names;
}
