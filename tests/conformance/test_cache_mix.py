"""Everything that a cache does, at the same time: each answer is the one for that user, key and header, and whole."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.client import Request, Response, exchange
from conformance.conftest import on_each_gateway, skip_where_missing
from conformance.harness import Launched, Service, launched
from conformance.scenario import SCENARIOS
from conformance.script import Script
from conformance.tokens import token
from conformance.variants import Variant
from gwc.support import Fidelity

SECONDS, CLIENTS = 6.0, 6
USERS, KEYS, TENANTS = 4, 25, ("red", "blue", "")
PAD = 150_000
"""Of an answer: all of them together are more than a store holds."""
NEEDED = ("cache", "cache.scope.user", "cache.stale.while_revalidate", "cache.stale.if_error")


@pytest.mark.live
@on_each_gateway("mix")
def test_every_answer_is_the_one_that_was_asked_for(variant: Variant, service: Service, tmp_path: Path) -> None:
    skip_where_missing(variant)
    with launched(SCENARIOS / "cache/mix.yaml", variant, service, tmp_path) as gateway:
        if refused := [name for name in NEEDED if gateway.declared.get(name) is Fidelity.UNSUPPORTED]:
            pytest.skip(f"{variant.promise} refuses {', '.join(refused)}")
        faults, counts = _Mix(gateway).run()
    assert faults == [], faults[:5]
    assert counts["HIT"] > 50
    assert counts["STALE"] > 5
    assert counts["MISS"] > 50


class _Mix:
    """Clients that ask for one thing after the other, and one that purges."""

    def __init__(self, gateway: Launched) -> None:
        self._address, self._admin = gateway.address, gateway.admin
        self._purges = "cache" not in gateway.declared  # below exact it is this that is missing
        self._mark, self._end = f"case-{uuid.uuid4().hex[:12]}", time.monotonic() + SECONDS
        self._counts: Counter[str] = Counter()
        self._faults: list[str] = []
        self._lock = threading.Lock()
        scripts = [Script(pad=PAD), Script(pad=PAD, delay=0.05), Script(pad=10), Script(pad=PAD // 2)]
        gateway.upstream.recorder.mark(self._mark, self._mark, [*scripts * 500])
        self._tokens = [token(f"user-{number}") for number in range(USERS)]

    def run(self) -> tuple[list[str], Counter[str]]:
        """What was wrong, and how often X-Cache said what."""
        with ThreadPoolExecutor(CLIENTS + 1) as pool:
            asking = [pool.submit(self._ask, random.Random(number)) for number in range(CLIENTS)]
            purging = [pool.submit(self._purge)] if self._purges else []
            for future in (*asking, *purging):
                future.result()
        return self._faults, self._counts

    def _purge(self) -> None:
        while time.monotonic() < self._end:
            time.sleep(1.3)
            response = exchange(self._admin, Request("POST", "/cache/purge/main/all", (("Host", "admin"),)))
            self._note("PURGE", [] if response.status == 204 else [f"purge: {response.status}"])

    def _ask(self, dice: random.Random) -> None:
        while time.monotonic() < self._end:
            user, key, tenant = dice.randrange(USERS), dice.randrange(KEYS), dice.choice(TENANTS)
            method, route = dice.choice(("GET", "GET", "GET", "HEAD")), dice.choice(("mine", "mine", "all"))
            headers = [("Host", "gateway.test"), ("Authorization", f"Bearer {self._tokens[user]}")]
            headers += [("X-Tenant", tenant)] if tenant else []
            request = Request(method, f"/{route}/{self._mark}?q={key}", tuple(headers))
            response = exchange(self._address, request)
            wanted = {"x-user-id": f"user-{user}", "x-tenant": tenant} if route == "mine" else {}
            self._note(response.value("x-cache") or "none", _faults(request, response, wanted))

    def _note(self, what: str, faults: list[str]) -> None:
        with self._lock:
            self._counts[what] += 1
            self._faults += faults


def _faults(request: Request, response: Response, wanted: dict[str, str]) -> list[str]:
    if response.status != 200 or not response.complete:
        return [f"{request.target}: {response.status}, complete: {response.complete}"]
    if request.method == "HEAD":
        return [f"HEAD has a body of {len(response.body)} bytes"] if response.body else []
    echo = json.loads(response.body)
    got = {name.lower(): value for name, value in echo["headers"]}
    wrong = {name: got.get(name) for name, value in wanted.items() if got.get(name, "") != value}
    if echo["target"] != request.target or echo["method"] not in ("GET", "HEAD") or wrong or "authorization" in got:
        return [f"{request.target} for {wanted} got {echo['method']} {echo['target']} with {wrong}"]
    return []
