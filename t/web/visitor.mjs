/*
 * A person at a browser.  Whatever it does, nothing is asked of another host,
 * nothing breaks the policy of the page, and nothing is thrown in it.
 */

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { ROOT } from '../../demo/lib/servers.mjs';
import { must, NAME, WAIT_MS } from './site.mjs';

const BUILT = path.join(ROOT, 'build/web');
const CHROMIUM = process.env.NPMTOKEN_CHROMIUM
    || '/usr/bin/chromium-headless-shell';

export const installed = createRequire(path.join(BUILT, 'package.json'));

/* a browser says so of each answer that is an error, and where TLS is not */
const EXPECTED = new RegExp('^(Failed to load resource: the server responded'
    + ' with a status|The Cross-Origin-Opener-Policy header has been ignored,'
    + " because the URL's origin was untrustworthy)");


export class Browser {

    /* "env": what is set beside the environment */
    static async start(env = {}) {
        const { chromium } = installed('playwright-core');
        const browser = new Browser();

        browser.axe = await readFile(installed.resolve('axe-core/axe.min.js'),
                                     'utf8');
        browser.chromium = await chromium.launch({
            executablePath: CHROMIUM,
            args: [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`,
                   ...process.getuid() === 0 ? ['--no-sandbox'] : []],
            env: { ...process.env, ...env },
        });

        return browser;
    }

    /* "options" are those of a context: size, colours, a cookie of its own */
    async visit(site, node, options = {}) {
        const context = await this.chromium.newContext({
            viewport: { width: 1200, height: 800 }, ...options,
        });

        context.setDefaultTimeout(WAIT_MS);
        await context.grantPermissions(['clipboard-read', 'clipboard-write'])
            .catch(() => {});

        return new Visitor(this, site, node, context,
                           await context.newPage());
    }

    stop() {
        return this.chromium?.close();
    }
}


export class Visitor {

    constructor(browser, site, node, context, page) {
        Object.assign(this, { browser, site, node, context, page });
        this.home = `${node.url}-/npmtoken/`;
        this.wrong = [];
        this.urls = [];

        /* where else it may ask */
        this.others = [];

        page.on('pageerror', error => this.wrong.push(error.stack));
        page.on('console', message => {
            if (message.type() === 'error'
                && !EXPECTED.test(message.text()))
            {
                this.wrong.push(message.text());
            }
        });
        context.on('request', request => {
            const url = request.url();

            this.urls.push(url);

            if (![this.home, ...this.others].some(each =>
                url.startsWith(each)))
            {
                this.wrong.push(`it asked for ${url}`);
            }
        });
    }

    /* goes to a page, and is in it */
    async open(hash = '', heading = undefined) {
        await this.page.goto(this.home + hash);

        if (heading) {
            await this.see(heading);
        }
    }

    see(name) {
        return this.page.getByRole('heading', { name, exact: true }).waitFor();
    }

    sees(text) {
        return this.page.locator('main, dialog[open]')
            .getByText(text).filter({ visible: true }).first().waitFor();
    }

    /* what the page says of what was done */
    told(text) {
        return this.page.locator('#notice').getByText(text, { exact: true })
            .waitFor();
    }

    type(id, text) {
        return this.page.locator(`#${id}`).fill(text);
    }

    press(name, options = {}) {
        return this.page.getByRole('button', { name, exact: true, ...options })
            .click();
    }

    link(name) {
        return this.page.getByRole('link', { name, exact: true }).click();
    }

    async logIn(account, heading = 'Tokens') {
        await this.open('', 'Log in');
        await this.typeLogin(account);
        await this.see(heading);
        await this.knowCookie();
    }

    /* in the form that is there */
    async typeLogin(account, password = account.password) {
        await this.type('login-name', account.name);
        await this.type('login-password', password);
        await this.press('Log in');

        if (account.secret && password === account.password) {
            await this.page.locator('#login-otp').waitFor();
            await account.later();
            await this.type('login-otp', account.code());
            await this.press('Log in');
        }
    }

    async cookie() {
        const cookies = await this.context.cookies(this.home);

        return cookies.find(({ name }) => name === '__Host-npmtoken');
    }

    async knowCookie() {
        this.site.isSecret('a cookie', (await this.cookie())?.value);
    }

    /* the login, so that what it has proven is to be proven again */
    async wasLongAgo(account) {
        const { value } = await this.cookie();

        await this.site.redis('HSET', account.record(value), 'updated',
                              '2026-01-01T00:00:00.000Z');
    }

    row(name) {
        return this.page.locator('#tokens-rows tr').filter({
            has: this.page.locator('.title').getByText(name, { exact: true }),
        });
    }

    /* the names in the list, from above */
    async names() {
        return this.page.locator('#tokens-rows .title').allTextContents();
    }

    text(id) {
        return this.page.locator(`#${id}`).textContent();
    }

    /* axe finds nothing, nothing sticks out, and nothing went wrong */
    async isGood(what) {
        const found = await this.page.evaluate(`(async () => {
            if (!window.axe) { ${this.browser.axe} }

            const { violations } = await axe.run();

            return violations.map(({ id, nodes }) => id + ': '
                + nodes.map(({ target }) => target.join(' ')).join(', '));
        })()`);
        const wide = await this.page.evaluate(() =>
            document.documentElement.scrollWidth > innerWidth);

        must(found.length === 0, `${what}: axe: ${found.join('; ')}`);
        must(!wide, `${what}: it scrolls sideways`);
        this.isQuiet(what);
    }

    isQuiet(what) {
        must(this.wrong.length === 0, `${what}: ${this.wrong.join('\n')}`);
    }

    /* nothing secret is where others find it */
    async keepsSecrets() {
        const kept = await this.page.evaluate(() => JSON.stringify([
            { ...localStorage }, { ...sessionStorage }, document.cookie,
            location.href, document.title, document.referrer,
            performance.getEntries().map(({ name }) => name),
        ]));

        for (const [secret, what] of this.site.secrets) {
            must(!kept.includes(secret), `${what} is kept by the browser`);
            must(!this.urls.some(url => url.includes(secret)),
                 `${what} is in an address`);
        }
    }

    close() {
        return this.context.close();
    }
}
