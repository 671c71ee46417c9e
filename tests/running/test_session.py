"""A run step by step, with a gateway that is a fake: what the real ones seldom do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from gwc import discovery
from gwc.cli.exits import CommandError, ExitCode
from gwc.cli.running.ending import Ending
from gwc.cli.running.session import Session
from gwc.cli.running.wanted import Wanted
from gwc.discovery import InstalledTarget
from gwc.features import FEATURES
from gwc.ir import Gateway
from gwc.serving import Place
from gwc.support import EXACT, SupportTable
from gwc.target import Artifact, Binary, OutputFile
from ports import free_port

PLATFORM = """\
apiVersion: gwc/v1
kind: Platform
listen: {{http: {http}, admin: "127.0.0.1:{admin}"}}
defaults: {{auth: none}}
"""
SHOP = """\
apiVersion: gwc/v1
kind: Service
service: shop
upstream: http://shop.internal:8000
routes:
  - {name: goods, path: /goods, methods: [GET]}
"""
MORE = "  - {name: orders, path: /orders, methods: [GET]}\n"


@dataclass
class FakeServed:
    """Remembers the files of each reload. `steps` are taken, one at each look, as somebody at the keyboard would."""

    place: Place
    steps: list[object]
    refuses: bool = False
    ended_with: str | None = None
    seen: list[str] = field(default_factory=list)
    patience: list[float] = field(default_factory=list)

    @property
    def files(self) -> str:
        return (self.place.directory / "routes.conf").read_text("utf-8")

    @property
    def ended(self) -> str | None:
        if self.steps:
            self.steps.pop(0)(self)  # type: ignore[operator]
        return self.ended_with

    def reload(self) -> None:
        self.seen.append(self.files)
        if self.refuses:
            raise RuntimeError("the gateway would not")

    def stop(self, patience: float) -> None:
        self.patience.append(patience)
        if patience and self.refuses:
            raise KeyboardInterrupt


@dataclass
class FakeTarget:
    """Renders the names of the routes; its engine is itself."""

    steps: list[object]
    name: str = "alpha"
    profiles: tuple[str, ...] = ("full",)
    served: FakeServed | None = None

    @property
    def engine(self) -> FakeTarget:
        return self

    def find(self, profile: str) -> Binary:
        return Binary(Path("/nowhere/alpha"), "9.9")

    def verify(self, binary: Binary, directory: Path, artifact: Artifact) -> tuple[()]:
        return ()

    def launch(self, *_: object) -> None:
        raise AssertionError("a run serves")

    def serve(self, binary: Binary, place: Place) -> FakeServed:
        self.served = FakeServed(place, self.steps)
        return self.served

    def support(self, profile: str) -> SupportTable:
        return SupportTable(self.name, profile, dict.fromkeys(FEATURES, EXACT))

    def emit(self, gateway: Gateway, profile: str) -> Artifact:
        names = "".join(f"{s.name}/{r.name}\n" for s in gateway.services for r in s.routes)
        return Artifact(self.name, profile, {"routes.conf": OutputFile(names, {})})

    def judge(self, artifact: Artifact) -> tuple[()]:
        return ()


@dataclass
class Stage:
    policies: Path
    target: FakeTarget
    ending: Ending
    session: Session

    def steps(self, *steps: object) -> None:
        self.target.steps[:] = [*steps, lambda served: self.ending.end(ExitCode.OK)]

    def write(self, text: str) -> None:
        (self.policies / "shop.yaml").write_text(text, encoding="utf-8")

    @property
    def served(self) -> FakeServed:
        assert self.target.served is not None
        return self.target.served


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.chdir(tmp_path)
    policies, target, ending = tmp_path / "policies", FakeTarget([]), Ending()
    policies.mkdir()
    platform = PLATFORM.format(http=free_port(), admin=free_port())
    (policies / "platform.yaml").write_text(platform, encoding="utf-8")
    (policies / "shop.yaml").write_text(SHOP, encoding="utf-8")
    entry = type("Entry", (), {"load": lambda self: target, "dist": None})()
    monkeypatch.setattr(discovery, "_entry_points", lambda: {"alpha": entry})
    monkeypatch.setattr("gwc.cli.running.session.POLL", 0.01)
    assert isinstance(discovery.load_targets(["alpha"])[0], InstalledTarget)
    wanted = Wanted("alpha", "policies", None, date(2026, 11, 23), None, None, None, False, ("dev",), False)
    return Stage(policies, target, ending, Session(wanted, ending))


def test_a_changed_policy_is_taken_up_once(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.steps(lambda served: stage.write(SHOP + MORE), lambda served: None)
    assert stage.session.run() is ExitCode.OK
    assert stage.served.seen == ["shop/goods\nshop/orders\n"]
    err = capsys.readouterr().err
    assert "gwc: alpha 9.9 serves 1 route on http://127.0.0.1:" in err
    assert "policies/shop.yaml changed: reloaded in" in err
    assert not stage.served.place.directory.exists(), "nothing stays behind"


def test_what_comes_out_the_same_is_not_reloaded(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.steps(
        lambda served: stage.write(SHOP + "# a remark\n"),
        lambda served: stage.write("service: [\n"),
        lambda served: stage.write(SHOP),
        lambda served: stage.write(SHOP + MORE),
    )
    assert stage.session.run() is ExitCode.OK
    assert stage.served.seen == ["shop/goods\nshop/orders\n"]
    assert capsys.readouterr().err.count("shop.yaml changed: the gateway's configuration is the same") == 2


def test_a_bad_policy_is_told_once_and_the_good_one_after_it_taken_up(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.steps(
        lambda served: stage.write(SHOP.replace("[GET]", "[GTE]")),
        lambda served: None,
        lambda served: stage.write(SHOP + MORE),
    )
    assert stage.session.run() is ExitCode.OK
    err = capsys.readouterr().err
    assert err.count("the gateway goes on as it was") == 1
    assert "policies/shop.yaml:6:" in err
    assert "error GWC104" in err
    assert stage.served.seen == ["shop/goods\nshop/orders\n"]


def test_a_gateway_that_will_not_reload_keeps_the_files_of_before(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(served: FakeServed) -> None:
        served.refuses = True
        stage.write(SHOP + MORE)

    left: list[str] = []
    stage.steps(change, lambda served: left.append(served.files))
    assert stage.session.run() is ExitCode.OK
    assert stage.served.seen == ["shop/goods\nshop/orders\n"]
    assert left == ["shop/goods\n"]
    assert "error: the gateway would not" in capsys.readouterr().err
    assert stage.served.patience == [10.0, 0], "a second signal does not wait"


def test_what_is_wrong_with_the_machine_is_told_and_survived(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "identity: {gateway_secret: {header: X-Secret, secret: {env: GWC_TEST_NOT_THERE}}}\n"
    platform = stage.policies / "platform.yaml"
    stage.steps(lambda served: platform.write_text(platform.read_text("utf-8") + secret, encoding="utf-8"))
    assert stage.session.run() is ExitCode.OK
    assert stage.served.seen == []
    assert "the environment variable GWC_TEST_NOT_THERE" in capsys.readouterr().err


def test_policies_that_are_gone_are_told_and_survived(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    def remove(served: FakeServed) -> None:
        for file in stage.policies.iterdir():
            file.unlink()

    stage.steps(remove)
    assert stage.session.run() is ExitCode.OK
    assert "the directory holds no policies" in capsys.readouterr().err
    assert stage.served.seen == []


def test_a_gateway_that_ends_by_itself_is_an_environment_error(stage: Stage) -> None:
    stage.steps(lambda served: setattr(served, "ended_with", "it fell over"))
    with pytest.raises(CommandError, match="alpha has ended: it fell over") as error:
        stage.session.run()
    assert error.value.code is ExitCode.ENVIRONMENT
    assert stage.served.patience == [10.0]


def test_the_end_may_come_before_the_beginning(stage: Stage) -> None:
    stage.ending.end(ExitCode.INTERRUPTED)
    assert stage.session.run() is ExitCode.INTERRUPTED
    assert stage.target.served is None
