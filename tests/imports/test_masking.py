"""What a report quotes of other people's configurations: no secret."""

from __future__ import annotations

import pytest

from gwc.imports.masking import masked_text, may_be_secret

SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"password: {SECRET}",
        f'"client_secret": "{SECRET}",',
        f"- key: {SECRET}",
        f"  inline_string: {SECRET}",
        f"proxy_set_header Authorization {SECRET};",
        f'proxy_set_header X-Api-Key "{SECRET}";',
        f"proxy_pass http://me:{SECRET}@host/;",
        f"add_header Set-Cookie {SECRET};",
        f"value: Bearer {SECRET}",
        f"redis_password = '{SECRET}'",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_secrets_are_asterisks_and_columns_stay(line: str) -> None:
    shown = masked_text(f"a: 1\n{line}\nb: 2\n")
    assert SECRET not in shown
    assert [len(one) for one in shown.split("\n")] == [len(one) for one in f"a: 1\n{line}\nb: 2\n".split("\n")]
    assert shown.startswith("a: 1\n") and shown.endswith("\nb: 2\n")


@pytest.mark.parametrize("line", ["timeout: 5s", "location /tokens/ {", "hosts: [api.example.com]", "name: key-auth"])
def test_the_rest_is_shown_as_it_is(line: str) -> None:
    assert masked_text(line) == line


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("Authorization", "Basic dXNlcjpwYXNz", True),
        ("X-Auth-Key", "0123456789", True),
        ("Cookie", "session=abcdef", True),
        ("X-Anything", "Bearer abcdefghij", True),
        ("X-Frame-Options", "DENY", False),
        ("Cache-Control", "public, max-age=60", False),
        ("X-Authenticated", "yes", False),
    ],
)
def test_which_headers_are_kept_back(name: str, value: str, expected: bool) -> None:
    assert may_be_secret(name, value) == expected
