"""The story when somebody asks too much, or the model fails: what is refused, what stands in, and what comes back."""

from __future__ import annotations

import math
import time

import httpx

from gwc.ir import Budget
from storyline.acts import QUESTION, problem_of, written
from storyline.stage import BASE, BREAKER_OPEN, CACHE_TTL, Stage
from storyline.telling import Teller

PERIOD_ENDS_WITHIN = 3.0
"""Seconds by which a told renewal may be off: the request's own way, and whole seconds."""
_OPEN = 2.0  # the breaker's gauge


def one_user_asks_too_often(stage: Stage, tell: Teller) -> None:
    (limit,) = stage.route("ask").limits
    tell.act("One user asks too often", *written(limit, "rate"))
    began, answers = time.monotonic(), [stage.ask("bob", QUESTION)]
    while answers[-1].status_code == 200 and len(answers) < 4 * limit.burst:
        answers.append(stage.ask("bob", QUESTION))
    refused, passed = answers[-1], len(answers) - 1
    a_second = limit.rate.tokens / limit.rate.period
    tell.answered(refused, "bob", f"request {len(answers)}")
    most = limit.burst + int((time.monotonic() - began) * a_second)
    tell.check(f"{limit.burst} at once pass, and what came back meanwhile", limit.burst <= passed <= most, passed)
    tell.check("429", (refused.status_code, problem_of(stage, refused)) == (429, "rate-limited"), refused.text)
    wait = int(refused.headers.get("retry-after", 0))
    tell.check("it says when to come again", 1 <= wait <= math.ceil(1 / a_second), wait)
    tell.check("and how many are left: none", "r=0" in refused.headers.get("ratelimit", ""))
    other = stage.ask("carol", QUESTION)
    tell.check("another user is answered in the same moment", other.status_code == 200, other.text)


def a_budget_is_spent(stage: Stage, tell: Teller) -> None:
    budget, route = stage.assistant.budget, stage.route("ask")
    assert budget is not None
    tell.act("A budget runs out", *written(budget, "units", "charge"), *written(route, "cost"))
    charged = stage.keeps("budget.charge")
    tell.say(f"Here it has {budget.units.tokens} units. " + (_SETTLED if charged else _FIXED.format(route.cost)))
    for user in ("cleo", "clio"):  # the second one where an hour ended meanwhile
        hour = time.time() // budget.units.period
        costs, refused = _until_spent(stage, tell, user, charged)
        if time.time() // budget.units.period == hour:
            break
    tell.answered(refused, user)
    units, spent = budget.units.tokens, sum(costs)
    fits = bool(costs) and spent - costs[-1] + route.cost <= units < spent + route.cost
    tell.check(f"after {len(costs)} answers for {spent} units: what is left is less than {route.cost}", fits, costs)
    _refused_until_the_next_period(stage, tell, budget, refused)
    text = stage.edge.get(f"{BASE}/v1/scripture/John%203:16", headers=stage.bearer(user))
    tell.check("what is public is still there", text.status_code == 200)
    other = stage.ask("cora", QUESTION)
    tell.check("another user's budget is another one", other.status_code == 200, other.text)


def _refused_until_the_next_period(stage: Stage, tell: Teller, budget: Budget, refused: httpx.Response) -> None:
    tell.check("429, and of another type", problem_of(stage, refused) == "budget-exhausted", refused.text)
    left = budget.units.period - time.time() % budget.units.period
    back = float(refused.headers.get("retry-after", 0))
    tell.check("it says when units are back: with the next hour", abs(back - left) <= PERIOD_ENDS_WITHIN, (back, left))


_SETTLED = "This gateway settles what each answer really cost, as the service reports it."
_FIXED = "This gateway cannot read what an answer cost (`gwc support` says so): each costs the route's {}."


def _until_spent(stage: Stage, tell: Teller, user: str, charged: bool) -> tuple[list[int], httpx.Response]:
    """What each answer cost in the gateway's budget, and the first refusal that is not of the limit."""
    costs: list[int] = []
    for number in range(1, 40):
        answer = stage.ask(user, f"What is written in Genesis 1:{number % 31}?")
        if answer.status_code == 200:
            costs.append(answer.json()["usage"]["units"] if charged else stage.route("ask").cost)
            tell.say(f"{user}'s question {len(costs)} costs {costs[-1]}")
        elif problem_of(stage, answer) == "rate-limited":
            time.sleep(int(answer.headers["retry-after"]))
        else:
            break
    return costs, answer


def the_model_fails(stage: Stage, tell: Teller) -> None:
    tell.act("The model is switched off: something else answers, and says so")
    before = stage.ask("dan", QUESTION).json()
    time.sleep(CACHE_TTL + 0.5)  # his answer is past its time, but may stand in
    stage.model.switch_off()
    stale = stage.ask("dan", QUESTION)
    tell.answered(stale, "dan, who has asked this before")
    tell.check("his own old answer, marked", _told(stale) == (200, "stale", "stale-answer"), _told(stale))
    tell.check("word for word", stale.json().get("answer") == before["answer"])
    verses = stage.ask("erin", QUESTION)
    tell.answered(verses, "erin, who has not")
    tell.check("the verses, and not dan's answer", _told(verses) == (200, "miss", "extractive"), _told(verses))
    _nothing_may_stand_in(stage, tell)


def _told(response: httpx.Response) -> tuple[int, str | None, str | None]:
    body = response.json()
    return response.status_code, response.headers.get("x-assistant-cache"), body.get("degraded")


def _nothing_may_stand_in(stage: Stage, tell: Teller) -> None:
    plain = stage.ask("erin", QUESTION, allow_degraded=False)
    tell.answered(plain, "erin, who wants the model or nothing")
    named = (plain.status_code, problem_of(stage, plain), "retry-after" in plain.headers)
    tell.check("424, the service's own problem, untouched", named == (424, "model-unavailable", True), plain.text)
    state = stage.metric(f'assistant_breaker_state{{breaker="llm:{stage.model.name}"}}')
    tell.check("after three failures the breaker is open: nobody waits for this model", state == _OPEN, state)
    spans = stage.trace(plain.headers.get("x-request-id", ""))
    tell.tree(spans)
    tries = [span.name for span in spans if span.kind == "SERVER"]
    tell.check("the gateway asked once: it does not try a 424 again", len(tries) == 2, tries)


def a_failed_dependency_is_not_the_services_bad_health(stage: Stage, tell: Teller) -> None:
    breaker = stage.assistant.upstream.breaker
    assert breaker is not None
    tell.act("A failed dependency is not the service's bad health", *written(breaker, "failures", "open"))
    users = [user for user in ("frank", "gina") for _ in range(4)]
    answers = [stage.ask(user, QUESTION, allow_degraded=False).status_code for user in users]
    tell.say(f"> POST {BASE}/v1/ask with allow_degraded: false, {len(users)} times: {answers}")
    more = set(answers) == {424} and len(answers) > breaker.failures
    tell.check(f"more than the {breaker.failures} failures that would open the gateway's breaker", more, answers)
    text = stage.edge.get(f"{BASE}/v1/scripture/Psalm%2023")
    tell.answered(text)
    fresh = (text.status_code, text.headers.get("x-cache"))
    tell.check("the service is asked and answers", fresh == (200, "MISS"), fresh)


def the_model_is_back(stage: Stage, tell: Teller) -> None:
    tell.act("The model is switched on again")
    stage.model.switch_on()
    for _ in range(5):  # as many as the limit lets pass at once
        time.sleep(BREAKER_OPEN)
        answer = stage.ask("hal", QUESTION)
        if _told(answer) == (200, "miss", ""):
            break
    tell.answered(answer, "hal")
    tell.check("the breaker let one question through, and the model answers", _told(answer) == (200, "miss", ""))
    state = stage.metric(f'assistant_breaker_state{{breaker="llm:{stage.model.name}"}}')
    tell.check("it is closed again", state == 0, state)
