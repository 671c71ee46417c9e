"""One JSON line a request on standard output: written by nginx, worded by the plugin in its last phase.

A single variable, because nginx knows neither the route nor the request id, and would not redact a query.
"""

from __future__ import annotations

VARIABLE = "$gwc_access_log"
FORMAT = f"gwc escape=none '{VARIABLE}'"
