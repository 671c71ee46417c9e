// What the hop that asks has to know from the one that keeps.

// What the inner hop has to know: since when the client waits, whether something can stand in, who pays, which
// flight this is, and whether to ask without looking who else does.
function written(since, standsIn, payer, flight, alone) {
    return [since, standsIn ? 'stale' : '-', payer || '-', flight, alone ? 'alone' : '-'].join(' ');
}

// What the outer hop told.
function told(r) {
    const parts = (r.headersIn['X-Gwc-Errand'] || '').split(' ');
    return {since: Number(parts[0]), stale: parts[1] === 'stale', payer: parts[2] === '-' ? '' : parts[2],
            flight: parts[3], alone: parts[4] === 'alone'};
}

export default {written, told};
