"""No test depends on what another run has left in somebody's cache; those about the cache have one of their own. Nor
does one depend on how it was started: a shell has what runs in its background ignore interrupts, and children inherit
that."""

import os
import signal

os.environ["GWC_NO_CACHE"] = "1"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
