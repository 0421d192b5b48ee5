/*
 * The README's quick start, typed as it stands there.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from '../../demo/lib/servers.mjs';
import { Site } from '../examples/site.mjs';

const RECORD = 'npmtoken:token:x';
const README = readFileSync(path.join(ROOT, 'README.md'), 'utf8');


/* fenced blocks of one language in a section */

function blocks(title, language) {
    const begin = README.indexOf(`\n## ${title}\n`);
    const part = README.slice(begin + 1, README.indexOf('\n## ', begin + 1));

    return [...part.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``,
                                        'gms'))].map(([, text]) => text);
}


/* a redis-cli that finds the Redis of this run */

async function redisCli(servers) {
    const bin = `${servers.dir}/bin`;

    await mkdir(bin);
    await writeFile(`${bin}/redis-cli`, '#!/bin/sh\n'
        + `PATH='${process.env.PATH}'\n`
        + `exec redis-cli -s '${servers.redisSocket}' "$@"\n`,
        { mode: 0o700 });

    return bin;
}


/* the token that the commands made */

async function shell(bin, ...texts) {
    const { stdout } = await promisify(execFile)('sh', ['-euc', [
        ...texts, 'printf "%s" "$token"',
    ].join('\n')], { env: { PATH: `${bin}:${process.env.PATH}` } });

    return stdout.split('\n').at(-1);
}


export async function quickStartTests({ report, servers, echo, tls }) {
    const bin = await redisCli(servers);
    const [conf] = blocks('Quick start', 'nginx');
    const [, make, revoke, remove] = blocks('Quick start', 'sh');
    const site = new Site(servers, 'quick-start', {
        tls, registry: { port: echo.port },
    });

    await report.test('quick start: nginx starts', async () => {
        await site.prepare(conf);

        const { code, output } = await site.check();

        assert.equal(code, 0, output);
        assert.doesNotMatch(output, /\[(warn|error|crit|alert|emerg)\]/);
        await site.start();
    });

    const ask = token => site.ask('GET', '/pkg', { token });

    await report.test('quick start: the token works', async () => {
        const { status, echo: got, text } = await ask(await shell(bin, make));

        assert.equal(status, 200, text);
        assert.equal(got.headers['x-npm-user'], 'alice');
        assert.equal((await ask()).reason, 'no_token');
    });

    for (const [what, text, reason] of [['revoking', revoke, 'revoked'],
                                        ['deleting', remove, 'unknown']])
    {
        await report.test(`quick start: ${what} it is refusing it`,
                          async () => {
            assert.equal((await ask(await shell(bin, make, text))).reason,
                         reason);
        });
    }

    /* the first block of "Directives of a store" and the map of "Identity" */

    await report.test('README: its other configurations are valid',
                      async () => {
        const [store] = blocks('Directives of a store', 'nginx');
        const [map] = blocks('Identity: what the registry learns', 'nginx');
        const other = new Site(servers, 'blocks', {
            tls, registry: { port: echo.port },
        });

        await other.prepare(`
load_module modules/ngx_http_npmtoken_module.so;
load_module modules/ngx_http_npmtoken_api_module.so;
user www-data;
pid /run/nginx.pid;

events {
}

http {
${store}${map}
    ${defaults().join('\n    ')}
}
`);

        await other.file('npmtoken.password', 'secret\n');
        await other.file('registry-auth.map', 'alice "Basic YQ==";\n');

        const { code, output } = await other.check();

        assert.equal(code, 0, output);
    });

    await site.stop();

    await report.test('README: what its Redis users may do', async () => {
        for (const [, line] of README.matchAll(/^ +(ACL SETUSER .*)$/gm)) {
            await servers.redis(...line.split(' '));
        }

        for (const [right, user, ...command] of [
            [true, 'npmtoken', 'HGETALL', RECORD],
            [true, 'npmtoken', 'PTTL', RECORD],
            [true, 'npmtoken', 'CLIENT', 'SETNAME', 'x'],
            [true, 'npmtoken', 'ROLE'],
            [false, 'npmtoken', 'SELECT', '1'],
            [false, 'npmtoken', 'CLIENT', 'LIST'],
            [false, 'npmtoken', 'HSET', RECORD, 'user', 'x'],
            [false, 'npmtoken', 'HGETALL', 'npmtoken:user:alice'],
            [true, 'npmissuer', 'HSET', RECORD, 'user', 'x'],
            [true, 'npmissuer', 'HDEL', RECORD, 'user'],
            [true, 'npmissuer', 'DEL', RECORD],
            [true, 'npmissuer', 'EXPIRE', RECORD, '60'],
            [true, 'npmissuer', 'SCAN', '0'],
            [false, 'npmissuer', 'DEL', 'another'],
            [false, 'npmissuer', 'KEYS', '*'],
            [false, 'npmissuer', 'FLUSHALL'],
        ]) {
            const reply = await servers.redis('ACL', 'DRYRUN', user,
                                              ...command);

            assert.equal(reply === 'OK', right, `${user}: ${command}`);
        }
    });
}


/* as the README has them; a store of that name is in its block */

function defaults() {
    const found = [...README.matchAll(
        /^> \*\*default\*\*: `(npmtoken\w*.*;)`\\$/gm)].map(([, text]) => text);

    assert.ok(found.length > 1);

    return found;
}
