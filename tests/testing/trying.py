"""A project with one service and a file of tests, and `gwc test` as a function."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from compiling import POLICIES
from gwc.cli import run

PLATFORM: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Platform",
    "listen": {"http": "127.0.0.1:8080"},
    "identity": {
        "jwt": {"issuer": "https://id.example.com/", "audience": ["shop"], "jwks": {"file": "keys/jwks.json"}},
        "api_key": {"consumers": [{"name": "app", "secret": {"env": "KEY_APP"}}]},
        "gateway_secret": {"header": "X-Proof", "secret": {"file": "/etc/gwc/proof"}},
    },
    "errors": {"type": "https://errors.example.com/"},
    "defaults": {"auth": "none", "retries": "none"},
}
SHOP: dict[str, Any] = {
    "apiVersion": "gwc/v1",
    "kind": "Service",
    "service": "shop",
    "upstream": {"endpoints": [{"url": "https://shop.internal:8443"}]},
    "routes": [
        {"name": "goods", "path": "/goods/{id}", "methods": ["GET", "HEAD"], "cache": {"ttl": "1m"}},
        {
            "name": "orders", "path": "/orders", "methods": ["POST"],
            "auth": {"any_of": ["jwt", "api_key"]}, "limits": [{"per": "user", "rate": "60/hour", "burst": 2}],
        },
    ],
}  # fmt: skip


def project(directory: Path, tests: str, platform: Mapping[str, Any] = PLATFORM, **services: Mapping[str, Any]) -> Path:
    """`tests` is the text of policies/tests/shop.yaml."""
    policies = directory / "policies"
    (policies / "tests").mkdir(parents=True)
    shutil.copytree(POLICIES / "keys", policies / "keys")
    for name, policy in {"platform": platform, "shop": SHOP, **services}.items():
        (policies / f"{name}.yaml").write_text(json.dumps(policy), encoding="utf-8")
    (policies / "tests/shop.yaml").write_text(tests, encoding="utf-8")
    return directory


@dataclass(frozen=True)
class Done:
    """How a run ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


def gwc(directory: Path, *words: str, **environ: str) -> Done:
    """`gwc test` in `directory`, in this process: to start one takes longer than most tests."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(directory), redirect_stdout(out), redirect_stderr(err), patch.dict(os.environ, environ):
        code = run(["test", "--now", "2026-11-23", *words])
    return Done(code, out.getvalue(), err.getvalue())


HEAD = """\
apiVersion: gwc/v1
kind: Tests
service: shop
"""
PASSING = (
    HEAD
    + """
tests:
  - name: two orders at once are a user's
    user: ann
    steps:
      - request: POST /orders
        repeat: 2
        expect: {status: 200, route: orders, receives: {headers: {X-User-Id: ann}}}
      - {request: POST /orders, expect: {status: 429, limited_by: route/shop/orders/0}}
      - {request: POST /orders, at: 61s, expect: {status: 200}}
  - name: goods are kept for a minute
    steps:
      - {request: GET /goods/1, expect: {cache: MISS}}
      - {request: GET /goods/1, expect: {cache: HIT, receives: none}}
"""
)
