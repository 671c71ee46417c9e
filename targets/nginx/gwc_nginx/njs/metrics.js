// What counts.js has counted, told in Prometheus' text format.
//
// A bucket of the histogram is counted alone; the page adds those below it.

import breaker from 'breaker.js';
import counts from 'counts.js';

const BOUNDS = counts.BOUNDS;
const ENDS = BOUNDS.map(String).concat('+Inf').map((bound) => ',le="' + bound + '"} ');
const DURATION = 'gwc_request_duration_seconds';
const MOST = 0x7fffffff;
const PIECE = 200;

function quoted(text) {
    return '"' + text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') + '"';
}

function ofRoute(name) {
    const cut = name.indexOf('/');
    return '{service=' + quoted(name.slice(0, cut)) + ',route=' + quoted(name.slice(cut + 1));
}

// The numbers by the first word of their names: [the other words, the number].
function numbers() {
    const found = {n: [], b: [], s: [], r: [], w: [], c: [], a: [], u: []};
    ngx.shared.gwc_metrics.items(MOST).forEach((item) => {
        found[item[0][0]].push([item[0].split(' ').slice(1), item[1]]);
    });
    return found;
}

function head(name, type, about) {
    return '# HELP ' + name + ' ' + about + '\n# TYPE ' + name + ' ' + type + '\n';
}

function sleep() {
    return new Promise((resolve) => setTimeout(resolve, 0));
}

// A family in pieces, with room for other requests of the worker between them. `line` adds its parts to a list: strings
// that are only joined in the end, because a script's memory is not freed before the page is whole.
async function send(r, about, found, line) {
    r.send(about);
    for (let at = 0; at < found.length; at += PIECE) {
        const parts = [];
        found.slice(at, at + PIECE).forEach((one) => line(parts, one));
        r.send(parts.join(''));
        await sleep();
    }
}

function requestLine(parts, one) {
    parts.push('gwc_requests_total', ofRoute(one[0][0]), ',status="', one[0][1], 'xx"} ', one[1], '\n');
}

function labelled(name, label) {
    return (parts, one) => parts.push(name, ofRoute(one[0][0]), ',', label, '=', quoted(one[0][1]), '} ', one[1], '\n');
}

function counter(name) {
    return (parts, one) => parts.push(name, ofRoute(one[0][0]), '} ', one[1], '\n');
}

// Whether each endpoint's breaker is open.
function breakers() {
    const found = [];
    Object.keys(gwc.breakers).filter((key) => gwc.breakers[key].failures).forEach((key) => {
        for (let i = 0; i < gwc.breakers[key].endpoints.length; i++) {
            found.push([[key.slice(1), gwc.breakers[key].endpoints[i]], breaker.opened(key.slice(1), i) ? 1 : 0]);
        }
    });
    return found;
}

function breakerLine(parts, one) {
    parts.push('gwc_breaker_open{service=', quoted(one[0][0]), ',endpoint=', quoted(one[0][1]), '} ', one[1], '\n');
}

// Family after family: name, type, what it is, the numbers, how each is printed.
function families(found) {
    return [
        ['gwc_requests_total', 'counter', 'Requests that are over, by class of the status.', found.n, requestLine],
        [DURATION, 'histogram', 'From the start of a request to the end of its answer.', found.s,
         histogramLines(bucketsOf(found.b))],
        ['gwc_limit_refusals_total', 'counter', 'Requests that a limit, budget, cap or breaker refused.', found.r,
         labelled('gwc_limit_refusals_total', 'limit')],
        ['gwc_limit_shadowed_total', 'counter', 'Requests that a limit in shadow mode would have refused.', found.w,
         labelled('gwc_limit_shadowed_total', 'limit')],
        ['gwc_cache_results_total', 'counter', 'Requests on cached routes, by result.', found.c,
         labelled('gwc_cache_results_total', 'result')],
        ['gwc_breaker_open', 'gauge', '1 while the breaker keeps traffic from the endpoint.', breakers(), breakerLine],
        ['gwc_upstream_attempts_total', 'counter', 'Tries of requests at a service, first ones too.', found.a,
         counter('gwc_upstream_attempts_total')],
        ['gwc_budget_units_total', 'counter', 'Units taken from budgets, on balance.', found.u,
         counter('gwc_budget_units_total')],
    ];
}

function bucketsOf(found) {
    const buckets = {};
    found.forEach((one) => {
        const key = '/' + one[0][0];
        buckets[key] = buckets[key] || Array(BOUNDS.length + 1).fill(0);
        buckets[key][Number(one[0][1])] = one[1];
    });
    return buckets;
}

function histogramLines(buckets) {
    return (parts, one) => {
        const route = ofRoute(one[0][0]);
        const bucket = DURATION + '_bucket' + route;
        let below = 0;
        (buckets['/' + one[0][0]] || []).forEach((amount, index) => {
            below += amount;
            parts.push(bucket, ENDS[index], below, '\n');
        });
        parts.push(DURATION, '_sum', route, '} ', one[1], '\n', DURATION, '_count', route, '} ', below, '\n');
    };
}

function lost(what, about) {
    const name = 'gwc_unmeasured_' + what + '_total';
    return head(name, 'counter', about) + name + ' ' + (ngx.shared.gwc_unmeasured.get(what) || 0) + '\n';
}

// js_content. A request without a route has empty labels: nothing of the policies answers for it.
async function serve(r) {
    r.headersOut['Content-Type'] = 'text/plain; version=0.0.4; charset=utf-8';
    r.status = 200;
    r.sendHeader();
    // NGINX would send the body of an answer to HEAD, too.
    if (r.method === 'HEAD') {
        r.finish();
        return;
    }
    const every = families(numbers());
    for (let i = 0; i < every.length; i++) {
        await send(r, head(every[i][0], every[i][1], every[i][2]), every[i][3], every[i][4]);
    }
    r.send(lost('requests', 'Requests that are missing above.') + lost('spans', 'Spans that no collector has got.'));
    r.finish();
}

export default {serve};
