// What the inner hops know of a request and its log has to tell: tries, milliseconds of pauses, units of the budget.
// It waits under the id of the gateway's span, which every hop has from the one before it and no client can choose.

const KEPT = 3600000;

function key(what, span) {
    return what + ' ' + span;
}

// On an inner hop. `what`: tries, pause or units.
function add(r, what, amount) {
    const span = (r.headersIn.traceparent || '').slice(36, 52);
    ngx.shared.gwc_ledger.incr(key(what, span), amount, 0, KEPT);
}

// On the outer one, when the request is over; undefined where no hop said anything, or too long ago.
function take(r, what) {
    const name = key(what, r.variables.gwc_span);
    const said = ngx.shared.gwc_ledger.get(name);
    if (said !== undefined) {
        ngx.shared.gwc_ledger.delete(name);
    }
    return said;
}

export default {add, take};
