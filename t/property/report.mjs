/*
 * What was tried and what came of it: counted, printed, and kept in
 * docs/property.md.
 */

import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';
import { OPERATIONS } from './operations.mjs';
import { GROUPS } from './spellings.mjs';

const FILE = path.join(ROOT, 'docs/property.md');

/* connections between two comparisons */
export const BATCH = 300;

/* with a full token so much of the writes has to change something */
const ENOUGH = 0.1;

const AS_IT_IS = 'as the client sends it';


class Count extends Map {

    add(name, n = 1) {
        this.set(name, (this.get(name) ?? 0) + n);
    }

    sum() {
        return [...this.values()].reduce((a, b) => a + b, 0);
    }

    sorted() {
        return [...this].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
    }
}


function outcome({ verdict, status, upstream, operation }) {
    if (verdict !== '' && verdict !== 'allow') {
        return `refused: ${verdict}`;
    }

    /* HTTP/2, mostly: what broke its rules gets no answer */
    if (status === '000') {
        return 'not answered by nginx';
    }

    if (upstream === '') {
        return `answered by nginx itself: ${status}`;
    }

    return verdict === '' ? 'passed where the module is off'
        : `passed as ${operation}`;
}


/* bytes that "printf" makes of it again */
export function escaped(bytes) {
    return [...bytes].map(byte => {
        const ch = String.fromCharCode(byte);

        return ch === '\r' ? '\\r' : ch === '\n' ? '\\n'
            : ch === '\\' ? '\\\\' : ch === "'" ? '\\047'
            : byte < 0x20 || byte > 0x7e
                ? `\\${byte.toString(8).padStart(3, '0')}` : ch;
    }).join('');
}


export function show(each, what, bytes) {
    if (!each) {
        return ['VIOLATION', ...what.map(line => `    ${line}`)].join('\n');
    }

    return [
        'VIOLATION',
        ...what.map(line => `    ${line}`),
        `    operation: ${each.operation}; spelt:`
            + ` ${each.spellings.join(', ') || AS_IT_IS}; seed ${each.seed}`,
        `    read-only token: ${each.token}`,
        `    configuration (${each.variant.name}):`,
        `        ${each.variant.named ? 'proxy_set_header X-Npm-User alice;'
            : 'npmtoken_identity X-Npm-User;'}`,
        `        ${each.variant.conf}`,
        `    bytes, for printf '%b':`,
        `        '${escaped(bytes)}'`,
    ].join('\n');
}


export class Report {

    constructor(seed) {
        this.seed = seed;
        this.connections = 0;
        this.comparisons = 0;
        this.guests = 0;
        this.crashes = 0;
        this.violations = [];
        this.holes = [];
        this.idle = [];

        for (const name of ['methods', 'operations', 'spellings', 'variants',
                            'outcomes', 'arrived', 'effective', 'controls'])
        {
            this[name] = new Count();
        }
    }

    connection({ operation, spellings, variant }) {
        this.connections++;
        this.operations.add(operation);
        this.variants.add(variant.name);

        for (const name of new Set(spellings)) {
            this.spellings.add(name);
        }

        if (spellings.length === 0) {
            this.spellings.add(AS_IT_IS);
        }
    }

    request(line) {
        this.methods.add(/^[A-Z_-]+$/.test(line.method) ? line.method
            : 'none that nginx takes');
        this.outcomes.add(outcome(line));
    }

    reached({ method }) {
        this.arrived.add(method);
    }

    compared({ guests }) {
        this.comparisons++;
        this.guests = guests.size;
    }

    control({ operation }, changed) {
        this.controls.add(operation);

        if (changed) {
            this.effective.add(operation);
        }
    }

    command({ operation }, changed) {
        if (!changed) {
            this.idle.push(operation);
        }
    }

    hole(variant, tried, each) {
        this.holes.push({ variant, tried, each });
    }

    violation(each, what) {
        this.violations.push({ each, what });
    }

    end(seconds, log) {
        this.seconds = Math.round(seconds);
        this.alarms = log.split('\n')
            .filter(line => /\[(alert|emerg)\]/.test(line));
    }

    /* what the test promises of itself, and what it found */
    checks() {
        const share = this.effective.sum() / this.controls.sum();
        const commands = OPERATIONS.filter(([, kind]) => kind === 'write')
            .map(([name]) => name);

        return [
            ...this.holes.map(({ variant, tried, each }) => [
                each !== undefined,
                `a hole is found: ${variant.name}, after ${tried} requests`
                    + (each ? ` (${each.operation}: ${each.spellings
                        .join(', ') || AS_IT_IS})` : ''),
            ]),
            [this.idle.length === 0,
             'with a full token each command that Verdaccio has changes'
                + ` something${this.idle.map(name => `, but not: ${name}`)
                    .join('')}`],
            [share >= ENOUGH,
             `so do ${this.effective.sum()} of ${this.controls.sum()} writes,`
                + ' spelt by chance'],
            [commands.every(name => this.operations.has(name)),
             'each command was tried'],
            [this.outcomes.has('refused: readonly')
                && this.outcomes.has('passed as read')
                && this.outcomes.has('passed as session')
                && this.outcomes.has('passed as logout')
                && !this.outcomes.has('passed as write'),
             'requests were refused, and passed as all but a write'],
            [this.alarms.length === 0,
             `nginx has no alarm in its log${this.alarms.slice(0, 3)
                 .map(line => `\n#   ${line}`).join('')}`],
            [this.violations.length === 0,
             `nothing changed in the registry: ${this.connections}`
                + ` connections, ${this.outcomes.sum()} requests,`
                + ` ${this.comparisons} comparisons of all that it keeps`],
        ];
    }

    summary() {
        const list = (title, count) => [
            `# ${title}`,
            ...count.sorted().map(([name, n]) =>
                `#   ${String(n).padStart(8)}  ${name}`),
        ];
        const checks = this.checks();
        const failed = checks.filter(([good]) => !good).length;

        return { failed, counts: [
            ...list('methods', this.methods),
            ...list('commands', this.operations),
            ...list('spellings', this.spellings),
            ...list('arrangements', this.variants),
            ...list('what came of the requests', this.outcomes),
            ...list('what reached the registry', this.arrived),
            ...this.controls.sorted().flatMap(([name, n], i) => [
                ...i === 0 ? ['# with a full token, changed something'] : [],
                `#   ${String(this.effective.get(name) ?? 0).padStart(5)} of`
                    + ` ${n}  ${name}`,
            ]),
            `# accounts made by log-ins: ${this.guests}; times that the`
                + ` registry ended by itself: ${this.crashes}`,
            `# seed ${this.seed}, ${this.seconds} s`,
        ], checks: [
            ...checks.map(([good, what], i) =>
                `${good ? 'ok' : 'not ok'} ${i + 1} - ${what}`),
            `property: ${checks.length - failed} passed, ${failed} failed`,
        ] };
    }
}


const table = (head, rows) => [
    `| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`,
    ...rows.map(row => `| ${row.map(cell => String(cell)
        .replaceAll('|', '\\|')).join(' | ')} |`),
    '',
];

/* few lines for many: those that are rare are one */
function common(count, limit) {
    const rows = count.sorted();
    const rare = rows.slice(limit);

    return rare.length === 0 ? rows : [
        ...rows.slice(0, limit),
        [`${rare.length} more: ${rare.map(([name]) => name).join(', ')}`,
         rare.reduce((sum, [, n]) => sum + n, 0)],
    ];
}


export function page(report) {
    const text = `# A read-only token only reads

Can a read-only token send a request that changes something in a real registry?
\`make property\` looks for one. It makes random requests from the commands of the
clients, in many spellings, and sends them as bytes through nginx to Verdaccio
6.8. After each ${BATCH} connections it compares what reached Verdaccio, and all that
Verdaccio keeps: files, accounts, tokens and answers. \`t/property/run --docs\`
writes this page.

In ${report.seconds} s (seed ${report.seed}): ${report.connections} connections,
${report.outcomes.sum()} requests as nginx counts them,
${report.comparisons} comparisons, ${report.violations.length} violations.

- With a full token each command that Verdaccio has changes something. The
  random requests do so, too: ${report.effective.sum()} of
  ${report.controls.sum()} that a second Verdaccio got with a full token.
- Two configurations with a hole are found:${report.holes.map(
    ({ variant, tried }) => `\n  ${variant.name}, after ${tried} requests`)
    .join(';')}.
- Logins may make accounts, and made ${report.guests}; nothing else did.
- A request counts as a violation, too, if it only reaches the registry as a
  write, under a name that the client gave, or uncounted by nginx.
`;

    return [
        text,
        '## What came of the requests', '',
        ...table(['outcome', 'requests'], report.outcomes.sorted()),
        '## What reached the registry', '',
        ...table(['method', 'requests'], report.arrived.sorted()),
        '## Methods, as nginx reads them', '',
        ...table(['method', 'requests'], common(report.methods, 12)),
        '## Commands', '',
        ...table(['command', 'connections', 'with a full token',
                  'of them effective'],
                 report.operations.sorted().map(([name, n]) =>
                     [name, n, report.controls.get(name) ?? '',
                      report.controls.has(name)
                          ? report.effective.get(name) ?? 0 : ''])),
        '## Spellings', '',
        'None to three for a connection.', '',
        ...table(['of', 'spelling', 'connections'], [
            ['', AS_IT_IS, report.spellings.get(AS_IT_IS) ?? 0],
            ...GROUPS.flatMap(([, of, group]) => Object.keys(group).map(
                name => [of, name, report.spellings.get(name) ?? 0])),
        ]),
        '## Arrangements of nginx', '',
        ...table(['arrangement', 'connections'], report.variants.sorted()),
    ].join('\n').trimEnd() + '\n';
}


export function write(report) {
    return writeFile(FILE, page(report));
}
