// Active checks. One worker asks, and all of them see the result: an endpoint that says it is not ready is sick at
// once, one that says nothing after the second time in a row, and one that passes is well again.

import breaker from 'breaker.js';

const SAID = 1;
const SILENT = 2;

// How many failures in a row make an endpoint sick that failed in this way; 0 for one that passed.
async function failing(url) {
    try {
        const answer = await ngx.fetch(url);
        return answer.status >= 200 && answer.status < 300 ? 0 : SAID;
    } catch (e) {
        return SILENT;
    }
}

// The next run kills one that is not over yet: what it had begun has taken too long.
async function examine(service, index, url) {
    if (!breaker.begin(service, index)) {
        breaker.examined(service, index, SILENT);
    }
    breaker.examined(service, index, await failing(url));
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
