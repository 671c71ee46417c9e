"""Which njs modules a server has. Each request makes all functions of its server's modules anew, called or not, and
pays for the memory that they take: a server has what it needs and no more."""

from __future__ import annotations

from gwc_nginx.conf import Directive, d

PUBLIC = ("routing", "problem", "cors", "cache", "log", "caps", "secrets", "tokens")
REDIRECT = ("problem", "redirect", "log", "caps", "secrets", "tokens")
ADMIN = ("retry", "misses", "metrics", "health", "tracing", "auth", "caps", "secrets", "tokens")


def imports(modules: tuple[str, ...]) -> tuple[Directive, ...]:
    return tuple(d("js_import", name, "from", f"njs/{name}.js") for name in modules)
