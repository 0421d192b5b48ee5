/*
 * What may reach the registry from somebody who may only read, seen from the
 * registry's side and written down a second time: nothing here is the
 * module's.
 */

const READS = ['GET', 'HEAD', 'OPTIONS'];

/* one segment that means nothing but itself, decoded or not */
const SEGMENT = /^(?!\.{1,2}$)[^/\\;%?#\x00-\x1f\x7f-\xff]+$/;

const isSegment = text => {
    try {
        return SEGMENT.test(decodeURIComponent(text));
    } catch {
        return false;
    }
};

/* npm's names begin neither with "." nor with "_" */
const PART = "[A-Za-z0-9~!*'()-][\\w.~!*'()-]*";
const PACKAGE = new RegExp(`^(@${PART}/)?${PART}$`);

const isPackage = text => {
    try {
        return PACKAGE.test(decodeURIComponent(text));
    } catch {
        return false;
    }
};


/* a token may have slashes, but leads nowhere else */
function isToken(text, tokens) {
    let plain;

    try {
        plain = decodeURIComponent(text);
    } catch {
        return false;
    }

    return tokens.includes(plain)
        && plain.split('/').every(part => !['', '.', '..'].includes(part));
}


const EXCEPTIONS = [
    ['POST', /^\/-\/npm\/v1\/security\/(audits|audits\/quick)$/],
    ['POST', /^\/-\/npm\/v1\/security\/advisories\/bulk$/],
    ['POST', /^\/-\/v1\/login$/],
    ['PUT', /^\/-\/user\/org\.couchdb\.user:([^/]+)$/, isSegment],
    ['PUT', /^\/-\/user\/org\.couchdb\.user:([^/]+)\/-rev\/([^/]+)$/,
     isSegment],
    ['POST', /^\/-\/npm\/v1\/oidc\/token\/exchange\/package\/([^/]+)$/,
     isPackage],
    ['POST', /^\/-\/npm\/v1\/oidc\/token\/exchange\/package\/(@[^/]+\/[^/]+)$/,
     text => isPackage(text.replace('/', '%2f'))],
    ['DELETE', /^\/-\/user\/token\/(.+)$/, isToken],
];


/* what is wrong with a request that reached the registry, if anything is */
export function wrongs(line, variant, tokens) {
    const { method, url, user, override, case: from } = line;
    const path = url.replace(/[?#].*/s, '');

    if (from === undefined) {
        return 'reached the registry, and nginx did not send it as one';
    }

    if (user !== undefined && user !== 'alice') {
        return `named "${user}", which only the client said`;
    }

    if (variant.open?.test(path)) {
        return undefined;
    }

    if (override !== undefined) {
        return `has a header "${override}", and reached the registry`;
    }

    if (READS.includes(method)) {
        return undefined;
    }

    const meant = EXCEPTIONS.some(([each, pattern, check]) => {
        const found = each === method && pattern.exec(path);

        return found && (!check
                         || found.slice(1).every(text => check(text, tokens)));
    });

    return meant ? undefined : 'is a write, and reached the registry';
}
