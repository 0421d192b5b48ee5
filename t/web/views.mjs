/*
 * Each view of the page, as it is seen: light, dark, and on a phone.  axe finds
 * nothing in it.  With a directory for them, pictures are taken.
 */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from '../../demo/lib/servers.mjs';
import { must } from './site.mjs';

export const PICTURES = path.join(ROOT, 'docs/img');

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101'
    + ' Firefox/140.0';
const NPM = 'npm/11.6.1 node/v20.20.2 linux x64 workspaces/false';

const MODES = {
    light: { userAgent: FIREFOX, viewport: { width: 1080, height: 720 } },
    dark: { userAgent: FIREFOX, viewport: { width: 1080, height: 720 },
            colorScheme: 'dark' },
    phone: { userAgent: FIREFOX, viewport: { width: 390, height: 780 },
             isMobile: true },
};

const NAMES = { light: 'alice', dark: 'bob', phone: 'carol' };

const DAY = 86400;

/* what makes a list worth to be looked at; times are days from now */
const TOKENS = [
    { name: 'laptop', packages_and_scopes_permission: 'read-write',
      made: -190, ends: -10 },
    { name: 'release', description: 'GitLab, group acme',
      packages_and_scopes_permission: 'read-write', scopes: ['@acme'],
      packages: ['left-pad'], cidr_whitelist: ['203.0.113.0/24'],
      bypass_2fa: true, made: -40, ends: 4 },
    { name: 'build server', packages_and_scopes_permission: 'read-only',
      cidr_whitelist: ['10.20.0.0/16', '2001:db8:77::/48'], made: -12,
      ends: 78 },
];


/* as if they had been made a while ago */
async function age(site, account, token, { made, ends }) {
    const now = Math.floor(Date.now() / 1000);
    const day = new Date((now + made * DAY) * 1000).toISOString();

    await site.redis('HSET', account.record(token), 'created', day,
                     'updated', day, 'expires_at', String(now + ends * DAY));
}

async function visitAll({ site, browser }, mode, shoot) {
    const account = await site.person({ name: NAMES[mode] });
    const visitor = await browser.visit(site, site.here, MODES[mode]);
    const { page } = visitor;
    const seen = async (name, whole = true) => {
        await visitor.isGood(`${name}, ${mode}`);
        await shoot(page, `${name}-${mode}`, whole);
    };

    await visitor.open('', 'Log in');
    await seen('login');
    await visitor.typeLogin(account, 'Not-the-password');
    await page.locator('#login-error:visible').waitFor();
    await seen('login-error');

    /* the token of the sign-up is the only one, and goes */
    await visitor.typeLogin(account);
    await visitor.see('Tokens');
    await visitor.knowCookie();

    for (const token of TOKENS) {
        const { made, ends, ...body } = token;

        await age(site, account, await account.create(body), token);
    }

    const again = await site.call(site.here, 'PUT',
        `/-/user/org.couchdb.user:${account.name}`,
        { agent: NPM, body: { name: account.name,
                              password: account.password } });

    must(again.status === 201, `npm login: ${again.status}`);
    await site.call(site.here, 'DELETE', `/-/user/token/${account.token}`,
                    { token: account.token });
    account.token = site.isSecret('a token', again.said.token);

    await page.reload();
    await visitor.see('Tokens');
    await seen('tokens');
    await page.getByLabel('Select laptop').check();
    await page.getByLabel('Select release').check();
    await visitor.press('Revoke 2 selected');
    await seen('revoke', false);
    await visitor.press('Cancel');
    await visitor.type('filter', 'nothing of the sort');
    await seen('no-match');
    await visitor.type('filter', '');

    await visitor.link('New token');
    await visitor.see('New token');
    await seen('new-read-only');
    await visitor.type('new-name', 'release');
    await page.getByLabel('Read and write').check();
    await visitor.type('new-scopes', '@acme');
    await visitor.type('new-addresses', '203.0.113.0/24\n203.0.113.300');
    await page.getByLabel('Expires').selectOption('on a date');
    await seen('new');
    await visitor.type('new-addresses', '203.0.113.0/24');
    await visitor.type('new-password', account.password);
    await visitor.press('Create token');
    await visitor.see('Your new token');
    site.isSecret('a token', await visitor.text('made-token'));
    await seen('made');
    await visitor.press('I have it');
    await visitor.see('Tokens');

    await visitor.link('Account');
    await visitor.see('Account');
    await seen('account');
    await page.getByLabel('Also to publish').check();
    await visitor.type('tfa-password', account.password);
    await visitor.press('Set up');
    await visitor.sees('Scan this with');
    await seen('second-factor');
    account.knowSecret((await visitor.text('tfa-secret')).replace(/ /g, ''));
    await visitor.type('tfa-code', account.code());
    await visitor.press('Turn on');
    await visitor.see('Recovery codes');
    await seen('recovery-codes');
    await visitor.press('I have them');
    await visitor.told('The second factor is on.');
    await seen('account-on');

    await visitPending(site, visitor, account, seen);

    await visitor.press('Log out');
    await visitor.told('You are logged out.');
    await seen('logged-out');
    await visitor.close();
}

/* as npm asks for it; without a client, nothing comes of it */
async function visitPending(site, visitor, account, seen) {
    const answer = await fetch(`${site.here.url}-/v1/login`, {
        method: 'POST', body: '{}', headers: {
            'Content-Type': 'application/json',
            'User-Agent': NPM,
        },
    });
    const { loginUrl } = await answer.json();
    const { hash } = new URL(loginUrl);

    await visitor.page.goto(visitor.home + hash);
    await visitor.see('Log in at a terminal?');
    await seen('approve');
    await visitor.press('Deny');
    await visitor.see('Denied');
    await seen('denied');
    await visitor.page.goto(visitor.home + hash);
    await visitor.see('This request has ended');
    await seen('ended');

    const refusal = await fetch(`${site.here.url}left-pad`, {
        method: 'PUT', body: '{}', headers: {
            'Content-Type': 'application/json', 'User-Agent': NPM,
            'Authorization': `Bearer ${account.token}`,
            'npm-auth-type': 'web', 'npm-command': 'publish',
        },
    });
    const { authUrl } = await refusal.json();

    await visitor.page.goto(visitor.home + new URL(authUrl).hash);
    await visitor.see('Let this command write?');
    await seen('approve-write');
    await visitor.press('Deny');
    await visitor.see('Denied');
    await visitor.link('To your tokens');
    await visitor.see('Tokens');
}

/* somebody who has just come, and has nothing */
async function visitEmpty({ site, browser }, mode, shoot) {
    const account = await site.person();
    const visitor = await browser.visit(site, site.here, MODES[mode]);

    await site.call(site.here, 'DELETE', `/-/user/token/${account.token}`,
                    { token: account.token });
    await visitor.logIn(account);
    await visitor.sees('No tokens yet');
    await visitor.isGood(`empty, ${mode}`);
    await shoot(visitor.page, `empty-${mode}`, true);
    await visitor.close();
}

export const STEPS = Object.keys(MODES).map(mode => ({
    title: `axe finds nothing in any view: ${mode}`,
    short: mode === 'light',

    async run(world) {
        await visitAll(world, mode, async () => {});
        await visitEmpty(world, mode, async () => {});
    },
}));


/*
 * The pictures, in a font as people have it, and with few colours: what it
 * takes is "tools/deps pictures".  Those of views that look alike are not kept.
 */

const KEPT = {
    light: ['login', 'tokens', 'revoke', 'new', 'made', 'second-factor',
            'account-on', 'approve', 'approve-write', 'empty'],
    dark: ['tokens', 'new', 'approve'],
    phone: ['tokens', 'new-read-only', 'approve'],
};

const FONTS = `<?xml version="1.0"?>
<fontconfig>
  <include>/etc/fonts/fonts.conf</include>
  <selectfont>
    <rejectfont>
      <pattern>
        <patelt name="family"><string>DejaVu Sans</string></patelt>
      </pattern>
    </rejectfont>
  </selectfont>
  <alias binding="strong">
    <family>sans-serif</family>
    <prefer><family>Inter</family></prefer>
  </alias>
</fontconfig>
`;

export async function pictureFonts() {
    const file = path.join(await mkdtemp(path.join(tmpdir(), 'npmtoken.')),
                           'fonts.conf');

    await writeFile(file, FONTS);

    return { FONTCONFIG_FILE: file };
}

export async function takePictures(world) {
    await mkdir(PICTURES, { recursive: true });

    for (const mode of Object.keys(MODES)) {
        const shoot = async (page, name, whole) => {
            if (KEPT[mode].some(kept => name === `${kept}-${mode}`)) {
                const file = path.join(PICTURES, `${name}.png`);

                await page.evaluate(() => scrollTo(0, 0));
                await page.screenshot({ path: file, fullPage: whole });
                await promisify(execFile)('pngquant', [
                    '--force', '--output', file, '--speed', '1', '64', file]);
            }
        };

        await visitAll(world, mode, shoot);
        await visitEmpty(world, mode, shoot);
    }
}
