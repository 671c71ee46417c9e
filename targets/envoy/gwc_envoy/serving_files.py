"""An Envoy that takes up new files in place: no other process, and nothing that is counted is lost with the listeners
that stay. A bootstrap that has changed takes a hot restart all the same."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path

from gwc_envoy.dynamic import CLUSTERS, HOSTS, LISTENERS
from gwc_envoy.emit import FILE
from gwc_envoy.layout import texts
from gwc_envoy.serving import MERGED, OLD_ENDS, EnvoyServed, mark_public, moved_admin, own_admin, with_admin
from gwc_envoy.succession import steps, tables
from gwc_envoy.uptake import LOG, reason

PATIENCE = 120.0
"""Seconds until Envoy has read a file: one of 40 MiB takes four where nothing else runs."""
_POLL = 0.05
_STATS = (
    "/stats?format=json&filter=^(cluster_manager.(cds|warm)|listener_manager.(lds|total_listeners_w)|http.http.rds)"
)
_CLUSTERS, _LISTENERS, _ROUTES = "cluster_manager.cds", "listener_manager.lds", "http.http.rds."
_WARMING = ("cluster_manager.warming_clusters", "listener_manager.total_listeners_warming")
_Counts = dict[str, int]


class FilesServed(EnvoyServed):
    """Satisfies `gwc.serving.Served`."""

    _drain = str(OLD_ENDS - 1)
    _live: dict[str, str]
    _directory: Path

    def reload(self) -> None:
        new, before, directory = self._prepared(), self._live, self._directory
        try:
            if new[FILE] != before[FILE] or (HOSTS in new) is not (HOSTS in before):
                super().reload()
            else:
                self._take_up(new)
        except BaseException:
            if self._directory == directory:
                self._put_back(before)
            self._live, self._directory = before, directory
            raise

    def _take_up(self, new: Mapping[str, str]) -> None:
        time.sleep(max(0.0, self._reloaded + MERGED - time.monotonic()))  # the counts of two processes run together
        self._live = dict(self._live)
        for name, text in steps(dict(self._live), new):
            self._replace(name, text, tables(new))

    def _put_back(self, before: Mapping[str, str]) -> None:
        for name, text in steps(dict(self._live), before):
            with contextlib.suppress(
                RuntimeError
            ):  # it has had these files before; why it did not go on is told already
                self._replace(name, text, tables(before))

    def _written(self) -> tuple[Path, Path]:
        """Of each process its own: the one before reads nothing that is for the next."""
        self._directory, self._live = Path(self._scratch.name) / str(self._epoch), dict[str, str]()
        for name, text in self._prepared().items():
            self._put(name, text)
        return self._directory / FILE, self._directory

    def _prepared(self) -> dict[str, str]:
        """The gateway's files, for a process whose admin interface is elsewhere."""
        files = texts(self._place.directory)
        bootstrap, listeners = json.loads(files[FILE]), json.loads(files[LISTENERS])
        mark_public(listeners["resources"])
        return {
            **files,
            FILE: json.dumps(with_admin(bootstrap, self._admin.path, _STATS)),
            CLUSTERS: moved_admin(files[CLUSTERS], own_admin(bootstrap), self._admin.path),
            LISTENERS: json.dumps(listeners),
        }

    def _options(self) -> list[str]:
        return [*super()._options(), *LOG]

    def _put(self, name: str, text: str) -> None:
        """Written elsewhere, then moved: Envoy sees all of it or nothing."""
        place, aside = self._directory / name, self._directory / "next"
        place.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text, encoding="utf-8")
        aside.replace(place)
        self._live[name] = text

    def _replace(self, name: str, text: str, wanted: tuple[str, ...]) -> None:
        """Returns once Envoy goes by it. Raises RuntimeError where it refuses, and goes by the file of before."""
        before = next(self._counts(), _Counts())
        self._put(name, text)
        reads, takes = _subscriptions(name, tables(self._live), wanted)
        for counts in self._counts():
            if any(_grown(f"{one}.update_{how}", before, counts) for one in takes for how in ("rejected", "failure")):
                raise RuntimeError(f"Envoy did not take up {name}: {reason(self._now.errors())}")
            read = all(_grown(f"{one}.update_attempt", before, counts) for one in reads)
            taken = all(counts.get(f"{one}.update_success", 0) for one in takes)
            if read and taken and not any(counts.get(key, 0) for key in _WARMING):
                return
        raise RuntimeError(f"Envoy did not read {name} within {PATIENCE:.0f} s")

    def _counts(self) -> Iterator[_Counts]:
        """What Envoy has counted, again and again. It answers nobody while it reads a file."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._now.running:
            try:
                stats = json.loads(self._admin.get(_STATS))["stats"]
            except (OSError, HTTPException, ValueError):
                stats = None
            if stats is not None:
                yield {one["name"]: one["value"] for one in stats if isinstance(one.get("value"), int)}
            time.sleep(_POLL)


def _subscriptions(name: str, asked: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Those that read a file once it is there, and those that have to take what they have read.

    `asked`, `wanted`: the tables of the listeners now, and in the end. A new one is first taken by a new listener.
    """
    if name == CLUSTERS:
        return [_CLUSTERS], [_CLUSTERS]
    routes = [f"{_ROUTES}{table}" for table in asked]
    if name == HOSTS:
        return routes, routes if asked == wanted else []
    return [_LISTENERS], [_LISTENERS, *(routes if asked == wanted else [])]


def _grown(key: str, before: _Counts, now: _Counts) -> bool:
    return now.get(key, 0) > before.get(key, 0)
