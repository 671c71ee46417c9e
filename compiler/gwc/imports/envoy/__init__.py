"""Envoy's bootstrap -> a service for each cluster of each set of hosts."""

from __future__ import annotations

from gwc.imports.draft import Draft, new_platform
from gwc.imports.envoy.listeners import Listeners, is_local
from gwc.imports.envoy.protobuf import snake_case
from gwc.imports.envoy.words import FINE, HINTS
from gwc.imports.findings import Findings
from gwc.imports.hoist import hoisted
from gwc.imports.tree import Word, read_tree
from gwc.source import Source


def read(source: Source, findings: Findings) -> Draft:
    """Raises ImportFailedError for what is no bootstrap."""
    root = snake_case(read_tree(source, findings))
    resources = root["static_resources"]
    if not resources["listeners"].is_list:
        what = "this is no bootstrap of Envoy with listeners of its own"
        raise findings.broken(
            root.span, what, "static_resources has listeners and clusters; what comes by xDS is elsewhere"
        )
    draft = Draft(new_platform(root.span))
    listeners = Listeners(root, draft, findings)
    for listener in sorted(resources["listeners"].each(), key=is_local):  # what others reach decides the ports
        listeners.add(listener)
    listeners.settle()
    for service in listeners.services():
        hoisted(service)
        draft.services.append(service)
    _rest(root, findings)
    return draft


def _rest(root: Word, findings: Findings) -> None:
    for key, _, span in root.unseen():
        if key in FINE:
            findings.no_matter(span, key, FINE[key])
        else:
            findings.left_out(span, f"`{key[:60]}` has no counterpart in a policy", HINTS.get(key, ""))
