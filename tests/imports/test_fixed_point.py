"""policy -> compile -> import gives the same Gateway, for every target; a changed output is not believed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import accept
import maximal
from compiling import compiled, sources_of
from gwc.compile import render
from gwc.diagnostics import Report
from gwc.discovery import InstalledTarget, load_targets
from gwc.document import parse
from gwc.features import FEATURES
from gwc.imports.convert import convert
from gwc.imports.findings import Findings, ImportFailedError
from gwc.ir import Gateway, TargetOptions
from gwc.ir_json import to_jsonable
from gwc.ir_read import gateway_from
from gwc.leaves import leaves
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy
from gwc.record import RecordError, read_record, record_file
from gwc.source import Source
from gwc.suggest import UnknownNameError

MAIN = {"envoy": "envoy.json", "nginx": "nginx.conf", "kong": "kong.yml"}
LOST_LEAVES = {
    "environment": "an output is of one environment, and the policies made of it have no other",
    "now": "the day of the compilation is no part of a policy",
}
LOST_KEYS = {
    "platform.owner": "no gateway needs it",
    "platform.description": "no gateway needs it",
    "platform.defaults": "settled: every route has its values",
    "platform.bounds": "kept, or the output would not be there",
    "platform.waivers": "of bounds",
    "platform.environments": "an output is of one environment",
    "platform.access_log": "has one value so far",
    "platform.targets": "written where the platform has any",
    "service.keep_base_path": "false, which is what it is without being said",
    "service.environments": "an output is of one environment",
    "service.cache": "stands on the routes that have one",
    "service.retries": "stands on the routes, where these differ",
    "service.auth": "stands on the routes, where these differ",
    "service.timeouts": "stands on the routes, where these differ",
    "service.max_body": "stands on the routes, where these differ",
}
"""Of the maximal policy, which writes every key. Whatever else is lost is a fault."""
VARIANTS = [(one, profile) for one in load_targets(()) for profile in one.target.profiles]
NAMES = [f"{one.target.name}-{profile}" for one, profile in VARIANTS]
variants = pytest.mark.parametrize(("installed", "profile"), VARIANTS, ids=NAMES)


def everything() -> Gateway:
    gateway, report = compiled(sources_of(maximal.policies(), maximal.DIRECTORY))
    assert gateway is not None, report.diagnostics
    return gateway


GATEWAYS = {"base": lambda: accept.gateway(None), "prod": lambda: accept.gateway("prod"), "maximal": everything}


def accepted(gateway: Gateway, target: str, profile: str) -> Gateway:
    """With everything that the target does not keep exactly taken knowingly."""
    return replace(gateway, targets={target: TargetOptions(profile=profile, accept=tuple(FEATURES))})


def built(gateway: Gateway, installed: InstalledTarget, directory: Path) -> Path:
    """What compile writes; the main file."""
    rendered = render(gateway, [installed], report := Report())
    assert rendered is not None, report.diagnostics
    for path, output in rendered[0].artifact.files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(output.text, encoding="utf-8")
    return directory / MAIN[installed.target.name]


def imported(form: str, path: Path) -> tuple[dict[str, str], Findings]:
    findings = Findings()
    return dict(convert(form, str(path), findings).files), findings


def gateway_of(files: dict[str, str], directory: Path) -> Gateway:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    policies = [name for name in files if name.endswith(".yaml")]
    gateway, report = compiled([Source(str(directory / name), files[name]) for name in policies])
    assert gateway is not None, report.diagnostics
    return gateway


@variants
@pytest.mark.parametrize("which", GATEWAYS)
def test_importing_an_output_gives_the_gateway_that_it_was_rendered_from(
    which: str, installed: InstalledTarget, profile: str, tmp_path: Path
) -> None:
    name = installed.target.name
    before = accepted(GATEWAYS[which](), name, profile)
    files, findings = imported(name, built(before, installed, tmp_path / "build"))
    assert findings.diagnostics == ()  # compiled again, the policies give the same bytes
    after = gateway_of(files, tmp_path / "policies")
    changed = {old.name for old, new in zip(_sorted(before), _sorted(after), strict=True) if old.value != new.value}
    assert changed <= LOST_LEAVES.keys()


def _sorted(gateway: Gateway) -> list[Any]:
    return sorted(leaves(gateway), key=lambda leaf: [str(step) for step in leaf.path])


def test_of_every_key_of_the_language_only_these_are_lost(tmp_path: Path) -> None:
    installed, profile = VARIANTS[0]
    before = accepted(everything(), installed.target.name, profile)
    files, _ = imported(installed.target.name, built(before, installed, tmp_path / "build"))
    kinds = {"platform": PlatformPolicy, "everything": ServicePolicy}
    lost = set()
    for name, model in kinds.items():
        document = parse(Source(name, files[f"{name}.yaml"]), Report())
        assert document is not None
        kind = "service" if name == "everything" else name
        lost |= {f"{kind}.{key}" for key in model.model_fields.keys() - document.data().keys()}
    assert lost <= LOST_KEYS.keys(), lost - LOST_KEYS.keys()


def test_a_second_round_changes_nothing(tmp_path: Path) -> None:
    installed, profile = VARIANTS[0]
    name = installed.target.name
    first, _ = imported(name, built(accepted(accept.gateway(None), name, profile), installed, tmp_path / "1"))
    again = accepted(gateway_of(first, tmp_path / "policies"), name, profile)
    second, _ = imported(name, built(again, installed, tmp_path / "2"))
    assert {k: v.partition("\n")[2] for k, v in second.items()} == {k: v.partition("\n")[2] for k, v in first.items()}


@variants
def test_whatever_file_was_changed_by_hand_is_named(installed: InstalledTarget, profile: str, tmp_path: Path) -> None:
    name = installed.target.name
    main = built(accepted(accept.gateway(None), name, profile), installed, tmp_path)
    of_its_own = installed.target.emit(accept.gateway(None), profile).files
    changed = [tmp_path / path for path in sorted(of_its_own)]
    for path in {*changed[:3], main}:
        text = path.read_text()
        path.write_text(text[: len(text) // 2] + "#" + text[len(text) // 2 :])
        _, findings = imported(name, main)
        said = [one for one in findings.diagnostics if one.code == "GWC801"]
        assert [one.span.file for one in said] == [str(path)]
        assert said[0].span.line == text[: len(text) // 2].count("\n") + 1
        path.write_text(text)
    main_less = changed[0] if changed[0] != main else changed[1]
    main_less.unlink()
    assert any("is missing" in one.message for one in imported(name, main)[1].diagnostics)


def test_a_record_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    installed, profile = VARIANTS[0]
    name = installed.target.name
    main = built(accepted(accept.gateway(None), name, profile), installed, tmp_path)
    record = json.loads((tmp_path / "gateway.json").read_text())
    record["gateway"]["limits"][0]["rate"]["tokens"] += 1
    (tmp_path / "gateway.json").write_text(json.dumps(record, indent=1))
    assert {one.code for one in imported(name, main)[1].diagnostics} >= {"GWC801"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', "{" * 5000])
def test_a_broken_record_is_an_error_and_no_traceback(gwc, tmp_path: Path, text: str) -> None:
    (tmp_path / "gateway.json").write_text(text)
    (tmp_path / "nginx.conf").write_text("server { listen 80; location / { proxy_pass http://u:1; } }")
    failed = gwc("import", "nginx", "nginx.conf")
    assert failed.code == 1
    assert "gateway.json:1:1: error GWC800" in failed.err + failed.out


def test_the_record_of_another_target_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "gateway.json").write_text(record_file("kong", "plugin", accept.gateway(None)).text)
    (tmp_path / "nginx.conf").write_text("server { listen 80; location /a/ { proxy_pass http://u:1; } }")
    files, _ = imported("nginx", tmp_path / "nginx.conf")
    assert set(files) == {"platform.yaml", "u.yaml"}


def _damaged(data: Any) -> Iterator[Any]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list) and value:
            yield from _damaged(value)
        yield data, key


def test_a_gateway_is_read_back_as_it_was_or_not_at_all() -> None:
    gateway = replace(everything(), provenance={})
    data = to_jsonable(gateway, places=False)
    assert gateway_from(json.loads(json.dumps(data))) == gateway
    for holder, key in list(_damaged(data)):
        kept, holder[key] = holder[key], object
        with pytest.raises(RecordError):
            read_record(
                json.dumps({"schema": 1, "target": "x", "profile": "", "gateway": data}, default=lambda _: {"?": 1})
            )
        holder[key] = kept


def test_an_output_without_its_record_says_that_it_is_one(tmp_path: Path) -> None:
    for installed, profile in VARIANTS:
        name = installed.target.name
        main = built(accepted(accept.gateway(None), name, profile), installed, tmp_path / name / profile)
        if profile == installed.target.profiles[0]:
            (main.parent / "gateway.json").unlink()
            findings = Findings()
            with contextlib.suppress(ImportFailedError):
                convert(name, str(main), findings)
            assert any("gwc's own output" in one.message for one in findings.diagnostics), name


def test_one_service_of_several_can_be_chosen(tmp_path: Path) -> None:
    installed, profile = VARIANTS[0]
    main = built(accepted(accept.gateway(None), installed.target.name, profile), installed, tmp_path)
    files = convert(installed.target.name, str(main), Findings(), service="notes").files
    assert {name for name in files if name.endswith(".yaml")} == {"platform.yaml", "notes.yaml"}
    with pytest.raises(UnknownNameError):
        convert(installed.target.name, str(main), Findings(), service="nots")
