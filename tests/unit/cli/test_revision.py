"""Policies as git has them: read like those on disk, wherever the repository is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gwc import git
from gwc.diagnostics import Report
from gwc.git import GitError, revision
from gwc.source import MAX_BYTES, SourceError, read_policies

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com")
FILES = {
    "b.yaml": b"kind: Service\n",
    "a.yml": "\ufeffkind: \u00e9\n".encode(),
    "notes.txt": b"no policy",
    ".hidden.yaml": b"no policy",
    "below/c.yaml": b"no policy",
    "keys/k.json": b"{}",
}


def committed(top: Path, files: dict[str, bytes], below: str = "") -> Path:
    for name, data in files.items():
        (top / below / name).parent.mkdir(parents=True, exist_ok=True)
        (top / below / name).write_bytes(data)
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run([*GIT, *words], cwd=top, check=True, timeout=60)
    return top / below


@pytest.mark.parametrize("below", ["", "policies", "one/two words"])
def test_a_revision_holds_what_the_directory_held(tmp_path: Path, below: str) -> None:
    directory, report = committed(tmp_path, FILES, below), Report()
    there = read_policies(str(directory), report)
    found = revision(None, directory).sources(report)
    assert [source.name for source in found] == [f"main:{below}/{n}".replace(":/", ":") for n in ("a.yml", "b.yaml")]
    assert [source.text for source in found] == [source.text for source in there]
    assert not report.diagnostics


def test_the_repository_is_that_of_the_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = committed(tmp_path / "shop", FILES, "policies")
    committed(tmp_path / "other", {"x.yaml": b"kind: Service\n"})
    monkeypatch.chdir(tmp_path / "other")
    found = revision("HEAD", directory)
    first, _ = found.sources(Report())
    assert first.name == "HEAD:policies/a.yml"
    assert found.read(first, "keys/k.json") == "{}"
    with pytest.raises(FileNotFoundError):
        found.read(first, "keys/none.json")


def test_what_is_not_utf_8_is_a_finding(tmp_path: Path) -> None:
    directory, report = committed(tmp_path, {"a.yaml": b"kind: \xff\n", "b.yaml": b"kind: Service\n"}), Report()
    assert [source.name for source in revision(None, directory).sources(report)] == ["main:b.yaml"]
    assert [(d.code, str(d.span)) for d in report.diagnostics] == [("GWC014", "main:a.yaml:1:7")]


def test_a_policy_has_a_bound(tmp_path: Path) -> None:
    directory = committed(tmp_path, {"a.yaml": b"#" * (MAX_BYTES + 1)})
    with pytest.raises(SourceError, match="larger than"):
        revision(None, directory).sources(Report())


def test_a_directory_that_the_commit_lacks(tmp_path: Path) -> None:
    committed(tmp_path, FILES, "policies")
    with pytest.raises(GitError, match="main has no policies in new"):
        revision(None, tmp_path / "new").sources(Report())


@pytest.mark.parametrize("format", ["sha1", "sha256"])
def test_what_is_known_is_not_read_again(tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the work tree holds: an equal text is taken over, under any name, and every other one is read."""
    files = {
        "same.yaml": "kind: é\n".encode(),
        "ends.yaml": b"kind: a\r\n",
        "other.yaml": b"kind: Service\n",
        "gone.yaml": b"owner: b\n",
        "marked.yaml": "\ufeffowner: a\n".encode(),
        "twice.yaml": "\ufeff\ufeffowner: a\n".encode(),
    }
    subprocess.run(
        [*GIT, "init", "-q", "-b", "main", f"--object-format={format}"], cwd=tmp_path, check=True, timeout=60
    )
    directory = committed(tmp_path, files)
    plainly = revision(None, directory).sources(Report())
    (directory / "other.yaml").write_bytes(b"kind: Platform\n")
    (directory / "gone.yaml").rename(directory / "moved.yaml")
    (directory / "more.yaml").write_bytes("\ufeffowner: a\n".encode())
    like, asked = read_policies(str(directory), Report()), []
    contents = git._contents
    monkeypatch.setattr(git, "_contents", lambda ids, top: asked.extend(ids) or contents(ids, top))
    assert revision(None, directory).sources(Report(), like) == plainly
    assert len(asked) == 3  # the other one, and those with a mark that reading takes away
