"""Secrets: written only when asked, in files of their own, and seen nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Gwc, Project
from .fakes import FakeTarget

NOW = "--now=2026-11-23"
VALUE = "hunter2-7f3a9c"
FROM_ENV = "{env: GATEWAY_SECRET}"


@pytest.fixture
def secret_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    _name_secret(project, FROM_ENV)
    monkeypatch.setenv("GATEWAY_SECRET", VALUE)
    return project


def _name_secret(project: Project, reference: str) -> None:
    text = (project.path / "policies/platform.yaml").read_text().split("identity:")[0]
    secret = f"{{header: X-Gateway-Secret, secret: {reference}}}"
    project.write("platform.yaml", f"{text}identity: {{user_header: X-User-Id, gateway_secret: {secret}}}\n")


def test_without_the_flag_it_says_what_is_needed(gwc: Gwc, secret_project: Project) -> None:
    result = gwc("compile", NOW, "-t", "alpha")
    assert result.code == 0
    assert result.err == (
        "gwc: alpha still needs build/alpha/secrets/gateway.conf (from the environment variable GATEWAY_SECRET);"
        " compile --with-secrets writes it\n"
    )
    assert not (secret_project.build / "alpha/secrets").exists()


def test_with_the_flag_they_are_private(gwc: Gwc, secret_project: Project) -> None:
    result = gwc("compile", NOW, "--with-secrets")
    assert (result.code, result.err) == (0, "")
    directory = secret_project.build / "beta/secrets"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in directory.iterdir()} == {0o600}
    assert (directory / "gateway.conf").read_text() == f'secret "{VALUE}"\n'
    assert (directory / ".gitignore").read_text().endswith("\n*\n")


def test_no_secret_is_seen_anywhere_else(gwc: Gwc, secret_project: Project) -> None:
    runs = [
        gwc("compile", NOW, "--with-secrets"),
        gwc("compile", NOW, "--format", "json"),
        gwc("compile", NOW, "--emit", "ir"),
        gwc("compile", NOW, "--check"),
        gwc("verify", NOW),
    ]
    assert all(run.code == 0 for run in runs)
    assert not any(VALUE in run.out + run.err for run in runs)
    holders = {path for path, (_, data) in secret_project.tree().items() if VALUE.encode() in data}
    assert holders == {f"{target}/secrets/gateway.conf" for target in ("alpha", "beta", "gamma")}
    assert "secrets/" not in (secret_project.build / "manifest.json").read_text()


def test_later_runs_leave_them_alone(gwc: Gwc, secret_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    gwc("compile", NOW, "--with-secrets")
    before = secret_project.tree()
    monkeypatch.delenv("GATEWAY_SECRET")
    result = gwc("compile", NOW)
    assert (result.code, result.err, secret_project.tree()) == (0, "", before)
    assert gwc("compile", NOW, "--check").code == 0


def test_a_rotated_secret_is_rewritten_and_a_former_one_goes(
    gwc: Gwc, secret_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    gwc("compile", NOW, "--with-secrets")
    (secret_project.build / "alpha/secrets/mine").write_text("not of gwc")
    monkeypatch.setenv("GATEWAY_SECRET", "rotated")
    gwc("compile", NOW, "--with-secrets")
    assert (secret_project.build / "alpha/secrets/gateway.conf").read_text() == 'secret "rotated"\n'
    text = (secret_project.path / "policies/platform.yaml").read_text().split("identity:")[0]
    secret_project.write("platform.yaml", text)
    assert gwc("compile", NOW).code == 0
    assert (secret_project.build / "alpha/secrets/gateway.conf").exists()
    assert gwc("compile", NOW, "--with-secrets").code == 0
    assert [p.name for p in (secret_project.build / "alpha/secrets").iterdir()] == ["mine"]


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_one_is_named_and_nothing_is_written(
    gwc: Gwc, secret_project: Project, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("GATEWAY_SECRET")
    if value is not None:
        monkeypatch.setenv("GATEWAY_SECRET", value)
    result = gwc("compile", NOW, "--with-secrets")
    assert result.code == 2
    assert "no value for a secret: the environment variable GATEWAY_SECRET" in result.err
    assert not secret_project.build.exists()


def test_a_secret_from_a_file_loses_its_last_newline(gwc: Gwc, project: Project, tmp_path: Path) -> None:
    path = tmp_path / "gateway.key"
    _name_secret(project, f"{{file: {path}}}")
    result = gwc("compile", NOW, "--with-secrets")
    assert (result.code, f"the file {path}" in result.err) == (2, True)
    path.write_text(f"{VALUE}\n")
    assert gwc("compile", NOW, "--with-secrets").code == 0
    assert (project.build / "alpha/secrets/gateway.conf").read_text() == f'secret "{VALUE}"\n'


def test_a_value_that_a_target_cannot_hold_is_not_quoted(
    gwc: Gwc, secret_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", f'"{VALUE}')
    monkeypatch.setenv("GWC_DEBUG", "1")
    result = gwc("compile", NOW, "--with-secrets")
    assert result.code == 2
    assert "alpha cannot hold the value of the environment variable GATEWAY_SECRET" in result.err
    assert VALUE not in result.out + result.err
    assert not secret_project.build.exists()


def test_a_secret_file_of_others_is_not_overwritten(gwc: Gwc, secret_project: Project) -> None:
    directory = secret_project.build / "alpha/secrets"
    directory.mkdir(parents=True)
    (directory / "gateway.conf").write_text("placed by somebody\n")
    assert gwc("compile", NOW, "--with-secrets").code == 2
    assert (directory / "gateway.conf").read_text() == "placed by somebody\n"


def test_too_open_a_mode_is_mended(gwc: Gwc, secret_project: Project) -> None:
    gwc("compile", NOW, "--with-secrets")
    path = secret_project.build / "alpha/secrets/gateway.conf"
    path.chmod(0o644)
    gwc("compile", NOW, "--with-secrets")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_index_of_secrets_cannot_point_elsewhere(gwc: Gwc, secret_project: Project) -> None:
    gwc("compile", NOW, "--with-secrets")
    (secret_project.build / "alpha/secrets/.gwc").write_text(json.dumps(["secrets/../routes.conf", "../../x", 1]))
    (secret_project.path / "x").write_text("keep")
    gwc("compile", NOW, "--with-secrets")
    assert (secret_project.path / "x").exists()
    assert (secret_project.build / "alpha/routes.conf").exists()


@pytest.mark.parametrize("path", ["gateway.conf", "secrets/../routes.conf", "secrets", "/etc/x", "secrets/"])
@pytest.mark.parametrize("flags", [[], ["--with-secrets"]])
def test_a_target_cannot_put_a_secret_elsewhere(
    gwc: Gwc, secret_project: Project, targets: dict[str, FakeTarget], path: str, flags: list[str]
) -> None:
    targets["beta"].secret_path = path
    result = gwc("compile", NOW, *flags)
    assert result.code == 70
    assert VALUE not in result.err
    assert not secret_project.build.exists()
