/*
 * The machine's real npm, as a person with a token runs it: a HOME, an
 * .npmrc and a cache of its own, and nothing of the npm that may have
 * started us.
 */

import { spawn } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { atTerminal } from './terminal.mjs';

const DEADLINE_MS = 120000;


export function cleanEnv(extra) {
    const env = {};

    for (const [name, value] of Object.entries(process.env)) {
        if (!/^(npm_|node_options$|.*_proxy$|init_cwd$)/i.test(name)) {
            env[name] = value;
        }
    }

    return { ...env, NO_COLOR: '1', CI: '', ...extra };
}


export class Person {

    constructor(servers, name, token) {
        this.servers = servers;
        this.name = name;
        this.token = token;
        this.home = path.join(servers.dir, 'people', name);
        this.npmrc = path.join(this.home, '.npmrc');
        this.projects = 0;
    }

    async settle() {
        const { url } = this.servers;
        const auth = this.token
            ? `${url.slice('http:'.length)}:_authToken=${this.token}\n` : '';

        this.servers.inUse();
        await mkdir(this.home);
        await writeFile(this.npmrc, `registry=${url}\n${auth}`
                        + 'fund=false\nupdate-notifier=false\n'
                        + 'progress=false\nfetch-retries=0\n', { mode: 0o600 });

        return this;
    }

    /* a directory with a package.json, and other files if need be */
    async project(manifest, files = {}) {
        const dir = path.join(this.home, `project-${++this.projects}`);

        this.servers.inUse();
        await mkdir(dir);

        const all = { 'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
                      ...files };

        for (const [name, text] of Object.entries(all)) {
            await writeFile(path.join(dir, name), text);
        }

        return dir;
    }

    has(dir, file) {
        return access(path.join(dir, file)).then(() => true, () => false);
    }

    read(dir, file) {
        return readFile(path.join(dir, file), 'utf8');
    }

    /* as npm itself keeps it */
    async ownToken() {
        const text = await readFile(this.npmrc, 'utf8');

        return text.match(/_authToken=(\S+)/)?.[1].replaceAll('"', '');
    }

    env() {
        return cleanEnv({
            HOME: this.home,
            npm_config_cache: path.join(this.home, 'cache'),
            npm_config_globalconfig: path.join(this.home, 'none'),
        });
    }

    npm(args, cwd = this.home) {
        return this.run('npm', args, cwd);
    }

    /* at a terminal; "asks" are its questions and what is typed */
    talk(args, asks, cwd = this.home) {
        return atTerminal(this.servers, ['npm', ...args],
                          { cwd, env: this.env() }, asks);
    }

    /* "answers" are typed one by one, each when something was asked */
    run(command, args, cwd, answers = []) {
        this.servers.inUse();

        return new Promise((resolve, reject) => {
            const child = spawn(command, args, {
                cwd, env: this.env(), stdio: 'pipe', timeout: DEADLINE_MS,
            });

            this.servers.clients.add(child);

            let typed = 0;
            const out = { stdout: '', stderr: '', all: '' };

            for (const stream of ['stdout', 'stderr']) {
                child[stream].setEncoding('utf8');
                child[stream].on('data', text => {
                    out[stream] += text;
                    out.all += text;

                    if (/: ?$/.test(text) && typed < answers.length) {
                        child.stdin.write(`${answers[typed++]}\n`);
                    }
                });
            }

            child.on('error', reject);
            child.on('close', (code, signal) => {
                this.servers.clients.delete(child);

                if (this.servers.stopping) {
                    reject(new Error('interrupted'));
                    return;
                }

                resolve({ ...out, code: signal ? `signal ${signal}` : code });
            });

            child.stdin.on('error', () => {});

            if (answers.length === 0) {
                child.stdin.end();
            }
        });
    }
}
