"""Kong's declarative configuration -> a service for each of its services, hosts and stripped paths."""

from __future__ import annotations

from gwc.imports.draft import Draft, new_platform
from gwc.imports.findings import Findings
from gwc.imports.hoist import hoisted
from gwc.imports.kong.consumers import read_consumers
from gwc.imports.kong.routes import Entities, Routes
from gwc.imports.tree import Word, read_tree
from gwc.source import Source

_FINE = {
    "_transform": "credentials are named in a policy, never written",
    "_comment": "a comment",
    "_info": "decK's own notes",
    "_workspace": "a gateway of gwc's has no workspaces",
    "preserve_host": "the service sees the host that the client asked for",
    "https_redirect_status_code": "a redirect to https is 308",
    "regex_priority": "the most specific path decides",
    "path_handling": "paths are joined as they are written",
    "hide_credentials": "the gateway keeps credentials that it has checked",
    "hide_client_headers": "a refusal says when to come again, and no more of an engine",
    "echo_downstream": "every answer carries the request's id",
    "strategy": "where it counts or keeps is the gateway's own matter",
    "memory": "where it counts or keeps is the gateway's own matter",
    "request_method": "a cache keeps answers to GET and HEAD",
    "error_code": "a refusal is 429",
    "error_message": "errors are problem+json",
    "sync_rate": "where it counts or keeps is the gateway's own matter",
    "namespace": "where it counts or keeps is the gateway's own matter",
    "dictionary_name": "where it counts or keeps is the gateway's own matter",
    "redis": "the store of counts is the platform's",
    **dict.fromkeys(("tags", "id", "created_at", "updated_at", "slots", "custom_id"), "a label of Kong's own"),
    **dict.fromkeys(("request_buffering", "response_buffering"), "stream: true passes answers on as they come"),
}
_PORT = 8000
"""On which Kong listens unless its own settings, which are not in this file, say otherwise."""


def read(source: Source, findings: Findings) -> Draft:
    """Raises ImportFailedError for what is no declarative configuration."""
    root = read_tree(source, findings)
    if not (root["_format_version"].there or root["services"].there):
        raise findings.broken(
            root.span, "this is no declarative configuration of Kong", "it has _format_version: '3.0'"
        )
    draft = Draft(new_platform(root.span))
    draft.platform.put("listen.http", _PORT, root.span, "where Kong listens by default")
    hint = "write listen in platform.yaml, if KONG_PROXY_LISTEN says something else"
    findings.assumed(root["_format_version"].span, f"Kong is taken to listen on port {_PORT}", hint)
    entities = Entities(root, findings)
    consumers = read_consumers(root, findings)
    routes = Routes(entities, draft, consumers, findings)
    for service in entities.services():
        routes.of(service)
    routes.orphans()
    for service_policy in routes.found():
        hoisted(service_policy)
        draft.services.append(service_policy)
    _rest(root, findings)
    return draft


def _rest(root: Word, findings: Findings) -> None:
    _certificates(root["certificates"], findings)
    for key, _, span in root.unseen():
        if key in _FINE:
            findings.no_matter(span, key, _FINE[key])
        else:
            findings.left_out(span, f"`{key[:60]}` has no counterpart in a policy")


def _certificates(word: Word, findings: Findings) -> None:
    for one in word.each():
        hint = "write listen.https: {certificate: {file: ...}, key: {secret: {file: ...}}}"
        findings.secret(one["key"].span, "a private key; it is not copied", hint)
        one.mark()
