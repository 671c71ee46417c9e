"""`python -m gwc`."""

import sys

from gwc._boot import main

sys.exit(main())
