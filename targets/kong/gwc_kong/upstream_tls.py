"""TLS to the services. Kong's own entities take certificates inline only, so the plugin reads the policy's files."""

from __future__ import annotations

from gwc.ir import Gateway, Secret, UpstreamTls
from gwc.target import OutputFile
from gwc_kong.bundled import quote
from gwc_kong.sharing import at


def tls_config(tls: UpstreamTls) -> dict[str, object]:
    """The plugin's settings of one https service."""
    config: dict[str, object] = {}
    if tls.sni is not None:
        config["sni"] = at(tls, "sni", tls.sni)
    if tls.ca is not None:
        config["ca"] = at(tls, "ca", tls.ca)
    if tls.client_certificate is not None and tls.client_key is not None:
        config["certificate"] = at(tls, "client_certificate", tls.client_certificate)
        config["key"] = at(tls, "client_key", f"{tls.client_key.source}:{tls.client_key.name}")
    return config


def tls_sources(gateway: Gateway) -> OutputFile:
    """What the plugin reads when Kong loads it, by name: no certificate and no key is part of the output."""
    settings = [service.upstream.tls for service in gateway.services if service.upstream.tls is not None]
    keys = [tls.client_key for tls in settings if tls.client_key is not None]
    files = {path for tls in settings for path in (tls.ca, tls.client_certificate) if path is not None}
    text = "\n".join(
        (
            "-- Files and environment variables with the certificates and keys of https services.",
            "return {",
            f"  files = {_list(files | _names(keys, 'file'))},",
            f"  variables = {_list(_names(keys, 'env'))},",
            "}",
            "",
        )
    )
    return OutputFile(text, {})


def _names(keys: list[Secret], source: str) -> set[str]:
    return {key.name for key in keys if key.source == source}


def _list(names: set[str]) -> str:
    return "{ " + ", ".join(quote(name) for name in sorted(names)) + " }"
