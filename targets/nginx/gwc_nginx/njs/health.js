// Active checks. One worker asks, and all of them see the result: an endpoint that fails twice in a row is sick, one
// that passes is well again.

import breaker from 'breaker.js';

const FAILURES = 2;

async function passes(url) {
    try {
        const answer = await ngx.fetch(url);
        return answer.status >= 200 && answer.status < 300;
    } catch (e) {
        return false;
    }
}

// The next run kills one that is not over yet: what it had begun has taken too long.
async function examine(service, index, url) {
    if (!breaker.begin(service, index)) {
        breaker.examined(service, index, false, FAILURES);
    }
    breaker.examined(service, index, await passes(url), FAILURES);
    breaker.end(service, index);
}

// js_periodic, as often as the most impatient service wants.
async function check() {
    const now = Date.now();
    const due = Object.keys(gwc.health).filter((service) => breaker.due(service, gwc.health[service].every, now));
    const checks = [];
    due.forEach((service) => {
        for (let i = 0; i < gwc.health[service].urls.length; i++) {
            checks.push(examine(service, i, gwc.health[service].urls[i]));
        }
    });
    await Promise.all(checks);
}

export default {check};
