// What requests came to, counted over all workers when they are over, and told in Prometheus' text format.
//
// The numbers are in one dictionary that has room for all there can be: labels are names of the policies and classes of
// statuses, never a client's text. A bucket of the histogram is counted alone; the page adds those below it.

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ENDS = BOUNDS.map(String).concat('+Inf').map((bound) => ',le="' + bound + '"} ');
const DURATION = 'gwc_request_duration_seconds';
const MOST = 0x7fffffff;
const PIECE = 200;

function count(key, amount) {
    ngx.shared.gwc_metrics.incr(key, amount, 0);
}

function ofRequest(v) {
    const route = v.gwc_route || '/';
    const seconds = Number(v.request_time);
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    count('n ' + route + ' ' + v.status[0], 1);
    count('b ' + route + ' ' + (bucket < 0 ? BOUNDS.length : bucket), 1);
    count('s ' + route, seconds);
}

function ofLimits(v) {
    // A budget belongs to its service; the other limits have ids of their own.
    const service = (v.gwc_route || '/').split('/')[0];
    const each = (ids, kind) => (ids || '').split(' ').filter((id) => id).forEach((id) => {
        count(kind + ' ' + (id === 'budget' ? service : '') + ' ' + id, 1);
    });
    each(v.gwc_limited_by, 'r');
    each(v.gwc_shadowed, 'w');
    if (v.status === '503' && v.limit_conn_status === 'REJECTED') {
        count('r ' + service + ' concurrency', 1);
    }
}

// js_set of the log that counts. What could not be counted is at least that.
function measure(r) {
    try {
        ofRequest(r.variables);
        ofLimits(r.variables);
    } catch (e) {
        ngx.shared.gwc_unmeasured.incr('requests', 1, 0);
    }
    return '';
}

function quoted(text) {
    return '"' + text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n') + '"';
}

function ofRoute(name) {
    const cut = name.indexOf('/');
    return '{service=' + quoted(name.slice(0, cut)) + ',route=' + quoted(name.slice(cut + 1));
}

// The numbers by the first word of their names: [the other words, the number].
function numbers() {
    const found = {n: [], b: [], s: [], r: [], w: []};
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

function limitLine(name) {
    return (parts, one) => parts.push(name, '{service=', quoted(one[0][0]), ',limit=', quoted(one[0][1]), '} ', one[1], '\n');
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
    const found = numbers();
    const lost = ngx.shared.gwc_unmeasured.get('requests') || 0;
    await send(r, head('gwc_requests_total', 'counter', 'Requests that are over, by class of the status.'), found.n,
               requestLine);
    await send(r, head(DURATION, 'histogram', 'From the first byte of a request to the last of its answer.'), found.s,
               histogramLines(bucketsOf(found.b)));
    await send(r, head('gwc_limit_refusals_total', 'counter', 'Requests that a limit, budget or cap refused.'), found.r,
               limitLine('gwc_limit_refusals_total'));
    await send(r, head('gwc_limit_shadowed_total', 'counter', 'Requests that a limit in shadow mode would have refused.'),
               found.w, limitLine('gwc_limit_shadowed_total'));
    r.send(head('gwc_unmeasured_requests_total', 'counter', 'Requests that are missing above.')
           + 'gwc_unmeasured_requests_total ' + lost + '\n');
    r.finish();
}

export default {measure, serve};
