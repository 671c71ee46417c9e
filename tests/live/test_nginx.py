"""A live diff against a real NGINX: nothing when it has just started, and each of the drifts that are put into it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gwc.live.source import LiveError
from gwc.live.tree import Kind
from gwc.target import Binary, EngineMissingError
from live.gateways import VALUE, Rendered, edit, nginx_dump, rendered, running, swap


def binary_of(one: Rendered) -> Binary:
    try:
        return one.target.engine.find(one.artifact.profile)
    except EngineMissingError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("profile", ["njs", "plain"])
def test_nothing_when_it_has_just_started(tmp_path: Path, profile: str) -> None:
    nginx = rendered(tmp_path, "nginx", profile)
    binary = binary_of(nginx)
    with running(nginx, binary):
        text = nginx_dump(nginx, binary)
    assert nginx.drifts(text) == ()


def test_what_it_does_not_show_is_said(tmp_path: Path) -> None:
    nginx = rendered(tmp_path, "nginx", "njs")
    text = nginx_dump(nginx, binary_of(nginx), whole=False)
    unseen = nginx.target.live.running(text, nginx.artifact).unseen  # type: ignore[attr-defined]
    assert "gwc.json" in unseen
    assert "njs/auth.js" in unseen
    assert nginx.drifts(text) == ()


def shorter_timeout(directory: Path) -> None:
    swap(directory / "gwc.json", r'("notes/create": \{.*?"timeout":)15000', r"\g<1>5000")


def location(directory: Path, route: str) -> str:
    """Where it begins: a location may have the name of another route that says the same."""
    found = json.loads((directory / "gwc.json").read_text(encoding="utf-8"))["settings"][route]
    return rf"route/{found['place']}\" \{{"


def larger_body(directory: Path) -> None:
    begin = location(directory, "notes/create")
    swap(directory / "public.conf", rf"({begin}.*?client_max_body_size )262144", r"\g<1>1048576")


def lower_cap(directory: Path) -> None:
    begin = location(directory, "assistant/usage")  # which has the name of another of its routes
    swap(directory / "public.conf", rf"({begin}.*?limit_conn gwc_service_cap )64", r"\g<1>7")


def other_upstream(directory: Path) -> None:
    swap(directory / "upstreams.conf", r"127\.0\.0\.1:8010", "127.0.0.1:8999")


def without_auth(directory: Path) -> None:
    swap(directory / "gwc.json", r'("notes/sync": \{.*?)"auth":"[^"]*",', r"\g<1>")


def without_route(directory: Path) -> None:
    begin = location(directory, "media/reading")
    swap(directory / "public.conf", rf"    location = \"/_gwc/{begin}.*?\n    \}}\n", "")


def backdoor(directory: Path) -> None:
    swap(directory / "public.conf", r"\n    location / \{", "\n    location /debug { return 200; }\n    location / {")


def deaf_breaker(directory: Path) -> None:
    swap(directory / "gwc.json", r'(":assistant":\{"failures":)5', r"\g<1>500")


def leaked_secret(directory: Path) -> None:
    begin = location(directory, "assistant/ask")
    swap(directory / "public.conf", rf"({begin}.*?\"X-Team\" )\"assistant\"", rf'\g<1>"{VALUE}"')


def other_script(directory: Path) -> None:
    edit(directory / "njs/auth.js", lambda text: text + "// later\n")


def trusted_everybody(directory: Path) -> None:
    swap(directory / "clients.conf", r"set_real_ip_from \"?10\.0\.0\.0/8\"?", "set_real_ip_from 0.0.0.0/0")


DRIFTS: list[tuple[Callable[[Path], None], Kind, str, str]] = [
    (shorter_timeout, Kind.CHANGED, "notes/create", "timeouts.request"),
    (larger_body, Kind.CHANGED, "notes/create", "max_body"),
    (lower_cap, Kind.CHANGED, "assistant/scripture", "upstream.concurrency"),
    (other_upstream, Kind.CHANGED, "notes", "upstream.endpoints"),
    (without_auth, Kind.MISSING, "notes/sync", "auth.any_of"),
    (without_route, Kind.MISSING, "media/reading", "route"),
    (backdoor, Kind.EXTRA, "the platform", ""),
    (deaf_breaker, Kind.CHANGED, "assistant", "upstream.breaker.failures"),
    (leaked_secret, Kind.CHANGED, "assistant/ask", "headers.request.set"),
    (other_script, Kind.CHANGED, "the platform", ""),
    (trusted_everybody, Kind.EXTRA, "the platform", ""),
    (trusted_everybody, Kind.MISSING, "the platform", "trusted_proxies"),
]


def test_every_drift_is_found(tmp_path: Path) -> None:
    """All of them at once, in one NGINX: none hides another."""
    nginx = rendered(tmp_path, "nginx", "njs")
    binary = binary_of(nginx)
    for drift in dict.fromkeys(drift for drift, *_ in DRIFTS):
        drift(nginx.directory)
    with running(nginx, binary):
        found = nginx.drifts(nginx_dump(nginx, binary))
    said = {(d.kind, str(subject), field) for d in found for subject in d.subjects for field in d.fields or ("",)}
    for drift, kind, subject, field in DRIFTS:
        assert (kind, subject, field) in said, (drift.__name__, sorted(said))


@pytest.mark.parametrize("text", ["", "hello", "# configuration file /x/nginx.conf:\nhttp { server {", "server { } }"])
def test_what_is_no_configuration_is_said(tmp_path: Path, text: str) -> None:
    nginx = rendered(tmp_path, "nginx", "njs")
    reader = nginx.target.live  # type: ignore[attr-defined]
    if reader.recognises(text):
        assert nginx.drifts(text)
    else:
        with pytest.raises(LiveError):
            reader.running(text, nginx.artifact)
