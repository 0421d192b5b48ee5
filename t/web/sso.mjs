/*
 * Where a single sign-on tells nginx who somebody is: neither the page nor an
 * approval asks for a name and a password.
 */

import { askToLogIn } from './terminals.mjs';
import { must, until } from './site.mjs';


/* a browser of somebody who signs on as "person" */
async function visit({ site, browser }, person, node = site.sso) {
    const visitor = await browser.visit(site, node,
                                        { ignoreHTTPSErrors: true });

    site.signOn.person = person;
    visitor.others.push(`${node.url}oauth2/`);

    return visitor;
}

export const STEPS = [

    { title: 'who signs on is logged in, and makes a token without a password',
      short: true,
      async run(world) {
        const { site } = world;
        const visitor = await visit(world, 'olivia');

        await visitor.open('', 'Tokens');
        await visitor.knowCookie();
        await visitor.sees('No tokens yet');
        must(await visitor.text('user') === 'olivia', 'it is somebody else');
        await visitor.link('New token');
        await visitor.see('New token');
        must(await visitor.page.locator('#new-password').isHidden(),
             'a password is asked for');
        await visitor.type('new-name', 'by sign-on');
        await visitor.press('Create token');
        await visitor.see('Your new token');

        const token = site.isSecret('a token',
                                    await visitor.text('made-token'));
        const { said } = await site.call(site.there, 'GET', '/-/whoami',
                                         { token });

        must(said.username === 'olivia', JSON.stringify(said));
        await visitor.press('I have it');
        await visitor.isGood('signed on');

        /* who logs out is not logged in again unasked */
        await visitor.press('Log out');
        await visitor.see('Log in');
        must(await visitor.page.locator('#login-name').isHidden(),
             'a name is asked for');
        await visitor.isGood('logged out');
        await visitor.press('Log in');
        await visitor.see('Tokens');
        await visitor.close();
      } },

    { title: 'by TLS and a name it is as by http and localhost',
      short: true,
      async run(world) {
        const { site } = world;
        const visitor = await visit(world, 'ottilie', site.secure);

        await visitor.open('', 'Tokens');
        await visitor.knowCookie();
        await visitor.link('New token');
        await visitor.see('New token');
        await visitor.type('new-name', 'by TLS');
        await visitor.press('Create token');
        await visitor.see('Your new token');

        const token = site.isSecret('a token',
                                    await visitor.text('made-token'));
        const line = await visitor.text('made-line');

        must(line === `//${new URL(site.secure.url).host}/:_authToken=${token}`,
             `the line is ${line}`);
        await visitor.press('I have it');
        await visitor.see('Tokens');
        await visitor.keepsSecrets();
        await visitor.isGood('by TLS');
        await visitor.close();
      } },

    { title: 'npm login is approved by who signs on, without a password',
      short: true,
      async run(world) {
        const { site } = world;
        const visitor = await visit(world, 'oscar');
        const { loginUrl, doneUrl } = await askToLogIn(site.sso);

        await visitor.page.goto(loginUrl);
        await visitor.see('Log in at a terminal?');
        await visitor.knowCookie();
        must(await visitor.page.locator('#ask-password').isHidden(),
             'a password is asked for');
        await visitor.press('Approve');
        await visitor.see('Approved');

        const token = await until('the token', async () =>
            (await (await fetch(doneUrl)).json()).token);
        const { said } = await site.call(site.there, 'GET', '/-/whoami',
                                         { token: site.isSecret('a token',
                                                                token) });

        must(said.username === 'oscar', JSON.stringify(said));
        visitor.isQuiet('approval by sign-on');
        await visitor.close();
      } },

    { title: 'a call that is never let through is said, and does not load the'
             + ' page for ever',
      async run(world) {
        const { signOn } = world.site;
        const visitor = await visit(world, 'otto');
        let loads = 0;

        visitor.page.on('load', () => { loads++; });
        signOn.closed = /api\/tokens/;

        try {
            await visitor.page.goto(visitor.home);
            await visitor.see('This page cannot be shown');
        } finally {
            signOn.closed = null;
        }

        must(loads <= 2, `it was loaded ${loads} times`);
        await visitor.press('Try again');
        await visitor.see('Tokens');
        await visitor.knowCookie();
        await visitor.close();
      } },

    { title: 'who signs on as somebody else is somebody else in the page',
      async run(world) {
        const visitor = await visit(world, 'ophelia');

        await visitor.open('', 'Tokens');
        must(await visitor.text('user') === 'ophelia', 'it is somebody else');
        await visitor.knowCookie();
        world.site.signOn.person = 'orson';
        await visitor.link('Account');
        await visitor.see('Account');
        must(await visitor.text('user') === 'orson', 'it is somebody else');
        await visitor.knowCookie();
        visitor.isQuiet('another person');
        await visitor.close();
      } },
];
