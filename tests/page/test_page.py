"""The page says all that the policies say, with where it stands, and nothing in a policy can become markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

import maximal
from compiling import POLICIES, sources_of
from gwc.leaves import Leaf, changed, leaves
from gwc.page.effective import HIDDEN
from gwc.page.render import render
from gwc.page.view import View
from gwc.source import Source

from .making import Elements, Made, example_sources, examples, made

EXAMPLES = examples()
MAXIMAL = made(sources_of(maximal.policies(), maximal.DIRECTORY))
HOSTILE = '</script><script>hacked()</script><img src=x onerror="hacked()"> {{ 7 * 7 }} \u2028 \'"&lt;'


def at(place: str) -> str:
    """`media auth: none` is the first line with `auth: none` in media.yaml: its place as the page writes it."""
    policy, _, text = place.partition(" ")
    lines = (POLICIES / f"{policy}.yaml").read_text(encoding="utf-8").splitlines()
    return f"{policy}.yaml:{next(number for number, line in enumerate(lines, 1) if text in line)}"


def row(shown: View, route: str, field: str) -> list[tuple[str, str, str, tuple[Any, ...]]]:
    """Text, level, place and what it overrules, of each value of `field`."""
    data = shown.data
    numbered = (data["values"][index] for index in data["routes"][route]["values"])
    return [tuple(value[1:]) for value in numbered if data["fields"][value[0]][1] == field]


@pytest.mark.parametrize(
    ("route", "field", "expected"),
    [
        (
            "assistant/ask",
            "timeouts.request",
            [("1m to the first byte", "route", "assistant timeouts: {request: 60s}")],
        ),
        (
            "notes/sync",
            "timeouts.request",
            [
                (
                    "15s, which bounds no websocket: idle does",
                    "platform",
                    "platform timeouts: {connect: 1s, request: 15s",
                )
            ],
        ),
        (
            "assistant/ask",
            "timeouts.connect",
            [("1s a try", "service", "assistant timeouts: {connect: 1s, request: 10s")],
        ),
        (
            "notes/list",
            "timeouts.connect",
            [("1s a try", "platform", "platform timeouts: {connect: 1s")],
        ),
        ("assistant/ask", "retries.attempts", [("none", "route", "assistant retries: none")]),
        ("media/catalogue", "cache.ttl", [("10m", "service", "media cache: {ttl: 10m")]),
        ("notes/list", "cache.scope", [("user", "route", "notes cache: {ttl: 5s")]),
        ("media/covers", "auth", [("public", "route", "media auth: none")]),
        ("notes/list", "auth.scopes", [("all of notes.read", "route", "notes auth: {scopes: [notes.read]}")]),
        ("media/reading", "cost", [("5 a request", "route", "media cost: 5")]),
        (
            "media/covers",
            "base_path",
            [("/media is taken off before forwarding", "service", "media base_path: /media")],
        ),
        ("accounts/profile", "base_path", []),
        (
            "accounts/sign-in",
            "per ip",
            [
                ("1000/min, burst 200", "platform", "platform - {per: ip, rate: 1000/min"),
                ("10/min, burst 5", "route", "accounts limits: [{per: ip, rate: 10/min"),
            ],
        ),
        (
            "accounts/invoices",
            "per x-tenant",
            [("1000/day, burst 50", "route", "accounts limits: [{per: {header: X-Tenant}")],
        ),
    ],
)
def test_a_value_stands_with_who_decided_it_and_where(route: str, field: str, expected: list[Any]) -> None:
    found = [value[:3] for value in row(EXAMPLES.view(), route, field)]
    assert found == [(text, level, at(place)) for text, level, place in expected]


@pytest.mark.parametrize(
    ("route", "field", "expected"),
    [
        (
            "assistant/ask",
            "timeouts.request",
            [
                ("service", "10s", "assistant timeouts: {connect: 1s, request: 10s"),
                ("platform", "15s", "platform timeouts: {connect: 1s, request: 15s"),
            ],
        ),
        (
            "media/covers",
            "auth",
            [
                ("service", "{any_of: [jwt, api_key]}", "media auth: {any_of: [jwt, api_key]}"),
                ("platform", "{any_of: [jwt]}", "platform auth: {any_of: [jwt]}"),
            ],
        ),
        ("media/covers", "cache.scope", []),
    ],
)
def test_a_value_tells_what_it_overrules_the_nearest_first(route: str, field: str, expected: list[Any]) -> None:
    (found,) = row(EXAMPLES.view(), route, field)
    assert list(found[3]) == [(level, text, at(place)) for level, text, place in expected]


def test_an_environment_is_merged_in_and_named() -> None:
    found = examples("prod")
    assert row(found.view(), "notes/list", "upstream.endpoints")[0][0] == "https://notes.prod.internal:443"
    assert row(found.view(), "notes/list", "concurrency")[0][0] == "4000 in flight, over all services"
    assert "Environment <strong>prod</strong>" in found.page()


def test_a_public_route_has_no_users_to_count_and_no_budget() -> None:
    assert row(EXAMPLES.view(), "assistant/scripture", "per user") == []
    assert row(EXAMPLES.view(), "assistant/scripture", "budget.units") == []
    assert row(EXAMPLES.view(), "assistant/usage", "budget.units")[0][0] == "1000/hour for each user"


NOT_SHOWN = {
    "*.id": "tells buckets apart",
    "access_log": "has one value so far",
    "identity.jwt.name": "a label derived from the position",
    "identity.jwt.jwks": "public keys, which nobody reads",
    "identity.jwt.user_claim": "how a token names its user, on the policy's page",
    "identity.jwt.scope_claim": "the same of scopes",
    "identity.jwt.leeway": "seconds",
    "listen.https.certificate": "a path on the gateway's host",
    "listen.https.key": "the same",
    "identity.api_key.consumers.secret": "a reference to a secret",
    "rate_limit_store": "its address and what happens when it fails are shown",
    "services.base_path": "part of every route's path; what is taken off is shown",
    "services.upstream.tls": "paths on the gateway's host",
}
"""Leaves that the page leaves out, with the reason."""


def _shown(leaf: Leaf) -> bool:
    hidden = any(fnmatchcase(leaf.name, pattern) or leaf.name.startswith(f"{pattern}.") for pattern in NOT_SHOWN)
    there = leaf.value not in (None, (), 0) or leaf.value is False
    return there and leaf.name not in ("now", "targets") and not hidden and not _retries_nothing(leaf)


def _retries_nothing(leaf: Leaf) -> bool:
    """How to try again is of no interest where nobody does."""
    if not leaf.name.startswith("services.routes.retries.") or leaf.path[-1] == "attempts":
        return False
    _, service, _, route, *_ = leaf.path
    assert isinstance(service, int)
    assert isinstance(route, int)
    return MAXIMAL.gateway.services[service].routes[route].retries.attempts == 0


@pytest.mark.slow
def test_no_leaf_of_a_gateway_is_dropped() -> None:
    plain = render(MAXIMAL.view())
    every = [leaf for leaf in leaves(MAXIMAL.gateway) if _shown(leaf)]
    assert len(every) > 80
    dropped = [leaf.path for leaf in every if render(MAXIMAL.view(changed(MAXIMAL.gateway, leaf))) == plain]
    assert dropped == []


def test_the_same_policies_give_the_same_bytes() -> None:
    assert EXAMPLES.page() == examples().page()


def hostile() -> Made:
    """Whatever a policy takes as free text, it takes this."""
    policies = maximal.policies()
    service = policies["everything"]
    for holder in (policies["platform"], service, service["routes"][0]):
        holder["description"] = HOSTILE.replace("\u2028", "")
    for holder in (policies["platform"], service):
        holder["owner"] = "<script>hacked()</script>"
    service["routes"][0].setdefault("headers", {})["request"] = {"set": {"X-Hostile": "</script><script>hacked()//"}}
    policies["platform"]["waivers"] = [
        {**waiver, "reason": "<img src=x onerror=hacked()>"} for waiver in policies["platform"].get("waivers", [])
    ]
    return made(sources_of(policies, maximal.DIRECTORY))


def test_nothing_in_a_policy_becomes_markup() -> None:
    plain, found = Elements(MAXIMAL.page()), Elements(hostile().page())
    assert [tag for tag, _ in found.found if tag in ("script", "img", "style", "iframe", "link")] == [
        tag for tag, _ in plain.found if tag in ("script", "img", "style", "iframe", "link")
    ]
    assert [
        name for _, attributes in found.found for name in attributes if name.startswith("on") or name == "style"
    ] == []
    data = json.loads("".join(text for name, text in found.inside if name == "script" and text.startswith("{")))
    route = next(iter(data["routes"].values()))
    assert route["owner"] == "<script>hacked()</script>"
    assert "{{ 7 * 7 }}" in route["about"]


def _policy(page: str) -> dict[str, str]:
    (found,) = [meta["content"] for meta in Elements(page).named("meta") if meta.get("http-equiv")]
    return dict(part.partition(" ")[::2] for part in found.split("; "))


def test_the_page_lets_in_nothing_but_its_own_script_and_style() -> None:
    page = EXAMPLES.page()
    policy = _policy(page)
    assert policy["default-src"] == "'none'"
    assert not re.search(r"unsafe|\*|https?:", " ".join(policy.values()))
    for kind, tag in (("script-src", "script"), ("style-src", "style")):
        text = page.rpartition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[kind] == f"'sha256-{digest}'"


def test_the_page_names_nothing_to_load() -> None:
    for _, attributes in Elements(EXAMPLES.page()).found:
        for name in ("src", "href", "action", "srcset", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml,"))


def test_a_value_that_looks_like_a_credential_is_not_in_the_page() -> None:
    secret = "Bearer abcdefgh12345678"
    sources = [
        Source(source.name, source.text.replace("X-Team: assistant", f"Authorization: {secret}"))
        for source in example_sources()
    ]
    found = made(sources)
    assert row(found.view(), "assistant/ask", "headers.request.set")[0][0] == f"Authorization: {HIDDEN}"
    assert secret not in found.page()
    assert "abcdefgh" not in found.page()


def test_links_within_the_page_lead_somewhere() -> None:
    view, elements = EXAMPLES.view(), Elements(EXAMPLES.page())
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in elements.named("a"):
        target = link["href"].removeprefix("#")
        assert target.removeprefix("route=") in view.data["routes"] or target in ids
    labels = [attributes[name] for _, attributes in elements.found for name in LABELS if name in attributes]
    assert {part for label in labels for part in label.split()} <= set(ids)


LABELS = ("aria-labelledby", "aria-controls")


def test_the_matrix_tells_what_each_gateway_keeps_here() -> None:
    rows = {one.feature: one for one in EXAMPLES.view().matrix}
    cells = {cell.target: cell for cell in rows["budget.cluster"].cells}
    assert (cells["envoy"].fidelity, cells["envoy"].accepted) == ("unsupported", True)
    assert cells["kong"].fidelity == "exact"
    assert cells["envoy"].notes[0].subjects == ("media",)
    assert rows["listen.https"].used is False


def test_a_route_tells_what_is_not_exact_for_it_and_for_its_service() -> None:
    data = EXAMPLES.view().data
    ask = data["routes"]["assistant/ask"]
    notes = {tuple(data["notes"][index][:3]) for index in ask["shared"]}
    assert ("envoy", "budget.charge", "unsupported") in notes
    assert "on:envoy:unsupported" in ask["facets"]
    assert "on:envoy:unsupported" not in data["routes"]["accounts/profile"]["facets"]


def test_waivers_stand_at_their_route_and_the_next_to_end_first() -> None:
    view = EXAMPLES.view()
    assert [waiver.service for waiver in view.waivers[:2]] == ["notes", "assistant"]
    assert view.waivers[0].days == 128
    scripture = view.data["routes"]["assistant/scripture"]
    written = at("platform - {service: assistant, route: scripture")
    assert scripture["waivers"] == [("auth", "public domain text", "2027-06-30", written)]
    assert "has:waiver" in scripture["facets"]
    assert view.data["routes"]["notes/sync"]["waivers"][0][0] == "upstream.concurrency"


def test_filters_offer_what_there_is_and_count_it() -> None:
    view = EXAMPLES.view()
    assert dict(view.choices["auth"])["auth:public"] == "public (8)"
    assert dict(view.choices["owner"]) == {
        "team-assistant": "team-assistant (1)", "team-identity": "team-identity (1)",
        "team-media": "team-media (1)", "team-notes": "team-notes (1)",
    }  # fmt: skip
    assert "limit:none" not in dict(view.choices["limit"])
    assert "on:kong:approximate" in dict(view.choices["on"])
