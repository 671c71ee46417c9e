"""Requests in flight, counted by NGINX over all workers. What is over a cap is refused at once."""

from __future__ import annotations

from collections.abc import Iterator

from gwc.ir import Gateway, Service
from gwc_nginx.conf import Directive, d


def zones() -> Iterator[Directive]:
    """One counter a service, and one for all. An empty key counts nothing. The service's is looked at first, for its
    directive stands first; caps.js needs that."""
    yield d("limit_conn_zone", "$gwc_service", "zone=gwc_service_cap:4m")
    yield d("limit_conn_zone", "$gwc_everything", "zone=gwc_platform_cap:64k")
    yield d("limit_conn_status", "503")
    yield d("limit_conn_log_level", "info")


def caps(gateway: Gateway, service: Service) -> tuple[Directive, ...]:
    own, every = service.upstream.concurrency, gateway.concurrency
    return (
        *((d("limit_conn", "gwc_service_cap", str(own)),) if own is not None else ()),
        *((d("limit_conn", "gwc_platform_cap", str(every)),) if every is not None else ()),
    )
