// The gateway's spans. One is made when its request is over, waits in a dictionary of fixed size, and is posted with
// others by a worker's timer, so that no request waits for a collector. What finds no room or no collector is lost.

const SERVER = 2;
const ERROR = 2;
const BATCH = 256;
// Milliseconds after which no further batch is begun: the next run kills this one.
const LONGEST = 300;
// Bytes that stay free: NGINX would complain of each span that finds no room.
const SPARE = 262144;

function text(key, value) {
    return {key: key, value: {stringValue: value}};
}

function nanoseconds(ms) {
    return String(ms) + '000000';
}

function attributes(told) {
    const found = [
        text('http.request.method', told.method), text('url.path', told.path), text('server.address', told.host),
        text('gwc.service', told.service), text('gwc.route', told.route), text('gwc.request_id', told.request_id),
    ];
    if (told.status) {
        found.push({key: 'http.response.status_code', value: {intValue: String(told.status)}});
    }
    return found;
}

// In OTLP's JSON.
function span(r, told) {
    const began = Date.parse(told.time);
    const found = {
        traceId: told.trace_id,
        spanId: r.variables.gwc_span,
        name: told.service ? told.method + ' ' + told.service + '/' + told.route : told.method,
        kind: SERVER,
        startTimeUnixNano: nanoseconds(began),
        endTimeUnixNano: nanoseconds(began + told.duration_ms),
        attributes: attributes(told),
        status: told.status >= 500 ? {code: ERROR} : {},
    };
    if (r.variables.gwc_parent_span) {
        found.parentSpanId = r.variables.gwc_parent_span;
    }
    return found;
}

// Only what is sampled: the flag in the service's traceparent says the same.
function record(r, told) {
    if (!gwc.tracing || !(parseInt(r.variables.gwc_trace.slice(-2), 16) & 1)) {
        return;
    }
    if (ngx.shared.gwc_spans.freeSpace() < SPARE) {
        ngx.shared.gwc_unmeasured.incr('spans', 1, 0);
        return;
    }
    try {
        ngx.shared.gwc_spans.set(told.trace_id + r.variables.gwc_span, JSON.stringify(span(r, told)));
    } catch (e) {
        ngx.shared.gwc_unmeasured.incr('spans', 1, 0);
    }
}

function taken() {
    const found = ngx.shared.gwc_spans.items(BATCH);
    found.forEach((item) => ngx.shared.gwc_spans.delete(item[0]));
    return found.map((item) => item[1]);
}

async function post(spans) {
    const resource = '{"attributes":[{"key":"service.name","value":{"stringValue":"gwc"}}]}';
    const body = '{"resourceSpans":[{"resource":' + resource + ',"scopeSpans":[{"scope":{"name":"gwc"},"spans":['
        + spans.join(',') + ']}]}]}';
    const answer = await ngx.fetch(gwc.tracing, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: body});
    if (answer.status >= 300) {
        throw new Error('status ' + answer.status);
    }
}

// Once a minute: a collector may be down for long.
function complain(why) {
    if (ngx.shared.gwc_ledger.add('collector', 1, 60000)) {
        ngx.log(ngx.WARN, 'the collector takes no spans: ' + why);
    }
}

// js_periodic: as many as there are, within bounds.
async function send() {
    const until = Date.now() + LONGEST;
    while (Date.now() < until) {
        const spans = taken();
        if (!spans.length) {
            return;
        }
        try {
            await post(spans);
        } catch (e) {
            ngx.shared.gwc_unmeasured.incr('spans', spans.length, 0);
            complain(e.message);
            return;
        }
    }
}

export default {record, send};
