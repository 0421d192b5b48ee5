/*
 * The tokens page in Chromium, with real clients beside it, against nginx,
 * Redis and Verdaccio.
 *
 *     t/web/run             all
 *     t/web/run --short     what make test does of it
 *     t/web/run --shots     docs/img/, the pictures of docs/web.md
 *     t/web/run TEXT ...    the steps that have one of these in their titles
 */

import { runMain } from '../../demo/lib/servers.mjs';
import { install } from '../clients/install.mjs';
import { STEPS as PAGE } from './page.mjs';
import { startSite } from './site.mjs';
import { STEPS as SSO } from './sso.mjs';
import { clientsOf, STEPS as TERMINALS } from './terminals.mjs';
import { pictureFonts, STEPS as VIEWS, takePictures } from './views.mjs';
import { Browser } from './visitor.mjs';

const STEPS = [...PAGE, ...VIEWS, ...TERMINALS, ...SSO];


class Report {

    constructor() {
        this.passed = 0;
        this.failed = 0;
    }

    async check(title, run) {
        const begin = Date.now();
        let wrong = null;

        try {
            await run();
        } catch (e) {
            wrong = e.code === 'ERR_ASSERTION' ? e.message : e.stack;
        }

        const number = this.passed + this.failed + 1;
        const time = ((Date.now() - begin) / 1000).toFixed(1);

        console.log(`${wrong ? 'not ok' : 'ok'} ${number} - ${title}`
                    + ` (${time} s)`);

        if (!wrong) {
            this.passed++;
            return;
        }

        this.failed++;
        wrong.trimEnd().split('\n').slice(0, 40)
            .forEach(line => console.log(`#   ${line}`));
    }
}


/* the steps that a command line asks for */
function chosen(args) {
    if (args[0] === '--short') {
        return STEPS.filter(({ short }) => short);
    }

    return STEPS.filter(({ title }) => args.length === 0
                        || args.some(text => title.includes(text)));
}

async function main(onServers) {
    const args = process.argv.slice(2);
    const steps = chosen(args);

    await install(clientsOf(args[0] === '--shots' ? [] : steps));

    const browser = await Browser.start(
        args[0] === '--shots' ? await pictureFonts() : {});

    try {
        const site = await startSite(onServers);
        const world = { site, browser };

        if (args[0] === '--shots') {
            await takePictures(world);
            return 0;
        }

        return await run(world, steps);
    } finally {
        await browser.stop();
    }
}

async function run(world, steps) {
    const { site } = world;
    const report = new Report();

    await site.watchRedis();

    for (const step of steps) {
        site.servers.inUse();
        await report.check(step.title, () => step.run(world));
    }

    await report.check('no secret is in Redis or in a log', async () => {
        const found = await site.leaks();

        if (found.length > 0) {
            throw new Error(found.join('\n'));
        }
    });

    if (report.failed > 0) {
        console.log(await site.servers.tails(5));
    }

    console.log(`\n${report.passed} passed, ${report.failed} failed`);

    return report.failed > 0 ? 1 : 0;
}

runMain(main);
