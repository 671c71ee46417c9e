// The inner hop of a cached route: here the service is asked, the budget charged, and a route purged.

import answers from 'answers.js';
import budget from 'budget.js';
import caps from 'caps.js';
import errands from 'errands.js';
import fitness from 'fitness.js';
import flights from 'flights.js';
import ledger from 'ledger.js';
import settings from 'settings.js';
import tokens from 'tokens.js';

const MISS = '/_gwc/miss/';
const RENEW = '/_gwc/renew/';
const PURGE = '/cache/purge/';

// The settings of a request that came through `door` with the password; null for any other, which is answered.
function entered(r, door) {
    const parts = r.variables.request_uri.slice(door.length).split('/');
    const route = parts[2] + '/' + parts[3];
    const name = settings.named(route);
    const own = settings.of(name);
    if (r.headersIn['X-Gwc-Hop'] !== tokens.hop()) {
        r.return(404);
        return null;
    }
    if (!own || !own.cache) {
        // A reload has taken it away. A 404 might be kept.
        r.return(502, '-');
        return null;
    }
    r.variables.gwc_settings = name;
    r.variables.gwc_route = route;
    r.variables.gwc_uri = '/' + parts.slice(4).join('/');
    return own;
}

// The service has failed: the outer hop looks for what may stand in, and whoever waits for this answer does not wait on.
function substitute(r, own) {
    const errand = errands.told(r);
    if (errand.stale) {
        flights.refuse(errand.flight, 500);
        r.headersOut['X-Accel-Redirect'] = '/_gwc/stale/' + own.store;
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
    const own = entered(r, MISS);
    if (own) {
        attend(r, own, errands.told(r), flights.SHORTEST);
    }
}

function attend(r, own, errand, pause) {
    if (Date.now() >= errand.since + own.cache.request) {
        substitute(r, own);
        r.return(504, '-');
        return;
    }
    const state = errand.alone ? flights.FREE : flights.join(errand.flight, own.cache);
    if (state === flights.FLYING) {
        setTimeout(attend, pause, r, own, errand, flights.longer(pause));
    } else if (state === flights.LANDED) {
        r.headersOut['X-Accel-Redirect'] = '/_gwc/again';
        r.return(204);
    } else {
        ask(r, own, errand);
    }
}

function ask(r, own, errand) {
    const refusal = errand.payer ? budget.spend(r, own, decodeURIComponent(errand.payer)) : null;
    if (refusal) {
        broke(r, refusal);
    } else {
        // The outer hop logs what was taken.
        ledger.add(r, 'units', Number(r.variables.gwc_cost || 0));
        r.internalRedirect('/_gwc/asked/' + own.asked);
    }
}

// js_header_filter of the service's answer, before it is kept.
function asked(r) {
    const own = settings.of(r.variables.gwc_settings);
    if (own.charge) {
        const taken = Number(r.variables.gwc_cost || 0);
        budget.settle(r, own);
        ledger.add(r, 'units', Number(r.variables.gwc_cost || 0) - taken);
    }
    if (r.status >= 500) {
        substitute(r, own);
    }
}

// js_content behind error_page: a cap refused.
function capped(r) {
    r.headersOut['X-Gwc-Reason'] = 'overloaded';
    r.headersOut['X-Gwc-Limited'] = caps.refused(r);
    r.headersOut['Retry-After'] = '1';
    substitute(r, settings.of(r.variables.gwc_settings));
    r.return(503, '-');
}

// js_content: fetch an answer into the store. The client's request does not wait for it, nor does its connection.
function renew(r) {
    const own = entered(r, RENEW);
    if (!own) {
        return;
    }
    const flight = errands.told(r).flight;
    r.variables.gwc_cache_flight = flight;
    r.variables.gwc_cache_key = flight.split('#')[0];
    r.variables.gwc_cache_unfit = '1';
    r.variables.gwc_errand = errands.written(Date.now(), '', '', flight, true);
    r.subrequest('/_gwc/renewal/' + own.asked, {method: 'GET', detached: true});
    r.return(204);
}

// js_header_filter of what a renewal fetched.
function renewed(r) {
    const v = r.variables;
    if (v.upstream_cache_status !== 'HIT') {
        fitness.judge(r, settings.of(v.gwc_settings).cache, true);
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
        answers.purge(route);
        r.return(204);
    }
}

export default {miss, asked, capped, renew, renewed, purge};
