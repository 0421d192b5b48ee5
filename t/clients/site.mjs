/*
 * nginx with the module in front of Verdaccio, listening once for each lane
 * of the run: what the two logs have of a request says by its port whose it
 * was, whatever client sent it and with whatever token.
 */

import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { freePort, nginxHead, nginxTemps, request }
    from '../../demo/lib/servers.mjs';

const FENCE_MS = 60000;


export async function lanePorts(lanes) {
    const ports = [];

    while (ports.length < lanes) {
        const port = await freePort();

        if (!ports.includes(port)) {
            ports.push(port);
        }
    }

    return ports;
}


/* one worker: lines are logged in the order of the requests */
export const site = ports => ({ dir, port }) => {
    const listen = [port, ...ports]
        .map(each => `        listen 127.0.0.1:${each};`).join('\n');

    return `${nginxHead({ dir })}
http {
    log_format lanes escape=json
        '{"port":"$server_port","method":"$request_method",'
        '"url":"$request_uri","status":$status,'
        '"verdict":"$npmtoken_verdict","upstream":"$upstream_status"}';

    access_log ${dir}/access.log;
    access_log ${dir}/lanes.log lanes;

${nginxTemps(`${dir}/nginx`)}

    npmtoken_store main {
        redis unix:${dir}/redis.sock;
    }

    upstream registry {
        server unix:${dir}/verdaccio.sock;
        keepalive 8;
    }

    server {
${listen}

        client_max_body_size 50m;

        location / {
            npmtoken           main;
            npmtoken_identity  X-Npm-User;

            proxy_http_version 1.1;
            proxy_set_header   Connection        "";
            proxy_set_header   Host              127.0.0.1:$server_port;
            proxy_set_header   X-Forwarded-For   $remote_addr;
            proxy_set_header   X-Forwarded-Proto $scheme;
            proxy_pass         http://registry;
        }
    }
}
`;
};


/* a log of JSON lines, read on from where the last reading ended */

class Tail {

    constructor(file) {
        this.file = file;
        this.at = 0;
        this.rest = '';
        this.reading = Promise.resolve();
    }

    /* one reader at a time */
    read(take) {
        this.reading = this.reading.then(() => this.readOn(take));

        return this.reading;
    }

    async readOn(take) {
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
        lines.filter(line => line.startsWith('{'))
             .forEach(line => take(JSON.parse(line)));
    }
}


/*
 * What came to nginx and what came to the registry, by port.  A fence is a
 * request of our own, sent when the client has ended: what is logged before
 * it is the client's.
 */

export class Traffic {

    constructor(servers) {
        this.servers = servers;
        this.lanes = new Map();
        this.fences = 0;
        this.nginx = new Tail(`${servers.dir}/lanes.log`);
        this.registry = new Tail(`${servers.dir}/verdaccio.log`);
    }

    lane(port) {
        if (!this.lanes.has(port)) {
            this.lanes.set(port, { nginx: [], registry: [] });
        }

        return this.lanes.get(port);
    }

    async readOn() {
        await this.nginx.read(line => {
            this.lane(line.port).nginx.push(line);
        });

        await this.registry.read(({ req }) => {
            if (req) {
                const port = /:(\d+)$/.exec(req.headers.host ?? '')?.[1];

                this.lane(port ?? 'none').registry.push(req);
            }
        });
    }

    /* all that came by a port since the last time */
    async since(port) {
        const url = `/-/ping?fence=${++this.fences}`;
        const lane = this.lane(String(port));
        const until = Date.now() + FENCE_MS;
        const there = lines => lines.some(line => line.url === url);

        await request({ host: '127.0.0.1', port, path: url });

        do {
            await this.readOn();

            if (there(lane.nginx) && there(lane.registry)) {
                const seen = {
                    nginx: lane.nginx.filter(l => l.url !== url),
                    registry: lane.registry.filter(l => l.url !== url),
                };

                lane.nginx = [];
                lane.registry = [];

                return seen;
            }

        } while (Date.now() < until && await sleep(5, true));

        throw new Error(`a request by ${port} is not in the logs`);
    }
}
