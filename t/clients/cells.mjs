/*
 * A cell of the matrix: one client with one kind of token runs one command,
 * with a home, a token and a package of its own, so that no cell knows of
 * another and several can be run at a time.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { cleanEnv } from '../../demo/lib/npm.mjs';
import { request } from '../../demo/lib/servers.mjs';
import { hset, newToken, recordName, shortKey }
    from '../../demo/lib/tokens.mjs';
import { BUILT } from './install.mjs';
import { packageDocument } from './packages.mjs';
import { cellText, expected, isRefusal, of, SENTENCES } from './tables.mjs';

const DEADLINE_MS = 300000;

/* what a client asks before it waits for an answer */
const PROMPT = /[:?\u2023](\s|\([^)]*\))*$/;

/* a client whose question was not understood would wait for ever */
const ANSWER_MS = 90000;

/* a client may print its question first and then listen */
const TYPING_MS = 300;

const ANSI = /\x1b\[[0-9;?]*[A-Za-z]/g;

const ADMIN = { 'X-Npm-User': 'admin' };
const JSON_TYPE = { 'Content-Type': 'application/json' };


/* to the registry itself, past nginx, as the operator */
async function toRegistry(servers, method, url, headers, body) {
    const answer = await request({
        socketPath: servers.registrySocket, method, path: url,
        headers: { Host: 'registry', ...JSON_TYPE, ...headers },
    }, body);

    if (answer.status >= 300) {
        throw new Error(`${method} ${url}: ${answer.status} ${answer.body}`);
    }

    return answer.body;
}

export const seed = (servers, name, version = '1.0.0') => toRegistry(
    servers, 'PUT', `/${name.replace('/', '%2f')}`, ADMIN,
    packageDocument(name, version));

/* a person whom the registry knows by a password, too */
export const register = (servers, name, password) => toRegistry(
    servers, 'PUT', `/-/user/org.couchdb.user:${name}`, {},
    JSON.stringify({ name, password, type: 'user' }));


/* what the clients of a family read of who and where */

function rcFiles(client, url, token) {
    const at = url.slice('http:'.length);

    if (client.name === 'yarn-4') {
        return { '.yarnrc.yml': [
            `npmRegistryServer: "${url}"`,
            'unsafeHttpWhitelist: ["127.0.0.1"]',
            'npmAlwaysAuth: true',
            ...token ? [`npmAuthToken: "${token}"`] : [],
            'npmMinimalAgeGate: 0',
            'nodeLinker: node-modules',
            'enableGlobalCache: false',
            'enableTelemetry: false',
            'enableProgressBars: false',
            'httpRetry: 0',
        ].join('\n') + '\n' };
    }

    const old = ['npm-5', 'npm-6', 'yarn-1'].includes(client.name);

    return { '.npmrc': [
        `registry=${url}`,
        ...token ? [`${at}:_authToken=${token}`] : [],
        ...old ? ['always-auth=true'] : [],
        'fund=false',
        'update-notifier=false',
        'fetch-retries=0',
    ].join('\n') + '\n' };
}

/* packages of a test are young, and nothing is newer than what is pinned */
const ENV = {
    pnpm: { PNPM_CONFIG_MINIMUM_RELEASE_AGE: '0',
            pnpm_config_minimum_release_age: '0' },
    'yarn-1': { YARN_DISABLE_SELF_UPDATE_CHECK: 'true' },
};

const rcName = client => client.name === 'yarn-4' ? '.yarnrc.yml' : '.npmrc';


export class Home {

    constructor(servers, port, client, token) {
        this.servers = servers;
        this.client = client;
        this.token = token;
        this.url = `http://127.0.0.1:${port}/`;
        this.dir = path.join(servers.dir, 'people', String(port));
        this.rc = path.join(this.dir, rcName(client));
        this.project = path.join(this.dir, 'project');
    }

    async settle(files) {
        this.servers.inUse();
        await rm(this.dir, { recursive: true, force: true });
        await mkdir(this.project, { recursive: true });

        const own = rcFiles(this.client, this.url, this.token);

        for (const [name, text] of Object.entries(own)) {
            await writeFile(path.join(this.dir, name), text, { mode: 0o600 });
        }

        for (const [name, text] of Object.entries(files)) {
            await writeFile(path.join(this.project, name), text);
        }
    }

    /* those that are in its file, and in the one that pnpm 12 writes */
    async tokens() {
        const texts = await Promise.all(
            [this.rc, path.join(this.dir, 'xdg/pnpm/auth.ini'),
             path.join(this.dir, 'xdg/pnpm/config.yaml')]
            .map(file => readFile(file, 'utf8').catch(() => '')));

        return [...texts.join('\n').matchAll(
            /authToken["']?\s*[:=]\s*["']?([^"'\s]+)/gi)]
            .map(([, token]) => token);
    }

    env() {
        const { dir, client } = this;
        const bins = (client.runs ?? []).map(name =>
            path.join(BUILT, name, 'node_modules/.bin'));

        return cleanEnv({
            HOME: dir,
            PATH: [...bins, process.env.PATH].join(':'),
            XDG_CONFIG_HOME: path.join(dir, 'xdg'),
            XDG_CACHE_HOME: path.join(dir, 'xdg-cache'),
            XDG_DATA_HOME: path.join(dir, 'xdg-data'),
            XDG_STATE_HOME: path.join(dir, 'xdg-state'),
            COREPACK_ENABLE_STRICT: '0',

            /* also where a client does not read its file: ask nobody else */
            npm_config_registry: this.url,
            npm_config_update_notifier: 'false',

            npm_config_cache: path.join(dir, 'cache'),
            npm_config_globalconfig: path.join(dir, 'none'),
            YARN_CACHE_FOLDER: path.join(dir, 'yarn-cache'),
            YARN_GLOBAL_FOLDER: path.join(dir, 'yarn-global'),
            YARN_ENABLE_COLORS: '0',
            BUN_INSTALL_CACHE_DIR: path.join(dir, 'bun-cache'),
            DO_NOT_TRACK: '1',
            COLUMNS: '80',
            ...ENV[client.name] ?? ENV[client.family] ?? {},
        });
    }

    line(args) {
        const { client } = this;
        const program = path.join(BUILT, client.name, client.program);

        if (!client.node) {
            return [program, ...args];
        }

        const node = client.node === true ? process.execPath
            : path.join(BUILT, client.name, client.node);

        return [node, program, ...args];
    }

    /* "answers" are typed one by one, each when something was asked */
    run(args, answers = []) {
        let [command, ...rest] = this.line(args);

        /* a terminal of its own */
        if (answers.length > 0 && !this.client.pipe) {
            rest = ['-q', '-f', '-e', '-c',
                    [command, ...rest].map(quoted).join(' '), '/dev/null'];
            command = 'script';
        }

        this.servers.inUse();

        return new Promise((resolve, reject) => {
            const child = spawn(command, rest, {
                cwd: this.project, env: this.env(), stdio: 'pipe',
                detached: true,
                timeout: answers.length > 0 ? ANSWER_MS : DEADLINE_MS,
            });
            const left = [...answers];
            let all = '';
            let asked = 0;

            const type = text => child.stdin.writable
                && child.stdin.write(text + (this.client.pipe ? '\n' : '\r'));

            child.kill = (signal = 'SIGTERM') => {
                try {
                    process.kill(-child.pid, signal);
                } catch {
                    /* gone meanwhile */
                }
            };

            this.servers.clients.add(child);

            for (const stream of ['stdout', 'stderr']) {
                child[stream].setEncoding('utf8');
                child[stream].on('data', text => {
                    all += text;

                    if (left.length > 0 && PROMPT.test(all.slice(asked).replace(ANSI, ''))) {
                        asked = all.length;
                        setTimeout(type, TYPING_MS, left.shift());
                    }
                });
            }

            child.on('error', reject);
            child.on('close', (code, signal) => {
                this.servers.clients.delete(child);

                if (this.servers.stopping) {
                    reject(new Error('interrupted'));
                    return;
                }

                resolve({ code: signal ? `signal ${signal}` : code,
                          all: all.replaceAll('\r\n', '\n') });
            });

            child.stdin.on('error', () => {});

            if (answers.length === 0) {
                child.stdin.end();
            }
        });
    }
}

const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;


/* yarn 4 publishes only what has been installed */
const ownYarnLock = name => `__metadata:
  version: 10
  cacheKey: 10c0

"${name}@workspace:.":
  version: 0.0.0-use.local
  resolution: "${name}@workspace:."
  languageName: unknown
  linkType: soft
`;

/* what is in the project a command is run in */

export function projectFiles(client, command, name, locked) {
    const json = value => `${JSON.stringify(value, null, 2)}\n`;
    const yarnLock = client.name === 'yarn-4' ? { 'yarn.lock': '' } : {};
    const ownLock = client.name === 'yarn-4'
        ? { 'yarn.lock': ownYarnLock(name) } : {};

    switch (command.cwd) {
    case 'next':
        return { 'package.json': json({ name, version: '1.1.0' }),
                 'index.js': '\n', ...ownLock };
    case 'app':
        return { 'package.json': json({ name: 'app', private: true }),
                 ...yarnLock };
    case 'locked':
        return locked;
    default:
        return { 'package.json': json({ name: 'nothing', private: true }),
                 ...yarnLock };
    }
}


/* an empty segment is no canonical path, so that would be no logout */
export function base64Token() {
    const token = `${randomBytes(15).toString('base64')}/+${randomBytes(16)
        .toString('base64')}`;

    return `/${token}/`.includes('//') ? base64Token() : token;
}

const CLASSES = [
    ['session', /^(GET|HEAD) \/-\/ping(\?|$)/],
    ['session', /^PUT \/-\/user\/org\.couchdb\.user:[^/]+(\/-rev\/[^/]+)?$/],
    ['session', /^GET \/-\/user\/org\.couchdb\.user:[^/]+\?write=true$/],
    ['session', /^POST \/-\/v1\/login$/],

    /* npm 5 does not encode the token, which may have slashes */
    ['logout', /^DELETE \/-\/user\/token\/.+$/],
    ['read', /^POST \/-\/npm\/v1\/security\/(audits(\/quick)?|advisories\/bulk)$/],
    ['read', /^(GET|HEAD|OPTIONS) /],
    ['write', /^/],
];

/* of a real client's request: the short way to it, beside the module's own */
const classOf = line => CLASSES.find(([, form]) => form.test(line))[0];


export class Cell {

    constructor(client, row, command) {
        this.client = client;
        this.row = row;
        this.command = command;
        this.id = `${client.name}-${row.kind}-`
                  + command.name.replaceAll(' ', '-');
        this.title = `${client.name}, ${row.kind}: ${command.name}`;
        this.name = command.scope ? `@scope/${this.id}` : this.id;
        this.newcomer = `new-${this.id}`;
        this.args = of(command.args, client);
    }

    async settle(site, port) {
        const { servers } = site;
        const { row, command, name } = this;

        this.servers = servers;
        this.port = port;
        this.token = row.literal ?? (row.base64 ? base64Token()
            : row.fields ? newToken() : undefined);
        this.key = this.token && !row.literal ? shortKey(this.token)
                                              : undefined;

        await seed(servers, name);

        if (command.twoVersions) {
            await seed(servers, name, '0.9.0');
        }

        if (command.tagged) {
            await toRegistry(servers, 'PUT',
                             `/-/package/${name}/dist-tags/stable`, ADMIN,
                             '"1.0.0"');
        }

        if (command.makes === 'token' && row.user) {
            this.made = JSON.parse(await toRegistry(
                servers, 'POST', '/-/npm/v1/tokens',
                { 'X-Npm-User': row.user },
                JSON.stringify({ password: site.password, readonly: false,
                                 cidr_whitelist: [] })));
        }

        if (row.fields && row.kind !== 'outage') {
            site.tokens.push(this.token);
            await servers.redis(...hset(this.token, { user: row.user,
                                                      ...row.fields }));
        }

        if (row.deleted) {
            await this.useOnce();
            await servers.redis('DEL', recordName(this.token));
        }

        this.home = new Home(servers, port, this.client, this.token);
        await this.home.settle(projectFiles(
            this.client, command, name, site.locked(this.client, port)));
    }

    /* so that a worker has it in its cache */
    async useOnce() {
        const { status } = await this.servers.get('/-/whoami', {
            Authorization: `Bearer ${this.token}`,
        });

        if (status !== 200) {
            throw new Error(`a good token was answered ${status}`);
        }
    }

    /* what the registry has of the package, whoever asks */
    async state() {
        const packument = await this.servers.packument(this.name, 'admin');

        this.published = packument?.versions['1.1.0'];

        return JSON.stringify(packument);
    }

    /* the same names for all cells */
    plain(text) {
        const names = [
            [this.home.url.slice('http://'.length, -1), 'HOST'],
            [this.newcomer, 'NEWCOMER'],
            [this.id, 'PKG'],
            [`locked-${this.client.name}`, 'LOCKED'],
            [this.made?.key, 'KEY'],
            [this.token && encodeURIComponent(this.token), 'TOKEN'],
            [this.token, 'TOKEN'],
        ];

        return names.filter(([from]) => from)
            .reduce((all, [from, to]) => all.replaceAll(from, to), text)
            .replace(new RegExp(`%22${this.row.user}%22`), '%22USER%22')
            .replace(`/user/${this.row.user}/`, '/user/USER/');
    }

    async run(site, port) {
        const { command } = this;

        await this.settle(site, port);
        await site.traffic.since(port);

        const before = await this.state();
        const context = { name: this.name, user: this.row.user,
                          newcomer: this.newcomer,
                          key: this.made?.key ?? '0123456789abcdef' };
        const { code, all } = await this.home.run(
            this.args(context), command.answers?.(context));
        const { nginx, registry } = await site.traffic.since(port);

        this.code = code;
        this.screen = all;
        this.changed = before !== await this.state();
        this.sent = nginx;
        this.arrived = registry;
        this.rc = await this.home.tokens();
        this.reached = registry.map(line => this.plain(
            `${line.method} ${line.url}`));
        this.word = this.outcome();
    }

    /* the word for it, from what was seen */
    outcome() {
        const { command, sent } = this;
        const refused = sent.find(line =>
            !['allow', ''].includes(line.verdict));
        const last = sent.at(-1);

        if (!last) {
            return 'not sent';
        }

        if (refused) {
            return refused.verdict;
        }

        const about = command.asks.test(this.plain(
            `${last.method} ${last.url}`));

        if (last.status >= 400 && (about || this.code !== 0)) {
            return `registry ${last.status}`;
        }

        return this.code === (of(command.okCode, this.client) ?? 0) ? 'ok'
            : 'failed';
    }

    /* the sentence of the refusal stands on the screen, folded or not */
    told() {
        const flat = text => text.replace(ANSI, '')
            .replace(/-\n[\s\u2502]*/g, '-')
            .replace(/[\s\u2502]+/g, ' ');

        return isRefusal(this.word) && flat(this.screen).includes(
            SENTENCES[this.word](this.key));
    }

    text() {
        return cellText(this.word, this.code, this.told(),
                        of(this.command.okCode, this.client));
    }

    async clean() {
        await rm(this.home.dir, { recursive: true, force: true,
                                  maxRetries: 3 });
    }

    /* each request by itself: refused as its class has it, or at the registry */
    requestWrongs() {
        const wrongs = [];

        for (const { method, url, status, verdict, upstream } of this.sent) {
            const line = `${method} ${url}`;
            const end = this.row.ends[classOf(line)];
            const passes = classOf(line) === 'session' || end === 'ok';

            if (passes !== (upstream !== '')) {
                wrongs.push(`${this.plain(line)}: ${status} ${verdict}`);
            } else if (!passes && verdict !== end && end !== 'no_login') {
                wrongs.push(`${this.plain(line)} is refused as ${verdict}`);
            }
        }

        const passed = this.sent.filter(({ upstream }) => upstream !== '');

        if (passed.length !== this.arrived.length) {
            wrongs.push(`nginx passed ${passed.length} requests on, and the`
                        + ` registry got ${this.arrived.length}`);
        }

        return wrongs;
    }

    /* what the registry has to have got, or must not have */
    askWrongs(word) {
        const { command, reached, screen } = this;
        const asked = form => reached.some(line => form.test(line));

        if (isRefusal(word)) {
            return asked(command.asks)
                ? [`refused, and the registry got ${command.asks}`] : [];
        }

        if (word !== 'ok') {
            return [];
        }

        const shows = of(command.shows, this.client)?.(this.row);
        const wanted = [command.asks, of(command.also, this.client)];
        const wrongs = wanted.filter(form => form && !asked(form))
            .map(form => `the registry did not get ${form}`);

        return shows && !shows.test(screen)
            ? [...wrongs, `nothing on the screen has ${shows}`] : wrongs;
    }

    stateWrongs(word) {
        const { command } = this;
        const changes = command.class === 'write' && word === 'ok'
            && !(of(command.keeps, this.client) ?? command.keeps);

        return this.changed === changes ? []
            : [this.changed ? 'the registry was changed'
                            : 'nothing changed in the registry'];
    }

    /* in the packument, and in the registry's own log */
    publishWrongs(word) {
        if (!this.command.publishes || word !== 'ok') {
            return [];
        }

        const kept = this.published?._npmUser?.name;

        return kept === this.row.user ? []
            : [`the publisher on record is ${kept}, not ${this.row.user}`];
    }

    /* an old token, of whatever state, neither stops a login nor is one */
    loginWrongs(word) {
        if (!this.command.login || word !== 'ok') {
            return [];
        }

        const created = this.sent.some(({ method, url, status }) =>
            method === 'PUT' && url.endsWith(`:${this.newcomer}`)
            && status === 201);
        const named = this.arrived.filter(({ headers }) =>
            headers['x-npm-user'] !== undefined);

        return [
            ...created ? [] : ['the registry did not take the person in'],
            ...this.rc.some(token => token !== this.token) ? []
                : [`the registry's answer is not in ${rcName(this.client)}`],
            ...named.length === 0 ? []
                : ['an identity was named to the registry'],
        ];
    }

    /* a logout that was refused leaves the token where it was, as it says */
    logoutWrongs(word) {
        if (this.command.class !== 'logout' || !this.token
            || word === 'not sent' || this.client.ownFile)
        {
            return [];
        }

        return this.rc.includes(this.token) === (word !== 'ok') ? []
            : [`${rcName(this.client)} ${word === 'ok' ? 'still has'
                                                       : 'lost'} the token`];
    }

    wrongs() {
        const { word, text } = expected(this.client, this.command, this.row);

        return [
            ...this.text() === text ? []
                : [`"${this.text()}", expected "${text}"`],
            ...this.requestWrongs(),
            ...this.askWrongs(word),
            ...this.stateWrongs(word),
            ...this.publishWrongs(word),
            ...this.loginWrongs(word),
            ...this.logoutWrongs(word),
        ];
    }
}
