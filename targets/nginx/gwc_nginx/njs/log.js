// What is told of a request when it is over: a line of the access log, the numbers of the metrics, a span.

import cache from 'cache.js';
import counts from 'counts.js';
import ledger from 'ledger.js';
import settings from 'settings.js';
import tracing from 'tracing.js';

const REDACTED = '***';
const LEFT = 499;

function unescaped(text) {
    try {
        return decodeURIComponent(text);
    } catch (e) {
        return text;
    }
}

function redacted(pair) {
    const cut = pair.indexOf('=');
    const name = cut < 0 ? '' : pair.slice(0, cut);
    return cut >= 0 && gwc.log.redacted[':' + unescaped(name).toLowerCase()] ? name + '=' + REDACTED : pair;
}

// A query as the client asked, without credentials.
function query(text) {
    return text && text.split('&').map(redacted).join('&');
}

// The headers that limits count by. Those that hold credentials are not for a log.
function keys(r) {
    const found = {};
    for (let i = 0; i < gwc.log.headers.length; i++) {
        const name = gwc.log.headers[i];
        const value = r.headersIn[name];
        found[name] = value === undefined ? null : gwc.log.credentials[':' + name] ? REDACTED : value;
    }
    return found;
}

// Tries at the service, and the milliseconds that they took. Where an inner hop tries, it has counted them.
function work(r, own) {
    const v = r.variables;
    const hop = own && own.tries;
    const counted = hop ? ledger.take(r, 'tries') : undefined;
    const paused = hop ? ledger.take(r, 'pause') || 0 : 0;
    if (!v.upstream_status || (hop && counted === undefined && (v.gwc_reason || own.cache))) {
        return {attempts: 0, ms: null};
    }
    const seconds = (v.upstream_response_time || '').split(/, | : /).reduce((sum, part) => sum + (Number(part) || 0), 0);
    return {attempts: counted || 1, ms: Math.max(0, Math.round(1000 * seconds - paused))};
}

function cost(r, own) {
    if (!own || !own.budget) {
        return null;
    }
    return Math.max(0, Number(r.variables.gwc_cost || 0) + (ledger.take(r, 'units') || 0));
}

// Of the body alone: NGINX counts the framing of chunks with it. An upgraded connection has neither.
function bytes(r) {
    const sent = Number(r.variables.body_bytes_sent);
    if (r.variables.status === '101') {
        return sent;
    }
    return r.headersOut['Content-Length'] === undefined ? Math.min(sent, Number(r.variables.gwc_bytes || 0)) : sent;
}

function words(text) {
    return (text || '').split(' ').filter((word) => word);
}

function facts(r) {
    const v = r.variables;
    const own = v.gwc_settings ? settings.of(v.gwc_settings) : null;
    const uri = v.request_uri || '';
    const cut = uri.indexOf('?');
    const route = v.gwc_route || '/';
    const status = Number(v.status);
    const ms = Math.round(1000 * Number(v.request_time));
    const done = work(r, own);
    return {
        time: new Date(Math.round(1000 * Number(v.msec)) - ms).toISOString(),
        request_id: v.gwc_request_id,
        trace_id: (v.gwc_trace || '').slice(0, 32),
        service: route.slice(0, route.indexOf('/')),
        route: route.slice(route.indexOf('/') + 1),
        method: v.gwc_method || '',
        host: r.headersIn.Host || '',
        path: cut < 0 ? uri : uri.slice(0, cut),
        query: cut < 0 ? '' : query(uri.slice(cut + 1)),
        client_ip: v.remote_addr,
        user: v.gwc_user || '',
        keys: keys(r),
        status: status === LEFT ? 0 : status,
        bytes: bytes(r),
        duration_ms: ms,
        upstream_ms: done.ms,
        attempts: done.attempts,
        cost: cost(r, own),
        cache: v.gwc_cache || '',
        limited_by: words(v.gwc_limited_by)[0] || '',
        shadowed_by: words(v.gwc_shadowed),
        problem: v.gwc_problem || '',
    };
}

// A number that finds no room is missing, and that it is missing is told; the line of the log is not.
function measure(told) {
    try {
        counts.measure(told);
    } catch (e) {
        ngx.shared.gwc_unmeasured.incr('requests', 1, 0);
    }
}

// js_set of the log. What cannot be told is told in the error log.
function line(r) {
    try {
        cache.over(r);
        const told = facts(r);
        measure(told);
        tracing.record(r, told);
        // What stands for bytes that are no UTF-8 is escaped: nobody can take it for such bytes.
        const text = JSON.stringify(told);
        return text.includes('\uFFFD') ? text.split('\uFFFD').join('\\ufffd') : text;
    } catch (e) {
        ngx.shared.gwc_unmeasured.incr('requests', 1, 0);
        r.error('access log: ' + e.message);
        return '{}';
    }
}

export default {line};
