"""A real Prometheus that scrapes one gateway, with the rules that gwc emits, and answers queries."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

MISSING = "NO METRIC IS CHECKED BY PROMETHEUS: it is missing; apt-get install prometheus"
_READY_WITHIN = 30.0  # seconds
_EVERY = 0.5  # seconds between scrapes, and between evaluations of the rules


def binary() -> str | None:
    return shutil.which("prometheus")


@dataclass(frozen=True, slots=True)
class Sample:
    """A number with its labels, those left out that Prometheus adds to what it scrapes."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Prometheus:
    """`address` is its own."""

    address: str

    def query(self, expr: str) -> list[Sample]:
        found = self._get("/api/v1/query?" + urlencode({"query": expr}))["data"]["result"]
        return [Sample(_own(one["metric"]), float(one["value"][1])) for one in found]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health."""
        return [rule for group in self._get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def scrapes(self) -> int:
        """How often the gateway has been asked and has answered."""
        return int(sum(sample.value for sample in self.query("count_over_time(up[1h])")))

    def settle(self) -> None:
        """Until what is there now has been scraped, and the rules have seen it."""
        target, deadline = self.scrapes() + 3, time.monotonic() + _READY_WITHIN
        while self.scrapes() < target:
            assert time.monotonic() < deadline, "Prometheus does not scrape the gateway"
            time.sleep(_EVERY)

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in ("__name__", "job", "instance")}


@contextlib.contextmanager
def scraping(target: str, path: str, rules: Path, directory: Path, port: int) -> Iterator[Prometheus]:
    """Prometheus on 127.0.0.1:`port` asks `target` for `path`, with the rule files of the folder `rules`."""
    config = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rules / "*.yaml")],
        "scrape_configs": [{"job_name": "gateway", "metrics_path": path, "static_configs": [{"targets": [target]}]}],
    }
    directory.mkdir(parents=True)
    (directory / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    own, found = f"127.0.0.1:{port}", binary()
    assert found is not None, MISSING
    arguments = [f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([found, *arguments, f"--web.listen-address={own}"], stderr=log, stdout=log)
    try:
        _wait(own, process, directory / "log")
        yield Prometheus(own)
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/-/ready", timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"Prometheus is not ready: {log.read_text(errors='replace')[-2000:]}")
