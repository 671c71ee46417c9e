"""What somebody writes who wants a proxy and nothing else: one listener, one route, one kept pool of connections."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import contestants
import processes
from conformance.variants import Variant
from contestants import Contestant
from ports import free_port

_NGINX = """daemon off; worker_processes auto; pid nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;
  upstream service {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""

_AS_GWC_STARTS_IT = ("--disable-hot-restart", "--concurrency", "2", "--log-level", "error")


@contextmanager
def started(variant: Variant, upstream: int) -> Iterator[Contestant]:
    """The engine of `variant`, configured by hand. Kong's stand-in runs in an nginx: that is its floor."""
    port, binary = free_port(), variant.engine.find(variant.profile).path
    with tempfile.TemporaryDirectory(prefix="gwc-benchmark-") as scratch:
        if variant.target.name == "envoy":
            file = Path(scratch, "envoy.json")
            file.write_text(json.dumps(_envoy(port, upstream)), encoding="utf-8")
            command = [
                str(binary),
                "-c",
                str(file),
                "--disable-hot-restart",
                "--concurrency",
                "2",
                "--log-level",
                "error",
            ]
        else:
            Path(scratch, "nginx.conf").write_text(_NGINX.format(port=port, upstream=upstream), encoding="utf-8")
            command = [str(binary), "-p", f"{scratch}/", "-c", "nginx.conf"]
        with contestants.process(command, port, "/") as pid:
            yield Contestant(f"{contestants.label(variant)}, minimal", port, processes.tree(pid))


def _envoy(port: int, upstream: int) -> dict[str, Any]:
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}]
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
    manager = {
        "@type": f"{http}.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    cluster = {
        "name": "service",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "service",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "static_resources": {
            "listeners": [{"name": "in", "address": _address(port), "filter_chains": [chain]}],
            "clusters": [cluster],
        }
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
