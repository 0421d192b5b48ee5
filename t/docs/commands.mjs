/*
 * The commands that README.md and docs/ give: each can be typed, and names what
 * there is.  t/quickstart types those of docs/quick-start.md on a fresh machine,
 * quickstart.mjs here those of the README; t/300-install.t and t/packages do
 * what docs/install.md says.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';
import { Site } from '../examples/site.mjs';

const read = file => readFileSync(path.join(ROOT, file), 'utf8');

const PAGES = ['README.md', 'conf-examples/verdaccio-npmtoken/README.md',
               ...readdirSync(path.join(ROOT, 'docs'))
                   .filter(file => file.endsWith('.md'))
                   .map(file => `docs/${file}`)];

const QUICK_START = read('docs/quick-start.md');


/* fenced, or a block of lines that begin with a program's name */

function commands(text) {
    const fenced = [...text.matchAll(/^```sh\n(.*?)^```/gms)];
    const indented = [...text.matchAll(
        /(?<=\n\n)((?: {4}(?:make|apt|npm|docker|npmtokenctl) .*\n)+)/g)];

    return [...fenced, ...indented].map(([, block]) => block);
}


/* what a command of the page writes into this file */

function written(file) {
    const begin = `cat >${file} <<'END'\n`;
    const at = QUICK_START.indexOf(begin);

    assert.notEqual(at, -1, `nothing writes ${file}`);

    return QUICK_START.slice(at + begin.length,
                             QUICK_START.indexOf('\nEND\n', at) + 1);
}


export async function commandTests({ report, servers, echo, tls }) {
    const all = PAGES.flatMap(page => commands(read(page))
                              .map(block => [page, block]));

    await report.test('docs: each block of commands can be typed', () => {
        assert.ok(all.length > 20, `${all.length} blocks`);

        for (const [page, block] of all) {
            try {
                execFileSync('bash', ['-n'], { input: block, stdio: 'pipe' });
            } catch (e) {
                assert.fail(`${page}: ${block}${e.stderr}`);
            }
        }
    });

    await report.test('docs: what they make can be made', () => {
        const targets = new Set([...read('Makefile')
            .matchAll(/^([a-z ]+):/gm)].flatMap(([, names]) =>
                names.split(' ')));

        for (const [page, block] of all) {
            for (const [, words] of block.matchAll(
                /^ *make((?: [a-z]+(?=[ \n]))+)/gm))
            {
                for (const name of words.trim().split(/ +/)) {
                    assert.ok(targets.has(name), `${page}: make ${name}`);
                }
            }
        }
    });

    await report.test('quick-start.md: nginx takes what it writes', async () => {
        const site = new Site(servers, 'quick-start-page', {
            tls, registry: { port: echo.port,
                             socket: `${servers.dir}/registry.sock` },
        });

        /* as Debian's nginx.conf has them */

        await site.prepare(`
load_module modules/ngx_http_npmtoken_module.so;
load_module modules/ngx_http_npmtoken_api_module.so;
user www-data;
pid /run/nginx.pid;

events {
}

http {
${written('/etc/nginx/conf.d/npmtoken.conf')}
${written('/etc/nginx/sites-available/npm')}
}
`);
        await site.file('npmtoken-api.password', 'secret\n');

        const { code, output } = await site.check();

        assert.equal(code, 0, output);
        assert.doesNotMatch(output, /\[(warn|error|crit|alert|emerg)\]/);
    });
}
