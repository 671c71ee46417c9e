"""The format of scenario files, read strictly: an unknown key is an error. README.md explains every field."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from conformance.pki import SERVICE_NAME
from conformance.script import Script
from gwc.diagnostics import Report
from gwc.document import parse
from gwc.features import FEATURES
from gwc.problems import PROBLEMS
from gwc.source import Source

SCENARIOS = Path(__file__).parent / "scenarios"
Version = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
Range = tuple[float, float]
"""Both ends included."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Strict):
    """What a text must be: any of the keys that are given, all of them."""

    matches: str | None = None
    lacks: str | None = None
    one_of: list[str] | None = None
    values: list[str] | None = None


Expected = str | None | Match
"""A text to be equal to, null for absence, or a Match."""


class Problem(_Strict):
    """A problem+json of the gateway's vocabulary. `lacks` names keys that an engine's own parser cannot fill."""

    type: str
    lacks: list[str] = []

    @field_validator("type")
    @classmethod
    def known(cls, value: str) -> str:
        if value not in PROBLEMS:
            raise ValueError(f"{value!r} is not a problem type")
        return value


class UpstreamExpectation(_Strict):
    """What the service saw: of the last request of the step, except `calls` and `peak`, which count all of them."""

    calls: int | Range | None = None
    method: str | None = None
    target: Expected | None = None
    headers: dict[str, Expected] = {}
    body_length: int | None = None
    instance: str | list[str] | None = None
    gaps: list[Range] | None = None
    mean_gap: Range | None = None
    peak: int | Range | None = None


class Tally(_Strict):
    """How many of the repeated responses had a status or came from an instance; how many ids and bodies there were."""

    status: dict[int, int | Range] = {}
    instance: dict[str, int | Range] = {}
    ids: int | None = None
    bodies: int | None = None


class Expectation(_Strict):
    """All that is given must hold, for every repetition; `tally` and `upstream.calls` for all of them together."""

    status: int | list[int] | None = None
    headers: dict[str, Expected] = {}
    body: str | None = None
    body_matches: str | None = None
    body_lacks: str | None = None
    body_length: int | None = None
    json_: dict[str, Any] | None = Field(None, alias="json")
    problem: Problem | None = None
    cut: bool | None = False
    elapsed: Range | None = None
    first_byte: Range | None = None
    arrivals: dict[str, Range] = {}
    messages: list[str] | None = None
    tls: Expected = Match()
    alpn: str | None = None
    upstream: UpstreamExpectation | None = None
    tally: Tally | None = None
    retry_after: Range | None = None
    renewal: int | None = None
    by_status: dict[int, Expectation] = {}

    @field_validator("problem", mode="before")
    @classmethod
    def short(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value


class Body(_Strict):
    """`size` bytes of filler, or `text`; chunked if said."""

    text: str = ""
    size: int = 0
    chunked: bool = False

    @property
    def content(self) -> bytes:
        return b"y" * self.size or self.text.encode()


class Handshake(_Strict):
    """The step goes to the TLS listener, and offers this. `off`: in plain HTTP all the same."""

    alpn: list[str] = ["http/1.1"]
    lowest: Version = "TLSv1.2"
    highest: Version = "TLSv1.3"
    ciphers: str | None = None
    name: str | None = SERVICE_NAME
    off: bool = False


class Slowness(_Strict):
    """Half of the head or body at once, then a byte `every` so many seconds; 0 for no more."""

    part: Literal["head", "body"]
    every: float = Field(0, ge=0, le=5)


class EnvironFile(_Strict):
    """A secret that lies in a file: it goes into the gateway's environment."""

    file: Path


class Step(_Strict):
    """`request` is "METHOD target", the target raw. `upstream` is the script, or one script an attempt."""

    request: str
    host: str | None = "gateway.test"
    headers: list[tuple[str, str]] = []
    body: Body = Body()
    version: str = "HTTP/1.1"
    upstream: list[Script] = []
    websocket: list[str] | None = None
    pause: float = Field(0, ge=0, le=10)
    delay: float = Field(0, ge=0, le=30)
    settle: float = Field(0, ge=0, le=10)
    align: float = Field(0, ge=0, le=60)
    background: bool = False
    restart: bool = False
    abandon: float | None = None
    health: dict[str, int] = {}
    repeat: int = Field(1, ge=1, le=2000)
    parallel: int = Field(1, ge=1, le=64)
    kept: bool = False
    padding: int = Field(0, ge=0, le=10**6)
    stretch: int = Field(0, ge=0, le=10**6)
    parser: bool = False
    tls: Handshake | None = None
    slowly: Slowness | None = None
    source: str = "127.0.0.1"
    admin: bool = False
    expect: Expectation

    @field_validator("headers", mode="before")
    @classmethod
    def pairs(cls, value: object) -> object:
        return list(value.items()) if isinstance(value, dict) else value

    @field_validator("upstream", mode="before")
    @classmethod
    def scripts(cls, value: object) -> object:
        return [value] if isinstance(value, dict) else value

    @field_validator("body", mode="before")
    @classmethod
    def text(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value

    def of_case(self, mark: str) -> Step:
        """With `mark` for every `${case}`, in what is sent and in what is expected."""
        text = self.model_dump_json(by_alias=True, exclude_unset=True)
        return Step.model_validate_json(text.replace("${case}", mark)) if "${case}" in text else self

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def target(self) -> str:
        return self.request.partition(" ")[2]


class Deviation(_Strict):
    """Other steps for a target whose table declares `feature` below exact: the bound that still holds."""

    feature: str
    steps: list[Step]


class Case(_Strict):
    """`proves` names the features whose promise the case tests, `needs` those that it takes for granted."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ,.+'/{}*%()_-]*$")
    proves: list[str]
    needs: list[str] = []
    deviations: dict[str, Deviation] = {}
    slow: bool = False
    steps: list[Step]

    @model_validator(mode="before")
    @classmethod
    def single(cls, data: Any) -> Any:
        """A case of one step is written without the list; so is a deviation's."""
        if not isinstance(data, dict) or "steps" in data:
            return data
        own = {key: data.pop(key) for key in list(data) if key in Step.model_fields}
        deviations = {
            target: {"feature": d.get("feature"), "steps": [{**own, **{k: v for k, v in d.items() if k != "feature"}}]}
            if "steps" not in d
            else d
            for target, d in data.get("deviations", {}).items()
        }
        return {**data, "steps": [own], "deviations": deviations}

    @model_validator(mode="after")
    def known_features(self) -> Self:
        named = [*self.proves, *self.needs, *(d.feature for d in self.deviations.values())]
        if unknown := set(named) - FEATURES.keys():
            raise ValueError(f"unknown features {sorted(unknown)}")
        return self


class Scenario(_Strict):
    """One policy set and the cases that one gateway process serves with it.

    `together`: the cases wait more than they work, so they run side by side.
    """

    summary: str
    platform: dict[str, Any] = {}
    services: list[dict[str, Any]]
    environ: dict[str, str | EnvironFile] = {}
    together: bool = False
    cases: list[Case]

    @property
    def secrets(self) -> dict[str, str]:
        """The environment of the gateway."""
        return {k: v if isinstance(v, str) else v.file.read_text(encoding="utf-8") for k, v in self.environ.items()}

    @model_validator(mode="after")
    def distinct(self) -> Self:
        names = [case.name for case in self.cases]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"cases of one name: {sorted(repeated)}")
        return self


_PLACEHOLDER = re.compile(r"\$\{([A-Z_]+)\}")
PORTS = ("LISTEN", "ADMIN", "HTTPS", "A", "B", "C", "TLS", "MTLS", "ROGUE", "SLAM", "DEAD", "BLACKHOLE", "COLLECTOR")
"""The gateway's three, the upstream's instances and its dead ends."""
DUMMIES: Mapping[str, int | str] = {"PKI": "/pki", **{name: 20_000 + index for index, name in enumerate(PORTS)}}
"""Placeholders to read and compile a scenario that is not going to run."""


def load(path: Path, values: Mapping[str, object]) -> Scenario:
    """The scenario at `path` with its placeholders filled; read by the same strict YAML as the policies."""
    report = Report()
    text = _PLACEHOLDER.sub(lambda found: str(values[found[1]]), path.read_text(encoding="utf-8"))
    document = parse(Source(str(path), text), report)
    if document is None:
        raise ValueError("; ".join(f"{d.span}: {d.message}" for d in report.diagnostics))
    return Scenario.model_validate(document.data())


def names() -> list[str]:
    """The `<concern>/<name>` of every scenario file, sorted."""
    return [f"{path.parent.name}/{path.stem}" for path in sorted(SCENARIOS.glob("*/*.yaml"))]


def all_scenarios() -> dict[str, Scenario]:
    """Those that can be read, by name. A mistake in one file fails its own test and does not stop the others."""
    found: dict[str, Scenario] = {}
    for name in names():
        with contextlib.suppress(ValueError, KeyError):
            found[name] = load(SCENARIOS / f"{name}.yaml", DUMMIES)
    return found
