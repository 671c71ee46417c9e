"""Path templates and base paths."""

from __future__ import annotations

from typing import Annotated

from pydantic import InstanceOf, WithJsonSchema

from gwc.ir import PathTemplate
from gwc.policy.texts import base_path
from gwc.policy.texts import parse_path as parse_path
from gwc.policy.types import FORM, from_text

Path = Annotated[InstanceOf[PathTemplate], from_text(parse_path, FORM, "/v1/notes/{id}"), WithJsonSchema(
    {"type": "string", "pattern": "^/", "maxLength": 1000, "examples": ["/v1/notes/{id}", "/files/**"]}
)]  # fmt: skip


BasePath = Annotated[str, from_text(base_path, FORM, "/assistant"), WithJsonSchema(
    {"type": "string", "pattern": "^/.*[^/]$", "examples": ["/assistant"]}
)]  # fmt: skip
