"""`gwc lint` of what has not changed says the same as before, and anew whatever could have become another answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gwc import cache, observed
from gwc.cli import again, run
from lint.rules import KEYS, sources

SHOP, PLATFORM = "policies/shop.yaml", "policies/platform.yaml"
CODE = "import slowapi\nfrom fastapi import FastAPI\napp = FastAPI()\n"


@dataclass(frozen=True)
class Answer:
    """What was said, and whether it was known."""

    code: int
    text: str
    known: bool


Lint = Callable[..., Answer]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plain policies, one of them with a finding; the services' code; and a cache of its own."""
    monkeypatch.delenv(cache.OFF, raising=False)
    monkeypatch.setenv(cache.DIRECTORY, str(tmp_path / "cache"))
    root = tmp_path / "project"
    (root / "policies").mkdir(parents=True)
    monkeypatch.chdir(root)
    for source in sources(""):
        Path(source.name).write_text(source.text)
    Path("policies/keys.json").write_text(KEYS)
    Path(SHOP).write_text(Path(SHOP).read_text() + "headers: {request: {set: {X-Api-Token: abcdefgh1234}}}\n")
    Path("services/shop").mkdir(parents=True)
    Path("services/shop/main.py").write_text(CODE)
    Path("services/shop/requirements.txt").write_text("fastapi\n")
    return root


@pytest.fixture
def lint(capfd: pytest.CaptureFixture[str]) -> Lint:
    def call(*words: str) -> Answer:
        argv = ["lint", *words]
        capfd.readouterr()
        code = again.answered(argv)
        known = code is not None
        if code is None:
            code = run(argv)
        observed.end()  # of a run whose answer was not kept
        again._Pending.key = None
        return Answer(code, "".join(capfd.readouterr()), known)

    return call


WORDS: tuple[tuple[str, ...], ...] = (
    (),
    (SHOP,),
    (SHOP, "--diff"),
    ("--select", "GWC4", "--env", "prod"),
    ("--services", "services"),
    *(("--format", form) for form in ("json", "github", "gitlab", "sarif", "junit")),
)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("words", WORDS)
def test_the_same_again(lint: Lint, words: tuple[str, ...]) -> None:
    if "--env" in words:
        Path(SHOP).write_text(Path(SHOP).read_text() + "environments: {prod: {owner: other}}\n")
    first, second = lint(*words), lint(*words)
    assert not first.known
    assert (second.code, second.text) == (first.code, first.text)
    assert second.known is ("--diff" not in words)  # what is printed for people alone is not kept


@pytest.mark.usefixtures("project")
def test_invalid_policies_are_remembered_too(lint: Lint) -> None:
    Path(SHOP).write_text("kind: Service\nkind: Service\n")
    first, second = lint(), lint()
    assert (first.code, second) == (1, Answer(1, first.text, True))


def edited(name: str, old: str, new: str) -> Callable[[], object]:
    def change() -> None:
        before = Path(name).stat()
        text = Path(name).read_text()
        assert old in text
        Path(name).write_text(text.replace(old, new))
        os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))  # time says nothing

    return change


def written(name: str, text: str = "") -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


CHANGES: dict[str, Callable[[], object]] = {
    "a policy": edited(SHOP, "abcdefgh1234", "abcdefgh1235"),
    "the platform": edited(PLATFORM, "1000/min", "2000/min"),
    "the platform is gone": lambda: Path(PLATFORM).unlink(),
    "a second platform": written("policies/platform.yml"),
    "the key set": edited("policies/keys.json", "P-256", "P-257"),
    "the key set is gone": lambda: Path("policies/keys.json").unlink(),
    "the code": edited("services/shop/main.py", "slowapi", "slowap2"),
    "more code": written("services/shop/more.py"),
    "what the code needs": edited("services/shop/requirements.txt", "fastapi", "slowapi"),
    "the project's file": written("services/shop/pyproject.toml"),
    "code of another service": lambda: Path("services/other").mkdir(),
    "a link to code becomes code": lambda: (Path("services/shop/lib").unlink(), Path("services/shop/lib").mkdir()),
    "the file of known findings": edited("known.json", '"findings": [', '"findings": [ '),
}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_was_looked_at_makes_it_look_anew(lint: Lint, change: Callable[[], object]) -> None:
    Path("known.json").write_text('{"schema": 1, "findings": []}')
    Path("shared").mkdir()
    Path("services/shop/lib").symlink_to(Path("shared").absolute())  # which nobody follows
    words = (SHOP, "--services", "services", "--baseline", "known.json")
    lint(*words)
    assert lint(*words).known
    change()
    assert not lint(*words).known


@pytest.mark.usefixtures("project")
def test_a_new_policy_in_the_directory(lint: Lint) -> None:
    lint()
    Path("policies/notes.txt").write_text("no policy")
    assert not lint().known
    assert lint().known
    Path("policies/more.yaml").write_text("")
    assert lint() == Answer(1, lint("--no-cache").text, False)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "words", [("-",), ("--changed", "main"), ("--changed=main",), ("--no-cache",), ("--fix",), ("--write-baseline=x",)]
)
def test_what_cannot_be_repeated_is_not_kept(lint: Lint, words: tuple[str, ...], tmp_path: Path) -> None:
    assert again.answered(["lint", *words]) is None
    assert again._Pending.key is None
    assert not (tmp_path / "cache").exists() or not list((tmp_path / "cache").iterdir())


@pytest.mark.usefixtures("project")
def test_mistakes_of_usage_are_not_kept(lint: Lint) -> None:
    for words in (("nowhere.yaml",), ("--select", "GWC999"), ("--format", "xml")):
        assert [lint(*words).code, lint(*words).known] == [2, False]


@pytest.mark.usefixtures("project")
def test_tomorrow_is_another_day(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    lint()
    strftime = time.strftime
    monkeypatch.setattr(time, "strftime", lambda _: strftime("%Y-%m-%d", time.localtime(time.time() + 86400)))
    assert not lint().known


@pytest.mark.usefixtures("project")
def test_another_directory_is_another_place(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    lint(str(Path(SHOP).absolute()))
    monkeypatch.chdir("policies")
    assert not lint(str(Path("shop.yaml").absolute())).known


@pytest.mark.usefixtures("project")
def test_another_version_is_another_program(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    lint()
    monkeypatch.setattr(again, "__version__", "9.9.9")
    assert not lint().known


@pytest.mark.usefixtures("project")
def test_gwcs_own_code_counts(lint: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    _of_code = observed._of_code
    monkeypatch.setitem(observed._PRINTS, observed.CODE, lambda path: seen.append(path) or _of_code(path))
    lint()
    assert lint().known
    assert {Path(path).name for path in seen} >= {"trust.py", "document.py", "ir.py", "service.py", "load.py"}
    monkeypatch.setitem(observed._PRINTS, observed.CODE, lambda path: _of_code(path) + "!")
    assert not lint().known


@pytest.mark.usefixtures("project")
def test_a_damaged_answer_is_made_anew(lint: Lint, tmp_path: Path) -> None:
    first = lint()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b"GWC405", b"GWC406"))
    assert lint() == first
    assert lint().known


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "entry", [b"", b"0", b"0\0no number\0", b"0\x000\x001\0", b"0\x000\x001\0kind\0print\0path\0text"]
)
def test_an_answer_in_another_form_is_made_anew(lint: Lint, entry: bytes) -> None:
    """The version may be the same where gwc is worked on."""
    first = lint()
    store = cache.usable()
    assert store is not None
    store.put(again._key(["lint"]), entry)
    store.close()
    assert lint() == first
    assert lint().known


def test_a_directory_that_is_gone_is_no_reason_to_fail(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "gone").mkdir()
    os.chdir(project / "gone")
    (project / "gone").rmdir()
    assert again.answered(["lint"]) is None
    os.chdir(project)


_WATCHED = """
import os, sys
opened = set()
def watch(event, args):
    if event in ("open", "os.scandir", "os.listdir") and isinstance(args[0], (str, bytes)):
        opened.add(os.path.abspath(os.fsdecode(args[0])))
sys.addaudithook(watch)
from gwc import observed
from gwc.cli import again, run
argv = sys.argv[1:]
noted, end = set(), observed.end
observed.end = lambda: [noted.add(os.path.abspath(n[2])) or n for n in end()]
assert again.answered(argv) is None
run(argv)
here = os.getcwd()
kept = "x" * 64  # the name of an entry, opened beside its own directory
missed = {p for p in opened if p.startswith(here + "/") and p not in noted and len(os.path.basename(p)) < len(kept)}
sys.exit(f"opened, but not noted: {missed}" if missed or not noted else 0)
"""


@pytest.mark.parametrize("words", [(), (SHOP,), (PLATFORM, SHOP, "--services", "services", "--baseline", "known.json")])
def test_whatever_is_opened_is_noted(project: Path, words: tuple[str, ...]) -> None:
    Path("known.json").write_text('{"schema": 1, "findings": []}')
    Path("services/shop/below").mkdir()
    Path("services/shop/below/more.py").write_text("x = 1\n")
    command = [sys.executable, "-c", _WATCHED, "lint", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("project")
def test_an_answer_that_is_known_costs_next_to_nothing() -> None:
    """A counter, not a clock: what is imported."""
    boot = "import sys; sys.argv[1:] = ['lint', sys.argv[1]]; from gwc._boot import main; sys.exit(main())"
    command = [sys.executable, "-X", "importtime", "-c", boot, SHOP]
    runs = [subprocess.run(command, capture_output=True, text=True, check=False, timeout=120) for _ in range(2)]
    assert [run.returncode for run in runs] == [1, 1]
    assert runs[0].stdout == runs[1].stdout
    modules = {line.rpartition("|")[2].strip() for line in runs[1].stderr.splitlines()}
    own = {"gwc", "gwc._boot", "gwc.cli", "gwc.cli.again", "gwc.cache", "gwc.observed"}
    assert {name for name in modules if name.startswith("gwc")} == own
    assert not modules & {"re", "json", "typing", "dataclasses", "pathlib", "contextlib", "typer", "yaml", "pydantic"}


@pytest.mark.usefixtures("project")
def test_a_reader_that_leaves_is_no_failure(lint: Lint) -> None:
    command = f"{sys.executable} -m gwc lint; {sys.executable} -m gwc lint | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] in ("1", "141")
    assert done.stderr == ""


@pytest.mark.usefixtures("project")
def test_a_pipe_is_read_by_the_run_alone(lint: Lint) -> None:
    """Opened to look whether it is the same, it would lose its writer."""
    os.mkfifo("piped.yaml")

    def once() -> Answer:
        writing = f"open('piped.yaml', 'wb').write(open({SHOP!r}, 'rb').read())"
        writer = subprocess.Popen([sys.executable, "-c", writing])
        try:
            return lint("piped.yaml")
        finally:
            assert writer.wait(timeout=60) == 0

    first, second = once(), once()
    assert first == second
    assert not second.known


def test_a_file_that_changes_between_two_looks_is_never_the_same_again(project: Path) -> None:
    observed.begin()
    for data in (b"before", b"after"):
        observed.file(SHOP, data)
    notes = observed.end()
    Path(SHOP).write_bytes(b"after")
    assert not observed.unchanged(notes)


@pytest.mark.usefixtures("project")
def test_a_target_in_an_archive_counts(lint: Lint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    archive = tmp_path / "targets.zip"
    archive.write_bytes(b"one")
    monkeypatch.syspath_prepend(str(archive))
    lint()
    assert lint().known
    archive.write_bytes(b"another")
    assert not lint().known


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.usefixtures("project")
def test_an_answer_that_cannot_be_printed_ends_as_a_run_does() -> None:
    words = (sys.executable, "-m", "gwc", "lint")
    subprocess.run(words, capture_output=True, check=False, timeout=120)
    for more in ((), ("--no-cache",)):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run((*words, *more), stdout=full, stderr=subprocess.PIPE, check=False, timeout=120)
        assert (done.returncode, done.stderr) == (4, b"gwc: error: No space left on device\n")
