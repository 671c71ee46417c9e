"""No text of a policy means anything to Envoy but itself: judged by the real binary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gwc.target import EngineMissingError
from gwc_envoy import TARGET
from gwc_envoy.xds import literal, pattern
from unit.envoy.policies import gateway, route

_VALUES = (
    "%REQ(authorization)%",
    "%",
    "100%",
    "%%",
    "%ENVIRONMENT(HOME)%",
    '"}],"x":[{"',
    "$(reboot) ${x} `id`",
    "\\1 \\ \\u0000",
    "{{ x }} {% y %}",
    "'; drop",
    "x" * 2000,
)


def _accepted(tmp_path: Path, given: Any) -> tuple[object, ...]:
    try:
        binary = TARGET.engine.find("default")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    artifact = TARGET.emit(given, "default")
    assert TARGET.judge(artifact) == ()
    (tmp_path / "envoy.json").write_text(artifact.files["envoy.json"].text, encoding="utf-8")
    return TARGET.engine.verify(binary, tmp_path, artifact)


@pytest.mark.live
def test_header_values(tmp_path: Path) -> None:
    values = {f"X-H{number}": value for number, value in enumerate(_VALUES)}
    changes = {"request": {"set": values}, "response": {"set": values, "remove": ["Server", "X-Powered-By"]}}
    assert _accepted(tmp_path, gateway({"service": "a", "headers": changes})) == ()


@pytest.mark.live
def test_texts_names_and_paths(tmp_path: Path) -> None:
    service = {
        "service": "a" * 63,
        "owner": 'team "é" %REQ(x)% \\ {} \U0001f600',
        "description": "%%",
        "hosts": ["a-b.example.com", "192.0.2.1", "2001:db8::1"],
        "base_path": "/a.b/$x/(y)/+",
        "routes": [
            route("one", "/~!$&'()+,;=:@-._", description='"%"'),
            route("two", "/{a}/x+y/**", ("GET", "POST", "DELETE", "OPTIONS")),
        ],
    }
    platform = {"errors": {"type": "urn:x:%25%REQ"}, "metrics": {"path": "/m-e_t.r"}}
    given = gateway(service, **platform)
    assert _accepted(tmp_path, given) == ()


@pytest.mark.live
def test_secrets_that_this_machine_lacks(tmp_path: Path) -> None:
    secret = {"header": "X-Gateway-Secret", "secret": {"file": "/nonexistent/secret"}}
    given = gateway({"service": "a"}, identity={"user_header": "X-User-Id", "gateway_secret": secret})
    assert _accepted(tmp_path, given) == ()


@pytest.mark.live
def test_certificates_that_this_machine_lacks(tmp_path: Path) -> None:
    own = {"client_certificate": {"file": "/nonexistent/c"}, "client_key": {"secret": {"file": "/nonexistent/k"}}}
    https = {"endpoints": [{"url": "https://a.example.com"}], "tls": {"ca": {"file": "/nonexistent/ca"}, **own}}
    key = {"client_certificate": {"file": "/nonexistent/c"}, "client_key": {"secret": {"env": "NO_SUCH_KEY"}}}
    other = {"endpoints": [{"url": "https://192.0.2.1"}, {"url": "https://192.0.2.2"}], "tls": key}
    given = gateway({"service": "a", "upstream": https}, {"service": "b", "upstream": other})
    assert _accepted(tmp_path, given) == ()


@pytest.mark.parametrize("text", _VALUES)
def test_a_literal_has_only_doubled_percent_signs(text: str) -> None:
    assert "%" not in literal(text).replace("%%", "")
    assert literal(text).replace("%%", "%") == text


def test_a_pattern_matches_its_text_alone() -> None:
    import re

    for text in ("/a.b", "/a+(b)", "/$x|y", "/[a]"):
        assert re.fullmatch(pattern(text), text)
    assert not re.fullmatch(pattern("/a.b"), "/aXb")


@pytest.mark.live
def test_a_path_as_long_as_the_language_allows(tmp_path: Path) -> None:
    long = "/" + "/".join(["{a}", *["segment.x" for _ in range(80)], "**"])
    given = gateway({"service": "a", "routes": [route(path=long)]})
    assert _accepted(tmp_path, given) == ()
