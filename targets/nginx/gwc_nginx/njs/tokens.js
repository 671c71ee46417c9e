// The password of the inner hop, made once for all workers and never written down.

// js_set
function hop() {
    const shared = ngx.shared.gwc_hop;
    const known = shared.get('hop');
    if (known) {
        return known;
    }
    // `add` is atomic: whichever worker comes first has made it.
    shared.add('hop', Array.from(crypto.getRandomValues(new Uint32Array(8))).map((n) => n.toString(16)).join('-'));
    return shared.get('hop');
}

export default {hop};
