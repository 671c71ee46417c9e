"""How proxies and frameworks name the header that tells who a caller is."""

from __future__ import annotations

IDENTITY_HEADERS = frozenset(
    {"x-user", "x-user-id", "x-userid", "x-username", "x-user-name", "x-user-email", "x-user-role", "x-user-roles",
     "x-email", "x-remote-user", "remote-user", "x-forwarded-user", "x-forwarded-email", "x-auth-request-user",
     "x-auth-request-email", "x-authenticated-user", "x-authenticated-userid", "x-consumer-username", "x-consumer-id",
     "x-account-id", "x-is-admin", "x-roles"}
)  # fmt: skip
