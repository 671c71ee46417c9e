"""gwc docs on the command line: where the page goes, and when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiling import POLICIES
from gwc.cli import run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def docs(*argv: str) -> int:
    return run(["docs", "--policies", str(POLICIES), "--now", "2026-11-23", *argv])


def test_the_page_is_written_and_written_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs() == 0
    first = (tmp_path / "gateway.html").read_text(encoding="utf-8")
    assert capsys.readouterr().out.startswith("4 services, 24 routes in gateway.html, ")
    assert docs("--env", "prod") == 0
    assert (tmp_path / "gateway.html").read_text(encoding="utf-8") != first
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.html"]


def test_the_page_alone_goes_to_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs("-o", "-") == 0
    out = capsys.readouterr().out
    assert out.startswith("<!doctype html>")
    assert out.endswith("</html>\n")
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_else_wrote_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.html").write_text("<p>mine</p>", encoding="utf-8")
    assert docs("-o", "notes.html") == 2
    assert (tmp_path / "notes.html").read_text(encoding="utf-8") == "<p>mine</p>"
    assert "notes.html is in the way, and gwc docs did not write it" in capsys.readouterr().err
    assert docs("-o", str(tmp_path)) == 2
    assert docs("-o", "missing/page.html") == 2
    assert "missing is no directory" in capsys.readouterr().err


def test_a_platform_without_services_has_a_page_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policies").mkdir()
    platform = "apiVersion: gwc/v1\nkind: Platform\nlisten: {http: 8080}\n"
    (tmp_path / "policies/platform.yaml").write_text(platform, encoding="utf-8")
    assert run(["docs"]) == 0
    assert capsys.readouterr().out.startswith("0 services, 0 routes in gateway.html")


SOURCE = "https://git.example.com/gateway/blob/main/policies/{file}#L{line}"


def test_places_lead_to_where_policies_can_be_read(tmp_path: Path) -> None:
    assert docs("--source", SOURCE) == 0
    page = (tmp_path / "gateway.html").read_text(encoding="utf-8")
    assert 'href="https://git.example.com/gateway/blob/main/policies/assistant.yaml#L29"' in page
    assert "{file}" in page.partition('id="data">')[2]  # for the windows, which the script fills


@pytest.mark.parametrize(
    "source",
    [
        "javascript:alert('{file}{line}')",
        "https://git.example.com/{file}",
        "https://git.example.com/{line}/{line}",
        "https://git.example.com/{file}/{line}/{column}",
        "git.example.com/{file}#{line}",
    ],
)
def test_what_is_no_address_of_a_line_is_usage(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs("--source", source) == 2
    assert "as in https://git.example.com/" in capsys.readouterr().err


def test_targets_can_be_chosen(tmp_path: Path) -> None:
    assert docs("-t", "envoy") == 0
    page = (tmp_path / "gateway.html").read_text(encoding="utf-8")
    assert "profile default" in page
    assert "profile njs" not in page


@pytest.mark.parametrize(
    ("argv", "said"),
    [(["-t", "envoi"], "did you mean `envoy`"), (["--env", "prd"], "did you mean `prod`"), (["--now", "soon"], "soon")],
)
def test_a_mistyped_word_is_usage(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs(*argv) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_policy_gives_its_findings_and_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/platform.yaml").write_text("apiVersion: gwc/v1\nkind: Platfrom\n", encoding="utf-8")
    assert run(["docs"]) == 1
    assert capsys.readouterr().out.startswith("policies/platform.yaml:2:7: error GWC104")
    assert not (tmp_path / "gateway.html").exists()
    assert run(["docs", "-o", "-"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "GWC104" in printed.err


def test_a_profile_that_is_none_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policies").mkdir()
    platform = "apiVersion: gwc/v1\nkind: Platform\nlisten: {http: 8080}\ntargets: {nginx: {profile: njss}}\n"
    (tmp_path / "policies/platform.yaml").write_text(platform, encoding="utf-8")
    assert run(["docs"]) == 1
    assert "GWC605" in capsys.readouterr().out
