/*
 * Real clients through nginx and the module to Verdaccio: each command with
 * each kind of token.  tables.mjs says what is tried and what must come of
 * it; docs.mjs keeps it in docs/clients.md.
 */

import { readFile } from 'node:fs/promises';

import { runMain, startServers } from '../../demo/lib/servers.mjs';
import { hset, newToken, shortKey } from '../../demo/lib/tokens.mjs';
import { Cell, Home, register, seed } from './cells.mjs';
import { compare, matrix, write } from './docs.mjs';
import { install } from './install.mjs';
import { rawChecks } from './raw.mjs';
import { lanePorts, site as conf, Traffic } from './site.mjs';
import { CLIENTS, COMMANDS, of, TOKENS } from './tables.mjs';

/* cells that are tried at the same time: a client waits much of its time */
const LANES = 3;

const PASSWORD = 'a-long-password';

const LOCKFILES = ['package.json', 'package-lock.json', 'yarn.lock',
                   'pnpm-lock.yaml', 'bun.lock'];


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


/* what the cells of a run share */

class Site {

    constructor(servers, ports) {
        this.servers = servers;
        this.ports = ports;
        this.password = PASSWORD;
        this.traffic = new Traffic(servers);
        this.lockfiles = new Map();
        this.tokens = [newToken()];
    }

    async settle() {
        for (const { user } of TOKENS) {
            if (user) {
                await register(this.servers, user, PASSWORD);
            }
        }

        await this.servers.redis(...hset(this.tokens[0],
                                         { user: 'publisher' }));
    }

    /* each client makes a lockfile of its own for its "ci" */
    async lock(client, port) {
        const name = `locked-${client.name}`;
        const home = new Home(this.servers, port, client, this.tokens[0]);
        const files = {};

        await seed(this.servers, name);
        await home.settle({
            'package.json': JSON.stringify({
                name: 'locked', version: '1.0.0', private: true,
                dependencies: { [name]: '1.0.0' },
            }),
            ...client.name === 'yarn-4' ? { 'yarn.lock': '' } : {},
        });

        const { code, all } = await home.run(['install']);

        if (code !== 0) {
            throw new Error(`${client.name} makes no lockfile: ${all}`);
        }

        for (const file of LOCKFILES) {
            const text = await readFile(`${home.project}/${file}`, 'utf8')
                .catch(() => undefined);

            if (text !== undefined) {
                files[file] = text.replaceAll(`:${port}/`, ':@PORT@/')
                    .replaceAll(`%3A${port}%2F`, '%3A@PORT@%2F');
            }
        }

        this.lockfiles.set(client, files);
    }

    locked(client, port) {
        const files = Object.entries(this.lockfiles.get(client));

        return Object.fromEntries(files.map(([name, text]) =>
            [name, text.replaceAll('@PORT@', port)]));
    }

    /* a few at a time; told in their own order, each as soon as it can be */
    async inLanes(items, work, tell) {
        const waiting = [...items];
        const done = new Map();
        let told = 0;

        await Promise.all(this.ports.map(async port => {
            for (let item = waiting.shift(); item; item = waiting.shift()) {
                done.set(item, await work(item, port));

                while (done.has(items[told])) {
                    tell(items[told], done.get(items[told]));
                    told++;
                }
            }
        }));
    }
}


function isTried(client, row, command, every) {
    if (row.skip?.[client.name]?.includes(command.name)) {
        return false;
    }

    return row.only ? row.only.includes(command.name)
        : row.main || (every && command.every);
}

function cellsOf(clients, every) {
    return clients.flatMap(client => COMMANDS
        .filter(command => of(command.args, client))
        .flatMap(command => TOKENS
            .filter(row => isTried(client, row, command, every))
            .map(row => new Cell(client, row, command))));
}

async function tryCell(site, cell, port) {
    try {
        await cell.run(site, port);

        const wrongs = cell.wrongs();

        await cell.clean();

        return wrongs;
    } catch (e) {
        if (site.servers.stopping) {
            throw e;
        }

        return [e.stack];
    }
}


/* last of all: what an outage looks like, and that nothing passes in it */
async function withoutRedis(site, report, clients) {
    const row = { ...TOKENS.find(({ kind }) => kind === 'full'),
                  kind: 'outage', main: false,
                  ends: { read: 'unavailable', write: 'unavailable' } };
    const command = COMMANDS.find(({ name }) => name === 'install');
    const cells = clients.map(client => new Cell(client, row, command));

    await site.servers.stopOne('redis');

    await site.inLanes(cells, (cell, port) => tryCell(site, cell, port),
                       (cell, wrongs) => report.check(
                           `${cell.title} -> ${cell.word}`, wrongs,
                           cell.screen));

    return cells;
}


/* after all logouts and revocations, nginx's own logs */
async function logs({ servers, tokens }, report) {
    const access = await readFile(servers.accessLog, 'utf8');
    const error = await readFile(`${servers.dir}/nginx.log`, 'utf8');
    const leaks = log => tokens.filter(token => log.includes(token)
                                    || log.includes(encodeURIComponent(token)))
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


/* --short: what make test runs; --docs: what came of it is kept */
function options(args) {
    const names = args.filter(arg => !arg.startsWith('--'));
    const short = args.includes('--short');
    const unknown = [
        ...names.filter(name => !CLIENTS.some(c => c.name === name)),
        ...args.filter(arg => arg.startsWith('--')
                              && !['--short', '--docs'].includes(arg)),
    ];
    const clients = CLIENTS.filter(client => names.length > 0
        ? names.includes(client.name)
        : !client.lifeOnly && (!short || client.short));

    return { clients, unknown, docs: args.includes('--docs'), short,
             whole: names.length === 0 && !short };
}


async function main(onDir) {
    const { clients, unknown, docs, short, whole }
        = options(process.argv.slice(2));

    if (unknown.length > 0 || (docs && !whole)) {
        console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}`
            : '--docs takes a run of all clients');
        return 2;
    }

    await install(clients);

    const ports = await lanePorts(LANES);
    const servers = await startServers({ name: 'npmtoken-clients', onDir,
                                         conf: conf(ports) });
    const site = new Site(servers, ports);
    const report = new Report();
    const cells = cellsOf(clients, !short);

    await site.settle();
    await site.inLanes(clients, (client, port) => site.lock(client, port),
                       () => {});

    await site.inLanes(cells, (cell, port) => tryCell(site, cell, port),
                       (cell, wrongs) => report.check(
                           `${cell.title} -> ${cell.word}`, wrongs,
                           cell.screen));

    await rawChecks(servers, report, site.tokens);
    cells.push(...await withoutRedis(site, report, clients));
    await logs(site, report);

    console.log(matrix(cells));

    if (docs) {
        await write(cells);
    } else {
        report.check('docs/clients.md says what came of it',
                     await compare(cells, whole));
    }

    if (report.failed > 0) {
        console.log((await servers.tails(5)).replaceAll(/^/gm, '# '));
    }

    console.log(`clients: ${report.passed} passed, ${report.failed} failed`);

    return report.failed === 0 ? 0 : 1;
}

runMain(main);
