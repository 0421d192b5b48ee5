#!/usr/bin/env node

/*
 * npm, nginx with the module, Verdaccio and Redis, once through.
 *
 *     node demo/demo.mjs           walks through it; exit status 0 only if
 *                                  every step gave what it should
 *     node demo/demo.mjs --stay    starts the same and stays up
 */

import { performance } from 'node:perf_hooks';

import { Person } from './lib/npm.mjs';
import { bold, command, cyan, dim, green, outcome, output, paragraph, red,
         say, scene, table, title } from './lib/screen.mjs';
import { runMain, startServers } from './lib/servers.mjs';
import { hset, newToken, recordName, shortKey } from './lib/tokens.mjs';

const ELSEWHERE = '203.0.113.0/24';
const REVOCATION_MS = 10000;
const COMMANDS = ['whoami', 'publish', 'install', 'audit'];

const CAST = [
    { user: 'alice', kind: 'full' },
    { user: 'bob', kind: 'read-only', readonly: true },
    { user: 'carol', kind: 'elsewhere', cidr_whitelist: ELSEWHERE },
    { user: 'dave', kind: 'both', readonly: true, cidr_whitelist: ELSEWHERE },
];


/* how npm's words for one kind of end look: status, and what must be read */

const ENDS = {
    ok:       { code: 0, texts: [] },
    readonly: { code: 1, texts: [/code E403/, /read-only/i] },
    address:  { code: 1, texts: [/code EAUTHIP/, /npm notice .*address/i] },
    unknown:  { code: 1, texts: [/code E401/,
                                 /npm notice .*(unknown|revoked)/i] },
};

/* npm audit names no code, but prints our notice too */

const AUDIT_ENDS = {
    ...ENDS,
    address:  { code: 1, texts: [/npm notice .*address/i] },
    unknown:  { code: 1, texts: [/npm notice .*(unknown|revoked)/i] },
};

/* lines of npm's that say nothing about the token */

const NOISE = [
    /^\s*$/,
    /A complete log of this run/,
    /^npm notice( (📦.*|Tarball .*|[\d.]+ ?k?B .*|Publishing to .*))?\s*$/,
    /^npm notice (name|version|filename|(un)?pack\w+ size|total files):/,
    /^npm notice (shasum|integrity):/,
    /In most cases, you or one of your dependencies/,
    /^(\{|\}|\s+error: .*|\s+reason: .*)$/,
];

const matters = text => text.split('\n').map(line => line.trimEnd())
    .filter(line => !NOISE.some(noise => noise.test(line)));


/* a record's name to be read: it would fill two lines */
const shortName = name => `${name.slice(0, 'npmtoken:token:'.length + 8)}…`;


class Demo {

    constructor(servers) {
        this.servers = servers;
        this.wrong = 0;
        this.results = [];
    }

    async store(character) {
        character.token = newToken();
        character.args = hset(character.token, character);
        await this.servers.redis(...character.args);
        character.person = await new Person(this.servers, character.user,
                                            character.token).settle();
    }

    judge(right, ended, why) {
        outcome(right, ended, why);
        this.wrong += right ? 0 : 1;
    }

    /* one npm command: shows it, what it printed, and judges it */
    async npm({ user, person }, args, { cwd, end, texts = [], why }) {
        command(user, `npm ${args.join(' ')}`);

        const result = await person.npm(args, cwd);
        const missing = [...end.texts, ...texts]
            .filter(text => !text.test(result.all));
        const right = result.code === end.code && missing.length === 0;

        /* all of it where it surprises */
        output(right ? matters(result.all) : result.all.trimEnd().split('\n'));

        this.judge(right, `exit ${result.code}`, right ? why
            : `EXPECTED exit ${end.code}`
              + missing.map(text => ` and ${text}`).join(''));

        return { right, result };
    }

    /* the four commands with one token; "expect" names their ends */
    async walk(character, row, expect, whys) {
        const cells = {};

        for (const name of COMMANDS) {
            const ends = name === 'audit' ? AUDIT_ENDS : ENDS;
            const { right, result } = await this[name](character, {
                end: ends[expect[name]], why: whys[name],
            });

            cells[name] = (right ? '' : '!') + this.cell(result);
        }

        this.results.push([row, ...COMMANDS.map(name => cells[name])]);
    }

    cell({ code, all }) {
        return code === 0 ? 'ok' : all.match(/code (E\w+)/)?.[1] ?? 'refused';
    }

    whoami(character, step) {
        const texts = step.end.code === 0
            ? [new RegExp(`^${character.user}$`, 'm')] : [];

        return this.npm(character, ['whoami'], { ...step, texts });
    }

    async publish(character, step) {
        const name = `hello-${character.user}`;
        const version = `1.0.${character.published ?? 0}`;
        const cwd = await character.person.project({ name, version }, {
            'index.js': `module.exports = 'hello from ${character.user}';\n`,
        });

        character.published = (character.published ?? 0) + 1;

        const done = await this.npm(character, ['publish'], { ...step, cwd });
        const kept = await this.servers.packument(name, 'admin');

        if (step.end.code !== 0 && kept?.versions[version]) {
            this.judge(false, 'registry', `EXPECTED not to have ${version}`);
            done.right = false;
        }

        return done;
    }

    async install(character, step) {
        const cwd = await character.person.project({ name: 'app',
                                                     private: true });
        const done = await this.npm(character, ['install', 'hello-alice'],
                                    { ...step, cwd });

        if (done.right && step.end.code === 0) {
            this.installed = {
                'package.json': await character.person.read(
                    cwd, 'package.json'),
                'package-lock.json': await character.person.read(
                    cwd, 'package-lock.json'),
            };
        }

        return done;
    }

    /* where nothing could be installed, the lockfile comes from a colleague */
    async audit(character, step) {
        const cwd = await character.person.project({ name: 'app' },
                                                   this.installed ?? {});
        const texts = step.end.code === 0 ? [/found 0 vulnerabilities/] : [];

        return this.npm(character, ['audit'], { ...step, cwd, texts });
    }
}


function introduce(servers) {
    title('npmtoken: npm registry tokens, enforced by nginx', [
        '',
        '   npm ──► nginx + npmtoken ──► Verdaccio',
        '                │',
        '              Redis: who, what, from where',
        '',
        dim(`   registry  ${servers.url}`),
        dim(`   redis     unix:${servers.redisSocket}`),
        dim(`   logs      ${servers.dir}`),
    ]);
}


async function storeTokens(demo) {
    scene('Four tokens, each stored by one HSET');

    for (const character of CAST) {
        await demo.store(character);

        const [, name, ...fields] = character.args;
        const pairs = [];

        for (let i = 0; i < fields.length; i += 2) {
            pairs.push(`${fields[i]} ${fields[i + 1]}`);
        }

        command('redis', `HSET ${shortName(name)} ${pairs.slice(0, 2)
            .join(' ')}`, pairs.slice(2).join(' '));
    }

    say();
    table([['token', 'user', 'may write', 'from'],
           ...CAST.map(({ kind, user, readonly, cidr_whitelist }) =>
               [kind, user, readonly ? 'no' : 'yes',
                cidr_whitelist ?? 'anywhere'])]);

    paragraph('A record is named by the SHA-512 of its token; the token itself'
              + ' is in the .npmrc of its owner and nowhere else.');
}


async function full(demo, alice) {
    scene('alice has a full token');

    await demo.walk(alice, 'full', {
        whoami: 'ok', publish: 'ok', install: 'ok', audit: 'ok',
    }, {
        whoami: 'nginx took the token and told the registry her name.',
        publish: 'A full token may write.',
        install: 'And read.',
        audit: 'A POST, yet it changes nothing: a read.',
    });

    await demo.npm(alice, ['view', 'hello-alice', '_npmUser.name'], {
        end: ENDS.ok, texts: [/^alice$/m],
        why: "The publisher on the registry's record is the token's user.",
    });
}


async function readonly(demo, bob) {
    scene('bob has a read-only token');

    await demo.walk(bob, 'read-only', {
        whoami: 'ok', publish: 'readonly', install: 'ok', audit: 'ok',
    }, {
        whoami: 'Reading is what it is for.',
        publish: 'nginx refused the upload; the registry never saw it.',
        install: 'The token of a build server needs no more than this.',
        audit: 'Reads that are POSTs pass too.',
    });
}


async function elsewhere(demo, carol) {
    scene(`carol's token is good from ${ELSEWHERE} only, and we are not there`);

    const why = 'Right token, wrong place: stolen, it would be of no use.';

    await demo.walk(carol, 'elsewhere', {
        whoami: 'address', publish: 'address', install: 'address',
        audit: 'address',
    }, {
        whoami: why,
        publish: 'Not even a full token may write from here.',
        install: 'Nor read.',
        audit: 'Nor audit.',
    });
}


async function both(demo, dave) {
    scene("dave's token is both: read-only, and for another address");

    await demo.walk(dave, 'both', {
        whoami: 'address', publish: 'address', install: 'address',
        audit: 'address',
    }, {
        whoami: 'The address is judged before the permission.',
        publish: 'From the right address it would be "read-only".',
        install: 'From the right address this would pass.',
        audit: 'And this.',
    });
}


/* how long until a request with the token is refused, from Redis's reply on */
async function untilRefused(servers, token) {
    const start = performance.now();
    let now;

    do {
        const { status } = await servers.get('/-/whoami', {
            Authorization: `Bearer ${token}`,
        });

        now = performance.now();

        if (status === 401) {
            return now - start;
        }
    } while (now - start < REVOCATION_MS);

    return null;
}


async function revoke(demo, alice) {
    const record = recordName(alice.token);

    scene("alice's token leaks, and is deleted in Redis");

    command('redis', `DEL ${shortName(record)}`);

    const deleted = await demo.servers.redis('DEL', record);
    const ms = await untilRefused(demo.servers, alice.token);

    output([`(integer) ${deleted}`]);
    demo.judge(deleted === '1' && ms !== null, 'revoked',
               ms === null ? `EXPECTED a refusal within ${REVOCATION_MS} ms`
               : `The first refused request came back ${ms.toFixed(1)} ms`
                 + " after Redis's reply.");

    await demo.walk(alice, 'full, deleted', {
        whoami: 'unknown', publish: 'unknown', install: 'unknown',
        audit: 'unknown',
    }, {
        whoami: 'The registry is no longer told any name.',
        publish: 'Nothing of it reached the registry.',
        install: 'The next install is refused, as is everything else.',
        audit: 'A read as well: refused.',
    });
}


function conclude(demo, seconds) {
    scene('What happened');
    say();
    table([['token', ...COMMANDS], ...demo.results],
          (cell, x) => x === 0 ? cell : /!/.test(cell) ? red(bold(cell))
              : /ok/.test(cell) ? green(cell) : cyan(cell));
    say();

    if (demo.wrong === 0) {
        say(`   ${green('✓')} Every step gave what it should`
            + ` (${seconds.toFixed(1)} s).`);
    } else {
        say(`   ${red('✗')} ${bold(`${demo.wrong} step(s) did not give what`
            + ' they should')}, marked ✗ above.`);
    }

    say();
}


async function walkThrough(onDir) {
    const start = performance.now();
    const servers = await startServers({ onDir });
    const demo = new Demo(servers);
    const [alice, bob, carol, dave] = CAST;

    introduce(servers);
    await storeTokens(demo);
    await full(demo, alice);
    await readonly(demo, bob);
    await elsewhere(demo, carol);
    await both(demo, dave);
    await revoke(demo, alice);
    conclude(demo, (performance.now() - start) / 1000);

    if (demo.wrong !== 0) {
        say(await servers.tails(20));
    }

    return demo.wrong === 0 ? 0 : 1;
}


function printLines(servers, { token, user }) {
    const auth = `${servers.url.slice('http:'.length)}:_authToken`;
    const cli = `redis-cli -s ${servers.redisSocket}`;

    const lines = [
        [`npm, in a directory of its own, as ${user}`, [
            'cd "$(mktemp -d)" && npm init -y >/dev/null',
            `npm config set --location=project registry=${servers.url}`
                + ` '${auth}=${token}'`,
            'npm whoami && npm install hello-npmtoken',
        ]],
        ['curl', [
            `curl -i -H 'Authorization: Bearer ${token}'`
                + ` ${servers.url}-/whoami`,
        ]],
        ['revoke it: delete the record, or say so in it', [
            `${cli} DEL ${recordName(token)}`,
            `${cli} HSET ${recordName(token)} revoked_at "$(date +%s)"`,
        ]],
        ['watch', [
            `tail -f ${servers.accessLog} ${servers.dir}/nginx.log`,
            `${cli} MONITOR`,
        ]],
    ];

    for (const [what, commands] of lines) {
        say();
        say(dim(`   # ${what}`));
        commands.forEach(line => say(`   ${line}`));
    }
}


/* something to install */
async function publishHello({ person }) {
    const cwd = await person.project(
        { name: 'hello-npmtoken', version: '1.0.0' },
        { 'index.js': "module.exports = 'hello';\n" });
    const { code, all } = await person.npm(['publish'], cwd);

    if (code !== 0) {
        throw new Error(`npm publish: exit ${code}\n${all}`);
    }
}


async function stay(onDir) {
    const servers = await startServers({ onDir });
    const demo = new Demo(servers);

    for (const character of CAST) {
        await demo.store(character);
    }

    await publishHello(CAST[0]);

    introduce(servers);
    say();
    table([['token', 'user', 'may write', 'from', 'key'],
           ...CAST.map(({ token, user, readonly, cidr_whitelist }) =>
               [token, user, readonly ? 'no' : 'yes',
                cidr_whitelist ?? 'anywhere', shortKey(token)])]);
    printLines(servers, CAST[0]);
    say();
    say(`   Up until ${bold('Ctrl-C')}, which removes all of it.`);
    say();

    const { name, ended } = await servers.anyEnd();

    throw new Error(`${name} ended: ${ended}\n${await servers.tails(20)}`);
}


const args = process.argv.slice(2);

if (args.length > 1 || (args.length === 1 && args[0] !== '--stay')) {
    console.error('usage: demo.mjs [--stay]');
    process.exit(2);
}

if (args.length === 0) {
    runMain(walkThrough);
} else {
    runMain(stay, { SIGINT: 0 });
}
