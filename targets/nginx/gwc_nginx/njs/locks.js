// One lock for all workers, around what must be one step: reading several counters, deciding, writing them.
//
// `add` of a shared dictionary is atomic. A worker holds the lock for microseconds; one that dies with it loses it when
// the entry expires, and those that wait outlast it. Who does not get it in time gets null, and refuses. On a busy
// machine a worker may be kept from its processor for a quarter of a second with the lock in its hand.

import crypto from 'crypto';

const PATIENCE = 1000;
const LONGEST = 200;

function locked(work) {
    const dict = ngx.shared.gwc_lock;
    const until = Date.now() + PATIENCE;
    while (!dict.add('lock', 1, LONGEST)) {
        if (Date.now() > until) {
            return null;
        }
    }
    try {
        return work();
    } finally {
        dict.delete('lock');
    }
}

// What a counter is called in its zone. All names are equally long, because the zone's allocator keeps sizes apart:
// room that is made by giving up a shorter entry would be of no use to a longer one, which might then not be written.
// With 16 characters (96 bits) an entry takes 128 bytes.
function name(text) {
    return crypto.createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

export default {locked, name};
