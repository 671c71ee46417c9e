// What a route's settings are. gwc.json has a text of each: a line of fields, parted by tabs, for what admits and answers,
// and one for what tries, where there are tries. The order of the fields is that of fields.py; empty ones at the end
// are left out.

const known = {admissionOf: '', admission: null, triesOf: '', tries: null};

function auth(f) {
    return {providers: f[12], scopes: f[13]};
}

function cors(f) {
    return {origins: f[16], credentials: f[17], methods: f[18], headers: f[19], maxAge: f[20]};
}

function cache(f) {
    return {policy: f[21], ttl: Number(f[22]), negative: Number(f[23]), ifError: Number(f[24]),
            whileRevalidate: Number(f[25]), query: f[26], headers: f[27], user: f[28], largest: Number(f[29]),
            request: Number(f[30])};
}

function admission(f) {
    return {
        place: f[0], store: f[1], asked: f[2], early: f[3], late: f[4], budget: f[5], cost: Number(f[6]), charge: f[7],
        strip: Number(f[8]), tries: f[9], timeout: Number(f[10] || 0), firstByte: Number(f[11] || 0),
        auth: f[12] ? auth(f) : null, remove: f[14], set: f[15], cors: f[20] ? cors(f) : null,
        cache: f[21] ? cache(f) : null,
    };
}

function trying(f) {
    return {lane: f[0], attempts: Number(f[1]), connect: f[2], reset: f[3], perTry: f[4], statuses: f[5],
            backoffBase: Number(f[6]), backoffMax: Number(f[7]), budget: f[8] ? Number(f[8]) : null, unsafe: f[9],
            firstByte: Number(f[10] || 0), patience: Number(f[11] || 0)};
}

// A request asks for the same settings again and again: they are read once a script. Null where there are none.
function of(name) {
    if (known.admissionOf !== name) {
        const text = gwc.settings[name];
        known.admission = text ? admission(text.split('\n', 1)[0].split('\t')) : null;
        known.admissionOf = name;
    }
    return known.admission;
}

function tries(name) {
    if (known.triesOf !== name) {
        const text = gwc.settings[name] || '';
        const end = text.indexOf('\n');
        known.tries = end < 0 ? null : trying(text.slice(end + 1).split('\t'));
        known.triesOf = name;
    }
    return known.tries;
}

export default {of, tries};
