/*
 * redis-server, nginx with the module in many arrangements, and two
 * Verdaccios that begin with the same packages: one that must not change, and
 * one for requests that are meant to change it.
 */

import { cp, mkdir, mkdtemp, open, rm, symlink, writeFile }
    from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { check, nginxHead, nginxTemps, request, ROOT, Servers }
    from '../../demo/lib/servers.mjs';
import { hset, newToken } from '../../demo/lib/tokens.mjs';
import { inPath, PACKAGES, PASSWORD, publication, USER }
    from './operations.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const VERDACCIO = path.resolve(process.env.NPMTOKEN_VERDACCIO
    || path.join(ROOT, 'build/verdaccio'));

/* Verdaccio's own, as conf-examples/verdaccio.conf has them */
const PAGES = ['verdaccio', 'static', 'web'];


/*
 * "named": the registry is told that everybody is alice, so nothing stands
 * between it and a request but the module's "no".  Otherwise the module names
 * her, as docs/identity.md says.
 */

export const VARIANTS = [
    { name: 'no URI in proxy_pass', base: '/', named: true, weight: 4,
      conf: 'location / { npmtoken main; proxy_pass http://REGISTRY; }' },

    { name: 'no URI, npmtoken_identity', base: '/', weight: 2,
      conf: 'location / { npmtoken main; proxy_pass http://REGISTRY; }' },

    { name: 'a URI in proxy_pass', base: '/', named: true, weight: 3,
      conf: 'location / { npmtoken main; proxy_pass http://REGISTRY/; }' },

    { name: 'at /npm/', base: '/npm/', named: true, weight: 3,
      conf: `location /npm/ {
            npmtoken main; npmtoken_base /npm/;
            proxy_pass http://REGISTRY/;
        }` },

    { name: 'at /api/npm/x/, rewritten', base: '/api/npm/x/', named: true,
      weight: 2,
      conf: `location /api/npm/x/ {
            npmtoken main; npmtoken_base /api/npm/x/;
            rewrite ^/api/npm/x/(.*)$ /$1 break;
            proxy_pass http://REGISTRY;
        }` },

    { name: 'at a path with percent signs', base: '/g/acme%2Fweb/npm/',
      named: true, weight: 2,
      conf: `location /g/acme/web/npm/ {
            npmtoken main; npmtoken_base /g/acme%2Fweb/npm/;
            proxy_pass http://REGISTRY/;
        }` },

    { name: '$request_uri in proxy_pass', base: '/', named: true, weight: 1,
      conf: `location / {
            npmtoken main; proxy_pass http://REGISTRY$request_uri;
        }` },

    { name: 'a regex, slashes as they are, HTTP/1.0, nothing buffered',
      base: '/', named: true, weight: 2,
      conf: `merge_slashes off;
        proxy_request_buffering off;
        proxy_buffering off;
        location ~ ^/ {
            npmtoken main; proxy_http_version 1.0;
            proxy_pass http://REGISTRY;
        }` },

    { name: 'headers with underscores, a body not buffered', base: '/',
      named: true, weight: 1,
      conf: `underscores_in_headers on;
        ignore_invalid_headers off;
        proxy_request_buffering off;
        location / { npmtoken main; proxy_pass http://REGISTRY; }` },

    { name: "Verdaccio's pages beside it", base: '/', weight: 2,
      open: /^\/-\/(verdaccio|static|web)\//,
      conf: [
          'location / { npmtoken main; proxy_pass http://REGISTRY; }',
          ...PAGES.map(page => `location /-/${page}/ {
            npmtoken off; proxy_pass http://REGISTRY/-/${page}/;
        }`),
      ].join('\n        ') },

    { name: 'a rewrite to what is worse', base: '/', named: true, weight: 1,
      conf: `location / {
            npmtoken main;
            rewrite ^/-/user/token/(.*)$ /pkg/-rev/$1 break;
            rewrite ^/-/(ping|v1/login)$ /-/npm/v1/tokens break;
            proxy_pass http://REGISTRY;
        }` },

    { name: 'anybody may read', base: '/', named: true, weight: 1,
      conf: `location / {
            npmtoken main; npmtoken_anonymous read;
            npmtoken_unknown anonymous; proxy_pass http://REGISTRY;
        }` },

    { name: 'HTTP/2, no URI', base: '/', named: true, http2: true, weight: 2,
      conf: 'location / { npmtoken main; proxy_pass http://REGISTRY; }' },

    { name: 'HTTP/2, a URI', base: '/', named: true, http2: true, weight: 1,
      conf: 'location / { npmtoken main; proxy_pass http://REGISTRY/; }' },
];

/* wrong on purpose: what is wrong there has to be found */

export const HOLES = [
    { name: 'npmtoken_dry_run on', base: '/', named: true,
      conf: `location / {
            npmtoken main; npmtoken_dry_run on; proxy_pass http://REGISTRY;
        }` },

    { name: 'npmtoken off in one location, no URI there', base: '/',
      named: true, open: /^\/-\/static\//,
      conf: `location / { npmtoken main; proxy_pass http://REGISTRY; }
        location /-/static/ { npmtoken off; proxy_pass http://REGISTRY; }` },
];

[...VARIANTS, ...HOLES].forEach((variant, i) => { variant.number = i; });

/* a unix socket for each, and for each of the two registries */
export const socketOf = (servers, variant, registry) =>
    `${servers.dir}/${registry}-${variant.number}.sock`;


const server = (dir, variant, registry) => `
    server {
        listen unix:${dir}/${registry}-${variant.number}.sock proxy_protocol${
            variant.http2 ? ' http2' : ''};

        ${variant.named ? `proxy_set_header X-Npm-User ${USER};`
            : 'npmtoken_identity X-Npm-User;'}
        proxy_set_header X-Case $proxy_protocol_addr:$proxy_protocol_port;
        proxy_set_header Host registry;
        proxy_set_header X-Forwarded-For 127.0.0.1;
        proxy_set_header Connection "";
        proxy_http_version 1.1;

        ${variant.conf.replaceAll('REGISTRY', registry)}
    }
`;

/* one worker: lines are logged in the order of the requests */

const nginxConf = ({ dir, port }) =>
    `${nginxHead({ dir, level: 'warn', connections: 1024 })}
http {
    log_format cases escape=json
        '{"case":"$proxy_protocol_addr:$proxy_protocol_port",'
        '"method":"$request_method","status":"$status",'
        '"verdict":"$npmtoken_verdict","operation":"$npmtoken_operation",'
        '"upstream":"$upstream_status"}';

    access_log ${dir}/cases.log cases;

${nginxTemps(`${dir}/nginx`)}

    npmtoken_log_level info;

    # what waits for more than was sent has not got the whole day
    client_header_timeout 200ms;
    client_body_timeout   200ms;
    keepalive_timeout     100ms;
    send_timeout          2s;
    proxy_read_timeout    10s;
    lingering_timeout     200ms;

    npmtoken_store main {
        redis unix:${dir}/redis.sock;
    }

    upstream subject {
        server unix:${dir}/subject/verdaccio.sock;
        keepalive 16;
    }

    upstream control {
        server unix:${dir}/control/verdaccio.sock;
        keepalive 16;
    }

    server {
        listen 127.0.0.1:${port};

        location = /-/ping {
            return 200;
        }
    }
${VARIANTS.map(variant => server(dir, variant, 'subject')
                          + server(dir, variant, 'control')).join('')}
${HOLES.map(variant => server(dir, variant, 'control')).join('')}
}
`;


const yaml = dir => `
storage: ${dir}/storage
plugins: ${dir}/plugins
listen: unix:${dir}/verdaccio.sock

web:
  enable: true
  rateLimit: { windowMs: 1000, max: 1000000 }

# npmtoken first: see conf-examples/verdaccio-npmtoken
auth:
  npmtoken: {}
  htpasswd:
    file: ${dir}/htpasswd
    rounds: 4

# more that can be changed
flags:
  changePassword: true

# nothing is fetched from anywhere
uplinks: {}

packages:
  '**':
    access: $authenticated
    publish: $authenticated
    unpublish: $authenticated

server:
  trustProxy: 1

userRateLimit: { windowMs: 1000, max: 1000000 }

log: { type: stdout, format: json, level: error }
`;


export class Registry {

    constructor(servers, name) {
        this.servers = servers;
        this.name = name;
        this.dir = `${servers.dir}/${name}`;
        this.socket = `${this.dir}/verdaccio.sock`;
        this.record = `${this.dir}/requests`;
    }

    async prepare(from) {
        await mkdir(`${this.dir}/plugins`, { recursive: true });
        await symlink(`${ROOT}/conf-examples/verdaccio-npmtoken`,
                      `${this.dir}/plugins/verdaccio-npmtoken`);
        await writeFile(`${this.dir}/verdaccio.yaml`, yaml(this.dir));
        await writeFile(this.record, '');

        if (from) {
            await cp(`${from.dir}/storage`, `${this.dir}/storage`,
                     { recursive: true });
            await cp(`${from.dir}/htpasswd`, `${this.dir}/htpasswd`);
        }
    }

    async start() {
        this.server = this.servers.server(`verdaccio-${this.name}`);

        await this.server.start(process.execPath, [
            '--require', `${HERE}/recorder.cjs`,
            `${VERDACCIO}/node_modules/verdaccio/bin/verdaccio`,
            '--config', `${this.dir}/verdaccio.yaml`,
        ], { cwd: this.dir, env: {
            PATH: process.env.PATH, HOME: this.dir,
            NPMTOKEN_RECORD: this.record,
        } });

        await this.server.ready(async () =>
            (await this.ask('GET', '/-/ping')).status === 200);
    }

    /* there are requests that end a Verdaccio; was it so? */
    async revive() {
        const alive = await this.ask('GET', '/-/ping').catch(() => undefined);

        if (alive) {
            return false;
        }

        await this.server.stop();

        /* and it would wait for its own lock */
        for (const name of ['verdaccio.sock', 'htpasswd.lock']) {
            await rm(`${this.dir}/${name}`, { force: true });
        }

        await this.start();

        return true;
    }

    /* past nginx, as whoever may open the socket */
    ask(method, url, user, body) {
        return request({
            socketPath: this.socket, method, path: url, headers: {
                Host: 'registry', 'X-Case': 'own',
                ...user ? { 'X-Npm-User': user } : {},
                ...body ? { 'Content-Type': 'application/json' } : {},
            },
        }, body && JSON.stringify(body));
    }

    async make(method, url, user, body) {
        const { status, body: text } = await this.ask(method, url, user, body);

        if (status >= 300) {
            throw new Error(`Verdaccio: ${method} ${url}: ${status} ${text}`);
        }

        return JSON.parse(text);
    }

    async seed() {
        for (const name of [USER, 'bob']) {
            await this.make('PUT', `/-/user/org.couchdb.user:${name}`,
                            undefined, { name, password: PASSWORD });
        }

        for (const [name, versions] of Object.entries(PACKAGES)) {
            for (const version of versions) {
                await this.make('PUT', `/${inPath(name)}`, USER,
                                publication(name, version));
            }
        }

        const { key } = await this.make('POST', '/-/npm/v1/tokens', USER, {
            password: PASSWORD, readonly: false, cidr_whitelist: [],
        });

        const packuments = new Map();

        for (const name of Object.keys(PACKAGES)) {
            packuments.set(name, await this.make(
                'GET', `/${inPath(name)}?write=true`, USER));
        }

        return { tokenKey: key, packuments };
    }
}


/*
 * Shapes of tokens: npm's own, base64, and some that an issuer would have to
 * be talked into.  Records only differ in "readonly".
 */

const SHAPES = [
    () => newToken(),
    () => `${newToken().slice(4, 20)}/${newToken().slice(4, 16)}+/x==`,
    () => `${newToken().slice(4, 12)}/../../../../pkg/-rev/1`,
    () => `..//../${newToken().slice(4, 12)}/-rev/../pkg`,
    () => `${newToken().slice(4, 12)}//-rev//1`,
];

async function issue(servers, readonly) {
    const tokens = SHAPES.map(shape => shape());

    for (const token of tokens) {
        await servers.redis(...hset(token, { user: USER, readonly }));
    }

    return tokens;
}


/* the lines of a file of JSON that were not there the last time */

export class Tail {

    constructor(file) {
        this.file = file;
        this.at = 0;
        this.rest = '';
    }

    async lines() {
        const file = await open(this.file);

        try {
            const { size } = await file.stat();
            const buffer = Buffer.alloc(size - this.at);
            const { bytesRead } = await file.read(buffer, 0, buffer.length,
                                                  this.at);

            this.at += bytesRead;
            this.rest += buffer.toString('latin1', 0, bytesRead);
        } finally {
            await file.close();
        }

        const lines = this.rest.split('\n');

        this.rest = lines.pop();

        return lines.map(line => JSON.parse(line));
    }
}


export async function startSite(onDir) {
    await check();

    const servers = new Servers(
        await mkdtemp(path.join(tmpdir(), 'npmtoken-property.')));

    onDir(servers);

    const subject = new Registry(servers, 'subject');
    const control = new Registry(servers, 'control');

    await subject.prepare();
    await Promise.all([servers.startRedis(), subject.start()]);

    const world = await subject.seed();

    await control.prepare(subject);
    await control.start();
    await servers.startNginx(1, nginxConf);

    return {
        servers, subject, control, world,
        readonly: await issue(servers, true),
        full: await issue(servers, false),
    };
}


/* one connection: what was answered, when nginx or "done" has ended it */

export function exchange(socketPath, caseName, bytes, done, limit) {
    return new Promise(resolve => {
        const [address, port] = caseName.split(':');
        const socket = net.connect(socketPath);
        const parts = [];

        const timer = setTimeout(() => socket.destroy(), limit);

        socket.on('error', () => {});
        socket.on('close', () => {
            clearTimeout(timer);
            resolve(Buffer.concat(parts));
        });
        socket.on('data', data => {
            parts.push(data);

            if (done?.(Buffer.concat(parts))) {
                socket.destroy();
            }
        });

        socket.write(`PROXY TCP4 ${address} 127.0.0.1 ${port} 80\r\n`);
        socket.write(bytes);
    });
}
