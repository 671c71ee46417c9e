// Whether a request that has a route may go on: addresses, credentials, other limits, the budget, in this
// order.

import auth from 'auth.js';
import budget from 'budget.js';
import cache from 'cache.js';
import limits from 'limits.js';
import secrets from 'secrets.js';

function limited(r, refused) {
    r.variables.gwc_limited_by = refused.by;
    r.variables.gwc_retry_after = String(refused.retryAfter);
    r.variables.gwc_rate_policy = refused.policy;
    r.variables.gwc_rate_left = refused.left;
    return 429;
}

// 0, or 429 when the limits per address refuse.
function limit(r, settings) {
    r.variables.gwc_shadowed = '';
    const early = limits.stage(r, settings.early, '');
    return early ? limited(r, early) : 0;
}

// 0, or the status of the refusal; where somebody has to be known, a promise of it. The verified user is left in
// $gwc_user.
function admit(r, settings) {
    if (settings.refusal || !secrets.present()) {
        return settings.refusal || 500;
    }
    const flooded = limit(r, settings);
    if (flooded) {
        return flooded;
    }
    return settings.auth ? identified(r, settings) : charged(r, settings, '');
}

async function identified(r, settings) {
    const who = await auth.verify(r, settings);
    if (!who.user) {
        r.variables.gwc_user = who.named || '';
        r.variables.gwc_challenge = who.status === 401 ? auth.challenge(settings) : '';
        return who.status;
    }
    r.variables.gwc_user = who.user;
    return charged(r, settings, who.key);
}

// Of the other limits and the budget.
function charged(r, settings, user) {
    const late = limits.stage(r, settings.late, user);
    if (late) {
        return limited(r, late);
    }
    r.variables.gwc_payer = user;
    // What the store answers costs nothing.
    const broke = settings.budget && !cache.serves(r, settings) ? budget.spend(r, settings, user) : null;
    if (broke) {
        r.variables.gwc_type = 'budget-exhausted';
        return limited(r, broke);
    }
    return 0;
}

export default {admit, limit};
