"""What an engine needs to read a large configuration: gwc's, and one by hand that only routes.

`python benchmarks/boot.py [--services N ...] [--routes N] [--write]`. Each service has as many routes, a limit per
address and one endpoint. gwc's output is judged by the engines themselves (`envoy --mode validate`, `nginx -t`), as is
a configuration with the same paths, methods, endpoints and timeouts, and nothing else. Figures are processor time and
the most memory of that process, and the ratio of the two says what gwc's guards cost at start-up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import corpus
import pages
from compiling import MIB, Cost, measured
from gwc.target import EngineMissingError
from gwc_envoy import TARGET as ENVOY
from gwc_nginx import TARGET as NGINX
from ratios import markdown

BEGIN, END = "<!-- boot: begin -->", "<!-- boot: end -->"
_HEAD = """\
apiVersion: gwc/v1
kind: Service
service: {name}
owner: team
base_path: /{name}
keep_base_path: true
upstream: http://127.0.0.1:{port}
auth: none
timeouts: {{request: 10s}}
limits: [{{per: ip, rate: 300/min}}]
routes:
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What an engine took to read gwc's configuration and the one by hand, and their sizes in bytes."""

    engine: str
    services: int
    own: Cost
    by_hand: Cost
    own_size: int
    hand_size: int


def main() -> int:
    asked = _arguments()
    os.environ["GATEWAY_SECRET"] = "for an engine that asks whether there is one"
    with tempfile.TemporaryDirectory(prefix="gwc-boot-") as directory:
        found = [one for services in asked.services for one in _judged(Path(directory), services, asked.routes)]
    text = _section(found, asked.routes)
    print(text)
    if asked.write:
        pages.fill(BEGIN, END, text)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--routes", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="fill in the section of docs/performance.md")
    return parser.parse_args()


def _judged(directory: Path, services: int, routes: int) -> Iterator[Judged]:
    place = directory / str(services)
    _policies(place / "policies", services, routes)
    gwc = Path(sys.executable).parent / "gwc"
    subprocess.run([gwc, "compile", "-t", "envoy", "-t", "nginx"], cwd=place, check=True, capture_output=True)
    try:
        envoy, nginx = ENVOY.engine.find("default").path, NGINX.engine.find("njs").path
    except EngineMissingError as missing:
        sys.exit(str(missing))
    (place / "envoy.json").write_text(json.dumps(_envoy(services, routes)), encoding="utf-8")
    (place / "nginx.conf").write_text(_nginx(services, routes), encoding="utf-8")
    for name, own, by_hand, command in (
        ("Envoy", "build/envoy/envoy.json", "envoy.json", (str(envoy), "--mode", "validate", "-l", "error", "-c")),
        ("NGINX", "build/nginx/nginx.conf", "nginx.conf", (str(nginx), "-q", "-t", *_user(place), "-p", ".", "-c")),
    ):
        costs = [measured((*command, str(place / file)), (place / file).parent) for file in (own, by_hand)]
        sizes = [_size(place / file, name) for file in (own, by_hand)]
        yield Judged(name, services, costs[0], costs[1], sizes[0], sizes[1])


def _user(place: Path) -> tuple[str, ...]:
    """A master of root's tells its workers to be somebody else, who could not reach this directory."""
    return () if os.geteuid() else ("-g", f"user {place.owner()};")


def _size(file: Path, engine: str) -> int:
    """What the engine reads."""
    if engine == "Envoy":
        return file.stat().st_size
    return sum(
        path.stat().st_size
        for path in file.parent.glob("*")
        if path.suffix in (".conf", ".json") and path.is_file() and path.name not in ("envoy.json", "gateway.json")
    )


def _policies(directory: Path, services: int, routes: int) -> None:
    directory.mkdir(parents=True)
    (directory / "keys.json").write_text(json.dumps({"keys": [corpus.KEY]}), encoding="utf-8")
    (directory / "platform.yaml").write_text(corpus.PLATFORM, encoding="utf-8")
    for number in range(services):
        lines = [f'  - {{name: r{index}, path: "{_path(index)}", methods: [GET]}}\n' for index in range(routes)]
        head = _HEAD.format(name=f"service-{number:04}", port=20000 + number % 1000)
        (directory / f"service-{number:04}.yaml").write_text(head + "".join(lines), encoding="utf-8")


def _path(index: int) -> str:
    """Every other one has a parameter."""
    return f"/v1/things-{index}" + ("/{id}" if index % 2 else "")


def _envoy(services: int, routes: int) -> dict[str, Any]:
    def route(name: str, index: int) -> dict[str, Any]:
        whole = f"/{name}{_path(index)}"
        path = {"safe_regex": {"regex": whole.replace("{id}", "[^/]+")}} if index % 2 else {"path": whole}
        method = {"name": ":method", "string_match": {"exact": "GET"}}
        return {"match": {**path, "headers": [method]}, "route": {"cluster": name, "timeout": "10s"}}

    def cluster(name: str, number: int) -> dict[str, Any]:
        where = {"socket_address": {"address": "127.0.0.1", "port_value": 20000 + number % 1000}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": where}}]}]
        return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}

    names = [f"service-{number:04}" for number in range(services)]
    hosts = [{"name": "any", "domains": ["*"], "routes": [route(n, i) for n in names for i in range(routes)]}]
    kinds = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{kinds}.http.router.v3.Router"}}
    manager = {
        "@type": f"{kinds}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "http_filters": [router],
        "route_config": {"name": "all", "virtual_hosts": hosts},
    }
    listener = {
        "name": "http",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 8080}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }
    clusters = [cluster(name, number) for number, name in enumerate(names)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _nginx(services: int, routes: int) -> str:
    def location(name: str, index: int) -> str:
        whole = f"/{name}{_path(index)}"
        match = f"~ ^{whole.replace('{id}', '[^/]+')}$" if index % 2 else f"= {whole}"
        inside = f"limit_except GET {{ deny all; }} proxy_read_timeout 10s; proxy_pass http://{name};"
        return f"location {match} {{ {inside} }}\n"

    names = [f"service-{number:04}" for number in range(services)]
    upstreams = "".join(
        f"upstream {name} {{ server 127.0.0.1:{20000 + number % 1000}; }}\n" for number, name in enumerate(names)
    )
    locations = "".join(location(name, index) for name in names for index in range(routes))
    server = f"server {{ listen 127.0.0.1:8080;\n{locations}}}"
    return f"pid nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{upstreams}{server}\n}}\n"


def _section(found: Sequence[Judged], routes: int) -> str:
    head = (
        f"services of {routes} routes",
        "engine",
        "processor s",
        "by hand = 1",
        "MiB of memory",
        "by hand = 1",
        "MiB to read",
    )
    rows = [
        (
            f"{one.services:,}",
            one.engine,
            f"{one.own.processor:.1f}",
            f"{one.own.processor / one.by_hand.processor:.1f}",
            f"{one.own.memory / MIB:,.0f}",
            f"{one.own.memory / one.by_hand.memory:.1f}",
            f"{one.own_size / MIB:.1f} (by hand {one.hand_size / MIB:.1f})",
        )
        for one in found
    ]
    note = (
        f"- Measured on {date.today()} with Python {platform.python_version()} on {os.cpu_count()} cores; load average "
        f"{os.getloadavg()[0]:.1f} at the end. One round."
    )
    return "\n".join(("", markdown(head, rows), "", note, ""))


if __name__ == "__main__":
    sys.exit(main())
