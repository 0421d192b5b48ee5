'use strict';

/*
 * Verdaccio learns who the person is from the header that nginx sets by
 * "npmtoken_identity X-Npm-User".  Install this folder beside Verdaccio with
 * npm, or put it into the folder that "plugins:" names.  Write "npmtoken: {}"
 * first under "auth:".  README.md has the options.
 *
 * Whoever can connect to Verdaccio from an address that is trusted can be
 * anyone.
 */

const { BlockList, isIP } = require('node:net');

/* the first character keeps $all, @all and their like from being a name */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,213}$/;

const LOGIN = /^\/-\/user\/org\.couchdb\.user(?::|%3[Aa])([^/]+)$/;

/* as nginx sends it on, decoded but for the slash of a scope perhaps */
const TARBALL = /^\/(@[^/]+\/)?[^/]+\/-\/[^/]+\.tgz$/;

const JWT = /^Bearer [\w-]+\.([\w-]+)\.[\w-]+$/i;

const REFUSED = {
    error: 'This token is unknown or was revoked. Run npm login, or put a '
           + 'valid token in .npmrc.',
    reason: 'unknown',
};

/* whom the pages know, on a request for a tarball */
const PAGES = Symbol('npmtoken');

const UNIX = /^(https?:\/\/)?unix:\//;
const LOOPBACK = ['127.0.0.0/8', '::1'];


class Npmtoken {

    constructor(config, options) {
        this.header = (config.header || 'x-npm-user').toLowerCase();
        this.groups = (config.groups_header || '').toLowerCase();
        this.login = flag('login', config.login);
        this.ownTokens = flag('own_tokens', config.own_tokens);
        this.peers = peers(config.trust ?? LOOPBACK);
        this.unix = [].concat(options.config.listen).every(a => UNIX.test(a));

        if (this.ownTokens && !options.config.middlewares?.npmtoken) {
            fail('"own_tokens" needs "npmtoken: {}" under "middlewares:"');
        }
    }

    /* "not me": the web page's login is left to the plugins listed after */
    authenticate(user, password, done) {
        done(null, false);
    }

    apiJWTmiddleware({ createRemoteUser, createAnonymousRemoteUser }) {
        return (req, res, next) => {
            const { headers } = req;

            /* before 6.7.4 what follows comes first */

            if (req[PAGES]) {
                res.locals.remote_user = req.remote_user = req[PAGES];
                next();
                return;
            }

            const name = this.trusted(req.socket) && headers[this.header]
                || this.whoLogsIn(req);
            const groups = (headers[this.groups] || '').split(',');
            const named = NAME.test(name || '');

            if (this.ownTokens && !name) {
                delete headers[this.header];
                delete headers[this.groups];
                this.own(req, res, next);
                return;
            }

            req.remote_user = !named ? createAnonymousRemoteUser()
                : createRemoteUser(name, [name, ...groups.map(g => g.trim())
                                                  .filter(g => NAME.test(g))]);
            res.locals.remote_user = req.remote_user;

            /* plugins behind this one may forward all headers elsewhere */
            delete headers[this.header];
            delete headers[this.groups];

            if (named) {
                delete headers.authorization;
            }

            next();
        };
    }

    /*
     * What nginx does not know, it hands on for a tarball: the login of the
     * pages, which Verdaccio has signed and looks at itself, or anything
     * else, which is refused here, whoever may read.
     */
    register_middlewares(app, auth) {
        const verify = auth.webUIJWTmiddleware();
        const first = auth.plugins.find(p => p.apiJWTmiddleware);

        if (first instanceof Npmtoken && first.ownTokens) {

            /* each token is Verdaccio's to judge that nginx does not know */

            first.own = ownCheck(auth);
            return;
        }

        app.use((req, res, next) => {
            const { authorization } = req.headers;

            if (authorization === undefined || !TARBALL.test(req.path)) {
                next();
                return;
            }

            const refuse = () => res.status(401)
                .set('WWW-Authenticate', 'Bearer').json(REFUSED);

            const [, claims] = JWT.exec(authorization) || [];

            if (!claims || !/^(GET|HEAD)$/.test(req.method)) {
                refuse();
                return;
            }

            verify(req, res, () => {
                if (req.remote_user?.name && fromPages(claims)) {
                    res.locals.remote_user = req[PAGES] = req.remote_user;
                    next();

                } else {
                    refuse();
                }
            });
        });
    }

    /*
     * Verdaccio looks at the password of a person who logs in only where it
     * knows of that person already.  What else it asks, of another name in
     * the body, is the same as for nobody.
     */
    whoLogsIn({ method, path }) {
        const [, name] = this.login && method === 'PUT'
            && LOGIN.exec(path) || [];

        try {
            return name && decodeURIComponent(name);
        } catch {
            return undefined;
        }
    }

    /* a unix socket has no peer address, but neither has a torn connection */
    trusted({ remoteAddress }) {
        if (remoteAddress === undefined) {
            return this.unix;
        }

        /* of a link-local address the interface is no part */
        const address = remoteAddress.replace(/^::ffff:(?=[\d.]+$)/i, '')
            .replace(/%.*$/, '');

        return isIP(address) !== 0
            && this.peers.check(address, family(address));
    }
}


/*
 * What Verdaccio itself does with Authorization.  It looks for a plugin that
 * does it instead, so it is asked as if it had no such plugin.
 */

function ownCheck(auth) {
    const plugins = auth.plugins.filter(p => !p.apiJWTmiddleware);

    return Object.create(auth, { plugins: { value: plugins } })
        .apiJWTmiddleware();
}


function fail(what) {
    throw new Error(`verdaccio-npmtoken: ${what}`);
}


function flag(name, value = false) {
    return typeof value === 'boolean' ? value
        : fail(`"${name}" is ${JSON.stringify(value)}, neither true nor false`);
}


const family = address => isIP(address) === 6 ? 'ipv6' : 'ipv4';


/* addresses and ranges that may say who somebody is */

function peers(list) {
    const found = new BlockList();

    for (const entry of [].concat(list)) {
        const [address, bits, ...more] = String(entry).split('/');
        const most = isIP(address) === 6 ? 128 : 32;

        /* a range of everybody would make everybody anyone */

        if (!isIP(address) || more.length !== 0
            || bits !== undefined
               && (!/^\d{1,3}$/.test(bits) || bits < 1 || bits > most))
        {
            fail(`"trust" has ${JSON.stringify(entry)}, which is no address`
                 + ' and no range of addresses');
        }

        found.addSubnet(address, Number(bits ?? most), family(address));
    }

    return found;
}


/*
 * A token that Verdaccio made for npm says which one it is, and can have been
 * revoked; here it is nothing.
 */
function fromPages(claims) {
    return JSON.parse(Buffer.from(claims, 'base64url')).token === undefined;
}


/*
 * Verdaccio goes on without a plugin that fails.  It would judge by rules that
 * nobody has written, so it is stopped.
 */

module.exports = (config, options) => {
    try {
        return new Npmtoken(config, options);
    } catch (e) {
        process.stderr.write(`${e.message}\n`);
        process.exit(1);
    }
};

module.exports.Npmtoken = Npmtoken;
