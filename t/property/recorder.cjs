'use strict';

/*
 * Loaded into Verdaccio before itself: writes down each request that Node's
 * parser made of the bytes that came, whatever Verdaccio then does with it.
 * It is written when the registry begins, so before there can be an answer.
 */

const { subscribe } = require('node:diagnostics_channel');
const { openSync, writeSync } = require('node:fs');

/* as registries read them that fold "_" and "-" */
const OVERRIDE = /^x[-_](http[-_]method|(http[-_])?method[-_]override)$/;

const file = openSync(process.env.NPMTOKEN_RECORD, 'a');

subscribe('http.server.request.start', ({ request }) => {
    const { method, url, headers } = request;

    writeSync(file, `${JSON.stringify({
        case: headers['x-case'], method, url, user: headers['x-npm-user'],
        override: Object.keys(headers).find(name => OVERRIDE.test(name)),
    })}\n`);
});
