"""Where a rule stops: neighbours of its example that are fine, and ones that are not."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lint.rules import linted, policies_of


def _routes(*paths: str, **more: Any) -> dict[str, Any]:
    return {"routes": [{"name": f"r{i}", "path": p, "methods": ["GET"], **more} for i, p in enumerate(paths)]}


def _found(code: str, **said: Any) -> list[str]:
    given = {name: yaml.safe_load(text) if isinstance(text, str) else text for name, text in said.items()}
    return [d.message for d in linted(policies_of(given)) if d.code == code]


@pytest.mark.parametrize(
    ("paths", "both"),
    [
        (("/a/{x}/c", "/a/b/{y}"), "/a/b/c"),
        (("/a/{x}/c", "/a/b/**"), "/a/b/c"),
        (("/{x}/b/{z}", "/a/{y}/{z}/**"), None),
        (("/{x}/b/**", "/a/{y}/c"), "/a/b/c"),
        (("/{v}/b/{x}", "/a/{w}/{y}"), "/a/b/{x}"),
        (("/a/{x}/c", "/a/b/{y}", "/a/b/c"), None),
        (("/a/{x}", "/a/b"), None),
        (("/a/{x}", "/a/b/{y}"), None),
        (("/a/{x}/", "/a/b/{y}"), None),
        (("/a/**", "/a/{x}/b", "/a/b/**"), "/a/b/b"),
        (("/a/{x}/c", "/b/{y}/{z}"), None),
    ],
)
def test_templates_that_fit_the_same_path(paths: tuple[str, ...], both: str | None) -> None:
    found = _found("GWC436", shop=_routes(*paths))
    assert [message.partition(": ")[2].partition(" fits ")[0] for message in found] == ([both] if both else [])


@pytest.mark.parametrize(
    ("listen", "upstream", "count"),
    [
        ("0.0.0.0:8080", "127.0.0.1:8080", 1),
        ("[::]:8080", "localhost:8080", 1),
        ("10.0.0.5:8080", "10.0.0.5:8080", 1),
        ("10.0.0.5:8080", "127.0.0.1:8080", 0),
        ("127.0.0.1:8080", "127.0.0.1:8081", 0),
        ("0.0.0.0:8080", "10.0.0.9:8080", 0),
    ],
)
def test_an_upstream_that_is_the_gateway(listen: str, upstream: str, count: int) -> None:
    found = _found("GWC313", platform={"listen": {"http": listen}}, shop={"upstream": f"http://{upstream}"})
    assert len(found) == count


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ("[{per: service, rate: 10/s, burst: 5}, {per: user, rate: 20/s, burst: 10}]", 1),
        ("[{per: service, rate: 10/s, burst: 5}, {per: user, rate: 5/s, burst: 10}]", 0),
        ("[{per: service, rate: 10/s, burst: 5}, {per: ip, rate: 20/s, burst: 10}]", 0),
        ("[{per: service, rate: 10/s, burst: 5, mode: shadow}, {per: user, rate: 20/s, burst: 10}]", 0),
        ("[{per: user, rate: 10/s, burst: 10}, {per: user, rate: 100/min, burst: 100}]", 0),
    ],
)
def test_a_limit_inside_the_bucket_for_all(limits: str, count: int) -> None:
    assert len(_found("GWC320", shop=f"limits: {limits}")) == count


def test_what_nobody_else_serves_may_be_one_teams() -> None:
    everything = {"hosts": ["a.example.com"], **_routes("/**")}
    inner = {"hosts": ["a.example.com"], "base_path": "/other"}
    assert _found("GWC435", shop=everything, other=inner) == []
    assert (
        len(_found("GWC435", shop={**everything, "base_path": "/other"}, other={**inner, "base_path": "/other/b"})) == 1
    )


@pytest.mark.parametrize(("per_try", "count"), [("3s", 0), ("4975ms", 1), ("4974ms", 0)])
def test_the_pauses_of_the_backoff_count(per_try: str, count: int) -> None:
    retries = f"{{attempts: 2, when: [503], per_try: {per_try}, backoff: {{base: 26ms, max: 50ms}}, budget: 20%}}"
    assert len(_found("GWC301", shop=f"timeouts: {{request: 15s}}\nretries: {retries}")) == count


def test_a_budget_per_node_may_be_meant() -> None:
    platform = 'rate_limit_store: {redis: "redis://127.0.0.1:6379"}'
    assert _found("GWC334", platform=platform, shop="budget: {per: user, units: 9/hour, scope: gateway}") == []


PLAIN = [
    ("http://a.example.com", 1), ("http://a.example.com:8080", 1), ("https://a.example.com", 0),
    ("http://localhost:3000", 0), ("http://127.0.0.1", 0), ("http://[::1]", 0), ("http://[::1]:3000", 0),
    ("http://[2001:db8::1]:3000", 1),
]  # fmt: skip


@pytest.mark.parametrize(("url", "count"), PLAIN)
def test_plain_text_that_leaves_the_machine(url: str, count: int) -> None:
    cors = {"origins": [url], "methods": ["GET"], "credentials": True}
    assert len(_found("GWC403", shop=_routes("/a", cors=cors))) == count
    keys = {"identity": {"jwt": {"jwks": {"file": None, "url": f"{url}/keys"}}}}
    assert len(_found("GWC417", platform=keys)) == count
