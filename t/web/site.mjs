/*
 * What the page is served by: three nginx nodes with one Redis, in front of
 * Verdaccio.  "here" and "there" keep accounts of their own; a single sign-on
 * tells "sso" who somebody is.
 */

import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { API_MODULE, freePort, MODULE, nginxHead, nginxTemps, request, startServers }
    from '../../demo/lib/servers.mjs';
import { keyOf } from '../../demo/lib/tokens.mjs';
import { seed } from '../clients/cells.mjs';
import { certificate } from '../examples/site.mjs';
import { totp } from '../clients/life/account.mjs';

export const WAIT_MS = 20000;

/* the longest that a person's token may live here, in days */
export const LONGEST = 365;
export const USUAL = 90;

/* a host that the browser finds here */
export const NAME = 'npm.example.com';

/* at the node "there" */
export const FEW_ATTEMPTS = 3;

/* whom Verdaccio knows */
const REGISTERED = 'paula';

const passwordOf = name => `Long-${name}-horse`;

/* where a second registry is */
const DEEP = '/artifactory/api/npm/npm/';


const http = ({ dir, name }, servers) =>
    `${nginxHead({ dir, name, workers: 2, modules: [MODULE, API_MODULE],
                   level: 'info' })}
http {
    access_log ${dir}/${name}.access.log;

${nginxTemps(`${dir}/${name}`)}

    npmtoken_store main {
        redis unix:${dir}/redis.sock;
    }

    upstream registry {
        server unix:${dir}/verdaccio.sock;
        keepalive 8;
    }
${servers}
}
`;

const proxied = port => `
            proxy_http_version 1.1;
            proxy_set_header   Connection        "";
            proxy_set_header   Host              127.0.0.1:${port};
            proxy_set_header   X-Forwarded-For   $remote_addr;
            proxy_set_header   X-Forwarded-Proto $scheme;
            proxy_pass         http://registry`;

const nodeConf = ({ dir, name, port }) => http({ dir, name }, `
    server {
        listen 127.0.0.1:${port};

        client_max_body_size 50m;

        location / {
            npmtoken              main;
            npmtoken_identity     X-Npm-User;

            npmtoken_api          main;
            npmtoken_api_page     on;
            npmtoken_api_web_otp  on;
            npmtoken_api_signup   on;
            npmtoken_api_issuer   npm.example.com;
            npmtoken_api_lifetime ${USUAL}d ${LONGEST}d;

            # all that is wrong here is wrong from one address
            npmtoken_api_attempts ${name === 'there' ? FEW_ATTEMPTS : 30} 1000;
${proxied(port)};
        }

        # a registry that is not at the root, and keeps the passwords
        location ${DEEP} {
            npmtoken              main;
            npmtoken_base         ${DEEP};
            npmtoken_identity     X-Npm-User;
            npmtoken_api          main;
            npmtoken_api_page     on;
            npmtoken_api_login    proxy;
${proxied(port)}/;
        }
    }`);

/* as conf-examples/sso.conf has it, but that nothing is asked again */
const ssoConf = tls => ({ dir, name, port }) => http({ dir, name }, `
    upstream sign-on {
        server unix:${dir}/sign-on.sock;
    }

    server {
        listen 127.0.0.1:${port};
        listen 127.0.0.1:${tls} ssl;

        ssl_certificate      ${dir}/tls.crt;
        ssl_certificate_key  ${dir}/tls.key;

        npmtoken             main;
        npmtoken_api         main;
        npmtoken_api_page    on;
        npmtoken_api_reauth  off;

        location / {
            npmtoken_identity  X-Npm-User;
${proxied(port)};
        }

        location /-/npmtoken/ {
            auth_request       /oauth2/auth;
            auth_request_set   $person $upstream_http_x_auth_request_user;
            npmtoken_api_user  $person;
${proxied(port)};

            location = /-/npmtoken/ {
                auth_request       /oauth2/auth;
                auth_request_set   $person $upstream_http_x_auth_request_user;
                npmtoken_api_user  $person;
                error_page         401 = @sign_on;
${proxied(port)};
            }
        }

        location @sign_on {
            npmtoken  off;
            return    302 /oauth2/sign_in?rd=/-/npmtoken/;
        }

        location /oauth2/ {
            npmtoken                 off;
            npmtoken_api             off;
            proxy_set_header         Content-Length "";
            proxy_set_header         X-Uri $request_uri;
            proxy_pass_request_body  off;
            proxy_pass               http://sign-on;
        }
    }`);

/*
 * What a single sign-on does, as far as nginx and a browser see it: whoever
 * comes is "person", and stays so by a cookie.  It lets nobody to what is
 * "closed".
 */
class SignOn {

    async start(socket) {
        const server = createServer((request, response) => {
            const url = new URL(request.url, 'http://sign-on');
            const [, who] = /signed_on=(\w+)/.exec(request.headers.cookie ?? '')
                ?? [];

            if (url.pathname === '/oauth2/sign_in') {
                response.writeHead(302, {
                    'Location': url.searchParams.get('rd'),
                    'Set-Cookie': `signed_on=${this.person}; Path=/; HttpOnly`,
                });
            } else if (who && who === this.person
                       && !this.closed?.test(request.headers['x-uri']))
            {
                response.writeHead(202, { 'X-Auth-Request-User': who });
            } else {
                response.writeHead(401);
            }

            response.end();
        });

        await new Promise(resolve => server.listen(socket, resolve));
        server.unref();

        return this;
    }
}


export async function startSite(onServers) {
    const servers = await startServers({
        onDir: onServers, conf: nodeConf,
        accounts: { [REGISTERED]: passwordOf(REGISTERED) },
    });
    const there = await servers.startNode('there', 2, nodeConf);
    const signOn = await new SignOn().start(`${servers.dir}/sign-on.sock`);
    const tls = await freePort();

    await certificate(servers.dir);

    const sso = await servers.startNode('sso', 2, ssoConf(tls));

    await seed(servers, 'hello');
    await seed(servers, '@acme/button');

    const { port, url } = servers;

    return new Site(servers, {
        here: { port, url }, deep: { port, url: url + DEEP.slice(1) },
        there, sso, signOn,

        /* the same as "sso", by a name */
        secure: { port: tls, url: `https://${NAME}:${tls}/` },
    });
}


export class Site {

    constructor(servers, nodes) {
        Object.assign(this, { servers, ...nodes });
        this.names = 0;

        /* what must be nowhere but where it belongs */
        this.secrets = new Map();
    }

    /* what comes to Redis, to be looked through at the end */
    async watchRedis() {
        const { servers } = this;
        const file = path.join(servers.dir, 'monitor.log');

        this.monitor = spawn('redis-cli', ['-s', servers.redisSocket,
                                           'MONITOR'], { stdio: 'pipe' });
        this.monitor.stdout.pipe(createWriteStream(file));
        servers.clients.add(this.monitor);
        this.monitor.on('close', () => servers.clients.delete(this.monitor));

        await until('MONITOR begins', async () =>
            /^OK/.test(await readFile(file, 'utf8').catch(() => '')));
    }

    isSecret(what, text) {
        if (text) {
            this.secrets.set(text, what);
        }

        return text;
    }

    /* as what a node, and a client of it, see of the servers */
    at(node) {
        return Object.assign(Object.create(this.servers), {
            url: node.url, port: node.port,
        });
    }

    /* whom the registry behind knows, and nobody else */
    registered() {
        return new Account(this, REGISTERED);
    }

    /* a person with an account; "tfa" is the mode of the second factor */
    async person({ name = `person${++this.names}`, tfa } = {}) {
        const person = new Account(this, name);

        await person.signUp();

        if (tfa) {
            await person.secondFactor(tfa);
        }

        return person;
    }

    async call(node, method, url, { token, otp, agent, body } = {}) {
        const { status, body: text } = await request({
            host: '127.0.0.1', port: node.port, method, path: url,
            headers: {
                ...token ? { Authorization: `Bearer ${token}` } : {},
                ...otp ? { 'npm-otp': otp } : {},
                ...agent ? { 'User-Agent': agent } : {},
                ...body ? { 'Content-Type': 'application/json' } : {},
            },
        }, body && JSON.stringify(body));

        return { status, said: text && JSON.parse(text) };
    }

    async redis(...args) {
        return this.servers.redis(...args);
    }

    /* where a secret was seen that does not belong there */
    async leaks() {
        const { dir } = this.servers;
        const files = ['monitor', 'redis', 'verdaccio', 'nginx',
                       'access', 'nginx.access', 'there', 'there.access',
                       'sso', 'sso.access'];
        const found = [];

        for (const name of files) {
            const text = await readFile(path.join(dir, `${name}.log`), 'utf8')
                .catch(() => '');

            for (const [secret, what] of this.secrets) {

                /* six digits are also a part of many a number */
                if (/^\d+$/.test(secret)
                    ? new RegExp(`(?<![\\w.#])${secret}(?![\\w#])`).test(text)
                    : text.includes(secret))
                {
                    found.push(`${what} is in ${name}.log`);
                }
            }
        }

        return found;
    }
}


export class Account {

    constructor(site, name) {
        this.site = site;
        this.name = name;
        this.password = site.isSecret('a password', passwordOf(name));
    }

    async signUp() {
        const { status, said } = await this.site.call(
            this.site.here, 'PUT', `/-/user/org.couchdb.user:${this.name}`,
            { body: { name: this.name, password: this.password,
                      email: `${this.name}@example.com`, type: 'user' } });

        must(status === 201, `sign-up: ${status} ${JSON.stringify(said)}`);
        this.token = this.site.isSecret('a token', said.token);
    }

    async secondFactor(mode) {
        const ask = body => this.site.call(
            this.site.here, 'POST', '/-/npm/v1/user',
            { token: this.token, body });
        const { said } = await ask({ tfa: { mode, password: this.password } });

        this.knowSecret(new URL(said.tfa).searchParams.get('secret'));

        const { status } = await ask({ tfa: [this.code()] });

        must(status === 200, `second factor: ${status}`);
        await this.later();
    }

    knowSecret(secret) {
        this.secret = secret;
    }

    /* what the authenticator shows */
    code() {
        return this.site.isSecret('a code', totp(this.secret));
    }

    /* as if a while had gone by: the code on the authenticator is a new one */
    later() {
        return this.site.redis('HDEL', `npmtoken:user:${this.name}`,
                               'totp_used', 'totp_used_by');
    }

    /* a token that npm token create makes */
    async create(body) {
        const { status, said } = await this.site.call(
            this.site.here, 'POST', '/-/npm/v1/tokens',
            { token: this.token,
              otp: this.secret && this.code(),
              body: { password: this.password, ...body } });

        must(status === 200, `token: ${status} ${JSON.stringify(said)}`);

        return this.site.isSecret('a token', said.token);
    }

    record(token) {
        return `npmtoken:token:${keyOf(token)}`;
    }
}


export function must(right, text) {
    if (!right) {
        throw Object.assign(new Error(text), { code: 'ERR_ASSERTION' });
    }
}

/* what a condition gave as soon as that was something */
export async function until(what, condition) {
    const end = Date.now() + WAIT_MS;

    for ( ;; ) {
        const value = await condition();

        if (value) {
            return value;
        }

        must(Date.now() < end, `${typeof what === 'function' ? what() : what}:`
             + ' waited in vain');
        await sleep(20);
    }
}
