// Answers that the edge keeps. NGINX stores them; what keys one and whether it may be kept is decided here. How old an
// answer may be is in answers.js, who asks for the others in flights.js.

import crypto from 'crypto';

import answers from 'answers.js';
import budget from 'budget.js';
import caps from 'caps.js';
import flights from 'flights.js';
import ledger from 'ledger.js';
import problem from 'problem.js';
import tokens from 'tokens.js';

const MISS = '/_gwc/miss/';
const RENEW = '/_gwc/renew/';
const PURGE = '/cache/purge/';
const PRIVATE = /(^|[^a-z0-9_-])(no-store|private)($|[^a-z0-9_-])/i;
const EVERYTHING = /(^|,)\s*\*\s*(,|$)/;
// Of one exchange alone: a kept answer does not say it again.
const MOMENTARY = /^(traceparent|tracestate|ratelimit.*|x-ratelimit-.*|proxy-authenticate|proxy-connection|keep-alive|trailer|upgrade|te)$/i;

// Whether the store is asked at all. Other methods go past it.
function serves(r, settings) {
    return Boolean(settings.cache) && (r.method === 'GET' || r.method === 'HEAD');
}

function unescaped(name) {
    try {
        return decodeURIComponent(name.split('+').join(' '));
    } catch (e) {
        return null;
    }
}

// The listed parameters, by name; what stands for one name several times keeps its order. With the question mark.
function query(cache, text) {
    if (!cache.query || !text) {
        return '';
    }
    const pieces = text.split('&').map((piece) => {
        const cut = piece.indexOf('=');
        return [unescaped(cut < 0 ? piece : piece.slice(0, cut)), cut < 0 ? '' : piece.slice(cut)];
    });
    const kept = cache.query.split('&').map((name) => pieces.filter((piece) => piece[0] === name)
                                                            .map((piece) => name + piece[1]).join('&'));
    const joined = kept.filter((part) => part).join('&');
    return joined ? '?' + joined : '';
}

// One name for all that an answer depends on: no part of it can pass for another.
function identity(r, cache, user) {
    const v = r.variables;
    const parts = [v.gwc_route, ngx.shared.gwc_purged.get(v.gwc_route) || 0, v.gwc_host, v.gwc_forwarded_host,
                   v.gwc_forwarded_proto, v.gwc_uri, cache.user ? 'user ' + user : ''];
    cache.headers.split(' ').filter((name) => name).forEach((name) => {
        // Bytes, for what is no UTF-8 would all read the same.
        const value = r.rawVariables[name];
        parts.push(value === undefined ? null : value.toString('hex'));
    });
    return crypto.createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

// What the inner hop has to know: since when the client waits, whether something can stand in, who pays, which
// flight this is, and whether to ask without looking who else does.
function errand(since, standsIn, payer, flight, alone) {
    return [since, standsIn ? 'stale' : '-', payer || '-', flight, alone ? 'alone' : '-'].join(' ');
}

// The location of a request that may be answered from the store. `user` is charged when the service has to be asked.
function place(r, settings, user) {
    const v = r.variables;
    const now = Date.now();
    const found = answers.aim(identity(r, settings.cache, user), settings.cache, now);
    const payer = settings.budget && encodeURIComponent(user);
    v.gwc_cache = 'MISS';
    v.gwc_cache_since = String(now);
    v.gwc_cache_key = found.key;
    v.gwc_cache_kept = found.stale ? 'STALE' : 'HIT';
    // Nothing is kept before it has been found fit.
    v.gwc_cache_unfit = '1';
    v.gwc_cache_payer = payer || '';
    v.gwc_stale_key = found.substitute;
    v.gwc_stale_errand = errand(now, '', '', flights.of(found.substitute, 0), true);
    v.gwc_cache_flight = flights.of(found.key, 0);
    v.gwc_errand = errand(now, found.substitute, payer, v.gwc_cache_flight, false);
    if (found.renewal) {
        v.gwc_renewal = errand(now, '', '', flights.of(found.renewal, 0), true);
        r.subrequest('/_gwc/renew/' + settings.place, {method: 'GET', detached: true});
    }
    return '/_gwc/cache/' + settings.place;
}

// js_content: somebody else has brought the answer.
function again(r) {
    const v = r.variables;
    const flight = flights.next(v.gwc_cache_flight);
    v.gwc_cache_flight = flight || v.gwc_cache_flight;
    v.gwc_errand = errand(v.gwc_cache_since, v.gwc_stale_key, v.gwc_cache_payer, v.gwc_cache_flight, !flight);
    r.internalRedirect('/_gwc/cache/' + gwc.settings[v.gwc_settings].place);
}

function last(list) {
    return (list || '').split(/, | : /).pop();
}

// Milliseconds for which what the service has just answered may be kept. A client's condition may have made the answer
// to it another one, so this looks at what came.
function lifetime(v, cache) {
    const status = Number(last(v.upstream_status));
    if (v.upstream_http_set_cookie !== undefined || v.upstream_http_content_range !== undefined
        || PRIVATE.test(v.upstream_http_cache_control || '') || EVERYTHING.test(v.upstream_http_vary || '')
        || Number(v.upstream_http_content_length || 0) > cache.largest) {
        return 0;
    }
    return status === 200 ? cache.ttl : status === 301 || status === 404 ? cache.negative : 0;
}

// Whether the service's answer is kept.
function judge(r, cache) {
    const v = r.variables;
    const life = lifetime(v, cache);
    const status = Number(last(v.upstream_status));
    if (life) {
        v.gwc_cache_unfit = '';
        answers.advance(v.gwc_cache_key, cache, life, status === 200);
        flights.approach(v.gwc_cache_flight, cache);
    } else {
        flights.refuse(v.gwc_cache_flight, status);
    }
}

// The inner hop refused: what it says belongs into the answer and the log.
function refused(r) {
    const v = r.variables;
    if (r.headersOut['X-Gwc-Limited']) {
        v.gwc_limited_by = r.headersOut['X-Gwc-Limited'];
        v.gwc_retry_after = r.headersOut['Retry-After'] || '';
        v.gwc_rate_policy = r.headersOut['RateLimit-Policy'] || '';
        v.gwc_rate_left = r.headersOut.RateLimit || '';
    }
}

// NGINX itself wants the date to fit too where a client names both; but a tag that fits is enough.
function condition(r) {
    const asked = r.headersIn['If-None-Match'];
    const tag = r.headersOut.ETag;
    const bare = (text) => text.replace(/^W\//, '');
    if (r.status === 200 && asked && tag && (asked.match(/(W\/)?"[^"]*"/g) || []).some((one) => bare(one) === bare(tag))) {
        r.status = 304;
        delete r.headersOut['Content-Length'];
        delete r.headersOut['Content-Type'];
    }
}

function forget(r) {
    for (const name in r.headersOut) {
        if (MOMENTARY.test(name)) {
            delete r.headersOut[name];
        }
    }
}

// js_header_filter of what comes from the store or from the service.
function headers(r) {
    const v = r.variables;
    const settings = gwc.settings[v.gwc_settings];
    const hit = v.upstream_cache_status === 'HIT';
    if (hit) {
        v.gwc_cache = v.gwc_cache_kept;
        forget(r);
    } else {
        judge(r, settings.cache);
        refused(r);
    }
    condition(r);
    problem.headers(r);
    if (settings.timeout) {
        // Whoever waited for another's miss has waited; what is in the store is there.
        v.gwc_deadline = hit ? '' : String(Number(v.gwc_cache_since) + settings.timeout);
    }
}

// js_body_filter beside it. How long an answer is, in bytes and in time, may only be known in its end.
function body(r, data, flags) {
    const v = r.variables;
    if (!v.gwc_cache_unfit) {
        const size = Number(v.gwc_cache_size || 0) + data.length;
        const cache = gwc.settings[v.gwc_settings].cache;
        v.gwc_cache_size = String(size);
        if (size > cache.largest || Date.now() > Number(v.gwc_deadline)) {
            v.gwc_cache_unfit = '1';
            flights.refuse(v.gwc_cache_flight, 200);
            flights.refuse(flights.of(answers.drop(v.gwc_cache_key, cache), 0), 200);
        } else if (flags.last) {
            flights.land(v.gwc_cache_flight);
        }
    }
    problem.replace(r, data, flags);
}

// When the request is over: some answers have no body that would have an end.
function over(r) {
    if (r.variables.gwc_cache === 'MISS' && !r.variables.gwc_cache_unfit) {
        flights.land(r.variables.gwc_cache_flight);
    }
}

// What the outer hop told.
function told(r) {
    const parts = (r.headersIn['X-Gwc-Errand'] || '').split(' ');
    return {since: Number(parts[0]), stale: parts[1] === 'stale', payer: parts[2] === '-' ? '' : parts[2],
            flight: parts[3], alone: parts[4] === 'alone'};
}

// The settings of a request that came through `door` with the password; null for any other.
function entered(r, door) {
    const parts = r.variables.request_uri.slice(door.length).split('/');
    const settings = gwc.settings[parts[0] + '/' + parts[1]];
    if (r.headersIn['X-Gwc-Hop'] !== tokens.hop() || !settings || !settings.cache) {
        return null;
    }
    r.variables.gwc_settings = parts[0] + '/' + parts[1];
    r.variables.gwc_route = parts[2] + '/' + parts[3];
    r.variables.gwc_uri = '/' + parts.slice(4).join('/');
    return settings;
}

// The service has failed: the outer hop looks for what may stand in, and whoever waits for this answer does not wait on.
function substitute(r, settings) {
    const errand = told(r);
    if (errand.stale) {
        flights.refuse(errand.flight, 500);
        r.headersOut['X-Accel-Redirect'] = '/_gwc/stale/' + settings.place;
    }
}

function broke(r, refusal) {
    r.headersOut['X-Gwc-Reason'] = 'budget-exhausted';
    r.headersOut['X-Gwc-Limited'] = refusal.by;
    r.headersOut['Retry-After'] = String(refusal.retryAfter);
    r.headersOut['RateLimit-Policy'] = refusal.policy;
    r.headersOut.RateLimit = refusal.left;
    r.return(429, '-');
}

// js_content: what is not in the store. One asks the service, the others wait for what it gets.
function miss(r) {
    const settings = entered(r, MISS);
    if (settings) {
        attend(r, settings, told(r), flights.SHORTEST);
    } else {
        r.return(404);
    }
}

function attend(r, settings, errand, pause) {
    if (Date.now() >= errand.since + settings.cache.request) {
        substitute(r, settings);
        r.return(504, '-');
        return;
    }
    const state = errand.alone ? flights.FREE : flights.join(errand.flight, settings.cache);
    if (state === flights.FLYING) {
        setTimeout(attend, pause, r, settings, errand, flights.longer(pause));
    } else if (state === flights.LANDED) {
        r.headersOut['X-Accel-Redirect'] = '/_gwc/again';
        r.return(204);
    } else {
        ask(r, settings, errand);
    }
}

function ask(r, settings, errand) {
    const refusal = errand.payer ? budget.spend(r, settings, decodeURIComponent(errand.payer)) : null;
    if (refusal) {
        broke(r, refusal);
    } else {
        // The outer hop logs what was taken.
        ledger.add(r, 'units', Number(r.variables.gwc_cost || 0));
        r.internalRedirect('/_gwc/asked/' + settings.place);
    }
}

// js_header_filter of the service's answer, before it is kept.
function asked(r) {
    const settings = gwc.settings[r.variables.gwc_settings];
    if (settings.charge) {
        const taken = Number(r.variables.gwc_cost || 0);
        budget.settle(r, settings);
        ledger.add(r, 'units', Number(r.variables.gwc_cost || 0) - taken);
    }
    if (r.status >= 500) {
        substitute(r, settings);
    }
}

// js_content behind error_page: a cap refused.
function capped(r) {
    r.headersOut['X-Gwc-Reason'] = 'overloaded';
    r.headersOut['X-Gwc-Limited'] = caps.refused(r);
    r.headersOut['Retry-After'] = '1';
    substitute(r, gwc.settings[r.variables.gwc_settings]);
    r.return(503, '-');
}

// js_content: fetch an answer into the store. The client's request does not wait for it, nor does its connection.
function renew(r) {
    const settings = entered(r, RENEW);
    if (!settings) {
        r.return(404);
        return;
    }
    const flight = told(r).flight;
    r.variables.gwc_cache_flight = flight;
    r.variables.gwc_cache_key = flight.split('#')[0];
    r.variables.gwc_cache_unfit = '1';
    r.variables.gwc_errand = errand(Date.now(), '', '', flight, true);
    r.subrequest('/_gwc/renewal/' + settings.place, {method: 'GET', detached: true});
    r.return(204);
}

// js_header_filter of what a renewal fetched.
function renewed(r) {
    const v = r.variables;
    if (v.upstream_cache_status !== 'HIT') {
        judge(r, gwc.settings[v.gwc_settings].cache);
    }
    // It has failed, or there is a new answer: in either case the next one may begin when it is due.
    answers.renewed(v.gwc_cache_key);
}

// js_content: whatever is kept of a route is of no use from now on.
function purge(r) {
    const route = r.uri.slice(PURGE.length);
    if (r.method !== 'POST') {
        r.headersOut.Allow = 'POST';
        r.return(405, '');
    } else if (!gwc.cached[':' + route]) {
        r.return(404, '');
    } else {
        ngx.shared.gwc_purged.incr(route, 1, 0);
        r.return(204);
    }
}

export default {serves, query, place, again, headers, body, over, miss, asked, capped, renew, renewed, purge};
