"""What tests came to: for people, for programs, and for the page of a CI that shows test results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gwc.diagnostics import Diagnostic, Severity
from gwc.report.excerpt import Texts, printable
from gwc.report.junit import xml_text
from gwc.report.style import Style
from gwc.report.text import render_text
from gwc.testing.coverage import Coverage, Item
from gwc.testing.verdicts import State, Verdict

_ROLE = {State.PASSED: "ok", State.FAILED: "error", State.PARTLY: "warning", State.SKIPPED: "warning"}


def as_text(verdicts: Sequence[Verdict], texts: Texts, style: Style) -> str:
    """A line a test, what is wrong below, and the counts of each engine."""
    lines = [_line(verdict, style) for verdict in verdicts]
    found = sorted({one for verdict in verdicts for one in verdict.found})
    detail = f"\n{render_text(found, texts, style)}" if found else "\n"
    return "".join(f"{line}\n" for line in lines) + detail + "".join(f"{line}\n" for line in _totals(verdicts))


def _line(verdict: Verdict, style: Style) -> str:
    word = {State.PASSED: "passed", State.FAILED: "FAILED", State.PARTLY: "in part", State.SKIPPED: "NOT RUN"}
    shown = style(_ROLE[verdict.state], f"{word[verdict.state]:8}")
    return f"{shown} {verdict.engine:6} {printable(verdict.test.service or '-')}: {printable(verdict.name)}"


def _totals(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for engine in dict.fromkeys(verdict.engine for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.engine == engine]
        counts = Counter(verdict.state for verdict in own)
        words = {
            State.PASSED: "passed", State.FAILED: "failed", State.PARTLY: "run in part", State.SKIPPED: "not run",
        }  # fmt: skip
        told = ", ".join(f"{counts[state]} {word}" for state, word in words.items() if counts[state])
        yield f"{engine}: {told} in {_seconds(sum(verdict.seconds for verdict in own))}"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def coverage_text(found: Coverage) -> str:
    """A line an owner, and every promise that no test exercises."""
    lines = []
    width = max((len(owner) for owner in found.owners), default=0)
    for owner in found.owners:
        hit, of = found.of(owner)
        lines.append(f"  {owner:{width}}  {100 * hit / of:4.0f}%  {hit} of {of}")
    lines += [_missing(item) for item in found.missing]
    return f"\ncoverage: {found.percent:.1f}%\n" + "".join(f"{line}\n" for line in lines)


def _missing(item: Item) -> str:
    return f"{printable(str(item.span))}: {item.owner}: {item.kind} {item.name}: no test has {item.shown_by}"


def as_result(verdicts: Sequence[Verdict], found: Coverage | None) -> dict[str, object]:
    """What the JSON report says beyond the findings."""
    tests = [
        {
            "file": verdict.test.file, "test": verdict.name, "service": verdict.test.service,
            "engine": verdict.engine, "state": verdict.state.value, "seconds": round(verdict.seconds, 6),
        }
        for verdict in verdicts
    ]  # fmt: skip
    return {"tests": tests} if found is None else {"tests": tests, "coverage": _coverage(found)}


def _coverage(found: Coverage) -> dict[str, object]:
    services = {owner: dict(zip(("covered", "items"), found.of(owner), strict=True)) for owner in found.owners}
    missing = [
        {"owner": item.owner, "kind": item.kind, "name": item.name, "file": item.span.file, "line": item.span.line}
        for item in found.missing
    ]
    return {"percent": round(found.percent, 2), "services": services, "missing": missing}


def as_junit(verdicts: Sequence[Verdict], found: Sequence[Diagnostic]) -> str:
    """A suite an engine and file; `found` are faults of the files themselves, which kept tests from running."""
    root = Element("testsuites", {"name": "gwc test", **_counts(verdicts, len(found))})
    if found:
        suite = SubElement(root, "testsuite", {"name": "gwc test", **_counts((), len(found))})
        for diagnostic in found:
            case = SubElement(suite, "testcase", name=xml_text(str(diagnostic.span)), classname="gwc.test")
            _failure(case, [diagnostic])
    for file, engine in dict.fromkeys((verdict.test.file, verdict.engine) for verdict in verdicts):
        own = [one for one in verdicts if (one.test.file, one.engine) == (file, engine)]
        name = xml_text(f"{file} on {engine}")
        suite = SubElement(root, "testsuite", {"name": name, **_counts(own, 0)})
        for verdict in own:
            _case(suite, verdict)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _counts(verdicts: Sequence[Verdict], failures: int) -> dict[str, str]:
    states = Counter(verdict.state for verdict in verdicts)
    numbers = {"tests": len(verdicts) + failures, "failures": states[State.FAILED] + failures, "errors": 0}
    numbers["skipped"] = states[State.SKIPPED] + states[State.PARTLY]
    return {name: str(number) for name, number in numbers.items()}


def _case(suite: Element, verdict: Verdict) -> None:
    where = f"{verdict.engine}.{verdict.test.service or 'platform'}"
    attributes = {"name": xml_text(verdict.name), "classname": where, "time": f"{verdict.seconds:.3f}"}
    case = SubElement(suite, "testcase", attributes)
    errors = [one for one in verdict.found if one.severity is Severity.ERROR]
    if errors:
        _failure(case, errors)
    elif verdict.found:
        SubElement(case, "skipped", message=xml_text("; ".join(one.message for one in verdict.found)))


def _failure(case: Element, found: Sequence[Diagnostic]) -> None:
    detail = "\n".join(f"{one.span}: {one.message}\n{one.hint}".rstrip() for one in found)
    SubElement(case, "failure", type="error", message=xml_text(found[0].message)).text = xml_text(detail)
