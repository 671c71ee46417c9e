"""What a platform team writes in an afternoon: policies in, configurations out, by PyYAML in C and Jinja.

`python benchmarks/naive.py POLICIES OUT`. For each service and gateway one file, in the words that the gateway's own
manual uses: routes, methods, endpoints, timeouts, retries, tokens, limits, headers, breakers, checks, caches. It checks
nothing, knows no line of a policy, and its gateways behave alike in nothing that they do not do alike by themselves.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment

Json = dict[str, Any]

NGINX = """\
{%- for limit in limits %}
limit_req_zone {{ limit.key }} zone={{ limit.zone }}:10m rate={{ limit.rate }}r/m;
{%- endfor %}
proxy_cache_path /var/cache/nginx/{{ name }} keys_zone={{ name }}:1m;
upstream {{ name }} {
{%- for endpoint in endpoints %}
    server {{ endpoint.host }}:{{ endpoint.port }} max_fails={{ breaker.failures }} fail_timeout={{ breaker.open }};
{%- endfor %}
    keepalive 16;
}
{%- for route in routes %}
location {{ route.match }} {
    limit_except {{ route.methods | join(' ') }} { deny all; }
    auth_jwt "{{ name }}";
    auth_jwt_key_file /etc/nginx/keys.json;
{%- for limit in route.limits %}
    limit_req zone={{ limit.zone }} burst={{ limit.burst }} nodelay;
{%- endfor %}
    client_max_body_size 1m;
    proxy_connect_timeout {{ route.timeouts.connect }};
    proxy_send_timeout {{ route.timeouts.idle }};
    proxy_read_timeout {{ route.timeouts.request }};
{%- if route.retries %}
    proxy_next_upstream error timeout {{ route.retries.statuses }};
    proxy_next_upstream_tries {{ route.retries.tries }};
{%- else %}
    proxy_next_upstream off;
{%- endif %}
{%- if route.cache %}
    proxy_cache {{ name }};
    proxy_cache_valid 200 {{ route.cache.ttl }};
    proxy_cache_key "$host$uri$is_args$args$jwt_claim_sub";
{%- endif %}
{%- for header, value in headers.set.items() %}
    proxy_set_header {{ header }} "{{ value }}";
{%- endfor %}
{%- for header in headers.removed %}
    proxy_set_header {{ header }} "";
{%- endfor %}
{%- for header in headers.hidden %}
    proxy_hide_header {{ header }};
{%- endfor %}
    rewrite ^{{ base }}(/.*)$ $1 break;
    proxy_pass http://{{ name }};
}
{%- endfor %}
"""


def main() -> int:
    policies, out = map(Path, sys.argv[1:3])
    read = {
        path.stem: yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) for path in sorted(policies.glob("*.yaml"))
    }
    platform = read.pop("platform")
    template = Environment(autoescape=False).from_string(NGINX)
    for target in ("envoy", "kong", "nginx"):
        (out / target).mkdir(parents=True, exist_ok=True)
    for name, policy in read.items():
        service = {**platform["defaults"], **policy}
        (out / "envoy" / f"{name}.yaml").write_text(_yaml(_envoy(service)), encoding="utf-8")
        (out / "kong" / f"{name}.yaml").write_text(_yaml(_kong(service)), encoding="utf-8")
        (out / "nginx" / f"{name}.conf").write_text(template.render(**_nginx(service)), encoding="utf-8")
    return 0


def _yaml(data: Json) -> str:
    text: str = yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False)
    return text


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def _endpoints(service: Json) -> list[Json]:
    found = (re.fullmatch(r"http://([^:]+):(\d+)", endpoint["url"]) for endpoint in service["upstream"]["endpoints"])
    return [{"host": match[1], "port": int(match[2])} for match in found if match]


def _retries(service: Json, route: Json) -> Json | None:
    retries = route.get("retries", service["retries"])
    return None if retries == "none" else retries


def _limits(service: Json, route: Json) -> list[Json]:
    return [*service["limits"], *route.get("limits", ())]


def _pattern(service: Json, route: Json) -> str:
    return service["base_path"] + re.sub(r"\{[^}]+\}", "[^/]+", route["path"])


def _envoy(service: Json) -> Json:
    name = service["service"]
    return {
        "virtual_host": {"name": name, "routes": [_envoy_route(service, route) for route in service["routes"]]},
        "cluster": {
            "name": name,
            "type": "STRICT_DNS",
            "connect_timeout": service["timeouts"]["connect"],
            "circuit_breakers": {"thresholds": [{"max_requests": service["upstream"]["concurrency"]}]},
            "outlier_detection": {
                "consecutive_5xx": service["upstream"]["breaker"]["failures"],
                "base_ejection_time": service["upstream"]["breaker"]["open"],
            },
            "health_checks": [{
                "timeout": "1s", "interval": service["upstream"]["health"]["every"],
                "unhealthy_threshold": 2, "healthy_threshold": 2,
                "http_health_check": {"path": service["upstream"]["health"]["path"]},
            }],
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": {"socket_address": {"address": e["host"], "port_value": e["port"]}}}}
                for e in _endpoints(service)
            ]}]},
        },
    }  # fmt: skip


def _envoy_route(service: Json, route: Json) -> Json:
    retries, headers = _retries(service, route), service["headers"]
    action: Json = {
        "cluster": service["service"],
        "timeout": f"{_seconds(service['timeouts']['request'])}s",
        "idle_timeout": f"{_seconds(service['timeouts']['idle'])}s",
        "regex_rewrite": {"pattern": {"regex": f"^{service['base_path']}"}, "substitution": ""},
    }
    if retries:
        action["retry_policy"] = {
            "retry_on": "connect-failure,reset,retriable-status-codes",
            "num_retries": retries["attempts"],
            "per_try_timeout": f"{_seconds(retries['per_try'])}s",
            "retriable_status_codes": [status for status in retries["when"] if isinstance(status, int)],
            "retry_back_off": {name + "_interval": f"{_seconds(value)}s" for name, value in retries["backoff"].items()},
        }
    return {
        "name": f"{service['service']}/{route['name']}",
        "match": {
            "safe_regex": {"regex": _pattern(service, route)},
            "headers": [{"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(route["methods"])}}}],
        },
        "route": action,
        "typed_per_filter_config": {
            "envoy.filters.http.jwt_authn": {"requirement_name": "jwt"},
            "envoy.filters.http.local_ratelimit": {"descriptors": [
                {"entries": [{"key": limit["per"]}], "token_bucket": _bucket(limit)}
                for limit in _limits(service, route)
            ]},
            **({"envoy.filters.http.cache": {"ttl": route["cache"]["ttl"]}} if "cache" in route else {}),
        },
        "request_headers_to_add": [
            {"header": {"key": key, "value": value}} for key, value in headers["request"]["set"].items()
        ],
        "request_headers_to_remove": headers["request"]["remove"],
        "response_headers_to_remove": headers["response"]["remove"],
    }  # fmt: skip


def _bucket(limit: Json) -> Json:
    tokens, period = limit["rate"].split("/")
    seconds = {"s": 1, "min": 60, "hour": 3600, "day": 86400}[period]
    return {"max_tokens": limit.get("burst", tokens), "tokens_per_fill": int(tokens), "fill_interval": f"{seconds}s"}


def _kong(service: Json) -> Json:
    name = service["service"]
    return {
        "_format_version": "3.0",
        "upstreams": [{
            "name": name,
            "targets": [{"target": f"{e['host']}:{e['port']}", "weight": 100} for e in _endpoints(service)],
            "healthchecks": {
                "active": {"http_path": service["upstream"]["health"]["path"], "healthy": {"interval": 5}},
                "passive": {"unhealthy": {"http_failures": service["upstream"]["breaker"]["failures"]}},
            },
        }],
        "services": [_kong_service(service, route) for route in service["routes"]],
    }  # fmt: skip


def _kong_service(service: Json, route: Json) -> Json:
    headers, timeouts = service["headers"], service["timeouts"]
    retries = _retries(service, route)
    plugins: list[Json] = [
        {"name": "jwt", "config": {"key_claim_name": "iss"}},
        {"name": "request-transformer", "config": {
            "add": {"headers": [f"{key}:{value}" for key, value in headers["request"]["set"].items()]},
            "remove": {"headers": headers["request"]["remove"]},
        }},
        {"name": "response-transformer", "config": {"remove": {"headers": headers["response"]["remove"]}}},
        *({"name": "rate-limiting", "config": {"limit_by": limit["per"], "minute": _bucket(limit)["tokens_per_fill"]}}
          for limit in _limits(service, route)),
    ]  # fmt: skip
    if "cache" in route:
        plugins.append({"name": "proxy-cache", "config": {"cache_ttl": int(_seconds(route["cache"]["ttl"]))}})
    return {
        "name": f"{service['service']}.{route['name']}",
        "host": service["service"],
        "protocol": "http",
        "connect_timeout": int(_seconds(timeouts["connect"]) * 1000),
        "read_timeout": int(_seconds(timeouts["request"]) * 1000),
        "write_timeout": int(_seconds(timeouts["idle"]) * 1000),
        "retries": retries["attempts"] if retries else 0,
        "routes": [{
            "name": f"{service['service']}.{route['name']}",
            "paths": [f"~{_pattern(service, route)}$"],
            "methods": route["methods"],
            "strip_path": False,
        }],
        "plugins": plugins,
    }  # fmt: skip


def _nginx(service: Json) -> Json:
    headers, name = service["headers"], service["service"]

    def zone(limit: Json, where: str, number: int) -> Json:
        key = {"ip": "$binary_remote_addr", "user": "$jwt_claim_sub"}[limit["per"]]
        rate = _bucket(limit)["tokens_per_fill"]
        return {"key": key, "zone": f"{where}_{number}", "rate": rate, "burst": limit.get("burst", rate)}

    own = [zone(limit, name, number) for number, limit in enumerate(service["limits"])]
    routes = []
    for route in service["routes"]:
        retries = _retries(service, route)
        statuses = [f"http_{status}" for status in retries["when"] if isinstance(status, int)] if retries else []
        routes.append({
            **route,
            "match": f"~ ^{_pattern(service, route)}$",
            "timeouts": service["timeouts"],
            "retries": {"tries": retries["attempts"] + 1, "statuses": " ".join(statuses)} if retries else None,
            "limits": [zone(m, f"{name}_{route['name']}", n) for n, m in enumerate(route.get("limits", ()))],
        })  # fmt: skip
    return {
        "name": name,
        "base": service["base_path"],
        "endpoints": _endpoints(service),
        "breaker": service["upstream"]["breaker"],
        "limits": [*own, *(limit for route in routes for limit in route["limits"])],
        "routes": [{**route, "limits": [*own, *route["limits"]]} for route in routes],
        "headers": {
            "set": headers["request"]["set"],
            "removed": headers["request"]["remove"],
            "hidden": headers["response"]["remove"],
        },
    }


if __name__ == "__main__":
    sys.exit(main())
