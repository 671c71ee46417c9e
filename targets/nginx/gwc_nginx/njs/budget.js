// The cost guard: units per user in windows of the clock, exact over all workers.
//
// Looking and taking are one step under the lock of locks.js; a settlement is one atomic `incr`. A window expires with
// its end and an hour for late settlements.

import locks from 'locks.js';

const GRACE = 3600000;

// "service units milliseconds", as gwc.json has it.
function parsed(text) {
    const parts = text.split(' ');
    return {service: parts[0], units: Number(parts[1]), period: Number(parts[2])};
}

// null when the units were there; otherwise what the refusal says.
function spend(r, settings, user) {
    const budget = parsed(settings.budget);
    const now = Date.now();
    const window = Math.floor(now / budget.period);
    const end = (window + 1) * budget.period;
    const key = locks.name(budget.service + ' ' + window + ' ' + user);
    const taken = locks.locked(() => {
        if ((ngx.shared.gwc_budget.get(key) || 0) + settings.cost > budget.units) {
            return false;
        }
        ngx.shared.gwc_budget.incr(key, settings.cost, 0, end - now + GRACE);
        return true;
    });
    if (taken) {
        r.variables.gwc_budget_key = key;
        r.variables.gwc_cost = String(settings.cost);
        return null;
    }
    const wait = Math.max(1, Math.ceil((end - now) / 1000));
    const policy = `"budget";q=${budget.units};w=${budget.period / 1000}`;
    return {by: 'budget', retryAfter: wait, policy: policy, left: `"budget";r=0;t=${wait}`};
}

// What the service says that the request cost, instead of the estimate. The client does not see it.
function settle(r, settings) {
    const said = r.headersOut[settings.charge];
    delete r.headersOut[settings.charge];
    if (r.variables.gwc_budget_key && /^[0-9]{1,9}$/.test(said || '')) {
        ngx.shared.gwc_budget.incr(r.variables.gwc_budget_key, Number(said) - settings.cost, 0, 2 * GRACE);
        r.variables.gwc_budget_key = '';
        r.variables.gwc_cost = said;
    }
}

export default {spend, settle};
