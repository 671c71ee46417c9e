"""A file of somebody else's -> policies and a report: what `gwc import` and `gwc init` do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table
from gwc.imports.findings import Findings
from gwc.imports.identity import KEY_FILE, needs_keys, placeholder_keys
from gwc.imports.own import own_draft, verify
from gwc.imports.reading import read_file
from gwc.imports.settle import settled
from gwc.record import NAME
from gwc.source import Source
from gwc.suggest import UnknownNameError

_OWN = re.compile(r'# Rendered by gwc|"gwc\.hygiene"|^ *-? *"?name"?: "gwc"', re.MULTILINE)
Reader = Callable[[Source, Findings], Draft]


@dataclass(frozen=True, slots=True)
class Imported:
    """`files` are the policies' texts, and public files beside them, by name."""

    draft: Draft
    files: Mapping[str, str]

    @property
    def routes(self) -> int:
        return sum(len(service.rows("routes")) for service in self.draft.services)


def convert(form: str, path: str, findings: Findings, *, service: str = "", endpoint: str = "") -> Imported:
    """`service` names the one service, or chooses one of several; `endpoint` overrides where it is.

    Raises SourceError, ImportFailedError, and UnknownNameError where none of several services is `service`.
    """
    source = read_file(path, findings)
    own = own_draft(form, path, findings)
    if own is None and form in ("nginx", "kong", "envoy") and _OWN.search(source.text):
        hint = f"import it by its path, with the {NAME} that compile writes beside it"
        findings.assumed(Span(source.name, 1, 1, 1, 2), "this is gwc's own output, read as anybody's", hint)
    reader: Reader = import_module(f"gwc.imports.{form}").read
    draft = own[0] if own else reader(source, findings)
    if service:
        _named(draft, service)
    if endpoint:
        for one in draft.services:
            one.items.pop("upstream", None)
            one.put("upstream", endpoint, one.span)
    if needs_keys(draft.platform):
        draft.files.setdefault(KEY_FILE, placeholder_keys())
    files = settled(draft, findings, f"Imported from {source.name} by gwc import {form}.")
    if own is not None and not (service or endpoint):
        verify(files, own[1], path, findings)
    if not draft.services:
        raise findings.broken(draft.platform.span, "there is no route in it that a policy could have")
    return Imported(draft, files)


def _named(draft: Draft, name: str) -> None:
    if len(draft.services) == 1:
        draft.services[0].put("service", name, draft.services[0].span)
        return
    chosen = [service for service in draft.services if service.value("service") == name]
    if not chosen:
        raise UnknownNameError("service", name, [_name(service) for service in draft.services])
    draft.services[:] = chosen


def _name(service: Table) -> str:
    return str(service.value("service"))
