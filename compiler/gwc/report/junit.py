"""JUnit's XML, which every CI shows: one test case a finding, or one that passes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from gwc.diagnostics import Diagnostic, Severity

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def render_junit(command: str, diagnostics: Sequence[Diagnostic]) -> str:
    failing = sum(d.severity > Severity.INFO for d in diagnostics)
    counts: dict[str, str] = {"tests": str(max(len(diagnostics), 1)), "failures": str(failing), "errors": "0"}
    root = Element("testsuites", {"name": f"gwc {command}", **counts})
    suite = SubElement(root, "testsuite", {"name": f"gwc {command}", **counts})
    for diagnostic in diagnostics:
        _case(suite, diagnostic)
    if not diagnostics:
        SubElement(suite, "testcase", name="no findings", classname=f"gwc.{command}")
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _case(suite: Element, diagnostic: Diagnostic) -> None:
    name = xml_text(f"{diagnostic.code} {diagnostic.span}")
    case = SubElement(suite, "testcase", name=name, classname=xml_text(diagnostic.span.file))
    detail = xml_text(f"{diagnostic.span}: {diagnostic.message}\n{diagnostic.hint}".rstrip())
    if diagnostic.severity is Severity.INFO:
        SubElement(case, "system-out").text = detail
        return
    message = xml_text(diagnostic.message)
    SubElement(case, "failure", type=diagnostic.severity.word, message=message).text = detail


def xml_text(text: str) -> str:
    """`text` without what XML 1.0 cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)
