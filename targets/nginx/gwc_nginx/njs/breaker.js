// Which endpoint of a service gets the next try, where the service has a breaker. After so many failures in a row an
// endpoint gets nothing for a while. Counters are in a dictionary that all workers share; each step is atomic.

const KEPT = 86400000;

function of(service) {
    return gwc.breakers[':' + service];
}

function key(what, service, index) {
    return what + ' ' + service + ' ' + index;
}

// Milliseconds until the endpoint may be tried, 0 when it may be now.
function pause(service, index, now) {
    return Math.max(0, (ngx.shared.gwc_breaker.get(key('open', service, index)) || 0) - now);
}

// In turn and by weight among `indices`.
function turn(service, weights, indices) {
    const total = indices.reduce((sum, index) => sum + weights[index], 0);
    let left = (ngx.shared.gwc_breaker.incr('turn ' + service, 1, 0, KEPT) - 1) % total;
    return indices.find((index) => (left -= weights[index]) < 0);
}

// {index}, or {wait} in milliseconds when every endpoint has its pause. `failed` is not tried again at once.
function pick(service, failed) {
    const breaker = of(service);
    const now = Date.now();
    const every = Array.from({length: breaker.weights.length}, (_, index) => index);
    const closed = every.filter((index) => !pause(service, index, now));
    if (!closed.length) {
        return {wait: Math.min.apply(null, every.map((index) => pause(service, index, now)))};
    }
    const others = closed.filter((index) => index !== failed);
    return {index: turn(service, breaker.weights, others.length ? others : closed)};
}

function record(service, index, success) {
    const count = key('failures', service, index);
    if (success) {
        ngx.shared.gwc_breaker.delete(count);
        return;
    }
    const breaker = of(service);
    if (ngx.shared.gwc_breaker.incr(count, 1, 0, KEPT) >= breaker.failures) {
        ngx.shared.gwc_breaker.delete(count);
        ngx.shared.gwc_breaker.set(key('open', service, index), Date.now() + breaker.open, breaker.open);
    }
}

export default {of, pick, record};
