/*
 * Clients at a terminal that log in by the browser, or publish with a code
 * that is given there.
 */

import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { atTerminal } from '../../demo/lib/terminal.mjs';
import { Home } from '../clients/cells.mjs';
import { CLIENTS } from '../clients/tables.mjs';
import { must, until } from './site.mjs';

/* what opens a browser: it only says which page */
const XDG_OPEN = '#!/bin/sh\nprintf "%s\\n" "$1" >> "$HOME/opened"\n';

const ENTER = [/(Press|press) ENTER[^\n]*$/i, ''];

/*
 * "login": its arguments; "asks": what it asks before it opens the browser;
 * "notice": it prints the code that is to be compared.
 */
const LOGINS = {
    'npm-6': { notice: true },
    'npm-8': { login: ['login', '--auth-type=web'], asks: [ENTER],
               notice: true },
    'npm-9': { asks: [ENTER], notice: true },
    'npm-10': { asks: [ENTER], notice: true },
    'npm-11': { asks: [ENTER], notice: true },
    'npm-12': { asks: [ENTER], notice: true },
    'pnpm-11': { asks: [ENTER] },
    'pnpm-12': { asks: [ENTER], notice: true },
    'yarn-4': { login: ['npm', 'login', '--web-login'],
                asks: [[/browser now\?/, 'y']] },
};

const SHORT = ['npm-11', 'pnpm-12'];


const PUBLISHES = {
    'npm-8': { asks: [ENTER], args: ['--auth-type=web'] },
    'npm-9': { asks: [ENTER] },
    'npm-10': { asks: [ENTER] },
    'npm-11': { asks: [ENTER] },
    'npm-12': { asks: [ENTER] },
    'pnpm-12': { asks: [ENTER], args: ['--no-git-checks'] },
    'bun': {},
};


/* a client with a terminal, and with a browser that says what it opened */

class Terminal extends Home {

    constructor(site, node, client, account) {
        super(site.at(node), node.port, client);
        this.site = site;
        this.node = node;
        this.account = account;
        this.dir = path.join(site.servers.dir, 'people',
                             `${account.name}-${client.name}`);
        this.rc = path.join(this.dir, path.basename(this.rc));
        this.project = path.join(this.dir, 'project');
        this.opened = path.join(this.dir, 'opened');
    }

    async sit(token, manifest = { name: 'nothing', private: true }) {
        this.token = token;
        await this.settle({ 'package.json': JSON.stringify(manifest),
                            'index.js': '\n' });
        await mkdir(path.join(this.dir, 'bin'), { recursive: true });

        const open = path.join(this.dir, 'bin/xdg-open');

        await writeFile(open, XDG_OPEN);
        await chmod(open, 0o755);
    }

    env() {
        const env = super.env();

        return { ...env, PATH: `${this.dir}/bin:${env.PATH}`,
                 DISPLAY: ':0', BROWSER: `${this.dir}/bin/xdg-open` };
    }

    /* begins a command; "screen" is told what is on it */
    begin(args, asks = []) {
        const screen = { text: '', ended: false };

        screen.end = atTerminal(this.site.servers, this.line(args), {
            cwd: this.project, env: this.env(), onText: text => {
                screen.text = text;
            },
        }, asks).finally(() => { screen.ended = true; });
        screen.end.catch(() => {});

        return screen;
    }

    /* the page that it opens */
    pageOf(screen) {
        return until(() => `${this.client.name} opens the page, and not:`
                           + ` ${screen.text}`, async () => {
            const text = await readFile(this.opened, 'utf8').catch(() => '');

            must(!screen.ended, `it has ended: ${screen.text}`);

            return text.split('\n')[0];
        });
    }
}


/* the page of a request, with the person logged in there */
async function ask(visitor, account, url, heading) {
    must(new URL(url).href.startsWith(visitor.home), `the page is ${url}`);
    await visitor.page.goto(url);
    await visitor.see('Log in');
    await visitor.typeLogin(account);
    await visitor.see(heading);
    await visitor.knowCookie();
    must(visitor.page.url() === visitor.home,
         `the id stays in the address: ${visitor.page.url()}`);
}

async function whoIs(site, node, token) {
    const { said } = await site.call(node, 'GET', '/-/whoami', { token });

    return said.username;
}


const loginStep = (client, how) => ({
    title: `${client.name} logs in by the browser`,
    short: SHORT.includes(client.name),

    async run({ site, browser }) {
        const account = await site.person();
        const terminal = new Terminal(site, site.here, client, account);
        const visitor = await browser.visit(site, site.here);

        await terminal.sit();

        const screen = terminal.begin(how.login ?? ['login'],
                                      how.asks ?? []);
        const url = await terminal.pageOf(screen);

        await ask(visitor, account, url, 'Log in at a terminal?');

        const code = await visitor.text('ask-code');

        must(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/.test(code), `the code is "${code}"`);
        must(!how.notice || screen.text.includes(code),
             `the terminal does not show ${code}: ${screen.text}`);
        must(await visitor.page.locator('#ask-elsewhere').isHidden(),
             'it says that this is somewhere else');
        await visitor.press('Approve');
        await visitor.see('Approved');

        const { code: status, all } = await screen.end;

        must(status === 0, `${client.name}: exit ${status}: ${all}`);

        const [token] = await terminal.tokens();

        site.isSecret('a token', token);
        must(await whoIs(site, site.there, token) === account.name,
             `the token is not ${account.name}'s: ${all}`);

        const name = await site.servers.redisValue(account.record(token),
                                                   'name');

        must(name.includes('127.0.0.1'), `its name is "${name}"`);
        await visitor.keepsSecrets();
        visitor.isQuiet('approval');
        await visitor.close();
    },
});


const publishStep = (client, how) => ({
    title: `${client.name} publishes with a code of the browser`,
    short: SHORT.includes(client.name),

    async run({ site, browser }) {
        const account = await site.person({ tfa: 'auth-and-writes' });
        const terminal = new Terminal(site, site.here, client, account);
        const visitor = await browser.visit(site, site.here);
        const name = `web-${client.name}`;

        await terminal.sit(account.token, { name, version: '1.0.0' });

        const screen = terminal.begin(['publish', ...how.args ?? []],
                                      how.asks ?? []);
        const url = client.name === 'bun'
            ? await until('bun prints the page', async () =>
                screen.text.match(/https?:\S+#otp=\w+/)?.[0])
            : await terminal.pageOf(screen);

        await ask(visitor, account, url, 'Let this command write?');
        await visitor.sees(name);
        await visitor.press('Approve');
        await visitor.see('Approved');

        const { code, all } = await screen.end;

        must(code === 0, `${client.name}: exit ${code}: ${all}`);

        const kept = await site.servers.packument(name, 'admin');

        must(kept?.versions['1.0.0']?._npmUser?.name === account.name,
             `it is not published: ${all}`);
        visitor.isQuiet('code');
        await visitor.close();
    },
});


const clientOf = name => CLIENTS.find(client => client.name === name);

const OTHERS = [

    { title: 'a login that is denied in the browser fails at the terminal',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const terminal = new Terminal(site, site.here, clientOf('npm-11'),
                                      account);
        const visitor = await browser.visit(site, site.there);

        await terminal.sit();

        /* npm then asks for a name and a password: Ctrl-C */
        const screen = terminal.begin(['login'],
                                      [ENTER, [/Username[^\n]*$/i, '\x03']]);
        const url = await terminal.pageOf(screen);

        /* any node has it */
        await visitor.page.goto(visitor.home + new URL(url).hash);
        await visitor.typeLogin(account);
        await visitor.see('Log in at a terminal?');
        must(await visitor.page.evaluate(() => document.activeElement.id)
             === 'ask-deny', 'the focus is not on Deny');
        await visitor.page.keyboard.press('Enter');
        await visitor.see('Denied');

        const { code, all } = await screen.end;

        must(code !== 0 && (await terminal.tokens()).length === 0, all);

        /* it is over, whoever comes back to it */
        await visitor.page.goto(visitor.home + new URL(url).hash);
        await visitor.see('This request has ended');
        await visitor.close();
      } },

    { title: 'a login that is asked for elsewhere is said so loudly, and'
             + ' takes the password again after a while',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const { loginUrl, doneUrl } = await askToLogIn(site.here);
        const { hash } = new URL(loginUrl);
        const key = createHash('sha512').update(hash.split('=')[1])
            .digest('hex');

        await visitor.logIn(account);

        await visitor.wasLongAgo(account);
        await site.redis('HSET', await pendingKey(site, key), 'address',
                         '198.51.100.9');
        await visitor.page.goto(visitor.home + hash);
        await visitor.see('Log in at a terminal?');
        await visitor.sees('This comes from somewhere else.');
        await visitor.sees(/198\.51\.100\.9, and you are at 127\.0\.0\.1/);
        await visitor.isGood('from elsewhere');
        await visitor.press('Approve');
        await visitor.sees('Type your password, to show that it is you.');
        await visitor.type('ask-password', 'Not-the-password');
        await visitor.press('Approve');
        await visitor.page.locator('#ask-error').getByText(/wrong/i).waitFor();
        must((await fetch(doneUrl)).status === 202, 'it does not wait');
        await visitor.type('ask-password', account.password);
        await visitor.press('Approve');
        await visitor.see('Approved');

        const token = await until('the token', async () =>
            (await (await fetch(doneUrl)).json()).token);

        site.isSecret('a token', token);
        must(await whoIs(site, site.there, token) === account.name,
             'it is the token of somebody else');

        const again = await fetch(doneUrl);

        must(again.status === 410, `the second time: ${again.status}`);
        await visitor.keepsSecrets();
        await visitor.close();
      } },

    { title: 'npm token create of an account with a second factor is let by'
             + ' the browser',
      async run({ site, browser }) {
        const account = await site.person({ tfa: 'auth-only' });
        const terminal = new Terminal(site, site.here, clientOf('npm-11'),
                                      account);
        const visitor = await browser.visit(site, site.here);

        await terminal.sit(account.token);

        const screen = terminal.begin(
            ['token', 'create', '--packages-and-scopes-permission=read-only'],
            [[/password[^\n]*$/i, account.password], ENTER]);
        const url = await terminal.pageOf(screen);

        await ask(visitor, account, url, 'Let this command write?');
        await visitor.press('Approve');
        await visitor.see('Approved');

        const { code, all } = await screen.end;
        const [token] = all.match(/npm_[A-Za-z0-9]{36}/) ?? [];

        must(code === 0 && token, all);
        site.isSecret('a token', token);
        must(await whoIs(site, site.there, token) === account.name, all);
        visitor.isQuiet('npm token create');
        await visitor.close();
      } },

    { title: 'two who approve at once make one token',
      async run({ site, browser }) {
        const account = await site.person();
        const one = await browser.visit(site, site.here);
        const two = await browser.visit(site, site.there);
        const { loginUrl, doneUrl } = await askToLogIn(site.here);
        const { hash } = new URL(loginUrl);

        for (const visitor of [one, two]) {
            await visitor.logIn(account);
            await visitor.page.goto(visitor.home + hash);
            await visitor.see('Log in at a terminal?');
        }

        await Promise.all([one.press('Approve'), two.press('Approve')]);

        const seen = await Promise.all([one, two].map(async visitor => {
            await visitor.page.locator('#view-asked:visible').waitFor();

            return visitor.text('asked-title');
        }));

        must(seen.sort().join() === 'Approved,This request has ended',
             `they saw ${seen}`);

        const tokens = [];

        await until('the token', async () => {
            const answer = await fetch(doneUrl);

            tokens.push(...[(await answer.json()).token].filter(Boolean));

            return answer.status === 410;
        });
        must(tokens.length === 1, `${tokens.length} tokens`);
        site.isSecret('a token', tokens[0]);
        await one.close();
        await two.close();
      } },
];

/* as a client that has no browser does */
export async function askToLogIn(node) {
    const answer = await fetch(`${node.url}-/v1/login`, {
        method: 'POST', body: '{}',
        headers: { 'Content-Type': 'application/json' },
    });

    return answer.json();
}

/* the name of a request that waits begins its hash */
async function pendingKey(site, hash) {
    const names = await site.redis('EVAL',
        "return redis.status_reply(table.concat(redis.call('KEYS',"
        + " 'npmtoken:web:*'), ' '))", '0');
    const name = names.split(' ').find(each => {
        const id = each.slice('npmtoken:web:'.length);

        return /^[0-9a-f]{16,}$/.test(id) && hash.startsWith(id);
    });

    must(name, `no request waits: ${names}`);

    return name;
}


export const STEPS = [
    ...Object.entries(LOGINS).map(([name, how]) =>
        loginStep(clientOf(name), how)),
    ...Object.entries(PUBLISHES).map(([name, how]) =>
        publishStep(clientOf(name), how)),
    ...OTHERS,
];

/* the clients that a run needs */
export const clientsOf = steps => CLIENTS.filter(({ name }) =>
    steps.some(({ title }) => title.startsWith(`${name} `))
    || (name === 'npm-11' && steps.some(step => OTHERS.includes(step))));
