"""The story while all is well: the edge cache, identity, a stream, its cost, and its trace over both processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import httpx

from gwc.diagnostics import Span
from gwc.ir import Node
from gwc.observability.tracing import RESOURCE_SERVICE_NAME
from otlp_collector import Collector
from otlp_collector import Span as TraceSpan
from storyline.stage import BASE, Stage
from storyline.streaming import Streamed, streamed
from storyline.telling import Teller, shortened

Act: TypeAlias = Callable[[Stage, Teller], None]
QUESTION = "What does John 3:16 promise?"
DAVID, IN_OTHER_WORDS = "Who was David's father?", "Who is the father of David?"
SERVICE_NAME = "gwc-assistant"


def written(node: Node | None, *names: str) -> tuple[Span, ...]:
    """Where fields of the resolved policies were written."""
    return tuple(node.provenance[name].span for name in names) if node is not None else ()


def problem_of(stage: Stage, response: httpx.Response) -> str:
    """The type of the problem that the answer is, without what all types begin with; empty where it is none."""
    if response.headers.get("content-type") != "application/problem+json":
        return ""
    return str(response.json()["type"]).removeprefix(stage.gateway.error_type_base)


def the_edge_keeps_the_text(stage: Stage, tell: Teller) -> None:
    cache = stage.route("scripture").cache
    tell.act("The text is public, and kept at the edge", *written(cache, "ttl"))
    path = f"{BASE}/v1/scripture/John%203:16"
    first, second = (stage.edge.get(path) for _ in range(2))
    for response in (first, second):
        tell.answered(response)
    colours = [response.headers.get("x-cache") for response in (first, second)]
    tell.check(
        "the first one comes from the service, the second one from the edge", colours == ["MISS", "HIT"], colours
    )
    _variants(stage, tell, path, first.headers.get("etag", ""))
    prompts = [stage.edge.get(f"{BASE}/v1/prompts/ask").headers.get("x-cache") for _ in range(2)]
    tell.check("prompts are kept, too", prompts == ["MISS", "HIT"], prompts)


def _variants(stage: Stage, tell: Teller, path: str, tag: str) -> None:
    known = stage.edge.get(path, headers={"If-None-Match": tag})
    tell.check("who has it already is told so: 304", known.status_code == 304, known.status_code)
    other = stage.edge.get(path, params={"version": "KJV"})
    tell.check("a parameter that the policy lists is another answer", other.headers.get("x-cache") == "MISS")
    noise = stage.edge.get(path, params={"utm_source": "mail"})
    tell.check("one that it does not list is the same answer", noise.headers.get("x-cache") == "HIT")


def the_gateway_knows_who_asks(stage: Stage, tell: Teller) -> None:
    jwt = stage.gateway.identity.jwt[0]
    tell.act(
        "Who asks is the gateway's business", *written(stage.route("ask").auth, "providers"), *written(jwt, "audiences")
    )
    path, body = f"{BASE}/v1/ask", {"question": QUESTION}
    nobody = stage.edge.post(path, json=body)
    tell.answered(nobody, "without a token")
    tell.check("401, and how to do better", (nobody.status_code, "www-authenticate" in nobody.headers) == (401, True))
    other = stage.edge.post(path, json=body, headers=stage.bearer("ada", "another-product"))
    tell.answered(other, "a token for another product")
    tell.check("403", (other.status_code, problem_of(stage, other)) == (403, "forbidden"), other.status_code)
    posing = stage.bearer("ada") | {"X-User-Id": "mallory", "X-Gateway-Secret": "a guess"}
    answer = stage.edge.post(path, json=body, headers=posing)
    tell.answered(answer, "ada's token, and a header that says mallory")
    tell.check("answered by the model", (answer.status_code, _degraded(answer)) == (200, ""), answer.status_code)
    _billed_to(stage, tell)


def _degraded(response: httpx.Response) -> str:
    return str(response.json().get("degraded", "no answer")) if response.status_code == 200 else "no answer"


def _billed_to(stage: Stage, tell: Teller) -> None:
    asked = {user: sum(line["requests"] for line in _ledger(stage, user)) for user in ("ada", "mallory")}
    tell.check("it is ada's, and mallory never asked", asked == {"ada": 1, "mallory": 0}, asked)


def _ledger(stage: Stage, user: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = stage.edge.get(f"{BASE}/v1/usage", headers=stage.bearer(user)).json()["lines"]
    return lines


def an_answer_streams_and_is_paid_for(stage: Stage, tell: Teller) -> None:
    tell.act("An answer arrives word by word, and its cost at the end", *written(stage.route("ask"), "stream"))
    found = streamed(stage.edge, f"{BASE}/v1/ask", {"question": QUESTION}, stage.bearer("bea"), stage.model.hold())
    tell.say(f"> POST {BASE}/v1/ask with Accept: text/event-stream (bea)")
    tell.say(f"< {found.response.status_code}, {len(found.events)} events in {len(found.seconds)} pieces:")
    for name, data in (*found.events[:3], *found.events[-1:]):
        tell.say(f"< event: {name} {shortened(json.dumps(data, ensure_ascii=False))}")
    tell.check("meta, words, citations, and usage as the last", found.kinds == ["meta", "delta", "citations", "usage"])
    _word_by_word(found, tell)
    tell.check("what it costs stays behind the gateway", "x-cost-units" not in found.response.headers)
    _in_the_ledger(stage, tell, found.of("usage")[-1])


def _word_by_word(found: Streamed, tell: Teller) -> None:
    if found.one_by_one is None:
        apart = len(found.seconds) > 3 and found.seconds[-1] > 0.05
        tell.check("the words came one after the other", apart, found.seconds)
    else:
        tell.check("the first word was here before the model had said the second", found.one_by_one)


def _in_the_ledger(stage: Stage, tell: Teller, usage: dict[str, object]) -> None:
    ledger = stage.edge.get(f"{BASE}/v1/usage", headers=stage.bearer("bea"))
    tell.answered(ledger, "bea")
    (line,) = ledger.json()["lines"] or [{}]
    same = {name: line.get(name) for name in ("input_tokens", "output_tokens", "usd", "units")}
    tell.check("the ledger has what the last event said", same == {name: usage.get(name) for name in same}, line)
    tell.check("counted by the model's server, and the price is known", (line["estimated"], line["unknown"]) == (0, 0))
    again, other = (stage.edge.get(f"{BASE}/v1/usage", headers=stage.bearer(user)) for user in ("bea", "ben"))
    tell.check("the edge keeps it for bea", again.headers.get("x-cache") == "HIT", again.headers.get("x-cache"))
    tell.check("and for nobody else", (other.headers.get("x-cache"), other.json()["lines"]) == ("MISS", []))


def one_trace_goes_through_both(stage: Stage, tell: Teller) -> None:
    tell.act("One trace through both processes", *written(stage.gateway.tracing, "otlp"))
    answer = stage.ask("cal", DAVID)
    tell.answered(answer, "cal")
    chat = f"chat {stage.model.name}"
    spans = stage.trace(answer.headers.get("x-request-id", ""))
    tell.tree(spans)
    roots = [span for span in spans if not span.parent]
    tell.check("the gateway's span is its root", [_process(span) for span in roots] == [RESOURCE_SERVICE_NAME], roots)
    served = [span for span in spans if _process(span) == SERVICE_NAME and span.kind == "SERVER"]
    tell.check("the service's is its child", [span.parent for span in served] == [root.id for root in roots], served)
    below = {span.name for span in spans if span.parent in {one.id for one in served}}
    tell.check("retrieval, cache and model are below that", {"cache lookup", "retrieval", chat} <= below, below)
    _the_same_in_other_words(stage, tell)


def _the_same_in_other_words(stage: Stage, tell: Teller) -> None:
    answer = stage.ask("cal", IN_OTHER_WORDS)
    tell.answered(answer, "cal")
    spans = stage.trace(answer.headers.get("x-request-id", ""))
    tell.tree(spans)
    layer = answer.headers.get("x-assistant-cache")
    tell.check("the same in other words is answered from the cache by meaning", layer == "semantic", layer)
    kinds = {span.name.partition(" ")[0] for span in spans if _process(span) == SERVICE_NAME}
    only = ("embeddings" in kinds, "chat" in kinds) == (True, False)
    tell.check("its trace has an embedding, and no model", only, kinds)
    _nothing_else(stage.collector, tell)


def _nothing_else(collector: Collector, tell: Teller) -> None:
    def strays() -> list[TraceSpan]:
        every = list(collector.spans)
        gateways = {span.trace for span in every if _process(span) == RESOURCE_SERVICE_NAME}
        return [span for span in every if span.trace not in gateways]

    collector.wait(lambda: not strays())
    tell.check("the service has begun no trace of its own", strays() == [], strays())
    tell.check("and all that came was proper OTLP", collector.faults == [], collector.faults)


def _process(span: TraceSpan) -> str:
    return str(span.resource.get("service.name"))
