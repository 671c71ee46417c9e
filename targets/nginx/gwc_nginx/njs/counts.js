// What requests came to, counted over all workers when they are over.
//
// The numbers are in one dictionary that has room for all there can be: labels are names of the policies and classes of
// statuses, never a client's text.

const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LEFT = '4';

// `ngx.shared` looks for a zone among all of them, so it is asked once a request.
function counter() {
    const dict = ngx.shared.gwc_metrics;
    return (key, amount) => dict.incr(key, amount, 0);
}

function ofRequest(count, route, told) {
    const seconds = told.duration_ms / 1000;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    // A client that left before there was an answer has itself to blame.
    count('n ' + route + ' ' + (told.status ? String(told.status)[0] : LEFT), 1);
    count('b ' + route + ' ' + (bucket < 0 ? BOUNDS.length : bucket), 1);
    count('s ' + route, seconds);
}

function ofGuards(count, route, told) {
    if (told.limited_by) {
        count('r ' + route + ' ' + told.limited_by, 1);
    }
    told.shadowed_by.forEach((id) => count('w ' + route + ' ' + id, 1));
    if (told.cache) {
        count('c ' + route + ' ' + told.cache.toLowerCase(), 1);
    }
}

// What the log tells of a request that is over.
function measure(told) {
    const route = told.service + '/' + told.route;
    const count = counter();
    ofRequest(count, route, told);
    ofGuards(count, route, told);
    if (told.attempts) {
        count('a ' + route, told.attempts);
    }
    if (told.cost) {
        count('u ' + route, told.cost);
    }
}

export default {BOUNDS, measure};
