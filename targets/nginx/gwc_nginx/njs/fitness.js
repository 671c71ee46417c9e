// Whether what the service has answered may be kept.

import answers from 'answers.js';
import flights from 'flights.js';

const PRIVATE = /(^|[^a-z0-9_-])(no-store|private)($|[^a-z0-9_-])/i;
const EVERYTHING = /(^|,)\s*\*\s*(,|$)/;

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

// Whether the service's answer is kept. Nobody waits for a renewal: nothing would tell them when it has come, or that it
// broke off; whoever comes between its first byte and its last asks, and others wait for that.
function judge(r, cache, renewal) {
    const v = r.variables;
    const life = lifetime(v, cache);
    v.gwc_cache_size = '0';
    const status = Number(last(v.upstream_status));
    if (life) {
        v.gwc_cache_unfit = '';
        answers.advance(v.gwc_cache_key, cache, life, status === 200);
        if (!renewal) {
            flights.approach(v.gwc_cache_flight, cache);
        }
    } else {
        flights.refuse(v.gwc_cache_flight, status);
    }
}

export default {judge};
