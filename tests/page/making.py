"""Policies -> the page about them, for tests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from compiling import NOW, POLICIES
from gwc.compile import load_sources, tables
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.ir import Gateway
from gwc.page.render import render
from gwc.page.view import View, view
from gwc.policy.variants import Loaded
from gwc.resolve import resolve
from gwc.source import Source, read_policies
from gwc.support import SupportTable


@dataclass(frozen=True)
class Made:
    """A gateway with what a page about it is made of."""

    gateway: Gateway
    policies: tuple[Loaded, ...]
    tables: tuple[SupportTable, ...]

    def view(self, gateway: Gateway | None = None) -> View:
        return view(gateway or self.gateway, self.policies, self.tables)

    def page(self, source: str = "") -> str:
        return render(self.view(), source)


def made(sources: Sequence[Source], environment: str | None = None) -> Made:
    report = Report()
    policies = load_sources(sources, environment=environment, report=report)
    gateway = resolve(policies, environment=environment, now=NOW, report=report)
    assert gateway is not None, report.diagnostics
    promised = tables(gateway, load_targets(()), report)
    return Made(gateway, policies, promised)


def examples(environment: str | None = None) -> Made:
    """Those of the repository."""
    return made(example_sources(), environment)


def example_sources() -> list[Source]:
    return list(read_policies(str(POLICIES), Report()))


def many(services: int) -> Made:
    """The examples again and again, under names, paths and owners of their own."""
    platform, *rest = sorted(example_sources(), key=lambda source: not source.name.endswith("platform.yaml"))
    bounds = re.compile(r"^bounds:.*?^environments:", re.MULTILINE | re.DOTALL)  # waivers name services
    first = Source(platform.name, bounds.sub("environments:", platform.text))
    copies = (_copy(source, number) for number in range(services // len(rest)) for source in rest)
    return made([first, *copies])


def _copy(source: Source, number: int) -> Source:
    text = re.sub(r"^(service: \S+)", rf"\1-{number:03}", source.text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^(base_path: \S+)", rf"\1-{number:03}", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^owner: team-", f"owner: team-{number % 10}-", text, count=1, flags=re.MULTILINE)
    name = Path(source.name)
    return Source(str(name.with_stem(f"{name.stem}-{number:03}")), text)


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None:
            self.inside.append((self.cdata_elem, data))

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]
