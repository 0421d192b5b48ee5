/*
 * Tokens and their records, as the module reads them from Redis.
 */

import { createHash, randomBytes } from 'node:crypto';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/* rejection, so that every character is as likely as any other */
function randomBase62(length) {
    let out = '';

    while (out.length < length) {
        for (const byte of randomBytes(length)) {
            if (byte < 248 && out.length < length) {
                out += BASE62[byte % 62];
            }
        }
    }

    return out;
}

export const newToken = () => `npm_${randomBase62(36)}`;

/* what npm calls the key of a token: it names the record */
export const keyOf = token => createHash('sha512').update(token).digest('hex');

export const recordName = token => `npmtoken:token:${keyOf(token)}`;

/* the shortest form that still tells two tokens apart for a reader */
export const shortKey = token => keyOf(token).slice(0, 8);

export const now = () => Math.floor(Date.now() / 1000);

/*
 * The arguments of the one HSET that makes a record.  One command: a record
 * made by two is for a moment a wider one.
 */
export function hset(token, fields) {
    const record = {
        user: fields.user,
        readonly: fields.readonly ? 'true' : 'false',
        created: new Date().toISOString(),
        token: token.slice(0, 8),
    };

    for (const name of ['cidr_whitelist', 'expires_at', 'revoked_at',
                        'protected'])
    {
        if (fields[name] !== undefined) {
            record[name] = String(fields[name]);
        }
    }

    return ['HSET', recordName(token), ...Object.entries(record).flat()];
}
