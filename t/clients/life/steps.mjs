/*
 * The steps of a life, in their order.  A step says in a few words what is
 * particular of this client, or nothing; what it expects it asserts.
 */

import assert from 'node:assert/strict';

import { keyOf } from '../../../demo/lib/tokens.mjs';

/* what a login is called, and that it ends */
const LOGIN = {
    name: /^npm login from 127\.0\.0\.1, [\w./+ -]+$/, session: 'login',
    expires_at: /^\d+$/,
};

const ELSEWHERE = '203.0.113.0/24';
const HERE = ['127.0.0.0/8', '203.0.113.0/24'];
const DAY = 86400;

const READ_ONLY = '--packages-and-scopes-permission=read-only';

/* the module's own sentences */
const WRONG = /user name or the password is wrong/i;
const MAY_ONLY_READ = /read-only/i;

const cidrs = list => list.map(cidr => `--cidr=${cidr}`);

/* what npm 5 keeps to itself is not looked for */
const told = ({ dialect }, ...texts) => dialect.silent ? [] : texts;


async function signUp(life) {
    const { desk, here, dialect } = life;

    await desk.sit(here);
    life.account = { email: life.email };

    if (dialect.adduser === false && !dialect.email) {
        await life.raw('PUT', `/-/user/org.couchdb.user:${life.user}`, {
            body: { name: life.user, password: life.password,
                    email: life.email, type: 'user' },
            to: [201],
        });
        life.first = await life.isNew(undefined, LOGIN);

        return 'has no `adduser`';
    }

    const asks = [life.asksUser(), life.asksPassword(), life.asksEmail()];

    await life.run([dialect.adduser === false ? 'login' : 'adduser'],
                   { asks, shows: /Logged in/ });
    life.first = await life.isNew(await life.own(), LOGIN);

    return dialect.adduser === false ? '`login` signs up' : undefined;
}


async function logIn(life) {
    await life.run(['login'], { asks: life.asksLogin(), shows: /Logged in/ });
    life.login = await life.isNew(await life.own(), LOGIN);

    assert.equal(await life.who(life.login.token), life.user);
}


async function wrongPassword(life) {
    await life.run(['login'], { asks: life.asksLogin('Not-the-password'),
                                code: 1, shows: told(life, WRONG) });

    assert.equal(await life.own(), life.login.token, 'the token is kept');

    return life.dialect.silent ? 'keeps the sentence to itself' : undefined;
}


async function profileGet(life) {
    await life.run(['whoami'], { shows: new RegExp(`\\b${life.user}\\b`) });
    await life.run(['profile', 'get'], { shows: [
        new RegExp(life.email), /two[- ]factor auth\W+disabled/ ] });
}


async function createPlain(life) {
    const shows = life.dialect.granular ? [/This token may read and write/]
        : [];

    life.full = await life.create([], {}, { shows });
}


async function createReadOnly(life) {
    const { granular } = life.dialect;

    life.readonly = await life.create([granular ? READ_ONLY : '--read-only'],
                                      { readonly: 'true' });

    return granular ? `by \`${READ_ONLY}\`` : undefined;
}


/* the option that is not sent: what one gets is said on the screen */
async function notReadOnly(life) {
    const made = await life.create(['--read-only'], {}, {
        shows: /may read and write. This npm does not send --read-only/,
    });

    await life.run(['token', life.revoke, made.key], { shows: /Removed 1 token/ });
    life.isGone(made);

    return 'not sent: full permission, and a notice says so';
}


async function createRanges(life) {
    life.elsewhere = await life.create(cidrs([ELSEWHERE]),
                                       { cidr_whitelist: ELSEWHERE });
    life.both = await life.create(
        [...cidrs(HERE), life.dialect.granular ? READ_ONLY : '--read-only'],
        { cidr_whitelist: HERE.join(','), readonly: 'true' });
}


async function badRanges(life) {
    const { late, ipv6 } = life.dialect;
    const asks = late ? [life.asksPassword()] : [];
    const entry = 'ten.example/8';

    await life.run(['token', 'create', `--cidr=${entry}`], {
        asks, code: 1,
        shows: new RegExp(`CIDR whitelist contains invalid CIDR entry: *`
                          + entry),
    });

    if (ipv6) {
        life.six = await life.create(['--cidr=2001:db8::/32'],
                                     { cidr_whitelist: '2001:db8::/32' });
    } else {
        await life.run(['token', 'create', '--cidr=2001:db8::/32'], {
            asks, code: 1, shows: /can only contain IPv4 addresses/,
        });
    }

    return late === 'never' ? 'asks the registry; takes IPv6' : undefined;
}


/* what no client sends */
async function rawRanges(life) {
    const ask = cidr => life.raw('POST', '/-/npm/v1/tokens', {
        token: life.login.token, node: life.there,
        body: { password: life.password, readonly: false,
                cidr_whitelist: [cidr] },
    });

    const bad = await ask('fe80:::/10');

    assert.equal(bad.status, 400);
    assert.equal(bad.said.error,
                 'CIDR whitelist contains invalid CIDR entry: fe80:::/10');

    const good = await ask('2001:db8::/32');

    assert.equal(good.status, 200);
    assert.equal(good.headers['cache-control'], 'no-store');

    const six = await life.isNew(good.said.token,
                                 { cidr_whitelist: '2001:db8::/32' });

    assert.equal(await life.who(six.token), 'cidr');
}


async function createGranular(life) {
    const { user } = life;

    life.limited = await life.create(
        ['--name=deploys', '--token-description=of one package',
         `--packages=only-${user}`, '--expires=7',
         '--packages-and-scopes-permission=read-write'],
        { name: 'deploys', description: 'of one package',
          packages: `only-${user}`, expires_at: /^\d+$/ },
        { shows: /expires: \d{4}-/ });

    const { expires_at } = (await life.records())[life.limited.key];
    const days = (expires_at - Date.now() / 1000) / DAY;

    assert.ok(days > 6.9 && days <= 7.01, `expires in ${days} days`);

    life.scoped = await life.create(
        ['--name=scope', `--scopes=@${user}`,
         '--packages-and-scopes-permission=read-write'],
        { name: 'scope', scopes: `@${user}` });
}


async function createJson(life) {
    const made = await life.create([], {}, { json: true, shows:
        life.dialect.hides ? /"token": *"npm_\*\*\*"/
                           : /"token": *"npm_[A-Za-z0-9]{36}"/ });

    await life.run(['token', life.revoke, made.key], { shows: /Removed 1 token/ });
    life.isGone(made);

    return life.dialect.hides ? 'hides it: `npm_***`' : undefined;
}


async function list(life) {
    const json = await life.run(['token', 'list', '--json']);
    const listed = JSON.parse(json.slice(json.indexOf('[')));
    const records = await life.records();

    assert.deepEqual(listed.map(({ key }) => key).sort(),
                     Object.keys(records).sort());

    for (const { key, token, readonly, cidr_whitelist, created } of listed) {
        const record = records[key];

        assert.equal(token, record.token);
        assert.equal(readonly, record.readonly === 'true');
        assert.deepEqual(cidr_whitelist,
                         record.cidr_whitelist?.split(',') ?? null);
        assert.equal(created, record.created);
    }

    const screen = await life.run(['token', 'list']);

    for (const { key, token } of listed) {
        assert.ok(screen.includes(key.slice(0, 6)), `the id of ${key}`);
        assert.ok(screen.includes(token.slice(0, 6)), token);
    }

    assert.match(screen, /127\.0\.0\.0\/8, ?203\.0\.113\.0\/24/);

    if (life.dialect.lists !== false) {
        assert.match(screen, /read only|\u2502 yes /i);
    }
}


async function use(life) {
    const { full, readonly, elsewhere, both } = life;

    assert.equal(await life.who(full.token), life.user);
    assert.equal(await life.who(readonly.token), life.user);
    assert.equal(await life.who(elsewhere.token), 'cidr');
    assert.equal(await life.who(both.token), life.user);

    await life.publish(full.token);
    await life.publish(full.token, { node: life.here });

    for (const { token } of [readonly, both]) {
        await life.publish(token, { code: 1, shows: MAY_ONLY_READ });
    }

    await life.publish(elsewhere.token, { code: 1 });
}


async function useLimited(life) {
    const { limited, scoped, user } = life;

    await life.publish(limited.token, { name: `only-${user}` });
    await life.publish(limited.token, { name: `another-${user}`, code: 1 });
    await life.publish(scoped.token, { name: `@${user}/one` });
    await life.publish(scoped.token, { name: `only-${user}`, code: 1 });
}


/* nor one that is for other addresses */
async function noMoreWithThese(life) {
    const body = { password: life.password };

    for (const [{ token }, status] of [[life.readonly, 403],
                                       [life.elsewhere, 401]])
    {
        await life.raw('POST', '/-/npm/v1/tokens', { token, body,
                                                     to: [status] });
        await life.raw('DELETE',
                       `/-/npm/v1/tokens/token/${life.full.key}`,
                       { token, to: [status] });
    }

    await life.desk.sit(life.here, life.readonly.token);
    await life.run(['token', 'create'], {
        asks: [life.asksPassword()], code: 1,
        shows: told(life, MAY_ONLY_READ),
    });
    await life.desk.sit(life.here, life.login.token);
}


async function revokeById(life) {
    await life.run(['token', life.revoke, life.both.key.slice(0, 6)],
                   { shows: /Removed 1 token/ });
    life.isGone(life.both);

    assert.equal(await life.who(life.both.token), 'unknown');
}


async function revokeByToken(life) {
    await life.run(['token', life.revoke, life.full.token],
                   { shows: /Removed 1 token/ });
    life.isGone(life.full);

    assert.equal(await life.who(life.full.token), 'unknown');
    await life.publish(life.full.token, { code: 1 });
}


/* what the list shows of a token is not enough */
async function revokeByPrefix(life) {
    const { blind } = life.dialect;

    await life.run(['token', life.revoke, life.readonly.token.slice(0, 8)], {
        code: blind ? 0 : 1,
        shows: blind ? [] : /This account has no such token/,
    });

    return blind ? 'exit 0, though it was refused' : undefined;
}


async function profileSet(life) {
    const password = `${life.password}-staple`;

    life.account = { email: `mail-${life.email}`, fullname: 'Ann Other' };

    await life.run(['profile', 'set', 'email', life.account.email], {
        asks: life.dialect.emailPassword ? [life.asksPassword()] : [],
        shows: /Set email/,
    });
    await life.run(['profile', 'set', 'fullname', 'Ann Other'],
                   { shows: /Set fullname/ });
    await life.run(['profile', 'set', 'password'], {
        asks: [life.asksPassword(),
               [/New password: *:?$/, password],
               [/Again: *:?$/, password]],
        shows: /Set password/,
    });

    await life.raw('PUT', `/-/user/org.couchdb.user:${life.user}`, {
        body: { name: life.user, password: life.password, type: 'user' },
        node: life.there, to: [401],
    });

    life.password = password;
    life.secrets.add(password);

    assert.equal(await life.who(life.login.token), life.user);
}


/* for a client that cannot */
async function enableRaw(life, mode) {
    const profile = (body) => life.raw('POST', '/-/npm/v1/user', {
        token: life.login.token, body, to: [200],
    });
    const { said } = await profile({ tfa: { password: life.password, mode } });

    life.secret = said.tfa.match(/secret=([A-Z2-7]{32})/)[1];
    life.secrets.add(life.secret);

    const confirmed = await profile({ tfa: [life.code()] });

    return confirmed.said.tfa;
}


async function enableByClient(life, mode) {
    const screen = await life.run(['profile', 'enable-2fa', mode], {
        asks: [life.asksPassword(),
               [/authenticator: *:?$/, screen => {
                   life.secret = screen.match(/\b[A-Z2-7]{32}\b/)[0];
                   life.secrets.add(life.secret);

                   return life.code();
               }]],
        shows: /successfully enabled/,
    });

    return screen.match(/\b[0-9a-f]{64}\b/g);
}


async function enable(life, mode) {
    life.recovery = await (life.dialect.few ? enableRaw
        : enableByClient)(life, mode);
    life.recovery.forEach(code => life.secrets.add(code));
    assert.equal(life.recovery.length, 5, 'recovery codes');

    life.account = { ...life.account, tfa: mode, totp: life.secret,
                     totp_used: /^\d+$/,
                     recovery: /^[0-9a-f]{64}(,[0-9a-f]{64}){4}$/ };
}


async function enableLogin(life) {
    await enable(life, 'auth-only');

    if (!life.dialect.few) {
        await life.run(['profile', 'get'], { shows: /auth-only/ });
    }

    /* writes need none */
    await life.publish(life.login.token);

    return life.dialect.few ? 'by a request' : undefined;
}


/* the code that confirmed is used up */
async function usedCode(life) {
    const { status, headers } = await life.raw(
        'PUT', `/-/user/org.couchdb.user:${life.user}`, {
            body: { name: life.user, password: life.password, type: 'user' },
            otp: life.shown, node: life.there,
        });

    assert.equal(status, 401);
    assert.equal(headers['www-authenticate'], 'otp');
}


async function loginOtp(life) {
    await life.later();
    await life.run(['login'], { asks: [...life.asksLogin(), life.asksOtp()],
                                shows: /Logged in/ });
    life.codeWasUsed();
    life.login = await life.isNew(await life.own(), LOGIN);

    if (life.dialect.loginOption === false) {
        return '`login` has no `--otp`';
    }

    await life.later();
    await life.run(['login', life.option()],
                   { asks: life.asksLogin(), shows: /Logged in/ });
    life.codeWasUsed();
    life.login = await life.isNew(await life.own(), LOGIN);
}


async function wrongOtp(life) {
    const { again, loginOption } = life.dialect;
    const option = loginOption !== false;
    const wrong = life.wrongCode();

    await life.later();
    await life.run(['login', ...option ? [`--otp=${wrong}`] : []], {
        asks: [...life.asksLogin(),
               ...again || !option ? [life.asksOtp(wrong)] : []],
        code: 1, shows: /one-time password/i,
    });

    return again ? 'asks for another, once' : undefined;
}


async function createOtp(life) {
    const { args, asks } = await life.otp();
    const made = await life.create(args, {}, {
        asks: [life.asksPassword(), ...asks],
    });

    life.codeWasUsed();

    /* without a terminal it can ask for neither */
    await life.raw('POST', '/-/npm/v1/tokens', {
        body: { password: life.password }, token: life.login.token,
        to: [401],
    });

    life.spare = made;

    return args.length > 0 ? 'only with `--otp`' : undefined;
}


async function recoveryCode(life) {
    const [code] = life.recovery;

    const { numeric, loginOption } = life.dialect;
    const typed = numeric || loginOption === false;

    await life.run(['login', ...typed ? [] : [`--otp=${code}`]], {
        asks: [...life.asksLogin(), ...typed ? [life.asksOtp(code)] : []],
        shows: /Logged in/,
    });
    life.login = await life.isNew(await life.own(), LOGIN);
    life.account.recovery = /^[0-9a-f]{64}(,[0-9a-f]{64}){3}$/;

    await life.raw('PUT', `/-/user/org.couchdb.user:${life.user}`, {
        body: { name: life.user, password: life.password, type: 'user' },
        otp: code, node: life.there, to: [401],
    });

    return numeric ? 'typed: `--otp` takes digits alone'
        : typed ? 'typed' : undefined;
}


async function enableWrites(life) {
    const { mode } = life.dialect;

    if (mode === false) {
        await life.run(['profile', 'enable-2fa', 'auth-and-writes'], {
            asks: [life.asksPassword()], code: 1,
            shows: /invalid config key requested: auth/,
        });
        await disable(life);
        await enable(life, 'auth-and-writes');

        return 'fails in npm itself: first `disable-2fa`';
    }

    const { args, asks } = await life.otp();

    await life.run(['profile', 'enable-2fa', 'auth-and-writes', ...args], {
        asks: [life.asksPassword(), ...asks],
        shows: /mode changed to: auth-and-writes/,
    });
    life.codeWasUsed();
    life.account.tfa = 'auth-and-writes';
}


async function writesOtp(life) {
    const { token } = life.login;

    await life.later();
    await life.publish(token, { asks: [life.asksOtp()] });
    life.codeWasUsedBy(token);

    /* used here, so used there */
    await life.publish(token, { code: 1, quiet: true, node: life.here,
                                shows: /one-time password|EOTP/i });

    const { args, asks } = await life.otp();

    await life.run(['profile', 'set', 'fullname', 'Ann More', ...args],
                   { asks, shows: /Set fullname/ });
    life.codeWasUsed();
    life.account.fullname = 'Ann More';
}


/* which npm sends with each of them */
async function oneCode(life) {
    const names = ['one', 'two', 'three', 'four']
        .map(name => `${name}-${life.client.name}`);

    await life.later();
    await life.publishAll(life.login.token, names);
    life.codeWasUsedBy(life.login.token);
}


async function revokeOtp(life) {
    const { blind } = life.dialect;

    await life.later();

    const { args, asks } = blind ? { args: [life.option()], asks: [] }
        : await life.otp();

    await life.run(['token', life.revoke, life.spare.key, ...args],
                   { asks, shows: /Removed 1 token/ });

    life.codeWasUsedBy(life.login.token);
    life.isGone(life.spare);

    assert.equal(await life.who(life.spare.token), 'unknown');

    return args.length > 0 ? 'only with `--otp`' : undefined;
}


/* a token that publishes without: for machines */
async function bypass(life) {
    await life.later();

    const made = await life.create(
        ['--bypass-2fa', '--packages-and-scopes-permission=read-write'],
        { bypass_2fa: 'true' },
        { asks: [life.asksPassword(), life.asksOtp()] });

    life.codeWasUsed();
    await life.publish(made.token);
}


async function disable(life) {
    const { args, asks } = await life.otp();

    await life.run(['profile', 'disable-2fa', ...args], {
        asks: [life.asksPassword(), ...asks],
        shows: /authentication disabled/,
    });

    const { email, fullname } = life.account;

    life.account = { email, fullname };
}


async function disableAll(life) {
    await disable(life);
    await life.run(['profile', 'get'],
                   { shows: /two[- ]factor auth\W+disabled/ });
}


async function logOut(life) {
    const token = await life.own();

    assert.equal(token, life.login.token);

    await life.run(['logout']);
    life.isGone({ key: keyOf(token) });

    /* what we put into .npmrc ourselves is not pnpm's to take out */
    assert.ok(!(await life.desk.tokens()).includes(token), 'it is kept');
    assert.equal(await life.who(token), 'unknown');
}


const granular = dialect => dialect.granular;

export const STEPS = [
    { title: 'an account is made', run: signUp, few: true },
    { title: 'log in', run: logIn, few: true },
    { title: 'log in with a wrong password', run: wrongPassword, few: true },
    { title: 'whoami, profile get', run: profileGet },
    { title: 'token create', run: createPlain },
    { title: 'token create, read-only', run: createReadOnly },
    { title: 'token create --read-only', run: notReadOnly, only: granular },
    { title: 'token create --cidr, and read-only', run: createRanges },
    { title: 'token create with a bad CIDR', run: badRanges },
    { title: 'a range of IPv6, by a request', run: rawRanges },
    { title: 'token create --packages, --scopes, --expires, --name',
      run: createGranular, only: granular },
    { title: 'token create --json', run: createJson },
    { title: 'token list', run: list },
    { title: 'use of each token', run: use },
    { title: 'use of those for some packages', run: useLimited,
      only: granular },
    { title: 'no tokens are made or revoked with restricted ones',
      run: noMoreWithThese },
    { title: 'token revoke ID', run: revokeById },
    { title: 'token revoke TOKEN', run: revokeByToken },
    { title: 'token revoke, the token truncated', run: revokeByPrefix },
    { title: 'profile set email, fullname, password', run: profileSet },
    { title: 'profile enable-2fa auth-only', run: enableLogin, few: true },
    { title: 'a used code, at the other node', run: usedCode, few: true },
    { title: 'log in with a code, typed and by --otp', run: loginOtp,
      few: true },
    { title: 'log in with a wrong code', run: wrongOtp },
    { title: 'token create with a code', run: createOtp },
    { title: 'log in with a recovery code, once', run: recoveryCode },
    { title: 'profile enable-2fa auth-and-writes', run: enableWrites },
    { title: 'publish, profile set with a code', run: writesOtp },
    { title: 'publish --workspaces with one code', run: oneCode,
      only: ({ workspaces }) => workspaces },
    { title: 'token revoke with a code', run: revokeOtp },
    { title: 'publish by a token made with --bypass-2fa', run: bypass,
      only: granular },
    { title: 'profile disable-2fa', run: disableAll },
    { title: 'logout', run: logOut, few: true },
];
