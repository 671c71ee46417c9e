"""What several test suites share: policies as text -> Gateway."""

from __future__ import annotations

from datetime import date

from gwc.diagnostics import Report
from gwc.document import parse
from gwc.ir import Gateway
from gwc.policy.load import load
from gwc.resolve import resolve
from gwc.source import Source

NOW = date(2026, 11, 23)
PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {http: "127.0.0.1:8080"}
defaults: {auth: none}
"""


def resolved(*texts: str, environment: str | None = None, now: date = NOW) -> tuple[Gateway | None, Report]:
    """Policies -> Gateway and what was found. Files are named 0.yaml, 1.yaml, ... for the spans."""
    report = Report()
    documents = [parse(Source(f"{index}.yaml", text), report) for index, text in enumerate(texts)]
    loaded = [found for document in documents if document and (found := load(document, environment, report))]
    if report.failed:
        return None, report
    return resolve(loaded, environment=environment, now=now, report=report), report


def gateway(*services: str, platform: str = PLATFORM, environment: str | None = None) -> Gateway:
    """The Gateway of valid policies; the platform is the last file."""
    built, report = resolved(*services, platform, environment=environment)
    assert built is not None, "\n".join(f"{d.span} {d.code} {d.message}" for d in report.diagnostics)
    return built
