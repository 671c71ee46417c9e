"""What is rendered, seen from the files."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from gwc import placeholder
from gwc_nginx import TARGET
from gwc_nginx.fields import read
from unit.nginx.gateways import gateway, known_to_njs, route

PROFILES = ("njs", "plain")


def text(profile: str, *services: Any, **platform: Any) -> str:
    artifact = TARGET.emit(gateway(*services, **platform), profile)
    return "\n".join(output.text for output in artifact.files.values())


def data(*services: Any, **platform: Any) -> dict[str, Any]:
    return known_to_njs(gateway(*services, **platform))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_gateway_gives_the_same_bytes(profile: str) -> None:
    first, second = (TARGET.emit(gateway(), profile) for _ in range(2))
    assert {n: f.text for n, f in first.files.items()} == {n: f.text for n, f in second.files.items()}


@pytest.mark.parametrize("profile", PROFILES)
def test_our_own_judge_has_nothing_to_say(profile: str) -> None:
    assert TARGET.judge(TARGET.emit(gateway(), profile)) == ()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_location_of_a_route_knows_its_policy_line(profile: str) -> None:
    public = TARGET.emit(gateway(), profile).files["public.conf"]
    lines = public.text.splitlines()
    number = next(i for i, line in enumerate(lines, 1) if "/_gwc/route/main/r" in line and "location" in line)
    assert public.lines[number].file == "main.yaml"
    assert public.lines[number + 1] == public.lines[number]


@pytest.mark.parametrize("profile", PROFILES)
def test_so_do_those_of_many_services(profile: str) -> None:
    """In each file one behind the other; what a default decides is written nowhere."""
    kinds = ({"cache": {"ttl": "1m"}}, {"retries": {"attempts": 2, "when": ["reset", 503]}}, {"max_body": "1B"})
    routes = [route(name=f"r{n}", path=f"/{n}", **kind) for n, kind in enumerate(kinds)]
    services = [
        {"service": name, "base_path": f"/{name}", "timeouts": {"request": f"{n}s"}, "routes": routes}
        for n, name in enumerate("abc", 1)
    ]
    artifact, seen = TARGET.emit(gateway(*services), profile), 0
    for output in (artifact.files[name] for name in ("public.conf", "admin.conf")):
        for number, line in enumerate(output.text.splitlines(), 1):
            found = re.search(r'location .*"/_gwc/[a-z]+/([abc])/', line)
            if found and (span := output.lines.get(number)):
                assert span.file in (f"{found[1]}.yaml", "platform.yaml")  # which says that nothing is retried
                seen += span.file != "platform.yaml"
    assert seen >= len(services) * (len(routes) + 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_no_secret_is_in_the_files(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_SECRET", "hush-hush")
    identity = {"gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}}}
    rendered = text(profile, identity=identity)
    assert "hush-hush" not in rendered
    assert "X-Gateway-Secret" in rendered


def test_the_secret_is_read_by_name() -> None:
    identity = {"gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}}}
    artifact = TARGET.emit(gateway(identity=identity), "njs")
    assert 'env "GATEWAY_SECRET";' in artifact.files["nginx.conf"].text
    assert artifact.secrets == ()
    assert data(identity=identity)["gatewaySecret"] == {"env": "GATEWAY_SECRET"}


def test_plain_needs_a_file_for_the_secret() -> None:
    identity = {"gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}}}
    (secret,) = TARGET.emit(gateway(identity=identity), "plain").secrets
    assert secret.path == "secrets/gateway_secret.conf"
    assert secret.render(('a"b\\c$d',)) == 'geo $gwc_secret {\n    default "a\\"b\\\\c$d";\n}\n'


@pytest.mark.parametrize("value", ["", "a\nb", "a\rb", "\0", "é"])
def test_a_secret_that_no_header_may_hold_is_refused(value: str) -> None:
    identity = {"gateway_secret": {"header": "X-Gateway-Secret", "secret": {"env": "GATEWAY_SECRET"}}}
    (secret,) = TARGET.emit(gateway(identity=identity), "plain").secrets
    with pytest.raises(ValueError, match="gateway secret"):
        secret.render((value,))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_header_value_is_a_literal(profile: str) -> None:
    headers = {"request": {"set": {"X-Hostile": '$host "${uri}" \\ ; }'}}}
    rendered = text(profile, {"headers": headers})
    assert 'proxy_set_header "X-Hostile" "${gwc_dollar}host \\"${gwc_dollar}{uri}\\" \\\\ ; }";' in rendered


@pytest.mark.parametrize("profile", PROFILES)
def test_a_changed_header_repeats_the_whole_set(profile: str) -> None:
    """NGINX inherits all of them or none: a level that sets one must still strip the user header."""
    rendered = text(profile, {"headers": {"request": {"set": {"X-Team": "a"}}}})
    location = rendered[rendered.index('location = "/_gwc/route/main/r"') :]
    block = location[: re.search(r"\n    }", location).start()]  # type: ignore[union-attr]
    assert 'proxy_set_header "X-Team" "a";' in block
    user = "$gwc_user" if profile == "njs" else ""
    assert f'proxy_set_header "X-User-Id" "{user}";' in block
    assert 'proxy_set_header "x-envoy-internal" "";' in block


KEYS = {"api_key": {"header": "X-API-Key", "consumers": [{"name": "m", "secret": {"env": "KEY"}}]}}


def test_an_unverified_route_is_closed() -> None:
    service = {"routes": [route(auth={"any_of": ["api_key"]})]}
    targets = {"nginx": {"profile": "plain", "accept": ["auth.api_key"]}}
    public = TARGET.emit(gateway(service, identity=KEYS, targets=targets), "plain").files["public.conf"].text
    assert "proxy_pass" not in public
    assert "return 401" in public


def test_a_key_is_named_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "hush-hush")
    service = {"routes": [route(auth={"any_of": ["api_key"]})]}
    held, artifact = data(service, identity=KEYS), TARGET.emit(gateway(service, identity=KEYS), "njs")
    assert held["apiKey"]["consumers"] == [{"name": "m", "secret": {"env": "KEY"}}]
    assert held["settings"]["main/r"]["auth"] == "api_key"
    assert 'env "KEY";' in artifact.files["nginx.conf"].text
    assert "hush-hush" not in "".join(output.text for output in artifact.files.values())


def test_an_issuer_whose_keys_are_not_known_opens_nothing() -> None:
    identity = {"jwt": {"issuer": "https://i.example/", "audience": ["a"], "jwks": {"url": "https://i.example/jwks"}}}
    found = data({"routes": [route(auth={"any_of": ["jwt"]})]}, identity=identity)
    assert found["jwt"] == []
    assert found["settings"]["main/r"]["auth"] == "jwt"


def test_limits_are_in_the_stage_that_they_belong_to() -> None:
    limits = [{"per": "ip", "rate": "60/min", "burst": 5}, {"per": {"header": "X-Tenant"}, "rate": "1/day"}]
    settings = data({"limits": limits})["settings"]["main/r"]
    assert re.fullmatch(r"\S+ ip 1000\.0 5 0 -", settings["early"])
    assert re.fullmatch(r"\S+ header 86400000\.0 1 0 x-tenant", settings["late"])


def test_equal_settings_share_a_location() -> None:
    routes = [route(name=f"r{i}", path=f"/r{i}/{{id}}") for i in range(50)]
    services = [{"service": f"s{i}", "base_path": f"/s{i}", "routes": routes} for i in range(3)]
    public = TARGET.emit(gateway(*services), "njs").files["public.conf"].text
    assert public.count('location = "/_gwc/route/') == 1


def test_the_nodes_hold_the_order() -> None:
    paths = ["/a/b/c", "/a/{x}", "/a/**", "/**", "/", "/a"]
    nodes = data({"routes": [route(name=f"r{i}", path=path) for i, path in enumerate(paths)]})["nodes"]
    assert nodes == {
        "": "",
        "/": "GET main/r4 main/r0",
        "/a": "GET main/r5 main/r0",
        "/a/b": "",
        "/a/b/c": "GET main/r0 main/r0",
        "/a/{}": "GET main/r1 main/r0",
        "/a/{*}": "GET main/r2 main/r0",
        "/{*}": "GET main/r3 main/r0",
    }


def test_a_named_host_has_nodes_of_its_own() -> None:
    found = data({"hosts": ["h.test", "::1"]}, {"service": "other", "base_path": "/other"})
    assert found["hosts"] == {":[::1]": True, ":h.test": True}
    own = {f"{host}{path}": leaf for host in found["hosts"] for path, leaf in (("", ""), ("/r", "GET main/r main/r"))}
    assert found["nodes"] == own | {"": "", "/other": "", "/other/r": "GET other/r other/r"}


def test_retries_are_nginx_s_own_nowhere() -> None:
    rendered = text("njs", {"retries": {"attempts": 2, "when": ["connect", 503]}})
    assert rendered.count("proxy_next_upstream ") == 1
    assert "proxy_next_upstream off;" in rendered


def test_a_status_that_is_not_a_cause_keeps_its_own_502() -> None:
    """Where 502 is no cause, a further hop tells the service's own from NGINX's."""
    rendered = text("njs", {"retries": {"attempts": 1, "when": ["connect", 503]}})
    assert "error_page 503 597 598 599 = @gwc_again;" in rendered
    assert 'location = "/_gwc/fault/main/r"' in rendered
    simple = text("njs", {"retries": {"attempts": 1, "when": ["connect", 502, 503, 504]}})
    assert "error_page 502 503 504 = @gwc_again;" in simple
    assert "/_gwc/fault/main/r" not in simple


@pytest.mark.parametrize("profile", PROFILES)
def test_a_named_endpoint_needs_no_dns_to_start(profile: str) -> None:
    rendered = text(profile, {"upstream": "http://service.invalid:8000"})
    assert "resolver 127.0.0.53 127.0.0.11;" in rendered
    if profile == "njs":
        assert 'server "service.invalid:8000" weight=100 max_fails=0 resolve;' in rendered


JWT = {"jwt": {"issuer": "https://i.example/", "audience": ["a"], "jwks": {"url": "https://i.example/jwks"}}}


def test_a_budget_is_its_service_s_and_no_public_route_s() -> None:
    routes = [route(name="ask", path="/ask", auth={"any_of": ["jwt"]}, cost=5), route(name="open", path="/open")]
    budget = {"per": "user", "units": "20/day", "charge": "X-Cost-Units"}
    found = data({"routes": routes, "budget": budget}, identity=JWT)
    assert found["settings"]["main/ask"]["budget"] == "main 20 86400000"
    assert found["settings"]["main/ask"]["cost"] == 5
    assert "budget" not in found["settings"]["main/open"]
    assert found["settings"]["main/open"]["charge"] == "X-Cost-Units"


def test_caps_are_nginx_s_own() -> None:
    public = TARGET.emit(
        gateway({"upstream": {"endpoints": [{"url": "http://127.0.0.1:1"}], "concurrency": 3}}, concurrency=7), "njs"
    ).files["public.conf"]
    assert "limit_conn gwc_service_cap 3;" in public.text
    assert "limit_conn gwc_platform_cap 7;" in public.text


def test_a_breaker_chooses_among_single_endpoints() -> None:
    endpoints = [{"url": "http://127.0.0.1:1", "weight": 90}, {"url": "http://127.0.0.1:2", "weight": 10}]
    service = {"upstream": {"endpoints": endpoints, "breaker": {"failures": 3, "open": "2s"}}}
    artifact = TARGET.emit(gateway(service), "njs")
    breakers = json.loads(artifact.files["gwc.json"].text)["breakers"]
    addresses = ["127.0.0.1:1", "127.0.0.1:2"]
    assert breakers == {":main": {"failures": 3, "open": 2000, "weights": [9, 1], "endpoints": addresses}}
    assert "upstream main.at.0 {" in artifact.files["upstreams.conf"].text
    assert "http://gwc_hop/" in artifact.files["public.conf"].text


def test_checks_are_as_frequent_as_the_most_impatient_wants() -> None:
    upstream = {"endpoints": [{"url": "http://127.0.0.1:1"}]}
    services = [
        {"service": f"s{i}", "base_path": f"/s{i}", "upstream": {**upstream, "health": {"path": "/ok", "every": every}}}
        for i, every in enumerate(("5s", "500ms"))
    ]
    artifact = TARGET.emit(gateway(*services), "njs")
    assert "js_periodic health.check interval=500ms;" in artifact.files["admin.conf"].text
    health = json.loads(artifact.files["gwc.json"].text)["health"]
    assert health["s0"] == {"every": 5000, "urls": ["http://127.0.0.1:1/ok"]}


def test_metrics_are_at_the_policy_s_path_of_the_admin_listener_alone() -> None:
    artifact = TARGET.emit(gateway(metrics={"path": "/told/here"}), "njs")
    assert 'location = "/told/here" {\n        js_content metrics.serve;' in artifact.files["admin.conf"].text
    assert "/told/here" not in artifact.files["public.conf"].text
    assert "access_log" not in artifact.files["public.conf"].text, (
        "a log of its own would leave out the one that counts"
    )


def test_the_room_for_metrics_follows_the_routes() -> None:
    routes = [route(name=f"r{i}", path=f"/r{i}") for i in range(1000)]
    assert "zone=gwc_metrics:2m type=number;" in text("njs")
    assert "zone=gwc_metrics:9m type=number;" in text("njs", {"routes": routes})


def test_plain_tells_what_nginx_counts_itself() -> None:
    artifact = TARGET.emit(gateway(metrics={"path": "/told"}), "plain")
    page = artifact.files["metrics.conf"].text
    assert 'location = "/told" {' in page
    assert 'gwc_connections{state=\\"writing\\"} $connections_writing\\n' in page
    assert "include metrics[.]conf;" in artifact.files["admin.conf"].text


@pytest.mark.parametrize("profile", PROFILES)
def test_no_metrics_in_the_place_of_the_gateway_s_own_locations(profile: str) -> None:
    targets = {"nginx": {"profile": profile, "accept": ["metrics"]}}
    rendered = text(profile, metrics={"path": "/_gwc/watch"}, targets=targets)
    assert rendered.count('= "/_gwc/watch"') + rendered.count("= /_gwc/watch {") == (profile == "njs")


_HTTPS = {"port": 8443, "certificate": {"file": "/etc/gwc/tls.crt"}, "key": {"secret": {"env": "TLS_KEY"}}}


def _encrypted(**fields: Any) -> dict[str, Any]:
    return {"listen": {"http": 8080, "admin": "127.0.0.1:9901", "https": {**_HTTPS, **fields}}}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_key_from_the_environment_comes_from_a_file(profile: str) -> None:
    artifact = TARGET.emit(gateway(**_encrypted(min_version="TLSv1.3")), profile)
    assert 'ssl_certificate_key "secrets/tls.key";' in artifact.files["clients.conf"].text
    assert "ssl_protocols TLSv1.3;" in artifact.files["clients.conf"].text
    (secret,) = artifact.secrets
    assert secret.path == "secrets/tls.key"
    assert secret.render((placeholder.KEY,)).strip() == placeholder.KEY.strip()
    with pytest.raises(ValueError, match="no private key"):
        secret.render(("-----BEGIN CERTIFICATE-----",))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_plain_listener_serves_nothing_beside_a_redirect(profile: str) -> None:
    public = TARGET.emit(gateway(**_encrypted(redirect=True)), profile).files["public.conf"].text
    redirecting, *serving = public.split("server {\n")[1:]
    assert "8080" in redirecting
    assert "proxy_pass" not in redirecting
    assert serving
    assert not any("8080" in server for server in serving)


def test_a_service_with_a_breaker_shares_no_location_with_one_without() -> None:
    guarded = {
        "service": "a",
        "upstream": {"endpoints": [{"url": "http://127.0.0.1:1"}], "breaker": {"failures": 3, "open": "2s"}},
    }
    found = data(guarded, {"service": "b", "base_path": "/b"})
    assert found["settings"]["b/r"]["place"] == "b/r"
    assert "tries" not in found["settings"]["b/r"]
    assert read(found["settings"]["a/r"]["tries"])["lane"] == "a/r"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("sample", "said"),
    [("10%", ["10.00% 01;", '"*" 00;']), ("0%", ['"*" 00;']), ("100%", ['"*" 01;'])],
)
def test_what_is_sampled_is_decided_before_a_service_is_asked(profile: str, sample: str, said: list[str]) -> None:
    tracing = {"otlp": "http://127.0.0.1:4318", "sample": sample}
    clients = TARGET.emit(gateway(tracing=tracing), profile).files["clients.conf"].text
    block = clients[clients.index("split_clients $request_id $gwc_sampled {") :]
    assert [line.strip() for line in block[: block.index("}")].splitlines()[1:]] == said


@pytest.mark.parametrize(
    ("otlp", "url"),
    [
        ("http://localhost:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://collector.test:4318/base/", "http://collector.test:4318/base/v1/traces"),
        ("https://localhost", "https://localhost:443/v1/traces"),
    ],
)
def test_where_spans_go(otlp: str, url: str) -> None:
    artifact = TARGET.emit(gateway(tracing={"otlp": otlp}), "njs")
    assert json.loads(artifact.files["gwc.json"].text)["tracing"] == url
    assert ("resolver " in artifact.files["upstreams.conf"].text) == ("127.0.0.1" not in url)
    assert ("js_fetch_trusted_certificate" in artifact.files["admin.conf"].text) == url.startswith("https:")


@pytest.mark.parametrize("profile", PROFILES)
def test_credentials_that_key_a_limit_stay_out_of_the_log(profile: str) -> None:
    limits = [{"per": {"header": name}, "rate": "5/s"} for name in ("Authorization", "X-Tenant")]
    rendered = text(profile, {"limits": limits})

    if profile == "plain":
        assert re.search(
            r'map \$http_authorization \$gwc_logged_key_0 \{\s+default "";\s+"~\." "\*\*\*";\s+\}', rendered
        )
    else:
        assert data({"limits": limits})["log"]["credentials"][":authorization"] is True
