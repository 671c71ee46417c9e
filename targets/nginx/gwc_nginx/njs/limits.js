// Token buckets and budgets, exact over all workers.
//
// A bucket is one number: the time at which it would be full again (GCRA). Reading several buckets, deciding and
// writing them is one step under a lock, so nothing is taken when anything refuses.
//
// A bucket that is full again expires. When a zone is full of buckets that are not, those that would be full soonest go;
// each kind of key has a zone of its own, so that a flood of header values evicts no user's bucket.

import locks from 'locks.js';

// An IPv6 client counts by its /64.
function network(address) {
    if (!address.includes(':') || /^::ffff:[0-9.]+$/i.test(address)) {
        return address;
    }
    const halves = address.split('::');
    const head = halves[0] ? halves[0].split(':') : [];
    const tail = halves[1] ? halves[1].split(':') : [];
    const zeros = halves.length > 1 ? Array(8 - head.length - tail.length).fill('0') : [];
    return head.concat(zeros, tail).slice(0, 4).map((group) => parseInt(group, 16).toString(16)).join(':');
}

function keyOf(r, limit, user) {
    switch (limit.kind) {
    case 'ip':
        return network(r.variables.remote_addr);
    case 'user':
        return user;
    case 'header':
        return (r.headersIn[limit.header] === undefined ? '-' : '=' + r.headersIn[limit.header]).slice(0, 256);
    default:
        return '';
    }
}

// "id kind step burst shadow header", as gwc.json has it; step is the milliseconds of one token.
function parsed(text) {
    const parts = text.split(' ');
    const burst = Number(parts[3]);
    return {id: parts[0], kind: parts[1], step: Number(parts[2]), burst: burst, shadow: parts[4] === '1',
            header: parts[5]};
}

function bucket(r, limit, user, now) {
    const dict = ngx.shared['gwc_' + limit.kind];
    const key = locks.name(limit.id + ' ' + keyOf(r, limit, user));
    const full = Math.max(now, dict.get(key) || 0) + limit.step;
    return {limit: limit, dict: dict, key: key, full: full, over: full - now - limit.step * limit.burst};
}

function take(bucket, now) {
    bucket.dict.set(bucket.key, bucket.full, Math.ceil(bucket.full - now) + 1000);
}

// The fields of draft-ietf-httpapi-ratelimit-headers, for what refused.
function told(refusing) {
    return {
        by: ids(refusing),
        retryAfter: Math.max(1, Math.ceil(Math.max.apply(null, refusing.map((b) => b.over)) / 1000)),
        policy: refusing.map((b) => `"${b.limit.id}";q=${b.limit.burst};w=${window(b.limit)}`).join(', '),
        left: refusing.map((b) => `"${b.limit.id}";r=0;t=${Math.max(1, Math.ceil(b.over / 1000))}`).join(', '),
    };
}

function ids(buckets) {
    return buckets.map((b) => b.limit.id).join(' ');
}

function window(limit) {
    return Math.max(1, Math.ceil(limit.step * limit.burst / 1000));
}

// null when all buckets of the stage had a token, which they then have no more.
function stage(r, texts, user) {
    if (!texts) {
        return null;
    }
    const limits = texts.split(',').map(parsed);
    const decided = locks.locked(() => {
        const now = Date.now();
        const buckets = limits.map((limit) => bucket(r, limit, user, now));
        const refusing = buckets.filter((b) => b.over > 0.001 && !b.limit.shadow);
        if (!refusing.length) {
            buckets.filter((b) => b.over <= 0.001).forEach((b) => take(b, now));
        }
        return {refusing: refusing, shadowed: buckets.filter((b) => b.over > 0.001 && b.limit.shadow)};
    });
    if (decided === null) {
        return {by: '', retryAfter: 1, policy: '', left: ''};
    }
    r.variables.gwc_shadowed = [r.variables.gwc_shadowed, ids(decided.shadowed)].filter((text) => text).join(' ');
    return decided.refusing.length ? told(decided.refusing) : null;
}

export default {stage};
