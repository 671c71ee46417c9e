"""Reading policies: names, order, encodings, bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwc.diagnostics import Report, Span
from gwc.source import MAX_BYTES, SourceError, read_policies


def read(path: Path | str, report: Report | None = None) -> dict[str, str]:
    return {source.name: source.text for source in read_policies(str(path), report or Report())}


def test_a_directory_is_read_in_order_and_not_deeply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies/tests").mkdir(parents=True)
    for name in ("b.yaml", "a.yml", ".hidden.yaml", "README.md", "tests/t.yaml", "c.yaml~"):
        (tmp_path / "policies" / name).write_text(name)
    assert list(read("policies").items()) == [("policies/a.yml", "a.yml"), ("policies/b.yaml", "b.yaml")]
    assert list(read(tmp_path / "policies")) == ["policies/a.yml", "policies/b.yaml"]
    assert list(read("./policies/b.yaml")) == ["policies/b.yaml"]


def test_a_name_outside_of_the_current_directory_stays_as_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "a.yaml").write_text("a: 1\n")
    monkeypatch.chdir(tmp_path / "here")
    assert list(read(tmp_path / "a.yaml")) == [f"{tmp_path}/a.yaml"]
    assert list(read("../a.yaml")) == ["../a.yaml"]


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"\xff", 1, 1),
        (b"a: 1\nb: caf\xe9\n", 2, 7),
        ("# ü\nb: ".encode() + b"\xc3", 2, 4),
        (b"\xef\xbb\xbfa\xfe", 1, 2),
    ],
)
def test_a_byte_that_is_not_utf8_has_a_place(tmp_path: Path, data: bytes, line: int, column: int) -> None:
    path, report = tmp_path / "a.yaml", Report()
    path.write_bytes(data)
    assert read(path, report) == {}
    (found,) = report.diagnostics
    assert (found.code, found.span) == ("GWC014", Span(str(path), line, column, line, column + 1))
    assert "is not UTF-8" in found.message


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert list(read(tmp_path / "a.yaml").values()) == ["a: 1\n"]


def test_one_bad_file_does_not_hide_another(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_bytes(b"\xff")
    report = Report()
    read(tmp_path, report)
    assert len(report.diagnostics) == 2


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    for name, said in (
        ("nowhere", "No such file"),
        ("big.yaml", "larger than 1024 KiB"),
        ("empty", "holds no policies"),
        ("dangling.yaml", "No such file"),
    ):
        with pytest.raises(SourceError, match=said):
            read(tmp_path / name)


def test_a_dangling_link_in_a_directory_is_not_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"b\.yaml: No such file"):
        read(tmp_path)
