"""A correct policy in a minute: no finding of lint, compiled for every gateway, nothing of anybody's overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

ROUTES = """\
from fastapi import APIRouter, FastAPI

raise RuntimeError("never run")
app = FastAPI()
router = APIRouter(prefix="/v1")

@router.get("/notes/{note}")
def read_note(note: str): ...

@router.put("/notes/{note}")
def write_note(note: str): ...

@router.get("/files/{rest:path}")
def files(rest: str): ...

@app.get("/healthz")
def healthz(): ...

@app.get("/metrics")
def metrics(): ...

app.include_router(router)
"""
OPENAPI = """\
openapi: 3.0.3
info: {title: Orders, version: "1"}
servers: [{url: /v2}]
paths:
  /orders/{id}: {get: {operationId: getOrder}}
"""


@pytest.mark.parametrize(
    "flags",
    [
        ("--service", "shop"),
        ("--service", "shop", "--auth", "none"),
        ("--service", "shop", "--auth", "jwt", "--owner", 'team: "#1"', "--endpoint", "http://127.0.0.1:9"),
        ("--service", "shop", "--endpoint", "https://shop.internal"),
        ("--service", "shop", "--from-fastapi", "app"),
        ("--service", "shop", "--from-fastapi", "app/main.py"),
        ("--from-openapi", "orders.yaml"),
        ("--from-openapi", "orders.yaml", "--auth", "api_key", "--service", "shop"),
    ],
    ids=" ".join,
)
def test_what_it_writes_has_no_finding_and_compiles(gwc, tmp_path: Path, flags: tuple[str, ...]) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(ROUTES)
    (tmp_path / "orders.yaml").write_text(OPENAPI)
    begun = gwc("init", *flags)
    assert begun.code == 0, begun
    assert "gwc lint" in begun.out and "gwc compile" in begun.out and "gwc run -t envoy" in begun.out
    linted = gwc("lint")
    assert (linted.code, linted.out) == (0, "no findings\n")
    compiled = gwc("compile")
    assert compiled.code == 0
    assert "warning" not in compiled.out or "https:" in " ".join(flags)  # a trust store is the host's own


def test_routes_of_fastapi_are_read_and_not_run(gwc, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text(ROUTES)
    begun = gwc("init", "--service", "shop", "--from-fastapi", "app")
    written = (tmp_path / "policies" / "shop.yaml").read_text()
    assert 'path: "/v1/notes/{note}", methods: [GET, PUT]' in written
    assert 'path: "/v1/files/**", methods: [GET]' in written
    assert "health: {path: /healthz, every: 5s}" in written
    assert "/metrics" not in written and "GWC805 `/metrics`" in begun.out


def test_a_module_is_found_as_python_would_find_it(gwc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib" / "notes").mkdir(parents=True)
    (tmp_path / "lib" / "notes" / "main.py").write_text(ROUTES)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    assert gwc("init", "--service", "shop", "--from-fastapi", "notes.main:app").code == 0
    assert "/v1/files/**" in (tmp_path / "policies" / "shop.yaml").read_text()
    missing = gwc("init", "--service", "other", "--from-fastapi", "notes.nothing")
    assert missing.code == 2
    assert "neither a directory nor a module" in missing.err


def test_nothing_is_overwritten(gwc, tmp_path: Path) -> None:
    assert gwc("init", "--service", "shop").code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "policies").iterdir()}
    again = gwc("init", "--service", "shop", "--owner", "team-other")
    assert again.code == 2
    assert "there already" in again.err
    assert {path: path.read_bytes() for path in (tmp_path / "policies").iterdir()} == before


def test_a_second_service_keeps_the_platform_and_meets_it(gwc, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    platform = tmp_path / "policies" / "edge.yaml"
    platform.write_text(
        "apiVersion: gwc/v1\nkind: Platform\nowner: me\nlisten: {http: '127.0.0.1:8080'}\n"
        "identity: {api_key: {consumers: [{name: mobile, secret: {env: KEY_MOBILE}}]}}\n"
        "bounds: {limits.ip: required, upstream.health: required, upstream.breaker: required, budget: required,\n"
        "  upstream.concurrency: {max: 20}}\n"
    )
    before = platform.read_text()
    begun = gwc("init", "--service", "shop")
    assert begun.code == 0, begun
    assert platform.read_text() == before
    assert [path.name for path in sorted((tmp_path / "policies").iterdir())] == ["edge.yaml", "shop.yaml"]
    text = (tmp_path / "policies" / "shop.yaml").read_text()
    assert "concurrency: 20" in text and "/healthz" in text and "budget:" in text and "per: ip" in text
    assert gwc("compile").code in (0, 3)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "the service has no name"),
        (("--service", "My Shop"), "write it as `my-shop`"),
        (("--service", "shop", "--endpoint", "http://user:pw@host"), "without user, password"),
        (("--service", "shop", "--endpoint", "http://host/path"), "it has a path"),
        (("--service", "shop", "--from-openapi", "nowhere.yaml"), "nowhere.yaml"),
        (("--service", "shop", "--from-openapi", "a", "--from-fastapi", "b"), "exclude each other"),
        (("--service", "shop", "--owner", "a\nb"), "one line"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes(gwc, tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    failed = gwc("init", *flags)
    assert failed.code == 2
    assert words in failed.err
    assert not (tmp_path / "policies").exists()


def test_a_broken_platform_is_said(gwc, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "platform.yaml").write_text("apiVersion: gwc/v1\nkind: Platform\nlisten: {htpp: 1}\n")
    failed = gwc("init", "--service", "shop")
    assert failed.code == 1
    assert "platform.yaml is not valid" in failed.err
