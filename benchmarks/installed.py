"""Programs as an installation leaves them, with their bytecode at hand.

pip compiles what it installs. A checkout on a machine that sets PYTHONDONTWRITEBYTECODE is compiled anew in each run,
which is most of what a short one takes, while the peers beside it are installed: here all of them are treated alike.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

_LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "GWC_NO_CACHE")


def environment(directory: Path | str) -> dict[str, str]:
    """Of a run whose caches are in `directory`. The first run of each program writes its bytecode: leave it out."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return kept | {"GWC_CACHE_DIR": str(Path(directory) / "cache"), "PYTHONPYCACHEPREFIX": _bytecode()}


@cache
def _bytecode() -> str:
    """Of all runs of this process."""
    made = tempfile.mkdtemp(prefix="gwc-bytecode-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
