/*
 * What is written about the module, against the module.
 */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { runMain, Servers } from '../../demo/lib/servers.mjs';
import { certificate, Echo } from '../examples/site.mjs';
import { Report } from '../lib/report.mjs';
import { commandTests } from './commands.mjs';
import { factTests } from './facts.mjs';
import { quickStartTests } from './quickstart.mjs';
import { roomsTests } from './rooms.mjs';
import { TEXT_TESTS } from './text.mjs';


await runMain(async onDir => {
    const report = new Report();

    for (const [name, body] of Object.entries(TEXT_TESTS)) {
        await report.test(name, body);
    }

    await roomsTests(report);

    const servers = new Servers(
        await mkdtemp(path.join(tmpdir(), 'npmtoken-docs.')));

    onDir(servers);

    const echo = new Echo();
    const tls = await certificate(servers.dir);

    await Promise.all([servers.startRedis(), echo.start()]);

    for (const tests of [quickStartTests, commandTests, factTests]) {
        await tests({ report, servers, echo, tls });
    }

    return report.end('docs');
});
