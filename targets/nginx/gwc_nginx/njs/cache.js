// Answers that the edge keeps. NGINX stores them; what keys one and whether it may be kept is decided here. How old an
// answer may be is in answers.js, who asks for the others in flights.js, and what happens where the service has to be
// asked in misses.js: each request pays for the functions that its server has, whether it calls them or not.

import crypto from 'crypto';

import answers from 'answers.js';
import errands from 'errands.js';
import fitness from 'fitness.js';
import flights from 'flights.js';
import problem from 'problem.js';
import settings from 'settings.js';

// Of one exchange alone: a kept answer does not say it again.
const MOMENTARY = /^(traceparent|tracestate|ratelimit.*|x-ratelimit-.*|proxy-authenticate|proxy-connection|keep-alive|trailer|upgrade|te)$/i;

// Whether the store is asked at all. Other methods go past it.
function serves(r, own) {
    return Boolean(own.cache) && (r.method === 'GET' || r.method === 'HEAD');
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
    const parts = [v.gwc_route, cache.policy, answers.generation(v.gwc_route), v.gwc_host, v.gwc_forwarded_host,
                   v.gwc_forwarded_proto, v.gwc_uri, cache.user ? 'user ' + user : ''];
    cache.headers.split(' ').filter((name) => name).forEach((name) => {
        // Bytes, for what is no UTF-8 would all read the same.
        const value = r.rawVariables[name];
        parts.push(value === undefined ? null : value.toString('hex'));
    });
    return crypto.createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

// The location of a request that may be answered from the store. `user` is charged when the service has to be asked.
function place(r, own, user) {
    const v = r.variables;
    const now = Date.now();
    const found = answers.aim(identity(r, own.cache, user), own.cache, now);
    const payer = own.budget && encodeURIComponent(user);
    v.gwc_cache = 'MISS';
    v.gwc_cache_since = String(now);
    v.gwc_cache_key = found.key;
    v.gwc_cache_kept = found.stale ? 'STALE' : 'HIT';
    // Nothing is kept before it has been found fit.
    v.gwc_cache_unfit = '1';
    v.gwc_cache_payer = payer || '';
    v.gwc_stale_key = found.substitute;
    v.gwc_stale_errand = errands.written(now, '', '', flights.of(found.substitute, 0), true);
    v.gwc_cache_flight = flights.of(found.key, 0);
    v.gwc_errand = errands.written(now, found.substitute, payer, v.gwc_cache_flight, false);
    if (found.renewal) {
        v.gwc_renewal = errands.written(now, '', '', flights.of(found.renewal, 0), true);
        r.subrequest('/_gwc/renew/' + own.store, {method: 'GET', detached: true});
    }
    return '/_gwc/cache/' + own.store;
}

// js_content: somebody else has brought the answer.
function again(r) {
    const v = r.variables;
    const flight = flights.next(v.gwc_cache_flight);
    v.gwc_cache_flight = flight || v.gwc_cache_flight;
    v.gwc_errand = errands.written(v.gwc_cache_since, v.gwc_stale_key, v.gwc_cache_payer, v.gwc_cache_flight, !flight);
    r.internalRedirect('/_gwc/cache/' + settings.of(v.gwc_settings).store);
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
    const own = settings.of(v.gwc_settings);
    const hit = v.upstream_cache_status === 'HIT';
    if (hit) {
        v.gwc_cache = v.gwc_cache_kept;
        forget(r);
    } else {
        fitness.judge(r, own.cache);
        refused(r);
    }
    condition(r);
    problem.headers(r);
    // NGINX judges If-Match and If-Unmodified-Since, too.
    if (r.status === 412 && !(v.upstream_status || '').endsWith('412')) {
        problem.shape(r, 412);
    }
    if (own.timeout) {
        // Whoever waited for another's miss has waited; what is in the store is there.
        v.gwc_deadline = hit ? '' : String(Number(v.gwc_cache_since) + own.timeout);
    }
}

// js_body_filter beside it. How long an answer is, in bytes and in time, may only be known in its end.
function body(r, data, flags) {
    const v = r.variables;
    if (!v.gwc_cache_unfit) {
        const size = Number(v.gwc_cache_size || 0) + data.length;
        const cache = settings.of(v.gwc_settings).cache;
        v.gwc_cache_size = String(size);
        if (size > cache.largest || problem.heavy(r) || Date.now() > Number(v.gwc_deadline)) {
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
    const v = r.variables;
    if (v.gwc_cache === 'MISS' && !v.gwc_cache_unfit) {
        flights.land(v.gwc_cache_flight);
    } else if (v.gwc_cache === 'MISS' && v.upstream_status && !v.gwc_cache_size) {
        // NGINX itself put an end to it, before anybody could judge.
        flights.refuse(v.gwc_cache_flight, 500);
    }
}

export default {serves, query, place, again, headers, body, over};
