/*
 * The manifests of a file against the schemas of Kubernetes:
 *
 *     node manifests.mjs FILE
 *
 * run where "npm ci" of this folder was.  Prints what is wrong.
 */

import { readFileSync } from 'node:fs';

import { parseAllDocuments } from 'yaml';


let bad = 0;
let kinds = 0;


function complain(what) {
    console.log(what);
    bad++;
}


for (const document of parseAllDocuments(readFileSync(process.argv[2], 'utf8')))
{
    for (const error of document.errors) {
        complain(error.message);
    }

    const manifest = document.toJS();
    const models = await import(`kubernetes-models/${manifest.apiVersion}`);

    try {
        new models[manifest.kind](manifest).validate();
        kinds++;

    } catch (error) {
        complain(`${manifest.kind}: ${error.message}`);
    }
}

if (kinds === 0) {
    complain('no manifest');
}

process.exit(bad ? 1 : 0);
