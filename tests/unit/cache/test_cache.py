"""What was kept is found again, and nothing else ever is: not what is damaged, nor what somebody else put there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gwc import cache
from gwc.cache import Cache, digest, usable

KEY = "the key"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(cache.OFF, raising=False)
    monkeypatch.setenv(cache.DIRECTORY, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store(directory: Path) -> Iterator[Cache]:
    found = usable()
    assert found is not None
    yield found
    found.close()


def entry(directory: Path) -> Path:
    """The only file."""
    (found,) = directory.iterdir()
    return found


@pytest.mark.parametrize("data", [b"", b"text\n", bytes(range(256)) * 5000])
def test_what_was_put_is_found(store: Cache, data: bytes) -> None:
    assert store.get(KEY) is None
    store.put(KEY, data)
    assert store.get(KEY) == data
    assert store.get(KEY + "!") is None
    store.put(KEY, b"newer")
    assert store.get(KEY) == b"newer"


def test_an_entry_and_its_directory_are_the_users_alone(store: Cache, directory: Path) -> None:
    store.put(KEY, b"data")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert entry(directory).stat().st_mode & 0o777 == 0o600


def test_parts_are_told_apart() -> None:
    texts = [digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("abc", ""), digest("", "abc")]
    assert len(set(texts)) == len(texts)
    assert digest("ä") == digest("ä".encode())


def test_each_flipped_bit_is_a_miss(store: Cache, directory: Path) -> None:
    store.put(KEY, b"data")
    whole = entry(directory).read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        entry(directory).write_bytes(damaged)
        assert store.get(KEY) is None, position


def test_each_truncation_and_what_is_appended_is_a_miss(store: Cache, directory: Path) -> None:
    store.put(KEY, b"data")
    whole = entry(directory).read_bytes()
    for end in range(len(whole)):
        entry(directory).write_bytes(whole[:end])
        assert store.get(KEY) is None, end
    entry(directory).write_bytes(whole + b"\0")
    assert store.get(KEY) is None
    store.put(KEY, b"anew")
    assert store.get(KEY) == b"anew"


def test_an_entry_under_anothers_name_is_a_miss(store: Cache, directory: Path) -> None:
    store.put(KEY, b"data")
    entry(directory).rename(directory / digest("another"))
    assert store.get("another") is None


def test_a_link_is_a_miss(store: Cache, directory: Path, tmp_path: Path) -> None:
    store.put(KEY, b"data")
    entry(directory).rename(tmp_path / "elsewhere")
    (directory / digest(KEY)).symlink_to(tmp_path / "elsewhere")
    assert store.get(KEY) is None
    store.put(KEY, b"anew")
    assert store.get(KEY) == b"anew"
    assert b"anew" not in (tmp_path / "elsewhere").read_bytes()


def test_an_entry_that_others_may_write_is_a_miss(store: Cache, directory: Path) -> None:
    store.put(KEY, b"data")
    entry(directory).chmod(0o620)
    assert store.get(KEY) is None


def test_a_directory_in_the_place_of_an_entry_is_a_miss(store: Cache, directory: Path) -> None:
    (directory / digest(KEY)).mkdir()
    assert store.get(KEY) is None
    store.put(KEY, b"data")
    assert [path.name for path in directory.iterdir()] == [digest(KEY)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_another_user_is_a_miss(store: Cache, directory: Path) -> None:
    store.put(KEY, b"data")
    os.chown(entry(directory), 65534, -1)
    assert store.get(KEY) is None
    os.chown(directory, 65534, -1)
    assert usable() is None


def test_another_users_id_finds_nothing(store: Cache, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put(KEY, b"data")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert store.get(KEY) is None
    assert usable() is None


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_directory_that_others_may_write_is_no_cache(directory: Path, mode: int) -> None:
    directory.mkdir()
    directory.chmod(mode)
    assert usable() is None


def test_neither_a_link_nor_a_file_is_a_cache(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "real")
    assert usable() is None
    directory.unlink()
    directory.write_text("")
    assert usable() is None


def test_it_can_be_switched_off(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.OFF, "1")
    assert usable() is None
    assert not directory.exists()


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.DIRECTORY, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/ada")
    assert cache.location() == "/var/ada/gwc"
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache.location() == "/home/ada/.cache/gwc"
    monkeypatch.delenv("HOME")
    assert cache.location() is None
    assert usable() is None


def test_nothing_is_made_in_the_home_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.DIRECTORY, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / ".cache"))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert usable() is None
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_not_kept(store: Cache, directory: Path) -> None:
    directory.rmdir()
    store.put(KEY, b"data")
    assert store.get(KEY) is None


def test_a_full_disk_leaves_nothing_behind(store: Cache, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    store.put(KEY, b"data")
    assert not list(directory.iterdir())


def test_what_is_too_large_is_not_kept(directory: Path) -> None:
    small = usable(limit=1000)
    assert small is not None
    small.put(KEY, b"x" * 1000)
    assert not list(directory.iterdir())
    small.close()


def test_the_size_is_bounded_and_the_oldest_go_first(directory: Path) -> None:
    bounded = usable(limit=64 * 4096)
    assert bounded is not None
    for number in range(200):
        bounded.put(str(number), b"x" * 4000)
        os.utime(directory / digest(str(number)), (number, number))
    kept = [number for number in range(200) if (directory / digest(str(number))).exists()]
    assert 40 <= len(kept) <= 64 + 8
    assert kept == list(range(200 - len(kept), 200))
    bounded.close()


def test_what_is_used_is_kept_longer(directory: Path) -> None:
    bounded = usable(limit=64 * 4096)
    assert bounded is not None
    for number in range(60):
        bounded.put(str(number), b"x")
        os.utime(directory / digest(str(number)), (number, number))
    assert bounded.get("0") == b"x"
    for number in range(60, 90):
        bounded.put(str(number), b"x")
    assert bounded.get("0") == b"x"
    assert bounded.get("1") is None
    bounded.close()


def test_what_an_interrupted_process_left_is_removed(store: Cache, directory: Path) -> None:
    old, young = directory / f"{digest('old')}.1.1", directory / f"{digest('young')}.2.2"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    store.put(KEY, b"data")  # the first one of a process looks around
    assert not old.exists()
    assert young.exists()


_WRITER = """
import sys
from gwc.cache import usable
store = usable(64 * 4096)
for number in range(300):
    key = str(number % 20)
    found = store.get(key)
    assert found in (None, *(key.encode() * 500 * writer for writer in range(1, 5))), found[:50]
    store.put(key, key.encode() * 500 * int(sys.argv[1]))
"""


@pytest.mark.usefixtures("directory")
def test_processes_do_not_disturb_one_another() -> None:
    def write(number: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _WRITER, str(number)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(write, range(1, 5)))
    assert [(one.returncode, one.stderr) for one in done] == [(0, "")] * 4
    store = usable()
    assert store is not None
    assert all(store.get(str(number)) is not None for number in range(20))
    assert not any("." in path.name for path in Path(str(cache.location())).iterdir())
    store.close()


def test_the_compiler_is_known_by_its_code(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "emit.py").write_text("x = 1")
    (tmp_path / "target" / "__pycache__").mkdir()
    first = cache.compiler(str(tmp_path / "target"))
    (tmp_path / "target" / "__pycache__" / "emit.pyc").write_bytes(b"anything")
    os.utime(tmp_path / "target" / "emit.py", (0, 0))
    assert cache.compiler(str(tmp_path / "target")) == first
    (tmp_path / "target" / "emit.py").write_text("x = 2")
    assert cache.compiler(str(tmp_path / "target")) != first != cache.compiler()
    (tmp_path / "target" / "emit.py").rename(tmp_path / "target" / "other.py")
    assert len({first, cache.compiler(), cache.compiler(str(tmp_path / "target"))}) == 3


def test_it_costs_next_to_nothing_to_import() -> None:
    code = "import sys; before = set(sys.modules); import gwc.cache; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "gwc", "gwc.cache", "hashlib", "_hashlib", "_blake2"}
