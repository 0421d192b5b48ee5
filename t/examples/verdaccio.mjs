/*
 * The examples in front of Verdaccio, which is the real one.
 */

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { request, ROOT } from '../../demo/lib/servers.mjs';
import { newToken, now, recordName } from '../../demo/lib/tokens.mjs';
import { page, paged, PASS, PROXIED } from './commands.mjs';

export const VERDACCIO = path.resolve(process.env.NPMTOKEN_VERDACCIO
    || path.join(ROOT, 'build/verdaccio'));
const EXAMPLES = path.join(ROOT, 'conf-examples');

const PASSWORD = 'the-password-of-alice';
const JSON_BODY = { 'Content-Type': 'application/json' };


/* a line of the file in which Verdaccio keeps who may log in to its pages */

function htpasswd(user, password) {
    const hash = createHash('sha1').update(password).digest('base64');

    return `${user}:{SHA}${hash}\n`;
}


export class Verdaccio {

    /* "change" edits the example's verdaccio.yaml */
    constructor(site, change) {
        this.site = site;
        this.change = change;
    }

    async start() {
        const { dir, name, servers, registry } = this.site;
        const yaml = await readFile(`${EXAMPLES}/verdaccio.yaml`, 'utf8');
        const config = `${dir}/verdaccio.yaml`;

        await mkdir(`${dir}/plugins`);
        await symlink(`${EXAMPLES}/verdaccio-npmtoken`,
                      `${dir}/plugins/verdaccio-npmtoken`);
        await writeFile(`${dir}/htpasswd`, htpasswd('alice', PASSWORD));
        await writeFile(config, this.change(yaml)
            .replaceAll('/var/lib/verdaccio/', `${dir}/`)
            .replaceAll('/usr/lib/verdaccio/', `${dir}/`)
            .replaceAll('/run/verdaccio/npm.sock', registry.socket));

        this.server = servers.server(`verdaccio-${name}`);

        await this.server.start(process.execPath, [
            `${VERDACCIO}/node_modules/verdaccio/bin/verdaccio`,
            '--config', config,
        ], { cwd: dir, env: { PATH: process.env.PATH, HOME: dir } });

        await this.server.ready(async () => {
            const { status } = await this.get('/-/ping');

            return status === 200;
        });
    }

    /* past nginx */
    get(url, headers = {}) {
        return request({ socketPath: this.site.registry.socket, path: url,
                         headers: { Host: 'registry', ...headers } });
    }

    ask(method, url, body) {
        return request({ socketPath: this.site.registry.socket, method,
                         path: url, headers: { Host: 'registry',
                                               ...JSON_BODY } },
                       JSON.stringify(body));
    }

    stop() {
        return this.server.stop();
    }
}


async function publish(site, person, name, version = '1.0.0') {
    const cwd = await person.project({ name, version }, { 'index.js': '' });

    return person.npm(['publish'], cwd);
}


function ended({ code, all }, expected, ...texts) {
    assert.equal(code, expected, all);
    texts.forEach(text => assert.match(all, text));
}


/* what Verdaccio's web page sends when somebody logs in there */

async function webLogin(site) {
    const { status, json, text } = await site.ask(
        'POST', '/-/verdaccio/sec/login', {
            headers: JSON_BODY,
            body: JSON.stringify({ username: 'alice', password: PASSWORD }),
        });

    assert.equal(status, 200, text);
    assert.ok(json.token, text);

    return json.token;
}


/* the rights that docs/redis.md gives the module's user */

async function aclUser(site) {
    const page = await readFile(path.join(ROOT, 'docs/redis.md'), 'utf8');
    const [, text] = page.slice(page.indexOf('## Redis users')).match(
        /^redis-cli (ACL SETUSER npmtoken [^]*?[^\\])$/m) ?? [];

    assert.ok(text, 'docs/redis.md has no "ACL SETUSER npmtoken ..."');

    const line = text.replaceAll(/'|\\\n */g, '');

    await site.servers.redis(...line.split(' '));

    const [, password] = line.match(/ >(\S+)/);

    await site.file('npmtoken.password', `${password}\n`);
}


/* a JWT with other claims, and with another signature or none */

function forged(jwt) {
    const [head, body, signature] = jwt.split('.');
    const encode = value =>
        Buffer.from(JSON.stringify(value)).toString('base64url');
    const decode = text => JSON.parse(Buffer.from(text, 'base64url'));

    const none = encode({ alg: 'none', typ: 'JWT' });
    const old = encode({ ...decode(body), exp: now() - 60 });
    const bob = encode({ ...decode(body), name: 'bob', groups: ['bob'] });
    const mac = (text, key) => createHmac('sha256', key).update(text)
        .digest('base64url');

    return [
        `${head}.${bob}.${signature}`, `${head}.${old}.${signature}`,
        `${none}.${body}.${signature}`, `${none}.${body}.x`,
        `${none}.${body}.`, `${head}.${body}.`, `${head}.${body}`,
        `${head}.${body}.${mac(`${head}.${body}`, '')}`,
        `${head}.${body}.${mac(`${head}.${body}`, 'x'.repeat(32))}`,
        `${jwt}.x`, `${jwt}x`, jwt.slice(0, -2),
    ];
}


/* who is logged in on the pages, and nobody else, with that login */

const DOWNLOADS = name => ({
    'who is logged in there downloads': async site => {
        const token = await webLogin(site);
        const tarball = `/${name}/-/${name}-1.0.0.tgz`;
        const errors = await site.log('error.log');

        for (const method of ['GET', 'HEAD']) {
            const { status } = await site.ask(method, tarball, { token });

            assert.equal(status, 200);
        }

        assert.equal(await site.log('error.log'), errors);

        const mine = await site.token('alice');

        assert.equal((await site.ask('GET', tarball, { token: mine })).status,
                     200);
    },

    'a login that Verdaccio has not signed downloads nothing': async site => {
        const jwt = await webLogin(site);
        const tarball = `/${name}/-/${name}-1.0.0.tgz`;

        for (const token of [...forged(jwt), newToken(), 'x.y.z', 'x']) {
            const { status, reason } = await site.ask('GET', tarball,
                                                      { token });

            assert.equal(status, 401, token);
            assert.match(reason, /^(unknown|bad_token)$/, token);
        }

        for (const headers of [{}, { Authorization: 'Bearer' },
                               { Authorization: 'Basic YWxpY2U6eA==' },
                               { Authorization: `Basic ${jwt}` },
                               { 'X-Npm-User': 'alice' }])
        {
            const { status } = await site.ask('GET', tarball, { headers });

            assert.equal(status, 401);
        }
    },

    'nor does a token that was revoked, either way': async site => {
        const tarball = `/${name}/-/${name}-1.0.0.tgz`;
        const token = await site.token('alice');

        await site.set(token, 'revoked_at', String(now()));
        assert.equal((await site.ask('GET', tarball, { token })).reason,
                     'revoked');

        await site.forget(token);
        assert.equal((await site.ask('GET', tarball, { token })).reason,
                     'unknown');
    },

    'and nobody writes with it': async site => {
        const token = await webLogin(site);
        const tarball = `/${name}/-/${name}-1.0.0.tgz`;

        for (const [method, url] of [['PUT', tarball], ['DELETE', tarball],
                                     ['POST', tarball],
                                     ['DELETE', `${tarball}/-rev/1`],
                                     ['PUT', `/${name}`],
                                     ['PUT', `/${name}/-rev/1?x=/-/a.tgz`],
                                     ['DELETE', `/${name}/-rev/1/../../../a/-/b.tgz`]])
        {
            const { status } = await site.ask(method, url, { token });

            assert.ok(status === 401 || status === 403, `${method} ${url}`);
        }

        /* nor reads what is no tarball to Verdaccio, though it is to nginx */

        for (const url of [`/${name}/../a/-/b.tgz`,
                           `/-/whoami/../../${name}/-/x.tgz`,
                           `/${name}%3f/-/x.tgz`, '/-/-/x.tgz'])
        {
            const { status } = await site.ask('GET', url,
                                              { token: newToken() });

            assert.equal(status, 401, url);
        }

        const { status } = await site.verdaccio.get(`/${name}`, {
            'X-Npm-User': 'alice',
        });

        assert.equal(status, 200, 'the package is gone');
    },
});


const BY_HEADER = {
    'a full token publishes, and is its user': async site => {
        const alice = await site.person('alice', await site.token('alice'));

        ended(await publish(site, alice, 'hello'), 0);
        ended(await publish(site, alice, '@scope/hello'), 0);
        ended(await alice.npm(['whoami']), 0, /^alice$/m);
    },

    'a read-only one installs, and does not publish': async site => {
        const token = await site.token('bob', { readonly: true });
        const bob = await site.person('bob', token);
        const cwd = await bob.project({ name: 'app' });

        ended(await bob.npm(['install', 'hello', '@scope/hello'], cwd), 0);
        assert.ok(await bob.has(cwd, 'node_modules/@scope/hello/index.js'));
        ended(await publish(site, bob, 'hello', '1.0.1'), 1,
              /E403/, /read-only/);
    },

    'without a token there is nothing': async site => {
        const nobody = await site.person('nobody');

        ended(await nobody.npm(['view', 'hello']), 1, /E401/, /needs a token/);
    },

    'a forged name is nobody\'s': async site => {
        const token = await site.token('bob');

        for (const name of ['X-Npm-User', 'x-npm-user', 'X_Npm_User']) {
            const headers = { [name]: 'alice' };
            const without = await site.ask('GET', '/-/whoami', { headers });
            const { json } = await site.ask('GET', '/-/whoami',
                                            { token, headers });

            assert.equal(without.status, 401);
            assert.equal(json.username, 'bob');
        }
    },

    'the module\'s Redis user may only read records': async site => {
        const { status } = await site.ask('GET', '/hello', {
            token: await site.token('carol'),
        });

        assert.equal(status, 200);

        const info = await site.servers.redis('ACL', 'DRYRUN', 'npmtoken',
                                              'HGETALL', 'npmtoken:token:x');
        const others = [['HSET', recordName('x'), 'user', 'x'],
                        ['HGETALL', 'another'], ['DEL', recordName('x')],
                        ['KEYS', '*'], ['CONFIG', 'GET', '*'],
                        ['FLUSHALL']];

        assert.equal(info, 'OK');

        for (const command of others) {
            const reply = await site.servers.redis('ACL', 'DRYRUN', 'npmtoken',
                                                   ...command);

            assert.notEqual(reply, 'OK', command.join(' '));
        }
    },

    'the web pages and their login work': async site => {
        const page = await site.ask('GET', '/');

        assert.equal(page.status, 200);

        const parts = [...page.text.matchAll(/(?:src|href)="[^"]*(\/-\/[^"]+)/g)]
            .map(([, url]) => url);

        assert.ok(parts.length > 1, page.text);

        for (const url of [...parts, '/-/web/detail/hello']) {
            assert.equal((await site.ask('GET', url)).status, 200, url);
        }

        const token = await webLogin(site);
        const list = '/-/verdaccio/data/packages';
        const inside = await site.ask('GET', list, { token });
        const outside = await site.ask('GET', list, {
            headers: { 'X-Npm-User': 'alice' },
        });

        assert.match(inside.text, /hello/);
        assert.doesNotMatch(outside.text, /hello/);
    },

    'their login is no token': async site => {
        const token = await webLogin(site);
        const { status, reason } = await site.ask('GET', '/hello', { token });

        assert.equal(status, 401);
        assert.equal(reason, 'unknown');
    },

    ...DOWNLOADS('hello'),

    'no path leads through them to a package': async site => {
        const up = '../../../';

        /* Verdaccio knows none of these pages; the rest needs a token */

        for (const [url, expected] of [
            [`/hello/-rev/1/${up}-/verdaccio/x`, 404],
            [`/hello/-rev/1/${up}-/static/x`, 404],
            [`/hello/-rev/1/${up}-/web/x`, 404],
            [`/hello/-rev/1/${up}`, 404],
            ['/hello/-rev/1/%2e%2e/%2e%2e/%2e%2e/-/verdaccio/x', 404],
            ['/-/verdaccio/../../hello/-rev/1', 401],
            ['/-/verdaccio/..%2f..%2fhello/-rev/1', 401],
        ]) {
            const headers = { 'X-Npm-User': 'alice' };
            const { status, reason } = await site.ask('DELETE', url,
                                                      { headers });

            assert.equal(status, expected, url);
            assert.equal(reason, expected === 401 ? 'no_token' : undefined);
        }

        const { status } = await site.verdaccio.get('/hello', {
            'X-Npm-User': 'alice',
        });

        assert.equal(status, 200, 'the package is gone');
    },

    'npm login says what to do instead': async site => {
        const nobody = await site.person('nobody');

        ended(await nobody.run('npm', ['login', '--auth-type=legacy'],
                               nobody.home, ['alice', PASSWORD]),
              1, /Put yours in \.npmrc/);

        const token = await site.token('alice');
        const made = await site.ask('POST', '/-/npm/v1/tokens',
                                    { token, body: '{}' });

        assert.equal(made.status, 403);
    },

    'a client\'s Host does not get into the answers': async site => {
        const token = await site.token('alice');

        for (const host of ['evil.example', 'a_b']) {
            const { status, json } = await site.ask('GET', '/hello', {
                token, headers: { Host: host },
            });

            assert.equal(status, 200);
            assert.ok(json.versions['1.0.0'].dist.tarball
                          .startsWith(site.url), json);
        }
    },

    'a token that is logged out stands in no log': async site => {
        const token = await site.token('alice');
        const alice = await site.person('alice', token);

        await alice.npm(['logout']);
        await site.logged('access.log', /DELETE \/-\/user\/token\/[0-9a-f]{8} /);

        assert.doesNotMatch(await site.log('access.log'), new RegExp(token));
        assert.doesNotMatch(await site.log('error.log'), new RegExp(token));
    },
};


/* a token that Verdaccio gave out itself, as "npm login" gets one */

async function ownToken(site, user) {
    const { status, json, text } = await site.ask(
        'PUT', `/-/user/org.couchdb.user:${user}`, {
            headers: JSON_BODY,
            body: JSON.stringify({ name: user, password: PASSWORD }),
        });

    assert.equal(status, 201, text);

    return json.token;
}


const OWN_TOKENS = {
    'a token without a record is Verdaccio\'s to judge': async site => {
        const carol = await site.person('carol', await ownToken(site, 'carol'));

        ended(await publish(site, carol, 'hello'), 0);
        ended(await carol.npm(['whoami']), 0, /^carol$/m);

        const { status, reason } = await site.ask('GET', '/hello', {
            token: newToken(),
        });

        assert.equal(status, 401);
        assert.equal(reason, undefined, 'it was not Verdaccio that refused');
    },

    'with a record it is restricted': async site => {
        const token = await ownToken(site, 'dave');
        const dave = await site.person('dave', token);

        await site.put(token, { user: 'dave', readonly: true });

        ended(await dave.npm(['view', 'hello', 'version']), 0, /^1\.0\.0$/m);
        ended(await publish(site, dave, 'other'), 1, /E403/, /read-only/);
    },

    'revoked_at revokes, deleting lifts': async site => {
        const token = await ownToken(site, 'erin');
        const status = async () =>
            (await site.ask('GET', '/-/whoami', { token })).status;

        await site.put(token, { user: 'erin', readonly: true });
        assert.equal(await status(), 200);

        await site.set(token, 'revoked_at', String(now()));
        assert.equal(await status(), 401);

        await site.forget(token);
        assert.equal(await status(), 200);
    },

    'who logs in again is unrestricted': async site => {
        const restricted = await ownToken(site, 'frank');

        await site.put(restricted, { user: 'frank', readonly: true });

        const frank = await site.person('frank',
                                        await relogin(site, 'frank'));

        ended(await publish(site, frank, 'frank'), 0);
    },

    'a password is Verdaccio\'s to judge': async site => {
        const basic = password => 'Basic ' + Buffer.from(`carol:${password}`)
            .toString('base64');
        const good = await site.ask('GET', '/-/whoami', {
            headers: { Authorization: basic(PASSWORD) },
        });

        assert.equal(good.json.username, 'carol');
    },

    'the login of the web pages works': async site => {
        await webLogin(site);
    },
};


/*
 * The move from Verdaccio's own tokens: old ones, which Verdaccio gave out
 * itself before nginx looked at any, and new ones side by side.
 */

const DONE = '127.168.7.9';

async function oldToken(site, password = PASSWORD) {
    const { status, body } = await site.verdaccio.ask(
        'PUT', '/-/user/org.couchdb.user:alice',
        { name: 'alice', password });

    assert.equal(status, 201, body);

    return JSON.parse(body).token;
}

async function newLogin(site, from) {
    const { status, json, text } = await site.ask(
        'PUT', '/-/user/org.couchdb.user:alice', {
            headers: JSON_BODY, from,
            body: JSON.stringify({ name: 'alice', password: PASSWORD }),
        });

    assert.equal(status, 201, text);

    return json.token;
}

const whoami = async (site, token, from) => {
    const { status, json, reason } = await site.ask('GET', '/-/whoami',
                                                    { token, from });

    return json?.username ?? reason ?? status;
};

const ROLLED_OUT = pkg => ({
    'an old token goes on working, a new one works': async site => {
        const old = await site.person('alice', await oldToken(site));
        const bob = await site.person('bob', await site.token('bob'));

        ended(await publish(site, old, pkg), 0);
        ended(await old.npm(['whoami']), 0, /^alice$/m);
        ended(await publish(site, bob, `@new/${pkg}`), 0);
        ended(await bob.npm(['whoami']), 0, /^bob$/m);

        for (const person of [old, bob]) {
            const cwd = await person.project({ name: 'app' });

            ended(await person.npm(['install', pkg, `@new/${pkg}`], cwd), 0);
        }
    },

    'npm login gives out a new one already': async site => {
        const alice = await site.person('alice');
        const { code, all } = await alice.talk(['login'], [
            [/Username: *$/, 'alice'], [/Password: *$/, PASSWORD],
        ]);

        assert.equal(code, 0, all);

        const token = await alice.ownToken();

        assert.match(token, /^npm_/);
        assert.equal(await site.servers.redisValue(recordName(token), 'user'),
                     'alice');
        ended(await publish(site, alice, pkg, '1.0.1'), 0);
        assert.equal(await whoami(site, token, DONE), 'alice');
    },

    'the token commands are Verdaccio\'s with an old token': async site => {
        const token = await oldToken(site);
        const list = await site.ask('GET', '/-/npm/v1/tokens', { token });
        const profile = await site.ask('GET', '/-/npm/v1/user', { token });

        assert.deepEqual(list.json, { objects: [], urls: { next: '' } });
        assert.equal(profile.json.name, 'alice', profile.text);
    },

    'in the network that is done old ones are refused': async site => {
        const [old, token] = [await oldToken(site), await site.token('bob')];
        const readonly = await site.token('carol', { readonly: true });
        const put = await site.ask('PUT', `/${pkg}`, {
            token: readonly, from: DONE, headers: JSON_BODY, body: '{}',
        });

        assert.equal(await whoami(site, old, DONE), 'unknown');
        assert.equal(await whoami(site, undefined, DONE), 'no_token');
        assert.equal(await whoami(site, token, DONE), 'bob');
        assert.equal(await whoami(site, await newLogin(site, DONE), DONE),
                     'alice');
        assert.equal(put.reason, 'readonly');
    },

    'what nobody made is Verdaccio\'s to refuse': async site => {
        const headers = { 'X-Npm-User': 'alice' };

        for (const token of [newToken(), 'x.y.z', undefined]) {
            const who = await site.ask('GET', '/-/whoami', { token, headers });
            const { status, reason } = await site.ask('GET', `/${pkg}`,
                                                      { token, headers });

            assert.equal(who.json?.username, undefined);
            assert.equal(status, 401);
            assert.equal(reason, undefined, 'it was not Verdaccio');
        }
    },

    'a forged name helps neither kind': async site => {
        const tokens = [['alice', await oldToken(site)],
                        ['bob', await site.token('bob')]];

        for (const [user, token] of tokens) {
            const { json } = await site.ask('GET', '/-/whoami', {
                token, headers: { 'X-Npm-User': 'root' },
            });

            assert.equal(json.username, user);
        }
    },

    'the web pages have their own login still': async site => {
        const token = await webLogin(site);
        const { text } = await site.ask('GET', '/-/verdaccio/data/packages',
                                        { token });

        assert.match(text, new RegExp(pkg));
    },

    'the log has those who are not done, and only those': async site => {
        const readonly = await site.token('carol', { readonly: true });
        const ask = (url, token, method = 'GET') => site.ask(method, url, {
            token, headers: JSON_BODY, body: method === 'GET' ? undefined
                                                              : '{}',
        });

        await ask('/none');
        await ask('/old', await oldToken(site));
        await ask('/readonly', readonly, 'PUT');
        await ask('/allowed', await site.token('bob'));

        await site.logged('denied.log',
            /dry_run=on no_token read key= status=401 "GET \/none /);
        await site.logged('denied.log',
            /dry_run=on unknown read key=[0-9a-f]{32} status=404 "GET \/old /);
        await site.logged('denied.log',
            /dry_run=on readonly write key=[0-9a-f]{32} status=\d+ "PUT \/r/);
        await site.logged('denied.log',
            /dry_run=off unknown read key=[0-9a-f]{32} status=401 "GET /);
        await site.logged('access.log', /GET \/allowed /);

        assert.doesNotMatch(await site.log('denied.log'), /allowed/);
        assert.doesNotMatch(await site.log('error.log'), /npmtoken denied/);
    },
});


/* as npm does it for a name that exists: the password as Basic */

async function relogin(site, user) {
    const basic = Buffer.from(`${user}:${PASSWORD}`).toString('base64');
    const { status, json, text } = await site.ask(
        'PUT', `/-/user/org.couchdb.user:${user}/-rev/undefined`, {
            headers: { ...JSON_BODY, Authorization: `Basic ${basic}` },
            body: JSON.stringify({ name: user, password: PASSWORD }),
        });

    assert.equal(status, 201, text);

    return json.token;
}


/* misconfigurations that refuse a valid person: the error log says which */

const standsOnce = async (site, pattern) => {
    await site.logged('error.log', pattern);

    const lines = (await site.log('error.log')).split('\n')
        .filter(line => pattern.test(line));
    const workers = lines.map(line => line.match(/\] (\d+)#/)[1]);

    assert.equal(new Set(workers).size, lines.length, lines.join('\n'));
};

const NO_PLUGIN = {
    'a whoami that is about nobody is in the error log, once a worker': async site => {
        const token = await site.token('alice');

        for (let i = 0; i < 3; i++) {
            const { status, json } = await site.ask('GET', '/-/whoami',
                                                    { token });

            assert.equal(status, 200);
            assert.equal(json.username, undefined);
            assert.equal((await site.ask('GET', '/hello',
                                         { token })).status, 401);
        }

        await standsOnce(site,
                         /\[error\].*does not take the user from "X-Npm-U/);
    },
};

const NO_LOGIN = {
    'a login that Verdaccio takes for a new account is in the error log':
        async site => {
        for (let i = 0; i < 3; i++) {
            const { status } = await site.ask(
                'PUT', '/-/user/org.couchdb.user:alice', {
                    headers: JSON_BODY,
                    body: JSON.stringify({ name: 'alice',
                                           password: PASSWORD }),
                });

            assert.equal(status, 401);
        }

        await standsOnce(site,
                         /\[error\].* answered a login with 409, .*login: tr/);
    },
};


/* Verdaccio as it was before: its own tokens, and people may sign up */

const before = yaml => yaml.replace(/^ +npmtoken: \{\}\n/m, '')
    .replace('max_users: -1', 'max_users: 100');


const moving = yaml => yaml.replace('npmtoken: {}',
    'npmtoken: { own_tokens: true, login: true }');


export const VERDACCIO_CASES = {
    'rollout': {
        verdaccio: moving,
        tests: ROLLED_OUT('moved'),
    },
    'rollout, with jwt': {
        file: 'rollout',
        verdaccio: yaml => `${moving(yaml)}
security:
  api:
    jwt:
      sign: { expiresIn: 1h }
`,
        tests: ROLLED_OUT('moved'),
    },
    'verdaccio': {
        verdaccio: yaml => yaml,
        prepare: aclUser,
        complaints: PASS,
        tests: BY_HEADER,
    },
    'verdaccio-login': {
        verdaccio: yaml => yaml.replace('npmtoken: {}',
                                        'npmtoken: { login: true }'),
        complaints: PASS,
        tests: { ...PROXIED(PASSWORD), ...DOWNLOADS('mine') },
    },
    'verdaccio-login, with the page': {
        file: 'verdaccio-login',
        change: paged,
        verdaccio: yaml => yaml.replace('npmtoken: {}',
                                        'npmtoken: { login: true }'),
        complaints: PASS,
        tests: page({ base: '/', header: 'X-Npm-User', user: 'alice',
                      password: PASSWORD }),
    },
    'verdaccio, without the plugin': {
        file: 'verdaccio',
        verdaccio: before,
        prepare: aclUser,
        complaints: PASS,
        tests: NO_PLUGIN,
    },
    'verdaccio-login, without "login: true"': {
        file: 'verdaccio-login',
        verdaccio: yaml => yaml,
        complaints: PASS,
        tests: NO_LOGIN,
    },
    'verdaccio-own-tokens': {
        verdaccio: before,
        complaints: PASS,
        tests: OWN_TOKENS,
    },
};
