/*
 * The plugin for Verdaccio by itself: whom it believes, what it refuses, how
 * it is installed.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { freePort, request, ROOT } from '../../demo/lib/servers.mjs';
import { cleanEnv } from '../../demo/lib/npm.mjs';
import { VERDACCIO } from './verdaccio.mjs';

const PLUGIN = path.join(ROOT, 'conf-examples/verdaccio-npmtoken');
const YAML = path.join(ROOT, 'conf-examples/verdaccio.yaml');

const STOP_MS = 20000;

const { Npmtoken } = createRequire(import.meta.url)(PLUGIN);

const make = (options = {}, config = {}) =>
    new Npmtoken(options, { config: { listen: 'unix:/x', ...config } });


/* one Verdaccio with these options, which the plugin in "folder" is beside */

async function verdaccio(servers, name, options, { listen, plugins }) {
    const dir = `${servers.dir}/${name}`;
    const yaml = await readFile(YAML, 'utf8');
    const server = servers.server(name);

    await mkdir(dir);
    await writeFile(`${dir}/config.yaml`, yaml
        .replace('npmtoken: {}', `npmtoken: ${JSON.stringify(options)}`)
        .replaceAll('/var/lib/verdaccio/', `${dir}/`)
        .replace(/^plugins: .*$/m, `plugins: ${plugins}`)
        .replace(/^listen: .*$/m, `listen: ${listen}`));

    await server.start(process.execPath, [
        `${VERDACCIO}/node_modules/verdaccio/bin/verdaccio`,
        '--config', `${dir}/config.yaml`,
    ], { cwd: dir, env: { PATH: process.env.PATH, HOME: dir } });

    return server;
}


/* who somebody at this address is who says that he is alice */

async function whois(port, from) {
    const { body } = await request({
        host: '127.0.0.1', port, path: '/-/whoami', localAddress: from,
        headers: { 'X-Npm-User': 'alice' },
    });

    return JSON.parse(body).username;
}


const npm = (args, cwd, home) => promisify(execFile)('npm', args, {
    cwd, env: cleanEnv({ HOME: home, npm_config_offline: 'true',
                         npm_config_cache: `${home}/cache` }),
});


const TESTS = {
    'it believes loopback, and nobody else': () => {
        const plugin = make();
        const trusts = remoteAddress => plugin.trusted({ remoteAddress });

        for (const address of ['127.0.0.1', '127.200.0.9', '::1',
                               '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])
        {
            assert.ok(trusts(address), address);
        }

        for (const address of ['10.0.0.1', '128.0.0.1', '::2', '::127.0.0.1',
                               '::ffff:10.0.0.1', 'localhost', '',
                               '127.0.0.1, 10.0.0.1'])
        {
            assert.ok(!trusts(address), address);
        }
    },

    'or those that are named, and loopback no more': () => {
        const plugin = make({ trust: ['172.30.0.0/24', '10.1.2.3',
                                      '2001:db8::/32', 'fe80::1'] });
        const trusts = remoteAddress => plugin.trusted({ remoteAddress });

        for (const address of ['172.30.0.0', '172.30.0.255', '10.1.2.3',
                               '::ffff:172.30.0.7', '2001:db8:1::9',
                               'fe80::1%eth0'])
        {
            assert.ok(trusts(address), address);
        }

        for (const address of ['127.0.0.1', '::1', '172.30.1.0', '10.1.2.4',
                               '2001:db9::1', 'fe80::2', '::ffff:10.1.2.4'])
        {
            assert.ok(!trusts(address), address);
        }

        assert.ok(make({ trust: '10.0.0.1' })
                      .trusted({ remoteAddress: '10.0.0.1' }));
        assert.ok(!make({ trust: [] })
                      .trusted({ remoteAddress: '127.0.0.1' }));
    },

    'a socket has no address, and neither has a torn connection': () => {
        const torn = { remoteAddress: undefined };

        assert.ok(make().trusted(torn));
        assert.ok(make({ trust: [] }).trusted(torn));

        for (const listen of ['127.0.0.1:4873', undefined,
                              ['unix:/x', '127.0.0.1:4873']])
        {
            assert.ok(!make({}, { listen }).trusted(torn), String(listen));
        }
    },

    'an option that it does not understand is an error that names it': () => {
        for (const entry of ['nginx', '10.0.0.0/33', '10.0.0.0/0', '::/0',
                             '10.0.0.0/', '10.0.0.0/8/8', '10.0.0', '', null,
                             '10.0.0.0/-1', '::1/129', 5])
        {
            assert.throws(() => make({ trust: ['127.0.0.1', entry] }),
                          e => /^verdaccio-npmtoken: "trust" has /
                              .test(e.message)
                              && e.message.includes(JSON.stringify(entry)),
                          String(entry));
        }

        for (const name of ['login', 'own_tokens']) {
            assert.throws(() => make({ [name]: 'yes' },
                                     { middlewares: { npmtoken: {} } }),
                          new RegExp(`"${name}" is "yes", neither`));
        }

        assert.throws(() => make({ own_tokens: true }),
                      /"own_tokens" needs "npmtoken: \{\}" under "middlewa/);
    },

    'Verdaccio believes the addresses that were named': async servers => {
        const port = await freePort();
        const server = await verdaccio(servers, 'trust', {
            trust: ['127.0.5.0/24', '127.0.6.1'],
        }, { listen: `127.0.0.1:${port}`, plugins: path.dirname(PLUGIN) });

        await server.ready(async () => {
            const { status } = await request({ host: '127.0.0.1', port,
                                               path: '/-/ping' });

            return status === 200;
        });

        assert.equal(await whois(port, '127.0.5.9'), 'alice');
        assert.equal(await whois(port, '127.0.6.1'), 'alice');
        assert.equal(await whois(port, '127.0.6.2'), undefined);
        assert.equal(await whois(port, '127.0.0.1'), undefined);

        await server.stop();
    },

    'with a wrong option it does not start': async servers => {
        const port = await freePort();
        const server = await verdaccio(servers, 'wrong', { trust: 'nginx' }, {
            listen: `127.0.0.1:${port}`, plugins: path.dirname(PLUGIN),
        });

        await Promise.race([server.exit, sleep(STOP_MS)]);

        assert.notEqual(server.ended, null, 'it goes on');
        assert.equal(server.ended, 'status 1');
        assert.match(await server.tail(),
                     /^verdaccio-npmtoken: "trust" has "nginx", which is no/m);

        await server.stop();
    },

    'npm installs it from the folder, and from a tarball': async servers => {
        const home = `${servers.dir}/install`;
        const { version } = JSON.parse(
            await readFile(`${PLUGIN}/package.json`, 'utf8'));

        for (const how of ['folder', 'tarball']) {
            const dir = `${home}/${how}`;
            let from = PLUGIN;

            await mkdir(dir, { recursive: true });
            await writeFile(`${dir}/package.json`, '{ "private": true }');

            if (how === 'tarball') {
                await npm(['pack', PLUGIN, '--pack-destination', home], dir,
                          home);
                from = `${home}/verdaccio-npmtoken-${version}.tgz`;
            }

            await npm(['install', from], dir, home);

            const installed = createRequire(`${dir}/x`)('verdaccio-npmtoken');

            assert.ok(installed({}, { config: {} }).apiJWTmiddleware);
            assert.match(await readFile(
                `${dir}/node_modules/verdaccio-npmtoken/README.md`, 'utf8'),
                         /own_tokens/);
        }
    },
};


export async function pluginTests({ report, servers }) {
    for (const [title, body] of Object.entries(TESTS)) {
        await report.test(`plugin: ${title}`, () => body(servers));
    }
}
