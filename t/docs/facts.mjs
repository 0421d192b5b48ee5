/*
 * What README and docs say of behaviour at the edges: each statement is seen.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';
import { newToken, now, shortKey } from '../../demo/lib/tokens.mjs';
import { Site } from '../examples/site.mjs';

const LOOKUP_MS = 400;
const AUTH_DELAY_MS = 1000;

/* nginx's timers are of milliseconds, and may be early by one */
const EARLY_MS = 5;


async function timed(body) {
    const begin = performance.now();
    const result = await body();

    return { ms: performance.now() - begin + EARLY_MS, ...result };
}


/* a request from a unix socket */

function overSocket(socketPath, token) {
    return new Promise((resolve, reject) => {
        http.get({ socketPath, path: '/pkg', agent: false, headers: {
            Host: 'x', Authorization: `Bearer ${token}`,
        } }, res => {
            let text = '';

            res.on('data', data => { text += data; });
            res.on('end', () => resolve({ status: res.statusCode, text }));
        }).on('error', reject);
    });
}


const FACTS = {
    '"return" runs before the module': async site => {
        assert.equal((await site.ask('GET', '/returned')).status, 204);
    },

    '"satisfy any": an allow that matches skips it': async site => {
        const { status } = await site.ask('PUT', '/any/pkg', {
            token: newToken(), body: '{}',
        });

        assert.equal(status, 200);
    },

    '"satisfy any": nginx\'s page, our headers': async site => {
        const { status, headers, text } = await site.ask(
            'GET', '/any-denied/pkg', { token: newToken() });

        assert.equal(status, 401);
        assert.match(text, /<html>/);
        assert.match(headers['npm-notice'], /is unknown/);
        assert.equal(headers['www-authenticate'], 'Bearer');
    },

    '"satisfy any": a 503 ends the request': async site => {
        const { status, reason } = await site.ask('GET', '/any-down/pkg',
                                                  { token: newToken() });

        assert.equal(status, 503);
        assert.equal(reason, 'unavailable');
    },

    'auth_delay delays only what nginx answers': async site => {
        const ours = await timed(() => site.ask('GET', '/pkg'));
        const any = await timed(() => site.ask('GET', '/any-denied/pkg'));
        const page = await timed(() => site.ask('GET', '/intercepted/pkg'));

        assert.ok(ours.ms < AUTH_DELAY_MS, `${ours.ms}`);
        assert.ok(any.ms >= AUTH_DELAY_MS, `${any.ms}`);
        assert.ok(page.ms >= AUTH_DELAY_MS, `${page.ms}`);
        assert.equal(page.text, 'the operator\'s page');
    },

    'a map that limit_req read keeps its value unless volatile':
    async site => {
        const token = await site.token('mallory');

        await site.ask('GET', '/pkg', { token });
        await site.logged('map.log',
                          /^first= volatile=mallory user=mallory$/m);
    },

    'an exempt location without a URI sends the raw path': async site => {
        const url = '/pkg/-rev/1/../../../pages/x';
        const { echo } = await site.ask('DELETE', url);

        assert.equal(echo.url, url);
    },

    'an enforced one with a URI decodes a scope': async site => {
        const token = await site.token('alice');
        const raw = await site.ask('GET', '/@scope%2fname', { token });
        const decoded = await site.ask('GET', '/decoded/@scope%2fname',
                                       { token });

        assert.equal(raw.echo.url, '/@scope%2fname');
        assert.equal(decoded.echo.url, '/decoded/@scope/name');
    },

    'a large body is 413 before any token': async site => {
        const { status } = await site.ask('PUT', '/pkg',
                                          { body: 'x'.repeat(2000) });

        assert.equal(status, 413);
    },

    'a dry run refuses nothing, and logs the line of the README': async site => {
        const { status, echo } = await site.ask('GET', '/dry/pkg');
        const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
        const [, line] = readme.match(/^ +(npmtoken denied, dry run: .*, )/m);

        assert.equal(status, 200);
        assert.equal(echo.headers['x-npm-user'], undefined);
        await site.logged('error.log', new RegExp(line));
    },

    'two Authorization headers are 400': async site => {
        const answer = await site.raw({ port: site.port },
            'GET /pkg HTTP/1.0\r\nAuthorization: Bearer a\r\n'
            + 'Authorization: Bearer b\r\n\r\n');

        assert.match(answer, /^HTTP\/1.1 400 /);
    },

    'proxy_set_header of the same name removes the identity': async site => {
        const token = await site.token('alice');
        const { echo } = await site.ask('GET', '/dropped/pkg', { token });

        assert.equal(echo.headers['x-npm-user'], undefined);
    },

    'a client on a unix socket has no address': async site => {
        const limited = await site.token('alice', { cidr_whitelist: '0.0.0.0/0,::/0' });
        const socket = `${site.dir}/cache/client.sock`;

        assert.equal((await overSocket(socket, await site.token('bob'))).status,
                     200);

        const { status, text } = await overSocket(socket, limited);

        assert.equal(status, 401);
        assert.match(text, /may not be used from here\./);
    },

    'expires_at is the second from which it is refused': async site => {
        const gone = await site.token('alice', { expires_at: now() });
        const good = await site.token('alice', { expires_at: now() + 3600 });
        const { status, headers } = await site.ask('GET', '/pkg',
                                                   { token: good });

        assert.equal((await site.ask('GET', '/pkg', { token: gone })).reason,
                     'expired');
        assert.equal(status, 200);
        assert.match(headers['npm-notice'], /expires on /);
    },

    'revoked_at refuses also if it is to come': async site => {
        const token = await site.token('alice', { revoked_at: now() + 3600 });

        assert.equal((await site.ask('GET', '/pkg', { token })).reason,
                     'revoked');
    },

    'a misspelt field refuses, and is named in the log': async site => {
        const token = await site.token('alice');

        await site.set(token, 'read_only', 'true');

        assert.equal((await site.ask('GET', '/pkg', { token })).reason,
                     'bad_record');

        await site.logged('error.log', new RegExp(
            `bad record of key ${shortKey(token)}, field "read_only"`));

        const own = await site.token('alice');

        await site.set(own, 'x_team', 'web');
        assert.equal((await site.ask('GET', '/pkg', { token: own })).status,
                     200);
    },

    'without Redis: sessions and anonymous reads go on': async site => {
        const { status } = await site.ask('GET', '/down/pkg');
        const login = await site.ask('PUT',
            '/down/-/user/org.couchdb.user:alice', { token: newToken() });

        assert.equal(status, 200);
        assert.equal(login.status, 200);
    },

    'without Redis: the rest is unavailable, in time': async site => {
        const answer = await timed(() => site.ask('GET', '/down/pkg',
                                                  { token: newToken() }));

        assert.equal(answer.status, 503);
        assert.equal(answer.reason, 'unavailable');
        assert.equal(answer.headers['retry-after'], '1');
        assert.ok(answer.ms < LOOKUP_MS + 1000, `${answer.ms}`);
    },

    'an outage is logged once': async site => {
        for (let i = 0; i < 5; i++) {
            await site.ask('GET', '/down/pkg', { token: newToken() });
        }

        const log = await site.log('error.log');

        const lines = log.match(/.*connecting to redis.*nobody\.sock.*/g);

        assert.equal(lines?.length, 1, lines?.join('\n'));
    },

    'a Redis that hangs: unavailable after lookup_timeout': async site => {
        const token = await site.token('alice');
        const { redis } = site.servers;

        assert.equal((await site.ask('GET', '/pkg', { token })).status, 200);

        await redis.call(site.servers, 'CLIENT', 'PAUSE', '3000', 'ALL');

        const hangs = await timed(() => site.ask('GET', '/pkg', { token }));

        assert.equal(hangs.status, 503);
        assert.ok(hangs.ms >= LOOKUP_MS && hangs.ms < LOOKUP_MS + 2000,
                  `${hangs.ms}`);

        /* answered when the pause is over */
        await redis.call(site.servers, 'PING');

        let status;

        do {
            ({ status } = await site.ask('GET', '/pkg', { token }));
        } while (status === 503);

        assert.equal(status, 200);
    },

    'a token in the path: replaced in $request, not in $request_uri':
    async site => {
        const token = await site.token('alice');

        await site.ask('DELETE', `/-/user/token/${token}`, { token });
        await site.logged('leaks.log', new RegExp(
            `request=DELETE /-/user/token/${shortKey(token)} HTTP/1.1`
            + ` uri=/-/user/token/${token}`));

        assert.doesNotMatch(await site.log('access.log'), new RegExp(token));
    },

    'a dead registry: the token stands in "upstream:" only': async site => {
        const token = await site.token('alice');
        const url = `/base/-/user/token/${token}`;

        assert.equal((await site.ask('DELETE', url, { token })).status, 502);

        await site.logged('error.log', new RegExp(
            `request: "DELETE /base/-/user/token/${shortKey(token)} HTTP/1.1"`
            + `, upstream: "[^"]*${token}"`));
    },

    'a request that nginx itself refuses keeps its token in the log':
    async site => {
        const token = newToken();

        await site.raw({ port: site.port },
            `DELETE /-/user/token/${token} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`);
        await site.logged('access.log', new RegExp(token));
    },
};


export async function factTests({ report, servers, echo, tls }) {
    const site = new Site(servers, 'facts', {
        tls, registry: { port: echo.port },
    });

    await report.test('facts: nginx starts without one of its Redises',
                      async () => {
        await site.prepare(await readFile(path.join(ROOT,
                                                    't/docs/facts.conf'),
                                          'utf8'));
        await site.start();
    });

    for (const [title, body] of Object.entries(FACTS)) {
        await report.test(`facts: ${title}`, () => body(site));
    }

    await report.test('facts: nginx ends, with nothing to complain of',
                      async () => {
        await site.stop();
        assert.doesNotMatch(await site.log('error.log'), /\[(alert|emerg)\]/);
    });
}
