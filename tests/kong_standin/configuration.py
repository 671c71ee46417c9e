"""nginx.conf and the Lua data of the stand-in, from the kong.yml and kong.env that gwc emitted.

Unknown settings are errors: the stand-in must not pretend to honour what it does not.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kong_standin.expressions import lua_bytes, lua_string, to_lua

_LUA = Path(__file__).parent / "lua"
_IGNORED = {
    "KONG_UPSTREAM_KEEPALIVE_IDLE_TIMEOUT": "4", "KONG_DATABASE": "off",
    "KONG_DECLARATIVE_CONFIG": "kong.yml", "KONG_ROUTER_FLAVOR": "expressions",
    "KONG_HEADERS": "off", "KONG_HEADERS_UPSTREAM": "off", "KONG_ADMIN_LISTEN": "off", "KONG_ADMIN_GUI_LISTEN": "off",
    "KONG_ANONYMOUS_REPORTS": "off", "KONG_ALLOW_DEBUG_HEADER": "off", "KONG_REQUEST_DEBUG": "off",
    "KONG_SSL_SESSION_TICKETS": "off", "KONG_REAL_IP_HEADER": "X-Forwarded-For",
    "KONG_REAL_IP_RECURSIVE": "on", "KONG_DNS_ORDER": "LAST,A,AAAA,CNAME",
}  # fmt: skip
"""Settings whose one accepted value is what the stand-in does anyway."""
_READ = {
    "KONG_PLUGINS", "KONG_LUA_PACKAGE_PATH", "KONG_UNTRUSTED_LUA", "KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES",
    "KONG_PROXY_LISTEN", "KONG_STATUS_LISTEN", "KONG_LUA_MAX_REQ_HEADERS",
    "KONG_TRUSTED_IPS", "KONG_SSL_CERT", "KONG_SSL_CERT_KEY", "KONG_SSL_CIPHER_SUITE", "KONG_PROXY_ACCESS_LOG",
}  # fmt: skip


def settings_of(directory: Path) -> dict[str, str]:
    lines = (directory / "kong.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    for name, value in settings.items():
        if name.startswith(("KONG_NGINX_HTTP_", "KONG_NGINX_PROXY_")) or name in _READ:
            continue
        if _IGNORED.get(name) != value:
            raise ValueError(f"the stand-in does not know {name}={value}")
    return settings


def write(directory: Path, prefix: Path, environ: Mapping[str, str]) -> tuple[str, int]:
    """Writes the stand-in's files into `prefix`; returns the status listener's address."""
    settings = settings_of(directory)
    document = yaml.safe_load((directory / "kong.yml").read_text())
    (prefix / "standin_config.lua").write_text(_lua_config(document, settings, {**os.environ, **environ}))
    (prefix / "nginx.conf").write_text(_nginx(directory, prefix, settings, document, _tls(prefix, settings, environ)))
    host, _, port = settings["KONG_STATUS_LISTEN"].rpartition(":")
    return host.strip("[]"), int(port)


def lua(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return lua_string(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "{" + ",".join(lua(item) for item in value) + "}"
    if isinstance(value, dict):
        return "{" + ",".join(f"[{lua(key)}]={lua(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{value!r} has no place in a declarative configuration")


def _lua_config(document: dict[str, Any], settings: dict[str, str], environ: Mapping[str, str]) -> str:
    routes = [(route, service) for service in document["services"] for route in service["routes"]]
    routes += [(route, None) for route in document["routes"]]
    return f"""
local function all(values, wanted)
  for _, value in ipairs(type(values) == "table" and values or {{ values }}) do
    if value ~= wanted then return false end
  end
  return values ~= nil
end
local environ = {lua(_referenced(document, environ))}
return {{
  plugins = {lua(document["plugins"])},
  routes = {{ {",".join(_route(route, service, _tls_of(document)) for route, service in routes)} }},
  public_keys = {{ {",".join(_public_keys(document))} }},
  settings = {{
    most_headers = {int(settings["KONG_LUA_MAX_REQ_HEADERS"])},
    requires = {lua(dict.fromkeys(settings.get("KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES", "").split(","), True))},
    hosts = {{ localhost = "127.0.0.1" }},
    trusted = {{ {",".join(_network(n) for n in settings.get("KONG_TRUSTED_IPS", "").split(",") if n)} }},
    vault = function(reference)
      local name = string.match(reference, "^{{vault://env/(.*)}}$")
      return name and environ[string.upper((string.gsub(name, "-", "_")))]
    end,
  }},
}}
"""


def _public_keys(document: dict[str, Any]) -> list[str]:
    """Every JSON Web Key in the document's own text, and its DER: nginx's libcrypto reads no JSON."""
    texts = [t for p in document["plugins"] for t in _texts(p) if '"kty"' in t or "\\034kty\\034" in t]
    jwks = {jwk for text in texts for jwk in re.findall(r'\{"[^{}]*"kty"[^{}]*\}', text.replace("\\034", '"'))}
    return [f"[{lua(jwk)}]={lua_bytes(_der(json.loads(jwk)))}" for jwk in sorted(jwks)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _der(jwk: dict[str, str]) -> bytes:
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    if jwk["kty"] == "RSA":
        key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    else:
        curve = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}[jwk["crv"]]
        key = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _referenced(document: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Only the variables that the configuration names: the file must not hold the machine's whole environment."""
    text = str(document).upper().replace("-", "_")
    return {name: value for name, value in environ.items() if "{VAULT://ENV/" + name + "}" in text}


def _route(route: dict[str, Any], service: dict[str, Any] | None, tls: dict[str, Any]) -> str:
    predicate = f"function(headers) return {to_lua(route['expression'])} end"
    owner = lua({k: v for k, v in service.items() if k != "routes"}) if service else "nil"
    if route["response_buffering"]:
        raise ValueError("the stand-in has unbuffered routes only")
    location = lua(f"@tls.{route['name']}" if route["name"] in tls else "@unbuffered_response")
    return f"{{name={lua(route['name'])},location={location},match={predicate},service={owner}}}"


def _network(text: str) -> str:
    network = ipaddress.ip_network(text)
    if network.version == 6:
        return f"function(ip) return ip == {lua(str(network.network_address))} end"
    first, last = int(network.network_address), int(network.broadcast_address)
    return f"""function(ip)
      local a, b, c, d = string.match(ip, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
      if not a then return false end
      local n = ((a * 256 + b) * 256 + c) * 256 + d
      return n >= {first} and n <= {last}
    end"""


def _injected(settings: dict[str, str], block: str) -> str:
    start = f"KONG_NGINX_{block}_"
    return "".join(
        f"    {name[len(start) :].lower()} {value};\n" for name, value in settings.items() if name.startswith(start)
    )


_HEADERS = {
    "Host": "$upstream_host", "Upgrade": "$upstream_upgrade", "Connection": "$upstream_connection",
    "Via": "$upstream_via", "X-Forwarded-For": "$upstream_x_forwarded_for",
    "X-Forwarded-Proto": "$upstream_x_forwarded_proto", "X-Forwarded-Host": "$upstream_x_forwarded_host",
    "X-Forwarded-Port": "$upstream_x_forwarded_port", "X-Forwarded-Path": "$upstream_x_forwarded_path",
    "X-Forwarded-Prefix": "$upstream_x_forwarded_prefix", "X-Real-IP": "$remote_addr", "TE": '""',
}  # fmt: skip
_VARIABLES = (
    "ctx_ref", "upstream_via", "upstream_host", "upstream_upgrade", "upstream_connection", "upstream_scheme",
    "upstream_uri", "upstream_x_forwarded_for", "upstream_x_forwarded_proto", "upstream_x_forwarded_host",
    "upstream_x_forwarded_port", "upstream_x_forwarded_path", "upstream_x_forwarded_prefix",
)  # fmt: skip


_HOST_STORE = "/etc/ssl/certs/ca-certificates.crt"


def _proxy(buffering: str, tls: dict[str, str] | None = None) -> str:
    """`tls`: the plugin's settings of an https service. nginx takes them from its configuration, not from Lua."""
    headers = "".join(f"      proxy_set_header {name} {value};\n" for name, value in _HEADERS.items())
    trusted, client = (tls or {}).get("ca", _HOST_STORE), ""
    if tls and "certificate" in tls:
        client = f"""      proxy_ssl_certificate {tls["certificate"]};
      proxy_ssl_certificate_key {tls["key"].removeprefix("file:")};
"""
    return f"""      proxy_http_version 1.1;
      proxy_buffering {buffering};
      proxy_request_buffering on;
{headers}{client}      proxy_pass_header Server;
      proxy_pass_header Date;
      proxy_ssl_name $upstream_host;
      proxy_ssl_server_name on;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 5;
      proxy_ssl_trusted_certificate {trusted};
      proxy_pass $upstream_scheme://kong_upstream$upstream_uri;
"""


def _ready(settings: dict[str, str]) -> str:
    """The route that the plugin adds to the status listener."""
    if "gwc" not in settings["KONG_PLUGINS"].split(","):
        return ""
    return """    location = /ready { default_type application/json; return 200 '{"message":"ready"}'; }
    location / { default_type application/json; content_by_lua_block { require("standin").status() } }\n"""


def _unbuffered(name: str, tls: dict[str, str] | None) -> str:
    return f"""    location {name} {{
      internal;
      default_type '';
      set $kong_proxy_mode 'unbuffered';
{_proxy("off", tls)}    }}
"""


def _tls_of(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The TLS settings of the plugin's routes, by the Kong route that they need: they are the service's."""
    config = next((p["config"] for p in document["plugins"] if p["name"] == "gwc"), {"routes": {}})
    return {route["upstream"]: route["tls"] for route in config["routes"].values() if "tls" in route}


def _tls_locations(document: dict[str, Any]) -> str:
    return "".join(_unbuffered(f"@tls.{name}", tls) for name, tls in _tls_of(document).items())


_SUITES = {
    "intermediate": "    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM;\n",
    "modern": "    ssl_protocols TLSv1.3;\n",
}


def _tls(prefix: Path, settings: dict[str, str], environ: Mapping[str, str]) -> str:
    """The listener's certificate; a key that is referred to goes into a file, as Kong puts it into one."""
    if "KONG_SSL_CERT" not in settings:
        return ""
    key = settings["KONG_SSL_CERT_KEY"]
    if key.startswith("{vault://env/"):
        name = key.removeprefix("{vault://env/").removesuffix("}").replace("-", "_").upper()
        key = str(prefix / "tls.key")
        (prefix / "tls.key").touch(mode=0o600)
        (prefix / "tls.key").write_text({**os.environ, **environ}[name])
    certificate = f"    ssl_certificate {settings['KONG_SSL_CERT']};\n    ssl_certificate_key {key};\n"
    return certificate + _SUITES[settings["KONG_SSL_CIPHER_SUITE"]]


def _nginx(directory: Path, prefix: Path, settings: dict[str, str], document: dict[str, Any], tls: str) -> str:
    listens = "".join(f"    listen {entry.strip()};\n" for entry in settings["KONG_PROXY_LISTEN"].split(",")) + tls
    trusted = [n for n in settings.get("KONG_TRUSTED_IPS", "").split(",") if n]
    real_ip = "".join(f"    set_real_ip_from {network};\n" for network in trusted)
    if trusted:
        real_ip += "    real_ip_header X-Forwarded-For;\n    real_ip_recursive on;\n"
    packages = settings.get("KONG_LUA_PACKAGE_PATH", ";;").replace("./", f"{directory}/").replace(";;", "")
    sets = "".join(f"      set ${name} '';\n" for name in _VARIABLES)
    return f"""
{"user root;" if os.geteuid() == 0 else ""}
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
master_process on;
worker_processes 2;
pid {prefix}/nginx.pid;
error_log {prefix}/error.log notice;
events {{ worker_connections 1024; }}
http {{
  server_tokens off;
  underscores_in_headers on;
  uninitialized_variable_warn off;
  client_body_temp_path {prefix}/body;
  proxy_temp_path {prefix}/proxy;
  fastcgi_temp_path {prefix}/fastcgi;
  uwsgi_temp_path {prefix}/uwsgi;
  scgi_temp_path {prefix}/scgi;
  lua_package_path "{packages};{_LUA}/?.lua;;";
  lua_socket_log_errors off;
{_injected(settings, "HTTP")}
  init_by_lua_block {{ require("standin").init({lua(str(prefix))}) }}
  access_log {settings["KONG_PROXY_ACCESS_LOG"].replace("/dev/stdout", f"{prefix}/access.log")};
  init_worker_by_lua_block {{ require("standin").init_worker() }}
  upstream kong_upstream {{
    server 0.0.0.1;
    balancer_by_lua_block {{ require("standin").balancer() }}
  }}
  server {{
{listens}    error_page 400 404 405 408 411 412 413 414 417 /kong_error_handler;
    error_page 494 =494 /kong_error_handler;
    error_page 500 502 503 504 /kong_error_handler;
{_injected(settings, "PROXY")}{real_ip}
    rewrite_by_lua_block {{ require("standin").rewrite() }}
    access_by_lua_block {{ require("standin").access() }}
    header_filter_by_lua_block {{ require("standin").header_filter() }}
    body_filter_by_lua_block {{ require("standin").body_filter() }}
    log_by_lua_block {{ require("standin").log() }}
    location / {{
      default_type '';
{sets}      set $kong_proxy_mode 'http';
{_proxy("on")}    }}
{_unbuffered("@unbuffered_response", None)}{_tls_locations(document)}    location = /kong_error_handler {{
      internal;
      default_type '';
      rewrite_by_lua_block {{ return }}
      access_by_lua_block {{ return }}
      content_by_lua_block {{ require("standin").handle_error() }}
    }}
  }}
  server {{
    listen {settings["KONG_STATUS_LISTEN"]};
    location = /status/ready {{ default_type application/json; return 200 '{{"message":"ready"}}'; }}
{_ready(settings)}  }}
}}
"""
