"""What the judge finds in a whole file is what makes the piece that holds it unfit."""

from __future__ import annotations

import pytest

import accept
from gwc.parts import Made, made
from gwc.target import Artifact, Assembled
from gwc_nginx import emit, sections
from gwc_nginx.judge import fit, judge

HARMLESS = "".join(f"    proxy_set_header X-{n} $gwc_uri;\n" for n in range(50))


@pytest.mark.parametrize("line", [
    "    add_header X-Path $uri always;\n",
    "add_header X-Path \"a$document_uri\";\n",
    "    add_header X-Path a\x00b;\n",
    "    return 200 \"\x1b[2J\";\n",
    "    set $a \x7f;\n",
    "    set $a \r;\n",
])  # fmt: skip
def test_a_fault_makes_its_piece_unfit(line: str) -> None:
    assert not fit(HARMLESS + line)
    pieces = (Made(HARMLESS), Made(HARMLESS + line, fit=False))
    (found,) = judge(Artifact("nginx", "njs", {"public.conf": Assembled(lambda: pieces, {})}))
    assert (found.code, found.span.line) == ("GWC603", 101)


@pytest.mark.parametrize("line", [
    "    set $gwc_path $uri;\n",
    "    add_header X-Path $request_uri always;\n",
    "    add_header X-Path $uri_of_mine;\n",
    "    add_header X-Path \"é\ttab\";\n",
    "    proxy_pass http://a$document_uri;\n",
])  # fmt: skip
def test_what_only_looks_like_one_does_not(line: str) -> None:
    assert fit(HARMLESS + line)
    assert judge(Artifact("nginx", "njs", {"public.conf": Assembled(lambda: (Made(HARMLESS + line),), {})})) == ()


@pytest.mark.parametrize("profile", ["njs", "plain"])
def test_every_file_that_is_judged_tells_whether_it_is_fit(profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a fault in one of them would go unseen: the judge reads nothing while all pieces are fit."""
    artifact = emit.emit(accept.gateway(None), profile)
    for module in (emit, sections):
        monkeypatch.setattr(module, "fit", lambda _: False)
    unfit = {name for name, file in artifact.files.items() if not all(made(piece).fit for piece in file.pieces())}
    assert unfit == {name for name in artifact.files if name.endswith(".conf")}
