/*
 * A private redis-server, Verdaccio and nginx with the module: the demo, the
 * client tests and `make run` talk to the same three.
 *
 * All of them live in one directory that is open to the starting user alone;
 * Redis and Verdaccio listen on unix sockets in it, nginx on a free port of
 * 127.0.0.1.  stop() ends what was started here, by pid, and removes the
 * directory.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, open, readFile, rm, symlink, writeFile }
    from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)),
                                 '../..');

/* what may be set from outside, e.g. to test a build made with a sanitizer */
export const MODULE = path.resolve(process.env.NPMTOKEN_MODULE
    || path.join(ROOT, 'build/ngx_http_npmtoken_module.so'));
export const API_MODULE = path.resolve(process.env.NPMTOKEN_API_MODULE
    || path.join(ROOT, 'build/ngx_http_npmtoken_api_module.so'));
const VERDACCIO = path.resolve(process.env.NPMTOKEN_VERDACCIO
    || path.join(ROOT, 'build/verdaccio'));
const NGINX = process.env.NPMTOKEN_NGINX || 'nginx';
const REDIS = process.env.NPMTOKEN_REDIS || 'redis-server';

const START_MS = 60000;
const STOP_MS = 5000;
const LOG_MS = 5000;


/* a child with its output in a file */

export class Server {

    constructor(name, dir) {
        this.name = name;
        this.log = path.join(dir, `${name}.log`);
        this.ended = null;
        this.stopped = false;
    }

    async start(command, args, options = {}) {
        const file = await open(this.log, 'a');

        if (this.stopped) {
            await file.close();
            throw new Error(`${this.name}: interrupted`);
        }

        /* a group of its own: Ctrl-C is ours to hand on, in our order */
        this.child = spawn(command, args, {
            ...options, detached: true, stdio: ['ignore', file.fd, file.fd],
        });

        this.exit = new Promise(resolve => {
            this.child.on('error', e => {
                this.ended = e.message;
                resolve();
            });
            this.child.on('exit', (code, signal) => {
                this.ended = signal ? `signal ${signal}` : `status ${code}`;
                resolve();
            });
        });

        await file.close();
    }

    /* waits for a condition, or for the child's end */
    async ready(condition) {
        const until = Date.now() + START_MS;

        while (!await condition().catch(() => false)) {
            if (this.ended !== null || Date.now() > until) {
                throw Object.assign(new Error(
                    `${this.name} did not start`
                    + ` (${this.ended ?? 'no answer'})\n`
                    + await this.tail()), { expected: true });
            }

            await sleep(20);
        }
    }

    async stop() {
        this.stopped = true;

        if (!this.child?.pid || this.ended !== null) {
            return;
        }

        this.child.kill('SIGTERM');

        const timer = setTimeout(() => {
            try {
                process.kill(-this.child.pid, 'SIGKILL');
            } catch {
                /* gone meanwhile */
            }
        }, STOP_MS);

        await this.exit;
        clearTimeout(timer);
    }

    async tail(lines = 15) {
        const text = await readFile(this.log, 'utf8').catch(() => '');

        return text.trimEnd().split('\n').slice(-lines).join('\n');
    }
}


/* a line of the file in which Verdaccio keeps its accounts */

function htpasswd([name, password]) {
    const hash = createHash('sha1').update(password).digest('base64');

    return `${name}:{SHA}${hash}\n`;
}


/* one command to Redis, for commands that are answered by one line */

export function redisCommand(socketPath, args) {
    return new Promise((resolve, reject) => {
        const socket = net.connect(socketPath);
        let reply = '';

        socket.on('error', reject);
        socket.on('close', () => reject(new Error('redis: closed early')));
        socket.on('data', data => {
            reply += data;

            if (!reply.includes('\r\n')) {
                return;
            }

            const line = reply.slice(0, reply.indexOf('\r\n'));

            socket.destroy();

            if (line[0] === '-') {
                reject(new Error(`redis: ${args[0]}: ${line.slice(1)}`));
            } else {
                resolve(line.slice(1));
            }
        });

        socket.write(`*${args.length}\r\n` + args.map(arg =>
            `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join(''));
    });
}


/* one plain HTTP request, to nginx ("port") or Verdaccio ("socketPath") */

export function request(options, body) {
    return new Promise((resolve, reject) => {
        const req = http.request({ agent: false, ...options }, res => {
            let text = '';

            res.setEncoding('utf8');
            res.on('data', data => { text += data; });
            res.on('error', reject);
            res.on('end', () => resolve({
                status: res.statusCode, headers: res.headers, body: text,
            }));
        });

        req.on('error', reject);
        req.end(body);
    });
}


export function freePort() {
    return new Promise((resolve, reject) => {
        const server = net.createServer();

        server.on('error', reject);
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();

            server.close(() => resolve(port));
        });
    });
}


/* where nginx keeps what does not fit: lines of "http" */

export const nginxTemps = dir =>
    ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map(what => `    ${what}_temp_path ${dir};`).join('\n');

/* all that a configuration has before its "http" */

export function nginxHead({ dir, name = 'nginx', workers = 1,
                            modules = [MODULE], level = 'notice',
                            connections = 512 }) {
    const loaded = modules.map(module => `load_module ${module};`).join('\n');

    /* the directory is open to one user: the workers have to be that user */
    const user = process.getuid() === 0 ? 'user root;\n' : '';

    return `${loaded}

${user}worker_processes ${workers};
daemon off;
pid ${dir}/${name}.pid;
error_log ${dir}/${name}.log ${level};

events {
    worker_connections ${connections};
}
`;
}


function nginxConf({ dir, port, workers }) {
    return `${nginxHead({ dir, workers, modules: [MODULE, API_MODULE] })}
http {
    access_log ${dir}/access.log;

${nginxTemps(`${dir}/nginx`)}

    npmtoken_store main {
        redis unix:${dir}/redis.sock;
    }

    upstream registry {
        server unix:${dir}/verdaccio.sock;
        keepalive 8;
    }

    server {
        listen 127.0.0.1:${port};

        client_max_body_size 50m;

        location / {
            npmtoken           main;
            npmtoken_identity  X-Npm-User;

            # the token commands, and their page; accounts are the registry's
            npmtoken_api       main;
            npmtoken_api_login proxy;
            npmtoken_api_page  on;

            proxy_http_version 1.1;
            proxy_set_header   Connection        "";
            proxy_set_header   Host              127.0.0.1:${port};
            proxy_set_header   X-Forwarded-For   $remote_addr;
            proxy_set_header   X-Forwarded-Proto $scheme;
            proxy_pass         http://registry;
        }
    }
}
`;
}


export class Servers {

    constructor(dir) {
        this.dir = dir;
        this.started = [];
        this.clients = new Set();
        this.redisSocket = `${dir}/redis.sock`;
        this.registrySocket = `${dir}/verdaccio.sock`;
        this.accessLog = `${dir}/access.log`;
    }

    /* nothing is begun in a directory that is being removed */
    inUse() {
        if (this.stopping) {
            throw new Error('interrupted');
        }
    }

    server(name) {
        const server = new Server(name, this.dir);

        this.inUse();

        this.started.push(server);

        return server;
    }

    async startRedis() {
        const redis = this.server('redis');

        await redis.start(REDIS, [
            '--port', '0', '--unixsocket', this.redisSocket,
            '--unixsocketperm', '700', '--dir', this.dir, '--save', '',
            '--appendonly', 'no',
        ], { cwd: this.dir });

        await redis.ready(() => this.redis('PING'));
    }

    /* "accounts" of its own: names and passwords */
    async startVerdaccio(accounts) {
        const config = `${this.dir}/verdaccio.yaml`;
        const template = `${ROOT}/demo/verdaccio/config.yaml`;
        const verdaccio = this.server('verdaccio');

        await mkdir(`${this.dir}/plugins`);
        await symlink(`${ROOT}/conf-examples/verdaccio-npmtoken`,
                      `${this.dir}/plugins/verdaccio-npmtoken`);
        await symlink(`${ROOT}/demo/verdaccio/plugin`,
                      `${this.dir}/plugins/verdaccio-demo`);
        const yaml = (await readFile(template, 'utf8'))
            .replaceAll('@DIR@', this.dir);

        /* who may log in is settled then, and nobody signs up */
        await writeFile(config, accounts
            ? yaml.replace('npmtoken: {}', 'npmtoken: { login: true }') : yaml);
        await writeFile(`${this.dir}/htpasswd`,
                        Object.entries(accounts ?? {}).map(htpasswd).join(''));

        await verdaccio.start(process.execPath, [
            `${VERDACCIO}/node_modules/verdaccio/bin/verdaccio`,
            '--config', config,
        ], { cwd: this.dir, env: { PATH: process.env.PATH, HOME: this.dir } });

        await verdaccio.ready(async () => {
            const { status } = await this.registry('/-/ping');

            return status === 200;
        });
    }

    async startNginx(workers, conf) {
        const node = await this.startNode('nginx', workers, conf);

        this.port = node.port;
        this.url = node.url;
        this.page = `${node.url}-/npmtoken/`;
    }

    /* one of several nginx's that share the rest */
    async startNode(name, workers, conf) {
        const { dir } = this;
        const nginx = this.server(name);
        const port = await freePort();

        await mkdir(`${dir}/${name}`);
        await writeFile(`${dir}/${name}.conf`,
                        conf({ dir, name, port, workers }));

        await nginx.start(NGINX, ['-c', `${dir}/${name}.conf`, '-p', dir,
                                  '-e', nginx.log]);

        await nginx.ready(async () => {
            const { status } = await request({ host: '127.0.0.1', port,
                                               path: '/-/ping' });

            return status === 200;
        });

        return { name, port, url: `http://127.0.0.1:${port}/` };
    }

    redis(...args) {
        return redisCommand(this.redisSocket, args);
    }

    /* a field of a record, which is one line */
    async redisValue(name, field) {
        return this.redis('EVAL', "return redis.status_reply(redis.call("
                          + "'HGET', KEYS[1], ARGV[1]) or '')", '1', name,
                          field);
    }

    /* through nginx and the module */
    get(url, headers = {}) {
        return this.ask('GET', url, headers);
    }

    ask(method, url, headers = {}, body = undefined) {
        return request({ host: '127.0.0.1', port: this.port, path: url,
                         method, headers }, body);
    }

    /* past nginx, as the operator who owns the socket: to see what it keeps */
    registry(url, headers = {}) {
        return request({ socketPath: this.registrySocket, path: url,
                         headers: { Host: 'registry', ...headers } });
    }

    async packument(name, user) {
        const { status, body } = await this.registry(
            `/${name.replace('/', '%2f')}`, { 'X-Npm-User': user });

        return status === 200 ? JSON.parse(body) : null;
    }

    /* as npm does it; the token */
    async logIn(name, password) {
        const { status, body } = await this.ask(
            'PUT', `/-/user/org.couchdb.user:${name}`,
            { 'Content-Type': 'application/json' },
            JSON.stringify({ name, password, type: 'user' }));

        if (status !== 201) {
            throw new Error(`the login of ${name}: ${status} ${body}`);
        }

        return JSON.parse(body).token;
    }

    stopOne(name) {
        return this.started.find(server => server.name === name).stop();
    }

    /* the lines of Verdaccio's own log that a function picks */
    async registryLog(pick) {
        const text = await readFile(`${this.dir}/verdaccio.log`, 'utf8');

        return text.split('\n').filter(line => line.startsWith('{'))
            .map(line => JSON.parse(line)).filter(pick);
    }

    /*
     * The lines of the access log that have "text", as soon as there are
     * "count": nginx may write a line after its client has the answer.
     */
    async accessLines(text, count = 1) {
        const until = Date.now() + LOG_MS;
        let lines;

        do {
            const log = await readFile(this.accessLog, 'utf8');

            lines = log.split('\n').filter(line => line.includes(text));
        } while (lines.length < count && Date.now() < until
                 && await sleep(5, true));

        return lines;
    }

    /* the first of the servers that ends by itself */
    anyEnd() {
        return Promise.race(this.started.map(async server => {
            await server.exit;

            return server;
        }));
    }

    async tails(lines) {
        const out = [];

        for (const server of this.started) {
            out.push(`--- ${server.name}.log`, await server.tail(lines));
        }

        return out.join('\n');
    }

    stop() {
        this.stopping ??= this.stopAll();

        return this.stopping;
    }

    /* clients first: they may be waiting for the servers */
    async stopAll() {
        for (const client of this.clients) {
            client.kill('SIGKILL');
        }

        for (const server of this.started.reverse()) {
            await server.stop();
        }

        await rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
    }
}


export async function check() {
    const needed = [
        [MODULE, 'the module is not built: make'],
        [API_MODULE, 'the module of the token API is not built: make'],
        [`${VERDACCIO}/node_modules/verdaccio/bin/verdaccio`,
         'Verdaccio is not installed: make deps'],
    ];

    for (const [file, what] of needed) {
        await access(file).catch(() => {
            throw Object.assign(new Error(`${file}: ${what}`),
                                { expected: true });
        });
    }
}


/*
 * Starts the three.  "onDir" is called with the Servers as soon as there is
 * something to clean up, so that a signal during the start finds it.
 */
export async function startServers({ name = 'npmtoken', workers = 2,
                                     conf = nginxConf, accounts,
                                     onDir = () => {} } = {})
{
    await check();

    const servers = new Servers(
        await mkdtemp(path.join(tmpdir(), `${name}.`)));

    onDir(servers);

    try {
        await mkdir(`${servers.dir}/people`);
        await Promise.all([servers.startRedis(), servers.startVerdaccio(accounts)]);
        await servers.startNginx(workers, conf);
    } catch (e) {
        await servers.stop();
        throw e;
    }

    return servers;
}


/*
 * Runs main(onDir) and ends the process with the status it returns; whatever
 * happens, what "onDir" was told of is stopped first.  "ends" has the status
 * of a signal where that is no failure.
 */
export async function runMain(main, ends = {}) {
    const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, ...ends };
    let servers;
    let ending = false;

    /* the first reason counts: what is stopped has its own to fail */
    async function end(status, error) {
        if (ending) {
            return;
        }

        ending = true;

        /* whoever read us may be gone: EPIPE */
        if (error && error.code !== 'EPIPE') {
            console.error(`\n${error.expected ? error.message : error.stack}`);
        }

        await servers?.stop();
        process.exit(status);
    }

    for (const [signal, status] of Object.entries(signals)) {
        process.on(signal, () => end(status));
    }

    process.on('uncaughtException', error => end(1, error));

    try {
        await end(await main(s => { servers = s; }));
    } catch (e) {
        await end(1, e);
    }
}
