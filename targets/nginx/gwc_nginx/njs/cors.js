// Cross-origin requests, answered by the Fetch standard's rules.

import settings from 'settings.js';

const OURS = ['Access-Control-Allow-Origin', 'Access-Control-Allow-Credentials', 'Access-Control-Allow-Methods',
              'Access-Control-Allow-Headers', 'Access-Control-Expose-Headers', 'Access-Control-Max-Age'];
const ASKED = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

// What Access-Control-Allow-Origin says to this client, '' for nothing. Origins are compared as they are.
function allowed(r, cors) {
    const origin = r.headersIn.Origin;
    if (!origin) {
        return '';
    }
    return cors.origins === '*' ? '*' : cors.origins.split(' ').includes(origin) ? origin : '';
}

function ofMethod(triples, method) {
    const at = triples.findIndex((text, index) => index % 3 === 0 && text === method);
    return at >= 0 && settings.of(triples[at + 2]).cors ? at : -1;
}

// Which of a path's routes a preflight asks about, by its place among `triples`; -1 when the request is none, or no
// policy has a word for it.
function asked(r, triples) {
    const method = r.method === 'OPTIONS' && r.headersIn.Origin && r.headersIn['Access-Control-Request-Method'];
    if (!method) {
        return -1;
    }
    const at = ofMethod(triples, method);
    return at >= 0 ? at : ofMethod(triples, 'OPTIONS');
}

function permitted(r, own) {
    return allowed(r, own.cors) !== '';
}

function varied(given) {
    const text = (given || '').trim();
    const named = text.toLowerCase().split(',').some((name) => name.trim() === 'origin' || name.trim() === '*');
    return named ? text : text ? text + ', Origin' : 'Origin';
}

function name(r, cors) {
    const origin = allowed(r, cors);
    if (origin) {
        r.headersOut['Access-Control-Allow-Origin'] = origin;
        if (cors.credentials) {
            r.headersOut['Access-Control-Allow-Credentials'] = 'true';
        }
    }
}

// The gateway's word on an answer, instead of the service's.
function respond(r, cors) {
    if (cors) {
        OURS.forEach((header) => delete r.headersOut[header]);
        name(r, cors);
        r.headersOut.Vary = varied(r.headersOut.Vary);
    }
}

// js_content: a preflight that the policy grants.
function preflight(r) {
    const cors = settings.of(r.variables.gwc_settings).cors;
    name(r, cors);
    r.headersOut['Access-Control-Allow-Methods'] = cors.methods;
    if (cors.headers) {
        r.headersOut['Access-Control-Allow-Headers'] = cors.headers;
    }
    r.headersOut['Access-Control-Max-Age'] = cors.maxAge;
    r.headersOut.Vary = ASKED;
    r.headersOut[gwc.requestIdHeader] = r.variables.gwc_request_id;
    r.return(204);
}

export default {asked, permitted, preflight, respond};
