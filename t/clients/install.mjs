/*
 * The clients, as their lockfiles in pinned/ have them, in build/clients/NAME.
 * Only what is asked for is installed, and only if it is not there:
 *
 *     node t/clients/install.mjs [CLIENT ...]      all, or the named ones
 */

import { spawn } from 'node:child_process';
import { access, copyFile, mkdir, readFile, rm, writeFile }
    from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { ROOT } from '../../demo/lib/servers.mjs';
import { CLIENTS } from './tables.mjs';

export const BUILT = path.join(ROOT, 'build/clients');

const PINNED = path.join(ROOT, 't/clients/pinned');
const FILES = ['package.json', 'package-lock.json'];

/* none of them needs what its package would run on installing it */
const CI = ['ci', '--ignore-scripts', '--no-audit', '--no-fund',
            '--loglevel=error'];


async function pinned(name) {
    const texts = FILES.map(file =>
        readFile(path.join(PINNED, name, file), 'utf8'));

    return (await Promise.all(texts)).join('');
}

function npmCi(dir) {
    return new Promise((resolve, reject) => {
        const child = spawn('npm', CI, {
            cwd: dir, stdio: ['ignore', 'pipe', 'pipe'],
        });
        let said = '';

        child.stdout.on('data', text => { said += text; });
        child.stderr.on('data', text => { said += text; });
        child.on('error', reject);
        child.on('close', code => code === 0 ? resolve()
            : reject(Object.assign(new Error(`npm ci in ${dir}: ${said}`),
                                   { expected: true })));
    });
}

async function installOne(name) {
    const dir = path.join(BUILT, name);
    const stamp = path.join(dir, '.installed');
    const wanted = await pinned(name);

    if (await readFile(stamp, 'utf8').catch(() => '') === wanted) {
        return;
    }

    console.log(`clients: installing ${name} in build/clients/${name}`);

    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });

    for (const file of FILES) {
        await copyFile(path.join(PINNED, name, file), path.join(dir, file));
    }

    await npmCi(dir);
    await writeFile(stamp, wanted);
}


/* the clients, and what they themselves run */
export async function install(clients) {
    const names = clients.flatMap(({ name, runs = [] }) => [name, ...runs]);

    for (const name of [...new Set(names)]) {
        await installOne(name);
    }

    for (const client of clients) {
        await access(path.join(BUILT, client.name, client.program));
    }
}


if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const wanted = process.argv.slice(2);

    install(CLIENTS.filter(({ name }) =>
        wanted.length === 0 || wanted.includes(name))).catch(e => {
        console.error(e.expected ? e.message : e.stack);
        process.exitCode = 1;
    });
}
