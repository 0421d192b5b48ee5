/*
 * All that a Verdaccio keeps: the files in its directories, and what it
 * answers.  Accounts that log-ins made are told apart.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync }
    from 'node:fs';
import path from 'node:path';

import { inPath, PACKAGES, USER } from './operations.mjs';

const ASKED = [
    ...Object.keys(PACKAGES).map(name => `/${inPath(name)}?write=true`),
    '/-/npm/v1/tokens', '/-/v1/search?text=pkg&size=50', '/-/all',
    '/-/package/pkg/dist-tags',
];

const GUEST = /^guest-\d+:/;


function files(dir, into = new Map()) {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
        const name = path.join(dir, entry.name);

        if (entry.isDirectory()) {
            files(name, into);
        } else {
            /* a lock or a new file may be gone by now */
            try {
                into.set(name, readFileSync(name));
            } catch (e) {
                if (e.code !== 'ENOENT') {
                    throw e;
                }
            }
        }
    }

    return into;
}


export class State {

    constructor(registry) {
        this.registry = registry;
        this.storage = `${registry.dir}/storage`;
        this.htpasswd = `${registry.dir}/htpasswd`;
        this.guests = new Set();
    }

    async keep() {
        this.files = files(this.storage);
        this.accounts = readFileSync(this.htpasswd, 'utf8');
        this.answers = await this.asked();
    }

    async asked() {
        const answers = new Map();

        for (const url of ASKED) {
            const { status, body } = await this.registry.ask('GET', url, USER);

            /* a search says when it was made */
            answers.set(url, `${status} ${body}`
                .replace(/,"time":"[^"]*"\}$/, ''));
        }

        return answers;
    }

    /* what is not as it was: on disk */
    changedFiles() {
        const now = files(this.storage);
        const changed = [];
        const short = name => path.relative(this.storage, name);

        for (const [name, bytes] of now) {
            const before = this.files.get(name);

            if (!before) {
                changed.push(`new file ${short(name)}`);
            } else if (!before.equals(bytes)) {
                changed.push(`changed file ${short(name)}`);
            }
        }

        for (const name of this.files.keys()) {
            if (!now.has(name)) {
                changed.push(`lost file ${short(name)}`);
            }
        }

        return changed;
    }

    /* a session may make an account, of a name that only log-ins use */
    changedAccounts() {
        const was = this.accounts.split('\n');
        const is = readFileSync(this.htpasswd, 'utf8').split('\n');
        const more = is.filter(line => !was.includes(line));
        const lost = was.filter(line => !is.includes(line));
        const name = line => line.split(':')[0];

        more.filter(line => GUEST.test(line))
            .forEach(line => this.guests.add(name(line)));

        return [
            ...more.filter(line => !GUEST.test(line))
                .map(line => `account "${name(line)}" is new or another`),
            ...lost.map(line => `account "${name(line)}" as it was is gone`),
        ];
    }

    changedOnDisk() {
        return [...this.changedFiles(), ...this.changedAccounts()];
    }

    async changed() {
        const answers = await this.asked();

        return [
            ...this.changedOnDisk(),
            ...[...answers].filter(([url, text]) =>
                text !== this.answers.get(url))
                .map(([url]) => `GET ${url} answers otherwise`),
        ];
    }

    /* back to what was kept; what a process remembers is its own */
    restore() {
        const now = files(this.storage);

        for (const name of now.keys()) {
            if (!this.files.has(name)) {
                rmSync(name, { force: true });
            }
        }

        for (const [name, bytes] of this.files) {
            if (!now.get(name)?.equals(bytes)) {
                mkdirSync(path.dirname(name), { recursive: true });
                writeFileSync(name, bytes);
            }
        }

        writeFileSync(this.htpasswd, this.accounts);
    }
}
