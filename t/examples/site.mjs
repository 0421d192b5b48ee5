/*
 * One nginx with a configuration that was written for an operator's machine,
 * here on this one.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Person } from '../../demo/lib/npm.mjs';
import { freePort, ROOT } from '../../demo/lib/servers.mjs';
import { hset, newToken, recordName } from '../../demo/lib/tokens.mjs';

const NGINX = process.env.NPMTOKEN_NGINX || 'nginx';
const MODULE = path.resolve(process.env.NPMTOKEN_MODULE
    || path.join(ROOT, 'build/ngx_http_npmtoken_module.so'));
const API_MODULE = path.resolve(process.env.NPMTOKEN_API_MODULE
    || path.join(ROOT, 'build/ngx_http_npmtoken_api_module.so'));

const LOG_MS = 5000;

const TEMPS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/* the directory of a run is open to one user: the workers have to be it */
const USER = process.getuid() === 0 ? 'user root;' : '';


/*
 * What is changed in a configuration; all the rest of it runs as it stands.
 *
 *     the modules                                 those that were built
 *     the user                                    whose run this is
 *     pid, logs, caches                           into the run's directory
 *     files in /etc/nginx                         into its "etc"
 *     where Redis and Verdaccio listen            sockets of the run
 *     listen PORT                                 a free port of 127.0.0.1
 *     registries on 127.0.0.1:PORT                the server that echoes
 *     Host, where "host" is given                 that
 *     addresses 10.0.0.x and 192.168.x.x          127.0.0.x and 127.168.x.x
 */

function adapt(text, { dir, redis, registry, ports, host }) {
    const temps = TEMPS.map(name => `    ${name}_temp_path ${dir}/tmp;\n`);
    const rules = [
        [/modules\/ngx_http_npmtoken_module\.so/g, MODULE],
        [/modules\/ngx_http_npmtoken_api_module\.so/g, API_MODULE],
        [/^user .*;\n/m, ''],
        [/\/run\/nginx\.pid/g, `${dir}/nginx.pid`],
        [/\/var\/(log|cache)\/nginx\//g, `${dir}/$1/`],
        [/\/etc\/nginx\//g, `${dir}/etc/`],
        [/unix:\/run\/redis\/redis-server\.sock/g, `unix:${redis}`],
        [/redis:\/\/127\.0\.0\.1:6379/g, `unix:${redis}`],
        [/unix:\/run\/verdaccio\/npm\.sock/g, `unix:${registry.socket}`],
        [/^(\s+server\s+127\.0\.0\.1):\d+;/gm, `$1:${registry.port};`],
        [/(http:\/\/127\.0\.0\.1):4873;/g, `$1:${registry.port};`],
        [/^(\s+listen\s+)(\d+)/gm,
         (_, listen, port) => `${listen}127.0.0.1:${ports.get(port)}`],
        [/\b10\.0\.0\./g, '127.0.0.'],
        [/\b192\.168\./g, '127.168.'],
        [/^events/m, `${USER}\nevents`],
        [/^http \{\n/m, `http {\n${temps.join('')}`],
    ];

    /* what has a default outside the run's directory */

    for (const [name, line, before] of [
        ['pid', `pid ${dir}/nginx.pid;`, /^events/m],
        ['error_log', `error_log ${dir}/log/error.log;`, /^events/m],
        ['access_log', `access_log ${dir}/log/access.log;`, /^(?<=http \{\n)/m],
    ]) {
        if (!new RegExp(`^ *${name} `, 'm').test(text)) {
            rules.push([before, `${line}\n$&`]);
        }
    }

    if (host) {
        rules.push([/(proxy_set_header\s+Host\s+)[\w.]+;/g, `$1${host};`]);
    }

    return rules.reduce((t, [from, to]) => t.replace(from, to), text);
}


function run(command, args) {
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, {
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        let output = '';

        child.stdout.on('data', data => { output += data; });
        child.stderr.on('data', data => { output += data; });
        child.on('error', reject);
        child.on('close', code => resolve({ code, output }));
    });
}


/* a certificate for 127.0.0.1, for as long as a run lasts */

export async function certificate(dir) {
    const files = { crt: `${dir}/tls.crt`, key: `${dir}/tls.key` };
    const { code, output } = await run('openssl', [
        'req', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', '/CN=localhost', '-addext',
        'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:npm.example.com',
        '-keyout', files.key, '-out', files.crt,
    ]);

    assert.equal(code, 0, `openssl:\n${output}`);

    return files;
}


/*
 * The registry that cannot be installed: it answers with what it got, and
 * keeps that.
 */

export class Echo {

    constructor() {
        this.seen = [];
        this.server = http.createServer((req, res) => {
            const got = { method: req.method, url: req.url,
                          headers: req.headers };

            this.seen.push(got);
            req.resume();
            req.on('end', () => {
                res.setHeader('Content-Type', 'application/json');
                res.end(JSON.stringify(got));
            });
        });
    }

    async start() {
        await new Promise(resolve => {
            this.server.listen(0, '127.0.0.1', resolve);
        });

        this.port = this.server.address().port;
        this.server.unref();
    }
}


export class Site {

    /* "host": true if the registry is to name this nginx in its answers */
    constructor(servers, name, { registry, tls, host = false }) {
        this.servers = servers;
        this.name = name;
        this.dir = `${servers.dir}/${name}`;
        this.registry = registry;
        this.tls = tls;
        this.host = host;
        this.ports = new Map();
        this.people = 0;
    }

    async prepare(text) {
        for (const sub of ['etc', 'log', 'cache', 'tmp']) {
            await mkdir(`${this.dir}/${sub}`, { recursive: true });
        }

        for (const [, port] of text.matchAll(/^\s+listen\s+(\d+)/gm)) {
            this.ports.set(port, await freePort());
        }

        for (const [, file, kind] of
             text.matchAll(/\/etc\/nginx\/([\w-]+\.(crt|key));/g))
        {
            await copyFile(this.tls[kind], `${this.dir}/etc/${file}`);
        }

        [this.port] = this.ports.values();
        this.secure = /^\s+listen\s+\d+ ssl/m.test(text);
        this.url = `http${this.secure ? 's' : ''}://127.0.0.1:${this.port}/`;
        this.conf = `${this.dir}/nginx.conf`;
        this.ca = await readFile(this.tls.crt);

        await writeFile(this.conf, adapt(text, {
            dir: this.dir,
            redis: this.servers.redisSocket,
            registry: this.registry,
            ports: this.ports,
            host: this.host && `127.0.0.1:${this.port}`,
        }));
    }

    /* a file of /etc/nginx */
    file(name, text) {
        return writeFile(`${this.dir}/etc/${name}`, text, { mode: 0o600 });
    }

    /* what nginx itself says of the configuration */
    check() {
        return run(NGINX, ['-t', '-c', this.conf, '-p', this.dir,
                           '-e', `${this.dir}/log/check.log`]);
    }

    async start() {
        this.nginx = this.servers.server(`nginx-${this.name}`);

        await this.nginx.start(NGINX, [
            '-c', this.conf, '-p', this.dir, '-g', 'daemon off;',
            '-e', `${this.dir}/log/error.log`,
        ]);

        await this.nginx.ready(() => new Promise((resolve, reject) => {
            const socket = net.connect(this.port, '127.0.0.1', () => {
                socket.destroy();
                resolve(true);
            });

            socket.on('error', reject);
        }));
    }

    async stop() {
        await this.nginx.stop();
    }

    log(name) {
        return readFile(`${this.dir}/log/${name}`, 'utf8');
    }

    /* nginx may write a line after its client has the answer */
    async logged(name, pattern) {
        const until = Date.now() + LOG_MS;
        let text;

        do {
            text = await this.log(name);

            if (pattern.test(text)) {
                return;
            }
        } while (Date.now() < until && await sleep(5, true));

        assert.match(text, pattern);
    }

    /* a token with a record */
    async token(user, fields = {}) {
        const token = newToken();

        await this.put(token, { user, ...fields });

        return token;
    }

    put(token, fields) {
        return this.servers.redis(...hset(token, fields));
    }

    set(token, field, value) {
        return this.servers.redis('HSET', recordName(token), field, value);
    }

    forget(token) {
        return this.servers.redis('DEL', recordName(token));
    }

    /*
     * One request; "from" is the address that it comes from.  "echo" is what
     * the registry got of it, undefined if it was not asked.
     */
    ask(method, url, { token, headers = {}, from, body, port } = {}) {
        const auth = token ? { Authorization: `Bearer ${token}` } : {};
        const client = this.secure ? https : http;

        return new Promise((resolve, reject) => {
            const req = client.request({
                host: '127.0.0.1', port: port ?? this.port, method, path: url,
                agent: false, ca: this.ca, servername: 'localhost',
                localAddress: from,
                headers: { ...auth, ...headers },
            }, res => {
                let text = '';

                res.setEncoding('utf8');
                res.on('data', data => { text += data; });
                res.on('error', reject);
                res.on('end', () => resolve(this.answer(res, text)));
            });

            req.on('error', reject);
            req.end(body);
        });
    }

    answer({ statusCode, headers }, text) {
        let json;

        if (text && /json/.test(headers['content-type'])) {
            json = JSON.parse(text);
        }

        return { status: statusCode, headers, text, json,
                 reason: json?.reason, echo: json?.url ? json : undefined };
    }

    /* bytes as they are, for what an HTTP client does not send */
    raw({ port, from }, bytes) {
        return new Promise((resolve, reject) => {
            const socket = net.connect({ host: '127.0.0.1', port,
                                         localAddress: from });
            let text = '';

            socket.setEncoding('utf8');
            socket.on('data', data => { text += data; });
            socket.on('error', reject);
            socket.on('close', () => resolve(text));
            socket.write(bytes);
        });
    }

    /* somebody with the machine's npm */
    async person(user, token) {
        /* the same servers, with this nginx as theirs */
        const servers = Object.assign(Object.create(this.servers), {
            dir: this.dir, url: this.url, tls: this.tls,
        });

        return new TlsPerson(servers, `${user}-${++this.people}`,
                             token).settle();
    }
}


class TlsPerson extends Person {

    async settle() {
        const { url, tls } = this.servers;
        const auth = this.token
            ? `${url.slice(url.indexOf('//'))}:_authToken=${this.token}\n`
            : '';

        await mkdir(this.home, { recursive: true });
        await writeFile(this.npmrc, `registry=${url}\n${auth}`
                        + `cafile=${tls.crt}\n`
                        + 'fund=false\naudit=false\nupdate-notifier=false\n'
                        + 'fetch-retries=0\n', { mode: 0o600 });

        return this;
    }
}
