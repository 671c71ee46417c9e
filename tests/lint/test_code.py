"""The services' code as it is found: odd files, encodings, newer syntax, routers in circles. No crash, no secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gwc.diagnostics import Diagnostic
from gwc.lint.code.project import ServiceCode, read_services
from gwc.lint.code.routes import declared
from lint.rules import linted, sources

APP = "from fastapi import FastAPI\napp = FastAPI()\n"
ITEMS = "@app.get('/shop-items')\nasync def items(): ...\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "services" / "shop"
    directory.mkdir(parents=True)
    return directory


def _found(shop: Path, code: str) -> list[Diagnostic]:
    return [d for d in linted(sources(""), shop.parent) if d.code == code]


def _code(shop: Path) -> ServiceCode:
    (code,) = read_services(str(shop.parent), ["shop"])
    return code


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("utf16.py", b"\xff\xfex\x00", "its encoding is unknown"),
        ("cookie.py", b"# -*- coding: nonsense -*-\n", "its encoding is unknown"),
        ("bytes.py", b"# -*- coding: ascii -*-\nx = '\xe9'\n", "not ascii"),
        ("newer.py", b"x = (\n  1 1\n)\n", "line 2 is not Python"),
        ("deep.py", b"x = " + b"-" * 90_000 + b"1\n", "too deeply nested"),
        ("long.py", b"x = a" + b".b" * 90_000 + b"\n", "too deeply nested"),
        ("huge.py", b"x = 1\n" * 400_000, "larger than 2 MiB"),
        ("pyproject.toml", b"[project\n", "not a project's TOML"),
        ("pyproject.toml", b"project = 1\n", "not a project's TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding_and_no_crash(shop: Path, name: str, data: bytes, reason: str) -> None:
    (shop / "app.py").write_text(APP)
    (shop / name).write_bytes(data)
    (found,) = _found(shop, "GWC513")
    assert found.span.file.endswith(f"shop/{name}")
    assert reason in found.message
    assert _found(shop, "GWC511") == [], "routes may be in what was not read"


def test_links_pipes_and_directories_neither_hang_nor_loop(shop: Path) -> None:
    (shop / "app.py").write_text(APP + ITEMS)
    (shop / "loop.py").symlink_to("loop.py")
    (shop / "again").symlink_to(shop, target_is_directory=True)
    (shop / "folder.py").mkdir()
    os.mkfifo(shop / "pipe.py")
    assert [d.span.file.rpartition("/")[2] for d in _found(shop, "GWC513")] == ["loop.py"]


@pytest.mark.parametrize(
    "data", ["import slowapi\n".encode("utf-8-sig"), b"# coding: latin-1\nimport slowapi # \xe9\n"]
)
def test_declared_encodings_are_read(shop: Path, data: bytes) -> None:
    (shop / "app.py").write_bytes(data)
    assert len(_found(shop, "GWC500")) == 1


def test_old_line_ends_count_as_lines(shop: Path) -> None:
    (shop / "app.py").write_bytes(b"x = 1\rimport slowapi\r")
    assert [d.span.line for d in _found(shop, "GWC500")] == [2]


@pytest.mark.parametrize("name", ["test_app.py", "app_test.py", "conftest.py", "tests/app.py", ".venv/app.py"])
def test_code_that_does_not_serve_is_left_out(shop: Path, name: str) -> None:
    (shop / "main.py").write_text(APP + ITEMS)
    (shop / name).parent.mkdir(exist_ok=True)
    (shop / name).write_text("import slowapi\n")
    assert _found(shop, "GWC500") == []


def test_routers_that_include_one_another_end(shop: Path) -> None:
    routers = "".join(f"r{i} = APIRouter(prefix='/{i}')\n" for i in range(20))
    included = "".join(f"r{i}.include_router(r{j})\n" for i in range(20) for j in range(20))
    (shop / "app.py").write_text(f"from fastapi import APIRouter\n{APP}{routers}{included}app.include_router(r0)\n")
    assert not declared(_code(shop)).complete


@pytest.mark.parametrize(
    "text",
    [
        "from .common import *\n@router.get('/hidden')\ndef hidden(): ...\n",
        "from .common import *\napp.include_router(router)\n",
        "app.mount('/files', files)\n",
        "@app.get(PATH)\ndef a(): ...\n",
        "app.include_router(make())\n",
    ],
)
def test_where_a_route_may_be_hidden_nothing_is_said_of_policies_without_one(shop: Path, text: str) -> None:
    (shop / "app.py").write_text(APP + text)
    assert _found(shop, "GWC511") == []
    assert not declared(_code(shop)).complete


def test_nested_routers_prefixes_and_aliases_are_followed(shop: Path) -> None:
    (shop / "app.py").write_text(
        "import fastapi as fa\nfrom fastapi import FastAPI as App\nfrom .parts.items import router as items\n"
        "app = App()\nouter = fa.APIRouter(prefix='/a')\nouter.include_router(items, prefix='/b')\n"
        "app.include_router(outer, prefix='/c')\n"
    )
    (shop / "parts").mkdir()
    (shop / "parts" / "items.py").write_text(
        "from fastapi import APIRouter\nrouter: APIRouter = APIRouter(prefix='/d')\n"
        "@router.api_route('/{x:path}', methods=['GET', 'put'])\nasync def serve(x): ...\n"
    )
    found = declared(_code(shop))
    assert (found.complete, [(r.method, r.path) for r in found.routes]) == (
        True,
        [("GET", "/c/a/b/d/{x:path}"), ("PUT", "/c/a/b/d/{x:path}")],
    )


def test_a_report_quotes_no_secret_of_the_code(shop: Path) -> None:
    (shop / "app.py").write_text(
        "l = slowapi.Limiter(storage_uri='redis://:hunter22@cache', token = 'hunter22'); import slowapi\n"
    )
    (module,) = _code(shop).modules
    assert "hunter22" not in module.shown
    assert len(module.shown) == len(module.text)


CACHED = """
```yaml
# policies/shop.yaml
routes:
  - {name: item, path: "/items/{id}", methods: [GET, HEAD], cache: {ttl: 1m, scope: user, vary: {query: [page]}}}
  - {name: plain, path: "/plain/{id}", methods: [GET]}
```
"""


@pytest.mark.parametrize(
    ("arguments", "body", "missed"),
    [
        ("id: str, page: int = 1", "", []),
        ("id: str, size: int | None = None", "", ["the parameter `size`"]),
        ("id: str, tag: Annotated[str, Query(alias='t')]", "", ["the parameter `t`"]),
        ("id: str, service: Annotated[Service, Depends(get)], db: Session = Depends(db)", "", []),
        ("id: str, request: Request, background: BackgroundTasks", "", []),
        ("id: str, if_match: Annotated[str | None, Header()] = None", "", ["the header `if-match`"]),
        ("id: str, x_user_id: str = Header()", "", []),
        ("id: str, x_request_id: str = Header()", "", []),
        ("id: str, seen: str = Cookie()", "", ["the cookie `seen`"]),
        ("request: Request", "request.headers.get('Accept')", ["the header `accept`"]),
        ("request: Request", "request.query_params['sort']", ["the parameter `sort`"]),
        ("request: Request", "request.cookies.get('sid')", ["the cookie `sid`"]),
        ("response: Response", "response.headers['ETag'] = 'x'", []),
        ("client: Client = Depends()", "(await client.get('/')).headers['ETag']", []),
    ],
)
def test_what_a_cached_handler_reads_and_never_gets(shop: Path, arguments: str, body: str, missed: list[str]) -> None:
    handler = f"async def item({arguments}):\n    {body or 'pass'}\n"
    (shop / "app.py").write_text(
        f"from fastapi import *\n{APP}@app.get('/items/{{id}}')\n{handler}\n@app.get('/plain/{{id}}')\n{handler}"
    )
    found = [d for d in linted(sources(CACHED), shop.parent) if d.code == "GWC512"]
    assert [d.message.partition(" reads ")[2].partition(",")[0] for d in found] == missed
