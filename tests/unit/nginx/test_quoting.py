"""What a policy's text becomes must mean that text to NGINX, and nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwc_nginx.engine import NginxEngine
from gwc_nginx.quoting import DOLLAR, milliseconds, q, qlit, regex

HOSTILE = (
    '"', "'", "\\", '\\"', "$", "${", "$host", "${host}", "$$", ";", "; return 200 pwned;", "{", "}", "{}", "#",
    "# x", "~", "~* x", "default", "volatile", "include /etc/passwd", "a b", " lead", "trail ", "é", "\U0001f600",
    "%", "%{x}", "(x)", "[x]", "|", "^$", "*", "\\1", "$1", "$(x)", "`x`", "//", "/*", "x" * 2000,
)  # fmt: skip


def unquoted(argument: str) -> str:
    """NGINX's reading of a double-quoted argument, and of the one variable that stands for a dollar sign."""
    assert argument[0] == argument[-1] == '"'
    inside = argument[1:-1]
    assert not re.search(r'(?<!\\)(\\\\)*"', inside), "the quotes end early"
    return re.sub(r"\\(.)", r"\1", inside).replace(DOLLAR, "$")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_itself(text: str) -> None:
    assert unquoted(qlit(text)) == text


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300))
def test_any_text_is_itself(text: str) -> None:
    assert unquoted(qlit(text)) == text


@pytest.mark.parametrize("text", ["\n", "a\r\nb", "\0", "\x7f", "\t"])
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        qlit(text)


def test_what_nginx_could_not_read_is_refused() -> None:
    with pytest.raises(ValueError, match="4000 bytes"):
        q("x" * 4096)


@given(st.text(min_size=1, max_size=50))
def test_a_literal_in_a_regex_matches_itself_alone(text: str) -> None:
    pattern = re.compile(regex(text).encode(), re.DOTALL) if not re.search("[\ud800-\udfff]", text) else None
    if pattern is not None:
        assert pattern.fullmatch(text.encode())
        assert not pattern.fullmatch(text.encode() + b"x")


def test_zero_is_never() -> None:
    assert milliseconds(0.25) == "250ms"
    assert milliseconds(0.0001) == "1ms"


@pytest.mark.live
@pytest.mark.parametrize("profile", ["njs", "plain"])
def test_the_engine_reads_them_as_we_do(profile: str, tmp_path: Path) -> None:
    """Map values, through `nginx -T`'s own parser: a broken quote anywhere would fail the whole file."""
    values = "\n".join(f"    {q(f'key{i}')} {qlit(text)};" for i, text in enumerate(HOSTILE))
    (tmp_path / "nginx.conf").write_text(
        f'pid p;\nevents {{}}\nhttp {{\ngeo $gwc_dollar {{ default "$"; }}\nmap $host $x {{\n{values}\n}}\n}}\n',
        encoding="utf-8",
    )
    binary = NginxEngine().find(profile)
    command = [binary.path, "-p", f"{tmp_path}/", "-c", "nginx.conf", "-t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "syntax is ok" in done.stderr, done.stderr
