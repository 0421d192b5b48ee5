'use strict';

/*
 * What Verdaccio alone lacks for the demo.
 *
 * Audit: its own middleware asks the public registry, and the demo's asks
 * nobody.  Whoever may read is told that no vulnerability is known.
 *
 * Publisher: npm's public registry writes into each version who published
 * it, whatever the client says; Verdaccio keeps that in its log only.
 */

const BULK = '/-/npm/v1/security/advisories/bulk';
const AUDITS = ['/-/npm/v1/security/audits', '/-/npm/v1/security/audits/quick'];

const NOTHING = {
    actions: [],
    advisories: {},
    muted: [],
    metadata: {
        vulnerabilities: { info: 0, low: 0, moderate: 0, high: 0, critical: 0 },
        dependencies: 1,
        devDependencies: 0,
        optionalDependencies: 0,

        /* if there was none, npm 6 does not say how many it audited */
        totalDependencies: 1,
    },
};


function audit(body) {
    return (req, res) => {
        if (!req.remote_user.name) {
            res.status(401).json({ error: 'audit: nobody was named' });
            return;
        }

        res.json(body);
    };
}


async function publisher(req, res, next) {
    try {
        const chunks = [];

        for await (const chunk of req) {
            chunks.push(chunk);
        }

        req.body = JSON.parse(Buffer.concat(chunks).toString());

        /* the body parser behind us is told that there is no more to read */
        req._body = true;
    } catch (e) {
        res.status(400).json({ error: `publish: ${e.message}` });
        return;
    }

    if (req.body._attachments && req.body.versions) {
        for (const version of Object.values(req.body.versions)) {
            version._npmUser = { name: req.remote_user.name };
        }
    }

    next();
}


module.exports = () => ({
    register_middlewares(app) {
        app.post(BULK, audit({}));
        app.post(AUDITS, audit(NOTHING));
        app.put('/:package', publisher);
    },
});
