// Errors as clients see them: RFC 9457, with the status kept.

import budget from 'budget.js';
import caps from 'caps.js';
import cors from 'cors.js';
import settings from 'settings.js';

const PROBLEM = 'application/problem+json';
// What may stay of an answer whose body is replaced: nothing that describes the old body or the service's inside.
const KEPT = /^(retry-after|set-cookie|vary|access-control-.*)$/i;
// Traces of gateways, of this one or of another behind it.
const BANNER = /^(via|x-(envoy|kong|accel|consumer|gwc)-.*)$/i;
// NGINX copies what a body filter is shown into memory that it frees when the request is over, and needs about so much
// more for each piece. So the filter looks at no more of an answer than this.
const MOST = 4 << 20;
const PIECE = 512;

function body(r, type, status) {
    const known = gwc.problems[type];
    const raw = r.variables.request_uri;
    const problem = {type: gwc.errorTypeBase + type, title: known.title, status: status, detail: known.detail};
    if (raw) {
        problem.instance = raw.split('?')[0];
    }
    problem.request_id = r.variables.gwc_request_id;
    return JSON.stringify(problem);
}

function hygiene(r, removed) {
    for (const name in r.headersOut) {
        if (removed(name)) {
            delete r.headersOut[name];
        }
    }
    if (r.variables.gwc_settings) {
        const own = settings.of(r.variables.gwc_settings);
        change(r.headersOut, own);
        cors.respond(r, own.cors);
    }
    r.headersOut[gwc.requestIdHeader] = r.variables.gwc_request_id;
    if (r.variables.gwc_cache) {
        r.headersOut['X-Cache'] = r.variables.gwc_cache;
    }
}

// What a status calls for beside its body.
function explain(r, status) {
    const v = r.variables;
    const fields = {405: {Allow: v.gwc_allow}, 401: {'WWW-Authenticate': v.gwc_challenge}, 429: {
        'Retry-After': v.gwc_retry_after, 'RateLimit-Policy': v.gwc_rate_policy, RateLimit: v.gwc_rate_left,
    }, 503: {'Retry-After': v.gwc_retry_after}}[status] || {};
    Object.keys(fields).forEach((name) => {
        if (fields[name]) {
            r.headersOut[name] = fields[name];
        }
    });
}

function answer(r, type, status) {
    r.variables.gwc_problem = type;
    hygiene(r, (name) => !KEPT.test(name));
    r.headersOut['Content-Type'] = PROBLEM;
    explain(r, status);
    r.return(status, body(r, type, status));
}

// js_content: what routing refused.
function refuse(r) {
    const status = Number(r.variables.gwc_refusal);
    answer(r, r.variables.gwc_type || gwc.statuses[':' + status], status);
}

// js_content behind error_page: what NGINX refused or could not reach. The status is the one that it chose.
function made(r) {
    const status = Number(r.variables.status);
    if (r.variables.limit_conn_status === 'REJECTED') {
        r.variables.gwc_retry_after = '1';
        r.variables.gwc_limited_by = caps.refused(r);
        answer(r, 'overloaded', status);
        return;
    }
    answer(r, gwc.statuses[':' + status] || (status < 500 ? 'bad-request' : 'internal-error'), status);
}

// The policy's changes of a route's answers.
function change(out, own) {
    if (own.remove) {
        own.remove.split(' ').forEach((name) => delete out[name]);
    }
    if (own.set) {
        JSON.parse(own.set).forEach((pair) => {
            out[pair[0]] = pair[1];
        });
    }
}

// js_content behind error_page for 502: the inner hop breaks off when a stream does not begin in time.
function gone(r) {
    const own = settings.of(r.variables.gwc_settings);
    const waited = 1000 * Number((r.variables.upstream_response_time || '0').split(/, | : /).pop());
    const status = own && own.firstByte && waited >= own.firstByte - 10 ? 504 : 502;
    answer(r, gwc.statuses[':' + status], status);
}

function upstreamType(status) {
    return gwc.upstreamStatuses[':' + status] || (status < 500 ? 'bad-request' : 'internal-error');
}

// The inner hop's own word. It hides such a header of a service's.
function reason(r) {
    return settings.of(r.variables.gwc_settings).tries && r.headersOut['X-Gwc-Reason'] || '';
}

function shape(r, status) {
    const why = reason(r);
    const type = why || upstreamType(status);
    const text = body(r, type, status);
    r.variables.gwc_reason = why;
    r.variables.gwc_problem = type;
    if (why === 'circuit-open') {
        r.variables.gwc_limited_by = 'breaker';
    }
    hygiene(r, (name) => !KEPT.test(name));
    r.variables.gwc_body = text;
    explain(r, status);
    r.headersOut['Content-Type'] = PROBLEM;
    r.headersOut['Content-Length'] = String(Buffer.from(text).length);
}

// NGINX takes an answer that is not HTTP for HTTP/0.9 and would pass it on without so much as a status line. What it
// writes to such a client is the body alone, so the body has to be the whole answer.
function unreadable(r) {
    r.status = 502;
    shape(r, 502);
    if (!r.variables.http2) {
        const head = ['HTTP/1.1 502 Bad Gateway', 'Connection: close'];
        for (const name in r.headersOut) {
            head.push(name + ': ' + r.headersOut[name]);
        }
        r.variables.gwc_body = head.join('\r\n') + '\r\n\r\n' + (r.method === 'HEAD' ? '' : r.variables.gwc_body);
    }
}

// When the answer has to be complete, in milliseconds since 1970: the timeout runs from the end of the request.
function deadline(r, timeout) {
    const waited = Number((r.variables.upstream_header_time || '0').split(/, | : /).pop()) || 0;
    return String(Date.now() - waited * 1000 + timeout);
}

// js_header_filter on every answer of a service: the policy's changes, and the shape of its errors.
function headers(r) {
    const own = settings.of(r.variables.gwc_settings);
    if (own.charge) {
        budget.settle(r, own);
    }
    const error = r.status === 429 || r.status >= 500;
    if (r.httpVersion === '0.9') {
        unreadable(r);
    } else if (error && !/^application\/problem\+json\s*(;|$)/i.test(r.headersOut['Content-Type'] || '')) {
        shape(r, r.status);
    } else {
        hygiene(r, (name) => BANNER.test(name));
    }
    if (own.timeout) {
        r.variables.gwc_deadline = deadline(r, own.timeout);
    }
}

// Little by little is passed on as it comes; what comes fast is left to NGINX's buffers.
function slow(r, now) {
    const before = Number(r.variables.gwc_flushed || 0);
    r.variables.gwc_flushed = String(now);
    return now - before > 50;
}

// For the log: of an answer without a length nobody else knows how long it was.
function measure(r, data) {
    r.variables.gwc_bytes = String(Number(r.variables.gwc_bytes || 0) + data.length);
}

function hold(r, data) {
    r.variables.gwc_held = String(Number(r.variables.gwc_held || 0) + data.length + PIECE);
}

// Whether the filter has seen as much of an answer as it may.
function heavy(r) {
    return Number(r.variables.gwc_held || 0) > MOST;
}

function timely(r, data, flags) {
    const now = Date.now();
    if (now > Number(r.variables.gwc_deadline)) {
        throw new Error('timeouts.request is over');
    }
    r.sendBuffer(data, {last: flags.last, flush: slow(r, now)});
}

// Instead of the service's own body, which is not read to its end when it is long: by then the client has the problem.
function instead(r, flags) {
    if (!r.variables.gwc_replaced) {
        r.variables.gwc_replaced = '1';
        r.sendBuffer(r.variables.gwc_body, {last: flags.last, flush: true});
    } else if (heavy(r)) {
        throw new Error('the body of an error is too large');
    } else if (flags.last) {
        r.sendBuffer('', flags);
    }
}

// js_body_filter beside it. A body passes untouched, as long as it is in time; what comes later ends the connection.
function replace(r, data, flags) {
    const v = r.variables;
    hold(r, data);
    if (v.gwc_body) {
        instead(r, flags);
        return;
    }
    measure(r, data);
    if (v.gwc_deadline) {
        timely(r, data, flags);
    } else {
        r.sendBuffer(data, flags);
    }
    if (heavy(r) || (!v.gwc_deadline && r.headersOut['Content-Length'] !== undefined)) {
        // From here on NGINX's own count has to do.
        v.gwc_bytes = 'Infinity';
        r.done();
    }
}

export default {answer, refuse, made, gone, headers, replace, heavy, shape};
