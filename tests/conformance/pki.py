"""Throw-away certificates: an authority, another one that nobody trusts, a service, a client. PEM files in a folder."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SERVICE_NAME = "service.internal"
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class _Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_pki(folder: Path) -> None:
    """ca.pem, service.pem and .key, client.pem and .key of one authority; rogue.pem and .key of another."""
    trusted, other = _authority("conformance"), _authority("somebody else")
    _write(folder / "ca.pem", trusted.certificate)
    for name, authority in (("service", trusted), ("client", trusted), ("rogue", other)):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / f"{name}.pem", _issue(authority, key))
        _write_key(folder / f"{name}.key", key)


def server_context(folder: Path, name: str, *, ask_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if ask_client:
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
    return builder.public_key(key.public_key()).serial_number(x509.random_serial_number())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority(name: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return _Authority(key, builder.sign(key, hashes.SHA256()))


def _issue(authority: _Authority, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    issuer = authority.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    names = x509.SubjectAlternativeName([*map(x509.DNSName, (SERVICE_NAME, "localhost")), x509.IPAddress(_LOOPBACK)])
    builder = _builder(SERVICE_NAME, str(issuer), key).add_extension(names, critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form))
    path.chmod(0o600)
