#!/usr/bin/env node

/*
 * npm, nginx with the modules, Verdaccio and Redis, once through: a person of
 * Verdaccio's logs in, creates, lists, uses and revokes tokens with npm.
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
import { keyOf, recordName } from './lib/tokens.mjs';

const ELSEWHERE = '203.0.113.0/24';
const COMMANDS = ['whoami', 'publish', 'install', 'audit'];

const USER = 'alice';
const PASSWORD = 'correct horse battery staple';
const ACCOUNTS = { [USER]: PASSWORD };

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

/* who can read this screen can use what stands on it: not much of it does */
const hidden = text => text.replace(/(npm_[A-Za-z0-9]{6})[A-Za-z0-9]{30}/g,
                                    '$1…');

/* questions of npm, and what is typed */
const asks = {
    user: [/Username: *$/, USER],
    password: password => [/password: *$/i, password],
    email: [/Email:[^\n]*$/, `${USER}@example.com`],
};


/*
 * npm 11.6.3 and later say with another option than --read-only that a token
 * may only read; npm before 9 asks for an email to log in, npm from 9 on
 * for a browser.
 */

async function dialect(person) {
    const { all } = await person.npm(['--version']);
    const [major, minor, patch] = all.trim().split('.').map(Number);
    const later = (major - 11 || minor - 6 || patch - 3) >= 0;

    return {
        version: all.trim(), email: major < 9,

        /* at the terminal: the page is for another time */
        login: major < 9 ? ['login'] : ['login', '--auth-type=legacy'],
        readonly: later ? '--packages-and-scopes-permission=read-only'
            : '--read-only',
    };
}


class Demo {

    constructor(servers) {
        this.servers = servers;
        this.wrong = 0;
        this.results = [];
    }

    /* somebody, or something, with a token, or none yet */
    async character(name, token) {
        return { user: name, token,
                 person: await new Person(this.servers, name, token)
                     .settle() };
    }

    judge(right, ended, why) {
        outcome(right, ended, why);
        this.wrong += right ? 0 : 1;
    }

    /* one npm command: shows it, what it printed, and judges it */
    async npm({ user, person }, args,
              { cwd, end, texts = [], why, questions })
    {
        command(user, `npm ${args.join(' ')}`);

        const result = questions ? await person.talk(args, questions, cwd)
            : await person.npm(args, cwd);
        const missing = [...end.texts, ...texts]
            .filter(text => !text.test(result.all));
        const right = result.code === end.code && missing.length === 0;

        /* all of it where it surprises */
        output((right ? matters(result.all)
                      : result.all.trimEnd().split('\n')).map(hidden));

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
            ? [new RegExp(`^${USER}$`, 'm')] : [];

        return this.npm(character, ['whoami'], { ...step, texts });
    }

    async publish(character, step) {
        const name = `hello-${character.user.replaceAll(' ', '-')}`;
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
        dim(`   tokens    ${servers.page}`),
        dim(`   redis     unix:${servers.redisSocket}`),
        dim(`   logs      ${servers.dir}`),
    ]);
}


async function logIn(demo, alice, npm) {
    const login = password => [asks.user, asks.password(password),
                               ...npm.email ? [asks.email] : []];

    scene('alice has an account at Verdaccio, and logs in');

    await demo.npm(alice, npm.login, {
        end: { code: 1, texts: [/code E401/, /password is wrong/] },
        questions: login('not her password'),
        why: 'nginx asked Verdaccio whether this is her password.',
    });
    await demo.npm(alice, npm.login, {
        end: ENDS.ok, texts: [/Logged in/], questions: login(PASSWORD),
        why: 'It is: nginx made a token, stored it in Redis, and npm keeps it'
             + ' in .npmrc. Verdaccio has none.',
    });

    alice.token = await alice.person.ownToken();

    await demo.walk(alice, 'of the login', {
        whoami: 'ok', publish: 'ok', install: 'ok', audit: 'ok',
    }, {
        whoami: 'nginx took the token and told the registry her name.',
        publish: 'A token has full permission unless it is made otherwise.',
        install: 'So it may read, too.',
        audit: 'A POST, yet it changes nothing: a read.',
    });

    await demo.npm(alice, ['view', 'hello-alice', '_npmUser.name'], {
        end: ENDS.ok, texts: [/^alice$/m],
        why: "The publisher on the registry's record is the token's user.",
    });
}


/* "npm token create", and who uses what it prints */
async function create(demo, alice, user, args, why) {
    const { result } = await demo.npm(alice, ['token', 'create', ...args], {
        end: ENDS.ok, texts: [/npm_[A-Za-z0-9]{36}/],
        questions: [asks.password(PASSWORD)], why,
    });

    return demo.character(user, result.all.match(/npm_[A-Za-z0-9]{36}/)?.[0]);
}


async function createTokens(demo, alice, npm) {
    const cidr = `--cidr=${ELSEWHERE}`;

    scene('She makes tokens for machines');

    const tokens = {
        build: await create(demo, alice, 'build', [npm.readonly],
                            'A build server installs, and that is all.'),
        office: await create(demo, alice, 'office', [cidr],
                             'Good from these addresses, where we are not.'),
        both: await create(demo, alice, 'both', [npm.readonly, cidr],
                           'A token can be both.'),
        deploy: await create(demo, alice, 'deploy', [],
                             'And one that may do all that she may.'),
    };

    const { right } = await demo.npm(alice, ['token', 'list'], {
        end: ENDS.ok, texts: [/203\.0\.113\.0\/24/],
        why: 'The ids are the first digits of what names the records.',
    });

    if (right) {
        const name = recordName(tokens.both.token);
        const fields = ['user', 'readonly', 'cidr_whitelist'];

        command('redis', `HMGET ${shortName(name)} ${fields.join(' ')}`);

        const values = [];

        for (const field of fields) {
            values.push(await demo.servers.redisValue(name, field));
        }

        output(values.map((value, i) => `${i + 1}) "${value}"`));
        demo.judge(values.join() === `${USER},true,${ELSEWHERE}`, 'record',
                   'It is named by the SHA-512 of its token, which is not in'
                   + ' Redis.');
    }

    return tokens;
}


async function readonly(demo, build) {
    scene('The build server has the read-only token');

    await demo.walk(build, 'read-only', {
        whoami: 'ok', publish: 'readonly', install: 'ok', audit: 'ok',
    }, {
        whoami: 'Reading is what it is for.',
        publish: 'nginx refused the upload; the registry never saw it.',
        install: 'The token of a build server needs no more than this.',
        audit: 'Reads that are POSTs pass too.',
    });
}


async function elsewhere(demo, office) {
    scene(`This token is good from ${ELSEWHERE} only, and we are not there`);

    const why = 'Right token, wrong place: stolen, it would be of no use.';

    await demo.walk(office, '--cidr', {
        whoami: 'address', publish: 'address', install: 'address',
        audit: 'address',
    }, {
        whoami: why,
        publish: 'Not even a full token may write from here.',
        install: 'Nor read.',
        audit: 'Nor audit.',
    });
}


async function both(demo, token) {
    scene('And this one is both: read-only, and for another address');

    await demo.walk(token, 'both', {
        whoami: 'address', publish: 'address', install: 'address',
        audit: 'address',
    }, {
        whoami: 'The address is judged before the permission.',
        publish: 'From the right address it would be "read-only".',
        install: 'From the right address this would pass.',
        audit: 'And this.',
    });
}


/* the answer to the next request with a token, and how long it took */
async function next(servers, token) {
    const start = performance.now();
    const { status } = await servers.get('/-/whoami', {
        Authorization: `Bearer ${token}`,
    });

    return { status, ms: performance.now() - start };
}


async function revoke(demo, alice, deploy) {
    const id = keyOf(deploy.token).slice(0, 6);

    scene('The token for deploying leaks, and alice revokes it');

    const before = await next(demo.servers, deploy.token);

    await demo.npm(alice, ['token', 'revoke', id], {
        end: ENDS.ok, texts: [/Removed 1 token/],
        why: 'By its id in the list; the whole token would do as well.',
    });

    const { status, ms } = await next(demo.servers, deploy.token);

    demo.judge(before.status === 200 && status === 401, 'revoked',
               status !== 401 ? `EXPECTED 401 at once, and it was ${status}`
               : `The very next request was refused, in ${ms.toFixed(1)} ms.`);

    await demo.walk(deploy, 'full, revoked', {
        whoami: 'unknown', publish: 'unknown', install: 'unknown',
        audit: 'unknown',
    }, {
        whoami: 'The registry is no longer told any name.',
        publish: 'Nothing of it reached the registry.',
        install: 'The next install is refused, as is everything else.',
        audit: 'A read as well: refused.',
    });
}


async function logOut(demo, alice) {
    scene('alice logs out');

    await demo.npm(alice, ['logout'], {
        end: ENDS.ok, why: 'npm forgets the token, and so does Redis.',
    });

    const { status } = await next(demo.servers, alice.token);

    demo.judge(status === 401 && !await alice.person.ownToken(), 'revoked',
               'A copy of it would be of no use.');
}


/* it is gone when this ends: "make run" stays */
function invite(servers) {
    paragraph('The same in a browser: "make run" prints the address of the'
              + ` page, here ${servers.page}, and stays up. Log in there as`
              + ` ${USER}, with the password "${PASSWORD}". Create a token, and`
              + ' see it in npm token list. Revoke it with npm, and see it gone'
              + ' from the page. npm login leads to the page by itself.');
    say();
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
    const servers = await startServers({ onDir, accounts: ACCOUNTS });
    const demo = new Demo(servers);

    introduce(servers);
    const alice = await demo.character(USER);
    const npm = await dialect(alice.person);

    await logIn(demo, alice, npm);

    const tokens = await createTokens(demo, alice, npm);

    await readonly(demo, tokens.build);
    await elsewhere(demo, tokens.office);
    await both(demo, tokens.both);
    await revoke(demo, alice, tokens.deploy);
    await logOut(demo, alice);
    conclude(demo, (performance.now() - start) / 1000);
    invite(servers);

    if (demo.wrong !== 0) {
        say(await servers.tails(20));
    }

    return demo.wrong === 0 ? 0 : 1;
}


function printLines(servers, { token }, npm) {
    const cli = `redis-cli -s ${servers.redisSocket}`;

    const lines = [
        [`the page, for a browser; ${USER}'s password is "${PASSWORD}"`, [
            servers.page,
        ]],
        ['log in, in a directory of its own: npm opens the page, to approve'
         + ' there', [
            'cd "$(mktemp -d)" && npm init -y >/dev/null',
            `npm config set --location=project registry=${servers.url}`,
            'npm login && npm whoami && npm install hello-npmtoken',
        ]],
        ['tokens for machines: one that may only read, one for some'
         + ' addresses', [
            `npm token create ${npm.readonly}`,
            'npm token create --cidr=127.0.0.0/8',
            'npm token list',
            'npm token revoke ID',
            'npm logout',
        ]],
        ['curl, with a token that is there already', [
            `curl -i -H 'Authorization: Bearer ${token}'`
                + ` ${servers.url}-/whoami`,
        ]],
        ['past the token commands: what Redis has, and revoking there', [
            `${cli} HGETALL ${recordName(token)}`,
            `${cli} DEL ${recordName(token)}`,
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
    const servers = await startServers({ onDir, accounts: ACCOUNTS });
    const demo = new Demo(servers);

    const alice = await demo.character(USER, await servers.logIn(USER,
                                                                 PASSWORD));

    await publishHello(alice);

    introduce(servers);
    printLines(servers, alice, await dialect(alice.person));
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
