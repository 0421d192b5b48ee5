/*
 * The tokens page: one more client of the calls that npm makes.
 *
 * Whatever came from a server or a person becomes text of an element, never
 * HTML.  A token, a password or a code is in the page only while it is needed:
 * never in an address, in storage or in a title.
 */

import { qrCode } from './qr.js';

/* this file is BASE/-/npmtoken/page.js */
const PAGE = new URL('./', import.meta.url);
const API = new URL('api/', PAGE);

const DAY_MS = 86400000;
const FRESH_MS = 30000;
const AGAIN_MS = 10000;

const MAX_DAYS = 36500;
const MAX_PAGES = 1000;

/* keys in one call, which has to fit in npmtoken_api_max_body: 8k */
const MAX_REVOKED = 50;
const MIN_PASSWORD = 8;

/* in days, and what they are called */
const PRESETS = [[7, '7 days'], [30, '30 days'], [90, '90 days'],
                 [365, '1 year']];

/*
 * me        what the registry says of the session and of its limits
 * tokens, sessions   as they were "loaded"
 * chosen    keys of the tokens that are selected
 * pending   the id of the request that is to be answered, of the address
 */
const state = {
    me: null,
    tokens: [],
    sessions: [],
    loaded: 0,
    chosen: new Set(),
    pending: null,
};


/*
 * Elements.
 */

const $ = id => document.getElementById(id);

/* an element: properties are set, "data-", "aria-" and "role" as attributes */
function make(tag, properties = {}, ...children) {
    const node = document.createElement(tag);

    for (const [name, value] of Object.entries(properties)) {
        if (/^(data-|aria-|role$)/.test(name)) {
            node.setAttribute(name, value);
        } else {
            node[name] = value;
        }
    }

    node.append(...children.filter(child => child != null));

    return node;
}

function fill(node, ...children) {
    node.replaceChildren(...children.filter(child => child != null));
}

const show = (id, visible) => { $(id).hidden = !visible; };

function setError(id, text = '') {
    const box = $(id);

    box.textContent = text;
    box.hidden = text === '';
}

function setInvalid(input, text = '') {
    input.setAttribute('aria-invalid', String(text !== ''));

    const box = $(`${input.id}-error`);

    if (box) {
        box.textContent = text;
    }
}

/* one form, one request at a time; what is thrown is said in its box */
function onSubmit(form, act) {
    let busy = false;

    $(form).addEventListener('submit', async event => {
        event.preventDefault();

        if (busy) {
            return;
        }

        const buttons = [...$(form).querySelectorAll('button')]
            .filter(button => !button.disabled);

        busy = true;
        setError(`${form}-error`);
        buttons.forEach(button => { button.disabled = true; });
        $(form).setAttribute('aria-busy', 'true');

        try {
            await act(event.submitter);
        } catch (error) {
            fail(error, `${form}-error`);
        }

        busy = false;
        $(form).removeAttribute('aria-busy');
        buttons.forEach(button => { button.disabled = false; });

        /* a button that was disabled has lost it */
        (focused ?? (document.activeElement === document.body
                     && !$(form).hidden ? event.submitter : null))?.focus();
        focused = null;
    });
}

const clear = (...ids) => ids.filter(Boolean).forEach(id => {
    $(id).value = '';
});

/* when the buttons of its form can be used again */
let focused = null;

const focusLater = input => { focused = input; };

const value = id => $(id).value.trim();

const notice = text => {
    $('notice').textContent = text;
    show('notice', text !== '');
};


/*
 * Words.
 */

const LIST = new Intl.ListFormat('en-GB', { type: 'conjunction' });
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const DATE = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric', month: 'short', year: 'numeric',
});
const DATE_TIME = new Intl.DateTimeFormat('en-GB', {
    dateStyle: 'long', timeStyle: 'medium',
});

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

const quoted = text => `“${text}”`;

const UNITS = [['year', 365 * 86400], ['month', 30 * 86400], ['day', 86400],
               ['hour', 3600], ['minute', 60]];

function relative(time) {
    const seconds = (time - Date.now()) / 1000;
    const [unit, length] = UNITS.find(([, each]) =>
        Math.abs(seconds) >= each) ?? ['second', 1];

    return RELATIVE.format(Math.round(seconds / length), unit);
}

/* a date, and how far it is in words below or behind it */
function when(text, near = false) {
    const time = Date.parse(text ?? '');

    if (Number.isNaN(time)) {
        return null;
    }

    return make('time', { dateTime: new Date(time).toISOString(),
                          title: DATE_TIME.format(time) },
                near ? relative(time) : DATE.format(time));
}

function minutes(seconds) {
    return seconds < 100 ? plural(seconds, 'second', 'seconds')
        : plural(Math.ceil(seconds / 60), 'minute', 'minutes');
}


/*
 * Requests.
 */

class Problem extends Error {

    /*
     * otp, reauth: a code, the password has to be sent; over: log in;
     * elsewhere: log in by loading this page
     */
    constructor(text, { status = 0, otp = false, reauth = false,
                        over = false, elsewhere = false } = {})
    {
        super(text);
        Object.assign(this, { status, otp, reauth, over, elsewhere });
    }
}

const AWAY = 'The registry did not answer. Look at your connection, and try'
             + ' again.';
const OVER = 'Your session has ended. Log in again.';

const SENTENCES = {
    401: OVER,
    403: 'The registry refuses this.',
    404: 'There is no such thing any more.',
    409: 'Something has changed meanwhile. Look at it, and try again.',
    429: 'There were too many attempts.',
    503: 'The registry cannot do this now. Try again in a moment.',
};

function problemOf(response, body) {
    const { status } = response;
    const said = typeof body?.error === 'string' ? body.error : '';
    const wait = Number(response.headers.get('Retry-After'));
    const asks = response.headers.get('WWW-Authenticate') ?? '';
    const later = status === 429 && wait > 0
        ? ` Try again in ${minutes(wait)}.` : '';

    return new Problem((said || SENTENCES[status]
                        || `The registry answered with status ${status}.`)
                       + later, {
        status,
        otp: status === 401 && /^otp$/i.test(asks),
        reauth: status === 401 && body?.reauth === true,
        over: status === 401 && body?.login === true,

        /* what has said so was none of our own */
        elsewhere: status === 401 && body === null,
    });
}

/* the body of the answer, null if it has none; else it throws a Problem */
async function call(path, { body, otp } = {}) {
    const headers = { Accept: 'application/json' };
    let response;

    if (body !== undefined) {
        headers['Content-Type'] = 'application/json';
    }

    if (otp) {
        headers['npm-otp'] = otp;
    }

    try {
        response = await fetch(new URL(path, API), {
            method: body === undefined ? 'GET' : 'POST', headers,
            body: body === undefined ? undefined : JSON.stringify(body),
            mode: 'same-origin', credentials: 'same-origin',
            cache: 'no-store', redirect: 'manual',
        });
    } catch {
        throw new Problem(AWAY);
    }

    /* a single sign-on can send a page to its login, and not a call */
    if (response.type === 'opaqueredirect') {
        throw new Problem(OVER, { elsewhere: true });
    }

    watchIdle();

    const text = await response.text().catch(() => '');
    let json = null;

    try {
        json = text === '' ? null : JSON.parse(text);
    } catch {
        /* of a proxy: there is nothing to be read in it */
    }

    if (!response.ok) {
        throw problemOf(response, json);
    }

    return json;
}

/* not for ever, if that does not help */
function justLoadedAgain() {
    const [{ type }] = performance.getEntriesByType('navigation');

    return type === 'reload' && performance.now() < AGAIN_MS;
}

/* what was thrown, in words, in the box of a form or as a page */
function fail(error, box) {
    if (!(error instanceof Problem)) {
        console.error(error);
    }

    if (error.over) {
        leave(OVER);
        return;
    }

    if (error.elsewhere && state.me && !justLoadedAgain()) {
        location.reload();
        return;
    }

    const text = error instanceof Problem ? error.message
        : 'Something went wrong in this page. Load it again.';

    if (box) {
        setError(box, text);
    } else {
        $('failed-why').textContent = text;
        view('failed');
    }
}

/*
 * A call that the person has to show for who it is: by "NAME-password",
 * "NAME-otp" or both, as far as these fields are shown.  A field appears when
 * the registry asks for it; what was right before stays there.  "place" makes
 * of the password a part of the body.
 */
async function prove(name, path, body, place = password => ({ password })) {
    const password = $(`${name}-password`);
    const otp = $(`${name}-otp`);
    const field = input => $(`${input.id}-field`);

    try {
        const answer = await call(path, {
            body: { ...body, ...password && !field(password).hidden
                             ? place(password.value) : {} },
            otp: field(otp).hidden ? '' : otp.value.replace(/\s/g, ''),
        });

        clear(password?.id, otp.id);

        return answer;

    } catch (error) {
        const input = error.otp ? otp : error.reauth ? password : null;

        if (!error.otp) {
            clear(password?.id);
        }

        clear(otp.id);

        if (!input) {
            throw error;
        }

        const first = field(input).hidden;

        field(input).hidden = false;
        focusLater(input);

        throw first ? new Problem(error.otp
            ? 'Type the code that your authenticator shows now.'
            : 'Type your password, to show that it is you.', error) : error;
    }
}

/* before it is sent: is there anything in a field that is shown? */
function needPassword(id) {
    if (!$(`${id}-field`).hidden && $(id).value === '') {
        $(id).focus();
        throw new Problem('Type your password, to show that it is you.');
    }
}


/* after so long without a call the session has ended: nothing stays here */

let idle = 0;

function watchIdle() {
    clearTimeout(idle);

    if (!state.me?.user || !state.me.idle) {
        return;
    }

    idle = setTimeout(async () => {
        try {
            const { user } = await call('session');

            if (user !== state.me?.user) {
                await leave(OVER);
            }
        } catch (error) {
            fail(error);
        }
    }, state.me.idle * 1000 + 2000);
}


/*
 * Views.
 */

const VIEWS = ['failed', 'login', 'tokens', 'new', 'made', 'account', 'ask',
               'asked'];

let shown = null;

function view(name) {
    const heading = $(`view-${name}`).querySelector('h1');
    const inside = !['failed', 'login', 'ask', 'asked'].includes(name);

    show('loading', false);

    for (const each of VIEWS) {
        show(`view-${each}`, each === name);
    }

    show('nav', inside);
    show('who', Boolean(state.me?.user));

    for (const link of $('nav').querySelectorAll('a')) {
        const here = link.hash.slice(1) === (name === 'account' ? 'account'
                                             : 'tokens');

        if (here) {
            link.setAttribute('aria-current', 'page');
        } else {
            link.removeAttribute('aria-current');
        }
    }

    document.title = `${heading.textContent.trim()} – npm tokens`;

    if (shown !== name) {
        shown = name;
        scrollTo(0, 0);
        heading.focus({ preventScroll: true });
    }
}

/*
 * Who asks to log in, or for a code, has an id in the address.  It is kept
 * here and is gone from there, and from the history, at once.
 */
function takePending() {
    const text = location.hash.slice(1);
    const [, id] = /^(?:login|otp)=([A-Za-z0-9]{1,128})$/.exec(text) ?? [];

    if (id) {
        state.pending = { id };
        history.replaceState(null, '', PAGE.pathname);
    }
}

const ROUTES = { new: openNew, account: openAccount };

/* how often another view was asked for: a late answer is for none of them */
let turns = 0;

/* shows what the address names */
async function route() {
    turns++;
    notice('');
    forget();
    takePending();
    await open();
}

/* what is typed or shown once does not stay for the next view */
function forget() {
    clearInterval(clock);
    forgetToken();
    forgetSecondFactor();

    for (const form of document.forms) {
        form.reset();
    }
}

async function open() {
    try {
        const before = state.me?.user;
        const page = location.hash.slice(1);

        /* what a form is about may have changed, and the session ended */
        if (!state.me || ROUTES[page]) {
            await load();
        }

        if (before && !state.me.user) {
            await leave(OVER);
        } else if (!state.me.user) {
            openLogin();
        } else if (state.pending && page === '') {
            await openAsk();
        } else {
            state.pending = null;
            await (ROUTES[page] ?? openTokens)();
        }
    } catch (error) {
        fail(error);
    }
}

/*
 * By http to another machine, a browser keeps no cookie that is Secure, and does
 * not say where a call comes from, so that each is refused.
 */
const NO_TLS = {
    user: null, login: 'none', registry: new URL('../../', PAGE).href,
    error: 'Nobody can log in here without TLS: what is sent could be read on'
           + ' its way. Use https.',
};

async function load() {
    if (!isSecureContext) {
        knowMe(NO_TLS);
        return;
    }

    const slow = setTimeout(() => show('loading', shown === null), 300);

    try {
        knowMe(await call('session'));

        /* who it is has been said already, by nginx's own means */
        if (!state.me.user && state.me.login === 'sso' && !state.left) {
            knowMe(await call('login', { body: {} }));
        }
    } finally {
        clearTimeout(slow);
    }
}

function knowMe(me) {
    state.me = me;
    $('user').textContent = me.user ?? '';
    $('host').textContent = new URL(me.registry).host;
    watchIdle();
}

/* nothing of a person stays in the page */
function wipe() {
    turns++;
    clearTimeout(idle);
    state.me = null;
    state.tokens = [];
    state.sessions = [];
    state.chosen.clear();
    forget();
    clear('filter');
    $('revoke-dialog').close();

    for (const id of ['tokens-rows', 'sessions', 'revoke-title',
                      'revoke-names', 'summary', 'ask-facts', 'ask-lead',
                      'ask-error', 'ask-code', 'asked-text'])
    {
        fill($(id));
    }

    show('who', false);
}

/* to the login; "left": by the person, whom nobody logs in again unasked */
async function leave(text, left = false) {
    wipe();
    state.left = left;

    try {
        await load();
    } catch (error) {
        fail(error);
        return;
    }

    if (state.me.user) {
        await open();
    } else {
        openLogin();
    }

    notice(text);
}


/*
 * Log in, log out.
 */

function openLogin() {
    const { login, error } = state.me;
    const typed = login !== 'sso';

    $('login-lead').textContent = login === 'none' ? ''
        : state.pending ? 'A terminal asks for your approval. Log in first;'
                          + ' then you see who asks.'
        : `To manage your tokens for ${$('host').textContent}.`;
    show('login-lead', login !== 'none');
    show('login-none', login === 'none');
    $('login-none').textContent = login === 'none'
        ? error ?? 'Nobody can log in here.' : '';
    show('login', login !== 'none');
    show('login-name-field', typed);
    show('login-password-field', typed);
    show('login-otp-field', false);
    setError('login-error');
    view('login');

    if (typed && login !== 'none') {
        $('login-name').focus();
    }
}

onSubmit('login', async () => {
    const name = value('login-name');

    if (state.me.login !== 'sso') {
        const empty = ['login-name', 'login-password'].filter(id =>
            $(id).value.trim() === '');

        for (const id of ['login-name', 'login-password']) {
            setInvalid($(id), empty.includes(id) ? 'empty' : '');
        }

        if (empty.length > 0) {
            $(empty[0]).focus();
            throw new Problem('Type your user name and your password.');
        }
    }

    const me = await prove('login', 'login',
                           state.me.login === 'sso' ? {} : { name });

    $('login').reset();
    show('login-otp-field', false);
    state.left = false;
    knowMe(me);
    await route();
});

$('logout').addEventListener('click', async () => {
    try {
        await call('logout', { body: {} });
    } catch (error) {
        if (!error.over) {
            notice(error.message);
            return;
        }
    }

    history.replaceState(null, '', PAGE.pathname);
    await leave('You are logged out.', true);
});


/*
 * The list.
 */

async function openTokens() {
    const turn = turns;
    const [tokens, sessions] = await Promise.all([all('tokens'),
                                                  all('sessions')]);

    if (turn !== turns) {
        return;
    }

    state.tokens = tokens;
    state.sessions = sessions;
    state.loaded = Date.now();

    const keys = new Set(tokens.map(({ key }) => key));

    state.chosen.forEach(key => keys.has(key) || state.chosen.delete(key));

    show('tokens-empty', tokens.length === 0);
    show('tokens-some', tokens.length > 0);
    drawTokens();
    drawSessions();
    view('tokens');
}

/* page after page; what was made meanwhile may come twice */
async function all(what) {
    const found = new Map();
    let query = '?perPage=100&page=0';

    for (let pages = 0; query && pages < MAX_PAGES; pages++) {
        const { objects, urls } = await call(what + query);

        objects.forEach(token => found.set(token.key, token));
        query = urls?.next ? new URL(urls.next, API).search : '';
    }

    return [...found.values()];
}

const isOver = ({ expired, expires }) => expired === true
    || Date.parse(expires ?? '') <= Date.now();

/* what a filter is compared with */
const words = token => [token.name, token.description, token.token, token.key,
    token.readonly ? 'read-only' : 'read and write',
    ...token.cidr_whitelist ?? [], ...token.packages ?? [],
    ...token.scopes ?? []].join('\n').toLowerCase();

function fitting() {
    const parts = value('filter').toLowerCase().split(/\s+/);

    return state.tokens.filter(token => {
        const text = words(token);

        return parts.every(part => text.includes(part));
    });
}

function drawTokens() {
    const tokens = fitting();

    $('tokens-count').textContent = tokens.length === state.tokens.length
        ? plural(tokens.length, 'token', 'tokens')
        : `${tokens.length} of ${state.tokens.length}`;

    const used = state.tokens.some(token => token.last_used !== undefined);

    show('used-head', used);
    show('tokens-table', tokens.length > 0);
    show('tokens-none', tokens.length === 0);
    fill($('tokens-rows'), ...tokens.map(token => tokenRow(token, used)));
    drawChosen();
}

const cell = (properties, ...children) =>
    make('td', { role: 'cell', ...properties }, ...children);

function tokenRow(token, used) {
    const pick = make('input', { type: 'checkbox',
        checked: state.chosen.has(token.key),
        'aria-label': `Select ${token.name}` });
    const revoke = make('button', { type: 'button', className: 'danger' },
        'Revoke', make('span', { className: 'unseen' }, ` ${token.name}`));

    pick.addEventListener('change', () => {
        state.chosen[pick.checked ? 'add' : 'delete'](token.key);
        drawChosen();
    });
    revoke.addEventListener('click', () => askRevoke([token]));

    return make('tr', { role: 'row', className: isOver(token) ? 'over' : '',
                        'data-key': token.key },
        cell({ className: 'pick' }, pick),
        cell({ className: 'name' },
            make('span', { className: 'title' }, token.name),
            token.token ? make('span', { className: 'under mono' },
                               `${token.token}…`) : null,
            token.description ? make('span', { className: 'under' },
                                     token.description) : null),
        cell({ className: 'permission' }, ...permission(token)),
        cell({ className: 'limited', 'data-label': 'Limited to' },
             limits(token)),
        cell({ 'data-label': 'Created' }, when(token.created) ?? '–'),
        cell({ className: 'expires', 'data-label': 'Expires' },
             ...expiry(token)),
        used ? cell({ 'data-label': 'Last used' },
                    when(token.last_used, true) ?? 'not known') : null,
        cell({ className: 'act' }, revoke));
}

function permission(token) {
    const badge = (text, kind = '') =>
        make('span', { className: `badge ${kind}` }, text);

    return [
        token.readonly ? badge('Read-only') : badge('Read and write'),
        token.bypass_2fa && !token.readonly ? ' ' : null,
        token.bypass_2fa && !token.readonly
            ? badge('No code to publish', 'warn') : null,
    ];
}

function limits({ cidr_whitelist: addresses, packages, scopes, readonly }) {
    const part = (what, list) => list?.length ? make('li', {},
        make('span', { className: 'under' }, `${what} `), list.join(', '))
        : null;
    const items = [
        part('from', addresses),
        part(readonly ? 'packages' : 'writes to', packages),
        part(readonly ? 'scopes' : 'writes to scope', scopes),
    ].filter(Boolean);

    return items.length ? make('ul', { className: 'limits' }, ...items)
        : make('span', { className: 'under' }, 'no limits');
}

function expiry(token) {
    const date = when(token.expires);

    if (!date) {
        return ['Never'];
    }

    const over = isOver(token);

    /* that of a login never takes long */
    const soon = token.kind !== 'login'
        && Date.parse(token.expires) - Date.now() < 7 * DAY_MS;

    return [date, make('span', {
        className: over || soon ? `badge ${over ? 'bad' : 'warn'}` : 'under',
    }, over ? 'expired' : relative(Date.parse(token.expires)))];
}

function drawChosen() {
    const all = fitting();
    const chosen = all.filter(({ key }) => state.chosen.has(key));
    const box = $('choose-all');

    box.checked = all.length > 0 && chosen.length === all.length;
    box.indeterminate = chosen.length > 0 && chosen.length < all.length;
    $('revoke-chosen').disabled = chosen.length === 0;
    $('revoke-chosen').textContent = chosen.length > 1
        ? `Revoke ${chosen.length} selected` : 'Revoke selected';
}

$('filter').addEventListener('input', drawTokens);

$('choose-all').addEventListener('change', event => {
    for (const { key } of fitting()) {
        state.chosen[event.target.checked ? 'add' : 'delete'](key);
    }

    drawTokens();
});

/* what is out of sight is not revoked */
$('revoke-chosen').addEventListener('click', () =>
    askRevoke(fitting().filter(({ key }) => state.chosen.has(key))));


function drawSessions() {
    fill($('sessions'), ...state.sessions.map(session => {
        const what = sessionName(session);
        const end = make('button', { type: 'button',
            className: session.current ? '' : 'danger' },
            session.current ? 'Log out' : 'End',
            make('span', { className: 'unseen' }, ` ${what}`));

        end.addEventListener('click', () => session.current
            ? $('logout').click() : askRevoke([session], true));

        return make('li', { 'data-key': session.key },
            make('div', {},
                make('span', { className: 'title' }, what, ' ',
                    session.current ? make('span',
                        { className: 'badge good' }, 'this browser') : null),
                make('span', { className: 'under' },
                    'began ', when(session.created, true) ?? 'some time ago',
                    session.expires ? ', ends ' : '',
                    when(session.expires, true))),
            end);
    }));

    show('sessions-title', state.sessions.length > 0);
    $('sessions-title').nextElementSibling.hidden =
        state.sessions.length === 0;
    show('sessions', state.sessions.length > 0);
}

const sessionName = ({ name }) => name || 'A browser';


/* a list that somebody comes back to may be old */
document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && shown === 'tokens'
        && !$('revoke-dialog').open && Date.now() - state.loaded > FRESH_MS)
    {
        openTokens().catch(fail);
    }
});


/*
 * Revoke.
 */

let revoking = [];

function askRevoke(tokens, sessions = false) {
    const [first] = tokens;

    revoking = tokens;

    $('revoke-title').textContent = sessions ? 'End this session?'
        : tokens.length > 1 ? `Revoke ${tokens.length} tokens?`
        : `Revoke ${quoted(first.name)}?`;
    $('revoke-words').textContent = sessions
        ? 'That browser has to log in again.'
        : `What uses ${tokens.length > 1 ? 'them' : 'it'} is refused from now`
          + ' on, on every server. This cannot be undone.';
    $('revoke-go').textContent = sessions ? 'End session' : 'Revoke';
    fill($('revoke-names'), ...tokens.map(token => make('li', {},
        make('span', { className: 'title' }, nameOf(token)),
        token.token ? make('span', { className: 'under mono' },
                           `${token.token}…`) : null)));
    clear('revoke-otp');
    show('revoke-otp-field', false);
    setError('revoke-error');
    $('revoke-dialog').showModal();
    $('revoke-cancel').focus();
}

const nameOf = token => token.kind === 'session' ? sessionName(token)
    : token.name;

onSubmit('revoke', async () => {
    const tokens = [...revoking];
    const failed = new Map();

    for (let i = 0; i < tokens.length; i += MAX_REVOKED) {
        const keys = tokens.slice(i, i + MAX_REVOKED).map(({ key }) => key);
        const answer = await prove('revoke', 'revoke', { keys });

        answer.failed.forEach(({ key, error }) => failed.set(key, error));
        answer.revoked.forEach(key => state.chosen.delete(key));
        revoking = revoking.filter(({ key }) => !answer.revoked.includes(key));
    }

    if (failed.size > 0) {
        throw new Problem(revoking.map(token =>
            `${quoted(nameOf(token))} is not revoked:`
            + ` ${failed.get(token.key) ?? 'nobody knows why.'}`).join('\n'));
    }

    $('revoke-dialog').close();
    await openTokens();
    notice(tokens[0].kind === 'session' ? 'The session has ended.'
           : tokens.length > 1 ? `${tokens.length} tokens are revoked.`
           : `${quoted(tokens[0].name)} is revoked.`);
    focusLater($('view-tokens').querySelector('h1'));
});

$('revoke-cancel').addEventListener('click', () => $('revoke-dialog').close());

/* Escape, while nobody knows what comes of it */
$('revoke-dialog').addEventListener('cancel', event => {
    if ($('revoke').ariaBusy === 'true') {
        event.preventDefault();
    }
});

/*
 * Some may be gone, if it was not all that could be done.  This event is late:
 * the dialog may be open again, for others.
 */
$('revoke-dialog').addEventListener('close', () => {
    if (!$('revoke-error').hidden) {
        openTokens().catch(fail);
    }
});


/*
 * Create.
 */

async function openNew() {
    drawExpiries();
    setError('new-error');

    for (const id of ['name', 'packages', 'scopes', 'addresses', 'date']) {
        setInvalid($(`new-${id}`));
    }

    show('new-mine-field', Boolean(state.me.address));
    $('new-mine').textContent = `Add my address, ${state.me.address}`;
    show('new-password-field', state.me.reauth === 'password');
    show('new-otp-field', state.me.reauth !== 'none'
         && Boolean(state.me.tfa));
    drawNew();
    view('new');
}

/* the operator's limit, and what holds if nothing is said; 0 for none */
const longest = () => state.me.lifetime?.max ?? 0;
const usual = () => state.me.lifetime?.default ?? 0;

function drawExpiries() {
    const max = longest();
    const days = PRESETS.filter(([each]) => !max || each <= max);
    const option = (key, text) => make('option', { value: key }, text);

    for (const each of [usual(), max]) {
        if (each && !days.some(([there]) => there === each)) {
            days.push([each, plural(each, 'day', 'days')]);
        }
    }

    days.sort(([a], [b]) => a - b);

    fill($('new-expires'),
        ...days.map(([each, text]) => option(each, `in ${text}`)),
        option('date', 'on a date'),
        max || usual() ? null : option('never', 'never'));

    const preset = usual() || 30;

    $('new-expires').value = days.some(([each]) => each === preset)
        ? preset : days.at(-1)[0];

    $('new-date').min = isoDay(1);
    $('new-date').max = isoDay(max || MAX_DAYS);
    $('new-date').value = isoDay(Number($('new-expires').value));
    show('new-limit', max > 0);
    $('new-limit').textContent = `At most ${plural(max, 'day', 'days')} here.`;
}

/* the day after so many, where the person is */
function isoDay(days) {
    const now = new Date();
    const day = new Date(Date.UTC(now.getFullYear(), now.getMonth(),
                                  now.getDate() + days));

    return day.toISOString().slice(0, 10);
}

function daysUntil(iso) {
    const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(iso) ?? [];

    if (!year) {
        return NaN;
    }

    const [y, m, d] = isoDay(0).split('-');

    return Math.round((Date.UTC(year, month - 1, day)
                       - Date.UTC(y, m - 1, d)) / DAY_MS);
}

const lines = id => [...new Set($(id).value.split(/[\s,]+/)
    .filter(line => line !== ''))];

/* what is to be made, as the form has it */
function wanted() {
    const kind = $('new-expires').value;
    const write = $('new-full').checked;

    return {
        name: value('new-name'),
        description: value('new-description'),
        write,
        packages: write ? lines('new-packages') : [],
        scopes: write ? lines('new-scopes').map(scope =>
            scope.startsWith('@') ? scope : `@${scope}`) : [],
        bypass: write && $('new-bypass').checked
            && !$('new-bypass-field').hidden,
        addresses: lines('new-addresses'),
        days: kind === 'never' ? 0
            : kind === 'date' ? daysUntil($('new-date').value) : Number(kind),
    };
}

function drawNew() {
    const token = wanted();

    show('new-writes', token.write);
    show('new-bypass-field', state.me.tfa === 'auth-and-writes');
    show('new-date-field', $('new-expires').value === 'date');

    const row = (name, text, strong) => text == null ? [] : [
        make('dt', {}, name),
        make('dd', { className: strong ? 'strong' : '' }, text)];
    const until = new Date(Date.now() + token.days * DAY_MS);

    fill($('summary'),
        ...row('Name', token.name || '–', true),
        ...row('May', token.write ? 'install, publish and change packages'
                                  : 'install packages, nothing else', true),
        ...row('Writes to', !token.write ? null
               : [...token.packages, ...token.scopes.map(each => `${each}/*`)]
                   .join(', ') || 'all packages that you may write to'),
        ...row('Code', token.bypass ? 'none is asked for to publish' : null),
        ...row('From', token.addresses.join(', ') || 'any address'),
        ...row('Expires', token.days === 0 ? 'never'
               : Number.isNaN(token.days) ? '–'
               : `${DATE.format(until)}, in ${plural(token.days, 'day',
                                                     'days')}`));
}

/* checks that are made as one types, of what is there */

function checkAddresses() {
    const all = lines('new-addresses');
    const wrong = all.filter(line => !isRange(line)).map(line =>
        `${quoted(line)} is not an address and not a range.`);

    if (all.length > state.me.max_cidrs) {
        wrong.push(`At most ${state.me.max_cidrs} are possible.`);
    }

    setInvalid($('new-addresses'), wrong.join('\n'));

    return wrong.length === 0;
}

function checkNames(id, is, what) {
    const bad = lines(id).filter(line => !is(line));

    setInvalid($(id), bad.map(line =>
        `${quoted(line)} is not ${what}.`).join('\n'));

    return bad.length === 0;
}

const checkPackages = () =>
    checkNames('new-packages', isPackage, 'the name of a package');
const checkScopes = () =>
    checkNames('new-scopes', isScope, 'a scope, such as @scope');

function checkDate() {
    const { days } = wanted();
    const max = longest() || MAX_DAYS;

    setInvalid($('new-date'), $('new-expires').value !== 'date'
        || (days >= 1 && days <= max) ? ''
        : `Choose a day from tomorrow on${longest()
            ? `, at most ${plural(max, 'day', 'days')} from now` : ''}.`);

    return $('new-date-error').textContent === '';
}

function checkName() {
    const bytes = new TextEncoder().encode(value('new-name')).length;

    setInvalid($('new-name'), bytes === 0 ? 'Give it a name.'
        : bytes > 100 ? 'Give it a shorter name.' : '');

    return bytes > 0 && bytes <= 100;
}

const PART = /^[A-Za-z0-9\-!~*'()][A-Za-z0-9\-_.!~*'()]*$/;

function isPackage(name) {
    const [, scope, rest] = /^@([^/]*)\/(.*)$/.exec(name) ?? [];

    return name.length <= 214 && (scope === undefined ? PART.test(name)
        : PART.test(scope) && PART.test(rest));
}

const isScope = name => name.length <= 212
    && PART.test(name.startsWith('@') ? name.slice(1) : name);

/* as the module takes them: nothing but digits, a prefix without zeros */
export function isRange(text) {
    const [, address, prefix] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text)
        ?? [];

    if (address === undefined) {
        return false;
    }

    return address.includes(':')
        ? isIPv6(address) && Number(prefix ?? 0) <= 128
        : isIPv4(address) && Number(prefix ?? 0) <= 32;
}

const isIPv4 = text => /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)
    && text.split('.').every(byte => Number(byte) <= 255);

/* one that stands for an IPv4 address is to be written as that */
function isIPv6(text) {
    if (!/^[0-9A-Fa-f:.]+$/.test(text) || !URL.canParse(`http://[${text}]/`)) {
        return false;
    }

    const { hostname } = new URL(`http://[${text}]/`);

    return !/^\[::ffff:[0-9a-f]+:[0-9a-f]+\]$/.test(hostname);
}

$('new').addEventListener('input', event => {
    const checks = { 'new-addresses': checkAddresses,
                     'new-packages': checkPackages, 'new-scopes': checkScopes,
                     'new-date': checkDate, 'new-expires': checkDate };

    checks[event.target.id]?.();

    if (event.target.id === 'new-name' && value('new-name') !== '') {
        checkName();
    }

    drawNew();
});

$('new-mine').addEventListener('click', () => {
    const box = $('new-addresses');

    if (!lines('new-addresses').includes(state.me.address)) {
        box.value = [...lines('new-addresses'), state.me.address].join('\n');
    }

    checkAddresses();
    drawNew();
    box.focus();
});

onSubmit('new', async () => {
    const good = [checkName(), checkPackages(), checkScopes(),
                  checkAddresses(), checkDate()].every(Boolean);

    if (!good) {
        $('new').querySelector('[aria-invalid=true]').focus();
        throw new Problem('Something in the form is not right yet: it says'
                          + ' there what.');
    }

    needPassword('new-password');

    const token = wanted();
    const made = await prove('new', 'tokens', {
        name: token.name,
        ...token.description ? { description: token.description } : {},
        packages_and_scopes_permission: token.write ? 'read-write'
                                                    : 'read-only',
        ...token.packages.length ? { packages: token.packages } : {},
        ...token.scopes.length ? { scopes: token.scopes } : {},
        ...token.bypass ? { bypass_2fa: true } : {},
        ...token.addresses.length ? { cidr_whitelist: token.addresses } : {},
        ...token.days ? { expires: token.days } : {},
    });

    forget();
    openMade(made);
});


/* the new token, this once */

function openMade({ token, name }) {
    const registry = new URL(state.me.registry);

    $('made-name').textContent = quoted(name);
    $('made-token').textContent = token;
    $('made-line').textContent =
        `//${registry.host}${registry.pathname}:_authToken=${token}`;

    /* "back" leads to the list, not to another form */
    history.replaceState(null, '', `${PAGE.pathname}#tokens`);
    view('made');
}

function forgetToken() {
    fill($('made-token'));
    fill($('made-line'));
    fill($('made-name'));
}

addEventListener('pagehide', forget);

/* a page that comes back from where a browser keeps it knows nothing new */
addEventListener('pageshow', event => {
    if (event.persisted) {
        wipe();
        route();
    }
});

$('made-done').addEventListener('click', route);

for (const button of document.querySelectorAll('[data-copy]')) {
    const words = button.firstChild;

    button.addEventListener('click', async () => {
        try {
            /* blanks are for the eye */
            await navigator.clipboard.writeText(
                $(button.dataset.copy).textContent.replaceAll(' ', ''));
            words.data = 'Copied';
        } catch {
            getSelection().selectAllChildren($(button.dataset.copy));
            words.data = 'Press Ctrl-C';
        }

        setTimeout(() => { words.data = 'Copy'; }, 2000);
    });
}


/*
 * The account: second factor, password.
 */

async function openAccount() {
    forget();
    setError('password-error');
    show('password', state.me.password);
    show('password-elsewhere', !state.me.password);
    $('password-user').value = state.me.user;
    show('password-otp-field', Boolean(state.me.tfa));
    drawSecondFactor();
    view('account');
}

function drawSecondFactor() {
    const mode = state.me.tfa;
    const possible = state.me.tfa_available !== false;

    $('tfa-state').textContent = mode ? 'On' : 'Off';
    $('tfa-state').className = mode ? 'badge good' : 'badge';
    $('tfa-about').textContent = !possible
        ? 'The registry does not offer one for this account.'
        : mode ? 'Codes of your authenticator are asked for beside your'
                 + ' password.'
        : 'With an authenticator app, somebody who knows your password is'
          + ' still kept out.';
    show('tfa', possible);
    show('tfa-confirm', false);
    show('tfa-codes', false);
    show('tfa-off-choice', Boolean(mode));
    show('tfa-otp-field', Boolean(mode));
    $(mode === 'auth-and-writes' ? 'tfa-writes' : 'tfa-auth').checked = true;
    drawTfaButton();
}

const tfaMode = () => new FormData($('tfa')).get('tfa-mode');

function drawTfaButton() {
    $('tfa-go').textContent = !state.me.tfa ? 'Set up'
        : tfaMode() === 'disable' ? 'Turn off' : 'Change';
    $('tfa-go').className = tfaMode() === 'disable' ? 'danger' : 'primary';
}

$('tfa').addEventListener('change', drawTfaButton);

onSubmit('tfa', async () => {
    const mode = tfaMode();

    if (mode === state.me.tfa) {
        throw new Problem('It is so already.');
    }

    needPassword('tfa-password');

    const answer = await prove('tfa', 'user', {},
                               password => ({ tfa: { mode, password } }));

    if (typeof answer?.tfa === 'string') {
        confirmSecondFactor(answer.tfa);
        return;
    }

    await changed(mode === 'disable' ? 'The second factor is off.'
                                     : 'The second factor is changed.');
});

/* what the account is now; the session goes on, or has ended by it */
async function changed(text) {
    await load();

    if (!state.me.user) {
        await leave(`${text} Log in again.`);
        return;
    }

    await openAccount();
    notice(text);
}

function confirmSecondFactor(address) {
    const secret = new URL(address).searchParams.get('secret');
    const canvas = $('tfa-qr');

    $('tfa-secret').textContent = secret.replace(/.{4}(?=.)/g, '$& ');
    canvas.hidden = !drawQr(canvas, address);
    canvas.parentNode.hidden = canvas.hidden;
    show('tfa', false);
    show('tfa-confirm', true);
    setError('tfa-confirm-error');
    $('tfa-code').focus();
}

function drawQr(canvas, text) {
    const qr = qrCode(text);

    if (!qr) {
        return false;
    }

    /* four modules of white around it */
    const scale = Math.max(2, Math.floor(232 / (qr.size + 8)));

    canvas.width = canvas.height = scale * (qr.size + 8);

    const context = canvas.getContext('2d');

    for (let y = 0; y < qr.size; y++) {
        for (let x = 0; x < qr.size; x++) {
            if (qr.get(x, y)) {
                context.fillRect((x + 4) * scale, (y + 4) * scale, scale,
                                 scale);
            }
        }
    }

    return true;
}

onSubmit('tfa-confirm', async () => {
    const code = $('tfa-code').value.replace(/\s/g, '');

    if (!/^\d{6}$/.test(code)) {
        $('tfa-code').focus();
        throw new Problem('The code has six digits.');
    }

    clear('tfa-code');

    const { tfa: codes } = await call('user', { body: { tfa: [code] } });

    forgetSecondFactor();
    $('tfa-list').textContent = codes.join('\n');
    $('tfa-state').textContent = 'On';
    $('tfa-state').className = 'badge good';
    fill($('tfa-about'));
    show('tfa-confirm', false);
    show('tfa', false);
    show('tfa-codes', true);
    show('password-card', false);
    $('tfa-codes-title').focus();
});

function forgetSecondFactor() {
    const canvas = $('tfa-qr');

    canvas.width = canvas.width;
    fill($('tfa-secret'));
    fill($('tfa-list'));
    $('tfa').reset();
    $('tfa-confirm').reset();
    setError('tfa-error');
    show('password-card', true);
}

$('tfa-cancel').addEventListener('click', () => openAccount().catch(fail));

$('tfa-done').addEventListener('click', () =>
    changed('The second factor is on.').catch(fail));

onSubmit('password', async () => {
    const old = $('password-old').value;
    const next = $('password-new').value;
    const bytes = new TextEncoder().encode(next).length;

    if (old === '') {
        $('password-old').focus();
        throw new Problem('Type your present password.');
    }

    if (bytes < MIN_PASSWORD) {
        $('password-new').focus();
        throw new Problem(`A password has at least ${MIN_PASSWORD}`
                          + ' characters here.');
    }

    if (next !== $('password-again').value) {
        $('password-again').focus();
        throw new Problem('The two new passwords are not the same.');
    }

    await prove('password', 'user', { password: { old, new: next } });
    await changed('Your password is changed.');
});


/*
 * Who asks: a terminal that logs in, or a command that needs a code.
 */

let clock = 0;

const ENDED = ['This request has ended', 'It was answered, or it waited too'
               + ' long. Start again at the terminal.'];

async function openAsk() {
    const turn = turns;
    const asked = await pendingCall('pending');

    if (!asked) {
        return;
    }

    /* how long the login is ago */
    await load();

    if (turn !== turns) {
        return;
    }

    if (!state.me.user) {
        openLogin();
        return;
    }

    drawAsk(asked);
    view('ask');
    $('ask-deny').focus();
}

/* null if the request is gone, which is shown */
async function pendingCall(path, more) {
    const body = { id: state.pending.id };

    try {
        return more ? await prove('ask', path, { ...body, ...more })
            : await call(path, { body });
    } catch (error) {
        if (error.status !== 410) {
            throw error;
        }

        concluded(...ENDED);

        return null;
    }
}

function drawAsk(asked) {
    const { me } = state;
    const host = $('host').textContent;
    const login = asked.kind === 'login';
    const row = (name, text) => text ? [make('dt', {}, name),
                                        make('dd', {}, text)] : [];

    $('ask-title').textContent = login ? 'Log in at a terminal?'
                                       : 'Let this command write?';
    $('ask-lead').textContent = 'Did you start this a moment ago? '
        + (login ? 'Who asks gets a token that may do all that'
                   + ` ${me.user} may do at ${host}.`
                 : `It asks for a one-time code of ${asked.user}.`);

    show('ask-elsewhere', !asked.same_address);
    $('ask-where').textContent = `It comes from ${asked.address}, and you are`
        + ` at ${me.address}. Approve it only if that is a machine of yours.`;
    $('ask-code').textContent = asked.code;

    fill($('ask-facts'),
        ...row('Command', login ? 'npm login' : asked.command),
        ...row('Package', asked.package),
        ...row('Address', asked.address),
        ...row('Client', asked.client),
        ...row('Asked', when(asked.created, true)));

    /* a code is the account's whose write it is */
    const other = !login && asked.user !== me.user;

    setError('ask-error', other ? `This is for ${asked.user}, and you are`
             + ` ${me.user}. Log out, and log in as ${asked.user}.` : '');
    show('ask-approve', !other);
    show('ask-password-field', !me.fresh && me.reauth === 'password');
    show('ask-otp-field', !me.fresh && me.reauth !== 'none'
         && Boolean(me.tfa));

    const end = Date.now() + asked.expires_in * 1000;

    clearInterval(clock);
    clock = setInterval(() => drawLeft(end), 1000);
    drawLeft(end);
}

function drawLeft(end) {
    const left = Math.ceil((end - Date.now()) / 1000);

    if (left <= 0) {
        concluded(...ENDED);
        return;
    }

    $('ask-left').textContent = 'This request ends in '
        + `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}.`;
}

function concluded(title, text) {
    clearInterval(clock);
    state.pending = null;
    $('ask').reset();
    $('asked-title').textContent = title;
    $('asked-text').textContent = text;
    view('asked');
}

onSubmit('ask', async () => {
    needPassword('ask-password');

    if (await pendingCall('approve', {})) {
        concluded('Approved',
                  'Go back to your terminal: it goes on by itself.');
    }
});

$('ask-deny').addEventListener('click', async () => {
    try {
        if (await pendingCall('deny')) {
            concluded('Denied', 'Nobody got anything.');
        }
    } catch (error) {
        fail(error, 'ask-error');
    }
});


/*
 * Begin.
 */

addEventListener('hashchange', route);

/* one that leads to where one is does not change the address */
for (const link of document.querySelectorAll('main a, nav a')) {
    link.addEventListener('click', () => link.hash === location.hash
                          && route());
}

$('failed-again').addEventListener('click', () => {
    state.me = null;
    shown = null;
    route();
});

route();
