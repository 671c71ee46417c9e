"""What looks like a credential, where none belongs."""

from __future__ import annotations

import re
from functools import lru_cache

_VALUE = re.compile(r"(?i)^(bearer|basic)\s+\S{8,}$|^(sk|pk|ghp|xox[abp]|AKIA|AIza)[-_A-Za-z0-9]{12,}$")
_NAME = re.compile(r"(?i)(^|-)(authorization|api-?key|token|secret|password)$")
_SHORTEST = 8  # characters; `X-Token: none` is no credential


@lru_cache(4096)  # a service's routes all set the same headers
def looks_like_credential(header: str, value: str) -> bool:
    """Whether the value of a header that a policy sets should never have been written down."""
    return bool(_VALUE.search(value) or (_NAME.search(header) and len(value) >= _SHORTEST))
