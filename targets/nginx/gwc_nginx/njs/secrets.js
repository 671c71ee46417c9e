// Secrets by reference: read where the policy says, when they are needed, and never written anywhere.

import fs from 'fs';

function value(reference) {
    if (reference.env) {
        // njs has the names of the environment in capitals.
        return process.env[reference.env.toUpperCase()] || '';
    }
    try {
        return fs.readFileSync(reference.file, 'utf8').replace(/\r?\n$/, '');
    } catch (e) {
        return '';
    }
}

// A value that could end its header line is no secret of ours.
function usable(text) {
    return /^[\x20-\x7e]+$/.test(text) ? text : '';
}

// js_set: the proof to the service that a request passed the gateway. Empty only when no policy asks for one.
function gateway() {
    return gwc.gatewaySecret ? usable(value(gwc.gatewaySecret)) : '';
}

// Without the secret that a policy asks for nothing is served.
function present() {
    return !gwc.gatewaySecret || gateway() !== '';
}

export default {gateway, present, value};
