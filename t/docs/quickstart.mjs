/*
 * The README's quick start, typed as it stands there; the configurations and
 * the Redis users of docs/.
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

const read = file => readFileSync(path.join(ROOT, file), 'utf8');

const README = read('README.md');
const DIRECTIVES = read('docs/directives.md');
const IDENTITY = read('docs/identity.md');
const REDIS = read('docs/redis.md');


/* fenced blocks of one language */

const fenced = (text, language) =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))]
        .map(([, block]) => block);

/* those in a section */

function blocks(page, title, language) {
    const begin = page.indexOf(`\n## ${title}\n`);

    return fenced(page.slice(begin + 1, page.indexOf('\n## ', begin + 1)),
                  language);
}


/* a redis-cli and a curl that find the Redis and the nginx of this run */

async function tools(servers, site, tls) {
    const bin = `${servers.dir}/bin`;
    const nginx = `npm.example.com:443:127.0.0.1:${site.port}`;

    await mkdir(bin);

    for (const [name, options] of [
        ['redis-cli', `-s '${servers.redisSocket}'`],
        ['curl', `--cacert '${tls.crt}' --connect-to '${nginx}'`],
    ]) {
        await writeFile(`${bin}/${name}`, '#!/bin/sh\n'
            + `PATH='${process.env.PATH}'\n`
            + `cd '${servers.dir}'\n`
            + `exec ${name} ${options} "$@"\n`,
            { mode: 0o700 });
    }

    return bin;
}


/* what the commands print */

async function shell(bin, ...texts) {
    const { stdout } = await promisify(execFile)('sh', [
        '-euc', texts.join('\n'),
    ], { env: { PATH: `${bin}:${process.env.PATH}` } });

    return stdout;
}

/* the token that they made */

async function made(bin, ...texts) {
    const printed = await shell(bin, ...texts, 'printf "%s" "$token"');

    return printed.split('\n').at(-1);
}


export async function quickStartTests({ report, servers, echo, tls }) {
    const [conf] = blocks(README, 'Quick start', 'nginx');
    const [make, bare, read, publish, revoke, remove] =
        blocks(README, 'Quick start', 'sh');
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

    const bin = await tools(servers, site, tls);
    const ask = token => site.ask('GET', '/pkg', { token });

    await report.test('quick start: the token works', async () => {
        const { status, echo: got, text } = await ask(await made(bin, make));

        assert.equal(status, 200, text);
        assert.equal(got.headers['x-npm-user'], 'alice');
        assert.equal((await ask()).reason, 'no_token');
    });

    await report.test('quick start: curl proves it', async () => {
        const printed = await shell(bin, bare);
        const answer = await shell(bin, make, read);

        assert.ok(README.includes(`\n    ${printed}\n`), printed);
        assert.match(answer, /"x-npm-user":"alice"/);
        assert.match(await shell(bin, make, publish), /\n403\n$/);
    });

    for (const [what, text, reason] of [['revoking', revoke, 'revoked'],
                                        ['deleting', remove, 'unknown']])
    {
        await report.test(`quick start: ${what} it is refusing it`,
                          async () => {
            assert.equal((await ask(await made(bin, make, text))).reason,
                         reason);
        });
    }

    /* the first block of "Directives of a store", and the map of identity.md */

    await report.test('docs: their other configurations are valid',
                      async () => {
        const [store] = blocks(DIRECTIVES, 'Directives of a store', 'nginx');
        const [map] = fenced(IDENTITY, 'nginx');
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

    await report.test('docs/redis.md: what its Redis users may do', async () => {
        for (const block of fenced(REDIS, 'sh')) {
            if (block.startsWith('redis-cli ACL SETUSER ')) {
                assert.equal(await shell(bin, block), 'OK\n');
            }
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
            [true, 'npmtokenctl', 'HSET', RECORD, 'user', 'x'],
            [false, 'npmtokenctl', 'FLUSHALL'],
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


/* as docs/directives.md has them; a store of that name is in its block */

function defaults() {
    const found = [...DIRECTIVES.matchAll(
        /^> \*\*default\*\*: `(npmtoken\w*.*;)`\\$/gm)].map(([, text]) => text);

    assert.ok(found.length > 1);

    return found;
}
