/*
 * What no client sends, but anybody can: forged identities, and tokens in
 * request lines.
 */

import { hset, newToken, shortKey } from '../../demo/lib/tokens.mjs';
import { base64Token } from './cells.mjs';
import { TOKENS } from './tables.mjs';

const BULK = '/-/npm/v1/security/advisories/bulk';
const JSON_TYPE = { 'Content-Type': 'application/json' };

/* spellings of the identity header */
const FORGED = ['X-Npm-User', 'x-npm-user', 'X-NPM-USER', 'X_Npm_User',
                'X-Npm_User'];

const bearer = token => token ? { Authorization: `Bearer ${token}` } : {};

function statusIs(expected, { status, body }) {
    return status === expected ? []
        : [`status ${status}, expected ${expected}: ${body.slice(0, 200)}`];
}

function document(name, version) {
    const file = `${name}-${version}.tgz`;

    return JSON.stringify({
        _id: name, name, 'dist-tags': { latest: version },
        versions: {
            [version]: { name, version, _npmUser: { name: 'mallory' },
                         dist: { tarball: `http://127.0.0.1/${file}` } },
        },
        _attachments: {
            [file]: { content_type: 'application/octet-stream',
                      data: Buffer.from('x').toString('base64'), length: 1 },
        },
    });
}


async function store(servers, tokens, fields) {
    const token = newToken();

    await servers.redis(...hset(token, fields));
    tokens.push(token);

    return token;
}


/* each kind's answer in JSON, for a read and for audit's POST */
async function reasons(servers, report, tokens) {
    for (const { kind, user, fields, reason, status, deleted,
                 literal } of TOKENS)
    {
        let token = literal;

        if (deleted) {
            token = newToken();
        } else if (fields) {
            token = await store(servers, tokens, { user, ...fields });
        }

        const asked = {
            whoami: await servers.get('/-/whoami', bearer(token)),
            audit: await servers.ask('POST', BULK,
                                     { ...bearer(token), ...JSON_TYPE },
                                     '{}'),
        };

        for (const [what, answer] of Object.entries(asked)) {
            const wrongs = statusIs(reason ? status ?? 401 : 200,
                                    answer);

            if (reason && wrongs.length === 0
                && JSON.parse(answer.body).reason !== reason)
            {
                wrongs.push(`expected the reason ${reason}: ${answer.body}`);
            }

            report.check(`http, ${kind}: ${what} -> ${reason ?? 'ok'}`,
                         wrongs);
        }
    }
}


async function forged(servers, report, tokens) {
    const full = await store(servers, tokens, { user: 'alice' });
    const readonly = await store(servers, tokens, { user: 'bob',
                                                    readonly: true });

    for (const name of FORGED) {
        const claim = { [name]: 'mallory' };
        const asBob = await servers.get('/-/whoami', { ...bearer(readonly),
                                                       ...claim });
        const asNobody = await servers.get('/-/whoami', claim);

        report.check(`http: a forged ${name} beside a token`,
                     /"bob"/.test(asBob.body) && !/mallory/.test(asBob.body)
                     ? statusIs(200, asBob) : [asBob.body]);
        report.check(`http: a forged ${name} alone`, statusIs(401, asNobody));
    }

    const headers = { 'X-Npm-User': 'mallory', ...JSON_TYPE };
    const put = (name, token) => servers.ask(
        'PUT', `/${name}`, { ...bearer(token), ...headers },
        document(name, '1.0.0'));

    const published = await put('forged-full', full);
    const kept = await servers.packument('forged-full', 'admin');
    const publisher = kept?.versions['1.0.0']?._npmUser?.name;

    report.check('http: a forged publish is by the token\'s user',
                 publisher === 'alice' ? statusIs(201, published)
                 : [`by ${publisher}`, published.body]);

    for (const [what, token, status] of [['read-only', readonly, 403],
                                         ['anonymous', undefined, 401]])
    {
        const name = `forged-${what}`;
        const answer = await put(name, token);
        const there = await servers.packument(name, 'admin');

        report.check(`http: a forged ${what} publish is refused`,
                     [...statusIs(status, answer),
                      ...there ? ['the package is there'] : []]);
    }
}


/* what passes without a verdict passes without an identity */
async function forgedSession(servers, report) {
    const url = '/-/user/org.couchdb.user:ivan';

    await servers.ask('PUT', url, { 'X-Npm-User': 'alice', ...JSON_TYPE },
                      JSON.stringify({ name: 'ivan', password: 'long-enough',
                                       type: 'user' }));

    const seen = await servers.registryLog(
        ({ req }) => req?.method === 'PUT' && req.url === url);

    report.check('http: a forged identity does not pass with a login',
                 seen.length === 1 ? seen.map(({ req }) =>
                     req.headers['x-npm-user']).filter(Boolean)
                 : [`the registry saw ${seen.length} requests, not one`]);
}


/* one's own token, however a client spells it, and nobody else's */
async function logouts(servers, report, tokens) {
    const plainly = text => text;
    const encoded = encodeURIComponent;
    const twice = text => encoded(encoded(text));
    const made = async fields => store(servers, tokens, fields);
    const base64 = base64Token();

    await servers.redis(...hset(base64, { user: 'lena', readonly: true }));
    tokens.push(base64);

    const readonly = await made({ user: 'bob', readonly: true });
    const revoked = await made({ user: 'erin', revoked_at: 1 });
    const shared = await made({ user: 'heidi', protected: true });
    const full = await made({ user: 'alice' });

    const rows = [
        ['a read-only one', readonly, readonly, plainly, 200],
        ['a read-only one, encoded', readonly, readonly,
         text => `%${text.charCodeAt(0).toString(16)}${text.slice(1)}`, 200],
        ['a base64 one', base64, base64, plainly, 200],
        ['a base64 one, encoded', base64, base64, encoded, 200],
        ['a base64 one, encoded twice', base64, base64, twice, 403],
        ['a revoked one', revoked, revoked, encoded, 200],
        ['a protected one', shared, shared, plainly, 403],
        ["another's, with a read-only one", readonly, full, encoded, 403],
        ["another's, with a revoked one", revoked, full, encoded, 401],
        ["another's, with none", undefined, full, encoded, 401],
    ];

    for (const [what, own, other, spelt, status] of rows) {
        report.check(`http: logout of ${what} -> ${status}`, statusIs(
            status, await servers.ask('DELETE',
                                      `/-/user/token/${spelt(other)}`,
                                      bearer(own))));
    }
}


/* npm sends the whole token where it was given that to revoke */
async function revokeLine(servers, report, tokens) {
    const token = await store(servers, tokens, { user: 'alice' });
    const spelt = { plainly: token,
                    encoded: `%${token.charCodeAt(0).toString(16)}`
                             + token.slice(1) };

    const line = 'DELETE /-/npm/v1/tokens/token/';
    const before = (await servers.accessLines(line, 0)).length;

    for (const text of Object.values(spelt)) {
        await servers.ask('DELETE', `/-/npm/v1/tokens/token/${text}`,
                          bearer(token));
    }

    const all = await servers.accessLines(
        line, before + Object.keys(spelt).length);
    const lines = all.slice(before);

    Object.entries(spelt).forEach(([how, text], i) => {
        const logged = lines[i] ?? 'no such line';

        report.check(`http: revoking a token, spelt ${how}, logs its short key`,
                     logged.includes(`/token/${shortKey(token)} `)
                     && !logged.includes(text) ? [] : [logged]);
    });
}


/* the plugin, asked past nginx by whoever may open the socket */
async function plugin(servers, report) {
    const names = { alice: 'alice', 'a.b+c@example.com': 'a.b+c@example.com',
                    $all: undefined, '@all': undefined, 'a b': undefined,
                    'a,b': undefined, '': undefined };

    for (const [name, expected] of Object.entries(names)) {
        const { body } = await servers.registry('/-/whoami',
                                                { 'X-Npm-User': name });
        const { username } = JSON.parse(body);

        report.check(`plugin: "${name}" is ${expected ?? 'nobody'}`,
                     username === expected ? [] : [`it is ${username}`]);
    }
}


/* no request with a verdict took its token along to the registry */
async function stripped(servers, report) {
    const named = await servers.registryLog(
        ({ req }) => req?.headers['x-npm-user']
            && req.headers['x-forwarded-for']);
    const both = named.filter(({ req }) => req.headers.authorization);

    report.check('the registry sees an identity or a token, never both',
                 named.length > 0 && both.length === 0 ? []
                 : [`${both.length} of ${named.length} requests had both`]);
}


export async function rawChecks(servers, report, tokens) {
    await reasons(servers, report, tokens);
    await forged(servers, report, tokens);
    await forgedSession(servers, report);
    await logouts(servers, report, tokens);
    await revokeLine(servers, report, tokens);
    await plugin(servers, report);
    await stripped(servers, report);
}
