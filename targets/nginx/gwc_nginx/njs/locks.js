// One lock for all workers, around what must be one step: reading several counters, deciding, writing them.
//
// `add` of a shared dictionary is atomic. A worker holds the lock for microseconds; one that dies with it loses it when
// the entry expires. Who does not get it in time gets null, and refuses.

const PATIENCE = 100;
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

export default {locked};
