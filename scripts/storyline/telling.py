"""Shows what was asked, what came back, and whether that is what the policies say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from gwc.diagnostics import Span
from otlp_collector import Span as TraceSpan
from storyline.stage import ENVIRONMENT

SHOWN = (
    "www-authenticate",
    "retry-after",
    "ratelimit-policy",
    "ratelimit",
    "x-cache",
    "x-assistant-cache",
    "x-cost-units",
    "content-type",
    "x-request-id",
)
_WIDTH = 150


class Teller:
    """`wrong` collects what is not as it should be."""

    def __init__(self) -> None:
        self.acts = self.checked = 0
        self.wrong: list[str] = []

    def act(self, title: str, *policy: Span) -> None:
        """A heading, and the lines of the policies that it is about."""
        self.acts += 1
        print(f"\n== {self.acts}. {title}")
        for file, number in dict.fromkeys((span.file, span.line) for span in policy):
            line = Path(file).read_text(encoding="utf-8").splitlines()[number - 1].strip()
            here = line.startswith(f"{ENVIRONMENT}:")  # written into the copy, and no line of the policy
            where = "here" if here else f"policies/{Path(file).name}:{number}"
            print(f"   {where}: {shortened(line.removeprefix('- '))}")

    def say(self, text: str) -> None:
        print(f"   {text}", flush=True)

    def answered(self, response: httpx.Response, who: str = "", note: str = "") -> None:
        """The request and the answer, as the client sees them."""
        request = response.request
        asked = f" {request.content.decode()}" if request.content else ""
        by = f"   ({', '.join(part for part in (who, note) if part)})" if who or note else ""
        print(f"> {request.method} {request.url.raw_path.decode()}{asked}{by}")
        print(f"< {response.status_code} {HTTPStatus(response.status_code).phrase}")
        for name in SHOWN:
            if name in response.headers:
                print(f"< {name}: {response.headers[name]}")
        if response.content:
            print(f"< {shortened(brief(response))}", flush=True)

    def check(self, what: str, holds: bool, seen: object = "") -> None:
        """`seen` is what there was in place of it."""
        self.checked += 1
        print(f"  {'ok   ' if holds else 'WRONG'} {what}" + ("" if holds else f"; seen: {seen}"), flush=True)
        if not holds:
            self.wrong.append(f"{self.acts}: {what}; seen: {seen}")

    def tree(self, spans: list[TraceSpan]) -> None:
        """The spans of a trace below one another, each with its process and its time."""
        known = {span.id for span in spans}
        for span in sorted(spans, key=lambda one: one.start):
            if span.parent not in known:
                for line in branches(span, spans, 0):
                    print(f"   {line}", flush=True)


def branches(span: TraceSpan, spans: list[TraceSpan], depth: int) -> Iterator[str]:
    took = (span.end - span.start) * 1000
    yield f"{'  ' * depth}{span.resource.get('service.name', '?')}: {span.name} ({span.kind}, {took:.1f} ms)"
    for child in sorted((one for one in spans if one.parent == span.id), key=lambda one: one.start):
        yield from branches(child, spans, depth + 1)


def brief(response: httpx.Response) -> str:
    """The body; of a whole answer what the story is about."""
    try:
        body: Any = response.json()
    except ValueError:
        return response.text
    if isinstance(body, dict) and "answer" in body:
        told = {name: body[name] for name in ("model", "cache", "degraded")}
        body = told | {"units": body["usage"]["units"], "answer": body["answer"]}
    return json.dumps(body, ensure_ascii=False)


def shortened(text: str) -> str:
    return text if len(text) <= _WIDTH * 2 else f"{text[: _WIDTH * 2]}..."
