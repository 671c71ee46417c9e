"""The prompts: static YAML in the package, each with a version that changes whenever its words do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Prompt(BaseModel):
    """`system` and `user` are templates: `$passages`, `$notes` and `$question` stand for what is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern="^[a-z][a-z0-9-]{0,62}$", examples=["ask"])
    version: int = Field(ge=1, examples=[1])
    title: str
    description: str
    system: str
    user: str

    @property
    def key(self) -> str:
        """Changes with every letter of the prompt, also when somebody forgot the version."""
        digest = hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()[:12]
        return f"{self.id}@{self.version}:{digest}"

    def filled(self, **parts: str) -> tuple[str, str]:
        """System and user message. What stands in the parts is text, and no template."""
        return Template(self.system).substitute(parts), Template(self.user).substitute(parts)


@dataclass(frozen=True, slots=True)
class Prompts:
    by_id: dict[str, Prompt]

    def __getitem__(self, identity: str) -> Prompt:
        return self.by_id[identity]


@cache
def packaged() -> Prompts:
    """Those that come with the package, by id. Raises ValueError for one whose file has another name."""
    found = {}
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            prompt = Prompt.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
            if file.name != f"{prompt.id}.yaml":
                raise ValueError(f"{file.name} holds the prompt {prompt.id}")
            found[prompt.id] = prompt
    return Prompts(found)
