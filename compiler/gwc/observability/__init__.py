"""What every gateway tells of its traffic, in the same words: access log, metrics and spans.

Targets take names, bounds and what is redacted from here; nothing in here knows a target.
"""

from __future__ import annotations
