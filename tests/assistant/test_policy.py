"""The service and its policy say the same: paths, methods, headers. They meet over HTTP alone, so only a test can."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistant.running import Running
from gwc_assistant import identity
from gwc_assistant.problems import UNITS
from gwc_assistant.settings import Settings

REPOSITORY = Path(__file__).parents[2]
POLICY: dict[str, Any] = yaml.safe_load((REPOSITORY / "policies/assistant.yaml").read_text(encoding="utf-8"))
PLATFORM: dict[str, Any] = yaml.safe_load((REPOSITORY / "policies/platform.yaml").read_text(encoding="utf-8"))
ROUTES: dict[str, dict[str, Any]] = {route["path"]: route for route in POLICY["routes"]}
PLATFORMS_OWN = {"/healthz", "/readyz", "/metrics", "/openapi.json"}
"""Not for clients: the gateway has no route to them."""


@pytest.fixture
def service(run: Callable[[Settings], Running], settings: Settings) -> Running:
    return run(settings)


def document(service: Running) -> dict[str, Any]:
    paths: dict[str, Any] = service.client.get("/openapi.json").json()["paths"]
    return {path: item for path, item in paths.items() if path not in PLATFORMS_OWN}


def methods(service: Running, path: str) -> set[str]:
    """As the router tells them to who comes with another."""
    response = service.client.request("DELETE", path.replace("{", "").replace("}", ""))
    assert response.status_code == 405, path
    return set(response.headers["Allow"].split(", "))


def test_every_route_is_in_the_policy_with_its_methods_and_the_other_way_round(service: Running) -> None:
    served = {path: methods(service, path) for path in document(service)}
    assert served == {path: set(route["methods"]) for path, route in ROUTES.items()}


def test_the_platforms_own_paths_are_no_routes_of_the_policy() -> None:
    assert not PLATFORMS_OWN & ROUTES.keys()
    assert POLICY["upstream"]["health"]["path"] in identity.EXEMPT


def test_the_headers_are_the_policys(settings: Settings) -> None:
    assert POLICY["budget"]["charge"] == UNITS
    assert PLATFORM["identity"]["user_header"] == settings.user_header
    assert PLATFORM["identity"]["gateway_secret"]["header"] == settings.gateway_secret_header
    assert PLATFORM["request_id"]["header"] == settings.request_id_header
    assert POLICY["base_path"] == settings.base_path


def test_what_needs_a_user_is_what_has_one(service: Running) -> None:
    """A public route gets no user from the gateway; every other one does."""
    needs = {path for path, item in document(service).items() if "401" in str(item)}
    assert needs == {path for path, route in ROUTES.items() if route.get("auth") != "none"}


def test_a_cached_route_is_given_every_parameter_that_it_reads(service: Running) -> None:
    """The gateway leaves out what the key has not: a parameter that is not listed never arrives."""
    for path, route in ROUTES.items():
        if "cache" not in route:
            continue
        parameters = document(service)[path]["get"].get("parameters", ())
        read = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
        assert read == set(route["cache"].get("vary", {}).get("query", ())), path


def test_the_first_token_comes_before_the_gateway_gives_up(settings: Settings) -> None:
    """`timeouts.request` of a stream is to its first byte: a wait for another's answer and two models fit into it."""
    limit = int(re.fullmatch(r"(\d+)s", ROUTES["/v1/ask"]["timeouts"]["request"])[1])  # type: ignore[index]
    assert 3 * (settings.llm_first_token + settings.bulkhead_wait) < limit
    idle = int(re.fullmatch(r"(\d+)s", POLICY["timeouts"]["idle"])[1])  # type: ignore[index]
    assert settings.llm_next_token < idle


def test_the_drain_is_longer_than_a_health_check(settings: Settings) -> None:
    every = int(re.fullmatch(r"(\d+)s", POLICY["upstream"]["health"]["every"])[1])  # type: ignore[index]
    assert Settings(gateway_secret=settings.gateway_secret).drain_delay > every


def test_the_kept_answers_last_as_long_as_the_policy_says(service: Running) -> None:
    public = {path: route["cache"]["ttl"] for path, route in ROUTES.items() if route.get("auth") == "none"}
    assert len(public) == 4
    for path, ttl in public.items():
        target = path.format(reference="John 3:16", id="ask")
        response = service.client.get(target, params={"q": "love"} if path.endswith("/search") else {})
        hours = re.fullmatch(r"(\d+)h", ttl)[1]  # type: ignore[index]
        assert response.headers["Cache-Control"] == f"public, max-age={int(hours) * 3600}", path


def test_lint_finds_nothing_in_the_service() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gwc", "lint", "--services", "services", "policies/assistant.yaml"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "no findings"), done.stdout + done.stderr
