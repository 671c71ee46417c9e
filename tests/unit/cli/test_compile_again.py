"""`gwc compile` of what has not changed says so without compiling, and compiles whatever could have become another
build: one file of it that is damaged is enough."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import corpus
from gwc import cache, observed, parts, survey
from gwc.cli import again, build, drafting, run
from gwc.ir import Gateway
from gwc.parts import Made, Part, Piece

SERVICE = "policies/service-0001.yaml"
HEAVY = {"pydantic", "jinja2", "yaml", "typer", "json", "gwc.ir"}


@dataclass(frozen=True)
class Answer:
    code: int
    text: str
    told: str
    known: bool

    @property
    def last(self) -> str:
        return self.text.splitlines()[-1]


Compile = Callable[..., Answer]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(cache.OFF, raising=False)
    monkeypatch.setenv(cache.DIRECTORY, str(tmp_path / "cache"))
    corpus.write(tmp_path / "project" / "policies", 3)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def compile_(capfd: pytest.CaptureFixture[str], project: Path) -> Compile:
    def call(*words: str) -> Answer:
        argv = ["compile", *words]
        capfd.readouterr()
        code = again.answered(argv)
        known = code is not None
        code = run(argv) if code is None else code
        observed.end()  # of a run whose answer was not kept
        again._Pending.key = None
        return Answer(code, *capfd.readouterr(), known)

    return call


def _build(at: str = "build") -> dict[str, bytes]:
    return {str(path.relative_to(at)): path.read_bytes() for path in sorted(Path(at).rglob("*")) if path.is_file()}


def test_what_has_not_changed_is_not_compiled(compile_: Compile) -> None:
    first, build = compile_(), _build()
    second, third = compile_(), compile_("--no-cache")
    assert (first.known, second.known, third.known) == (False, True, False)
    assert ": 0 written" not in first.last
    assert second == Answer(0, third.text, third.told, known=True)
    assert ": 0 written, " in second.last
    assert "0 removed" in second.last
    assert _build() == build


@pytest.mark.parametrize("words", [("--check",), ("--format", "json"), ("-t", "nginx", "--env", "prod")])
def test_every_answer_is_that_of_a_whole_run(words: tuple[str, ...], compile_: Compile) -> None:
    compile_(*(word for word in words if word != "--check"))
    compile_(*words)
    kept, anew = compile_(*words), compile_(*words, "--no-cache")
    assert kept == Answer(anew.code, anew.text, anew.told, known=True)


def _damage(path: str) -> None:
    Path(path).write_bytes(Path(path).read_bytes()[:-1] + b"#")


def _touch(path: str) -> None:
    os.utime(path, (1, 1))


CHANGES: tuple[tuple[str, Callable[[], object], bool], ...] = (
    ("an output loses a byte", lambda: _damage("build/envoy/envoy.json"), False),
    ("an output is gone", lambda: Path("build/nginx/public.conf").unlink(), False),
    ("an output can be run", lambda: Path("build/kong/kong.yml").chmod(0o755), False),
    ("the manifest is written otherwise", lambda: _replace("build/manifest.json", "{", " {"), False),
    ("an output is a link to itself elsewhere", lambda: _linked("build/kong/kong.env"), False),
    ("a policy says something else", lambda: _replace(SERVICE, "burst: 60", "burst: 61"), False),
    ("a policy is new", lambda: _another("policies/service-0009.yaml"), False),
    ("a policy is gone", lambda: Path(SERVICE).unlink(), False),
    ("the keys are others", lambda: _replace("policies/keys.json", '"kid": "a"', '"kid": "b"'), False),
    ("a policy has another time", lambda: _touch(SERVICE), True),
    ("an output has another time", lambda: _touch("build/envoy/envoy.json"), True),
    ("something of somebody's lies beside", lambda: Path("build/notes.txt").write_text("mine"), True),
)


def _linked(path: str) -> None:
    Path(path).rename("elsewhere")
    Path(path).symlink_to(Path("elsewhere").absolute())


def _replace(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def _another(path: str) -> None:
    Path(path).write_text(Path(SERVICE).read_text().replace("service-0001", "service-0009"))


@pytest.mark.parametrize(("change", "known"), [(c, k) for _, c, k in CHANGES], ids=[name for name, _, _ in CHANGES])
def test_whatever_matters_is_seen(change: Callable[[], object], known: bool, compile_: Compile) -> None:
    compile_("-t", "kong", "-t", "envoy", "-t", "nginx")
    change()
    after = compile_("-t", "kong", "-t", "envoy", "-t", "nginx")
    assert (after.code, after.known) == (0, known)
    build = _build()
    assert ": 0 written" in compile_("-t", "kong", "-t", "envoy", "-t", "nginx", "--no-cache").last
    assert _build() == build


def test_only_what_follows_from_a_change_is_made(compile_: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each gateway's files. What follows from the platform follows for all services."""
    made: list[str] = []

    def counted(piece: Piece) -> Made:
        made.extend([piece.service] if isinstance(piece, Part) else [])
        return parts.made(piece)

    compile_()
    monkeypatch.setattr(drafting, "made", counted)
    _replace(SERVICE, "burst: 60", "burst: 61")
    compile_()
    assert {*made} == {"service-0001"} and len(made) > 10
    made.clear()
    _replace("policies/platform.yaml", "request: 15s", "request: 14s")
    compile_()
    assert {*made} == {"service-0000", "service-0001", "service-0002"}
    made.clear()
    _replace(SERVICE, "burst: 61", "burst: 62")
    compile_("--no-cache")
    assert {*made} == {"service-0000", "service-0001", "service-0002"}


def test_only_what_has_changed_is_held_against_the_tables(compile_: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """So no other policy is opened for the places that the manifest tells."""
    searched: list[str] = []
    of_service = survey._Search.of_service

    def counted(search: survey._Search, one: Gateway) -> bytes:
        searched.extend(service.name for service in one.services)
        return of_service(search, one)

    monkeypatch.setattr(survey._Search, "of_service", counted)
    compile_()
    assert searched == ["service-0000", "service-0001", "service-0002"]
    for change, found in (
        (lambda: _replace(SERVICE, "burst: 60", "burst: 61"), searched[1:2]),
        (lambda: _another("policies/service-0009.yaml"), ["service-0009"]),
        (lambda: _replace("policies/keys.json", '"kid": "a"', '"kid": "b"'), [*searched, "service-0009"]),
        (lambda: Path("policies/service-0009.yaml").unlink(), []),
    ):
        searched.clear()
        change()
        compile_()
        assert searched == found


def test_each_byte_of_the_last_build_is_read_once(compile_: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """But where something is compared: pieces that are made each time, a few kilobytes of a file. What several targets
    have alike is one file."""
    read: list[int] = []
    preadv = os.preadv

    def counted(file: int, buffers: list[memoryview], offset: int) -> int:
        read.append(preadv(file, buffers, offset))
        return read[-1]

    compile_()
    files = [path for path in Path("build").rglob("*") if path.is_file() and path.name != "manifest.json"]
    size = sum({path.stat().st_ino: path.stat().st_size for path in files}.values())
    monkeypatch.setattr(drafting.os, "preadv", counted)
    _replace(SERVICE, "burst: 60", "burst: 61")
    compile_()
    assert sum(read) == size


def test_two_processes_write_what_one_does(compile_: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_("-o", "by-one")
    monkeypatch.setattr(build, "MANY", 0)
    answers = [compile_("-o", "by-two", "--format", "json"), compile_("-o", "by-two", "--no-cache")]
    assert _build("by-two") == _build("by-one")
    assert [answer.code for answer in answers] == [0, 0] and ": 0 written" in answers[1].last
    assert json.loads(answers[0].text)["result"]["written"] == [
        "manifest.json",
        *sorted({*_build("by-two")} - {"manifest.json"}),
    ]


def test_a_build_with_findings_is_no_build(compile_: Compile) -> None:
    _replace(SERVICE, "rate: 300/min", "rate: often")
    assert [compile_().known, compile_().known] == [False, False]


def test_secrets_are_written_anew(compile_: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "s")
    for _ in range(2):
        assert not compile_("-t", "nginx", "--with-secrets").known
    assert not compile_("-t", "nginx", "--emit", "ir").known


def test_which_secret_is_still_needed_is_said_each_time_and_seen_when_it_comes(compile_: Compile) -> None:
    _replace(
        "policies/platform.yaml", "bounds:", "targets: {nginx: {profile: plain, accept: [" + ACCEPTED + "]}}\nbounds:"
    )
    first, second = compile_("-t", "nginx"), compile_("-t", "nginx")
    assert (first.known, second.known) == (False, True)
    assert "nginx still needs build/nginx/secrets" in first.told == second.told
    where = Path(first.told.partition("nginx still needs ")[2].partition(" (")[0])
    where.parent.mkdir()
    where.write_text("s")
    assert not compile_("-t", "nginx").known


ACCEPTED = ", ".join((
    *("auth.jwt", "auth.scopes", "limits.ip", "limits.user", "limits.service", "limits.shadow", "cache.scope.user"),
    *("upstream.breaker", "upstream.concurrency", "upstream.health", "retries.backoff", "retries.budget"),
))  # fmt: skip


def test_it_takes_hardly_more_than_the_standard_library(project: Path) -> None:
    """Counted are the modules, which are what a run without work costs."""
    command = [sys.executable, "-X", "importtime", "-m", "gwc", "compile"]
    runs = [subprocess.run(command, capture_output=True, text=True, cwd=project, check=True) for _ in range(2)]
    whole, short = ({line.rpartition("|")[2].strip() for line in run.stderr.splitlines()} for run in runs)
    assert whole >= HEAVY
    assert not short & HEAVY
    assert len(short) < 70
    assert ": 0 written" in runs[1].stdout
