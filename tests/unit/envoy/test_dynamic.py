"""Profile `files`: which file says what, what binds them to one another, and in which order they follow."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compiling import texts, write
from gwc.cli import run
from gwc.target import Artifact, EngineMissingError, OutputFile
from gwc_envoy import TARGET
from gwc_envoy.dynamic import CLUSTERS, HOSTS, LISTENERS, ORDER
from gwc_envoy.judge import judge
from gwc_envoy.succession import steps, tables
from gwc_envoy.tree import FEW, routes_of
from unit.envoy.policies import gateway, route

Json = dict[str, Any]


def files(*routes: Json, service: str = "a", **more: Any) -> dict[str, str]:
    given = gateway({"service": service, "routes": [*routes], **more})
    return texts(TARGET.emit(given, "files"))


def resources(written: dict[str, str], name: str) -> list[str]:
    return [one["name"] for one in json.loads(written[name])["resources"]]


def test_each_file_holds_its_kind() -> None:
    written = files(route())
    bootstrap = json.loads(written["envoy.json"])
    assert bootstrap["dynamic_resources"]["lds_config"]["path_config_source"] == {
        "path": LISTENERS,
        "watched_directory": {"path": "listeners"},
    }
    assert set(bootstrap["static_resources"]) == {"secrets"}
    assert resources(written, CLUSTERS) == ["a", "gwc.grpc", "gwc.admin"]
    assert resources(written, LISTENERS) == ["http", "gwc.grpc", "admin"]
    assert resources(written, HOSTS) == [*tables(written)]


def test_compile_replaces_them_in_the_order_that_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    accepted = {"profile": "files", "accept": ["access_log"]}
    platform = {"listen": {"http": 8080}, "defaults": {"auth": "none"}, "targets": {"envoy": accepted}}
    _say(tmp_path / "policies/platform.yaml", kind="Platform", **platform)
    one = {"name": "r", "path": "/r", "methods": ["GET"]}
    _compiled(tmp_path, "http://127.0.0.1:8000", one)
    moved: list[str] = []
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (moved.append(str(new)), rename(old, new)))
    _compiled(tmp_path, "http://127.0.0.1:8001", {**one, "limits": [{"per": "service", "rate": "3/min"}]})
    places = [str(Path("build/envoy") / name) for name in ORDER]
    assert [name for name in moved if name in places] == places


def _compiled(directory: Path, upstream: str, one: Json) -> None:
    _say(directory / "policies/a.yaml", kind="Service", service="a", upstream=upstream, routes=[one])
    assert run(["compile", "-t", "envoy"]) == 0


def _say(file: Path, **policy: Any) -> None:
    file.write_text(json.dumps({"apiVersion": "gwc/v1", **policy}), encoding="utf-8")


def test_a_table_is_for_the_listeners_that_it_was_written_for() -> None:
    one = tables(files(route()))
    assert tables(files(route(timeouts={"request": "3s"}), route("other", "/other"))) == one
    limited = tables(files(route(limits=[{"per": "ip", "rate": "3/min"}])))
    assert limited != one
    assert tables(files(route(limits=[{"per": "ip", "rate": "4/min"}]))) not in (one, limited)


def test_a_changed_route_is_one_file() -> None:
    before, after = files(route()), files(route(timeouts={"request": "3s"}))
    assert list(steps(before, after)) == [(HOSTS, after[HOSTS])]
    assert list(steps(before, before)) == []


def test_what_the_routes_of_before_lead_to_goes_last() -> None:
    before, after = files(route(stream=True)), files(route(), service="b")
    made = list(steps(before, after))
    assert [name for name, _ in made] == [CLUSTERS, HOSTS, LISTENERS, CLUSTERS]
    assert set(resources(dict(made[:1]), CLUSTERS)) == {"a", "b", "gwc.first_byte/a", "gwc.grpc", "gwc.admin"}
    assert [text for _, text in made[1:]] == [after[name] for name in (HOSTS, LISTENERS, CLUSTERS)]


def test_hops_are_there_before_the_routes_that_take_them() -> None:
    made = list(steps(files(route()), files(route(stream=True))))
    assert [name for name, _ in made] == [CLUSTERS, LISTENERS, HOSTS]


def test_a_hop_knows_the_routes_of_before_and_after() -> None:
    before, after = files(route(stream=True)), files(route("other", "/other", stream=True))
    made = list(steps(before, after))
    assert [name for name, _ in made] == [LISTENERS, HOSTS, LISTENERS]
    assert [set(routes(text)) for name, text in made if name == LISTENERS] == [{"a/other", "a/r"}, {"a/other"}]


def test_a_hop_of_many_routes_knows_those_of_before_too() -> None:
    """Many stand in a tree by their service, which a list takes the place of meanwhile."""
    many = [route(f"r{number}", f"/r{number}", stream=True) for number in range(FEW + 2)]
    before, after = files(*many), files(*many[1:])
    assert "matcher_tree" in before[LISTENERS]
    texts_of = [text for name, text in steps(before, after) if name == LISTENERS]
    assert [len(routes(text)) for text in texts_of] == [FEW + 2, FEW + 1]
    assert texts_of[-1] == after[LISTENERS]


def routes(listeners: str) -> list[str]:
    (hop,) = [one for one in json.loads(listeners)["resources"] if one["name"] == "gwc.first_byte"]
    (host,) = hop["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    return [one["name"] for one in routes_of(host)]


def test_other_listeners_keep_what_those_of_before_lead_to() -> None:
    before = files(route(limits=[{"per": "ip", "rate": "3/min"}]))
    after = files(route(), service="b")
    made = list(steps(before, after))
    assert [name for name, _ in made] == [CLUSTERS, HOSTS, LISTENERS]
    assert "a" in resources(dict(made[:1]), CLUSTERS)


def changed(artifact: Artifact, name: str, old: str, new: str) -> Artifact:
    output = artifact.files[name]
    assert old in output.text
    return replace(artifact, files={**artifact.files, name: OutputFile(output.text.replace(old, new), output.lines)})


def test_our_own_judge_looks_into_all_of_them() -> None:
    artifact = TARGET.emit(gateway({"service": "a"}), "files")
    assert judge(artifact) == ()
    (found,) = {one.message for one in judge(changed(artifact, HOSTS, '"gwc.max_body": {"@type"', '"gwc.x": {"@type"'))
                if "a/r" in one.message and "gwc.x" in one.message}  # fmt: skip
    assert "does not exist" in found


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (HOSTS, '"cluster": "a"', '"cluster": "nowhere"', "nowhere"),
        (CLUSTERS, '"connect_timeout": "', '"connect_timeout": "-', "connect_timeout"),
        (LISTENERS, '"route_config_name": "gwc-', '"route_config_name": "other-', "asks for the routes other-"),
    ],
)
def test_envoy_judges_all_of_them(name: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    try:
        binary = TARGET.engine.find("files")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    artifact = changed(TARGET.emit(gateway({"service": "a"}), "files"), name, old, new)
    write(artifact, tmp_path)
    (found,) = TARGET.engine.verify(binary, tmp_path, artifact)
    assert (found.code, found.span.file[-5:]) == ("GWC603", ".yaml")
    assert "envoy.json and the files that it names" in found.message


@pytest.mark.live
def test_envoy_does_not_count_as_started_without_a_listener(tmp_path: Path) -> None:
    """Its own word is that it is ready."""
    try:
        binary = TARGET.engine.find("files")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    artifact = TARGET.emit(gateway({"service": "a"}), "files")
    write(changed(artifact, LISTENERS, '"stat_prefix": "http"', '"stat_prefix": ""'), tmp_path)
    with pytest.raises(RuntimeError, match=r"Envoy did not take up listeners/listeners\.json"):
        TARGET.engine.launch(binary, tmp_path, {})
