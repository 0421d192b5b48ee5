/*
 * Looks for a request that the module lets a read-only token make, and that
 * changes something in a real registry.
 *
 * Requests are made by chance from the commands of the clients and ways to
 * spell them (operations.mjs, spellings.mjs), and sent as bytes.  What they
 * must not change is a Verdaccio: what reached it (judge.mjs) and all that it
 * keeps (state.mjs) is looked at after each batch.  That the requests would
 * change something is shown by a second Verdaccio, to which some of them go
 * with a full token; and that a hole would be found, by two configurations
 * that have one.
 */

import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { runMain } from '../../demo/lib/servers.mjs';
import { makeCase } from './cases.mjs';
import { ended } from './http2.mjs';
import { wrongs } from './judge.mjs';
import { EFFECTIVE } from './operations.mjs';
import { Random } from './random.mjs';
import { BATCH, Report, show, write } from './report.mjs';
import { exchange, HOLES, socketOf, startSite, Tail, VARIANTS }
    from './site.mjs';
import { State } from './state.mjs';

const LANES = 24;
const ANSWER_MS = 15000;
const SETTLE_MS = 300;

/* of the writes of a batch, so many once more with a full token */
const CONTROLS = 12;

/* this many are enough to see what is wrong */
const VIOLATIONS = 5;

const HOLE_CASES = 60000;
const HOLE_BATCH = 60;


class Run {

    constructor(site, seed) {
        this.site = site;
        this.random = new Random(seed);
        this.sent = 0;
        this.cases = new Map();
        this.report = new Report(seed);
        this.subject = new State(site.subject);
        this.control = new State(site.control);
        this.reached = new Tail(site.subject.record);
        this.log = new Tail(`${site.servers.dir}/cases.log`);
    }

    async begin() {
        await this.subject.keep();
        await this.control.keep();
        await this.reached.lines();
    }

    variant() {
        return this.random.weighed(VARIANTS.map(each => [each.weight, each]));
    }

    /* an address and port of the PROXY protocol for each connection */
    caseName() {
        const id = ++this.sent;

        return `10.${id >>> 24 & 255}.${id >>> 16 & 255}.${id >>> 8 & 255}:`
            + (1024 + (id & 255));
    }

    make(variant, tokens = this.site.readonly, seed = this.random.next()) {
        return makeCase(seed, variant, this.site.world, tokens);
    }

    async send(each, registry, bytes = each.bytes) {
        const name = this.caseName();

        if (registry === 'subject') {
            this.cases.set(name, each);
        }

        return exchange(socketOf(this.site.servers, each.variant, registry),
                        name, bytes, each.variant.http2 && ended, ANSWER_MS);
    }

    async sendAll(cases, registry) {
        const waiting = [...cases];

        await Promise.all(Array.from({ length: LANES }, async () => {
            for (let each = waiting.shift(); each; each = waiting.shift()) {
                await this.send(each, registry);
            }
        }));
    }

    /* nginx's lines of the cases; a late one comes with a later batch */
    async account() {
        for (const line of await this.log.lines()) {
            const each = this.cases.get(line.case);

            if (each) {
                this.report.request(line, each);
            }
        }
    }

    async batch() {
        const before = this.previous ?? [];
        const cases = Array.from({ length: BATCH },
                                 () => this.make(this.variant()));

        cases.forEach(each => this.report.connection(each));
        await this.sendAll(cases, 'subject');
        await this.account();

        if (await this.site.subject.revive()) {
            this.report.crashes++;
        }

        const suspects = await this.suspects();
        const changed = await this.changed();

        this.report.compared(this.subject);

        for (const [each, what] of suspects) {
            await this.violation(each, [what]);
        }

        if (changed.length > 0) {
            await this.find([...before, ...cases], changed);
            await this.subject.keep();
        }

        await this.controls(cases);
        this.previous = cases;
        this.forget();
    }

    /* a file that is just being written is looked at again */
    async changed() {
        const changed = await this.subject.changed();

        if (changed.length === 0) {
            return changed;
        }

        await sleep(SETTLE_MS);

        return this.subject.changed();
    }

    /* the last few batches may still have lines to come */
    forget() {
        for (const name of this.cases.keys()) {
            if (this.cases.size <= 4 * BATCH) {
                break;
            }

            this.cases.delete(name);
        }
    }

    async suspects() {
        const found = [];

        for (const line of await this.reached.lines()) {
            if (line.case === 'own') {
                continue;
            }

            const each = this.cases.get(line.case);
            const what = wrongs(line, each?.variant ?? {}, this.site.readonly);

            this.report.reached(line);

            if (what) {
                found.push([each, `${line.method} ${line.url} ${what}`]);
            }
        }

        return found;
    }

    /* what of these changes something, one by one, on the other Verdaccio */
    async find(cases, changed) {
        let found = 0;

        for (const each of cases) {
            const alone = await this.alone(each);

            if (alone.length > 0) {
                found++;
                await this.violation(each, alone);
            }
        }

        if (found === 0) {
            await this.violation(undefined, [
                ...changed, `no request of ${cases.length} did it alone;`
                + ` the seeds: ${cases.map(({ seed }) => seed).join(' ')}`,
            ]);
        }
    }

    async alone(each, bytes = each.bytes) {
        await this.send(each, 'control', bytes);

        return this.restored();
    }

    /* as it was before; returns what was otherwise */
    async restored() {
        const crashed = await this.site.control.revive();
        const changed = this.control.changedOnDisk();

        if (changed.length > 0) {
            this.control.restore();
        }

        return crashed ? [...changed, 'the registry ended'] : changed;
    }

    async violation(each, what) {
        const bytes = each && await this.shorter(each);

        this.report.violation(each, what);
        console.log(show(each, what, bytes));
    }

    /* without the header lines that it does not need */
    async shorter(each) {
        if (each.variant.http2 || (await this.alone(each)).length === 0) {
            return each.bytes;
        }

        let lines = each.bytes.toString('latin1').split('\r\n');

        for (let i = lines.length - 1; i > 0; i--) {
            const fewer = lines.toSpliced(i, 1);

            if (lines[i] !== '' && (await this.alone(
                each, Buffer.from(fewer.join('\r\n'), 'latin1'))).length > 0)
            {
                lines = fewer;
            }
        }

        return Buffer.from(lines.join('\r\n'), 'latin1');
    }

    /* some of the writes once more, by somebody who may */
    async controls(cases) {
        const writes = cases.filter(({ kind }) => kind === 'write');

        for (let i = 0; i < CONTROLS && writes.length > 0; i++) {
            const { variant, seed } = this.random.pick(writes);
            const each = this.make(variant, this.site.full, seed);

            this.report.control(each, (await this.alone(each)).length > 0);
        }
    }

    /* each command as clients send it, by somebody who may */
    async commands() {
        for (const command of EFFECTIVE) {
            const each = makeCase(this.random.next(), VARIANTS[0],
                                  this.site.world, this.site.full, command);

            this.report.command(each, (await this.alone(each)).length > 0);
        }
    }

    /* a configuration that lets something through has to be seen to */
    async hole(variant) {
        let tried = 0;

        while (tried < HOLE_CASES) {
            const cases = Array.from({ length: HOLE_BATCH },
                                     () => this.make(variant));

            await this.sendAll(cases, 'control');

            if ((await this.restored()).length > 0) {
                for (const each of cases) {
                    tried++;

                    if ((await this.alone(each)).length > 0) {
                        return this.report.hole(variant, tried, each);
                    }
                }
            } else {
                tried += HOLE_BATCH;
            }
        }

        return this.report.hole(variant, tried);
    }
}


function options(args) {
    const numbers = args.filter(arg => /^\d+$/.test(arg)).map(Number);
    const others = args.filter(arg => !/^\d+$/.test(arg));
    const [seconds = 600, seed = 1] = numbers;

    return { seconds, seed, docs: others.includes('--docs'),
             short: others.includes('--short'),
             wrong: numbers.length > 2
                 || others.some(arg => !['--docs', '--short'].includes(arg)) };
}


async function main(onDir) {
    const { seconds, seed, docs, short, wrong }
        = options(process.argv.slice(2));

    if (wrong) {
        console.error('usage: t/property/run [--docs | --short] [SECONDS]'
                      + ' [SEED]');
        return 2;
    }

    const site = await startSite(onDir);
    const run = new Run(site, seed);

    await run.begin();

    await run.commands();

    for (const variant of HOLES) {
        await run.hole(variant);
    }

    const began = Date.now();

    while (Date.now() - began < seconds * 1000
           && run.report.violations.length < VIOLATIONS)
    {
        await run.batch();
    }

    /* what waited for a time-out has had it by now */
    await run.account();
    run.report.end((Date.now() - began) / 1000,
                   await readFile(`${site.servers.dir}/nginx.log`, 'utf8'));

    const { counts, checks, failed } = run.report.summary();

    console.log([...short ? [] : counts, ...checks].join('\n'));

    if (docs && failed === 0) {
        await write(run.report);
    }

    if (failed > 0) {
        console.log((await site.servers.tails(5)).replaceAll(/^/gm, '# '));
    }

    return failed > 0 ? 1 : 0;
}

runMain(main);
