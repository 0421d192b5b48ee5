/*
 * What is tried: each client with each token runs each command.  A client, a
 * token or a command is added by adding a row.
 *
 * What must come of it follows from the class of the command and the "ends"
 * of the token; the words on the screen from the client's dialect.
 */

import { now } from '../../demo/lib/tokens.mjs';

/* a package that is there */
export const SCOPED = '@scope/hello';

const ELSEWHERE = '203.0.113.0/24, 2001:db8::/32';


/* "dialect" names a column of SCREENS */

export const CLIENTS = [
    { name: 'npm', command: 'npm', dialect: 'npm' },
];


/*
 * "fields" make the record, null for none; "reason" is the one of a read
 * that is refused, and "status" its own where it is not 401.
 */

export const TOKENS = [
    { kind: 'full', user: 'alice', fields: {},
      ends: { read: 'ok', write: 'ok', logout: 'ok' } },

    { kind: 'read-only', user: 'bob', fields: { readonly: true },
      ends: { read: 'ok', write: 'readonly', logout: 'ok' } },

    { kind: 'elsewhere', user: 'carol', reason: 'cidr',
      fields: { cidr_whitelist: ELSEWHERE },
      ends: { read: 'cidr', write: 'cidr', logout: 'ok' } },

    { kind: 'both', user: 'dave', reason: 'cidr',
      fields: { readonly: true, cidr_whitelist: ELSEWHERE },
      ends: { read: 'cidr', write: 'cidr', logout: 'ok' } },

    { kind: 'here', user: 'judy',
      fields: { cidr_whitelist: '203.0.113.0/24,127.0.0.0/8' },
      ends: { read: 'ok', write: 'ok', logout: 'ok' } },

    { kind: 'revoked', user: 'erin', reason: 'revoked',
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

    { kind: 'none', reason: 'no_token', fields: null,
      ends: { read: 'no_token', write: 'no_login', logout: 'no_login' } },
];


/*
 * "args" are the client's, for the package "pkg" that is there as 1.0.0;
 * "cwd" is the project it is run in: the package's next version ("next"), one
 * of the same name with a scope ("scoped"), an empty one ("app"), or one with
 * a lockfile ("locked").  "ok" must be read where it is allowed.  "end"
 * overrules the token's, by kind.
 */

export const COMMANDS = [
    { name: 'ping', class: 'session', args: () => ['ping'] },

    { name: 'whoami', class: 'read', args: () => ['whoami'],
      ok: ({ user }) => new RegExp(`^${user}$`, 'm'),
      end: { none: 'no_login' } },

    { name: 'view', class: 'read', args: pkg => ['view', pkg, 'version'],
      ok: () => /^1\.0\.0$/m },

    { name: 'install', class: 'read', cwd: 'app',
      args: pkg => ['install', pkg],
      ok: () => /added 1 package, and audited 2 packages/ },

    { name: 'install scoped', class: 'read', cwd: 'app',
      args: () => ['install', SCOPED],
      ok: () => /added 1 package, and audited 3 packages/ },

    { name: 'ci', class: 'read', cwd: 'locked', args: () => ['ci'],
      ok: () => /added 1 package, and audited 2 packages/ },

    { name: 'audit', class: 'read', cwd: 'locked', args: () => ['audit'],
      ok: () => /found 0 vulnerabilities/, screen: 'audit' },

    { name: 'dist-tag ls', class: 'read', args: pkg => ['dist-tag', 'ls', pkg],
      ok: () => /latest: 1\.0\.0/ },

    { name: 'publish', class: 'write', cwd: 'next', args: () => ['publish'],
      ok: () => /^\+ .*@1\.1\.0$/m },

    { name: 'publish scoped', class: 'write', cwd: 'scoped', scoped: true,
      args: () => ['publish'], ok: () => /^\+ @.*@1\.1\.0$/m },

    { name: 'dist-tag add', class: 'write',
      args: pkg => ['dist-tag', 'add', `${pkg}@1.0.0`, 'stable'],
      ok: () => /stable: /, end: { none: 'no_token' } },

    { name: 'deprecate', class: 'write',
      args: pkg => ['deprecate', `${pkg}@1.0.0`, 'old'],
      end: { none: 'no_token' } },

    { name: 'unpublish', class: 'write',
      args: pkg => ['unpublish', '--force', `${pkg}@1.0.0`],
      end: { none: 'no_token' } },

    /* last: it takes the token out of .npmrc */
    { name: 'logout', class: 'logout', args: () => ['logout'] },
];


/*
 * Ends: exit code, and what must stand on the screen: patterns, or functions
 * that make one of the token's short key.  Sentences are the module's.
 */

const SENTENCES = {
    no_token: () => 'This registry needs a token\\.',
    unknown: key => `Token ${key} is unknown or was revoked\\.`,
    revoked: key => `Token ${key} was revoked\\.`,
    expired: key => `Token ${key} expired`,
    cidr: key => `Token ${key} may not be used from address 127\\.0\\.0\\.1\\.`,
    readonly: key => `Token ${key} is read-only: `,
    bad_record: key => `Token ${key} cannot be used: `,
    protected: key => `Token ${key} is shared and cannot be logged out\\.`,
};

const notice = reason =>
    key => new RegExp(`^npm notice ${SENTENCES[reason](key)}`, 'm');

const forbidden = reason => ({
    code: 1,
    texts: [/code E403/, key =>
        new RegExp(`403 Forbidden - .* - ${SENTENCES[reason](key)}`)],
});

const unauthorized = (reason, code) => ({
    code: 1, texts: [new RegExp(`code ${code}`), notice(reason)],
});

const NPM = {
    ok: { code: 0, texts: [] },
    readonly: forbidden('readonly'),
    bad_record: forbidden('bad_record'),
    protected: forbidden('protected'),
    cidr: unauthorized('cidr', 'EAUTHIP'),
    revoked: unauthorized('revoked', 'E401'),
    expired: unauthorized('expired', 'E401'),
    unknown: unauthorized('unknown', 'E401'),
    no_token: unauthorized('no_token', 'E401'),

    /* the client does not even ask */
    no_login: { code: 1, texts: [/code ENEEDAUTH/] },
};

/* npm audit prints no code */

const AUDIT_FAILED = /audit endpoint returned an error/;

const NPM_AUDIT = {
    ok: NPM.ok,
    bad_record: {
        code: 1,
        texts: [AUDIT_FAILED, key => new RegExp(SENTENCES.bad_record(key))],
    },
};

for (const reason of ['cidr', 'revoked', 'expired', 'unknown', 'no_token']) {
    NPM_AUDIT[reason] = { code: 1, texts: [AUDIT_FAILED, notice(reason)] };
}

export const SCREENS = {
    npm: { plain: NPM, audit: NPM_AUDIT },
};
