/*
 * One client with an account of its own, and what must be in Redis of it.
 */

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { request } from '../../../demo/lib/servers.mjs';
import { keyOf } from '../../../demo/lib/tokens.mjs';
import { Home } from '../cells.mjs';
import { stored, totp } from './account.mjs';
import { atTerminal } from '../../../demo/lib/terminal.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const TOKEN = /npm_[A-Za-z0-9]{36}/;


/*
 * How a client differs from the others.
 *
 *     adduser     false: it has none, and can only log in to an account
 *     email       its "login" asks for one, too
 *     granular    it sends the later body of "token create"
 *     late        it looks at --cidr after it has asked for the password,
 *                 "never": not at all
 *     ipv6        it lets IPv6 ranges pass
 *     hides       "token create --json" prints the token as "npm_***"
 *     again       after a wrong code it asks for another
 *     silent      it does not print the sentences of the registry
 *     lists       false: "token list" does not say which are read-only
 *     mode        false: it cannot change the mode of what is enabled
 *     loginOption  false: its "login" has no --otp
 *     typed       false: its "token" and "profile" take a code by --otp alone
 *     numeric     its --otp takes no recovery code
 *     blind       its "token delete" does not wait for the answer
 *     emailPassword  "profile set email" asks for the password
 *     publish     arguments of its "publish"
 *     few         it has no "token" and no "profile"
 *     workspaces  it publishes several packages by one command
 */

const NEW = { granular: true, hides: true, again: true, lists: false };

export const DIALECTS = {
    'npm-5': { email: true, silent: true, numeric: true, blind: true },
    'npm-6': { email: true, again: true, mode: false, emailPassword: true },
    'npm-8': { email: true, late: true, again: true, workspaces: true },
    'npm-9': { late: true, again: true, workspaces: true },
    'npm-10': { again: true, workspaces: true },
    'npm-11': { ...NEW, workspaces: true },
    'npm-12': { ...NEW, adduser: false, workspaces: true },
    'pnpm-10': { ...NEW, adduser: false, publish: ['--no-git-checks'] },
    'pnpm-11': { adduser: false, email: true, loginOption: false, few: true,
                 publish: ['--no-git-checks'] },
    'pnpm-12': { adduser: false, late: 'never', email: true, ipv6: true,
                 lists: false, loginOption: false, typed: false,
                 publish: ['--no-git-checks'] },
};


/*
 * A question at the end of what is on the screen; pnpm has two colons, and
 * pnpm 11 says behind a password what one sees of it.
 */
const MASKED = '(\\[input is masked\\]\\s*ctrl\\+t toggle visibility\\s*)?';

const question = text => new RegExp(
    `${text}[^\\n:]*:[\\s:]*(\\([^)]*\\)[\\s:]*)?${MASKED}$`, 'i');

/* a home of its own, and a registry that can be another */

class Desk extends Home {

    constructor(servers, name, client) {
        super(servers, 0, client);
        this.dir = path.join(servers.dir, 'people', name);
        this.rc = path.join(this.dir, '.npmrc');
        this.project = path.join(this.dir, 'project');
    }

    /* begins anew, logged in with a token or not at all */
    async sit(node, token) {
        const files = {
            '.npmrc': [
                `registry=${node.url}`,
                ...token ? [`${node.url.slice('http:'.length)}:_authToken=`
                            + token] : [],
                'fund=false', 'update-notifier=false', 'progress=false',
                'fetch-retries=0', '',
            ].join('\n'),
            'project/index.js': '\n',
        };

        this.url = node.url;
        this.servers.inUse();
        await rm(this.dir, { recursive: true, force: true });
        await mkdir(this.project, { recursive: true });

        for (const [name, text] of Object.entries(files)) {
            await writeFile(path.join(this.dir, name), text, { mode: 0o600 });
        }
    }

    async manifest(name, version) {
        this.servers.inUse();
        await writeFile(path.join(this.project, 'package.json'),
                        JSON.stringify({ name, version }));
    }
}


export class Life {

    constructor(servers, nodes, client) {
        this.servers = servers;
        [this.here, this.there] = nodes;
        this.client = client;
        this.dialect = DIALECTS[client.name];
        this.user = `u-${client.name}`;
        this.revoke = this.dialect.blind ? 'delete' : 'revoke';
        this.email = `${this.user}@example.com`;
        this.password = `Long-${client.name}-horse`;
        this.desk = new Desk(servers, client.name, client);
        this.other = new Desk(servers, `${client.name}-other`, client);
        this.publishes = 0;
        this.results = [];
        this.shots = [];
        this.secrets = new Set([this.password]);

        /* what Redis has to hold */
        this.account = {};
        this.tokens = {};
    }

    /* "only" says of which clients; "few": also of those with few commands */
    async step({ run, only, few }) {
        if ((only && !only(this.dialect)) || (this.dialect.few && !few)) {
            return '';
        }

        const note = await run(this);

        await this.compare();

        return note ?? 'ok';
    }

    /* questions of this client, and what is typed */

    asksUser() {
        return [question('User ?name'), this.user];
    }

    asksPassword(password = this.password) {
        this.secrets.add(password);

        return [question('password'), password];
    }

    asksEmail() {
        return [question('Email'), this.email];
    }

    asksOtp(code = () => this.code()) {
        return [question('(OTP|one-time password|code)'), code];
    }

    asksLogin(password) {
        return [this.asksUser(), this.asksPassword(password),
                ...this.dialect.email ? [this.asksEmail()] : []];
    }

    /* what the authenticator shows */
    code() {
        this.shown = totp(this.secret);
        this.secrets.add(this.shown);

        return this.shown;
    }

    /* for --otp; npm 5 takes it for a number, and drops the first zeros */
    option() {
        const codes = [0, 1, -1].map(steps => totp(this.secret, steps));
        const code = codes.find(text => text[0] !== '0') ?? codes[0];

        this.shown = code;
        this.secrets.add(code);

        return `--otp=${code}`;
    }

    /* a code for "token" or "profile": typed, where it is asked for */
    async otp() {
        await this.later();

        return this.dialect.typed === false
            ? { args: [this.option()], asks: [] }
            : { args: [], asks: [this.asksOtp()] };
    }

    /* one that it does not show, and did not and will not in a while */
    wrongCode() {
        const codes = [-2, -1, 0, 1, 2].map(steps => totp(this.secret,
                                                          steps));

        return ['111111', '222222', '333333', '444444', '555555', '666666']
            .find(code => !codes.includes(code));
    }

    /* as if a while had gone by: the code on the authenticator is a new one */
    async later() {
        await this.servers.redis('HDEL', `npmtoken:user:${this.user}`,
                                 'totp_used');
        delete this.account.totp_used;
    }

    codeWasUsed() {
        this.account.totp_used = /^\d+$/;
        delete this.account.totp_used_by;
    }

    /* by a write, whose token may use it again */
    codeWasUsedBy(token) {
        this.account.totp_used = /^\d+$/;
        this.account.totp_used_by = keyOf(token);
    }

    /*
     * Runs a command; "asks" are what it asks.  "quiet": without a terminal,
     * so that it can ask nothing.
     */
    async run(args, { asks = [], code = 0, shows = [], desk = this.desk,
                      quiet = false } = {})
    {
        const before = Date.now();
        const result = quiet ? await desk.run(args)
            : await atTerminal(this.servers, desk.line(args),
                               { cwd: desk.project, env: desk.env() }, asks);

        this.screen = `$ ${args.join(' ')}\n${result.all}`;
        this.shots.push({ args, ms: Date.now() - before, ...result });
        assert.deepEqual(result.unasked ?? [], [], 'it did not ask for all');
        assert.equal(result.code, code, `exit status ${result.code},`
                                        + ` not ${code}`);

        for (const text of [shows].flat()) {
            assert.match(result.all.replaceAll(/-\n[\s\u2502]+/g, '-')
                .replaceAll(/\n[\s\u2502]*/g, ' '), text);
        }

        return result.all;
    }

    /* a request of no client's */
    async raw(method, url, { node = this.here, token, otp, body, to = [] }
              = {})
    {
        const { status, headers, body: text } = await request({
            host: '127.0.0.1', port: node.port, method, path: url,
            headers: {
                ...token ? { Authorization: `Bearer ${token}` } : {},
                ...otp ? { 'npm-otp': otp } : {},
                ...body ? { 'Content-Type': 'application/json' } : {},
            },
        }, body && JSON.stringify(body));

        const said = /json/.test(headers['content-type'])
            && text !== '' ? JSON.parse(text) : text;

        if (to.length > 0) {
            assert.ok(to.includes(status), `${method} ${url}: ${status}`
                      + ` ${JSON.stringify(said)}`);
        }

        return { status, headers, said };
    }

    /* who one is with a token, at both nodes, or what is said instead */
    async who(token) {
        const answers = [];

        for (const node of [this.here, this.there]) {
            const { status, said } = await this.raw('GET', '/-/whoami',
                                                    { node, token });

            answers.push(status === 200 ? said.username : said.reason);
        }

        assert.equal(answers[0], answers[1], 'the nodes do not agree');

        return answers[0];
    }

    async records() {
        return (await stored(this.servers, this.user)).tokens;
    }

    /* the token of its .npmrc, or of what else it keeps it in */
    async own() {
        return (await this.desk.tokens()).at(-1);
    }

    /* the one token that is in Redis and was not; its record has "fields" */
    async isNew(token, fields) {
        const { tokens } = await stored(this.servers, this.user);
        const fresh = Object.keys(tokens).filter(key => !this.tokens[key]);

        assert.equal(fresh.length, 1, 'one new token');

        if (token) {
            this.secrets.add(token);
            assert.equal(keyOf(token), fresh[0]);
        }

        this.tokens[fresh[0]] = { fields: { readonly: 'false', name: '',
                                            ...fields }, token };

        return { token, key: fresh[0] };
    }

    isGone({ key }) {
        delete this.tokens[key];
    }

    printed(screen) {
        const [token] = screen.match(TOKEN) ?? [];

        assert.ok(token, `no token is printed: ${screen}`);

        return token;
    }

    /* creates a token with the client, and knows it */
    async create(args, fields, { asks, shows, json } = {}) {
        const line = ['token', 'create', ...args, ...json ? ['--json'] : []];
        const screen = await this.run(line, {
            asks: asks ?? [this.asksPassword()], shows,
        });

        return this.isNew(json ? undefined : this.printed(screen), fields);
    }

    /* with a token, at a node */
    async publish(token, { name = `life-${this.client.name}`,
                           node = this.there, ...how } = {})
    {
        const version = `1.0.${++this.publishes}`;

        await this.other.sit(node, token);
        await this.other.manifest(name, version);

        const screen = await this.run(
            ['publish', ...this.dialect.publish ?? []],
            { ...how, desk: this.other });
        const kept = await this.servers.packument(name, 'admin');
        const there = kept?.versions[version];

        if ((how.code ?? 0) === 0) {
            assert.equal(there?._npmUser?.name, this.user, 'the publisher');
        } else {
            assert.equal(there, undefined, 'it was published');
        }

        return screen;
    }

    /* several packages, by one command and one code */
    async publishAll(token, names) {
        const { other } = this;

        await other.sit(this.there, token);
        await writeFile(path.join(other.project, 'package.json'),
                        JSON.stringify({ private: true, name: 'all',
                                         workspaces: names }));

        for (const name of names) {
            const dir = path.join(other.project, name);

            await mkdir(dir);
            await writeFile(path.join(dir, 'package.json'),
                            JSON.stringify({ name, version: '1.0.0' }));
        }

        await this.run(['publish', '--workspaces', this.option()],
                       { desk: other });

        for (const name of names) {
            const kept = await this.servers.packument(name, 'admin');

            assert.equal(kept?.versions['1.0.0']?._npmUser?.name, this.user,
                         `the publisher of ${name}`);
        }
    }

    async compare() {
        const { account, set, tokens } = await stored(this.servers,
                                                      this.user);
        const keys = Object.keys(this.tokens).sort();

        this.compareAccount(account);
        assert.deepEqual(Object.keys(tokens).sort(), keys,
                         'the tokens in Redis');
        assert.deepEqual(set, keys, 'the set of the account\'s tokens');

        for (const [key, { fields, token }] of Object.entries(this.tokens)) {
            const { created, updated, token: shown, ...rest } = tokens[key];

            assert.match(created, ISO);
            assert.equal(updated, created);
            assert.match(shown, /^npm_[A-Za-z0-9]{4}$/);
            assert.ok(!token || token.startsWith(shown));
            this.matches(rest, { user: this.user, ...fields }, 'a record');
        }
    }

    compareAccount(account) {
        const { created, updated, password, ...rest } = account;

        assert.match(created, ISO);
        assert.match(updated, ISO);
        assert.match(password, /^\$y\$/);
        this.matches(rest, this.account, 'the account');
    }

    /* each value as it must be, or of a form */
    matches(actual, expected, what) {
        assert.deepEqual(Object.keys(actual).sort(),
                         Object.keys(expected).sort(), what);

        for (const [name, value] of Object.entries(expected)) {
            if (value instanceof RegExp) {
                assert.match(actual[name], value, `${what}: ${name}`);
            } else {
                assert.equal(actual[name], value, `${what}: ${name}`);
            }
        }
    }
}
