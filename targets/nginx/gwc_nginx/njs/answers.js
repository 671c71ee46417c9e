// Names and ages of the answers that the edge keeps, to the millisecond.
//
// An answer is fetched under a name that none had before it, so nothing that was dropped comes back, and an old answer
// can stand in while a new one is fetched. The dictionary has for each key `name until before over lasting`: the newest
// name, when its answer is no longer fresh (0: there is none yet), name and end of the answer before it, and whether the
// newest may be served stale: that something is not there covers for nothing. What NGINX has in
// its store under a name, if anything, it alone knows.

import crypto from 'crypto';

// How long it is known under which name an answer is being fetched.
const PENDING = 3600000;

function digits(number) {
    return String(Math.max(0, Math.floor(number))).padStart(13, '0');
}

// All entries are equally long, so that the room of one serves any other.
function written(entry) {
    return [entry.name, entry.until, entry.before, entry.over].map(digits).join(' ') + (entry.lasting ? ' 1' : ' 0');
}

function read(text) {
    const parts = text.split(' ');
    return {name: Number(parts[0]), until: Number(parts[1]), before: Number(parts[2]), over: Number(parts[3]),
            lasting: parts[4] === '1'};
}

function known(id, now) {
    const dict = ngx.shared.gwc_cached;
    const text = dict.get(id);
    if (text !== undefined) {
        return read(text);
    }
    const entry = {name: now, until: 0, before: 0, over: 0, lasting: false};
    // `add` is atomic: whoever comes first has named it.
    return dict.add(id, written(entry), PENDING) ? entry : read(dict.get(id) || written(entry));
}

function remember(id, cache, entry) {
    const kept = entry.until - Date.now() + Math.max(cache.ifError, cache.whileRevalidate);
    ngx.shared.gwc_cached.set(id, written(entry), Math.max(kept, 0) + PENDING);
}

function key(id, name) {
    return name ? id + '.' + digits(name) : '';
}

function parsed(text) {
    const cut = text.indexOf('.');
    return {id: text.slice(0, cut), name: Number(text.slice(cut + 1))};
}

function renewal(id) {
    return crypto.createHash('sha256').update('renewal ' + id).digest('base64url').slice(0, 16);
}

// The name of the answer that may stand in for a failing service, or 0.
function standIn(cache, entry, now) {
    if (entry.until && entry.until <= now) {
        return entry.lasting && now < entry.until + cache.ifError ? entry.name : 0;
    }
    return entry.before && now < entry.over + cache.ifError ? entry.before : 0;
}

// Which answer is looked for, and whether it is stale; what may stand in, and the name of a renewal that is due, or ''.
function aim(id, cache, now) {
    const entry = known(id, now);
    const old = entry.until !== 0 && entry.until <= now;
    const stale = old && entry.lasting && now < entry.until + cache.whileRevalidate;
    const due = stale && ngx.shared.gwc_cache_marks.add(renewal(id), 1, cache.request);
    return {
        key: key(id, old && !stale ? entry.name + 1 : entry.name),
        stale: stale,
        substitute: key(id, standIn(cache, entry, now)),
        renewal: due ? key(id, entry.name + 1) : '',
    };
}

// A renewal has failed, or there is a new answer: in either case the next one may begin when it is due.
function renewed(text) {
    ngx.shared.gwc_cache_marks.delete(renewal(parsed(text).id));
}

// The answer of that name is the newest, for `life` milliseconds; the one before it may still stand in when this one
// does not come to its end.
function advance(text, cache, life, lasting) {
    const at = parsed(text);
    const now = Date.now();
    const entry = known(at.id, now);
    const older = at.name > entry.name && entry.lasting ? {before: entry.name, over: entry.until} : entry;
    if (at.name >= entry.name) {
        remember(at.id, cache, {name: at.name, until: now + life, before: older.before, over: older.over,
                                lasting: lasting});
    }
}

// What came under that name must not be used. The name that takes its place.
function drop(text, cache) {
    const at = parsed(text);
    const entry = known(at.id, Date.now());
    if (entry.name === at.name) {
        remember(at.id, cache, {name: at.name + 1, until: 0, before: entry.before, over: entry.over,
                                lasting: false});
    }
    return key(at.id, at.name + 1);
}

// Which answers of a route are good: the number is part of their names. It begins with a time, so that what was purged
// does not come back when a reload makes the zone anew.
function generation(route) {
    const dict = ngx.shared.gwc_purged;
    const now = Date.now();
    const known = dict.get(route);
    return known !== undefined ? known : dict.add(route, now) ? now : dict.get(route);
}

function purge(route) {
    ngx.shared.gwc_purged.incr(route, 1, Date.now());
}

export default {aim, advance, drop, renewed, generation, purge};
