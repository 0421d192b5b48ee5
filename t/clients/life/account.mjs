/*
 * What Redis holds of an account, and the codes of its authenticator.
 */

import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { promisify } from 'node:util';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const STEP_MS = 30000;

const run = promisify(execFile);


function bytes(secret) {
    const bits = [...secret].map(char =>
        BASE32.indexOf(char).toString(2).padStart(5, '0')).join('');

    return Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
}

/* RFC 6238, with what npm's authenticators take for granted */
export function totp(secret, steps = 0) {
    const counter = Buffer.alloc(8);

    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / STEP_MS)
                                    + steps));

    const hash = createHmac('sha1', bytes(secret)).update(counter).digest();
    const at = hash[19] & 15;

    return String((hash.readUInt32BE(at) & 0x7fffffff) % 1000000)
        .padStart(6, '0');
}


async function ask(servers, ...args) {
    const { stdout } = await run('redis-cli', ['-s', servers.redisSocket,
                                               '--json', ...args]);

    return JSON.parse(stdout);
}

/* tokens by their keys; those of the set, and those that name the user */
export async function stored(servers, user) {
    const account = await ask(servers, 'HGETALL', `npmtoken:user:${user}`);
    const set = await ask(servers, 'SMEMBERS', `npmtoken:tokens-of:${user}`);
    const names = await ask(servers, 'KEYS', 'npmtoken:token:*');
    const tokens = {};

    for (const name of names) {
        const record = await ask(servers, 'HGETALL', name);

        if (record.user === user) {
            tokens[name.slice('npmtoken:token:'.length)] = record;
        }
    }

    return { account, set: set.sort(), tokens };
}
