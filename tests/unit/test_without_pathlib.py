"""What gwc decides about paths and addresses by looking at the text is what pathlib and ipaddress would have said."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import product
from pathlib import Path, PurePosixPath

import pytest

from gwc import source
from gwc.diagnostics import Report
from gwc.lint import perimeter


def texts(alphabet: str, most: int) -> Iterator[str]:
    for length in range(most + 1):
        yield from map("".join, product(alphabet, repeat=length))


def test_a_path_is_written_as_pathlib_writes_it() -> None:
    assert [text for text in texts("a./", 8) if source.normal(text) != str(Path(text))] == []


def test_pathlib_is_asked_about_the_rest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path", lambda text: pytest.fail(text))
    for text in ("policies", "policies/shop.yaml", "../shop.yaml", "/a/b.c", "..."):
        assert source.normal(text) == text


def test_names_are_relative_where_pathlib_makes_them_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = [
        str(tmp_path),
        f"{tmp_path}/",
        f"{tmp_path}x",
        str(tmp_path.parent),
        f"{tmp_path}/a/b.yaml",
        "/",
        "a//b",
        "-",
    ]
    for text in (*here, *(f"{tmp_path}/{text}" for text in texts("a./", 4)), *texts("a./", 5)):
        path = Path(text)
        below = path.is_absolute() and path.is_relative_to(tmp_path)
        expected = (path.relative_to(tmp_path) if below else path).as_posix()
        assert source.display_name(text) == source.display_name(path) == expected


def test_what_is_a_policy_is_told_by_the_suffix() -> None:
    for stem in texts("a./", 5):
        for name in (f"{stem}.yaml", f"{stem}.yml", f"{stem}yaml", f"{stem}.json"):
            pure = PurePosixPath(name)
            known = pure.suffix in {".yaml", ".yml"} and not name.startswith(".")
            if name.rpartition("/")[2] not in ("..yaml", "..yml", "...yaml", "...yml"):
                assert source.is_policy(name) == known, name


def test_what_is_there_is_told_as_pathlib_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("folder")
    named = ("file", "folder", "dangling", "loop", "link", "file/below", "nothing", "", ".", "a\0b")
    for name in (*named, "file/", "folder//", "file/."):
        assert source.is_directory(name) == Path(name).is_dir()
        assert source.is_file(name) == Path(name).is_file()


def test_a_file_is_read_by_whatever_name_pathlib_reads_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a: b")
    for name in ("file", "file/", "./file", "/file/."):
        found = source.read_source(f"{tmp_path}/{name}", Report())
        assert found is not None and found.text == "a: b"


@pytest.mark.parametrize("leads_to", ["nowhere", "x.yaml"])
def test_a_link_that_leads_to_no_policy_is_named(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "x.yaml").symlink_to(leads_to)
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "link.yaml").symlink_to("folder.yaml")
    files = source.policy_files(str(tmp_path))
    assert files == (str(tmp_path / "x.yaml"),)
    with pytest.raises(source.SourceError, match=r"x\.yaml: "):
        source.read_source(files[0], Report())


HOSTS = (
    *(f"{a}.{b}.0.1" for a in (0, 1, 10, 11, 100, 126, 127, 128, 172, 192, 224, 255) for b in (0, 16, 64, 168)),
    *("::1", "::", "fe80::1", "2001:db8::1", "2606:4700::1111", "::ffff:127.0.0.1", "fc00::1"),
    *("localhost", "shop.internal", "shop.example.com", "shop", "", ".", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1"),
    *("10.example.com", "127.example.com", "a:b", "192.168.1", "1", "\u0661.2.3.4", "127.0.0.1.", "1e1.2.3.4"),
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_is_public_or_on_this_machine_as_ipaddress_says(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
        public, own = address.is_global, address.is_loopback
    except ValueError:
        public, own = "." in host and not host.endswith(perimeter._INTERNAL), host == "localhost"
    assert (perimeter.public_host(host), perimeter.loopback(host)) == (public, own)


def test_an_address_in_the_usual_form_needs_no_ipaddress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipaddress, "ip_address", lambda text: pytest.fail(text))
    for host in ("127.0.0.1", "localhost", "shop.internal", "shop.example.com"):
        perimeter.loopback(host), perimeter.public_host(host)
    assert not perimeter.public_host("10.1.2.3") and not perimeter.plain_abroad("https://shop.example.com")
