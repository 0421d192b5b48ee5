/*
 * Packages as the registry gets them from a publish: a document with its
 * tarball in it.
 */

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

const BLOCK = 512;
const MTIME = 499162500;


const octal = (number, length) =>
    `${number.toString(8).padStart(length - 1, '0')}\0`;

function tarEntry(name, text) {
    const data = Buffer.from(text);
    const header = Buffer.alloc(BLOCK);

    header.write(name, 0);
    header.write(octal(0o644, 8), 100);
    header.write(octal(0, 8), 108);
    header.write(octal(0, 8), 116);
    header.write(octal(data.length, 12), 124);
    header.write(octal(MTIME, 12), 136);
    header.write(' '.repeat(8), 148);
    header.write('0', 156);
    header.write('ustar\x0000', 257);

    const sum = header.reduce((a, b) => a + b, 0);

    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);

    return Buffer.concat([header, data,
                          Buffer.alloc(-data.length & (BLOCK - 1))]);
}

const hash = (algorithm, data, form) =>
    createHash(algorithm).update(data).digest(form);


/* what npm publish would send of a package with nothing in it */
export function packageDocument(name, version) {
    const manifest = { name, version, description: 'a package of a test' };
    const tarball = gzipSync(Buffer.concat([
        tarEntry('package/package.json', JSON.stringify(manifest)),
        tarEntry('package/index.js', '\n'),
        Buffer.alloc(2 * BLOCK),
    ]));
    const file = `${name}-${version}.tgz`;

    const dist = {
        integrity: `sha512-${hash('sha512', tarball, 'base64')}`,
        shasum: hash('sha1', tarball, 'hex'),
        tarball: `http://127.0.0.1/${name}/-/${file}`,
    };

    return JSON.stringify({
        _id: name, name, 'dist-tags': { latest: version },
        versions: { [version]: { ...manifest, _id: `${name}@${version}`,
                                 dist } },
        _attachments: {
            [file]: { content_type: 'application/octet-stream',
                      data: tarball.toString('base64'),
                      length: tarball.length },
        },
    });
}
