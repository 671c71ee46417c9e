"""The text, the prompts, and who may ask for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import pytest

from assistant.running import REQUEST_ID, SECRET, Running, headers
from gwc_assistant.resilience import OverloadedError
from gwc_assistant.settings import Settings

Run = Callable[[Settings], Running]


@pytest.fixture
def service(run: Run, settings: Settings) -> Running:
    return run(settings)


def test_a_passage_has_its_verses_and_a_validator(service: Running) -> None:
    response = service.client.get("/v1/scripture/John 3:16-17", params={"version": "kjv"})
    body = response.json()
    assert (body["reference"], body["version"]) == ("John 3:16-17", "KJV")
    assert [verse["verse"] for verse in body["passages"][0]["verses"]] == [16, 17]
    assert "public" in response.headers["Cache-Control"]
    tag = response.headers["ETag"]
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = service.client.get(response.request.url, headers=headers(**{"If-None-Match": condition}))
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    other = service.client.get(response.request.url, headers=headers(**{"If-None-Match": '"other"'}))
    assert other.status_code == 200


def test_the_same_passage_in_other_words_has_the_same_validator(service: Running) -> None:
    tags = {
        service.client.get(f"/v1/scripture/{name}").headers["ETag"] for name in ("John 3:16", "jn 3.16", "joh 3 16")
    }
    assert len(tags) == 1


def test_head_is_get_without_the_body(service: Running) -> None:
    for path in ("/v1/scripture/John 3:16", "/v1/scripture/search?q=love", "/v1/prompts", "/v1/prompts/ask"):
        get, head = service.client.get(path), service.client.head(path)
        assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", get.headers["ETag"])


@pytest.mark.parametrize(
    ("path", "status", "type_"),
    [
        ("/v1/scripture/Psalm 151", 404, "unknown-reference"),
        ("/v1/scripture/John 3:16?version=NIV", 404, "unknown-version"),
        ("/v1/scripture/Acts 8:37?version=ASV", 404, "unknown-reference"),
        ("/v1/scripture/Genesis", 422, "passage-too-long"),
        ("/v1/scripture/search", 422, "invalid-request"),
        ("/v1/scripture/search?q=love&limit=51", 422, "invalid-request"),
        ("/v1/scripture/search?q=love&mode=magic", 422, "invalid-request"),
        ("/v1/prompts/none", 404, "unknown-prompt"),
        ("/v1/nothing", 404, "not-found"),
    ],
)
def test_errors_have_the_gateways_shape(service: Running, path: str, status: int, type_: str) -> None:
    response = service.client.get(path)
    body = response.json()
    assert (response.status_code, body["type"]) == (status, f"urn:gwc:problem:{type_}")
    assert list(body) == ["type", "title", "status", "detail", "instance", "request_id"]
    assert body["instance"] == "/assistant" + response.request.url.raw_path.decode().partition("?")[0]
    assert body["request_id"] == REQUEST_ID
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"


def test_another_method_is_405_with_allow(service: Running) -> None:
    response = service.client.delete("/v1/prompts")
    assert (response.status_code, set(response.headers["Allow"].split(", "))) == (405, {"GET", "HEAD"})
    assert response.json()["type"] == "urn:gwc:problem:method-not-allowed"


def test_an_error_that_nobody_expected_tells_nothing(
    service: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2 at /srv/secret.py")

    monkeypatch.setattr(service.parts.corpus, "count", broken)
    response = service.client.get("/v1/scripture/John 3:16")
    assert (response.status_code, response.json()["type"]) == (500, "urn:gwc:problem:internal-error")
    assert "hunter2" not in response.text
    assert "Traceback" not in response.text
    assert "hunter2" in caplog.text  # for us, it is there


def test_a_full_queue_of_our_own_is_503_with_a_time_to_come_back(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OverloadedError("embedder", 3)

    monkeypatch.setattr(service.parts.corpus, "search", full)
    response = service.client.get("/v1/scripture/search", params={"q": "love"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "3")
    assert response.json()["type"] == "urn:gwc:problem:busy"


def test_search_is_lexical_and_says_when_it_is_less_than_was_asked(service: Running) -> None:
    lexical = service.client.get("/v1/scripture/search", params={"q": "love your enemies", "limit": 2})
    assert [hit["reference"] for hit in lexical.json()["hits"]] == ["Matthew 5:44", "Matthew 5:43"]
    assert lexical.json()["degraded"] == ""
    service.parts.index = None
    semantic = service.client.get("/v1/scripture/search", params={"q": "love your enemies", "mode": "semantic"})
    assert (semantic.json()["mode"], semantic.json()["degraded"]) == ("lexical", "no-embedder")
    assert semantic.headers["Cache-Control"] == "no-store"


def test_prompts_have_versions_and_their_words(service: Running) -> None:
    listed = service.client.get("/v1/prompts").json()["prompts"]
    assert [prompt["id"] for prompt in listed] == ["ask", "study-questions", "summary"]
    for prompt in listed:
        one = service.client.get(f"/v1/prompts/{prompt['id']}").json()
        assert one["version"] == prompt["version"] >= 1
        assert "$question" in one["user"]


def raw(service: Running, path: str, sent: list[tuple[str, str]]) -> httpx.Response:
    return httpx.get(service.url + path, headers=sent, trust_env=False)


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [("X-Gateway-Secret", "")],
        [("X-Gateway-Secret", SECRET[:-1])],
        [("X-Gateway-Secret", SECRET + "x")],
        [("X-Gateway-Secret", SECRET), ("X-Gateway-Secret", SECRET)],
        [("X-Gateway-Secret", "wrong"), ("X-Gateway-Secret", SECRET)],
        [("X-User-Id", "ann")],
    ],
)
def test_without_the_secret_everything_is_refused(service: Running, sent: list[tuple[str, str]]) -> None:
    for path in (
        "/v1/prompts",
        "/v1/usage",
        "/v1/scripture/John 3:16",
        "/metrics",
        "/openapi.json",
        "/none",
        "/healthz/",
    ):
        response = raw(service, path, sent)
        assert (response.status_code, response.json()["type"]) == (403, "urn:gwc:problem:not-through-the-gateway")


def test_the_probes_need_no_secret_and_tell_a_phase_alone(service: Running) -> None:
    for path in ("/healthz", "/readyz"):
        response = raw(service, path, [])
        assert (response.status_code, response.json()) == (200, {"phase": "ready"})


def test_both_secrets_hold_while_they_rotate(run: Run, settings: Settings) -> None:
    changed = settings.model_dump() | {"gateway_secret": "the-new-secret-of-today", "gateway_secret_previous": SECRET}
    service = Running(Settings.model_validate(changed))
    try:
        for secret in ("the-new-secret-of-today", SECRET):
            assert raw(service, "/v1/prompts", [("X-Gateway-Secret", secret)]).status_code == 200
        assert raw(service, "/v1/prompts", [("X-Gateway-Secret", "the-old-old-secret")]).status_code == 403
    finally:
        service.close()


@pytest.mark.parametrize("users", [[], [""], ["ann", "bob"]])
def test_no_user_or_two_are_nobody(service: Running, users: list[str]) -> None:
    sent = [("X-Gateway-Secret", SECRET), *(("X-User-Id", user) for user in users)]
    response = raw(service, "/v1/usage", sent)
    assert (response.status_code, response.json()["type"]) == (401, "urn:gwc:problem:unidentified")
    assert raw(service, "/v1/prompts", sent).status_code == 200


def test_a_clients_other_identity_headers_mean_nothing(service: Running) -> None:
    sent = [("X-Gateway-Secret", SECRET), ("X-User", "ann"), ("X-Forwarded-User", "ann"), ("X_User_Id", "ann")]
    assert raw(service, "/v1/usage", sent).status_code == 401


def test_examples_of_the_document_are_valid(service: Running) -> None:
    document = service.client.get("/openapi.json").json()
    operations = {
        (method, path): operation for path, item in document["paths"].items() for method, operation in item.items()
    }
    assert ("post", "/v1/ask") in operations
    schema = document["components"]["schemas"]["AskBody"]
    assert schema["examples"]
    for example in schema["examples"]:
        jsonschema.validate(example, schema | {"components": document["components"]})
        assert service.client.post("/v1/ask", json=example).status_code == 200
    assert len(identities := [operation["operationId"] for operation in operations.values()]) == len(set(identities))


def test_metrics_are_what_prometheus_reads(service: Running) -> None:
    service.ask("What does John 3:16 promise?")
    text = service.client.get("/metrics").text
    assert 'assistant_cache_answers_total{layer="miss"} 1.0' in text


def test_problem_examples_are_of_the_documented_shape(service: Running) -> None:
    document: dict[str, Any] = service.client.get("/openapi.json").json()
    content = document["paths"]["/v1/ask"]["post"]["responses"]["424"]["content"]["application/problem+json"]
    example = content["examples"]["model-unavailable"]["value"]
    assert list(example) == ["type", "title", "status", "detail", "instance", "request_id"]
