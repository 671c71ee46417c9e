"""A configuration's text as a report may quote it: what looks like a secret is asterisks, so that columns stay."""

from __future__ import annotations

import re

from gwc.credentials import looks_like_credential

_WORD = (
    r"(?:[\w.-]*(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|apikey|access[_-]?key|private[_-]?key|credential"
    r"|authorization|cookie)[\w-]*|key|inline_string|inline_bytes|hmac)"
)
_NAMED = re.compile(
    rf"""((?<![\w.-]){_WORD}["']?(?:\s*[:=]\s*|[ \t]+)["']?)([^"'\s,;}}\]{{\[][^"';\n]*)""", re.IGNORECASE
)
_IN_URL = re.compile(r"(://)([^/\s:@\"']*:[^\s@\"']+)(?=@)")
_BEARER = re.compile(r"((?:bearer|basic)\s+)([A-Za-z0-9+/=._~-]{8,})", re.IGNORECASE)
_TOLD = re.compile(r"key|auth|cookie|signature|credential|passw|passphrase|secret|token", re.IGNORECASE)
_BLOCK = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(.*?)(?=-----END|\Z)", re.DOTALL)


def masked_text(text: str) -> str:
    for pattern in (_NAMED, _IN_URL, _BEARER, _BLOCK):
        text = pattern.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    return found[1] + re.sub(r"[^\r\n]", "*", found[2])


def may_be_secret(name: str, value: str) -> bool:
    """Whether a header's value had better not be copied. Strict: what is kept back can be written by hand."""
    return looks_like_credential(name, value) or bool(_TOLD.search(name) and re.fullmatch(r"\S{8,}", value))


def without_user(authority: str) -> str:
    """`user:password@host:port` without what is before the @."""
    return authority.rpartition("@")[2]
