'use strict';

/*
 * Verdaccio learns who the person is from the header that nginx sets by
 * "npmtoken_identity X-Npm-User".  Put this folder into the one that
 * "plugins:" names, or into node_modules, and "npmtoken: {}" first under
 * "auth:".
 *
 * Whoever can connect to Verdaccio directly can be anyone: let it listen on a
 * unix socket that only nginx may open, or on loopback of a host without
 * other users.
 *
 * Options: "header" (x-npm-user), and "groups_header" (none): a header with
 * a comma-separated list of groups, which nginx has to set in every location
 * that reaches Verdaccio, empty where nobody was named.
 *
 * "login: true" is for "npmtoken_api_login proxy": npm's login is then answered
 * by whether the password is right, and never makes an account.  Without it
 * Verdaccio takes each for a new one, and says of one that it has that it is
 * there already.
 *
 * "npmtoken: {}" under "middlewares:" lets who is logged in on Verdaccio's
 * pages download tarballs; it takes a location with "npmtoken_unknown pass"
 * for these, as in verdaccio.conf.
 */

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
const LOOPBACK = /^((::ffff:)?127(\.\d{1,3}){3}|::1)$/;


class Npmtoken {

    constructor(config, options) {
        this.header = (config.header || 'x-npm-user').toLowerCase();
        this.groups = (config.groups_header || '').toLowerCase();
        this.login = config.login === true;
        this.unix = [].concat(options.config.listen).every(a => UNIX.test(a));
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
    trusted(socket) {
        return socket.remoteAddress === undefined ? this.unix
            : LOOPBACK.test(socket.remoteAddress);
    }
}


/*
 * A token that Verdaccio made for npm says which one it is, and can have been
 * revoked; here it is nothing.
 */
function fromPages(claims) {
    return JSON.parse(Buffer.from(claims, 'base64url')).token === undefined;
}


module.exports = (config, options) => new Npmtoken(config, options);
