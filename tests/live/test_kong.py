"""A live diff against a real Kong where there is one: its Admin API is opened for the test, gwc leaves it off."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest
import yaml

from gwc.live.tree import Kind
from gwc.target import EngineMissingError
from live.gateways import VALUE, Rendered, edit, rendered, running
from ports import free_port


@pytest.fixture
def kong(tmp_path: Path) -> Rendered:
    return rendered(tmp_path, "kong", "plugin")


def dumped(one: Rendered) -> str:
    """What its Admin API says that it runs."""
    if not os.environ.get("GWC_KONG"):
        pytest.skip("GWC_KONG names no Kong: nothing was compared with a running one")
    try:
        binary = one.target.engine.find("plugin")
    except EngineMissingError as error:
        pytest.skip(str(error))
    port = free_port()
    listen = f"KONG_ADMIN_LISTEN=127.0.0.1:{port}"
    edit(one.directory / "kong.env", lambda text: text.replace("KONG_ADMIN_LISTEN=off", listen))
    with running(one, binary):
        return httpx.get(f"http://127.0.0.1:{port}/config", timeout=30).text


def test_nothing_when_it_has_just_started(kong: Rendered) -> None:
    text = dumped(kong)
    assert kong.drifts(text) == ()
    assert VALUE not in text


def drifted(text: str) -> str:
    document = yaml.safe_load(text)
    services = {service["name"]: service for service in document["services"]}
    rows = document["plugins"][0]["config"]["routes"]
    services["assistant.retries-2"]["retries"] = 7
    services["media.retries-1"]["routes"] = []
    services["accounts.retries-0"]["port"] = 8999
    document["services"].append({"name": "debug", "url": "http://127.0.0.1:1"})
    rows["notes.create"]["connect"] = 7
    rows["notes.sync"]["auth"] = None
    del rows["media.reading"]
    return json.dumps(document)


EXPECTED = {
    (Kind.CHANGED, "notes/create", "timeouts.connect"),
    (Kind.MISSING, "media/reading", "route"),
    (Kind.CHANGED, "assistant", "retries.attempts"),
    (Kind.MISSING, "media", "retries.attempts"),
    (Kind.CHANGED, "accounts", "upstream.endpoints"),
    (Kind.EXTRA, "the platform", ""),
}


def said_of(kong: Rendered, text: str) -> set[tuple[Kind, str, str]]:
    found = kong.drifts(text)
    return {
        (one.kind, str(subject), field) for one in found for subject in one.subjects for field in one.fields or ("",)
    }


def test_every_drift_is_found(kong: Rendered) -> None:
    edit(kong.directory / "kong.yml", drifted)
    assert said_of(kong, dumped(kong)) >= EXPECTED


def test_the_same_in_the_form_in_which_kong_says_it(kong: Rendered) -> None:
    """Without a Kong: what `/config` answers is the file with ids, stamps and defaults, services apart from routes."""
    assert kong.drifts(json.dumps({"config": exported((kong.directory / "kong.yml").read_text("utf-8"))})) == ()
    text = drifted((kong.directory / "kong.yml").read_text("utf-8"))
    assert said_of(kong, json.dumps({"config": exported(text)})) >= EXPECTED


def exported(text: str) -> str:
    document = yaml.safe_load(text)
    services, routes = document["services"], document["routes"]
    for number, service in enumerate(services):
        service |= {"id": f"s{number}", "created_at": 1, "updated_at": 1, "enabled": True, "path": None}
        routes += [{**route, "service": f"s{number}"} for route in service.pop("routes", ())]
    stamped = [{**route, "id": f"r{n}", "path_handling": "v0", "hosts": None} for n, route in enumerate(routes)]
    plugins = [{**plugin, "enabled": True, "route": None} for plugin in document["plugins"]]
    whole = {"_format_version": "3.0", "_transform": False, "services": services, "routes": stamped, "plugins": plugins}
    return yaml.safe_dump(whole, sort_keys=False)
