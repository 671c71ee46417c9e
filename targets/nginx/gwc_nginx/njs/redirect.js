// The plain listener beside one for TLS: it serves nothing, and tells where to ask instead.

import problem from 'problem.js';

const HOST = /^([a-z0-9_][a-z0-9_.-]{0,252}|\[[0-9a-f:.]+\])$/;
// Nothing that could end a line, or that is no address.
const TARGET = /^\/[!-~]*$/;

// js_content. Only a host that is served, as it may stand in an address: a client's text never becomes a header's.
function moved(r) {
    const host = r.variables.host;
    const known = gwc.redirect.hosts === null || gwc.redirect.hosts.split(' ').includes(host);
    if (!known || !HOST.test(host) || !TARGET.test(r.variables.request_uri)) {
        problem.answer(r, 'bad-request', 400);
        return;
    }
    r.headersOut.Location = 'https://' + host + gwc.redirect.port + r.variables.request_uri;
    r.headersOut[gwc.requestIdHeader] = r.variables.gwc_request_id;
    r.headersOut['Content-Length'] = '0';
    r.status = 308;
    r.sendHeader();
    r.finish();
}

export default {moved};
