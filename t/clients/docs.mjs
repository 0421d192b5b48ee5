/*
 * docs/clients.md: what came of a run, and whether it is what was kept.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';
import { COMMANDS } from './tables.mjs';

const FILE = path.join(ROOT, 'docs/clients.md');
const WIDTH = 78;

/* where a reason is looked at: with which token, doing what */
const EXAMPLES = [
    ['no_token', 'none', 'install'],
    ['bad_token', 'malformed', 'install'],
    ['unknown', 'deleted', 'install'],
    ['revoked', 'revoked', 'install'],
    ['revoked', 'revoked', 'publish'],
    ['expired', 'expired', 'install'],
    ['cidr', 'elsewhere', 'install'],
    ['readonly', 'read-only', 'publish'],
    ['bad_record', 'bad-record', 'install'],
    ['protected', 'protected', 'logout'],
    ['unavailable', 'outage', 'install'],
];

const INTRO = `# Clients

What real clients do and print behind npmtoken: nginx with the module, in front
of Verdaccio 6.8. Each command is tried with each kind of token.
\`t/clients/run --docs\` writes this page. \`make clients\` tries everything again
and fails if anything differs. \`make test\` does so with some of the clients.

- [Tokens and words](#tokens-and-words)
- [The matrix](#the-matrix): the result of each command
- [Screens](#screens): what each client prints if a request is refused
- [Requests](#requests): what each command asks of the registry
`;

const WORDS = `## Tokens and words

| token | its record |
| --- | --- |
| full | \`user\` alone: full permission |
| read-only | \`readonly true\` |
| elsewhere | \`cidr_whitelist\` without the client's address |
| revoked | \`revoked_at\` |
| none | the client has no token; \`npmtoken_anonymous deny\` |

A reason, such as \`readonly\`, means that the command was refused: the exit code
is 1, the module's sentence is on the screen, and the registry did not get the
request. The other words are:

| in the matrix | means |
| --- | --- |
| \`ok\` | exit code 0, and the registry did it |
| *reason*\`, silent\` | refused, and the client does not print the sentence |
| …\`, exit N\` | the exit code is not the usual one |
| \`not sent\` | the client sent nothing: it needs a token first, or has no such request |
| \`registry N\` | allowed; Verdaccio itself answered N, since it does not have this command |
| \`failed\` | allowed; the client cannot use Verdaccio's answer |

\`npm outdated\` exits 1 if something is missing, as here. In npm 8 it exits 0.
`;


const clientsOf = cells => [...new Set(cells.map(({ client }) => client))];

/* lines of a table, of cells that are texts */
function table(rows) {
    const [head, ...rest] = rows.map(row => `| ${row.join(' | ')} |`);

    return [head, `|${' --- |'.repeat(rows[0].length)}`, ...rest];
}


function clientMatrix(cells, client) {
    const own = cells.filter(cell => cell.client === client && cell.row.main);
    const kinds = [...new Set(own.map(({ row }) => row.kind))];
    const commands = [...new Set(own.map(({ command }) => command))];
    const rows = commands.map(command => [command.name, ...kinds.map(kind =>
        own.find(cell => cell.command === command && cell.row.kind === kind)
            ?.text() ?? '')]);

    return [`### ${client.name}`, '', client.about, '',
            ...table([['', ...kinds], ...rows]), ''];
}

export const matrix = cells => clientsOf(cells)
    .flatMap(client => clientMatrix(cells, client)).join('\n');


/* other tokens than the main ones: a few commands */
function otherTokens(cells) {
    const others = cells.filter(({ row }) => !row.main
                                          && row.kind !== 'outage');
    const kinds = [...new Set(others.map(({ row }) => row.kind))];

    if (kinds.length === 0) {
        return [];
    }

    const rows = clientsOf(others).flatMap(client => {
        const own = others.filter(cell => cell.client === client);
        const names = [...new Set(own.map(({ command }) => command.name))];

        return names.map(name => [`${client.name}: ${name}`,
            ...kinds.map(kind => own.find(cell => cell.row.kind === kind
                && cell.command.name === name)?.text() ?? '')]);
    });

    return ['### Other tokens', '', ...OTHER, ...table([['', ...kinds],
                                                        ...rows]), ''];
}

const OTHER = [
    'both: read-only, and not from here; here: from this address and others;',
    'deleted: its record was removed while nginx had it in its cache;',
    'malformed: `.npmrc` has `${NPM_TOKEN}` and the variable is not set;',
    "base64: one with `/`, `+` and `=` in it, as Verdaccio's own.", '',
];


/* what differs from run to run, and what is not about the refusal */

const NOISE = [
    /^\s+at .*(\(|:\d+:\d+|node:)/,
    /complete log of this run/, /^npm (ERR!|error) +[~/].*\.log$/,
    /^npm (ERR!|error)\s*$/,
    /^npm (notice|info)\s*$/,
    /^npm notice (\ud83d\udce6|=|Tarball|\d+B|(name|version|filename|package|unpacked|shasum|integrity|total|Publishing)\b)/i,
    /^(packed |Total files|Shasum|Integrity|Unpacked|Packed|Tag:|Access:)/,
    /^npm WARN npm (npm does not|You should|You can|Supported)/,
    /^npm WARN (npm|app|EBAD|publish)/, /^npm warn Unknown cli config/,
    /^(yarn|bun) \w+ v\d/, /^\[\d\/\d\]/, /^info /, /^Done in/, /^warning /,
    /^Resolv/, /^Progress/, /^ *$/,
    /^Error: $/, /^@jsr:registry/, /An authorization header was used/,
    /These authorization settings/, /_authToken=/,
    /trouble with the npm registry/, /Retry Count/, /^\^$|^\s+\^$|^\s+throw new/,
    /lib\/cli\.js:\d+$/, /^\}$/, /^Node\.js v/, /asked to wait/,
];

/* pnpm 12 folds its lines by itself, at blanks, hyphens and slashes */
const unfold = text => text.replace(/([-/])\n\s+(\u2502\s*)?/g, '$1')
    .replace(/\n(\s+\u2502| {4,})\s*/g, ' ');

function screenOf(cell) {
    const text = cell.screen.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '');
    const lines = cell.plain(
        cell.client.name === 'pnpm-12' ? unfold(text) : text)
        .replaceAll(cell.home.dir, '~')
        .replaceAll(cell.key ?? 'no key', '3f1c22a0')
        .replaceAll('HOST', 'npm.example.com')
        .replace(/\b\d+(\.\d+)?m?s( \d+ms)?\b/g, '0s')
        .replace(/expired on [^.]*\./, 'expired on 2 January 2026.')
        .split('\n').map(line => line.trimEnd());

    return lines.filter(line => !NOISE.some(form => form.test(line)))
        .flatMap(fold);
}

function fold(line) {
    const out = [''];

    for (const word of line.split(/(?<=\S) /)) {
        const joined = out.at(-1) === '' ? word : `${out.at(-1)} ${word}`;

        if (joined.length <= WIDTH || out.at(-1) === '') {
            out[out.length - 1] = joined;
        } else {
            out.push(`    ${word}`);
        }
    }

    return out;
}

function screens(cells) {
    return EXAMPLES.flatMap(([reason, kind, name]) => {
        const seen = cells.filter(cell => cell.row.kind === kind
            && cell.command.name === name && cell.word === reason);
        const groups = new Map();

        for (const cell of seen) {
            const text = screenOf(cell).join('\n');

            groups.set(text, [...groups.get(text) ?? [], cell.client.name]);
        }

        return [`### ${reason}: ${name}`, '',
                ...[...groups].flatMap(([text, names]) => [
                    `${names.join(', ')}:`, '', '```', text, '```', ''])];
    });
}


const requestsOf = cell => [...new Set(cell.reached.map(line => line
    .replace(/\/-rev\/(?!undefined)[^/]+/, '/-rev/REV')))].sort();

function requests(cells) {
    const full = cells.filter(({ row }) => row.kind === 'full');
    const commands = COMMANDS.filter(command =>
        full.some(cell => cell.command === command));

    return commands.flatMap(command => {
        const groups = new Map();

        for (const cell of full.filter(each => each.command === command)) {
            const text = requestsOf(cell).map(line => `\`${line}\``)
                .join('<br>') || 'nothing';

            groups.set(text, [...groups.get(text) ?? [], cell.client.name]);
        }

        return [`### ${command.name}`, '',
                ...table([['clients', 'requests'],
                          ...[...groups].map(([text, names]) =>
                              [names.join(', '), text])]), ''];
    });
}


const render = cells => [
    INTRO, WORDS,
    '## The matrix', '',
    ...clientsOf(cells).flatMap(client => clientMatrix(cells, client)),
    ...otherTokens(cells),
    '## Screens', '',
    'Left out: stack traces, the names of log files, and what a publish lists.',
    'Long lines are folded.', '',
    ...screens(cells),
    '## Requests', '',
    'With a full token; in alphabetical order. `PKG` is the package, `LOCKED`',
    'the one in the lockfile.', '',
    ...requests(cells),
].join('\n').trimEnd() + '\n';


export async function write(cells) {
    await mkdir(path.dirname(FILE), { recursive: true });
    await writeFile(FILE, render(cells));
}


/* the cells of the matrix that is kept: client, command, token -> text */
function keptCells(text) {
    const kept = new Map();
    let client;
    let kinds;

    for (const line of text.split('\n')) {
        if (/^##+ /.test(line)) {
            client = /^### (\S+)$/.exec(line)?.[1];
            kinds = undefined;
        } else if (client && line.startsWith('| ')) {
            const [name, ...texts] = line.slice(2, -2).split(' | ');

            if (!kinds) {
                kinds = texts;
            } else {
                texts.forEach((each, i) =>
                    kept.set(`${client}, ${kinds[i]}: ${name}`, each));
            }
        }
    }

    return kept;
}

/* what differs from what is kept */
export async function compare(cells, whole) {
    const text = await readFile(FILE, 'utf8').catch(() => '');

    if (!whole) {
        const kept = keptCells(text);

        return cells.filter(({ row }) => row.main)
            .filter(cell => kept.get(cell.title) !== cell.text())
            .map(cell => `${cell.title}: "${kept.get(cell.title)}" is kept,`
                         + ` and now it is "${cell.text()}"`);
    }

    const now = render(cells).split('\n');
    const then = text.split('\n');
    const differ = now.map((line, i) => [i + 1, line, then[i]])
        .filter(([, line, old]) => line !== old);

    return differ.slice(0, 20).map(([number, line, old]) =>
        `line ${number} is\n#     ${old}\n#   and would be\n#     ${line}`);
}
