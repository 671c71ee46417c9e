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

// Whether the breaker keeps traffic from the endpoint.
function opened(service, index) {
    return pause(service, index, Date.now()) > 0;
}

// In turn and by weight among `indices`.
function turn(service, weights, indices) {
    const total = indices.reduce((sum, index) => sum + weights[index], 0);
    let left = (ngx.shared.gwc_breaker.incr('turn ' + service, 1, 0, KEPT) - 1) % total;
    return indices.find((index) => (left -= weights[index]) < 0);
}

function sick(service, index) {
    return ngx.shared.gwc_breaker.get(key('sick', service, index)) === 1;
}

// Whether it is time for the service's next check.
function due(service, every, now) {
    const last = ngx.shared.gwc_breaker.get('checked ' + service) || 0;
    if (now - last < every - 10) {
        return false;
    }
    ngx.shared.gwc_breaker.set('checked ' + service, now, KEPT);
    return true;
}

// Whether the check before this one is over.
function begin(service, index) {
    return ngx.shared.gwc_breaker.add(key('checking', service, index), 1, KEPT);
}

function end(service, index) {
    ngx.shared.gwc_breaker.delete(key('checking', service, index));
}

// The result of a check: `failures` in a row make an endpoint sick, 0 is one that passed.
function examined(service, index, failures) {
    const count = key('failed checks', service, index);
    if (failures === 0) {
        ngx.shared.gwc_breaker.delete(count);
        ngx.shared.gwc_breaker.delete(key('sick', service, index));
    } else if (ngx.shared.gwc_breaker.incr(count, 1, 0, KEPT) >= failures) {
        ngx.shared.gwc_breaker.set(key('sick', service, index), 1, KEPT);
    }
}

// {index}, or {reason, wait} in milliseconds when there is none. `failed` is not tried again at once.
function pick(service, failed) {
    const breaker = of(service);
    const now = Date.now();
    const every = Array.from({length: breaker.weights.length}, (_, index) => index);
    const well = every.filter((index) => !sick(service, index));
    const closed = well.filter((index) => !pause(service, index, now));
    if (!well.length) {
        return {reason: 'unavailable', wait: 1000};
    }
    if (!closed.length) {
        return {reason: 'circuit-open', wait: Math.min.apply(null, well.map((index) => pause(service, index, now)))};
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
    if (breaker.failures && ngx.shared.gwc_breaker.incr(count, 1, 0, KEPT) >= breaker.failures) {
        ngx.shared.gwc_breaker.delete(count);
        ngx.shared.gwc_breaker.set(key('open', service, index), Date.now() + breaker.open, breaker.open);
    }
}

export default {of, pick, record, opened, due, begin, end, examined};
