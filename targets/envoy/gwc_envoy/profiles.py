"""The two layouts of one configuration: everything in a bootstrap, or in files that Envoy watches."""

from __future__ import annotations

from dataclasses import replace

from gwc.ir import Gateway, TargetOptions

DEFAULT, FILES = "default", "files"
PROFILES = (DEFAULT, FILES)
_TARGET = "envoy"


def told(gateway: Gateway, profile: str) -> Gateway:
    """The same gateway, whose policy says that profile."""
    options = gateway.targets.get(_TARGET, TargetOptions(profile="", accept=()))
    if options.profile == profile:
        return gateway
    return replace(gateway, targets={**gateway.targets, _TARGET: replace(options, profile=profile)})


def replaced_while_running(gateway: Gateway) -> bool:
    """Whether one process may serve this configuration and then another one."""
    options = gateway.targets.get(_TARGET)
    return options is not None and options.profile == FILES
