// Which of two caps refused a request. NGINX looks at a service's own first, and asks for the key of the other only
// when there was room; it does not say itself.

// js_set: the key of the platform's cap.
function everything(r) {
    r.variables.gwc_roomy = '1';
    return r.variables.gwc_route ? '1' : '';
}

function refused(r) {
    return r.variables.gwc_roomy ? 'concurrency' : 'upstream.concurrency';
}

export default {everything, refused};
