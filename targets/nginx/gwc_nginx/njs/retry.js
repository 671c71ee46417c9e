// The inner hop: one try after another until one succeeds, the causes of the policy are used up, or the outer hop's
// timeout ends it. NGINX's own retries cannot tell a refused connection from a reset one.

import breaker from 'breaker.js';
import ledger from 'ledger.js';
import settings from 'settings.js';
import tokens from 'tokens.js';

const SAFE = {GET: true, HEAD: true, OPTIONS: true, PUT: true, DELETE: true};
const HOP = '/_gwc/hop/';
const FAULTS = {connect: 597, reset: 598, timeout: 599};
// Tries after the first in one request. Each costs two of the ten redirects that NGINX permits; the way in and the
// way on cost the rest.
const CHAIN = 3;
const KEPT = 3600000;
// Milliseconds by which this hop may have begun after the one that keeps the time.
const LATE = 200;

function own(r) {
    return settings.tries(r.variables.gwc_settings);
}

function safe(r, retries) {
    return retries.unsafe || SAFE[r.method] === true;
}

function lane(r, retries, tries) {
    return retries.statuses && safe(r, retries) && tries < retries.attempts ? 'try' : 'last';
}

// The location of the next try, which counts from now on.
function place(r, retries, tries) {
    ledger.add(r, 'tries', 1);
    return '/_gwc/' + lane(r, retries, tries) + '/' + retries.lane;
}

// Whether an upstream is one of the service's: itself, or some of its endpoints. Labels have no dots.
function belongs(upstream, service) {
    return upstream.split('.')[0] === service;
}

// js_content of the inner hop's only door. Its URI: what the sender calls the settings, the route, the service's URI.
function enter(r) {
    const parts = r.variables.request_uri.slice(HOP.length).split('/');
    const route = parts[2] + '/' + parts[3];
    const name = settings.named(route);
    const retries = settings.tries(name);
    const given = r.headersIn['X-Gwc-Upstream'];
    if (r.headersIn['X-Gwc-Hop'] !== tokens.hop() || (given && !belongs(given, parts[2]))) {
        r.return(404);
        return;
    }
    if (!retries) {
        // A reload has taken it away.
        r.return(502, '-');
        return;
    }
    r.variables.gwc_settings = name;
    r.variables.gwc_route = route;
    r.variables.gwc_uri = '/' + parts.slice(4).join('/');
    r.variables.gwc_upstream = given || parts[2];
    if (r.headersIn['X-Gwc-Lane'] === 'fault') {
        r.internalRedirect('/_gwc/fault/' + retries.lane);
        return;
    }
    const tries = Number(r.headersIn['X-Gwc-Tries'] || 0);
    r.variables.gwc_expires = String(Date.now() + (retries.firstByte || 0));
    if (!tries && retries.budget !== null) {
        live(r, 'requests', 1);
        r.variables.gwc_live = '1';
    }
    r.variables.gwc_tries = String(tries);
    if (given) {
        r.variables.gwc_endpoint = (/\.at\.([0-9]+)$/.exec(given) || [])[1] || '';
    }
    if (given || aim(r, -1)) {
        r.internalRedirect(place(r, retries, tries));
    }
}

// Choose the endpoint where the service has a breaker. Without one that may be tried, the request is answered.
function aim(r, failed) {
    const service = r.variables.gwc_route.split('/')[0];
    if (!breaker.of(service)) {
        return true;
    }
    const found = breaker.pick(service, failed);
    if (found.wait) {
        r.headersOut['X-Gwc-Reason'] = found.reason;
        r.headersOut['Retry-After'] = String(Math.ceil(found.wait / 1000));
        r.return(503, '-');
        return false;
    }
    r.variables.gwc_endpoint = String(found.index);
    r.variables.gwc_upstream = service + '.at.' + found.index;
    return true;
}

// What became of the try, for the breaker; once a try.
function judge(r, success) {
    const service = r.variables.gwc_route.split('/')[0];
    if (r.variables.gwc_endpoint && breaker.of(service)) {
        breaker.record(service, Number(r.variables.gwc_endpoint), success);
        r.variables.gwc_endpoint = '';
    }
}

function last(list) {
    return (list || '-').split(/, | : /).pop();
}

// Why the try failed: connect (nothing was sent), reset, timeout, or the status of the service's answer.
function cause(r) {
    const status = Number(last(r.variables.upstream_status));
    const coded = Object.keys(FAULTS).find((name) => FAULTS[name] === status);
    if (coded) {
        return coded;
    }
    if (last(r.variables.upstream_header_time) !== '-') {
        return status;
    }
    if (last(r.variables.upstream_connect_time) === '-') {
        return 'connect';
    }
    return status === 504 ? 'timeout' : 'reset';
}

function permitted(r, retries, why) {
    if (why === 'connect') {
        return retries.connect;
    }
    return safe(r, retries) && (typeof why === 'number' || (why === 'timeout' ? retries.perTry : retries.reset));
}

// Requests, or retries, that a service has in flight; over all workers.
function live(r, what, change) {
    return ngx.shared.gwc_counters.incr(what + ' ' + r.variables.gwc_route.split('/')[0], change, 0, KEPT);
}

// A share of the requests in flight. One retry may always run: a share of little traffic would be none.
function affordable(r, retries) {
    if (retries.budget === null || r.variables.gwc_retrying) {
        return true;
    }
    if (live(r, 'retries', 1) > Math.max(1, retries.budget * live(r, 'requests', 0))) {
        live(r, 'retries', -1);
        return false;
    }
    r.variables.gwc_retrying = '1';
    return true;
}

// js_header_filter of every try: what waits for the beginning of an answer are the watch of a stream and the breaker.
// What NGINX took for HTTP/0.9 has no end but that of a connection, which stays open between the hops: breaking it off
// is the only way to say so.
function begun(r) {
    if (r.httpVersion === '0.9') {
        judge(r, false);
        throw new Error('what the service sent is not HTTP');
    }
    r.variables.gwc_begun = '1';
    judge(r, r.status < 500);
}

// js_content of a request that NGINX runs beside a watched stream: an error in it ends both.
function watch(r) {
    if (r.variables.gwc_begun) {
        r.return(204);
    } else if (Date.now() >= Number(r.variables.gwc_expires)) {
        // NGINX ends a request at the connection's next event, so there has to be one.
        setTimeout(() => undefined, 1);
        throw new Error('timeouts.request is over');
    } else {
        setTimeout(watch, 20, r);
    }
}

// js_set of the hop's log: what a finished request gives back.
function done(r) {
    if (r.variables.gwc_live) {
        live(r, 'requests', -1);
    }
    if (r.variables.gwc_retrying) {
        live(r, 'retries', -1);
    }
    // The outer hop gave up waiting. A client that went away long before says nothing about the service.
    if (r.variables.gwc_endpoint) {
        const patience = own(r).patience;
        if (Number(r.variables.request_time) * 1000 >= patience - Math.min(LATE, patience / 5)) {
            judge(r, false);
        }
    }
    return '';
}

// Exponential, with jitter over the upper half.
function pause(retries, tries) {
    const ceiling = Math.min(retries.backoffMax, retries.backoffBase * Math.pow(2, tries - 1));
    return ceiling * (0.5 + Math.random() / 2);
}

// No further try: the outer hop words the problem.
function fail(r, why) {
    const late = why === 'timeout' || Number(last(r.variables.upstream_status)) === 504;
    r.return(typeof why === 'number' ? why : late ? 504 : 502, '-');
}

// The service's other endpoints, where it has any: the next try is not for the one that has just failed.
function elsewhere(r) {
    const service = r.variables.gwc_route.split('/')[0];
    const failed = r.variables.upstream_http_x_gwc_address || last(r.variables.upstream_addr);
    return (gwc.others[service] || {})[':' + failed] || service;
}

function next(r, retries, tries, failed) {
    const chain = Number(r.variables.gwc_chain || 0) + 1;
    r.variables.gwc_chain = String(chain);
    if (!aim(r, failed)) {
        return null;
    }
    if (!r.variables.gwc_endpoint) {
        r.variables.gwc_upstream = elsewhere(r);
    }
    if (chain > CHAIN) {
        // The next request of the hop to itself speaks for the endpoint.
        r.variables.gwc_endpoint = '';
        return '/_gwc/more';
    }
    return place(r, retries, tries);
}

// js_content behind error_page: a try failed.
function again(r) {
    const retries = own(r);
    const why = cause(r);
    const tries = Number(r.variables.gwc_tries) + 1;
    const failed = Number(r.variables.gwc_endpoint || -1);
    judge(r, false);
    r.variables.gwc_tries = String(tries);
    if (tries > retries.attempts || !permitted(r, retries, why) || !affordable(r, retries)) {
        fail(r, why);
        return;
    }
    const ms = pause(retries, tries);
    ledger.add(r, 'pause', ms);
    setTimeout(() => {
        const where = next(r, retries, tries, failed);
        if (where) {
            r.internalRedirect(where);
        }
    }, ms);
}

// js_content behind error_page of the lane that tells NGINX's own failures from the service's 502 and 504.
function fault(r) {
    r.headersOut['X-Gwc-Address'] = last(r.variables.upstream_addr);
    r.return(FAULTS[cause(r)] || FAULTS.reset, '-');
}

export default {enter, again, fault, begun, watch, done};
