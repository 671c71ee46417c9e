"""What Kong promises of each feature, in both profiles."""

from __future__ import annotations

from collections.abc import Mapping

from gwc.features import FEATURES
from gwc.support import EXACT, Conditional, Support, SupportTable, unsupported

_LATER = unsupported("gwc does not render this for Kong yet; compile the service for another gateway")
_ENTRIES: Mapping[str, Support | Conditional] = {name: _LATER for name in FEATURES} | {"listen.http": EXACT}

PLUGIN = SupportTable("kong", "plugin", _ENTRIES)
BUNDLED = SupportTable("kong", "bundled", _ENTRIES)
