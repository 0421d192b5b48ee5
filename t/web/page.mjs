/*
 * What a person does in the page, and what npm then sees of it, and the other
 * way about.
 */

import http from 'node:http';

import { Person } from '../../demo/lib/npm.mjs';
import { keyOf } from '../../demo/lib/tokens.mjs';
import { FEW_ATTEMPTS, LONGEST, must, NAME, until, USUAL }
    from './site.mjs';
import { installed } from './visitor.mjs';

const DAY_MS = 86400000;
const BAD_NAME = '<img src=x onerror=alert(1)>';


/* npm with a token, by a node */
async function npmOf(site, node, account, token) {
    const name = `${account.name}-${++npmOf.count}`;

    return new Person(site.at(node), name, token).settle();
}

npmOf.count = 0;

async function install(npm) {
    const cwd = await npm.project({ name: 'app', private: true });

    return npm.npm(['install', 'hello', '--prefer-online'], cwd);
}

/* fills the form; "more" does the rest of it */
async function create(visitor, account, name, more = async () => {}) {
    await visitor.link('New token');
    await visitor.see('New token');
    await visitor.type('new-name', name);
    await more();
    await visitor.type('new-password', account.password);

    if (account.secret) {
        await account.later();
        await visitor.type('new-otp', account.code());
    }

    await visitor.press('Create token');
    await visitor.see('Your new token');

    return visitor.site.isSecret('a token', await visitor.text('made-token'));
}

const dialog = visitor => visitor.page.getByRole('dialog');


export const STEPS = [

    { title: 'a login says in words what is wrong, and lets the right one in',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);

        await visitor.open('', 'Log in');
        await visitor.press('Log in');
        await visitor.sees('Type your user name and your password.');
        await visitor.typeLogin(account, 'Not-the-password');
        await visitor.page.getByRole('alert').filter({ visible: true })
            .getByText(/wrong/i).waitFor();
        must(await visitor.page.locator('#login-password').inputValue() === '',
             'the wrong password is still there');
        await visitor.typeLogin(account);
        await visitor.see('Tokens');

        const cookie = await visitor.cookie();

        must(cookie && cookie.secure && cookie.httpOnly && cookie.path === '/'
             && cookie.sameSite === 'Strict' && cookie.expires === -1,
             `the cookie is ${JSON.stringify(cookie)}`);
        must(/^[A-Za-z0-9_-]{22,}$/.test(cookie.value),
             'the cookie is no random value');
        await visitor.knowCookie();
        await visitor.keepsSecrets();

        /* in another tab of the same browser, and after a reload */
        await visitor.open('', 'Tokens');
        await visitor.press('Log out');
        await visitor.see('Log in');
        must(!await visitor.cookie(), 'the cookie is still there');
        await visitor.open('#new', 'Log in');
        visitor.isQuiet('login');
        await visitor.close();
      } },

    { title: 'too many wrong passwords are said with how long to wait',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.there);

        await visitor.open('', 'Log in');

        for (let i = 0; i < FEW_ATTEMPTS; i++) {
            const answer = visitor.page.waitForResponse(/api\/login$/);

            await visitor.typeLogin(account, 'Not-the-password');
            must((await answer).status() === 401, 'the answer is another');
        }

        await visitor.typeLogin(account);
        await visitor.sees(/Try again in 15 minutes\./);
        visitor.isQuiet('too many');
        await visitor.close();
      } },

    { title: 'a token of the page installs, is in npm token list, and is'
             + ' revoked by npm',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);

        await visitor.logIn(account);

        const token = await create(visitor, account, 'build server',
            async () => {
                await visitor.press('Add my address, 127.0.0.1');
                await visitor.page.locator('#summary')
                    .getByText('install packages, nothing else').waitFor();
            });

        must(/^npm_[A-Za-z0-9]{36}$/.test(token), `the token is "${token}"`);

        const line = await visitor.text('made-line');

        must(line === `//127.0.0.1:${site.here.port}/:_authToken=${token}`,
             'the line for .npmrc is another');
        await visitor.press('Copy the line for .npmrc');

        const npm = await npmOf(site, site.there, account, token);
        const installing = await install(npm);

        must(installing.code === 0, installing.all);

        const cwd = await npm.project({ name: 'mine', version: '1.0.0' });
        const publishing = await npm.npm(['publish'], cwd);

        must(publishing.code !== 0 && /read-only/i.test(publishing.all),
             publishing.all);

        await visitor.press('I have it');
        await visitor.see('Tokens');

        const row = visitor.row('build server');

        await row.getByText(token.slice(0, 8)).waitFor();
        await row.getByText('Read-only').waitFor();
        await row.getByText('127.0.0.1').waitFor();

        const own = await npmOf(site, site.there, account, account.token);
        const list = await own.npm(['token', 'list']);
        const id = keyOf(token).slice(0, 6);

        must(list.all.includes(id) && /127\.0\.0\.1/.test(list.all), list.all);

        const revoking = await own.npm(['token', 'revoke', id]);

        must(revoking.code === 0, revoking.all);
        await visitor.open('', 'Tokens');
        must(!(await visitor.names()).includes('build server'),
             'it is still in the page');
        await visitor.keepsSecrets();
        visitor.isQuiet('create');
        await visitor.close();
      } },

    { title: 'npm install is refused by another node as soon as its token is'
             + ' revoked in the page',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const token = await account.create({
            name: 'laptop', packages_and_scopes_permission: 'read-only',
        });
        const npm = await npmOf(site, site.there, account, token);
        const visitor = await browser.visit(site, site.here);
        const before = await install(npm);

        must(before.code === 0, before.all);
        await visitor.logIn(account);
        await visitor.row('laptop').getByRole('button').click();
        await dialog(visitor).getByRole('heading', {
            name: 'Revoke “laptop”?' }).waitFor();

        /* Enter does nothing that cannot be undone */
        await visitor.page.keyboard.press('Enter');
        must((await visitor.names()).includes('laptop'), 'Enter revoked it');
        await visitor.row('laptop').getByRole('button').click();
        await dialog(visitor).getByRole('button', { name: 'Revoke' }).click();
        await visitor.told('“laptop” is revoked.');

        const after = await install(npm);

        must(after.code !== 0 && /E401/.test(after.all), after.all);
        visitor.isQuiet('revoke');
        await visitor.close();
      } },

    { title: 'a name is text, a filter finds it, and several are revoked at'
             + ' once',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const tokens = [];

        for (const name of [BAD_NAME, 'ci one', 'ci two', 'laptop']) {
            tokens.push(await account.create({
                name, packages_and_scopes_permission: 'read-write',
                packages: name === 'laptop' ? undefined : ['@acme/button'],
            }));
        }

        await visitor.logIn(account);
        must((await visitor.names()).includes(BAD_NAME), 'no such name');

        for (const [text, count] of [['ci', 2], ['@acme', 3], ['onerror', 1],
                                     [tokens[3].slice(0, 8), 1],
                                     ['no such', 0], ['', 5]])
        {
            await visitor.type('filter', text);
            must((await visitor.names()).length === count,
                 `"${text}" finds ${await visitor.names()}`);
        }

        await visitor.type('filter', 'ci');
        await visitor.page.getByLabel('Select all tokens').check();
        await visitor.press('Revoke 2 selected');
        await dialog(visitor).getByText('ci one').waitFor();
        await dialog(visitor).getByText('ci two').waitFor();
        await dialog(visitor).getByRole('button', { name: 'Revoke' }).click();
        await visitor.told('2 tokens are revoked.');
        await visitor.type('filter', '');
        must((await visitor.names()).length === 3, 'not just these');

        for (const [i, status] of [200, 401, 401, 200].entries()) {
            const answer = await site.call(site.there, 'GET', '/-/whoami',
                                           { token: tokens[i] });

            must(answer.status === status, `token ${i}: ${answer.status}`);
        }

        visitor.isQuiet('filter');
        await visitor.close();
      } },

    { title: 'a list of several pages is shown whole, and revoked whole',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const count = 230;

        await site.redis('EVAL', `
            for i = 1, ${count} do
                local key = string.rep('0', 120) .. string.format('%08x', i)
                redis.call('HSET', 'npmtoken:token:' .. key, 'user', ARGV[1],
                           'name', 'ci ' .. i, 'token', 'npm_abcd',
                           'readonly', 'true', 'created',
                           '2026-01-01T00:00:00.000Z')
                redis.call('SADD', KEYS[1], key)
            end`, '1', `npmtoken:tokens-of:${account.name}`, account.name);

        await visitor.logIn(account);
        must((await visitor.names()).length === count + 1,
             `${(await visitor.names()).length} are shown`);
        await visitor.type('filter', 'ci');
        await visitor.page.getByLabel('Select all tokens').check();
        await visitor.press(`Revoke ${count} selected`);
        await dialog(visitor).getByRole('button', { name: 'Revoke' }).click();
        await visitor.told(`${count} tokens are revoked.`);
        await visitor.type('filter', '');
        must((await visitor.names()).length === 1, 'some are still there');
        visitor.isQuiet('many');
        await visitor.close();
      } },

    { title: 'where writes take a code, revoking asks for it after a while',
      async run({ site, browser }) {
        const account = await site.person({ tfa: 'auth-and-writes' });
        const visitor = await browser.visit(site, site.here);

        await account.create({
            name: 'laptop', packages_and_scopes_permission: 'read-only' });
        await visitor.logIn(account);
        await visitor.wasLongAgo(account);
        await visitor.row('laptop').getByRole('button').click();
        await dialog(visitor).getByRole('button', { name: 'Revoke' }).click();
        await dialog(visitor)
            .getByText('Type the code that your authenticator shows now.')
            .waitFor();
        await visitor.isGood('a code to revoke');
        await account.later();
        await visitor.type('revoke-otp', account.code());
        await dialog(visitor).getByRole('button', { name: 'Revoke' }).click();
        await visitor.told('“laptop” is revoked.');
        visitor.isQuiet('a code to revoke');
        await visitor.close();
      } },

    { title: 'nothing of a person stays in a page whose session has ended by'
             + ' itself',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);

        await account.create({
            name: 'a-tablet', packages_and_scopes_permission: 'read-only' });
        await visitor.page.clock.install();
        await visitor.logIn(account);
        await visitor.row('a-tablet').getByRole('button').click();
        await visitor.press('Cancel');
        await site.redis('DEL',
                         account.record((await visitor.cookie()).value));
        await visitor.page.clock.fastForward('15:05');
        await visitor.see('Log in');
        await visitor.told('Your session has ended. Log in again.');

        const content = await visitor.page.content();

        for (const text of ['a-tablet', account.name]) {
            must(!content.includes(text), `${text} is still there`);
        }

        visitor.isQuiet('idle');
        await visitor.close();
      } },

    { title: 'addresses, packages and dates are checked as they are typed',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const error = id => visitor.text(`new-${id}-error`);

        await visitor.logIn(account);
        await visitor.link('New token');
        await visitor.see('New token');

        for (const [text, right] of [
            ['10.0.0.0/8', true], ['10.0.0.300', false], ['10.0.0', false],
            ['010.0.0.1', false], ['10.0.0.0/33', false],
            ['10.0.0.0/08', false], ['10.0.0.0/', false], ['::1', true],
            ['2001:db8::/32', true], ['2001:db8::/129', false],
            ['2001:db8:::1', false], ['::ffff:10.0.0.1', false],
            ['fe80::1%eth0', false], ['example.com', false],
            ['10.0.0.1, 10.0.0.2\n::1', true], ['', true],
        ]) {
            await visitor.type('new-addresses', text);

            const said = await error('addresses');

            must((said === '') === right, `${text}: "${said}"`);
        }

        await visitor.page.getByLabel('Read and write').check();

        for (const [id, text, right] of [
            ['packages', 'left-pad @acme/card', true],
            ['packages', '@acme', false], ['packages', '.hidden', false],
            ['packages', 'a/b', false], ['scopes', '@acme', true],
            ['scopes', 'acme', true], ['scopes', '@acme/card', false],
        ]) {
            await visitor.type(`new-${id}`, text);

            const said = await error(id);

            must((said === '') === right, `${id}: ${text}: "${said}"`);
        }

        /* a form that is not right is not sent */
        await visitor.press('Create token');
        await visitor.sees('Give it a name.');
        must(await visitor.page.evaluate(() => document.activeElement.id)
             === 'new-name', 'the focus is not where it is wrong');

        await visitor.page.getByLabel('Expires').selectOption('on a date');

        for (const [days, right] of [[0, false], [1, true], [LONGEST, true],
                                     [LONGEST + 1, false]])
        {
            const now = new Date();
            const day = new Date(Date.UTC(now.getFullYear(), now.getMonth(),
                                          now.getDate() + days));

            await visitor.type('new-date', day.toISOString().slice(0, 10));
            must((await error('date') === '') === right,
                 `${days} days: "${await error('date')}"`);
        }

        visitor.isQuiet('checks');
        await visitor.close();
      } },

    { title: 'a token has what its summary says, and no more',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);

        await visitor.logIn(account);
        await visitor.link('New token');
        await visitor.see('New token');
        must(await visitor.page.locator('#new-expires').inputValue()
             === String(USUAL), 'the usual time is not preset');
        must(await visitor.page.locator('#new-readonly').isChecked(),
             'read-only is not preset');
        must(!(await visitor.text('new-expires')).includes('never'),
             'it offers what is refused');
        await visitor.link('Tokens');

        const token = await create(visitor, account, 'release', async () => {
            await visitor.type('new-description', 'of @acme');
            await visitor.page.getByLabel('Read and write').check();
            await visitor.type('new-packages', 'left-pad');
            await visitor.type('new-scopes', 'acme');
            await visitor.type('new-addresses', '127.0.0.0/8\n::1');
            await visitor.page.locator('#new-expires').selectOption('7');

            const summary = await visitor.text('summary');

            for (const text of ['release', 'install, publish and change',
                                'left-pad, @acme/*', '127.0.0.0/8, ::1',
                                'in 7 days'])
            {
                must(summary.includes(text), `${text}: ${summary}`);
            }
        });
        const field = name => site.servers.redisValue(account.record(token),
                                                      name);

        for (const [name, value] of Object.entries({
            user: account.name, name: 'release', readonly: 'false',
            description: 'of @acme', packages: 'left-pad', scopes: '@acme',
            cidr_whitelist: '127.0.0.0/8,::1',
        })) {
            must(await field(name) === value,
                 `${name} is "${await field(name)}"`);
        }

        const end = Number(await field('expires_at')) * 1000;

        must(Math.abs(end - Date.now() - 7 * DAY_MS) < 60000, 'its end');
        visitor.isQuiet('summary');
        await visitor.close();
      } },

    { title: 'a new token leaves the page for good',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const { page } = visitor;
        const isGone = async (token, how) => {
            must(!(await page.content()).includes(token), `${how}: it stays`);
            await visitor.keepsSecrets();
        };

        await visitor.logIn(account);

        let token = await create(visitor, account, 'one');

        await visitor.press('I have it');
        await visitor.see('Tokens');
        await isGone(token, 'I have it');

        token = await create(visitor, account, 'two');
        await visitor.link('Account');
        await visitor.see('Account');
        await isGone(token, 'another view');
        await page.goBack();
        await page.goBack();
        await isGone(token, 'back');

        await visitor.open('', 'Tokens');
        token = await create(visitor, account, 'three');
        await page.evaluate(() => dispatchEvent(new Event('pagehide')));
        await isGone(token, 'pagehide');

        await visitor.open('', 'Tokens');
        token = await create(visitor, account, 'four');
        await page.reload();
        await visitor.see('Tokens');
        await isGone(token, 'reload');
        visitor.isQuiet('shown once');
        await visitor.close();
      } },

    { title: 'the second factor is set up by its QR code, used, and turned'
             + ' off',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);

        await visitor.logIn(account);
        await visitor.link('Account');
        await visitor.see('Account');
        await visitor.page.getByLabel('Also to publish').check();
        await visitor.type('tfa-password', account.password);
        await visitor.press('Set up');
        await visitor.sees('Scan this with');
        await visitor.isGood('QR code');

        const read = await readQr(visitor);
        const secret = (await visitor.text('tfa-secret')).replace(/ /g, '');

        must(read?.startsWith('otpauth://totp/')
             && new URL(read).searchParams.get('secret') === secret,
             'the QR code is not that of the key');
        account.knowSecret(secret);

        await visitor.type('tfa-code', '12345');
        await visitor.press('Turn on');
        await visitor.sees('The code has six digits.');
        await visitor.type('tfa-code', account.code());
        await visitor.press('Turn on');
        await visitor.see('Recovery codes');
        await visitor.isGood('recovery codes');

        const codes = (await visitor.text('tfa-list')).split('\n');

        must(codes.length === 5 && codes.every(c => /^[0-9a-f]{64}$/.test(c)),
             'no five recovery codes');
        codes.forEach(code => site.isSecret('a recovery code', code));
        await visitor.press('I have them');
        await visitor.told('The second factor is on.');
        must(!(await visitor.page.content()).includes(codes[0]),
             'the recovery codes are still there');

        /* a code is asked for now, and a recovery code will do */
        await visitor.press('Log out');
        await visitor.see('Log in');
        await visitor.type('login-name', account.name);
        await visitor.type('login-password', account.password);
        await visitor.press('Log in');
        await visitor.sees('Type the code that your authenticator shows now.');
        must(await visitor.page.evaluate(() => document.activeElement.id)
             === 'login-otp', 'the focus is not on the code');
        await visitor.isGood('login with a code');
        await visitor.type('login-otp', codes[0]);
        await visitor.press('Log in');
        await visitor.see('Tokens');
        await visitor.knowCookie();

        await create(visitor, account, 'with a code');
        await visitor.press('I have it');

        await visitor.link('Account');
        await visitor.see('Account');
        await visitor.page.getByLabel('Never').check();
        await visitor.type('tfa-password', account.password);
        await account.later();
        await visitor.type('tfa-otp', account.code());
        await visitor.press('Turn off');
        await visitor.told('The second factor is off.');
        await visitor.keepsSecrets();
        visitor.isQuiet('second factor');
        await visitor.close();
      } },

    { title: 'a new password ends the other sessions, and is the one that'
             + ' counts',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const other = await browser.visit(site, site.there);
        const next = site.isSecret('a password', `New-${account.name}-horse`);

        await visitor.logIn(account);
        await other.logIn(account);
        await visitor.link('Account');
        await visitor.see('Account');
        await visitor.type('password-old', account.password);
        await visitor.type('password-new', next);
        await visitor.type('password-again', `${next}x`);
        await visitor.press('Change password');
        await visitor.sees('The two new passwords are not the same.');
        await visitor.type('password-again', next);
        await visitor.press('Change password');
        await visitor.told('Your password is changed.');

        await other.link('Account');
        await other.see('Log in');
        await other.told('Your session has ended. Log in again.');
        account.password = next;
        await other.typeLogin(account);
        await other.see('Account');
        await other.knowCookie();
        await visitor.knowCookie();
        visitor.isQuiet('password');
        other.isQuiet('ended session');
        await visitor.close();
        await other.close();
      } },

    { title: 'sessions are listed apart from tokens, and one ends another',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const other = await browser.visit(site, site.there);

        await visitor.logIn(account);
        await other.logIn(account);
        await visitor.open('', 'Tokens');

        const sessions = visitor.page.locator('#sessions li');

        must(await sessions.count() === 2, `${await sessions.count()} sessions`);
        must((await visitor.names()).length === 1, 'a session is a token');
        must(await sessions.getByText('this browser').count() === 1,
             'which is this browser?');

        const own = await npmOf(site, site.there, account, account.token);
        const list = await own.npm(['token', 'list', '--json']);

        must(list.code === 0 && JSON.parse(list.stdout).length === 1,
             list.all);

        /* one that ends while a form is filled in */
        await other.link('New token');
        await other.see('New token');
        await sessions.filter({ hasNotText: 'this browser' })
            .getByRole('button').click();
        await dialog(visitor).getByRole('button', { name: 'End session' })
            .click();
        await visitor.told('The session has ended.');
        await other.type('new-name', 'too late');
        await other.type('new-password', account.password);
        await other.press('Create token');
        await other.see('Log in');
        await other.told('Your session has ended. Log in again.');
        visitor.isQuiet('sessions');
        other.isQuiet('session that was ended');
        await visitor.close();
        await other.close();
      } },

    { title: 'below another base the page and its tokens are of that registry,'
             + ' which keeps the passwords',
      short: true,
      async run({ site, browser }) {
        const account = site.registered();
        const visitor = await browser.visit(site, site.deep);

        await visitor.logIn(account);

        const token = await create(visitor, account, 'deep');
        const line = await visitor.text('made-line');

        must(line === `//127.0.0.1:${site.deep.port}`
             + `${new URL(site.deep.url).pathname}:_authToken=${token}`,
             `the line is "${line}"`);
        must((await npmOf(site, site.deep, account, token)
              .then(npm => npm.npm(['whoami']))).all.includes(account.name),
             'npm whoami does not know the token');
        await visitor.link('Account');
        await visitor.see('Account');
        await visitor.sees(/Your password is kept by the registry/);
        must(await visitor.page.locator('#password').isHidden(),
             'it offers to change the password');
        await visitor.isGood('another base');
        await visitor.close();
      } },

    { title: 'a QR code of any length is read as what it is of',
      async run({ site, browser }) {
        const visitor = await browser.visit(site, site.here);
        const texts = [1, 17, 40, 78, 106, 134, 200, 271, 400, 700, 1000, 1500,
                       2000, 2953].map(length =>
            'otpauth://totp/a%20b:c?secret=ABC234&x='.repeat(length / 39 + 1)
                .slice(0, length));

        await visitor.open('', 'Log in');

        const codes = await visitor.page.evaluate(async all => {
            const { qrCode } = await import('./qr.js');

            return all.map(text => {
                const { size, dark } = qrCode(text);

                return { size, dark: [...dark] };
            });
        }, texts);

        codes.forEach(({ size, dark }, i) => {
            const [width, scale] = [(size + 8) * 3, 3];
            const image = new Uint8ClampedArray(width * width * 4).fill(255);

            for (let at = 0; at < width * width; at++) {
                const x = Math.floor(at % width / scale) - 4;
                const y = Math.floor(at / width / scale) - 4;

                if (x >= 0 && y >= 0 && x < size && y < size
                    && dark[y * size + x])
                {
                    image.fill(0, at * 4, at * 4 + 3);
                }
            }

            must(decoder()(image, width, width)?.data === texts[i],
                 `${texts[i].length} characters, ${size} modules`);
        });

        must(await visitor.page.evaluate(async () => {
            const { qrCode } = await import('./qr.js');

            return qrCode('x'.repeat(2954));
        }) === null, 'there is no room for so many');
        await visitor.close();
      } },

    { title: 'the keyboard alone is enough',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const { keyboard } = visitor.page;
        const focus = () => visitor.page.evaluate(() =>
            document.activeElement.id
            || document.activeElement.textContent.trim());

        /* by Tab, as far as it takes */
        const tabTo = async name => {
            for (let i = 0; i < 60; i++) {
                if (await focus() === name) {
                    return;
                }

                await keyboard.press('Tab');
            }

            must(false, `Tab does not lead to ${name}`);
        };

        await visitor.open('', 'Log in');
        must(await focus() === 'login-name', `focus: ${await focus()}`);
        await keyboard.type(account.name);
        await tabTo('login-password');
        await keyboard.type(account.password);
        await keyboard.press('Enter');
        await visitor.see('Tokens');
        await tabTo('New token');
        await keyboard.press('Enter');
        await visitor.see('New token');
        must(await focus() === 'New token', `focus: ${await focus()}`);
        await tabTo('new-name');
        await keyboard.type('by keyboard');
        await tabTo('new-password');
        await keyboard.type(account.password);
        await keyboard.press('Enter');
        await visitor.see('Your new token');
        await tabTo('made-done');
        await keyboard.press('Enter');
        await visitor.see('Tokens');
        await tabTo('Revoke by keyboard');
        await keyboard.press('Enter');
        await dialog(visitor).waitFor();
        must(await focus() === 'revoke-cancel', `focus: ${await focus()}`);
        await keyboard.press('Escape');
        must(await dialog(visitor).count() === 0, 'Escape does not close it');
        must(await focus() === 'Revoke by keyboard',
             `focus: ${await focus()}`);
        await keyboard.press('Enter');
        await tabTo('revoke-go');
        await keyboard.press('Enter');
        await visitor.told('“by keyboard” is revoked.');
        must(await focus() === 'Tokens', `focus: ${await focus()}`);
        visitor.isQuiet('keyboard');
        await visitor.close();
      } },

    { title: 'without JavaScript, the page names the commands',
      short: true,
      async run({ site, browser }) {
        const visitor = await browser.visit(site, site.here,
                                            { javaScriptEnabled: false });

        await visitor.page.goto(visitor.home);

        for (const command of ['npm login', 'npm token list',
                               'npm token create', 'npm token revoke ID',
                               'npm profile enable-2fa', 'npm logout'])
        {
            await visitor.page.locator('.commands')
                .getByText(command, { exact: true }).waitFor();
        }

        must(!await visitor.page.locator('form:visible').count(),
             'a form that does nothing is there');
        await visitor.close();
      } },

    { title: 'without TLS nobody can log in, and the page says why',
      async run({ site, browser }) {
        const visitor = await browser.visit(site, {
            ...site.here, url: `http://${NAME}:${site.here.port}/`,
        });

        await visitor.open('', 'Log in');
        await visitor.page.locator('#login-none').getByText(/https|TLS/)
            .waitFor();
        must(await visitor.page.locator('#login').isHidden(),
             'a form is there all the same');
        await visitor.isGood('without TLS');
        await visitor.close();
      } },

    { title: 'neither a sibling host nor another site does anything by the'
             + ' session of a person',
      short: true,
      async run({ site, browser }) {
        const account = await site.person();
        const token = await account.create({
            name: 'kept', packages_and_scopes_permission: 'read-only' });
        const visitor = await browser.visit(site, site.here);
        const evil = await hostile(site, visitor, keyOf(token));

        await visitor.logIn(account);
        visitor.isQuiet('before');

        for (const host of ['127.0.0.1', 'localhost']) {
            await visitor.page.goto(`http://${host}:${evil.port}/`);
            await visitor.page.waitForFunction(() => window.tried);

            const got = await visitor.page.evaluate(() => window.tried);

            must(got.length === 0, `${host}: ${got.join(', ')}`);
        }

        must(evil.statuses().length > 0
             && evil.statuses().every(status => status === 403),
             `the answers were ${evil.statuses()}`);
        must((await site.call(site.here, 'GET', '/-/whoami', { token }))
             .status === 200, 'the token is revoked');

        await visitor.page.goto(visitor.home);
        await visitor.see('Tokens');
        await evil.stop();
        await visitor.close();
      } },

    { title: 'while Redis is away the page says so, keeps what was typed, and'
             + ' goes on',
      async run({ site, browser }) {
        const account = await site.person();
        const visitor = await browser.visit(site, site.here);
        const redis = site.servers.started.find(s => s.name === 'redis');

        await visitor.logIn(account);
        await visitor.link('New token');
        await visitor.see('New token');
        await visitor.type('new-name', 'in spite of it');
        await visitor.type('new-password', account.password);
        redis.child.kill('SIGSTOP');

        try {
            await visitor.press('Create token');
            await visitor.page.locator('#new-error:visible').waitFor();
        } finally {
            redis.child.kill('SIGCONT');
        }

        must(await visitor.page.locator('#new-name').inputValue()
             === 'in spite of it', 'what was typed is gone');

        await until('Redis is back', async () => {
            await visitor.type('new-password', account.password);
            await visitor.press('Create token');

            const made = await visitor.page
                .locator('#view-made:visible, #new-error:visible').first()
                .waitFor().then(() => visitor.page.locator('#view-made')
                                .isVisible());

            return made;
        });
        site.isSecret('a token', await visitor.text('made-token'));
        await visitor.close();
      } },
];


const decoder = () => installed('jsqr').default ?? installed('jsqr');

/* what a reader of QR codes sees on the screen */
async function readQr(visitor) {
    const { width, height, data } = await visitor.page.locator('#tfa-qr')
        .evaluate(canvas => {
            const { width: w, height: h } = canvas;
            const image = canvas.getContext('2d').getImageData(0, 0, w, h);

            /* what is not drawn is as white as what is behind it */
            return { width: w, height: h,
                     data: [...image.data].map((value, i, all) =>
                         all[i - i % 4 + 3] === 0 ? 255 : value) };
        });

    return decoder()(new Uint8ClampedArray(data), width, height)?.data;
}


/*
 * A site of somebody else's, which tries what it can with the browser of a
 * person who is logged in: "tried" is what it got.
 */
async function hostile(site, visitor, key) {
    const { home } = visitor;
    const body = JSON.stringify({ keys: [key] });
    const seen = [];

    const script = `
        const got = [];
        const body = ${JSON.stringify(body)};
        const home = ${JSON.stringify(home)};
        const tries = [
            ['fetch', { method: 'POST', mode: 'no-cors', body,
                        credentials: 'include' }],
            ['cors', { method: 'POST', mode: 'cors', body,
                       credentials: 'include',
                       headers: { 'Content-Type': 'application/json' } }],
        ];

        for (const [name, options] of tries) {
            await fetch(home + 'api/revoke', options).then(
                r => r.type === 'opaque' || got.push(name + ' ' + r.status),
                () => {});
        }

        await fetch(home + 'api/tokens?perPage=10&page=0',
                    { credentials: 'include' }).then(
            r => got.push('read ' + r.status), () => {});

        const frame = document.createElement('iframe');

        frame.src = home;
        document.body.append(frame);
        await new Promise(resolve => { frame.onload = resolve; });

        try {
            got.push('frame ' + frame.contentWindow.document.title);
        } catch {
        }

        const form = document.createElement('form');

        form.method = 'post';
        form.action = home + 'api/revoke';
        form.enctype = 'text/plain';
        form.target = 'other';
        form.innerHTML = '<input name=x>';
        form.firstChild.name = body.replace(/}$/, ',"x":"');
        form.firstChild.value = '"}';

        const inner = document.createElement('iframe');

        inner.name = 'other';
        document.body.append(inner);
        form.append();
        document.body.append(form);

        const done = new Promise(resolve => { inner.onload = resolve; });

        form.submit();
        await done;
        window.tried = got.filter(text => !/^frame $/.test(text));`;

    const server = http.createServer((request, response) => {
        response.writeHead(200, { 'Content-Type': 'text/html' });
        response.end('<!DOCTYPE html><title>Evil</title><body>'
                     + `<script type="module">${script}</script>`);
    });

    visitor.context.on('response', response => {
        if (/\/api\//.test(response.url())
            && response.request().frame().page() === visitor.page
            && !visitor.page.url().startsWith(home))
        {
            seen.push(response.status());
        }
    });

    await new Promise(resolve => server.listen(0, resolve));

    return {
        port: server.address().port,
        statuses: () => seen,
        stop: () => new Promise(resolve => server.close(resolve)),
    };
}
