/*
 * What the examples are asked whose registry is the server that echoes.
 */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';

import { newToken, now } from '../../demo/lib/tokens.mjs';
import { account, ACCOUNTS, GOOD_PASSWORD, page, paged, PASS }
    from './commands.mjs';

const OFFICE = '127.168.3.4';

/* more than any burst, so that a limit that holds is met */
const FLOOD = 2500;
const AT_ONCE = 20;


/* by a record, or as nobody: the registry gets no token */

function allowed(answer) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.echo.headers.authorization, undefined);
}


function denied(answer, status, reason) {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.reason, reason);
    assert.equal(answer.echo, undefined);
}


/*
 * What holds for each registry that takes the person from a header; "base"
 * is where npm's paths begin, "other" a path that has nothing to do with it.
 */

function identity({ header, base, other, forged }) {
    const lower = header.toLowerCase();

    return {
        'the registry gets the user, not the token': async site => {
            const token = await site.token('alice');
            const answer = await site.ask('PUT', `${base}@scope%2fpkg`,
                                          { token, body: '{}' });

            allowed(answer);
            assert.equal(answer.echo.headers[lower], 'alice');
            assert.equal(answer.echo.url, `${base}@scope%2fpkg`);
        },

        'a read-only token reads, audits, and does not write': async site => {
            const token = await site.token('bob', { readonly: true });

            allowed(await site.ask('GET', `${base}pkg`, { token }));
            allowed(await site.ask('POST',
                `${base}-/npm/v1/security/advisories/bulk`,
                { token, body: '{}' }));
            denied(await site.ask('PUT', `${base}pkg`, { token, body: '{}' }),
                   403, 'readonly');
        },

        'nobody is let in without a token': async site => {
            denied(await site.ask('GET', `${base}pkg`), 401, 'no_token');
        },

        'a forged header reaches the registry nowhere': async site => {
            const token = await site.token('bob');

            for (const name of forged) {
                const headers = { [name]: 'admin' };
                const inside = await site.ask('GET', `${base}pkg`,
                                              { token, headers });
                const outside = await site.ask('GET', other, { headers });

                assert.equal(inside.echo.headers[lower], 'bob', name);
                assert.equal(outside.status, 200);
                assert.doesNotMatch(outside.text, /admin/, name);
                assert.doesNotMatch(inside.text, /admin/, name);
            }

            denied(await site.ask('GET', `${base}pkg`,
                                  { headers: { [header]: 'admin' } }),
                   401, 'no_token');
        },
    };
}


/* of registries whose other paths are left alone */

function exempt({ base, other }) {
    return {
        'other paths keep their own login': async site => {
            const answer = await site.ask('GET', other, {
                headers: { Authorization: 'Basic YWxpY2U6cHc=' },
            });

            assert.equal(answer.status, 200);
            assert.equal(answer.echo.headers.authorization,
                         'Basic YWxpY2U6cHc=');
        },

        'no path leads through them to a package': async site => {
            const up = path => '../'.repeat(path.split('/').length - 2);
            const package_ = `${base}pkg/-rev/1/`;
            const raw = `${package_}${up(package_)}${other.slice(1)}`;
            const answer = await site.ask('DELETE', raw);

            assert.equal(answer.status, 200);
            assert.equal(answer.echo.url, other);

            denied(await site.ask('DELETE',
                `${other}/${up(`${other}/`)}${base.slice(1)}pkg/-rev/1`),
                   401, 'no_token');
        },
    };
}


const NEXUS = {
    header: 'X-SSO-USER',
    base: '/repository/npm-private/',
    other: '/service/rest/v1/status',
    forged: ['X-SSO-USER', 'x-sso-user', 'X-Sso-User'],
};

const ARTIFACTORY = {
    header: 'REMOTE_USER',
    base: '/artifactory/api/npm/npm-local/',
    other: '/ui/login',
    forged: ['REMOTE_USER', 'Remote-User'],
};


/*
 * With "npmtoken_unknown pass" as their comment says: the registry's own
 * tokens and those of npmtoken side by side.
 */

const moving = text => text.replace(/# (?=npmtoken_unknown +pass;)/, '');

const moved = ({ header, base }) => {
    const lower = header.toLowerCase();

    return {
        'the registry\'s own token reaches it, as it came': async site => {
            for (const authorization of [
                'Bearer NpmToken.0a1b2c3d-4e5f-6789-abcd-ef0123456789',
                `Bearer ${'cmVmdGtuOj.'.repeat(90)}`,
                'Basic YWxpY2U6cHc=',
            ]) {
                const { status, echo, text } = await site.ask(
                    'PUT', `${base}pkg`, {
                        headers: { Authorization: authorization,
                                   [header]: 'admin' },
                        body: '{}',
                    });

                assert.equal(status, 200, text);
                assert.equal(echo.headers.authorization, authorization);
                assert.equal(echo.headers[lower], undefined);
            }
        },

        'a new one gives the user, and does not reach it': async site => {
            const token = await site.token('alice');
            const answer = await site.ask('PUT', `${base}pkg`,
                                          { token, body: '{}' });

            allowed(answer);
            assert.equal(answer.echo.headers[lower], 'alice');
        },

        'a new one that is revoked is refused': async site => {
            const token = await site.token('alice', { revoked_at: now() });

            denied(await site.ask('GET', `${base}pkg`, { token }),
                   401, 'revoked');
        },

        'nobody is let in without any': async site => {
            denied(await site.ask('GET', `${base}pkg`), 401, 'no_token');
        },
    };
};


const MIRROR = {
    'from the office one reads without a token': async site => {
        const answer = await site.ask('GET', '/pkg', { from: OFFICE });

        allowed(answer);
        assert.equal(answer.echo.headers.host, 'mirror.example.com');
    },

    'from elsewhere one needs a token': async site => {
        const token = await site.token('alice');

        denied(await site.ask('GET', '/pkg'), 401, 'no_token');
        allowed(await site.ask('GET', '/@s%2fpkg', { token }));
    },

    'a stray token does no harm in the office': async site => {
        const token = newToken();
        const inside = await site.ask('GET', '/pkg', { token, from: OFFICE });

        allowed(inside);
        assert.match(inside.headers['npm-notice'], /is unknown/);
        denied(await site.ask('GET', '/pkg', { token }), 401, 'unknown');
    },

    'a revoked one is refused there too': async site => {
        const token = await site.token('alice', { revoked_at: now() });

        denied(await site.ask('GET', '/pkg', { token, from: OFFICE }),
               401, 'revoked');
    },

    'nobody writes': async site => {
        const token = await site.token('alice');
        const write = await site.ask('PUT', '/pkg', { token, body: '{}' });
        const read = await site.ask('HEAD', '/pkg', { token });

        assert.equal(write.status, 403);
        assert.equal(write.echo, undefined);
        assert.equal(read.status, 200);
    },
};


/* the balancers are 127.0.0.10 and 127.0.0.11; nobody else is believed */

const BALANCED = {
    'the address is the one that the balancer says': async site => {
        const token = await site.token('alice', {
            cidr_whitelist: '203.0.113.0/24',
        });
        const ask = headers => site.ask('GET', '/pkg', {
            token, headers, from: '127.0.0.10',
        });

        const answer = await ask({ 'X-Forwarded-For': '203.0.113.7' });

        allowed(answer);
        assert.equal(answer.echo.headers['x-npm-user'], 'alice');
        assert.equal(answer.echo.headers['x-forwarded-for'], '203.0.113.7');

        denied(await ask({ 'X-Forwarded-For': '198.51.100.1' }), 401, 'cidr');
        denied(await ask({ 'X-Forwarded-For': '203.0.113.7, 198.51.100.1' }),
               401, 'cidr');
        allowed(await ask({
            'X-Forwarded-For': '198.51.100.1, 203.0.113.7, 127.0.0.11',
        }));
    },

    'who is no balancer says nothing': async site => {
        const token = await site.token('alice', {
            cidr_whitelist: '203.0.113.0/24',
        });

        denied(await site.ask('GET', '/pkg', {
            token, headers: { 'X-Forwarded-For': '203.0.113.7' },
        }), 401, 'cidr');
    },

    'the PROXY protocol counts from a balancer only': async site => {
        const token = await site.token('alice', {
            cidr_whitelist: '203.0.113.0/24, 2001:db8::/32',
        });
        const port = site.ports.get('8080');
        const ask = (from, proxy) => site.raw({ port, from }, proxy
            + `GET /pkg HTTP/1.0\r\nAuthorization: Bearer ${token}\r\n\r\n`);

        const v4 = 'PROXY TCP4 203.0.113.7 10.0.0.1 5000 8080\r\n';
        const v6 = 'PROXY TCP6 2001:db8::7 2001:db8::1 5000 8080\r\n';
        const no = 'PROXY TCP4 198.51.100.1 10.0.0.1 5000 8080\r\n';

        assert.match(await ask('127.0.0.10', v4), /^HTTP\/1.1 200 /);
        assert.match(await ask('127.0.0.10', v6), /^HTTP\/1.1 200 /);
        assert.match(await ask('127.0.0.10', no), /^HTTP\/1.1 401 /);
        assert.match(await ask('127.0.0.1', v4), /^HTTP\/1.1 401 /);
    },

    'a forged identity does not get through': async site => {
        denied(await site.ask('GET', '/pkg', {
            headers: { 'X-Npm-User': 'admin' }, from: '127.0.0.10',
        }), 401, 'no_token');
    },
};


/* how many of FLOOD requests were answered with each status */

async function flood(ask) {
    const counts = {};
    let left = FLOOD;

    const worker = async () => {
        while (left-- > 0 && !counts[429]) {
            const { status } = await ask();

            counts[status] = (counts[status] ?? 0) + 1;
        }
    };

    await Promise.all(Array.from({ length: AT_ONCE }, worker));

    return counts;
}


const LIMITED = {
    'a token over its rate waits, another one does not': async site => {
        const [alice, bob] = [await site.token('alice'),
                              await site.token('bob')];
        const counts = await flood(() => site.ask('GET', '/pkg',
                                                  { token: alice }));

        assert.ok(counts[200] >= 500, JSON.stringify(counts));
        assert.ok(counts[429] > 0, JSON.stringify(counts));

        allowed(await site.ask('GET', '/pkg', { token: bob }));
    },

    'so does an address without a token': async site => {
        const counts = await flood(() => site.ask('GET', '/pkg'));

        assert.ok(counts[401] >= 500, JSON.stringify(counts));
        assert.ok(counts[429] > 0, JSON.stringify(counts));

        const token = await site.token('carol');

        allowed(await site.ask('GET', '/pkg', { token }));
    },

    'the log says who, and what became of it': async site => {
        const token = await site.token('dave', { readonly: true });

        await site.ask('GET', '/read', { token });
        await site.ask('PUT', '/written', { token });

        await site.logged('access.log',
                          / dave \[.*"GET \/read .*" 200 read allow\n/);
        await site.logged('access.log',
                          / \[.*"PUT \/written .*" 403 write readonly\n/);
    },
};


const CACHED = {
    'what one person got is not given to another': async site => {
        const [alice, bob] = [await site.token('alice'),
                              await site.token('bob')];
        const first = await site.ask('GET', '/private', { token: alice });
        const asked = site.echo.seen.length;
        const again = await site.ask('GET', '/private', { token: alice });

        assert.equal(first.echo.headers['x-npm-user'], 'alice');
        assert.equal(again.echo.headers['x-npm-user'], 'alice');
        assert.equal(site.echo.seen.length, asked, 'it was asked again');

        const other = await site.ask('GET', '/private', { token: bob });

        assert.equal(other.echo.headers['x-npm-user'], 'bob');
    },

    'nor what a login with a password got': async site => {
        const url = '/-/user/org.couchdb.user:alice?write=true';
        const ask = password => site.ask('GET', url, {
            headers: password && { Authorization: `Basic ${password}` },
        });

        for (const password of ['YWxpY2U6YQ==', 'YWxpY2U6Yg==', undefined]) {
            const { echo } = await ask(password);

            assert.equal(echo.headers.authorization,
                         password && `Basic ${password}`);
        }
    },

    'a tarball too is for those who may': async site => {
        const token = await site.token('alice');
        const url = '/pkg/-/pkg-1.0.0.tgz';

        allowed(await site.ask('GET', url, { token }));
        allowed(await site.ask('GET', url, { token }));
        denied(await site.ask('GET', url), 401, 'no_token');

        await site.forget(token);

        denied(await site.ask('GET', url, { token }), 401, 'unknown');
    },

    'the long form is not given for the short one': async site => {
        const token = await site.token('alice');
        const short = 'application/vnd.npm.install-v1+json; q=1.0, */*';

        await site.ask('GET', '/forms', { token });

        const { echo } = await site.ask('GET', '/forms', {
            token, headers: { Accept: short },
        });

        assert.equal(echo.headers.accept, short);
    },

    'a write is written': async site => {
        const token = await site.token('alice');

        for (let i = 0; i < 2; i++) {
            const { echo } = await site.ask('PUT', '/pkg',
                                            { token, body: `${i}` });

            assert.equal(echo.method, 'PUT');
        }
    },
};


/*
 * The stand-in for the single sign-on: it knows people by a cookie.  Where it
 * is to listen, the example says.
 */

async function signOn(site) {
    const server = http.createServer((req, res) => {
        const [, who] = /(?:^|; )_oauth2_proxy=(\w+)/.exec(
            req.headers.cookie ?? '') ?? [];

        if (!req.url.startsWith('/oauth2/auth')) {
            res.end(`sign in: ${req.url}`);
            return;
        }

        res.writeHead(who ? 202 : 401, who && { 'X-Auth-Request-User': who });
        res.end();
    });

    await new Promise(resolve => {
        server.listen(0, '127.0.0.1', resolve);
    });
    server.unref();

    const text = await readFile(site.conf, 'utf8');

    await writeFile(site.conf,
                    text.replaceAll('127.0.0.1:4180',
                                    `127.0.0.1:${server.address().port}`));
}


/* a browser of somebody, or of nobody, with the cookies that it got */

function browser(site, who) {
    const cookies = who ? [`_oauth2_proxy=${who}`] : [];

    return async (method, call, body) => {
        const answer = await site.ask(method, `/-/npmtoken/${call}`, {
            headers: { 'Sec-Fetch-Site': 'same-origin',
                       'Content-Type': 'application/json',
                       Cookie: cookies.join('; ') },
            body: body && JSON.stringify(body),
        });

        for (const cookie of answer.headers['set-cookie'] ?? []) {
            cookies[1] = cookie.replace(/;.*/, '');
        }

        return answer;
    };
}


const SIGNED_ON = {
    'who has not signed on is led there': async site => {
        const nobody = browser(site);
        const page = await nobody('GET', '');

        assert.equal(page.status, 302, page.text);
        assert.match(page.headers.location, /\/oauth2\/sign_in\?rd=/);
        assert.equal((await nobody('GET', 'api/tokens')).status, 401);
        assert.equal((await site.ask('GET', '/oauth2/sign_in')).text,
                     'sign in: /oauth2/sign_in');
    },

    'who has makes a token without a password': async site => {
        const alice = browser(site, 'alice');

        assert.match((await alice('GET', '')).text, /<html/);
        assert.equal((await alice('POST', 'api/login', {})).json.user,
                     'alice');

        const { status, json } = await alice('POST', 'api/tokens',
                                             { name: 'laptop' });

        assert.equal(status, 200);
        assert.ok(json.expires, 'it has an end');

        const answer = await site.ask('GET', '/pkg', { token: json.token });

        allowed(answer);
        assert.equal(answer.echo.headers['x-npm-user'], 'alice');
        assert.equal((await alice('POST', 'api/tokens',
                                  { name: 'x', expires: 400 })).status, 403);
    },

    'npm login is approved by it': async site => {
        const { json } = await site.ask('POST', '/-/v1/login', { body: '{}' });
        const bob = browser(site, 'bob');
        const [, id] = /#login=(.*)/.exec(json.loginUrl);
        const poll = new URL(json.doneUrl);

        await bob('POST', 'api/login', {});
        assert.equal((await bob('POST', 'api/approve', { id })).status, 200);

        const done = await site.ask('GET', poll.pathname + poll.search);
        const answer = await site.ask('GET', '/pkg',
                                      { token: done.json.token });

        assert.equal(answer.echo.headers['x-npm-user'], 'bob');
    },

    'a name that the client says is nobody': async site => {
        for (const name of ['X-Auth-Request-User', 'X-User', 'X-Npm-User']) {
            const answer = await site.ask('GET', '/-/npmtoken/api/session', {
                headers: { [name]: 'alice', 'Sec-Fetch-Site': 'same-origin' },
            });

            assert.equal(answer.status, 401, name);
        }
    },

    'nor does the registry see the page or its cookie': async site => {
        const asked = site.echo.seen.length;
        const alice = browser(site, 'alice');

        await alice('GET', '');
        await alice('POST', 'api/login', {});
        assert.equal(site.echo.seen.length, asked);

        const answer = await site.ask('GET', '/pkg', {
            token: await site.token('alice'),
            headers: { Cookie: 'a=1; __Host-npmtoken=secret' },
        });

        assert.equal(answer.echo.headers.cookie, 'a=1');
    },
};


export const CASES = {
    'sso': { prepare: signOn, tests: SIGNED_ON },
    'nexus': { tests: { ...identity(NEXUS), ...exempt(NEXUS) } },
    'artifactory': { tests: { ...identity(ARTIFACTORY),
                              ...exempt(ARTIFACTORY) } },
    'nexus, moving': { file: 'nexus', change: moving, complaints: PASS,
                       tests: moved(NEXUS) },
    'artifactory, moving': { file: 'artifactory', change: moving,
                             complaints: PASS, tests: moved(ARTIFACTORY) },
    'nexus, with the page': {
        file: 'nexus', change: paged, prepare: account('alice'),
        tests: page({ ...NEXUS, user: 'alice', password: GOOD_PASSWORD }),
    },
    'artifactory, with the page': {
        file: 'artifactory', change: paged, prepare: account('alice'),
        tests: page({ ...ARTIFACTORY, user: 'alice',
                      password: GOOD_PASSWORD }),
    },
    'accounts': { tests: ACCOUNTS },
    'static-mirror': { tests: MIRROR },
    'load-balancer': { tests: BALANCED },
    'limit-req': { tests: LIMITED },
    'proxy-cache': { tests: CACHED },
};
