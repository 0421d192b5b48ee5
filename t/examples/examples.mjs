/*
 * Each of conf-examples/*.conf, started with a real Redis and asked what it
 * is there for.  cases.mjs and verdaccio.mjs say what is asked; site.mjs what
 * is changed in a configuration so that it runs here.  plugin.mjs has what the
 * plugin for Verdaccio does by itself.
 */

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { check, ROOT, runMain, Servers } from '../../demo/lib/servers.mjs';
import { Report } from '../lib/report.mjs';
import { CASES } from './cases.mjs';
import { pluginTests } from './plugin.mjs';
import { certificate, Echo, Site } from './site.mjs';
import { Verdaccio, VERDACCIO_CASES } from './verdaccio.mjs';

const FOLDER = path.join(ROOT, 'conf-examples');

const ALL = { ...CASES, ...VERDACCIO_CASES };


/* the next example has accounts of its own */

function forget(servers) {
    return servers.redis('EVAL', `
        for _, kind in ipairs({ 'user:', 'tokens-of:', 'tries:', 'web:' }) do
            for _, key in ipairs(redis.call('keys', 'npmtoken:' .. kind .. '*'))
            do
                redis.call('del', key)
            end
        end`, '0');
}


async function example(shared, name) {
    const { report, servers, tls, echo } = shared;
    const case_ = ALL[name];
    const folder = name.replace(/\W+/g, '-');
    const site = new Site(servers, folder, {
        tls, host: case_?.verdaccio !== undefined,
        registry: { port: echo.port,
                    socket: `${servers.dir}/${folder}/registry.sock` },
    });

    site.echo = echo;
    site.report = report;

    const start = async () => {
        assert.ok(case_, 'there is no test of this file');

        const text = await readFile(`${FOLDER}/${case_.file ?? name}.conf`,
                                    'utf8');

        await site.prepare(case_.change?.(text) ?? text);

        /* what it needs of files and of Redis */
        await case_.prepare?.(site);

        const { code, output } = await site.check();

        assert.equal(code, 0, output);
        assert.deepEqual(output.match(/\[(warn|error|crit|alert|emerg)\].*/g)
                         ?? [], case_.complaints ?? []);

        if (case_.verdaccio) {
            site.verdaccio = new Verdaccio(site, case_.verdaccio);
            await site.verdaccio.start();
        }

        await site.start();
    };

    let started = false;

    await report.test(`${name}: nginx starts`, async () => {
        await start();
        started = true;
    });

    if (!started) {
        return;
    }

    for (const [title, body] of Object.entries(case_.tests)) {
        await report.test(`${name}: ${title}`, () => body(site));
    }

    await report.test(`${name}: nginx ends, with nothing to complain of`,
                      async () => {
        await site.stop();
        await site.verdaccio?.stop();
        await forget(servers);

        assert.doesNotMatch(await site.log('error.log'),
                            /\[(crit|alert|emerg)\]/);
    });
}


await runMain(async onDir => {
    await check();

    const files = (await readdir(FOLDER)).filter(f => f.endsWith('.conf'))
        .map(f => f.slice(0, -'.conf'.length)).sort();
    const all = [...files, ...Object.keys(ALL).filter(n => ALL[n].file)];
    const wanted = process.argv.length > 2 ? process.argv.slice(2)
                                           : [...all, 'plugin'];

    const servers = new Servers(
        await mkdtemp(path.join(tmpdir(), 'npmtoken-examples.')));

    onDir(servers);

    const echo = new Echo();

    const shared = { servers, echo, report: new Report(),
                     tls: await certificate(servers.dir) };

    await Promise.all([servers.startRedis(), echo.start()]);

    for (const name of wanted) {
        await (name === 'plugin' ? pluginTests(shared)
                                 : example(shared, name));
    }

    return shared.report.end('examples');
});
