// Answers that the edge keeps. NGINX stores them; what keys one, whether it may be kept and how old it may be is
// decided here, to the millisecond.
//
// An answer is fetched under a name that none had before it. So NGINX's lock, which guards only what is not there yet,
// also lets one request ask for all when an old answer is over, and nothing that was dropped comes back. The dictionary
// has for each key `name until lasting before over`: the newest name, when its answer is no longer fresh (0: there is
// none yet), whether it may be served stale, and name and end of the answer before it.

import crypto from 'crypto';

import budget from 'budget.js';
import caps from 'caps.js';
import ledger from 'ledger.js';
import problem from 'problem.js';
import tokens from 'tokens.js';

const MISS = '/_gwc/miss/';
const RENEW = '/_gwc/renew/';
const PURGE = '/cache/purge/';
// After an answer that is not kept, everybody asks for himself for so long.
const PASS = 5000;
// How long it is known under which name an answer is being fetched.
const PENDING = 3600000;
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

function digits(number) {
    return String(Math.max(0, Math.floor(number))).padStart(13, '0');
}

// All entries are equally long, so that the room of one serves any other.
function written(entry) {
    return [digits(entry.name), digits(entry.until), entry.lasting ? '1' : '0', digits(entry.before),
            digits(entry.over)].join(' ');
}

function read(text) {
    const parts = text.split(' ');
    return {name: Number(parts[0]), until: Number(parts[1]), lasting: parts[2] === '1', before: Number(parts[3]),
            over: Number(parts[4])};
}

function known(id, now) {
    const dict = ngx.shared.gwc_cached;
    const text = dict.get(id);
    if (text !== undefined) {
        return read(text);
    }
    const entry = {name: now, until: 0, lasting: false, before: 0, over: 0};
    // `add` is atomic: whoever comes first has named it.
    return dict.add(id, written(entry), PENDING) ? entry : read(dict.get(id) || written(entry));
}

function key(id, name) {
    return id + '.' + digits(name);
}

function mark(id, what) {
    return crypto.createHash('sha256').update(what + ' ' + id).digest('base64url').slice(0, 16);
}

// The name of the answer that may stand in for a failing service, or 0.
function standIn(cache, entry, now) {
    if (entry.until && entry.until <= now) {
        return entry.lasting && now < entry.until + cache.ifError ? entry.name : 0;
    }
    return entry.before && now < entry.over + cache.ifError ? entry.before : 0;
}

// Which answer is looked for, by the age of what is known. The name of a renewal that is due, or 0.
function aim(r, cache, id, now) {
    const v = r.variables;
    const entry = known(id, now);
    const over = entry.until && entry.until <= now;
    const renewing = over && entry.lasting && now < entry.until + cache.whileRevalidate;
    const substitute = standIn(cache, entry, now);
    v.gwc_cache_key = key(id, over && !renewing ? entry.name + 1 : entry.name);
    v.gwc_cache_kept = renewing ? 'STALE' : 'HIT';
    v.gwc_stale_key = substitute ? key(id, substitute) : '';
    const asking = !entry.until || (over && !renewing);
    v.gwc_cache_pass = asking && ngx.shared.gwc_cache_marks.get(mark(id, 'pass')) ? '1' : '';
    return renewing && ngx.shared.gwc_cache_marks.add(mark(id, 'renewal'), 1, cache.request) ? entry.name + 1 : 0;
}

// What the inner hop has to know: since when the client waits, whether something can stand in, who pays, and for a
// renewal what it is to be called.
function errand(since, standsIn, payer, name) {
    return [since, standsIn ? 'stale' : '-', payer || '-', name || '-'].join(' ');
}

// The location of a request that may be answered from the store. `user` is charged when the service has to be asked.
function place(r, settings, user) {
    const v = r.variables;
    const now = Date.now();
    const id = identity(r, settings.cache, user);
    v.gwc_cache = 'MISS';
    v.gwc_cache_since = String(now);
    // Nothing is kept before it has been found fit.
    v.gwc_cache_unfit = '1';
    const renewal = aim(r, settings.cache, id, now);
    v.gwc_errand = errand(now, v.gwc_stale_key, settings.budget && encodeURIComponent(user), '');
    v.gwc_stale_errand = errand(now, '', '', '');
    if (renewal) {
        v.gwc_renewal = errand(now, '', '', key(id, renewal));
        r.subrequest('/_gwc/renew/' + settings.place, {method: 'GET', detached: true});
    }
    return '/_gwc/cache/' + settings.place;
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

function remember(id, cache, entry) {
    const kept = entry.until - Date.now() + Math.max(cache.ifError, cache.whileRevalidate);
    ngx.shared.gwc_cached.set(id, written(entry), Math.max(kept, 0) + PENDING);
}

// The answer under `name` is the newest; the one before it may still stand in when this one does not come to its end.
function advance(id, cache, name, life, lasting) {
    const now = Date.now();
    const entry = known(id, now);
    const older = name > entry.name && entry.lasting && entry.until ? {before: entry.name, over: entry.until} : entry;
    if (name >= entry.name) {
        remember(id, cache, {name: name, until: now + life, lasting: lasting, before: older.before, over: older.over});
    }
}

// What came under `name` must not be used again.
function drop(id, cache, name) {
    const entry = known(id, Date.now());
    if (entry.name === name) {
        remember(id, cache, {name: name + 1, until: 0, lasting: false, before: entry.before, over: entry.over});
    }
    ngx.shared.gwc_cache_marks.set(mark(id, 'pass'), 1, PASS);
}

function parsed(text) {
    const cut = text.indexOf('.');
    return {id: text.slice(0, cut), name: Number(text.slice(cut + 1))};
}

// Whether the service's answer is kept.
function judge(r, cache) {
    const v = r.variables;
    const at = parsed(v.gwc_cache_key);
    const life = lifetime(v, cache);
    const status = Number(last(v.upstream_status));
    if (life) {
        v.gwc_cache_unfit = '';
        advance(at.id, cache, at.name, life, status === 200);
        ngx.shared.gwc_cache_marks.delete(mark(at.id, 'pass'));
    } else if (status < 500) {
        ngx.shared.gwc_cache_marks.set(mark(at.id, 'pass'), 1, PASS);
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
            const at = parsed(v.gwc_cache_key);
            v.gwc_cache_unfit = '1';
            drop(at.id, cache, at.name);
        }
    }
    problem.replace(r, data, flags);
}

// What the outer hop told: {since, stale, payer, name}.
function told(r) {
    const parts = (r.headersIn['X-Gwc-Errand'] || '').split(' ');
    return {since: Number(parts[0]), stale: parts[1] === 'stale', payer: parts[2] === '-' ? '' : parts[2],
            name: parts[3]};
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

function substitute(r, settings) {
    if (told(r).stale) {
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

// js_content: the service has to be asked.
function miss(r) {
    const settings = entered(r, MISS);
    if (!settings) {
        r.return(404);
        return;
    }
    const errand = told(r);
    if (Date.now() >= errand.since + settings.cache.request) {
        substitute(r, settings);
        r.return(504, '-');
        return;
    }
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
    r.variables.gwc_cache_key = told(r).name;
    r.variables.gwc_cache_unfit = '1';
    r.variables.gwc_errand = errand(Date.now(), '', '', '');
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
    ngx.shared.gwc_cache_marks.delete(mark(parsed(v.gwc_cache_key).id, 'renewal'));
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

export default {serves, query, place, headers, body, miss, asked, capped, renew, renewed, purge};
