"""Stands in, during an engine's own check alone, for what only the gateway's host has. It protects nothing.

A self-signed P-256 certificate for `placeholder.invalid` and its key, both in DER as base64.
"""

from __future__ import annotations

from textwrap import wrap

TEXT = "placeholder"

_CERTIFICATE = (
    "MIIBkjCCATmgAwIBAgIUWyIzVCdQLP54P6LgXgQXNlnYn+QwCgYIKoZIzj0EAwIwHjEcMBoGA1UEAwwTcGxhY2Vob2xkZXIuaW52YWxpZDAgFw"
    "0yNjExMjMwMjA1NTVaGA8yMTI2MTAzMDAyMDU1NVowHjEcMBoGA1UEAwwTcGxhY2Vob2xkZXIuaW52YWxpZDBZMBMGByqGSM49AgEGCCqGSM49"
    "AwEHA0IABPj50mYo0a0qXwi140U/EampJTnBdZq45flVVqWa3TEqR416unpL3Q9Wo+s3tkg2XtjovZQmu4tJiO4VQHdN2P2jUzBRMB0GA1UdDg"
    "QWBBRar7zJZodWhukjGwuE96ymnc2ymjAfBgNVHSMEGDAWgBRar7zJZodWhukjGwuE96ymnc2ymjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49"
    "BAMCA0cAMEQCID71DXhTywtuI3OV5caodYUbm9jxPNDCyWfZ3DI4fCAMAiAM7J/qicKK6lwNUNiAS5oXwVxeXLBQbgjy+VQ/766lSw=="
)
_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvYHkRUp//8ENIdudPEunDSecnzi5Ujf+mwj6hIRO4LahRANCAAT4+dJmKNGtKl"
    "8IteNFPxGpqSU5wXWauOX5VValmt0xKkeNerp6S90PVqPrN7ZINl7Y6L2UJruLSYjuFUB3Tdj9"
)


def _pem(kind: str, data: str) -> str:
    return "\n".join([f"-----BEGIN {kind}-----", *wrap(data, 64), f"-----END {kind}-----", ""])


CERTIFICATE = _pem("CERTIFICATE", _CERTIFICATE)
KEY = _pem("PRIVATE KEY", _KEY)
