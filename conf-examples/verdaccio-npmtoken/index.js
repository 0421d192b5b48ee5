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
 */

/* the first character keeps $all, @all and their like from being a name */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,213}$/;

const LOGIN = /^\/-\/user\/org\.couchdb\.user(?::|%3[Aa])([^/]+)$/;

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


module.exports = (config, options) => new Npmtoken(config, options);
