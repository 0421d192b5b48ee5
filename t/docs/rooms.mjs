/*
 * What tools/rooms sees: in a copy of the sources, one fault at a time.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync,
         writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';

const VERDICT = 'src/core/npmtoken_verdict.c';
const LIST = 'tools/rooms.list';


/* what is planted, in which file, its text -> new text, what is said of it */

const PLANTED = [
    ['an include up an arrow', VERDICT,
     text => `${text}\n#include "ngx_http_npmtoken_store.h"\n`,
     /verdict\.c:\d+: core does not call store: "ngx_http_npmtoken_store\.h"/],

    ['a call up an arrow, without an include', VERDICT,
     text => `${text}\nvoid *p = ngx_http_npmtoken_store_conf_get;\n`,
     /verdict\.c:\d+: core does not call store: ngx_http_npmtoken_store_conf_get/],

    ['a header of no room', VERDICT,
     text => `${text}\n#include "npmtoken_nothing.h"\n`,
     /verdict\.c:\d+: no room has "npmtoken_nothing\.h"/],

    ['a room that src/README.md does not have', 'src/attic/npmtoken_old.c',
     () => '\n', /npmtoken_old\.c:1: src\/README\.md has no room "attic"/],

    ['a function without a prefix', VERDICT,
     text => `${text}\nint\nfact(int i)\n{\n    return i;\n}\n`,
     /verdict\.c:\d+: fact\(\) does not begin with npmtoken_verdict_/],

    ['a function with the prefix of another file', VERDICT,
     text => `${text}\nint\nnpmtoken_cidr_fact(int i,\n    int k)\n{\n}\n`,
     /verdict\.c:\d+: npmtoken_cidr_fact\(\) does not begin with npmtoken_verdict_/],

    ['a listed function that is gone', LIST,
     text => `${text}\n${VERDICT}:\n    npmtoken_gone\n`,
     /rooms\.list:\d+: npmtoken_gone\(\) of .* take it off the list/],
];


export async function roomsTests(report) {
    const dir = mkdtempSync(path.join(tmpdir(), 'npmtoken-rooms.'));
    const parts = ['src', 'ngx_http_npmtoken_module.c', 'tools/rooms', LIST];

    const run = () => {
        const { status, stdout } = spawnSync(path.join(dir, 'tools/rooms'),
                                             { encoding: 'utf8' });

        return { status, lines: stdout.trim().split('\n') };
    };

    try {
        for (const part of parts) {
            cpSync(path.join(ROOT, part), path.join(dir, part),
                   { recursive: true });
        }

        await report.test('tools/rooms: nothing is wrong', () => {
            assert.deepEqual(run(), { status: 0, lines: [''] });
        });

        for (const [what, name, change, said] of PLANTED) {
            await report.test(`tools/rooms: sees ${what}`, () => {
                const file = path.join(dir, name);
                const text = existsSync(file) ? readFileSync(file, 'utf8') : '';

                mkdirSync(path.dirname(file), { recursive: true });
                writeFileSync(file, change(text));

                const { status, lines } = run();

                if (text) {
                    writeFileSync(file, text);
                } else {
                    rmSync(file);
                }

                assert.equal(status, 1);
                assert.equal(lines.length, 1, lines.join('\n'));
                assert.match(lines[0], said);
            });
        }
    } finally {
        rmSync(dir, { recursive: true, force: true });
    }
}
