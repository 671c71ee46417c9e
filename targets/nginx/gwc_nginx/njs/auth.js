// Who is asking: a verified token's subject or the holder of an API key. Everything that is not right in all respects
// is nobody.

import digests from 'crypto';
import secrets from 'secrets.js';

const HASHES = {256: 'SHA-256', 384: 'SHA-384', 512: 'SHA-512'};
const CURVES = {256: 'P-256', 384: 'P-384'};
// A subject becomes a header's value: nothing that could end the line, and nothing that a reader would trim. U+FFFD is
// what njs reads where there is no text: it would make one user of several.
const SUBJECT = /^(?! )[^\x00-\x1f\x7f\uFFFD]{1,512}$/;

// Known, but not permitted: `named` is for the log alone.
function forbidden(named) {
    return {status: 403, named: named};
}

function decoded(part) {
    if (!/^[A-Za-z0-9_-]+$/.test(part)) {
        return null;
    }
    try {
        const value = JSON.parse(Buffer.from(part, 'base64url').toString());
        return typeof value === 'object' && !Array.isArray(value) ? value : null;
    } catch (e) {
        return null;
    }
}

function parameters(algorithm) {
    const hash = HASHES[algorithm.slice(2)];
    return algorithm[0] === 'R' ? {name: 'RSASSA-PKCS1-v1_5', hash: hash}
        : {name: 'ECDSA', hash: hash, namedCurve: CURVES[algorithm.slice(2)]};
}

// The key decides what it may verify: never a secret, and never for an algorithm or a use that it is not for.
function suitable(key, header) {
    const elliptic = header.alg[0] === 'E';
    return key.kty === (elliptic ? 'EC' : 'RSA')
        && (!elliptic || key.crv === CURVES[header.alg.slice(2)])
        && (key.use === undefined || key.use === 'sig')
        && (key.alg === undefined || key.alg === header.alg)
        && (header.kid === undefined || key.kid === undefined || key.kid === header.kid);
}

async function signed(provider, header, parts) {
    const data = Buffer.from(parts[0] + '.' + parts[1]);
    const signature = Buffer.from(parts[2], 'base64url');
    for (let i = 0; i < provider.keys.length; i++) {
        const key = provider.keys[i];
        if (suitable(key, header) && await verified(key, parameters(header.alg), signature, data)) {
            return true;
        }
    }
    return false;
}

async function verified(key, how, signature, data) {
    try {
        const known = key.kty === 'RSA' ? {kty: 'RSA', n: key.n, e: key.e}
            : {kty: 'EC', crv: key.crv, x: key.x, y: key.y};
        const imported = await crypto.subtle.importKey('jwk', known, how, false, ['verify']);
        return await crypto.subtle.verify(how, imported, signature, data) === true;
    } catch (e) {
        return false;
    }
}

// NumericDate: a finite number; absent is only right where that is said.
function timely(provider, claims) {
    const now = Date.now() / 1000;
    const number = (value) => typeof value === 'number' && isFinite(value);
    return number(claims.exp) && now < claims.exp + provider.leeway
        && (claims.nbf === undefined || (number(claims.nbf) && now >= claims.nbf - provider.leeway));
}

function audience(provider, claims) {
    const wanted = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
    for (let i = 0; i < provider.audiences.length; i++) {
        if (wanted.some((one) => typeof one === 'string' && one === provider.audiences[i])) {
            return true;
        }
    }
    return false;
}

function scopes(provider, claims, needed) {
    const claim = claims[provider.scopeClaim];
    const held = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
    return !needed || needed.split(' ').every((scope) => held.some((one) => one === scope));
}

function issuer(claims, algorithm) {
    for (let i = 0; i < gwc.jwt.length; i++) {
        const provider = gwc.jwt[i];
        if (provider.issuer === claims.iss && provider.algorithms.split(' ').includes(algorithm)) {
            return provider;
        }
    }
    return null;
}

// The bearer of a token: {user, key}, {status: 403}, or null.
async function bearer(r, needed) {
    const found = /^bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(r.headersIn.Authorization || '');
    if (!found) {
        return null;
    }
    const parts = found[1].split('.');
    const header = decoded(parts[0]);
    const claims = decoded(parts[1]);
    if (!header || !claims || typeof header.alg !== 'string' || header.crit !== undefined) {
        return null;
    }
    const provider = issuer(claims, header.alg);
    if (!provider || !timely(provider, claims) || !await signed(provider, header, parts)) {
        return null;
    }
    const user = claims[provider.userClaim];
    if (typeof user !== 'string' || !SUBJECT.test(user) || user.endsWith(' ')) {
        return null;
    }
    if (!audience(provider, claims)) {
        return forbidden('');
    }
    if (!scopes(provider, claims, needed)) {
        return forbidden(user);
    }
    return {user: user, key: 'jwt ' + provider.name + ' ' + user};
}

// Compares all of both, however early they differ.
function same(a, b) {
    const digest = (text) => digests.createHash('sha256').update(text).digest('hex');
    const left = digest(a);
    const right = digest(b);
    let difference = 0;
    for (let i = 0; i < left.length; i++) {
        difference |= left.charCodeAt(i) ^ right.charCodeAt(i);
    }
    return difference === 0;
}

// The names of all consumers with this key.
function holders(given) {
    const names = [];
    for (let i = 0; i < gwc.apiKey.consumers.length; i++) {
        const consumer = gwc.apiKey.consumers[i];
        const secret = secrets.value(consumer.secret);
        if (secret && same(secret, given)) {
            names.push(consumer.name);
        }
    }
    return names;
}

// js_periodic: a key that several have opens nothing, so somebody should know.
function examine() {
    for (let i = 0; i < gwc.apiKey.consumers.length; i++) {
        const consumer = gwc.apiKey.consumers[i];
        const names = holders(secrets.value(consumer.secret));
        if (names.length > 1 && names[0] === consumer.name) {
            ngx.log(ngx.ERR, 'these consumers share an API key, which therefore opens nothing: ' + names.join(', '));
        }
    }
}

// The holder of an API key: a key that several have identifies nobody. Keys have no scopes.
function holder(r, needed) {
    const given = gwc.apiKey && r.headersIn[gwc.apiKey.header];
    const names = given ? holders(given) : [];
    if (names.length !== 1) {
        return null;
    }
    const name = names[0];
    return needed ? forbidden(name) : {user: name, key: 'api_key ' + name};
}

// {user, key} of the first credential that is enough; otherwise {status}: 403 when one was right but not enough.
async function verify(r, own) {
    const providers = own.auth.split(' ');
    const token = providers.includes('jwt') ? await bearer(r, own.scopes) : null;
    if (token && token.user) {
        return token;
    }
    const key = providers.includes('api_key') ? holder(r, own.scopes) : null;
    return key && key.user ? key : token || key || {status: 401};
}

function challenge(own) {
    return own.auth.split(' ').map((name) => name === 'jwt' ? 'Bearer' : 'ApiKey').join(', ');
}

export default {verify, challenge, examine};
