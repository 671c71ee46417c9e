// Requests for the same answer at the same time: one asks the service, the others wait for what becomes of it. NGINX's
// own lock would let those that wait go one by one when the answer is not kept, and looks twice a second only.
//
// A flight is `key#round`. Whoever looked into the store in vain after a landing joins the next round: what was promised
// did not come to its end.

import crypto from 'crypto';

const FREE = 0;
const FLYING = 1;
const LANDED = 2;
const REFUSED = 3;
// How long it is known that an answer has come into the store: whoever looked just before looks again.
const SETTLED = 2000;
// After an answer that is not kept, everybody asks alone for so long; after a failure, not quite.
const PASS = 5000;
const FAILED = 500;
const GRACE = 5000;
// NGINX redirects a request ten times at most, and a round takes two.
const ROUNDS = 3;
const SHORTEST = 4;
const LONGEST = 100;

function mark(flight) {
    return crypto.createHash('sha256').update('flight ' + flight).digest('base64url').slice(0, 16);
}

function of(key, round) {
    return key + '#' + round;
}

// The next round of a flight, or '' when there were enough of them.
function next(flight) {
    const parts = flight.split('#');
    return Number(parts[1]) < ROUNDS ? of(parts[0], Number(parts[1]) + 1) : '';
}

// FREE: ask. FLYING: another one does. LANDED: look into the store again.
function join(flight, cache) {
    const dict = ngx.shared.gwc_cache_marks;
    const name = mark(flight);
    if (dict.add(name, FLYING, cache.request + GRACE)) {
        return FREE;
    }
    const state = dict.get(name);
    return state === FLYING || state === LANDED ? state : FREE;
}

// An answer is coming that is kept: whoever comes now waits for it, also when nobody waited for anybody before.
function approach(flight, cache) {
    ngx.shared.gwc_cache_marks.set(mark(flight), FLYING, cache.request + GRACE);
}

function land(flight) {
    ngx.shared.gwc_cache_marks.set(mark(flight), LANDED, SETTLED);
}

// What came is not kept: nobody waits for it.
function refuse(flight, status) {
    ngx.shared.gwc_cache_marks.set(mark(flight), REFUSED, status < 500 ? PASS : FAILED);
}

function longer(pause) {
    return Math.min(LONGEST, pause * 1.5);
}

export default {FREE, FLYING, LANDED, SHORTEST, of, next, join, approach, land, refuse, longer};
