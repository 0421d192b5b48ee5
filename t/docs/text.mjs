/*
 * Tables and lists of README.md, docs/ and src/README.md that have to say what
 * the sources say.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';

const read = file => readFileSync(path.join(ROOT, file), 'utf8');

const README = read('README.md');
const ANSWERS = read('docs/answers.md');
const CLASSES = read('docs/classes.md');
const DIRECTIVES = read('docs/directives.md');
const REDIS = read('docs/redis.md');
const MODULE = read('ngx_http_npmtoken_module.c');
const API = read('src/api/ngx_http_npmtoken_api_module.c');
const STORE = read('src/store/ngx_http_npmtoken_store_conf.c');
const COMPLETE = read('src/store/ngx_http_npmtoken_store_complete.c');
const SSL = read('src/redis/ngx_http_npmtoken_ssl.c');
const ACCOUNT = read('src/account/npmtoken_account.c');
const OPERATION = read('src/core/npmtoken_operation.c');
const VERDICT = read('src/core/npmtoken_verdict.c');
const RECORD = read('src/core/npmtoken_record.c');
const RIGHTS = read('src/ctl/npmtokenctl_rights.c');
const VARIABLES = read('src/http/ngx_http_npmtoken_variables.c');

const EXAMPLE_KEY = '3f1c22a0';
const EXAMPLE_ADDRESS = '192.0.2.1';
const EXAMPLE_DATE = '2026-11-24 12:00 UTC';


/* from one line to the next of that form */

function between(text, from, to) {
    const begin = text.indexOf(from);

    assert.notEqual(begin, -1, `there is no "${from}"`);

    const rest = text.slice(begin + from.length);
    const end = rest.search(to);

    return end === -1 ? rest : rest.slice(0, end);
}

const section = (page, title) =>
    between(page, `\n## ${title}\n`, /\n##? /);

/* the body of an array in C */
function table(source, name) {
    const [head] = source.match(new RegExp(`\\b${name}\\[\\w*\\] = \\{`)) ?? [];

    assert.ok(head, `there is no array "${name}"`);

    return between(source, head, /\n};/);
}

const strings = text => [...text.matchAll(/ngx_string\("((?:[^"\\]|\\.)*)"\)/g)]
    .map(([, string]) => string);

/* "a" "b" of C */
const joined = text => [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)]
    .map(([, string]) => string).join('');


/* rows of the tables of a text: cells, without the heads */

function rows(text) {
    const found = [];
    const lines = text.split('\n');

    lines.forEach((line, i) => {
        const head = /^\| ---/.test(lines[i + 1] ?? '');

        if (line.startsWith('|') && !head && !/^\| ---/.test(line)) {
            found.push(line.slice(1, -1).split('|').map(s => s.trim()));
        }
    });

    return found;
}

/* rows of the table under this head */
const tableRows = (text, head) =>
    rows(`${head}\n${between(text, `${head}\n`, /\n\n/)}`);

const anchors = text => [...text.matchAll(/^#+ (.*)$/gm)]
    .map(([, title]) => title.toLowerCase()
        .replace(/[^\w -]/g, '').replaceAll(' ', '-'));

const code = cell => cell.replace(/^`|`$/g, '');


/* what is written of a directive, by its name */

function written(title) {
    const found = new Map();

    for (const part of section(DIRECTIVES, title).split(/^### /m).slice(1)) {
        const name = part.slice(0, part.indexOf('\n'));
        const field = field => {
            const [, value] = part.match(
                new RegExp(`^> \\*\\*${field}\\*\\*: (.*?)\\\\?$`, 'm')) ?? [];

            assert.ok(value, `${name}: no "${field}"`);

            return value;
        };

        found.set(name, { syntax: code(field('syntax')),
                          default: code(field('default')),
                          context: field('context').replaceAll('`', '') });
    }

    return found;
}


const API_TITLE = 'Directives of the token API';

const TITLES = ['Directives', 'Directives of a store', API_TITLE];


const CONTEXTS = {
    'NGX_HTTP_MAIN_CONF': 'http',
    'NGX_HTTP_NPMTOKEN_LOC_CONF': 'http, server, location',
    'NGX_HTTP_NPMTOKEN_API_LOC_CONF': 'http, server, location',
    'NGX_HTTP_NPMTOKEN_LMT_CONF': 'http, server, location, limit_except',
};

/* what a module's own table says: name, and context */

function directives(source, name) {
    return [...table(source, name).matchAll(
        /\{ ngx_string\("(\w+)"\),\s+(\w+)/g)]
        .map(([, name, flags]) => [name, CONTEXTS[flags] ?? flags]);
}

const storeDirectives = () =>
    strings(table(STORE, 'ngx_http_npmtoken_store_commands'));


/* where the sources set what docs/directives.md calls the default */

const DEFAULTS = {
    'npmtoken off;': [MODULE, /conf->store, prev->store, NULL\)/],
    'npmtoken_anonymous deny;': [MODULE, /conf->value = 0;/],
    'npmtoken_unknown deny;':
        [MODULE, /prev->unknown,\s+NGX_HTTP_NPMTOKEN_UNKNOWN_DENY\)/],
    'npmtoken_checksum off;': [MODULE, /prev->checksum, 0\)/],
    'npmtoken_base /;': [MODULE, /prev->base\.target, "\/"\)/],
    'npmtoken_dry_run off;': [MODULE, /conf->value = 0;/],
    'npmtoken_intercept_errors off;':
        [MODULE, /prev->intercept_errors,\s+0\)/],
    'npmtoken_log_level error;': [MODULE, /prev->log_level, NGX_LOG_ERR\)/],
    'npmtoken_expiry_notice 7d;':
        [MODULE, /prev->expiry_notice,\s+7 \* 24 \* 60 \* 60\)/],
    'npmtoken_identity off;':
        [MODULE, /prev->identity,\s+&ngx_http_npmtoken_identity_off\)/],
    'connect_timeout 1s;': [COMPLETE, /connect_timeout, 1000\)/],
    'redis_keepalive 15s;': [COMPLETE, /endpoint.keepalive, 15 \* 1000\)/],
    'redis_user_timeout 5s;':
        [COMPLETE, /endpoint.user_timeout, 5 \* 1000\)/],
    'redis_replica off;': [COMPLETE, /endpoint.replica, 0\)/],
    'redis_ssl_verify on;': [COMPLETE, /ssl->verify, 1\)/],
    'redis_ssl_protocols TLSv1.2 TLSv1.3;': [SSL,
        /!= NGX_HTTP_NPMTOKEN_SSL_TLSv1_3\)[^]*!= NGX_HTTP_NPMTOKEN_SSL_TLSv1_2\)/],
    'redis_ssl_ciphers DEFAULT;': [SSL, /conf->ciphers, "DEFAULT"\)/],
    'lookup_timeout 500ms;': [COMPLETE, /lookup->timeout, 500\)/],
    'lookup_queue 1024;': [COMPLETE, /lookup->queue, 1024\)/],
    'lookup_share 256;':
        [COMPLETE, /lookup->share, ngx_max\(lookup->queue \/ 4/],
    'prefix npmtoken:;': [COMPLETE, /store->prefix, "npmtoken:"\)/],
    'cache 8m;': [COMPLETE, /cache_size, 8 \* 1024 \* 1024\)/],
    'cache_ttl 60s;': [COMPLETE, /cache_ttl, 60 \* 1000\)/],
    'negative_ttl 5s;': [COMPLETE, /negative_ttl, 5 \* 1000\)/],
    'revocation_bound 1s;': [COMPLETE, /lookup->bound, 1000\)/],
    'push on;': [COMPLETE, /store->push, 1\)/],
    'proof_replicas 0;': [COMPLETE, /lookup->replicas, 0\)/],
    'npmtoken_api off;': [API, /prev->name, "off"\)/],
    'npmtoken_api_login accounts;':
        [API, /prev->api.login,\s+NGX_HTTP_NPMTOKEN_API_ACCOUNTS\)/],
    'npmtoken_api_signup off;': [API, /prev->api.signup, 0\)/],
    'npmtoken_api_permission full;': [API, /prev->api.unstated, 0\)/],
    'npmtoken_api_replicas 0;': [API, /prev->api.replicas, 0\)/],
    'npmtoken_api_attempts 10 50 15m;': [API,
        /prev->api.account_attempts, 10\);[^]*prev->api.address_attempts, 50\);[^]*prev->api.attempts_time, 15 \* 60\)/],
    [`npmtoken_api_reserved ${
        strings(table(API, 'ngx_http_npmtoken_api_names')).join(' ')};`]:
        [API, /prev->api.reserved,\s+&ngx_http_npmtoken_api_reserved_names\)/],
    'npmtoken_api_otp_reuse on;': [API, /prev->api.reuse, 1\)/],
    'npmtoken_api_session 12h;': [API, /prev->api\.session,\s+12 \* 60 \* 60\)/],
    'npmtoken_api_lifetime 0 0;':
        [API, /prev->api\.lifetime, 0\);[^]*prev->api\.lifetime_max,\s+0\)/],
    'npmtoken_api_page off;': [API, /prev->api\.page, 0\)/],
    'npmtoken_api_reauth code;':
        [API, /prev->api\.reauth,\s+NGX_HTTP_NPMTOKEN_API_REAUTH_CODE\)/],
    'npmtoken_api_web_otp off;': [API, /prev->api\.web_otp, 0\)/],
    'npmtoken_api_max_tokens 200;': [API, /prev->api.max_tokens,\s+200\)/],
    'npmtoken_api_max_cidrs 64;': [API, /prev->api.max_cidrs, 64\)/],
    'npmtoken_api_max_body 16k;': [API, /prev->api.max_body,\s+16 \* 1024\)/],
    'npmtoken_api_issuer npm;': [API, /prev->api.issuer, "npm"\)/],
    'stale_reads 0;': [COMPLETE, /stale_reads, 0\)/],
};


/* values of an enumeration, as the syntax has to name them */

function values(name) {
    const enums = {
        npmtoken_unknown: 'ngx_http_npmtoken_unknown_values',
        npmtoken_log_level: 'ngx_http_npmtoken_log_levels',
    };

    return strings(table(MODULE, enums[name])).sort();
}


function exceptions() {
    return [...table(OPERATION, 'npmtoken_exceptions').matchAll(
        /\{ ngx_string\("(\w+)"\),\s+ngx_string\("([^"]+)"\),\s+(?:ngx_string\("([^"]+)"\)|ngx_null_string), NPMTOKEN_OP_(\w+) \}/g)]
        .map(([, method, path_, args, op]) => [
            method, `\`${path_}${args ? `?${args}` : ''}\``, op.toLowerCase(),
        ]);
}


/* writes that are about a package */

function subjects() {
    return [...table(OPERATION, 'npmtoken_subjects').matchAll(
        /\{ ngx_string\("(\w+)"\),\s+ngx_string\("([^"]+)"\) \}/g)]
        .map(([, method, path_]) => [method, `\`${path_}\``]);
}


/* [name, status, challenge, sentence, the other sentence, if any] */

function reasons() {
    return [...table(VERDICT, 'npmtoken_reasons').matchAll(
        /\{ \{ ngx_string\("(\w+)"\), (\d+), (?:ngx_string\("(\w+)"\)|ngx_null_string) \},\s+((?:"(?:[^"\\]|\\.)*"\s*)+),([^}]*)\}/g)]
        .map(([, name, status, challenge, sentence, other]) => [
            name, status, challenge ? `\`${challenge}\`` : '',
            joined(sentence), joined(other.replace(/\/\*.*?\*\//gs, '')),
        ])
        .filter(([name]) => name !== 'allow');
}

const asExample = sentence => sentence
    .replace('%T', `Token ${EXAMPLE_KEY}`)
    .replace('%A', `address ${EXAMPLE_ADDRESS}`)
    .replace('%E', ` on ${EXAMPLE_DATE}`);


function sources(folder) {
    return readdirSync(path.join(ROOT, folder), { recursive: true })
        .filter(file => /\.[ch]$/.test(file))
        .map(file => `${folder}/${file}`);
}


const README_LINES = 300;

const PAGES = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'src/README.md',
               't/README.md', 't/model/README.md',
               ...readdirSync(path.join(ROOT, 'docs'))
                   .filter(file => file.endsWith('.md'))
                   .map(file => `docs/${file}`)];


/* who may include whose headers, as src/README.md says */

function may() {
    const rooms = tableRows(read('src/README.md'), '| room | calls |')
        .map(([room, calls]) => [
            room.replace(/^`(\w+)\/`$/, '$1'),
            calls ? calls.split(', ') : [],
        ]);

    return new Map(rooms.map(([room, calls]) => [room, [room, ...calls]]));
}


export const TEXT_TESTS = {
    'docs/directives.md: each directive, and its contexts': () => {
        const found = [...written('Directives')]
            .map(([name, { context }]) => [name, context]);

        assert.ok(found.length > 1);
        assert.deepEqual(found.sort(), directives(
            MODULE, 'ngx_http_npmtoken_commands').sort());
    },

    'docs/directives.md: each directive of the token API, and its contexts': () => {
        const found = [...written(API_TITLE)]
            .map(([name, { context }]) => [name, context]);

        assert.ok(found.length > 1);
        assert.deepEqual(found.sort(), directives(
            API, 'ngx_http_npmtoken_api_commands').sort());
    },

    'docs/directives.md: each directive of a store': () => {
        const found = [...written('Directives of a store').keys()];

        assert.ok(found.length > 1);
        assert.deepEqual(found.sort(), storeDirectives().sort());
    },

    'docs/directives.md: the syntax names the directive and its values': () => {
        for (const title of TITLES) {
            for (const [name, { syntax, default: value }] of written(title)) {
                assert.ok(syntax.startsWith(`${name} `), syntax);
                assert.ok(value === 'none' || value.startsWith(`${name} `),
                          value);
            }
        }

        for (const name of ['npmtoken_unknown', 'npmtoken_log_level']) {
            const { syntax } = written('Directives').get(name);
            const said = syntax.slice(name.length, -1).split('|')
                .map(s => s.trim()).sort();

            assert.deepEqual(said, values(name));
        }
    },

    'docs/directives.md: each default': () => {
        for (const title of TITLES) {
            for (const { default: value } of written(title).values()) {
                if (value !== 'none') {
                    const [source, pattern] = DEFAULTS[value] ?? [];

                    assert.ok(source, `where is "${value}" set?`);
                    assert.match(source, pattern);
                }
            }
        }
    },

    'docs/directives.md: each variable': () => {
        const found = rows(section(DIRECTIVES, 'Variables'))
            .map(([name]) => code(name).slice(1));

        assert.ok(found.length > 1);
        assert.deepEqual(found.sort(),
            strings(table(VARIABLES, 'ngx_http_npmtoken_vars')).sort());
    },

    'docs/redis.md: each field of a record': () => {
        const found = rows(section(REDIS, 'The Redis schema'))
            .map(([name]) => code(name));

        assert.ok(found.length > 1);
        assert.deepEqual(found.sort(),
            strings(table(RECORD, 'npmtoken_known_fields')).sort());
    },

    'docs/redis.md: the form of each field begins as core has it': () => {
        const forms = new Map([...table(RECORD, 'npmtoken_known_fields')
            .matchAll(/ngx_string\("(\w+)"\), \w+,\s+"(.*)" \}/g)]
            .map(([, name, form]) => [name, form]));

        for (const [name, cell] of rows(section(REDIS, 'The Redis schema'))) {
            const form = forms.get(code(name));
            const said = cell.replaceAll('`', '');

            assert.ok(form && said.startsWith(form)
                      && /^(?:$|[:;,.]| \()/.test(said.slice(form.length)),
                      `${name}: "${said}" is not "${form}"`);
        }
    },

    'docs/api.md: each field of an account': () => {
        const found = tableRows(read('docs/api.md'),
                                '| field of an account | form | absent means |')
            .flatMap(([names]) => names.split(', ').map(code));

        assert.deepEqual(found.sort(), [
            ...strings(table(ACCOUNT, 'npmtoken_account_fields')), 'x_…',
        ].sort());
    },

    'docs/classes.md: the exceptions, in the order of the table': () => {
        const found = tableRows(CLASSES,
                                '| method | path | class |');

        assert.ok(found.length > 1);
        assert.deepEqual(found, exceptions());
        assert.equal(found.length,
                     table(OPERATION, 'npmtoken_exceptions')
                         .match(/NPMTOKEN_OP_/g).length - 1);
    },

    'docs/classes.md: the writes that are about a package, in the same order': () => {
        const found = tableRows(CLASSES, '| method | path |');

        assert.ok(found.length > 1);
        assert.deepEqual(found, subjects());
        assert.equal(found.length,
                     table(OPERATION, 'npmtoken_subjects')
                         .match(/\{ ngx_string/g).length);
    },

    'docs/answers.md: each reason, its status and challenge': () => {
        const found = tableRows(ANSWERS,
            '| reason | status | `WWW-Authenticate` | when |');

        assert.ok(found.length > 1);
        assert.deepEqual(
            found.map(([name, status, challenge]) =>
                [code(name), status, challenge]),
            reasons().map(reason => reason.slice(0, 3)));
    },

    'docs/answers.md: each sentence': () => {
        const found = tableRows(ANSWERS, '| reason | sentence |');
        const expected = reasons().flatMap(([name, , , sentence, other]) => [
            [`\`${name}\``, asExample(sentence)],
            ...other ? [[`\`${name}\`, ${name === 'no_token'
                ? 'a scheme by itself' : 'another scheme'}`, other]] : [],
        ]);

        assert.deepEqual(found, expected);
    },

    'each version that is named is this one': () => {
        const [, version] = read('src/core/npmtoken_version.h')
            .match(/define NPMTOKEN_VERSION +"(.*)"/);

        for (const file of ['README.md', 'docs/troubleshooting.md', 'CHANGES',
                            '.github/ISSUE_TEMPLATE/bug.yml'])
        {
            const [named] = [...read(file).matchAll(
                /npmtoken(?:ctl)? (\d+\.\d+\.\d+)/g)]
                .map(([, version]) => version);

            assert.equal(named, version, file);
        }

        assert.match(read('debian/changelog'),
            new RegExp(`^npmtoken \\(${version.replaceAll('.', '\\.')}\\)`));
    },

    'each relative link and its anchor lead somewhere': () => {
        for (const from of PAGES) {
            for (const [, link] of read(from).matchAll(/\]\(([^)]+)\)/g)) {
                if (/^\w+:/.test(link)) {
                    continue;
                }

                const [file, anchor] = link.split('#');
                const to = file ? path.join(path.dirname(from), file) : from;

                assert.ok(existsSync(path.join(ROOT, to)), `${from}: ${link}`);
                assert.ok(!anchor || anchors(read(to)).includes(anchor),
                          `${from}: ${link}`);
            }
        }
    },

    'README: it has at most 300 lines': () => {
        assert.ok(README.split('\n').length - 1 <= README_LINES);
    },

    'README: its index has each directive and variable, in their order': () => {
        const index = rows(section(README, 'Directives and variables'))
            .flatMap(([, names]) => names.split(', ').map(code));
        const described = TITLES.flatMap(title => [...written(title).keys()]);
        const variables = rows(section(DIRECTIVES, 'Variables'))
            .map(([name]) => code(name));

        assert.deepEqual(index, [...described, ...variables]);
    },

    'README: each page of docs/ is linked': () => {
        for (const file of PAGES.filter(file => file.startsWith('docs/'))) {
            assert.ok(README.includes(`(${file}`), file);
        }
    },

    'README: each example is listed': () => {
        const all = readdirSync(path.join(ROOT, 'conf-examples'))
            .filter(file => file.endsWith('.conf'));

        for (const file of all) {
            assert.ok(README.includes(`(conf-examples/${file})`), file);
        }
    },

    'README, docs: each directive and variable that they name is there': () => {
        const directives = TITLES.flatMap(title => [...written(title).keys()]);
        const variables = rows(section(DIRECTIVES, 'Variables'))
            .map(([name]) => code(name));

        for (const page of PAGES.filter(page => /^README|^docs/.test(page))) {
            for (const [name] of read(page).matchAll(
                /(?<![\w/:.-])\$?npmtoken_[a-z0-9_]+\b(?![-/.]\w)/g))
            {
                assert.ok([...directives, ...variables].includes(name),
                          `${page}: ${name}`);
            }
        }
    },

    'docs/redis.md: each right that an upgrade needs is in its line': () => {
        const line = (page, user) => {
            const [, rights] = page.match(
                new RegExp(`ACL SETUSER ${user} on ([^]*?[^\\\\])$`, 'm')) ?? [];

            assert.ok(rights, user);

            return rights.replaceAll(/'|\\\n */g, '').split(' ');
        };

        const lines = {
            'the module': line(REDIS, 'npmtoken'),
            'the token API': line(read('docs/api.md'), 'npmtoken-api'),
            'npmtokenctl': line(REDIS, 'npmtokenctl'),
        };

        for (const [user, rights] of rows(section(REDIS, 'After an upgrade'))) {
            for (const right of rights.split(', ').map(code)) {
                assert.ok(lines[user].includes(right), `${user}: ${right}`);
            }
        }
    },

    'docs/redis.md, docs/api.md: rights are those of npmtokenctl init': () => {
        const roles = rows(section(REDIS, 'Redis users'));
        const pages = REDIS + read('docs/api.md');

        assert.ok(roles.length > 3);

        for (const [role, user, who] of roles) {
            const printed = execFileSync(
                path.join(ROOT, 'build/npmtokenctl'),
                ['init', '--print', code(role)], { encoding: 'utf8' });

            assert.ok(printed.includes(` SETUSER ${code(user)} on `), printed);
            assert.ok(pages.includes(`\`\`\`sh\n${printed}\`\`\`\n`), printed);
            assert.ok(RIGHTS.includes(`"${who.replaceAll('`', '')}"`), who);
        }

        /* and those of proof_replicas */

        const proofs = execFileSync(
            path.join(ROOT, 'build/npmtokenctl'),
            ['init', '--print', '--proofs', 'worker'], { encoding: 'utf8' });

        assert.ok(REDIS.includes(`\`\`\`sh\n${proofs}\`\`\`\n`), proofs);
        assert.equal(pages.match(/ACL SETUSER/g).length, roles.length + 1);
    },

    'CONTRIBUTING, t/README: each file and name that they say is there': () => {
        const text = sources('src').map(read).join('\n') + MODULE;

        for (const page of ['CONTRIBUTING.md', 't/README.md']) {
            for (const [, said] of read(page).matchAll(/`([^`\n]+)`/g)) {
                const [word] = said.split(' ');

                if (/^(?:src|t|tools|docs)\/[^*\[]*$/.test(word)
                    && !/N[A-Z]{2,}|NN/.test(word))
                {
                    assert.ok(existsSync(path.join(ROOT, word)),
                              `${page}: ${word}`);
                }

                if (/^(?:ngx_http_)?npmtoken_\w+(?:\(\))?$/.test(word)) {
                    assert.match(text, new RegExp(
                        `\\b${word.replace('()', '')}\\b`), `${page}: ${word}`);
                }
            }
        }
    },

    't/README: each directory of tests is described': () => {
        const found = rows(read('t/README.md')).map(([name]) => code(name));

        for (const entry of readdirSync(path.join(ROOT, 't'),
                                        { withFileTypes: true }))
        {
            if (entry.isDirectory() && !entry.name.startsWith('servroot')) {
                assert.ok(found.includes(`t/${entry.name}/`), entry.name);
            }
        }
    },

    'src/README: each file that is built is described': () => {
        const map = read('src/README.md');
        const built = [...(read('config') + read('src/api/config')).matchAll(
            /\$npmtoken_\w+\/(\w+)\.c\b/g)].map(([, name]) =>
            name.replace('ngx_http_npmtoken_', '…_'));

        built.push(...sources('src/ctl').filter(file => file.endsWith('.c'))
            .map(file => path.basename(file, '.c')));

        assert.ok(built.length > 1);

        for (const name of built) {
            assert.ok(map.includes(`\n| \`${name}\` |`), name);
        }
    },

    'src: headers are included as src/README allows': () => {
        const allowed = may();
        const rooms = new Map(sources('src').map(file =>
            [path.basename(file), file.split('/')[1]]));

        assert.ok(allowed.size > 7);

        for (const file of sources('src')) {
            const room = file.split('/')[1];

            for (const [, header] of
                 read(file).matchAll(/^#include "(.*)"/gm))
            {
                /* the build makes this of src/web */
                if (header === 'ngx_http_npmtoken_web_files.h') {
                    continue;
                }

                assert.ok(allowed.get(room)?.includes(rooms.get(header)),
                          `${file} includes ${header}`);
            }
        }
    },
};
