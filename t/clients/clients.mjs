/*
 * Real npm clients through nginx and the module to Verdaccio, with each kind
 * of token: exit code, what stands on the screen, and what the registry has
 * of it.  tables.mjs says what is tried.
 */

import { readFile } from 'node:fs/promises';

import { Person } from '../../demo/lib/npm.mjs';
import { runMain, startServers } from '../../demo/lib/servers.mjs';
import { hset, newToken, recordName, shortKey }
    from '../../demo/lib/tokens.mjs';
import { CLIENTS, COMMANDS, SCOPED, SCREENS, TOKENS } from './tables.mjs';
import { rawChecks } from './raw.mjs';

/* rows of tokens that are tried at the same time */
const LANES = 2;


/* one line a check; what failed is shown under it */

class Report {

    constructor() {
        this.passed = 0;
        this.failed = 0;
    }

    check(name, wrongs, shown = '') {
        const right = wrongs.length === 0;
        const number = this.passed + this.failed + 1;

        console.log(`${right ? 'ok' : 'not ok'} ${number} - ${name}`);

        if (right) {
            this.passed++;
            return;
        }

        this.failed++;

        const lines = [...wrongs, ...shown.trimEnd().split('\n').slice(-30)
                                       .map(line => `| ${line}`)];

        lines.forEach(line => console.log(`#   ${line}`));
    }
}


/* a token of one kind in the hands of a person with one client */

class Holder {

    constructor(servers, client, row) {
        this.servers = servers;
        this.client = client;
        this.row = row;
        this.pkg = `pkg-${client.name}-${row.user ?? 'nobody'}`;
        this.token = row.fields === null ? undefined : newToken();
    }

    async settle(publisher) {
        const { row, servers, token } = this;

        if (token) {
            await servers.redis(...hset(token, { user: row.user,
                                                 ...row.fields }));
        }

        this.person = await new Person(
            servers, `${this.client.name}-${row.kind}`, token).settle();

        await seed(publisher, this.pkg);

        if (row.deleted) {
            await this.wasGood();
            await servers.redis('DEL', recordName(token));
        }

        const next = scoped => this.person.project(
            { name: this.target({ scoped }), version: '1.1.0' },
            { 'index.js': '\n' });

        this.dirs = {
            next: await next(false),
            scoped: await next(true),
            app: await this.person.project({ name: 'app', private: true }),
            locked: await this.person.project({ name: 'locked' },
                                              await lockfile(publisher,
                                                             this.pkg)),
        };
    }

    async wasGood() {
        const { status } = await this.servers.get('/-/whoami', {
            Authorization: `Bearer ${this.token}`,
        });

        if (status !== 200) {
            throw new Error(`a good token was answered ${status}`);
        }
    }

    target({ scoped }) {
        return scoped ? `@scope/${this.pkg}` : this.pkg;
    }

    /* what the registry has of a command's package, whoever asks */
    async state(command) {
        return JSON.stringify(await this.servers.packument(
            this.target(command), 'admin'));
    }

    endOf(command) {
        return command.class === 'session' ? 'ok'
            : command.end?.[this.row.kind] ?? this.row.ends[command.class];
    }

    async run(command) {
        const screens = SCREENS[this.client.dialect];
        const end = this.endOf(command);
        const { code, texts } = screens[command.screen ?? 'plain'][end];
        const key = this.token && shortKey(this.token);
        const must = texts.map(text => typeof text === 'function' ? text(key)
                                                                  : text);

        if (end === 'ok' && command.ok) {
            must.push(command.ok(this.row));
        }

        const before = await this.state(command);
        const result = await this.person.run(this.client.command,
                                             command.args(this.pkg),
                                             this.dirs[command.cwd]);
        const changed = before !== await this.state(command);
        const wrongs = [];

        if (result.code !== code) {
            wrongs.push(`exit code ${result.code}, expected ${code}`);
        }

        must.filter(text => !text.test(result.all))
            .forEach(text => wrongs.push(`nothing on the screen has ${text}`));

        if (changed !== (command.class === 'write' && end === 'ok')) {
            wrongs.push(changed ? 'the registry was changed'
                                : 'nothing changed in the registry');
        }

        wrongs.push(...await this.after(command, end));

        return { end, wrongs, shown: result.all };
    }

    /* what one command has to leave behind */
    async after(command, end) {
        if (/^publish/.test(command.name) && end === 'ok') {
            return this.publisherIs(this.row.user, this.target(command));
        }

        if (command.name === 'logout' && this.token) {
            const npmrc = await readFile(this.person.npmrc, 'utf8');

            return npmrc.includes(this.token) === (end === 'ok')
                ? [`.npmrc ${end === 'ok' ? 'still has' : 'lost'} the token`]
                : [];
        }

        return [];
    }

    /* in the packument, and in Verdaccio's own log */
    async publisherIs(user, name) {
        const { versions } = await this.servers.packument(name, 'admin');
        const logged = await this.servers.registryLog(
            ({ request, status }) => request?.method === 'PUT'
                && request.url === `/${name.replace('/', '%2f')}`
                && status === 201);
        const wrongs = [];
        const kept = versions['1.1.0']?._npmUser?.name;

        if (kept !== user) {
            wrongs.push(`the publisher on record is ${kept}, not ${user}`);
        }

        if (logged.at(-1)?.user !== user) {
            wrongs.push(`the log's publisher is ${logged.at(-1)?.user},`
                        + ` not ${user}`);
        }

        return wrongs;
    }
}


async function seed(publisher, name) {
    const cwd = await publisher.project({ name, version: '1.0.0' },
                                        { 'index.js': '\n' });
    const { code, all } = await publisher.npm(['publish'], cwd);

    if (code !== 0) {
        throw new Error(`cannot publish ${name}: exit ${code}\n${all}`);
    }
}

async function lockfile(publisher, name) {
    const cwd = await publisher.project({ name: 'locked' });
    const { code, all } = await publisher.npm(
        ['install', '--package-lock-only', name], cwd);

    if (code !== 0) {
        throw new Error(`cannot lock ${name}: exit ${code}\n${all}`);
    }

    return {
        'package.json': await publisher.read(cwd, 'package.json'),
        'package-lock.json': await publisher.read(cwd, 'package-lock.json'),
    };
}


/* an old token, of whatever state, neither stops a login nor is one */
async function login(servers, client, row) {
    const name = `new-${client.name}-${row.kind}`;
    const token = row.fields === null ? undefined : newToken();

    if (token && !row.deleted) {
        await servers.redis(...hset(token, { user: row.user,
                                             ...row.fields }));
    }

    const person = await new Person(servers, name, token).settle();
    const { code, all } = await person.run(
        client.command, ['login', '--auth-type=legacy'], person.home,
        [name, 'a-long-password', `${name}@example.com`]);

    const users = await readFile(`${servers.dir}/htpasswd`, 'utf8')
        .catch(() => '');
    const npmrc = await readFile(person.npmrc, 'utf8');
    const [put] = await servers.registryLog(
        ({ req }) => req?.method === 'PUT'
            && req.url === `/-/user/org.couchdb.user:${name}`);
    const wrongs = [];

    if (code !== 0) {
        wrongs.push(`exit code ${code}, expected 0`);
    }

    if (!users.includes(`${name}:`)) {
        wrongs.push('the registry did not get to know the person');
    }

    if (!/_authToken/.test(npmrc) || (token && npmrc.includes(token))) {
        wrongs.push("the registry's answer is not in .npmrc");
    }

    if (put?.req.headers['x-npm-user'] !== undefined) {
        wrongs.push('an identity was named to the registry');
    }

    if (token && !put?.req.headers.authorization) {
        wrongs.push('the Authorization of a login was taken away');
    }

    return [`${client.name}, ${row.kind}: login`, wrongs, all];
}


/* a few at a time; what they found is told in the order of the rows */
async function inLanes(rows, work) {
    const waiting = [...rows];
    const found = new Map();

    await Promise.all(Array.from({ length: LANES }, async () => {
        for (let row = waiting.shift(); row; row = waiting.shift()) {
            found.set(row, await work(row));
        }
    }));

    return rows.flatMap(row => found.get(row));
}


async function runRow(servers, client, publisher, tokens, row) {
    const holder = new Holder(servers, client, row);
    const found = [];

    await holder.settle(publisher);

    if (holder.token) {
        tokens.push(holder.token);
    }

    for (const command of COMMANDS) {
        const { end, wrongs, shown } = await holder.run(command);

        found.push([`${client.name}, ${row.kind}: ${command.name} -> ${end}`,
                    wrongs, shown]);
    }

    found.push(await login(servers, client, row));

    return found;
}


/* last of all: what an outage looks like, and that nothing passes in it */
async function withoutRedis(servers, report, token) {
    const person = await new Person(servers, 'outage', token).settle();

    await servers.stopOne('redis');

    const { code, all } = await person.npm(['whoami']);

    report.check('npm, without Redis: whoami -> unavailable',
                 code === 1 && /code E503/.test(all)
                 && /Tokens cannot be checked at the moment/.test(all)
                 ? [] : [`exit code ${code}`], all);
}


/* after all logouts and revocations, nginx's own logs */
async function logs(servers, report, tokens) {
    const access = await readFile(servers.accessLog, 'utf8');
    const error = await readFile(`${servers.dir}/nginx.log`, 'utf8');
    const leaks = log => tokens.filter(token => log.includes(token))
        .map(token => `the token of the key ${shortKey(token)} is there`);

    report.check('no token in the access log', leaks(access));
    report.check('no token in the error log', leaks(error));

    report.check('logouts are logged with the short key',
                 tokens.some(token => access.includes(
                     `DELETE /-/user/token/${shortKey(token)} `))
                 ? [] : ['no such line']);

    const alarms = error.split('\n')
        .filter(line => /\[(alert|emerg)\]/.test(line));

    report.check('no alert in the error log', alarms);
}


async function main(onDir) {
    const wanted = process.argv.slice(2);
    const unknown = wanted.filter(name =>
        !CLIENTS.some(client => client.name === name));

    if (unknown.length > 0) {
        console.error(`unknown client: ${unknown.join(', ')}`);
        return 2;
    }

    const servers = await startServers({ name: 'npmtoken-clients', onDir });
    const report = new Report();
    const tokens = [newToken()];

    await servers.redis(...hset(tokens[0], { user: 'publisher' }));

    const publisher = await new Person(servers, 'publisher',
                                       tokens[0]).settle();

    await seed(publisher, SCOPED);

    for (const client of CLIENTS) {
        if (wanted.length === 0 || wanted.includes(client.name)) {
            const found = await inLanes(TOKENS, row =>
                runRow(servers, client, publisher, tokens, row));

            found.forEach(one => report.check(...one));
        }
    }

    await rawChecks(servers, report, tokens);
    await withoutRedis(servers, report, tokens[0]);
    await logs(servers, report, tokens);

    if (report.failed > 0) {
        console.log((await servers.tails(20)).replaceAll(/^/gm, '# '));
    }

    console.log(`clients: ${report.passed} passed, ${report.failed} failed`);

    return report.failed === 0 ? 0 : 1;
}

runMain(main);
