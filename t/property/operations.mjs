/*
 * What is asked of the registry: each command of each client as it is sent,
 * with a body that Verdaccio accepts and, where it has the command, that
 * changes what it keeps.
 */

export const USER = 'alice';
export const PASSWORD = 'the-password-of-alice';

/* what is published before the first request, and must stay as it is */
export const PACKAGES = {
    pkg: ['1.0.0', '1.1.0', '2.0.0'],
    '@s/pkg': ['1.0.0', '1.1.0', '2.0.0'],
    solo: ['1.0.0'],
};

const NAMES = Object.keys(PACKAGES);

const JSON_TYPE = 'application/json';
const OCTETS = 'application/octet-stream';

export const inPath = name => name.replace('/', '%2f');
export const fileOf = (name, version) =>
    `${name.replace(/.*\//, '')}-${version}.tgz`;


export function publication(name, version) {
    const file = fileOf(name, version);
    const data = Buffer.from(`${name} ${version}`).toString('base64');

    return {
        _id: name, name, description: '', readme: '',
        'dist-tags': { latest: version },
        versions: {
            [version]: {
                name, version, _id: `${name}@${version}`,
                dist: { tarball: `http://registry/${name}/-/${file}` },
            },
        },
        _attachments: {
            [file]: { content_type: OCTETS, data, length: data.length },
        },
    };
}


/* the whole of a package, as "npm unpublish" and others send it back */
function packument(world, name, change) {
    const copy = structuredClone(world.packuments.get(name));

    change(copy);

    return copy;
}

const json = (method, path, body) =>
    ({ method, path, type: JSON_TYPE, body: JSON.stringify(body) });
const bare = (method, path) => ({ method, path });

const version = random => `3.${random.below(100)}.${random.below(100)}`;
const guest = random => `guest-${random.below(40)}`;
const rev = (world, name) => world.packuments.get(name)._rev;


/* each with the class that it has, and what makes it */

export const OPERATIONS = [
    /* packages */

    ['publish', 'write', (random, world, name) =>
        json('PUT', `/${inPath(name)}`, publication(name, version(random)))],

    ['publish a new one', 'write', random => {
        const name = random.pick(['new', '@s/new', '@new/one'])
            + random.below(1000);

        return json('PUT', `/${inPath(name)}`, publication(name, '1.0.0'));
    }],

    ['deprecate', 'write', (random, world, name) =>
        json('PUT', `/${inPath(name)}`, packument(world, name, doc => {
            doc.versions['1.0.0'].deprecated = 'no longer';
            doc._attachments = {};
        }))],

    ['star', 'write', (random, world, name) =>
        json('PUT', `/${inPath(name)}`, {
            _id: name, _rev: rev(world, name), users: { [USER]: true },
        })],

    ['owner', 'write', (random, world, name) =>
        json('PUT', `/${inPath(name)}/-rev/${rev(world, name)}`,
             packument(world, name, doc => {
                 doc.maintainers = [{ name: 'mallory', email: 'm@x' }];
                 doc['dist-tags'].owned = '1.0.0';
             }))],

    ['unpublish a version', 'write', (random, world, name) =>
        json('PUT', `/${inPath(name)}/-rev/${rev(world, name)}`,
             packument(world, name, doc => {
                 delete doc.versions['1.0.0'];
             }))],

    ['unpublish a tarball', 'write', (random, world, name) =>
        bare('DELETE', `/${inPath(name)}/-/${fileOf(name, '1.0.0')}/-rev/`
                       + rev(world, name))],

    ['unpublish', 'write', (random, world, name) =>
        bare('DELETE', `/${inPath(name)}/-rev/${random.pick([
            rev(world, name), '1', 'undefined',
        ])}`)],

    ['upload a tarball', 'write', (random, world, name) => ({
        method: 'PUT', type: OCTETS, body: 'a tarball',
        path: `/${inPath(name)}/-/up-${random.below(1000)}.tgz/x`,
    })],

    ['dist-tag add', 'write', (random, world, name) =>
        json(random.pick(['PUT', 'POST']),
             `/-/package/${inPath(name)}/dist-tags/t${random.below(100)}`,
             '1.0.0')],

    ['dist-tag add, old', 'write', (random, world, name) =>
        json('PUT', `/${inPath(name)}/t${random.below(100)}`, '1.0.0')],

    ['dist-tag set', 'write', (random, world, name) =>
        json('POST', `/-/package/${inPath(name)}/dist-tags`,
             { [`t${random.below(100)}`]: '1.0.0' })],

    ['dist-tag rm', 'write', (random, world, name) =>
        bare('DELETE', `/-/package/${inPath(name)}/dist-tags/latest`)],

    ['access', 'write', (random, world, name) =>
        json('POST', `/-/package/${inPath(name)}/access`,
             { access: 'restricted' })],

    ['owners', 'write', (random, world, name) =>
        json('PUT', `/-/package/${inPath(name)}/owners`, { user: 'mallory' })],

    ['trust', 'write', (random, world, name) =>
        json('POST', `/-/package/${inPath(name)}/trust`, { type: 'ci' })],

    ['stage', 'write', (random, world, name) =>
        json('POST', random.pick([`/-/stage/package/${inPath(name)}`,
                                  '/-/stage/1/approve']),
             publication(name, '9.0.0'))],

    /* people */

    ['token create', 'write', () =>
        json('POST', '/-/npm/v1/tokens', {
            password: PASSWORD, readonly: false, cidr_whitelist: [],
        })],

    ['token delete', 'write', (random, world) =>
        bare('DELETE', `/-/npm/v1/tokens/token/${world.tokenKey}`)],

    ['profile set', 'write', () =>
        json('POST', '/-/npm/v1/user', {
            password: { old: PASSWORD, new: 'another-password' },
        })],

    ['web password', 'write', () =>
        json('PUT', '/-/verdaccio/sec/reset_password', {
            password: { old: PASSWORD, new: 'another-password' },
        })],

    ['star, pnpm', 'write', (random, world, name) =>
        json('PUT', '/-/user/v1/star', { package: name })],

    ['team', 'write', (random, world, name) =>
        json(random.pick(['PUT', 'DELETE']),
             random.pick(['/-/team/s/t/user', '/-/team/s/t/package',
                          '/-/org/s/team', '/team/s']),
             { user: 'mallory', package: name, permissions: 'read-write' })],

    ['org', 'write', random =>
        json(random.pick(['PUT', 'DELETE']), '/-/org/s/user',
             { user: 'mallory', role: 'owner' })],

    ['hook', 'write', (random, world, name) =>
        json('POST', '/-/npm/v1/hooks/hook', {
            type: 'package', name, endpoint: 'http://127.0.0.1/', secret: 's',
        })],

    /* what passes */

    ['login', 'session', random => {
        const name = guest(random);

        return json('PUT', `/-/user/org.couchdb.user:${name}`,
                    { name, password: 'a-long-password', type: 'user' });
    }],

    ['login again', 'session', random => {
        const name = guest(random);

        return json('PUT', `/-/user/org.couchdb.user:${name}/-rev/1-a`,
                    { name, password: 'a-long-password', type: 'user' });
    }],

    ['web login', 'session', () =>
        json('POST', '/-/v1/login', { hostname: 'ci' })],

    ['exchange', 'session', (random, world, name) =>
        json('POST',
             `/-/npm/v1/oidc/token/exchange/package/${inPath(name)}`, {})],

    ['ping', 'session', random => bare(random.pick(['GET', 'HEAD']),
                                       '/-/ping')],

    ['logout', 'logout', (random, world, name, token) =>
        bare('DELETE', `/-/user/token/${random.chance(50) ? token
            : encodeURIComponent(token)}`)],

    ['audit', 'read', (random, world, name) =>
        json('POST', random.pick(['/-/npm/v1/security/audits',
                                  '/-/npm/v1/security/audits/quick',
                                  '/-/npm/v1/security/advisories/bulk']),
             { [name]: ['1.0.0'] })],

    ['read', 'read', (random, world, name) =>
        bare(random.pick(['GET', 'GET', 'HEAD', 'OPTIONS']), random.pick([
            `/${inPath(name)}`, `/${inPath(name)}?write=true`,
            `/${name}/-/${fileOf(name, '1.0.0')}`,
            `/-/package/${inPath(name)}/dist-tags`, '/-/whoami',
            '/-/npm/v1/tokens', '/-/npm/v1/user', '/-/v1/search?text=pkg',
            '/-/user/org.couchdb.user:alice?write=true', '/-/all', '/',
        ]))],
];

/* Verdaccio 6.8 lacks these, or wants a Content-Type that nothing has */
const LACKING = ['upload a tarball', 'access', 'owners', 'trust', 'stage',
                 'star, pnpm', 'team', 'org', 'hook'];

/* with a full token these change something */
export const EFFECTIVE = OPERATIONS
    .filter(([name, kind]) => kind === 'write' && !LACKING.includes(name))
    .map(([name]) => name);

/* where Verdaccio has "*": these bear any end of a path */
export const WITH_ANY_END = ['unpublish', 'upload a tarball'];

/* what passes, or is nobody's business: a path to hide another in */
export const EXCEPTIONS = token => [
    '/-/ping', '/-/v1/login', '/-/npm/v1/security/audits',
    '/-/npm/v1/security/audits/quick', '/-/npm/v1/security/advisories/bulk',
    '/-/user/org.couchdb.user:guest-1',
    '/-/user/org.couchdb.user:guest-1/-rev/1-a',
    '/-/npm/v1/oidc/token/exchange/package/pkg',
    `/-/user/token/${token}`, '/-/verdaccio/sec/login', '/-/static/x',
];


export function operation(random, world, token) {
    const [name, kind, make]
        = random.weighed(OPERATIONS.map(row => [row[1] === 'write' ? 3 : 2,
                                                row]));

    return { operation: name, kind,
             ...make(random, world, random.pick(NAMES), token) };
}

export function operationNamed(wanted, random, world, token) {
    const [name, kind, make] = OPERATIONS.find(([each]) => each === wanted);

    return { operation: name, kind,
             ...make(random, world, random.pick(NAMES), token) };
}
