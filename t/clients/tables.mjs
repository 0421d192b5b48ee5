/*
 * What is tried: each client with each token runs each command.  A client, a
 * token or a command is added by adding a row.
 *
 * What must come of it follows from the class of the command and the "ends"
 * of the token; the words on the screen from the client's dialect.
 */

import { now } from '../../demo/lib/tokens.mjs';

const ELSEWHERE = '203.0.113.0/24, 2001:db8::/32';


/* "dialect" names a column of SCREENS */

export const CLIENTS = [
    { name: 'npm', command: 'npm', dialect: 'npm' },
];


/*
 * "fields" make the record, null for none; "reason" is the one of a read
 * that is refused.
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

    { kind: 'none', reason: 'no_token', fields: null,
      ends: { read: 'no_token', write: 'no_login', logout: 'no_login' } },
];


/*
 * "args" are the client's, for the package "pkg" that is there as 1.0.0;
 * "cwd" is the project it is run in: the package's next version ("next"), an
 * empty one ("app"), or one with a lockfile ("locked").  "ok" must be read
 * where it is allowed.  "end" overrules the token's, by kind.
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

    { name: 'ci', class: 'read', cwd: 'locked', args: () => ['ci'],
      ok: () => /added 1 package, and audited 2 packages/ },

    { name: 'audit', class: 'read', cwd: 'locked', args: () => ['audit'],
      ok: () => /found 0 vulnerabilities/, screen: 'audit' },

    { name: 'dist-tag ls', class: 'read', args: pkg => ['dist-tag', 'ls', pkg],
      ok: () => /latest: 1\.0\.0/ },

    { name: 'publish', class: 'write', cwd: 'next', args: () => ['publish'],
      ok: () => /^\+ .*@1\.1\.0$/m },

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
 * Ends: exit code, and what must stand on the screen.  Sentences are the
 * module's.
 */

const SENTENCES = {
    cidr: /not allowed from .*127\.0\.0\.1/i,
    revoked: /revoked/i,
    expired: /expired/i,
    unknown: /unknown/i,
    no_token: /token/i,
};

function notice(reason) {
    return new RegExp(`^npm notice .*${SENTENCES[reason].source}`, 'im');
}

function unauthorized(reason) {
    return { code: 1, texts: [/code E401/, notice(reason)] };
}

const NPM = {
    ok: { code: 0, texts: [] },
    readonly: { code: 1, texts: [/code E403/,
                                 /403 Forbidden - .*read-only/i] },
    protected: { code: 1, texts: [/code E403/,
                                  /403 Forbidden - .*logged out/i] },
    cidr: { code: 1, texts: [/code EAUTHIP/, notice('cidr')] },
    revoked: unauthorized('revoked'),
    expired: unauthorized('expired'),
    unknown: unauthorized('unknown'),
    no_token: unauthorized('no_token'),

    /* the client does not even ask */
    no_login: { code: 1, texts: [/code ENEEDAUTH/] },
};

/* npm audit prints no code */

const NPM_AUDIT = { ...NPM };

for (const reason of Object.keys(SENTENCES)) {
    NPM_AUDIT[reason] = {
        code: 1,
        texts: [/audit endpoint returned an error/, notice(reason)],
    };
}

export const SCREENS = {
    npm: { plain: NPM, audit: NPM_AUDIT },
};
