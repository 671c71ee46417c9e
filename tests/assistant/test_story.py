"""The story of gateway and service, as `scripts/story` tells it, on every gateway that runs here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from conformance.variants import Variant, variants
from storyline.__main__ import STORY, main, played, told, verdict
from storyline.models import Double, SmolLM
from storyline.stage import Stage
from storyline.telling import Teller

README = (Path(__file__).parents[2] / "services/assistant/README.md").read_text(encoding="utf-8")
_QUOTED = re.compile(r"^<!-- excerpt: scripts/story -->\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ID = re.compile(r'x-request-id: \S+|"request_id": "[^"]+"')
NAMES = ("envoy/default", "nginx/njs", "kong-standin/plugin", "kong/plugin")
GATEWAYS = [
    pytest.param(one, id=one.name, marks=pytest.mark.xdist_group(f"story-{one.name}"))
    for one in variants()
    if one.name in NAMES
]


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("variant", GATEWAYS)
def test_every_answer_is_what_the_policies_say(
    variant: Variant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if missing := variant.missing():
        pytest.skip(missing)
    tell = told(variant.target, variant.engine, Double(), tmp_path)
    assert tell.wrong == []
    assert (tell.acts, tell.checked > 40) == (len(STORY), True)
    if variant.target.name == "envoy":
        (quoted,), printed = _QUOTED.findall(README), capsys.readouterr().out
        assert _ID.sub("", quoted) in _ID.sub("", printed)


def test_what_is_not_as_the_policies_say_is_named_and_ends_it_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Teller()
    tell.act("An act")
    tell.check("two and two", 2 + 2 == 4, 4)
    assert verdict(tell) == 0
    tell.check("the day is over", False, "it is noon")
    assert verdict(tell) == 1
    assert "1 of 2" in (printed := capsys.readouterr().out)
    assert "  WRONG in act 1: the day is over; seen: it is noon" in printed


def test_an_answer_that_cannot_be_read_is_wrong_and_the_story_goes_on() -> None:
    def act(_: Stage, tell: Teller) -> None:
        tell.act("An act")
        raise ValueError("no JSON")

    tell, nowhere = Teller(), cast(Stage, None)
    played(act, nowhere, tell)
    assert tell.wrong == ["1: every answer can be read; seen: ValueError('no JSON')"]


def test_a_model_or_a_gateway_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["story", "--model", "smollm2"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(SmolLM, "missing", lambda: "no weights")
    assert main() == 4
    assert "the story cannot be told: no weights" in capsys.readouterr().err
