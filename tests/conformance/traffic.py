"""A mix of requests that meets every guard once, and what each of them has to look like in log and metrics."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from conformance.client import Conversation, Request, Response, abandoned, converse, exchange
from conformance.harness import Launched
from conformance.script import KEY_HEADER, SCRIPT_HEADER, Script, encode
from conformance.tokens import fill
from conformance.upstream import MARK, Seen
from gwc.support import Fidelity

SCENARIO = "observability/traffic"
HOST = "gateway.test"
KEY = "a-key-that-nobody-guesses-1"
CREDENTIALS = ("s3cret", KEY, "eyJ")
"""Parts of every credential that the traffic shows: the last begins each JSON Web Token."""

Says = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, the answer's status, and what the log `says` of it beside what anybody can see.

    `at` is `service/route`. `needs`: a gateway that cannot express one of these features is not asked. `after` are
    seconds since the start of its act. A `source` of its own keeps a visit out of others' buckets.
    """

    name: str
    request: str
    status: int
    at: str = "/"
    says: Says = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    source: str = ""
    upstream: tuple[Script, ...] = (Script(),)
    body: bytes = b""
    needs: tuple[str, ...] = ()
    after: float = 0
    abandon: float | None = None
    messages: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def target(self) -> str:
        return self.request.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A visit that took place. `began` is on the clock, `id` what the client asked its request to be called."""

    visit: Visit
    id: str
    source: str
    target: str
    began: float
    response: Response
    seen: Sequence[Seen]


def refused(limit: str, *, problem: str = "rate-limited") -> Says:
    return {"limited_by": limit, "problem": problem}


ANN = ("Authorization", "Bearer ${TOKEN:ann,scopes=notes.read}")
RED = ("X-Tenant", "red")
SLOW = (Script(delay=1.5),)
FAILS = Script(status=503, body="no")
CACHED = ("cache",)

ACTS: tuple[tuple[Visit, ...], ...] = (
    (Visit("plain", "GET /ok/x?page=2&page=3&empty=", 200, "main/ok"),),
    (Visit("head", "HEAD /ok/x", 200, "main/ok"),),
    (Visit("large", "GET /ok/large", 200, "main/ok", upstream=(Script(size=70_000),)),),
    (Visit("chunked", "GET /ok/chunks", 200, "main/ok", upstream=(Script(chunks=3),)),),
    (Visit("slow", "GET /ok/slow", 200, "main/ok", upstream=(Script(delay=0.4),)),),
    (Visit("canonical", "GET /ok//a/../b/%7Ec", 200, "main/ok"),),
    (Visit("quotes", "GET /ok/a\"b'c{d}%22?q=\"'\\&{}", 200, "main/ok"),),
    (
        Visit(
            "credentials",
            "GET /ok/q?access_token=s3cret1&Api_Key=s3cret2&%74oken=s3cret3&page=2&tokens=4&code=s3cret4=&key&"
            "X-Amz-Signature=s3cret5&sig=s3cret6&sig=s3cret7",
            200,
            "main/ok",
            {
                "query": "access_token=***&Api_Key=***&%74oken=***&page=2&tokens=4&code=***&key&X-Amz-Signature=***"
                "&sig=***&sig=***"
            },
        ),
    ),
    (
        Visit(
            "forwarded",
            "GET /ok/x",
            200,
            "main/ok",
            {"client_ip": "203.0.113.7"},
            (("X-Forwarded-For", "198.51.100.1, 203.0.113.7"),),
            "127.0.99.1",
        ),
    ),
    (Visit("spoofed", "GET /ok/x", 200, "main/ok", headers=(("X-Forwarded-For", "203.0.113.7"),)),),
    (Visit("nowhere", "GET /nowhere?a=1", 404),),
    (Visit("wrong method", "DELETE /ok/x", 405),),
    (Visit("encoded slash", "GET /ok/a%2Fb", 400),),
    (Visit("jwt", "GET /who", 200, "main/who", {"user": "ann"}, (ANN,), needs=("auth.jwt", "auth.any_of")),),
    (
        Visit(
            "key",
            "GET /who",
            200,
            "main/who",
            {"user": "mobile"},
            (("X-API-Key", KEY),),
            needs=("auth.api_key", "auth.any_of"),
        ),
    ),
    (Visit("nobody", "GET /who", 401, "main/who", needs=("auth.api_key", "auth.any_of")),),
    (
        Visit(
            "forger",
            "GET /who",
            401,
            "main/who",
            headers=(("Authorization", "Bearer ${TOKEN:ann,key=wrong}"), ("X-User-Id", "ann")),
            needs=("auth.jwt", "auth.any_of"),
        ),
    ),
    (Visit("no scope", "GET /scoped", 403, "main/scoped", {"user": "ann"}, (ANN,), needs=("auth.jwt", "auth.scopes")),),
    (Visit("ip", "GET /limit/ip", 200, "main/ip", source="127.0.40.1", needs=("limits.ip",)),),
    (
        Visit(
            "ip refused",
            "GET /limit/ip",
            429,
            "main/ip",
            refused("route/main/ip/0"),
            source="127.0.40.1",
            needs=("limits.ip",),
        ),
    ),
    (Visit("tenant", "GET /limit/tenant", 200, "main/tenant", headers=(RED,), needs=("limits.header",)),),
    (
        Visit(
            "tenant refused",
            "GET /limit/tenant",
            429,
            "main/tenant",
            refused("route/main/tenant/0"),
            (RED,),
            needs=("limits.header",),
        ),
    ),
    (Visit("no tenant", "GET /limit/tenant", 200, "main/tenant", needs=("limits.header",)),),
    (
        Visit(
            "hostile tenant",
            "GET /limit/tenant",
            200,
            "main/tenant",
            headers=(("X-Tenant", "a\"b\\c'{}, caf\xe9 \xff"),),
            needs=("limits.header",),
        ),
    ),
    (Visit("all", "GET /limit/all", 200, "main/all", needs=("limits.service",)),),
    (Visit("all refused", "GET /limit/all", 429, "main/all", refused("route/main/all/0"), needs=("limits.service",)),),
    (
        Visit(
            "user",
            "GET /limit/user",
            200,
            "main/user",
            {"user": "ann"},
            (ANN,),
            needs=("limits.user", "auth.jwt"),
        ),
    ),
    (
        Visit(
            "user refused",
            "GET /limit/user",
            429,
            "main/user",
            {"user": "ann", **refused("route/main/user/0")},
            (ANN,),
            needs=("limits.user", "auth.jwt"),
        ),
    ),
    (Visit("shadow", "GET /limit/shadow", 200, "main/shadow", source="127.0.40.2", needs=("limits.shadow",)),),
    (
        Visit(
            "shadow refused",
            "GET /limit/shadow",
            200,
            "main/shadow",
            {"shadowed_by": ["route/main/shadow/0"]},
            source="127.0.40.2",
            needs=("limits.shadow",),
        ),
    ),
    *(
        (Visit(f"many {n}", "GET /ok/many", 200, "main/ok", source="127.0.40.3", needs=("limits.ip",)),)
        for n in range(5)
    ),
    (
        Visit(
            "too many",
            "GET /ok/many",
            429,
            "main/ok",
            refused("platform/0"),
            source="127.0.40.3",
            needs=("limits.ip",),
        ),
    ),
    (
        Visit(
            "retried",
            "GET /tried",
            200,
            "main/tried",
            {"attempts": 3},
            upstream=(FAILS, Script(fail="reset"), Script()),
            needs=("retries.attempts", "retries.when"),
        ),
    ),
    (
        Visit(
            "retried in vain",
            "GET /tried",
            503,
            "main/tried",
            {"attempts": 3, "problem": "unavailable"},
            upstream=(FAILS,),
            needs=("retries.attempts", "retries.when"),
        ),
    ),
    (Visit("failed", "GET /ok/x", 500, "main/ok", {"problem": "internal-error"}, upstream=(Script(status=500),)),),
    (Visit("its own", "GET /ok/x", 409, "main/ok", upstream=(Script(status=409, type="application/problem+json"),)),),
    (Visit("too late", "GET /brief", 504, "main/brief", {"problem": "timeout"}, upstream=SLOW),),
    (Visit("too large", "POST /small", 413, "main/small", body=b"y" * 5000),),
    (Visit("left", "GET /ok/left", 0, "main/ok", {"attempts": 1}, upstream=SLOW, abandon=0.7),),
    (Visit("stream", "GET /events", 200, "main/events", upstream=(Script(events=4, every=0.1),), needs=("stream",)),),
    (Visit("socket", "GET /chat", 101, "main/chat", messages=("one", "two"), needs=("websocket",)),),
    (Visit("miss", "GET /cached/${case}", 200, "main/cached", {"cache": "MISS"}, needs=CACHED),),
    (Visit("hit", "GET /cached/${case}", 200, "main/cached", {"cache": "HIT", "attempts": 0}, needs=CACHED),),
    (Visit("bypass", "POST /cached/${case}", 200, "main/cached", {"cache": "BYPASS"}, needs=CACHED),),
    (Visit("fresh", "GET /aging/${case}", 200, "main/aging", {"cache": "MISS"}, needs=("cache.stale.if_error",)),),
    (
        Visit(
            "stale",
            "GET /aging/${case}",
            200,
            "main/aging",
            {"cache": "STALE", "attempts": 1},
            upstream=(FAILS,),
            needs=("cache.stale.if_error",),
            after=2.3,
        ),
    ),
    (Visit("paid", "GET /paid", 200, "paid/dear", {"user": "ann", "cost": 2}, (ANN,), needs=("budget", "auth.jwt")),),
    (
        Visit(
            "spent",
            "GET /paid",
            429,
            "paid/dear",
            {"user": "ann", "cost": 0, **refused("budget", problem="budget-exhausted")},
            (ANN,),
            needs=("budget", "auth.jwt"),
        ),
    ),
    (
        Visit(
            "settled",
            "GET /settled",
            200,
            "settled/told",
            {"user": "ann", "cost": 7},
            (ANN,),
            upstream=(Script(headers=[("X-Cost-Units", "7")]),),
            needs=("budget.charge", "auth.jwt"),
        ),
    ),
    *(
        (Visit(f"refused {n}", "GET /frail", 502, "frail/any", {"attempts": 1}, needs=("upstream.breaker",)),)
        for n in range(2)
    ),
    (
        Visit(
            "open",
            "GET /frail",
            503,
            "frail/any",
            {"attempts": 0, **refused("breaker", problem="circuit-open")},
            needs=("upstream.breaker",),
            after=0.7,  # Envoy's main thread ejects, and tells the workers
        ),
    ),
    (
        Visit("first", "GET /narrow", 200, "narrow/any", upstream=SLOW, needs=("upstream.concurrency",)),
        Visit(
            "second",
            "GET /narrow",
            503,
            "narrow/any",
            refused("upstream.concurrency", problem="overloaded"),
            needs=("upstream.concurrency",),
            after=0.7,
        ),
    ),
    (
        *(Visit(f"held {n}", "GET /ok/held", 200, "main/ok", upstream=SLOW, needs=("concurrency",)) for n in range(4)),
        Visit(
            "excess",
            "GET /ok/excess",
            503,
            "main/ok",
            refused("concurrency", problem="overloaded"),
            needs=("concurrency",),
            after=0.7,
        ),
    ),
)


def play(gateway: Launched) -> list[Outcome]:
    """The whole mix, act after act, but for what the gateway cannot express."""
    lacking = {name for name, fidelity in gateway.declared.items() if fidelity is Fidelity.UNSUPPORTED}
    run, outcomes = uuid.uuid4().hex[:12], []
    for number, act in enumerate(ACTS):
        visits = [visit for visit in act if not lacking & {*visit.needs}]
        with ThreadPoolExecutor(max(len(visits), 1)) as pool:
            places = [(f"{run}-{number}-{place}", f"127.0.{50 + number}.{1 + place}") for place in range(len(visits))]
            outcomes += pool.map(lambda visit, place: _pay(gateway, visit, *place), visits, places)
    return outcomes


def _pay(gateway: Launched, visit: Visit, key: str, source: str) -> Outcome:
    time.sleep(visit.after)
    target = visit.target.replace("${case}", f"case-{key[:12]}")
    recorder = gateway.upstream.recorder
    if mark := MARK.search(target):
        recorder.mark(mark[0], key, visit.upstream)
    request = _request(visit, key, visit.source or source, target)
    began = time.time()
    response = _ask(gateway, visit, request)
    return Outcome(visit, f"mix-{key}", request.source, target, began, response, recorder.seen(key))


def _request(visit: Visit, key: str, source: str, target: str) -> Request:
    own = (("Host", HOST), ("X-Request-ID", f"mix-{key}"), (KEY_HEADER, key), (SCRIPT_HEADER, encode(visit.upstream)))
    headers = tuple((name, fill(value, 0)) for name, value in visit.headers)
    return Request(visit.method, target, (*own, *headers), visit.body, source=source)


def _ask(gateway: Launched, visit: Visit, request: Request) -> Response:
    if visit.abandon is not None:
        return abandoned(gateway.address, request, visit.abandon)
    if visit.messages:
        return converse(gateway.address, request, Conversation(visit.messages))
    return exchange(gateway.address, request)


def problem_of(response: Response, base: str) -> str:
    """The type of the gateway's problem; a service's own has another prefix, or none."""
    if (response.value("content-type") or "") != "application/problem+json" or not response.body:
        return ""
    said = str(json.loads(response.body).get("type", ""))
    return said.removeprefix(base) if said.startswith(base) else ""
