/*
 * docs/token-life.md: what came of the lives, and whether it is what was
 * kept.
 */

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ROOT } from '../../../demo/lib/servers.mjs';
import { STEPS } from './steps.mjs';

const FILE = path.join(ROOT, 'docs/token-life.md');

/* whose screens are shown */
const SCREENS = ['npm-12', 'npm-6'];

const INTRO = `# The life of a token

What npm and pnpm do with the token commands of npmtoken, from making an account
to its last logout. Questions are answered at a terminal. Two nginx nodes share
one Redis, in front of Verdaccio. After each step the test reads Redis: account,
records and the set of the account's tokens are as they must be, and there is
nothing else. Each token is used, and refused, at both nodes.

\`t/clients/run --life --docs\` writes this page. \`make clients\` tries everything
again and fails if anything differs. \`make test\` does so with three of the
clients.

- [What comes of it](#what-comes-of-it)
- [What to know of a client](#what-to-know-of-a-client)
- [On the screen](#on-the-screen)

## What comes of it

\`ok\` means that the client and Redis are as they should be. Other words say what
this client does differently. A cell is empty if the client does not have the
command.
`;

const ADVICE = `## What to know of a client

- **npm 11.6.3 and later send nothing for \`--read-only\`.** The token has full
  permission, and a notice on the screen says so and what to use:
  \`--packages-and-scopes-permission=read-only\`.
  With \`npmtoken_api_permission read-only\` such a token may only read.
- **npm 11.6.2 and later hide what they print with \`--json\` and
  \`--parseable\`**: the new token is \`npm_***\` there, and lost. Without these
  options npm prints it, this once.
- **npm 12 has no \`adduser\`**: make the account with an older npm, with pnpm, or
  with \`npmtokenctl\`.
- **npm 5 does not wait for the answer to \`npm token delete\`** and exits with
  0 even if it was refused; \`npm token list\` tells. It has no \`revoke\` and no
  comma in \`--cidr\` (give it twice). It takes \`--otp\` for a number: type a code
  that begins with 0 when npm asks, and a recovery code, too.
- **npm 6 cannot change the mode** of two-factor authentication: run
  \`npm profile disable-2fa\` first. It also sends its command line to the server,
  in \`Referer\`. npmtoken removes what follows \`token revoke\` there before
  anything is logged.
- **npm 8 and 9 check \`--cidr\` after they asked for the password**, the others
  before. Every npm refuses IPv6 there by itself. pnpm 12 and any other client
  of the API may send it.
- **pnpm 11 has no \`token\` and no \`profile\`** of its own. Its login does not
  say that it is pnpm.
- **pnpm 12 asks for a code in \`login\` and \`publish\`**. In \`token\` and \`profile\`
  it takes a code from \`--otp\` only.
`;


/* lines of a table, of cells that are texts */
function table(rows) {
    const [head, ...rest] = rows.map(row => `| ${row.join(' | ')} |`);

    return [head, `|${' --- |'.repeat(rows[0].length)}`, ...rest];
}

const noteOf = (life, { title }) =>
    life.results.find(result => result.title === title)?.note ?? '';

const matrix = lives => table([
    ['', ...lives.map(({ client }) => client.name)],
    ...STEPS.map(step => [step.title, ...lives.map(life =>
        noteOf(life, step))]),
]);


/* what differs from run to run, and what is not about the tokens */

const NOISE = [
    /^\s*$/, /complete log of this run/, /_logs\/.*debug/, /[\u2580-\u259f]/,
    /^npm notice( (\ud83d\udce6|\d+B|=).*)?$/u,
    /^npm notice (Tarball|name|version|filename|package|unpacked)\b/,
    /^npm notice (shasum|integrity|total|Publishing)\b/,
    /^npm (ERR!|error)\s*$/,
];

const cells = line => line.replace(/[\u2500-\u257f]/g, '|')
    .replaceAll(/\|{3,}/g, '');

function plainly(text, life) {
    return text.split('\n')
        .map(line => cells(line).replaceAll('\t', '    ').trimEnd())
        .filter(line => !NOISE.some(noise => noise.test(line)))
        .filter(line => !/^[| ]*$/.test(line)).join('\n')
        .replaceAll(life.user, 'alice')
        .replaceAll(new RegExp(`(${life.here.port}|${life.there.port})`, 'g'),
                    'PORT')
        .replaceAll('127.0.0.1:PORT', 'npm.example.com')
        .replace(/npm_[A-Za-z0-9]{36}/g, 'npm_TOKEN')
        .replace(/npm_[A-Za-z0-9]{4}(?![A-Za-z0-9])/g, 'npm_abcd')
        .replace(/npm_[A-Za-z0-9]{2}\u2026/g, 'npm_ab\u2026')
        .replace(/\b[A-Z2-7]{32}\b/g, 'SECRET')
        .replace(/\b[0-9a-f]{128}\b/g, 'KEY')
        .replace(/\b[0-9a-f]{64}\b/g, 'RECOVERY-CODE')
        .replace(/\b[0-9a-f]{8}\b/g, 'KEY8')
        .replace(/(\bid |\| |revoke )[0-9a-f]{6}(?= |$)/gm, '$1ID')
        .replace(/(OTP|password|authenticator)([^:\n]*: *)\d{6}\b/g,
                 '$1$2CODE')
        .replace(/--otp=\d{6}/g, '--otp=CODE')
        .replace(/\d{4}-\d\d-\d\d(T[\d:.]+Z| \d\d:\d\d UTC)?/g, 'DATE');
}

function shots(life) {
    const seen = new Set();

    return life.shots.filter(({ args }) => args[1] !== 'list' || !args[2])
        .map(({ args, all }) => plainly(
        [`$ npm ${args.join(' ')}`, all].join('\n'), life))
        .filter(text => !seen.has(text) && seen.add(text));
}

function screens(lives) {
    return lives.filter(({ client }) => SCREENS.includes(client.name))
        .flatMap(life => [`### ${life.client.name}`, '', '```',
                          shots(life).join('\n\n'), '```', '']);
}

function page(lives) {
    return [INTRO, ...matrix(lives), '', ADVICE, '## On the screen', '',
            'The QR codes and what npm says of tarballs are left out, as is'
            + ' `token list --json`.', '',
            ...screens(lives)].join('\n');
}


export async function write(lives) {
    await writeFile(FILE, `${page(lives).trimEnd()}\n`);
    console.log(`life: ${path.relative(ROOT, FILE)} is written`);
}

/* cells of a kept table, by step and client */
function kept(text) {
    const rows = text.split('\n').filter(line => line.startsWith('| '))
        .map(line => line.slice(2, -2).split(' | '));
    const [names, ...rest] = rows.filter(row => !/^-/.test(row[0]));

    return new Map(rest.flatMap(([title, ...notes]) =>
        notes.map((note, i) => [`${names[i + 1]}: ${title}`.trim(),
                                note.trim()])));
}

/* the first lines that differ: more of them say no more */
function differing(text, now) {
    const [old, fresh] = [text, now].map(all => all.split('\n'));
    const at = fresh.findIndex((line, i) => line !== old[i]);

    return at === -1 && old.length === fresh.length ? []
        : ['it differs: t/clients/run --life --docs',
           ...old.slice(at, at + 4).map(line => `was: ${line}`),
           ...fresh.slice(at, at + 4).map(line => `is:  ${line}`)];
}

/* all of the page, or what a run of some clients has of it */
export async function compare(lives, whole) {
    const text = await readFile(FILE, 'utf8').catch(() => '');

    if (whole) {
        return differing(text, `${page(lives).trimEnd()}\n`);
    }

    const there = kept(text);

    const notes = lives.flatMap(life => STEPS.map(step => {
        const name = `${life.client.name}: ${step.title}`;
        const note = noteOf(life, step);

        return there.get(name) === note ? ''
            : `${name}: "${note}", and there "${there.get(name)}"`;
    })).filter(Boolean);

    return [...notes, ...lives.filter(({ client }) =>
        SCREENS.includes(client.name)).flatMap(life => {
        const now = screens([life]).join('\n').trimEnd();
        const [head] = now.split('\n');
        const [, was] = `${text}\n### `.match(
            new RegExp(`(${head}\n[^]*?)\n+### `)) ?? [];

        return differing(was?.trimEnd() ?? '', now);
    })];
}
