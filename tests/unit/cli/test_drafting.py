"""Files written in pieces: what is there stays, what was there is copied, and nothing else is believed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from gwc import cache
from gwc.cli import drafting, kept
from gwc.cli.drafting import Draft, Place, Present, draft
from gwc.cli.kept import Facts, Kept, KeptFile, Places
from gwc.cli.transaction import PLAIN, Mode, Transaction
from gwc.parts import Made, Part, Piece
from gwc.survey import Survey

LONG = "x" * 300_000 + "\n"


@dataclass
class Makes:
    """Counts what is made."""

    calls: list[str] = field(default_factory=list)

    def part(self, service: str, text: str, given: str = "", *, fit: bool = True) -> Part:
        def make() -> Made:
            self.calls.append(service)
            return Made(text, fit)

        return Part(service, "all", make, given)


@pytest.fixture
def makes() -> Makes:
    return Makes()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "build").mkdir()
    return tmp_path / "build" / "file"


def _services(**texts: str) -> dict[str, bytes]:
    return {name: text.encode() for name, text in texts.items()}


def _drafted(
    place: Path, pieces: Iterable[Piece], known: KeptFile | None = None, mode: Mode = PLAIN
) -> tuple[Draft, str]:
    """What comes of it, and what stands in the file then."""
    with Transaction(place.parent) as transaction:
        (found,) = draft([Place(place, known)], lambda: pieces, mode, transaction.draft)
        if found.staged is not None:
            transaction.stage(place.name, found.staged, mode)
            transaction.commit(())
    return found, place.read_text()


def _next(found: Draft, services: dict[str, bytes]) -> KeptFile:
    return KeptFile(services, found.sha256, found.places.by_key())


def test_a_new_file(place: Path, makes: Makes) -> None:
    found, text = _drafted(place, [Made("head\n"), makes.part("a", LONG), Made("tail\n")])
    assert (text, found.same, found.fit) == (f"head\n{LONG}tail\n", False, True)
    assert found.sha256 == sha256(text.encode()).hexdigest()


def test_what_is_the_same_is_not_written(place: Path, makes: Makes) -> None:
    place.write_text(f"head\n{LONG}")
    before = place.stat()
    found, _ = _drafted(place, [Made("head\n"), makes.part("a", LONG)])
    assert found.same and found.staged is None
    assert found.sha256 == sha256(place.read_bytes()).hexdigest()
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("there", ["", "head\n", f"head\n{LONG}more\n", f"headless\n{LONG}", f"head\n{LONG[:-1]}y\n"])
def test_what_differs_anywhere_is_written(place: Path, makes: Makes, there: str) -> None:
    place.write_text(there)
    found, text = _drafted(place, [Made("head\n"), makes.part("a", LONG)])
    assert (text, found.same) == (f"head\n{LONG}", False)
    assert found.sha256 == sha256(text.encode()).hexdigest()


def test_an_empty_file(place: Path) -> None:
    assert _drafted(place, [])[1] == ""
    assert _drafted(place, [])[0].same


def test_another_mode_and_a_link_are_replaced(place: Path) -> None:
    place.write_text("text\n")
    _drafted(place, [Made("text\n")], mode=Mode(executable=True))
    assert os.access(place, os.X_OK)
    place.unlink()
    place.symlink_to("elsewhere")
    (place.parent / "elsewhere").write_text("text\n")
    _drafted(place, [Made("text\n")])
    assert not place.is_symlink() and (place.parent / "elsewhere").read_text() == "text\n"


def test_parts_of_the_last_build_are_not_made_again(place: Path, makes: Makes) -> None:
    services = _services(a="1", b="1", c="1")
    known = KeptFile(services)
    parts = [makes.part("a", "of a\n"), Made("between\n"), makes.part("b", LONG), makes.part("c", "of ç\n")]
    first, text = _drafted(place, parts, known)
    changed = _services(a="2", b="1", c="1")
    makes.calls.clear()
    parts[0] = makes.part("a", "another of a\n")
    second, after = _drafted(place, parts, _next(first, changed))
    assert (makes.calls, after) == (["a"], text.replace("of a", "another of a"))
    makes.calls.clear()
    third, again = _drafted(place, [parts[3], parts[2]], _next(second, changed))
    assert (makes.calls, again, third.same) == ([], f"of ç\n{LONG}", False)


@pytest.mark.parametrize("damage", [b"0" * 10, b"", LONG.encode()])
def test_a_file_that_was_touched_since_is_not_copied_from(place: Path, makes: Makes, damage: bytes) -> None:
    services = _services(a="1")
    known = KeptFile(services)
    first, text = _drafted(place, [makes.part("a", LONG), Made("tail\n")], known)
    place.write_bytes(damage)
    makes.calls.clear()
    _, after = _drafted(place, [makes.part("a", LONG), Made("tail\n")], _next(first, services))
    assert (makes.calls, after) == (["a"], text)


def test_what_a_part_follows_from_is_its_key() -> None:
    def key(service: str = "a", name: str = "n", given: str = "g", text: str = "t") -> bytes:
        return KeptFile({service: text.encode()}).key(Part(service, name, lambda: Made(""), given))

    others = [key(service="b"), key(name="o"), key(given="h"), key(text="u"), key(name="ng", given="")]
    assert len({key(), *others}) == 1 + len(others)


def test_a_part_that_is_unfit_is_told(place: Path, makes: Makes) -> None:
    assert not _drafted(place, [makes.part("a", "1\n"), makes.part("b", "2\n", fit=False)])[0].fit


def test_a_part_that_is_unfit_is_made_and_told_each_time(place: Path, makes: Makes) -> None:
    """The judge had nothing against the whole that held it: of another whole it says so anew."""
    known, parts = KeptFile(_services(a="1", b="1")), [makes.part("a", "1\n"), makes.part("b", "2\n", fit=False)]
    first, _ = _drafted(place, parts, known)
    makes.calls.clear()
    second, _ = _drafted(place, parts, _next(first, _services(a="1", b="1")))
    assert (makes.calls, second.fit, second.same) == (["b"], False, True)


@pytest.mark.parametrize("size", [10, len(LONG), len(LONG) + 10])
def test_a_file_that_shrinks_while_it_is_copied_gives_no_half_of_a_part(place: Path, makes: Makes, size: int) -> None:
    services = _services(a="1", b="1")
    first, text = _drafted(place, [makes.part("a", LONG), makes.part("b", LONG)], KeptFile(services))
    tries = 0

    def shrinking() -> Iterator[Piece]:
        nonlocal tries
        tries += 1
        yield makes.part("b", LONG)
        os.truncate(place, size)
        yield makes.part("a", LONG)

    with Transaction(place.parent) as transaction:
        (found,) = draft([Place(place, _next(first, services))], shrinking, PLAIN, transaction.draft)
        assert found.staged is not None and Path(found.staged).read_text() == text
    assert tries == 2 and found.sha256 == sha256(text.encode()).hexdigest()


def test_a_part_where_the_last_one_ends_is_copied_with_it(place: Path, makes: Makes) -> None:
    """What makes large files cheap: neighbours that stay neighbours are read at once, and each byte once."""
    services = _services(a="1", b="1", c="1", d="1")
    parts = [makes.part(name, f"{name}\n" * 60_000) for name in "abcd"]
    first, _ = _drafted(place, parts, KeptFile(services))
    read: list[int] = []

    class Counted(Present):
        def blocks(self, begin: int, end: int) -> Iterator[memoryview]:
            for block in super().blocks(begin, end):
                read.append(len(block))
                yield block

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(drafting, "Present", Counted)
        found, text = _drafted(place, [Made("head\n"), *parts], _next(first, services))
    assert text == "head\n" + "".join(f"{name}\n" * 60_000 for name in "abcd") and not found.same
    assert sum(read) == 480_000 and len(read) == 2
    assert found.sha256 == sha256(text.encode()).hexdigest()


def test_a_comparison_writes_nothing(place: Path) -> None:
    (found,) = draft([Place(place)], lambda: [Made("text\n")], PLAIN, None)
    assert (found.same, found.staged, found.sha256) == (False, None, sha256(b"text\n").hexdigest())
    assert list(place.parent.iterdir()) == []


def test_a_file_for_several_places_is_made_once(place: Path, makes: Makes) -> None:
    """Whatever each of them holds before: nothing, the same, something else, a part of an earlier build."""
    services, other, third = _services(a="1", b="1"), place.with_name("other"), place.with_name("third")
    pieces = [Made("head\n"), makes.part("a", LONG), makes.part("b", "of b\n")]
    text = f"head\n{LONG}of b\n"
    first, _ = _drafted(other, pieces, KeptFile(services))
    third.write_text(text[:-1])
    makes.calls.clear()
    known = _next(first, services)
    with Transaction(place.parent) as transaction:
        places = [Place(place, KeptFile(services)), Place(other, known), Place(third)]
        drafts = draft(places, lambda: pieces, PLAIN, transaction.draft)
        for found, where in zip(drafts, (place, other, third), strict=True):
            if found.staged is not None:
                transaction.stage(where.name, found.staged, PLAIN)
        transaction.commit(())
    assert [path.read_text() == text for path in (place, other, third)] == [True] * 3
    assert [found.same for found in drafts] == [False, True, False]
    assert len({found.sha256 for found in drafts}) == 1 and makes.calls == ["a", "b"]
    assert drafts[0].places.packed == drafts[1].places.packed != b"" == drafts[2].places.packed


def _in_all(places: list[Path], pieces: list[Piece], known: KeptFile | None = None) -> list[Draft]:
    with Transaction(places[0].parent) as transaction:
        drafts = draft([Place(place, known) for place in places], lambda: pieces, PLAIN, transaction.draft)
        for found, place in zip(drafts, places, strict=True):
            if found.staged is not None:
                transaction.stage(place.name, found.staged, PLAIN)
        transaction.commit(())
    assert [*places[0].parent.iterdir()] and not [*places[0].parent.glob(".gwc-*")]
    return drafts


def _files(places: list[Path]) -> int:
    return len({place.stat().st_ino for place in places})


@pytest.fixture
def places(place: Path) -> list[Path]:
    return [place, place.with_name("other"), place.with_name("third")]


def test_new_places_of_one_file_are_names_of_it(places: list[Path], makes: Makes) -> None:
    """It is written once. What comes to stand there later is another file, wherever it does."""
    services = _services(a="1")
    first = _in_all(places, [makes.part("a", LONG)], KeptFile(services))
    assert [place.read_text() for place in places] == [LONG] * 3 and _files(places) == 1
    assert len({found.staged for found in first}) == 3 and len({bytes(found.places.packed) for found in first}) == 1
    assert [found.same for found in _in_all(places, [Made(LONG)])] == [True] * 3
    second = _in_all(places, [makes.part("a", LONG), Made("more\n")], _next(first[0], services))
    assert [place.read_text() for place in places] == [f"{LONG}more\n"] * 3 and _files(places) == 1
    assert len({found.sha256 for found in second}) == 1 and makes.calls == ["a"]
    _in_all(places[:1], [Made("less\n")])
    assert [place.read_text() for place in places] == ["less\n", f"{LONG}more\n", f"{LONG}more\n"]
    _in_all(places, [Made("all\n")])
    assert [place.read_text() for place in places] == ["all\n"] * 3


def test_files_that_somebody_set_apart_are_each_looked_at(places: list[Path]) -> None:
    _in_all(places, [Made("text\n")])
    places[1].unlink()
    places[1].write_text("other\n")
    assert [found.same for found in _in_all(places, [Made("text\n")])] == [True, False, True]
    assert [place.read_text() for place in places] == ["text\n"] * 3
    for text in ("written into\n", ""):  # the first as well: what they hold is one file
        places[2].write_text(text)
        assert [found.same for found in _in_all(places, [Made("text\n")])] == [False, True, False]
        assert [place.read_text() for place in places] == ["text\n"] * 3


def test_where_a_file_cannot_have_several_names_it_is_copied(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    _in_all(places, [Made("text\n")])
    assert [place.read_text() for place in places] == ["text\n"] * 3 and _files(places) == 3
    assert len({place.stat().st_mode for place in places}) == 1
    _in_all(places, [Made("more\n")])
    assert [place.read_text() for place in places] == ["more\n"] * 3


def test_a_comparison_of_several_places_writes_nothing(places: list[Path]) -> None:
    found = draft([*map(Place, places)], lambda: [Made("text\n")], PLAIN, None)
    assert {(one.same, one.staged) for one in found} == {(False, None)} and not [*places[0].parent.iterdir()]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv(cache.OFF, raising=False)
    monkeypatch.setenv(cache.DIRECTORY, str(tmp_path / "cache"))
    yield tmp_path


def _recalled(directory: Path, facts: Facts) -> Kept:
    found = kept.recall(directory, facts)
    assert found is not None
    return found


def _remember(directory: Path, facts: Facts, found: Draft, *names: str) -> None:
    survey = Survey((), "given", b"", {"a": b"found of a"})
    targets = {name.partition("/")[0] for name in names}
    files = dict.fromkeys(names, (found.sha256, found.places))
    kept.remember(directory, _recalled(directory, facts).after(targets, files, survey))


def test_a_build_is_remembered_by_its_directory(directory: Path, place: Path, makes: Makes) -> None:
    facts = Facts(None, {"platform.yaml": "p"}, {"a": "1"}, ())
    first, _ = _drafted(place, [makes.part("a", "of a\n")], _recalled(directory, facts).file("file"))
    _remember(directory, facts, first, "file")
    again = _recalled(directory, facts)
    found = again.file("file")
    assert found.sha256 == first.sha256 and found.places == first.places.by_key() != {}
    assert again.found("a", "given") == b"found of a"
    other = _recalled(directory / "other", facts)
    assert not other.file("file").places and other.found("a", "given") is None
    assert not again.file("other").places and again.found("a", "other words") is None
    assert _recalled(directory, replace(facts, environment="prod")).found("a", "given") is None


def test_a_build_of_some_targets_leaves_what_is_known_of_the_others(directory: Path, place: Path, makes: Makes) -> None:
    facts = Facts(None, {}, {"a": "1"}, ())
    first, _ = _drafted(place, [makes.part("a", "of a\n")], _recalled(directory, facts).file("kong/file"))
    _remember(directory, facts, first, "envoy/file", "envoy/gone", "kong/file")
    _remember(directory, facts, first, "envoy/file")
    again = _recalled(directory, facts)
    assert again.file("kong/file").places == again.file("envoy/file").places == first.places.by_key() != {}
    assert again.file("envoy/gone").places == {}


def test_everything_that_a_service_follows_from_changes_its_keys(directory: Path) -> None:
    def key(**changed: object) -> bytes:
        facts = {"environment": None, "shared": {"platform.yaml": "p"}, "services": {"a": "1"}, "packages": ()}
        file = _recalled(directory, Facts(**{**facts, **changed})).file("file")  # type: ignore[arg-type]
        return file.key(Part("a", "all", lambda: Made("")))

    (directory / "code").mkdir()
    (directory / "code" / "target.py").write_text("")
    package = {"packages": (str(directory / "code"),)}
    with_package = key(**package)
    (directory / "code" / "target.py").write_text("changed")
    keys = [
        key(), key(environment="prod"), key(shared={"platform.yaml": "q"}), key(shared={"platform.yml": "p"}),
        key(services={"a": "2"}), with_package, key(**package), key(libraries=("pyyaml 6",)),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key(services={"a": "1", "b": "1"}) == key()


def _entry(head: object, rest: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + rest


@pytest.mark.parametrize(
    "entry",
    [
        *(b"", b"[]", b"{", b"\xff" * 20, _entry([]), _entry({}), _entry({"files": 1, "found": []})),
        _entry({"files": [["file", "0", 32]], "found": []}, b"0" * 31),
        _entry({"files": [["file", "0", 31]], "found": []}, b"0" * 31),
        _entry({"files": [["file", "0", -32]], "found": []}, b"0" * 32),
        _entry({"files": [["file", "0", 32]], "found": [["0", 1]]}, b"0" * 33),
        _entry({"files": [["file", "0", 32]], "found": [["00", 2]]}, b"0" * 33),
    ],
)
def test_what_somebody_broke_is_nothing(directory: Path, entry: bytes) -> None:
    store = cache.usable()
    assert store is not None
    store.put(kept._name(directory), entry)
    store.close()
    found = _recalled(directory, Facts(None, {}, {"a": "1"}, ())).file("file")
    assert found.places == {}


def test_places_are_packed_whole_for_another_process(place: Path, makes: Makes) -> None:
    first, _ = _drafted(place, [makes.part("a", "1\n"), makes.part("b", LONG)], KeptFile(_services(a="1", b="1")))
    copied = pickle.loads(pickle.dumps(first.places))
    assert copied.by_key() == first.places.by_key() and copied.packed == first.places.packed
    assert [*first.places.by_key().values()] == [(0, 2), (2, len(LONG))]
    with pytest.raises(ValueError, match="not whole"):
        Places(first.places.packed[:-1])
