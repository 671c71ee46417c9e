"""Real gateways for the tests of a live diff: the example policies on ports of their own, and what is done to them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from compiling import NOW, POLICIES, write
from gwc.compile import compile_sources
from gwc.diagnostics import Report
from gwc.discovery import load_targets
from gwc.features import FEATURES
from gwc.ir import Gateway, TargetOptions
from gwc.live.source import Running
from gwc.live.tree import differences
from gwc.live.words import Drift, in_words
from gwc.source import read_policies
from gwc.target import Artifact, Binary, Target
from ports import free_port

SECRETS = ("GATEWAY_SECRET", "KEY_MOBILE", "KEY_BILLING", "REDIS_PASSWORD")
VALUE = "hunter2-hunter2-hunter2"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The example policies for one target, written below `directory`."""

    policies: Path
    gateway: Gateway
    target: Target
    artifact: Artifact
    directory: Path
    admin: str

    def drifts(self, text: str) -> tuple[Drift, ...]:
        reader = self.target.live  # type: ignore[attr-defined]
        running: Running = reader.running(text, self.artifact)
        spots = tuple(differences(reader.wanted(self.artifact), running.tree))
        profile = self.artifact.profile
        return in_words(self.gateway, spots, lambda changed: reader.wanted(self.target.emit(changed, profile)))


def rendered(directory: Path, name: str, profile: str, policies: Path = POLICIES) -> Rendered:
    """`policies` on free ports of the loopback interface, in one profile."""
    copied = directory / "policies"
    shutil.copytree(policies, copied)
    admin = f"127.0.0.1:{free_port()}"
    text = (copied / "platform.yaml").read_text(encoding="utf-8")
    text = text.replace("http: 8080", f'http: "127.0.0.1:{free_port()}"').replace("127.0.0.1:9901", admin)
    (copied / "platform.yaml").write_text(text, encoding="utf-8")
    report = Report()
    sources = read_policies(str(copied), report)
    gateway = compile_sources(sources, environment=None, now=NOW, report=report)
    assert gateway is not None, report.diagnostics
    gateway = replace(gateway, targets={name: TargetOptions(profile=profile, accept=tuple(FEATURES))})
    target = load_targets([name])[0].target
    artifact = target.emit(gateway, profile)
    (directory / "build").mkdir()
    write(artifact, directory / "build", VALUE)
    return Rendered(copied, gateway, target, artifact, directory / "build", admin)


@contextmanager
def running(one: Rendered, binary: Binary) -> Iterator[None]:
    gateway = one.target.engine.launch(binary, one.directory, dict.fromkeys(SECRETS, VALUE))
    try:
        yield
    finally:
        gateway.stop()


def envoy_dump(one: Rendered) -> str:
    return httpx.get(f"http://{one.admin}/config_dump", timeout=30).text


def nginx_dump(one: Rendered, binary: Binary, *, whole: bool = True) -> str:
    """What `nginx -T` prints, and behind it, as the documentation says, the files that it does not show."""
    command = [binary.path, "-p", f"{one.directory}/", "-c", "nginx.conf", "-T"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=_environ())
    names = [n for n in one.artifact.files if n == "gwc.json" or n.endswith(".js")] if whole else []
    beside = (f"# configuration file {one.directory}/{n}:\n{(one.directory / n).read_text()}\n" for n in names)
    return done.stdout + "".join(beside)


def _environ() -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(SECRETS, VALUE)}


def edit(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, f"nothing changed in {file.name}"
    file.write_text(after, encoding="utf-8")


def swap(file: Path, pattern: str, new: str, count: int = 1) -> None:
    edit(file, lambda text: re.sub(pattern, new, text, count=count, flags=re.DOTALL))
