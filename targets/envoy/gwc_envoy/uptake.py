"""Whether a running Envoy has taken up the files that it watches: it goes on without those that it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.request import ProxyHandler, build_opener

from gwc_envoy.dynamic import CLUSTERS, HOSTS, LISTENERS
from gwc_envoy.redacting import redact
from gwc_envoy.xds import Json

LOG = ("--component-log-level", "config:warning")
"""Otherwise Envoy does not say why it refused a file."""
_COUNTED = re.compile(
    r"envoy_(cluster_manager_cds|http_rds|listener_manager_lds)_update_(?:failure|rejected)\{[^}]*\} ([1-9]\d*)"
)
_FILES = {"cluster_manager_cds": CLUSTERS, "http_rds": HOSTS, "listener_manager_lds": LISTENERS}
_TOLD = re.compile(r"[Cc]onfig update (?:rejected|failure): (.*)")
_TIMEOUT = 30.0


def refused(admin: str, listeners: Iterable[Json]) -> tuple[str, ...]:
    """The files that the Envoy with its admin listener at `admin` has refused since it started. Raises OSError."""
    opener = build_opener(ProxyHandler({}))  # nothing stands between us and a listener of our own
    with opener.open(f"{admin}{_metrics_path(listeners)}", timeout=_TIMEOUT) as answer:
        return refused_by(answer.read().decode("utf-8", "replace"))


def refused_by(metrics: str) -> tuple[str, ...]:
    return tuple(sorted({_FILES[found[1]] for found in _COUNTED.finditer(metrics)}))


def reason(log: str) -> str:
    """What it last said about one, in words that a user may see."""
    told = [found[1] for line in log.splitlines() if (found := _TOLD.search(line))]
    return re.sub(r"[: ]*goo\.gle/debug\w*", "", redact(told[-1] if told else ""))


def _metrics_path(listeners: Iterable[Json]) -> str:
    admin = next(one for one in listeners if one["name"] == "admin")
    table = admin["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]
    for route in table["virtual_hosts"][0]["routes"]:
        if route.get("route", {}).get("prefix_rewrite") == "/stats/prometheus":
            return str(route["match"]["path"])
    raise ValueError("the admin listener shows no metrics")
