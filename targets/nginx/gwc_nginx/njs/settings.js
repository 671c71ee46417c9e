// What a route's settings are. Those of its tries are one text in gwc.json, which NGINX loads faster than an object: the
// order of the fields is that of fields.py; empty ones at the end are left out.

const known = {name: '', tries: null};

function trying(f) {
    return {lane: f[0], attempts: Number(f[1]), connect: f[2], reset: f[3], perTry: f[4], statuses: f[5],
            backoffBase: Number(f[6]), backoffMax: Number(f[7]), budget: f[8] ? Number(f[8]) : null, unsafe: f[9],
            firstByte: Number(f[10] || 0), patience: Number(f[11] || 0)};
}

function of(name) {
    return gwc.settings[name];
}

// What a route's settings are called. The inner hop asks for itself: who sent the request may be a worker from before a
// reload, by whose names other routes may be meant now.
function named(route) {
    return gwc.same[':' + route] || route;
}

// A request asks for the same again and again: it is read once a script. Null where nothing tries.
function tries(name) {
    if (known.name !== name) {
        const own = gwc.settings[name];
        known.tries = own && own.tries ? trying(own.tries.split('\t')) : null;
        known.name = name;
    }
    return known.tries;
}

export default {of, named, tries};
