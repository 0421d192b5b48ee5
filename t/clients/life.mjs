/*
 * The whole life of a token: each client makes an account, logs in, creates,
 * lists, uses and revokes tokens, turns two-factor authentication on and off
 * and logs out, its questions answered at a terminal, against two nginx nodes
 * with one Redis.  What Redis holds is compared after each step.
 *
 *     t/clients/run --life [CLIENT ...]   all, or the named ones
 *     t/clients/run --life --short        those of make test
 *     t/clients/run --life --docs         all, and docs/token-life.md is
 *                                         written
 *
 * life/steps.mjs has the steps; life/docs.mjs keeps what came of them.
 */

import { readFile } from 'node:fs/promises';

import { API_MODULE, freePort, MODULE, nginxHead, nginxTemps, runMain,
         startServers }
    from '../../demo/lib/servers.mjs';
import { install } from './install.mjs';
import { DIALECTS, Life } from './life/person.mjs';
import { compare, write } from './life/docs.mjs';
import { STEPS } from './life/steps.mjs';
import { CLIENTS } from './tables.mjs';

const LANES = 2;

const LIVES = CLIENTS.filter(({ name }) => DIALECTS[name]);
const SHORT = ['npm-12', 'npm-6', 'pnpm-11'];


/* two nodes: each has a cache and a feed of its own */
const conf = ({ dir, name, port }) =>
    `${nginxHead({ dir, name, workers: 2, modules: [MODULE, API_MODULE] })}
http {
    access_log ${dir}/${name}.access.log;

${nginxTemps(`${dir}/${name}`)}

    npmtoken_store main {
        redis unix:${dir}/redis.sock;
    }

    upstream registry {
        server unix:${dir}/verdaccio.sock;
        keepalive 8;
    }

    server {
        listen 127.0.0.1:${port};

        client_max_body_size 50m;

        location / {
            npmtoken              main;
            npmtoken_identity     X-Npm-User;

            npmtoken_api          main;
            npmtoken_api_signup   on;
            npmtoken_api_issuer   npm.example.com;

            # all that is wrong here is wrong from one address
            npmtoken_api_attempts 30 1000;

            proxy_http_version 1.1;
            proxy_set_header   Connection        "";
            proxy_set_header   Host              127.0.0.1:${port};
            proxy_set_header   X-Forwarded-For   $remote_addr;
            proxy_set_header   X-Forwarded-Proto $scheme;
            proxy_pass         http://registry;
        }
    }
}
`;


class Report {

    constructor() {
        this.passed = 0;
        this.failed = 0;
    }

    check(name, wrong, screen = '') {
        const number = this.passed + this.failed + 1;

        console.log(`${wrong ? 'not ok' : 'ok'} ${number} - ${name}`);

        if (!wrong) {
            this.passed++;
            return;
        }

        this.failed++;

        [...wrong.trimEnd().split('\n').slice(0, 30),
         ...screen.trimEnd().split('\n').slice(-25).map(line => `| ${line}`)]
            .forEach(line => console.log(`#   ${line}`));
    }
}


/* a step that fails leaves the next ones in another state than they need */
async function live(life) {
    for (const step of STEPS) {
        const result = { title: step.title };

        life.results.push(result);

        try {
            result.note = await life.step(step);
        } catch (e) {
            if (life.servers.stopping) {
                throw e;
            }

            result.wrong = e.code === 'ERR_ASSERTION' ? e.message : e.stack;
            result.screen = life.screen;
            return;
        }
    }
}


async function inLanes(lives, report) {
    const waiting = [...lives];
    const done = new Set();
    let told = 0;

    const tell = life => {
        for (const { title, wrong, screen } of life.results) {
            report.check(`${life.client.name}: ${title}`, wrong, screen);
        }
    };

    await Promise.all(Array.from({ length: LANES }, async () => {
        for (let life = waiting.shift(); life; life = waiting.shift()) {
            await live(life);
            done.add(life);

            while (done.has(lives[told])) {
                tell(lives[told++]);
            }
        }
    }));
}


/* a code is six digits, as much else may be */
const has = (line, secret) => /^\d{6}$/.test(secret)
    ? new RegExp(`(?<![0-9a-f.:])${secret}(?![0-9a-f.])`).test(line)
    : line.includes(secret);


/* none of what was to be kept secret stands in a log of nginx */
async function logs(servers, nodes, lives, report) {
    for (const { name } of nodes) {
        for (const file of [`${name}.log`, `${name}.access.log`]) {
            const text = await readFile(`${servers.dir}/${file}`, 'utf8');

            /* who wrote a line, which may look like a code */
            const lines = text.replace(/ \d+#\d+: /g, ' ').split('\n');
            const found = lives.flatMap(({ secrets }) => [...secrets])
                .flatMap(secret => lines.filter(line => has(line, secret)));

            report.check(`no secret in ${file}`, found.join('\n'));
        }

        const error = await readFile(`${servers.dir}/${name}.log`, 'utf8');

        report.check(`no alert in ${name}.log`, error.split('\n')
            .filter(line => /\[(alert|emerg|crit)\]/.test(line)).join('\n'));
    }
}


function options(args) {
    const names = args.filter(arg => !arg.startsWith('--'));
    const unknown = args.filter(arg => arg.startsWith('--')
        ? !['--short', '--docs'].includes(arg)
        : !LIVES.some(({ name }) => name === arg));
    const short = args.includes('--short');
    const wanted = names.length > 0 ? names : short ? SHORT : undefined;

    return { unknown, docs: args.includes('--docs'), whole: !wanted,
             clients: LIVES.filter(c => !wanted || wanted.includes(c.name)) };
}


runMain(async onDir => {
    const { clients, unknown, docs, whole } = options(process.argv.slice(2));

    if (unknown.length > 0 || (docs && !whole)) {
        console.error(unknown.length > 0 ? `unknown: ${unknown.join(', ')}`
            : '--docs takes a run of all clients');
        return 2;
    }

    await install(clients);

    const servers = await startServers({ name: 'npmtoken-life', onDir, conf });
    const nodes = [{ name: 'nginx', port: servers.port, url: servers.url },
                   await servers.startNode('nginx-b', 2, conf)];
    const report = new Report();
    const lives = clients.map(client => new Life(servers, nodes, client));

    await inLanes(lives, report);
    await logs(servers, nodes, lives, report);

    if (docs && report.failed === 0) {
        await write(lives);
    } else if (report.failed === 0) {
        report.check('docs/token-life.md says what came of it',
                     (await compare(lives, whole)).join('\n'));
    }

    if (report.failed > 0) {
        console.log((await servers.tails(5)).replaceAll(/^/gm, '# '));
    }

    console.log(`life: ${report.passed} passed, ${report.failed} failed`);

    return report.failed === 0 ? 0 : 1;
});
