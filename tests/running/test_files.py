"""Profile `files` of the Envoy target: one process, whose files are replaced under its traffic."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from compiling import emitted, gateway_of, write
from gwc.serving import Place
from gwc.target import EngineMissingError
from gwc_envoy import TARGET
from gwc_envoy.serving_files import FilesServed
from ports import free_port
from running.gateway import Upstream, until, upstream

pytestmark = pytest.mark.live
Json = dict[str, Any]
KEY = "a-key-that-is-long-enough"
IDENTITY = {
    "user_header": "X-User-Id",
    "api_key": {"header": "X-Api-Key", "consumers": [{"name": "ci", "secret": {"env": "GWC_TEST_KEY"}}]},
}


class Gateway:
    """Policies on an Envoy. Each change of them is taken up before the call returns."""

    def __init__(self, directory: Path, service: Upstream) -> None:
        self.port, self._admin, self._directory, self._upstream = free_port(), free_port(), directory, service
        self._served: FilesServed | None = None

    def serve(self, *routes: Json, service: str = "shop", **more: Any) -> None:
        platform = {
            "apiVersion": "gwc/v1",
            "kind": "Platform",
            "listen": {"http": f"127.0.0.1:{self.port}", "admin": f"127.0.0.1:{self._admin}"},
            "defaults": {"auth": "none"},
            "identity": IDENTITY,
            **more,
        }
        shop = {
            "apiVersion": "gwc/v1",
            "kind": "Service",
            "service": service,
            "upstream": f"http://127.0.0.1:{self._upstream.port}",
            "routes": [*routes],
        }
        write(emitted(gateway_of({"platform": platform, "shop": shop}), TARGET, "files"), self._directory)
        if self._served is None:
            self._served = self._started()
        else:
            self._served.reload()

    def _started(self) -> FilesServed:
        with (self._directory / "log").open("wb") as log:
            place = Place(self._directory, {"GWC_TEST_KEY": KEY}, os.dup(log.fileno()))
        served = TARGET.engine.serve(TARGET.engine.find("files"), place)
        assert isinstance(served, FilesServed)
        return served

    @property
    def pid(self) -> int:
        assert self._served is not None
        return self._served._now._process.pid

    def get(self, path: str, kept: HTTPConnection | None = None, **headers: str) -> int:
        """The status, 0 for a connection that was lost."""
        connection = kept or self.connection()
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            self.cache = answer.getheader("x-cache")
            return answer.status
        except (OSError, HTTPException):
            return 0
        finally:
            if kept is None:
                connection.close()

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=60)

    def purge(self, route: str) -> int:
        connection = HTTPConnection("127.0.0.1", self._admin, timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", f"/cache/purge/{route}")
            return connection.getresponse().status

    def stop(self) -> None:
        if self._served is not None:
            self._served.stop(1)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    try:
        TARGET.engine.find("files")
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    with upstream() as service:
        found = Gateway(tmp_path, service)
        try:
            yield found
        finally:
            found.stop()


def route(name: str, path: str = "", **fields: Any) -> Json:
    return {"name": name, "path": path or f"/{name}", "methods": ["GET"], **fields}


def limited(burst: int) -> Json:
    return route("few", limits=[{"per": "service", "rate": f"{burst}/hour"}])


@contextmanager
def asking(gateway: Gateway, path: str, *, kept: bool = False) -> Iterator[list[int]]:
    """The statuses that two clients see meanwhile."""
    statuses, over = list[int](), threading.Event()

    def ask() -> None:
        with contextlib.closing(gateway.connection()) as connection:
            while not over.is_set():
                statuses.append(gateway.get(path, connection if kept else None))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(statuses) > 5, lambda: f"nobody is answered: {statuses}")
        yield statuses
        enough = len(statuses) + 10
        until(lambda: len(statuses) > enough, lambda: f"nobody is answered any more: {statuses[-3:]}")
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_changed_route_costs_nothing_that_is_counted(gateway: Gateway) -> None:
    kept = route("kept", cache={"ttl": "1h", "scope": "public"})
    gateway.serve(route("free"), limited(3), kept)
    pid = gateway.pid
    assert [gateway.get("/few") for _ in range(4)] == [200, 200, 200, 429]
    assert (gateway.get("/kept"), gateway.cache) == (200, "MISS")
    with asking(gateway, "/free") as statuses, asking(gateway, "/free", kept=True) as more:
        gateway.serve(route("free"), {**limited(3), "timeouts": {"request": "7s"}}, kept, route("another"))
    assert set(statuses) | set(more) == {200}
    assert gateway.get("/another") == 200
    assert gateway.get("/few") == 429, "its bucket is as empty as before"
    assert (gateway.get("/kept"), gateway.cache) == (200, "HIT")
    assert gateway.pid == pid


def test_a_changed_limit_begins_anew_and_ends_no_request(gateway: Gateway) -> None:
    gateway.serve(route("free"), route("slow"), limited(3))
    pid, held = gateway.pid, list[int]()
    assert [gateway.get("/few") for _ in range(4)] == [200, 200, 200, 429]
    in_flight = threading.Thread(target=lambda: held.append(gateway.get("/slow")))
    in_flight.start()
    assert gateway._upstream.waiting.acquire(timeout=60)
    with asking(gateway, "/free") as statuses, asking(gateway, "/free", kept=True) as more:
        gateway.serve(route("free"), route("slow"), limited(2))
    assert set(statuses) | set(more) == {200}
    gateway._upstream.release.set()
    in_flight.join()
    assert held == [200]
    assert [gateway.get("/few") for _ in range(3)] == [200, 200, 429]
    assert gateway.pid == pid


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({}, {"service": "store"}, id="the service has another name"),
        pytest.param({"stream": True}, {}, id="it takes a hop no more"),
        pytest.param({}, {"stream": True}, id="it takes a hop now"),
        pytest.param({"timeouts": {"connect": "2s"}}, {"timeouts": {"connect": "1s"}}, id="it has another cluster"),
    ],
)
def test_what_leads_elsewhere_loses_no_request(gateway: Gateway, before: Json, after: Json) -> None:
    def serve(service: str = "shop", **fields: Any) -> None:
        gateway.serve(route("free", **fields), route("other", timeouts={"connect": "3s"}), service=service)

    serve(**before)
    pid = gateway.pid
    for fields in (after, before, after):
        with asking(gateway, "/free") as statuses, asking(gateway, "/free", kept=True) as more:
            serve(**fields)
        assert set(statuses) | set(more) == {200}
    assert gateway.pid == pid


def test_no_route_is_without_its_guard_for_a_moment(gateway: Gateway) -> None:
    """The first route that asks for a key brings the filter with it, and the last one takes it away."""
    guarded = route("safe", auth={"any_of": ["api_key"]})
    gateway.serve(route("free"))
    for _ in range(3):
        with asking(gateway, "/safe") as statuses, asking(gateway, "/safe", kept=True) as more:
            gateway.serve(route("free"), guarded)
        assert set(statuses) | set(more) == {404, 401}
        assert gateway.get("/safe", **{"X-Api-Key": KEY}) == 200
        with asking(gateway, "/safe") as statuses, asking(gateway, "/safe", kept=True) as more:
            gateway.serve(route("free"))
        assert set(statuses) | set(more) == {404, 401}


def test_what_was_purged_stays_so(gateway: Gateway) -> None:
    """Though its route is the first now, and was the second."""
    cached = {"cache": {"ttl": "1h", "scope": "public"}}
    gateway.serve(route("a", **cached), route("b", **cached))
    assert [gateway.get("/b") for _ in range(2)] == [200, 200]
    assert gateway.cache == "HIT"
    assert gateway.purge("shop/b") == 204
    gateway.serve(route("b", **cached))
    assert (gateway.get("/b"), gateway.cache) == (200, "MISS")
    assert (gateway.get("/b"), gateway.cache) == (200, "HIT")
    gateway.serve(route("b", cache={"ttl": "1h", "scope": "public", "vary": {"query": ["q"]}}))
    assert (gateway.get("/b"), gateway.cache) == (200, "MISS")


def test_what_envoy_refuses_is_taken_back(gateway: Gateway, tmp_path: Path) -> None:
    """Envoy judges each listener by itself: one without its certificate is refused, the other one had been taken."""
    gateway.serve(route("free"))
    pid, nowhere = gateway.pid, {"file": str(tmp_path / "none")}
    https = {"port": free_port(), "certificate": nowhere, "key": {"secret": nowhere}}
    listen = {"http": f"127.0.0.1:{gateway.port}", "https": https, "admin": f"127.0.0.1:{gateway._admin}"}
    with pytest.raises(RuntimeError, match=r"Envoy did not take up listeners/listeners\.json"):
        gateway.serve(route("other"), listen=listen)
    assert (gateway.get("/free"), gateway.get("/other")) == (200, 404)
    gateway.serve(route("free"), route("other"))
    assert (gateway.get("/free"), gateway.get("/other")) == (200, 200)
    assert gateway.pid == pid


def test_a_changed_bootstrap_takes_another_process(gateway: Gateway) -> None:
    gateway.serve(route("free"))
    pid = gateway.pid
    proof = {"gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GWC_TEST_KEY"}}}
    with asking(gateway, "/free") as statuses:
        gateway.serve(route("free"), route("other"), identity={**IDENTITY, **proof})
        assert gateway.pid != pid
        pid = gateway.pid
        gateway.serve(route("free"), identity={**IDENTITY, **proof})
    assert set(statuses) == {200}
    assert gateway.get("/other") == 404
    assert gateway.pid == pid
