"""No test depends on what another run has left in somebody's cache; those about the cache have one of their own."""

import os

os.environ["GWC_NO_CACHE"] = "1"
