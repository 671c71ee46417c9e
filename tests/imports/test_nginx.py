"""NGINX: what of a configuration becomes policy, and what the report says of the rest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gwc.imports.convert import convert
from gwc.imports.findings import Findings
from gwc.imports.nginx.scope import bytes_of, seconds
from gwc.imports.regexes import templates_of
from gwc.ir import Auth, LimitKey, RetryCause
from gwc.units import Rate

from .conftest import Import, Outcome, route_of, service_of

FIXTURE = Path(__file__).parent / "fixtures" / "nginx" / "nginx.conf"
SHELL = "http {{ {0} server {{ listen 80; {1} }} }}"


@pytest.fixture
def fixture(tmp_path: Path) -> Outcome:
    findings = Findings()
    return Outcome(convert("nginx", str(FIXTURE), findings).files, findings.diagnostics, tmp_path)


def test_servers_listeners_and_proxies(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    assert gateway.listen.http is not None and gateway.listen.http.port == 80
    https = gateway.listen.https
    assert https is not None
    assert (https.address.port, https.certificate, https.key.name) == (443, "/etc/ssl/a.pem", "/etc/ssl/a.key")
    assert (https.redirect, https.min_version) == (True, "TLSv1.2")
    assert gateway.trusted_proxies == ("10.0.0.0/8",)
    assert {service.hosts for service in gateway.services} == {("api.example.com",)}


def test_upstreams_and_the_part_that_is_stripped(fixture: Outcome) -> None:
    orders = service_of(fixture.gateway(), "orders")
    assert [(str(one.address), one.weight) for one in orders.upstream.endpoints] == [
        ("10.0.0.1:8080", 3),
        ("10.0.0.2:8080", 1),
    ]
    assert orders.strip == "/orders"
    assert [route.path.text for route in orders.routes] == ["/orders/**"]
    assert orders.upstream.breaker is not None
    assert (orders.upstream.breaker.failures, orders.upstream.breaker.open) == (3, 30)
    assert orders.upstream.concurrency == 100


def test_settings_are_inherited_as_nginx_does(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    orders = route_of(gateway, "/orders/**")
    assert (orders.timeouts.connect, orders.timeouts.request, orders.timeouts.idle) == (2, 90, 90)
    assert (orders.retries.attempts, orders.retries.statuses, orders.retries.unsafe) == (2, (502,), True)
    assert orders.retries.causes == (RetryCause.CONNECT, RetryCause.RESET)
    assert orders.max_body == 10 * 2**20
    assert dict(orders.headers.response.set) == {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
    assert route_of(gateway, "/cached/**").headers.response.set == ()  # an add_header of its own inherits none


def test_limits(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    (limit,) = service_of(gateway, "orders").limits
    assert (limit.key, limit.rate, limit.burst) == (LimitKey.IP, Rate(10, 1), 21)
    (own,) = route_of(gateway, "/users/{part2}").limits
    assert (own.header, own.rate, own.burst) == ("x-api-client", Rate(100, 60), 6)
    assert service_of(gateway, "users").limits == ()


def test_cache_methods_and_websockets(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    cache = route_of(gateway, "/cached/**").cache
    assert cache is not None
    assert (cache.ttl, cache.negative_ttl, cache.stale_if_error, cache.stale_while_revalidate) == (600, 60, 3600, 3600)
    assert route_of(gateway, "/users/{part2}").methods == ("GET", "HEAD")
    assert route_of(gateway, "/ws/**").websocket


def test_a_guard_that_the_language_lacks_lets_nobody_in(fixture: Outcome) -> None:
    gateway = fixture.gateway()
    assert route_of(gateway, "/status").auth == Auth(providers=("jwt",), scopes=("was.auth-basic",))
    assert [jwt.issuer for jwt in gateway.identity.jwt] == ["https://issuer.invalid"]
    assert route_of(gateway, "/orders/**").auth is None


def test_no_secret_is_copied_or_quoted(fixture: Outcome, gwc) -> None:
    printed = gwc("import", "nginx", str(FIXTURE))
    as_json = gwc("import", "nginx", str(FIXTURE), "--format", "json")
    for text in (*fixture.files.values(), printed.out, printed.err, as_json.out):
        assert "0123456789abcdef" not in text
        assert "user:pw" not in text
    assert len(fixture.said("GWC803")) == 2


def test_the_report_names_everything_else(fixture: Outcome) -> None:
    left_out = {(Path(one.span.file).name, one.span.line) for one in fixture.found if one.code == "GWC801"}
    assert left_out == {
        ("nginx.conf", 8),  # gzip
        ("api.conf", 2),  # least_conn
        ("api.conf", 5),  # backup
        ("api.conf", 10),  # a pattern of hosts
        ("api.conf", 30),  # a header made of variables
        ("api.conf", 31),  # files
        ("api.conf", 32),  # a refusal within what is served
        ("api.conf", 33),  # an address made of variables
    }


SNIPPETS = {
    "location = /a { proxy_pass http://u:1; }": ("/a", ""),
    "location /a/ { proxy_pass http://u:1; }": ("/a/**", ""),
    "location ^~ /a/ { proxy_pass http://u:1/; }": ("/a/**", "/a"),
    "location /a { proxy_pass http://u:1; }": ("/a /a/**", ""),
    "location / { location /in/ { proxy_pass http://u:1; } }": ("/in/**", ""),
    "location ~ ^/u/([^/]+)$ { proxy_pass http://u:1; }": ("/u/{part2}", ""),
    "location /a/ { rewrite ^/a/(.*)$ /$1 break; proxy_pass http://u:1; }": ("/a/**", "/a"),
    "location /a/ { set $b http://u:1; proxy_pass $b; }": ("/a/**", ""),
    "location /a/ { proxy_pass http://u:1$request_uri; }": ("/a/**", ""),
}


@pytest.mark.parametrize(("snippet", "expected"), SNIPPETS.items())
def test_locations(importing: Import, snippet: str, expected: tuple[str, str]) -> None:
    outcome = importing("nginx", SHELL.format("", snippet))
    (service,) = outcome.gateway().services
    assert (" ".join(route.path.text for route in service.routes), service.strip) == expected


LEFT_OUT = {
    "location ~ \\.php$ { fastcgi_pass u:1; }": "NGINX answers it itself",
    "location @fallback { proxy_pass http://u:1; }": "named location",
    "location /x { proxy_pass http://unix:/run/x.sock; }": "socket",
    "location ~* \\.(png|jpg)$ { proxy_pass http://u:1; }": "no path template",
    "location /x { return 200 ok; }": "NGINX answers it itself",
    "location /g { proxy_pass http://u:1; limit_rate 10k; }": "`limit_rate`",
    "location /h { proxy_pass http://u:1; client_max_body_size 0; }": "any size",
    "location /i { proxy_pass http://u:1; limit_conn per 1; }": "each client",
    "location /j { proxy_pass http://u:1; limit_req zone=nowhere; }": "declared nowhere",
    "location /k { proxy_pass http://u:1; js_content x; }": "`js_content`",
    'location /l { proxy_pass http://u:1; add_header Access-Control-Allow-Origin "$http_origin"; }': "origins",
    "location /m { proxy_pass http://u:1; proxy_next_upstream error http_404; }": "another try after http_404",
    "location /n { proxy_pass http://u:1; proxy_cache c; }": "lifetimes",
    "location /o { proxy_pass http://u:1; if ($bad) { return 403; } }": "`if`",
    "location /p { proxy_pass http://u:1; made_up_directive 1; }": "`made_up_directive`",
}


@pytest.mark.parametrize(("snippet", "words"), LEFT_OUT.items())
def test_what_cannot_be_said_is_reported_where_it_stands(importing: Import, snippet: str, words: str) -> None:
    zones = "limit_conn_zone $binary_remote_addr zone=per:1m;\nlocation_less 1;\n"
    text = SHELL.format(zones, f"location /ok/ {{ proxy_pass http://u:2; }}\n{snippet}\n")
    outcome = importing("nginx", text)
    said = outcome.said("GWC801")
    assert any(words in one and one.startswith("4: ") for one in said), said
    assert any("`location_less`" in one for one in said)
    assert "/ok/**" in {route.path.text for service in outcome.gateway().services for route in service.routes}


def test_a_server_known_by_patterns_alone_is_not_opened_to_every_host(importing: Import) -> None:
    text = "server { listen 80; server_name ~^x; location / { proxy_pass http://u:1; } }"
    outcome = importing("nginx", text)
    assert outcome.files == {}
    assert any("pattern alone" in one for one in outcome.said("GWC801"))


def test_what_nginx_prints_is_read_with_its_lines(importing: Import) -> None:
    text = (
        "# configuration file /etc/nginx/nginx.conf:\nhttp {\n include conf.d/*.conf;\n}\n"
        "# configuration file /etc/nginx/conf.d/a.conf:\n"
        "server { listen 80;\n location /a/ { proxy_pass http://u:1; gzip on; } }\n"
    )
    outcome = importing("nginx", text)
    assert outcome.said("GWC801") == ["7: `gzip` has no counterpart in a policy"]
    assert route_of(outcome.gateway(), "/a/**").name == "a-all"


def test_includes(importing: Import, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "loop.conf").write_text("include loop.conf;\n")
    assert any("includes itself" in one.message for one in importing("nginx", "include loop.conf;").found)
    (tmp_path / "in" / "broken.conf").write_text("gzip on")
    broken = importing("nginx", "include broken.conf;")
    assert broken.said("GWC800") == ["1: `gzip` is not ended by `;`"]
    missing = importing("nginx", "include nowhere.conf;\nserver { location / { proxy_pass http://u:1; } }")
    assert missing.said("GWC801") == ["1: the file nowhere.conf is not there"]


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="pathlib looks for such names from Python 3.13 on")
def test_an_include_that_cannot_be_looked_for_is_told(importing: Import) -> None:
    found = importing("nginx", "include site**.conf;\nserver { location / { proxy_pass http://u:1; } }")
    assert found.said("GWC801") == ["1: the files site**.conf cannot be looked for"]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("http {\n server {\n", "2:2", "no closing brace"),
        ("http { }\n}", "2:1", "nothing is open"),
        ('user "nginx;\n', "1:6", "not closed"),
        ("http {\n  gzip on\n}\n", "2:3", "not ended by `;`"),
        ("http { ; }", "1:8", "without a directive"),
        ("{" * 40, "1:1", "without a directive"),
        ("a {" * 40 + "}" * 40, "1:100", "nested more than"),
        ("content_by_lua_block { if {", "1:1", "no closing brace"),
        ("user nginx", "1:1", "not ended"),
        ("", "1:1", "no route in it"),
        (b"user \xff;", "1:6", "not UTF-8"),
    ],
)
def test_damaged_input_is_an_error_with_its_place(importing: Import, text: str | bytes, place: str, words: str) -> None:
    outcome = importing("nginx", text)
    assert outcome.files == {}
    (error,) = [one for one in outcome.found if one.code == "GWC800"]
    assert (f"{error.span.line}:{error.span.column}", words in error.message) == (place, True), error


_TIMES = [90, 90, 0.5, 172800, None, None, None]


def test_times_and_sizes() -> None:
    assert [seconds(text) for text in ("90", "1m30s", "500ms", "2d", "x", "5x", "")] == [90, 90, 0.5, 172800] + [
        None
    ] * 3
    assert [bytes_of(text) for text in ("10m", "8K", "1g", "0", "x")] == [10 * 2**20, 8192, 2**30, 0, None]


@pytest.mark.parametrize(
    ("regex", "paths", "exact"),
    [
        (r"^/users/(\d+)$", ("/users/{part2}",), False),
        (r"^/a/(?<id>[^/]+)/b$", ("/a/{id}/b",), True),
        (r"^/api", ("/api", "/api/**"), False),
        (r"^/x\.json$", ("/x.json",), True),
        (r"^/files/.*", ("/files/**",), True),
    ],
)
def test_expressions_as_templates(regex: str, paths: tuple[str, ...], exact: bool) -> None:
    found = templates_of(regex)
    assert found is not None
    assert (found.paths, found.exact) == (paths, exact)


@pytest.mark.parametrize("regex", [r"\.(png|jpg)$", "^/(en|de)/x", "/a", "^/a(?!b)", "^", "^/a|^/b"])
def test_expressions_that_no_template_comes_near(regex: str) -> None:
    assert templates_of(regex) is None


def test_a_redirect_to_https_is_one_beside_a_challenge_and_as_certbot_writes_it(importing: Import) -> None:
    secure = (
        "server { listen 443 ssl; server_name a.com; ssl_certificate /c; ssl_certificate_key /k;\n"
        "location / { proxy_pass http://127.0.0.1:3000; } }\n"
    )
    challenge = (
        "server { listen 80; server_name a.com;\nlocation /.well-known/acme-challenge/ { root /var/www; }\n"
        "location / { return 301 https://$server_name$request_uri; } }\n"
    )
    certbot = "server { if ($host = a.com) { return 301 https://$host$request_uri; } listen 80; return 404; }\n"
    for text in (secure + challenge, secure + certbot):
        outcome = importing("nginx", text)
        gateway = outcome.gateway()
        assert gateway.listen.https is not None and gateway.listen.https.redirect
        assert [service.name for service in gateway.services] == ["a-com"]
        assert len(outcome.said("GWC801")) == (text == secure + challenge)


def test_a_limit_that_takes_the_place_of_another_adds_up_and_says_so(importing: Import) -> None:
    text = (
        "limit_req_zone $binary_remote_addr zone=a:1m rate=10r/s;\n"
        "limit_req_zone $binary_remote_addr zone=b:1m rate=1r/s;\n"
        "server { listen 80; limit_req zone=a;\nlocation /x/ { proxy_pass http://u:1; }\n"
        "location /y/ { limit_req zone=b burst=2 nodelay; proxy_pass http://u:1; } }\n"
    )
    outcome = importing("nginx", text)
    (service,) = outcome.gateway().services
    assert [str(limit.rate.tokens) for limit in service.limits] == ["10"]
    assert [len(route.limits) for route in service.routes] == [0, 1]
    assert [one.partition(":")[0] for one in outcome.said("GWC802") if "takes the place" in one] == ["5"]


def test_a_server_of_another_listener_is_not_opened_on_this_one(importing: Import) -> None:
    text = (
        "server { listen 127.0.0.1:8081; location /admin/ { proxy_pass http://admin:1; } }\n"
        "server { listen 80; listen [::]:80; location /a/ { proxy_pass http://u:1; } }\n"
        "server { listen 9000; location /metrics/ { proxy_pass http://m:1; } }\n"
        "server { listen 80; server_name b.com; location /b/ { proxy_pass http://u:1; } }\n"
    )
    outcome = importing("nginx", text)
    gateway = outcome.gateway()
    assert {route.path.text for service in gateway.services for route in service.routes} == {"/a/**", "/b/**"}
    assert str(gateway.listen.http) == "0.0.0.0:80"
    assert [one.partition(":")[0] for one in outcome.said("GWC801")] == ["1", "1", "3", "3"]


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("", "0.0.0.0:80"),
        ("listen 127.0.0.1:8080;", "127.0.0.1:8080"),
        ("listen localhost:81;", "127.0.0.1:81"),
        ("listen 10.0.0.1;", "10.0.0.1:80"),
        ("listen 443 ssl;", "127.0.0.1:8080"),  # without a certificate: this machine alone
    ],
)
def test_where_it_listens(importing: Import, listen: str, expected: str) -> None:
    gateway = importing("nginx", f"server {{ {listen} location /a/ {{ proxy_pass http://u:1; }} }}").gateway()
    assert str(gateway.listen.http) == expected


def test_a_name_that_others_do_not_ask_for_stays_one(importing: Import) -> None:
    inner = "location /{0}/ {{ proxy_pass http://u:1; }}"
    one = f"server {{ listen 80; server_name localhost; {inner.format('a')} }}"
    other = f"server {{ listen 80 default_server; server_name a.com; {inner.format('b')} }}"
    assert importing("nginx", one).gateway().services[0].hosts == ()
    hosts = {service.hosts for service in importing("nginx", one + other).gateway().services}
    assert hosts == {("localhost",), ("a.com",)}
