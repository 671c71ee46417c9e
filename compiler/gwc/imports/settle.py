"""A draft -> policies that are valid: what the language refuses is taken out again and reported at its source.

Nothing is taken out that would open a door: a route whose `auth` is refused goes as a whole, and so does a service none
of whose hosts remains.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gwc.compile import compile_sources
from gwc.diagnostics import Diagnostic, Report, Severity, Span
from gwc.document import MappingNode, Node, SequenceNode, parse
from gwc.imports.draft import Draft, Said, Step, Table, place_of, plain, take_out
from gwc.imports.findings import Findings
from gwc.imports.yaml_text import policy_text
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy
from gwc.policy.types import shorten
from gwc.source import Source

_PASSES = 50
"""Each takes out everything that is refused then; what depends on it shows in the next."""
_MODELS: dict[str, type[PlatformPolicy] | type[ServicePolicy]] = {"Platform": PlatformPolicy, "Service": ServicePolicy}


def settled(draft: Draft, findings: Findings, heading: str, *, together: bool = True) -> dict[str, str]:
    """The text of each file by its name; not `together` where the services are for another platform than the draft's.

    Raises ImportFailedError where no valid policy can be made of the draft.
    """
    draft.services[:] = [one for one in draft.services if one.rows("routes")]  # of the others every route is reported
    for _ in range(_PASSES):
        _shape(draft, findings)
        texts = {name: policy_text(table, heading) for name, table in draft.policies()}
        faults = _faults(draft, texts) if together else []
        if not faults:
            return {**texts, **draft.files}
        for (file, path), fault in reversed(_placed(faults, texts).items()):
            _mend(draft, draft.policy(file), path, fault, findings)
    raise findings.broken(draft.platform.span, "no valid policy can be made of this", "report it as a bug of gwc")


def _shape(draft: Draft, findings: Findings) -> None:
    """Everything that a model of the language refuses, one policy at a time."""
    for _, table in list(draft.policies()):
        for _ in range(_PASSES):
            errors = _errors(table)
            if not errors:
                break
            for error in errors[:1] if len(errors) == 1 else _apart(errors):
                _refused(draft, table, error["loc"], _words(error), findings)
            if table not in draft.services and table is not draft.platform:
                break


def _errors(table: Table) -> list[ErrorDetails]:
    try:
        _MODELS[table.value("kind")].model_validate(plain(table))
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)
    return []


def _apart(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """The last first, so that positions in lists stay what they are; of two at one place, one."""
    found = {tuple(map(str, error["loc"])): error for error in errors}
    return [found[key] for key in reversed(list(found))]


def _words(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return f"`{error['loc'][-1]}` is missing"
    hint = error.get("ctx", {}).get("hint", "")
    return f"{error['msg']}; {hint}" if hint else error["msg"]


def _refused(draft: Draft, table: Table, loc: tuple[Step, ...], why: str, findings: Findings) -> None:
    span = place_of(table, loc)
    if "auth" in loc or _take_item(table, loc) is None:
        _whole(draft, table, _guarded(loc), span, why, findings)
    else:
        findings.left_out(span, f"`{_dotted(loc)}`: {shorten(why, 300)}", "write it by hand")


def _guarded(loc: tuple[Step, ...]) -> tuple[Step, ...]:
    """What goes with it: a whole route for its auth, the whole service for its own or its hosts."""
    if "auth" in loc:
        return loc[:2] if loc[0] == "routes" else ()
    return () if loc[:1] in (("hosts",), ("kind",), ("service",)) else loc


def _whole(draft: Draft, table: Table, path: tuple[Step, ...], span: Span, why: str, findings: Findings) -> None:
    if table is not draft.platform and table not in draft.services:
        return  # gone already, with another fault
    removed = take_out(table, path) if path else ()
    if not removed or (not table.rows("routes") and table is not draft.platform):
        if table is draft.platform:
            raise findings.broken(span, f"no platform policy can be made of this: {why}")
        draft.services.remove(table)
        name = table.value("service")
        findings.left_out(table.span if removed else span, f"the service `{name}` is not imported: {shorten(why, 300)}")
        if not removed:
            return
    findings.left_out(span, f"`{'.'.join(removed)}`: {shorten(why, 300)}", "write it by hand")


def _take_item(table: Table, loc: tuple[Step, ...]) -> object:
    """One item out of a list of scalars, if others remain; None where there is no such item."""
    for end in range(len(loc), 0, -1):
        steps, index = loc[: end - 1], loc[end - 1]
        entry: object = table
        for step in steps:
            if isinstance(entry, Table):
                entry = entry.items.get(str(step))
            elif isinstance(entry, list) and isinstance(step, int) and step < len(entry):
                entry = entry[step]
        if isinstance(entry, Said) and isinstance(entry.value, list) and isinstance(index, int):
            if len(entry.value) > 1 and index < len(entry.value):
                return entry.value.pop(index) or True
            return None
    return None


def _dotted(loc: tuple[Step, ...]) -> str:
    return ".".join(str(step) for step in loc if not str(step).startswith("<"))


def _faults(draft: Draft, texts: Mapping[str, str]) -> list[Diagnostic]:
    """What resolving all policies together finds."""
    report = Report()
    sources = [Source(name, texts[name]) for name, _ in draft.policies()]
    compile_sources(sources, environment=None, now=date.min, report=report, read=lambda _, file: draft.files[file])
    return [found for found in report.diagnostics if found.severity is Severity.ERROR]


def _placed(faults: list[Diagnostic], texts: Mapping[str, str]) -> dict[tuple[str, tuple[Step, ...]], Diagnostic]:
    """What is to go, in the order of the files; one route or limit goes once."""
    found: dict[tuple[str, tuple[Step, ...]], Diagnostic] = {}
    places = {name: _places(Source(name, texts[name])) for name in {fault.span.file for fault in faults}}
    for fault in faults:
        path = places[fault.span.file].get(fault.span, ())
        found.setdefault((fault.span.file, path[:2] if path[:1] in (("routes",), ("limits",)) else path), fault)
    return found


def _mend(draft: Draft, table: Table | None, path: tuple[Step, ...], fault: Diagnostic, findings: Findings) -> None:
    if table is None:
        return  # its service is gone with another fault
    why = f"{fault.message}; {fault.hint}" if fault.hint else fault.message
    _whole(draft, table, _guarded(path), place_of(table, path), why, findings)


def _places(source: Source) -> dict[Span, tuple[Step, ...]]:
    """The path of every key and value by its place."""
    document = parse(source, Report())
    found: dict[Span, tuple[Step, ...]] = {}
    for span, path in _walk(document.root, ()) if document is not None else ():
        found.setdefault(span, path)
    return found


def _walk(node: Node, path: tuple[Step, ...]) -> Iterator[tuple[Span, tuple[Step, ...]]]:
    if path:
        yield node.span, path
    if isinstance(node, MappingNode):
        for key, inner in node.items.items():
            yield node.keys[key], (*path, key)
            yield from _walk(inner, (*path, key))
    elif isinstance(node, SequenceNode):
        for index, inner in enumerate(node.items):
            yield from _walk(inner, (*path, index))
