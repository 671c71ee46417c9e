"""NGINX's own check runs where the gateway's certificates are not."""

from __future__ import annotations

from pathlib import Path

from gwc import placeholder
from gwc_nginx.rehearsal import rehearse

_CONF = """\
ssl_certificate "{home}/tls.crt";
ssl_certificate_key "{home}/tls.key";
proxy_ssl_trusted_certificate "{home}/ca.crt";
proxy_ssl_name "not/a/file";
"""


def _rehearsed(directory: Path, *present: str) -> str:
    home = directory / "host"
    home.mkdir()
    for name in present:
        (home / name).write_text("here", encoding="utf-8")
    (directory / "public.conf").write_text(_CONF.format(home=home), encoding="utf-8")
    rehearse(directory)
    return (directory / "public.conf").read_text(encoding="utf-8")


def test_what_is_missing_is_stood_in_for(tmp_path: Path) -> None:
    text = _rehearsed(tmp_path)
    assert f'ssl_certificate "{tmp_path}/placeholder.crt";' in text
    assert f'ssl_certificate_key "{tmp_path}/placeholder.key";' in text
    assert f'proxy_ssl_trusted_certificate "{tmp_path}/placeholder.crt";' in text
    assert 'proxy_ssl_name "not/a/file";' in text
    assert (tmp_path / "placeholder.key").read_text(encoding="utf-8") == placeholder.KEY


def test_what_is_there_is_judged_itself(tmp_path: Path) -> None:
    text = _rehearsed(tmp_path, "tls.crt", "tls.key", "ca.crt")
    assert text == _CONF.format(home=tmp_path / "host")


def test_half_of_a_pair_is_no_use(tmp_path: Path) -> None:
    text = _rehearsed(tmp_path, "tls.crt", "ca.crt")
    assert "tls.crt" not in text
    assert "ca.crt" in text


def test_a_key_that_was_made_up_fits_no_certificate_of_the_host(tmp_path: Path) -> None:
    certificate = tmp_path / "tls.crt"
    certificate.write_text("here", encoding="utf-8")
    conf = tmp_path / "clients.conf"
    conf.write_text(f'ssl_certificate "{certificate}";\nssl_certificate_key "secrets/tls.key";\n', encoding="utf-8")
    rehearse(tmp_path)
    assert f'ssl_certificate_key "{tmp_path}/placeholder.key";' in conf.read_text(encoding="utf-8")
    assert f'ssl_certificate "{tmp_path}/placeholder.crt";' in conf.read_text(encoding="utf-8")
