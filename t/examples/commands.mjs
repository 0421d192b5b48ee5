/*
 * The examples with the token commands, which npm is used for.
 */

import assert from 'node:assert/strict';

import { recordName } from '../../demo/lib/tokens.mjs';

const JSON_BODY = { 'Content-Type': 'application/json' };
const LOGIN = '/-/user/org.couchdb.user:';
const TOKENS = '/-/npm/v1/tokens';

const TOKEN = /^npm_[A-Za-z0-9]{36}$/;


/* what nginx says of "npmtoken_unknown pass" */

export const PASS = [
    '[warn] with "npmtoken_unknown pass" a token without a record is'
    + ' unrestricted: revoke by "revoked_at" and never by deleting,'
    + ' give records no TTL, and let redis evict none',
];


/* as npm sends it; with an email it is a sign-up, where that may be */

function logIn(site, name, password, email) {
    return site.ask('PUT', `${LOGIN}${name}`, {
        headers: JSON_BODY,
        body: JSON.stringify({ name, password, email, type: 'user' }),
    });
}

async function token(site, name, password) {
    const { status, json, text } = await logIn(site, name, password);

    assert.equal(status, 201, text);
    assert.match(json.token, TOKEN);

    return json.token;
}

const create = (site, own, body) => site.ask('POST', TOKENS, {
    token: own, headers: JSON_BODY, body: JSON.stringify(body),
});

const is = async (site, mine) =>
    (await site.ask('GET', '/-/whoami', { token: mine })).json;


function commands(user, password) {
    return {
        'npm logs in, and the token is ours': async site => {
            const person = await site.person(user);
            const { code, all } = await person.talk(['login'], [
                [/Username: *$/, user], [/Password: *$/, password],
            ]);

            assert.equal(code, 0, all);

            const mine = await person.ownToken();

            assert.match(mine, TOKEN);
            assert.equal(await site.servers.redisValue(recordName(mine),
                                                       'user'), user);

            const who = await person.npm(['whoami']);

            assert.equal(who.stdout.trim(), user, who.all);

            const out = await person.npm(['logout']);

            assert.equal(out.code, 0, out.all);
            assert.equal((await is(site, mine)).reason, 'unknown');
        },

        'a wrong password is one': async site => {
            for (const name of [user, 'nobody']) {
                const { status, json, headers } = await logIn(site, name,
                                                              'not-that-one');

                assert.equal(status, 401);
                assert.match(json.error, /name or the password is wrong/);
                assert.equal(headers['www-authenticate'], undefined);
            }
        },

        'tokens are made, listed and revoked': async site => {
            const own = await token(site, user, password);
            const made = await create(site, own, { password, readonly: true,
                                                   cidr_whitelist:
                                                   ['127.0.0.0/8'] });

            assert.equal(made.status, 200, made.text);
            assert.equal((await is(site, made.json.token)).username, user);

            const list = await site.ask('GET', TOKENS, { token: own });
            const { key } = list.json.objects.find(each =>
                made.json.token.startsWith(each.token));

            const put = await site.ask('PUT', '/pkg', {
                token: made.json.token, headers: JSON_BODY, body: '{}',
            });

            assert.equal(put.reason, 'readonly');

            const gone = await site.ask('DELETE', `${TOKENS}/token/${key}`,
                                        { token: own });

            assert.equal(gone.status, 204, gone.text);
            assert.equal((await is(site, made.json.token)).reason, 'unknown');
        },

        'making one takes the password': async site => {
            const own = await token(site, user, password);
            const { status, json } = await create(site, own, {
                password: 'not-that-one',
            });

            assert.equal(status, 401);
            assert.match(json.error, /password/);
        },

        'neither password nor token stands in a log': async site => {
            const own = await token(site, user, password);

            await site.ask('DELETE', `/-/user/token/${own}`, { token: own });
            await site.logged('access.log',
                              /DELETE \/-\/user\/token\/[0-9a-f]{8} /);

            for (const name of ['access.log', 'error.log']) {
                const text = await site.log(name);

                assert.ok(!text.includes(own), name);
                assert.ok(!text.includes(password), name);
            }
        },
    };
}


/* accounts are Verdaccio's, which is asked for each password */

export const PROXIED = password => ({
    ...commands('alice', password),

    'a token publishes': async site => {
        const own = await token(site, 'alice', password);
        const alice = await site.person('alice', own);
        const cwd = await alice.project({ name: 'mine', version: '1.0.0' });
        const { code, all } = await alice.npm(['publish'], cwd);

        assert.equal(code, 0, all);

        const { body } = await site.verdaccio.get('/mine', {
            'X-Npm-User': 'alice',
        });

        assert.match(body, /"1\.0\.0"/);
    },

    'nobody signs up': async site => {
        const { status } = await logIn(site, 'newcomer', 'a-good-password',
                                       'newcomer@example.com');

        assert.equal(status, 401);
    },

    'Verdaccio takes no name for another': async site => {
        const bodies = [{ name: 'alice', password: 'x-not-hers-x' },
                        { name: 'newcomer', password }];

        for (const body of bodies) {
            const { status } = await site.verdaccio.ask(
                'PUT', `${LOGIN}alice`, body);

            assert.ok(status >= 400, `${body.name}: ${status}`);
        }
    },
});


/* accounts are in Redis, and the registry is asked for packages alone */

export const ACCOUNTS = {
    'who signs up has an account, and is logged in': async site => {
        const { status, json, text } = await logIn(
            site, 'carol', 'a-good-password', 'carol@example.com');

        assert.equal(status, 201, text);
        assert.equal((await is(site, json.token)).username, 'carol');

        /* a name that is taken stays who it is */
        const again = await logIn(site, 'carol', 'another-password',
                                  'mallory@example.com');

        assert.equal(again.status, 401);
    },

    ...commands('carol', 'a-good-password'),

    'the registry gets packages to do with, and nothing else': async site => {
        const own = await token(site, 'carol', 'a-good-password');
        const answer = await site.ask('GET', '/pkg', { token: own });

        assert.equal(answer.status, 200);
        assert.equal(answer.echo.url, '/pkg');
        assert.equal(answer.echo.headers.authorization, undefined);
        assert.equal(site.echo.seen.filter(({ url }) =>
            url.startsWith('/-/user/') || url.startsWith('/-/npm/v1/tokens'))
            .length, 0);
    },
};


/* the web page, where the example has it in a comment */

export const paged = text => text.replace(
    /# (?=load_module .*_api_module\.so;|npmtoken_api +main;|npmtoken_api_page +on;)/g,
    '');

const GOOD_HASH = '$2b$04$aaaaaaaaaaaaaaaaaaaaaO6NWvFeQ.xl2ly9U4JL1p1DDDU3bfgxW';

export const GOOD_PASSWORD = 'a-good-password';

export const account = user => site => site.servers.redis(
    'HSET', `npmtoken:user:${user}`, 'password', GOOD_HASH);

export function page({ base, header, user, password }) {
    const ask = async (site, cookie, method, call, body) => {
        const answer = await site.ask(method, `${base}-/npmtoken/${call}`, {
            headers: { ...JSON_BODY, 'Sec-Fetch-Site': 'same-origin',
                       ...cookie && { Cookie: cookie } },
            body: body && JSON.stringify(body),
        });

        answer.cookie = answer.headers['set-cookie']?.[0].replace(/;.*/, '');

        return answer;
    };

    return {
        'the page is there, and the registry is not asked': async site => {
            const asked = site.echo.seen.length;

            for (const file of ['', 'page.js', 'page.css']) {
                assert.equal((await ask(site, null, 'GET', file)).status, 200);
            }

            assert.equal(site.echo.seen.length, asked);
        },

        'a token of the page is the person to the registry': async site => {
            const login = await ask(site, null, 'POST', 'api/login',
                                    { name: user, password });

            assert.equal(login.status, 200, login.text);
            assert.ok(login.json.registry.endsWith(base));

            const { status, json, text } = await ask(
                site, login.cookie, 'POST', 'api/tokens',
                { name: 'laptop', password });

            assert.equal(status, 200, text);

            const answer = await site.ask('GET', `${base}pkg`, {
                token: json.token, headers: { Cookie: login.cookie },
            });

            if (answer.echo) {
                assert.equal(answer.echo.headers[header.toLowerCase()], user);
                assert.equal(answer.echo.headers.cookie, undefined);
            }

            assert.equal((await site.ask('GET', `${base}-/whoami`, {
                token: json.token,
            })).json.username, user);
        },

        'npm login is answered with two addresses of it': async site => {
            const { json } = await site.ask('POST', `${base}-/v1/login`,
                                            { body: '{}' });

            for (const [url, path] of [[json.loginUrl, '-/npmtoken/'],
                                       [json.doneUrl, '-/v1/done']])
            {
                assert.equal(new URL(url).pathname, `${base}${path}`);
            }
        },
    };
}
