// Which route a request is for. The canonical path decides, and the canonical path is what the service gets.
//
// Preloaded data, `gwc` (gwc.json): the nodes of a tree of path segments, by their paths; those of a named host stand
// below its name. Keys start with a character of their own ("/", ":") so that no client's text can name a property of
// Object, and a canonical path has no brace, so that none can name a parameter or a rest.

import admission from 'admission.js';
import cache from 'cache.js';
import cors from 'cors.js';
import settings from 'settings.js';
import tokens from 'tokens.js';

const UNRESERVED = /^(2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/i;
const ENCODED_SEPARATOR = /%(2f|5c|00)/i;
const RAW = Array.from('|^{}"<>`');
// All that a path can hold whose one spelling is another: what is escaped or should be, and empty segments and dots.
const ODD = /[^A-Za-z0-9\/._~!$&'()*+,;=:@-]|\/[.\/]/;
// No part of a request's target: a fragment, and bytes that are no UTF-8, which would not be passed on as they came.
const UNFIT = /[#\uFFFD]/;

// Headers with which proxies and gateways speak to one another. The known ones are removed (proxy_headers.conf);
// NGINX cannot remove by prefix, so an unknown one is refused.
const PRIVATE = /^x-(envoy|kong|consumer|credential|authenticated|accel|gwc)-/;

// A path is taken apart and put together, never searched and replaced: that takes njs a time that grows with the square
// of the matches, and a worker serves nobody else meanwhile.
function replaced(text, from, to) {
    return text.includes(from) ? text.split(from).join(to) : text;
}

function percentEncoded(text, character) {
    return replaced(text, character, '%' + character.charCodeAt(0).toString(16).toUpperCase());
}

function unescaped(part, index) {
    if (index && UNRESERVED.test(part)) {
        return String.fromCharCode(parseInt(part.slice(0, 2), 16)) + part.slice(2);
    }
    return index ? '%' + part : part;
}

// The one spelling of a path, or null when it must be refused.
function canonical(raw) {
    if (raw[0] !== '/') {
        return null;
    }
    if (!ODD.test(raw)) {
        return raw;
    }
    const decoded = raw.split('%').map(unescaped).join('');
    if (ENCODED_SEPARATOR.test(decoded)) {
        return null;
    }
    return RAW.reduce(percentEncoded, resolved(replaced(decoded, '\\', '/')));
}

// Dots first, then empty segments: `//..` goes nowhere.
function resolved(path) {
    const segments = path.split('/');
    const kept = [];
    for (let i = 1; i < segments.length; i++) {
        const segment = segments[i];
        if (segment === '..') {
            kept.pop();
        }
        if (segment !== '..' && segment !== '.') {
            kept.push(segment);
        } else if (i === segments.length - 1) {
            kept.push('');
        }
    }
    return '/' + kept.filter((segment, index) => segment || index === kept.length - 1).join('/');
}

// The leaf that decides for the segments from `at` on, below the node with the path `node`: a literal before a parameter
// before a rest, from the left.
function leaf(node, segments, at) {
    const here = gwc.nodes[node];
    if (here === undefined || at === segments.length) {
        return here;
    }
    const segment = segments[at];
    return leaf(node + '/' + segment, segments, at + 1)
        || (segment && leaf(node + '/{}', segments, at + 1))
        || gwc.nodes[node + '/{*}'];
}

function found(host, path) {
    const segments = path.slice(1).split('/');
    const own = ':' + host;
    return (gwc.hosts[own] && leaf(own, segments, 0)) || leaf('', segments, 0);
}

function foreign(r) {
    for (const name in r.headersIn) {
        const lower = name.toLowerCase();
        if (PRIVATE.test(lower) && !gwc.stripped[':' + lower]) {
            return true;
        }
    }
    return false;
}

// The port of the Host header is kept, its name only when it is the one that NGINX took for the request.
function forwardedHost(r) {
    const header = r.headersIn.Host || '';
    const host = r.variables.host;
    const same = header.slice(0, host.length).toLowerCase() === host;
    return same && /^\.?(:[0-9]+)?$/.test(header.slice(host.length)) ? header : host;
}

function refusal(r, status) {
    r.variables.gwc_refusal = String(status);
    return '/_gwc/refusal';
}

function settle(r, triples, at) {
    r.variables.gwc_route = triples[at + 1];
    r.variables.gwc_settings = triples[at + 2];
    return settings.of(triples[at + 2]);
}

// Somebody who asks whether they may ask: no credentials are wanted, and the service hears nothing of it.
function preflight(r, triples, at) {
    const own = settle(r, triples, at);
    const status = admission.limit(r, own);
    return status || !cors.permitted(r, own) ? refusal(r, status || 403) : '/_gwc/preflight';
}

// The location of a request, once everything about it is decided: a promise where a token has to be verified, which
// costs a request without one nothing.
function decided(r) {
    const raw = r.variables.request_uri;
    const query = raw.indexOf('?');
    const path = canonical(query < 0 ? raw : raw.slice(0, query));
    if (path === null || UNFIT.test(raw) || foreign(r)) {
        return refusal(r, 400);
    }
    const entry = found(r.variables.host, path);
    if (!entry) {
        return refusal(r, 404);
    }
    // Method, route, and the route with the same settings: one triple after another.
    const triples = entry.split(' ');
    const at = triples.findIndex((text, index) => index % 3 === 0 && text === r.method);
    const asked = cors.asked(r, triples);
    if (asked >= 0 && (at >= 0 || cors.permitted(r, settings.of(triples[asked + 2])))) {
        return preflight(r, triples, asked);
    }
    if (at < 0) {
        r.variables.gwc_allow = triples.filter((_, index) => index % 3 === 0).join(', ');
        return refusal(r, 405);
    }
    const own = settle(r, triples, at);
    const admitted = (status) => status ? refusal(r, status)
        : forward(r, own, path.slice(own.strip) || '/', query < 0 ? '' : raw.slice(query));
    const status = admission.admit(r, own);
    return typeof status === 'number' ? admitted(status) : status.then(admitted);
}

// To the service, or first to the store: then nothing is forwarded that does not key the answer.
function forward(r, own, path, query) {
    r.variables.gwc_upstream = r.variables.gwc_route.split('/')[0];
    r.variables.gwc_password = own.tries ? tokens.hop() : '';
    if (cache.serves(r, own)) {
        r.variables.gwc_host = r.variables.host;
        r.variables.gwc_uri = path + cache.query(own.cache, query.slice(1));
        return cache.place(r, own, r.variables.gwc_payer);
    }
    r.variables.gwc_cache = own.cache ? 'BYPASS' : '';
    r.variables.gwc_host = forwardedHost(r);
    r.variables.gwc_uri = path + query;
    return '/_gwc/route/' + own.place;
}

// Whatever goes wrong on the way, the answer is a refusal.
function failed(r, e) {
    r.error('admission: ' + e.message);
    return refusal(r, 500);
}

async function later(r, promise) {
    r.setReturnValue(refusal(r, 500));
    try {
        r.setReturnValue(await promise);
    } catch (e) {
        r.setReturnValue(failed(r, e));
    }
}

// js_set: NGINX takes what a function returns, and of one that returns a promise what was set on the way.
function location(r) {
    try {
        const where = decided(r);
        return typeof where === 'string' ? where : later(r, where);
    } catch (e) {
        return failed(r, e);
    }
}

export default {location};
