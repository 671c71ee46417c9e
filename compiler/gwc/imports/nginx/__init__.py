"""NGINX's configuration -> a service for each upstream of each set of hosts."""

from __future__ import annotations

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, new_platform
from gwc.imports.findings import Findings
from gwc.imports.nginx.servers import Servers
from gwc.imports.nginx.syntax import Directive, read_configuration
from gwc.imports.nginx.words import HINTS, NO_MATTER
from gwc.source import Source


def read(source: Source, findings: Findings) -> Draft:
    """Raises ImportFailedError for what is no configuration of NGINX."""
    top = read_configuration(source, findings)
    start = Span(source.name, 1, 1, 1, 2)
    draft = Draft(new_platform(start))
    blocks = [one for one in top if one.name == "http"] or [Directive("http", (), start, top, seen=True)]
    for http in blocks:
        http.seen = True
        Servers(http, draft, findings).all()
    _rest(top, findings)
    return draft


def _rest(directives: list[Directive], findings: Findings) -> None:
    """Whatever nobody looked at, each by itself."""
    for one in directives:
        if not one.seen and one.name in NO_MATTER:
            findings.no_matter(one.span, one.name, NO_MATTER[one.name])
        elif not one.seen:
            findings.left_out(one.span, f"`{one.name[:60]}` has no counterpart in a policy", HINTS.get(one.name, ""))
        if one.block and (one.seen or one.name not in NO_MATTER) and one.name not in ("map", "geo", "if", "types"):
            _rest(one.block, findings)
