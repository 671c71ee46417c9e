"""Prepares a copy of the configuration for NGINX's own check on a machine that is not the gateway's host."""

from __future__ import annotations

import re
from pathlib import Path

from gwc import placeholder

_TRUSTED = re.compile(r'\b((?:proxy_ssl|js_fetch)_trusted_certificate) "(/[^"]+)";')
_PAIR = re.compile(r'\b((?:proxy_)?ssl_certificate(?:_key)?) "((?:/|secrets/)[^"]+)";')
"""Paths hold neither quotes nor escapes: the policy language admits none. What is below secrets/ is made up here."""


def rehearse(directory: Path) -> None:
    """Put stand-ins in place of the certificates and keys that this machine lacks; nothing else changes."""
    (directory / "placeholder.crt").write_text(placeholder.CERTIFICATE, encoding="utf-8")
    (directory / "placeholder.key").write_text(placeholder.KEY, encoding="utf-8")
    for conf in sorted(directory.glob("*.conf")):
        text = _TRUSTED.sub(
            lambda found: found[0] if _present(found) else _stand_in(found, directory), conf.read_text(encoding="utf-8")
        )
        if not all(_present(found) for found in _PAIR.finditer(text)):  # half of a pair fits no other half
            text = _PAIR.sub(lambda found: _stand_in(found, directory), text)
        conf.write_text(text, encoding="utf-8")


def _present(found: re.Match[str]) -> bool:
    return Path(found[2]).is_absolute() and Path(found[2]).is_file()


def _stand_in(found: re.Match[str], directory: Path) -> str:
    ending = "key" if found[1].endswith("_key") else "crt"
    return f'{found[1]} "{directory}/placeholder.{ending}";'
