"""A Gateway -> policies that mean it: each value written down, and what all routes of a service share written once."""

from __future__ import annotations

from collections.abc import Sequence

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table, new_platform, new_service
from gwc.imports.hoist import hoisted
from gwc.ir import (
    Address,
    Budget,
    Cache,
    Cors,
    Gateway,
    HeaderChanges,
    JwtProvider,
    Limit,
    LimitKey,
    Retries,
    Route,
    Secret,
    Service,
    Upstream,
)
from gwc.units import format_duration, format_rate, format_share, format_size


def draft_of(gateway: Gateway, span: Span) -> Draft:
    """`span` is the place that all of it is said to come from. Key sets become files beside the policies."""
    draft = Draft(new_platform(span))
    writer = _Writer(span, draft)
    writer.platform(gateway)
    draft.services += [writer.service(service) for service in gateway.services]
    return draft


class _Writer:
    def __init__(self, span: Span, draft: Draft) -> None:
        self._span, self._draft = span, draft

    def _put(self, table: Table, **values: object) -> None:
        """`listen__http` is `listen.http`. What is None is left out."""
        for path, value in values.items():
            if value is not None:
                table.put(path.replace("__", "."), value, self._span)

    def platform(self, gateway: Gateway) -> None:
        platform = self._draft.platform
        self._listen(platform, gateway)
        self._put(platform, trusted_proxies=list(gateway.trusted_proxies) or None, concurrency=gateway.concurrency)
        self._identity(platform, gateway)
        self._put(
            platform,
            request_id__header=gateway.request_id.header,
            request_id__accept=gateway.request_id.accept.value,
            metrics__path=gateway.metrics_path,
            errors__type=gateway.error_type_base,
        )
        if gateway.tracing is not None:
            sample = format_share(gateway.tracing.sample)
            self._put(platform, tracing__otlp=gateway.tracing.otlp, tracing__sample=sample)
        self._store(platform, gateway)
        self._limits(platform, gateway.limits)
        for name, options in gateway.targets.items():
            accept = list(options.accept) or None
            row = {"profile": options.profile or None, "accept": accept}
            for key, value in row.items():
                if value is not None:
                    platform.put(f"targets.{name}.{key}", value, self._span)
            if not options.profile and accept is None:
                platform.put(f"targets.{name}", {}, self._span)

    def _listen(self, platform: Table, gateway: Gateway) -> None:
        listen = gateway.listen
        self._put(
            platform, listen__http=_listener(listen.http) if listen.http else None, listen__admin=str(listen.admin)
        )
        if (https := listen.https) is not None:
            self._put(
                platform,
                listen__https__port=_listener(https.address),
                listen__https__certificate={"file": https.certificate},
                listen__https__key=_secret(https.key),
                listen__https__min_version=https.min_version,
                listen__https__redirect=https.redirect,
            )

    def _identity(self, platform: Table, gateway: Gateway) -> None:
        identity = gateway.identity
        self._put(platform, identity__user_header=identity.user_header)
        if (proof := identity.gateway_secret) is not None:
            self._put(
                platform,
                identity__gateway_secret__header=proof.header,
                identity__gateway_secret__secret=_source(proof.secret),
            )
        table = platform.items["identity"]
        assert isinstance(table, Table)
        for issuer in identity.jwt:
            self._issuer(table.add("jwt", Table(self._span)), issuer)
        if (keys := identity.api_key) is not None:
            self._put(table, api_key__header=keys.header)
            inner = table.items["api_key"]
            assert isinstance(inner, Table)
            for consumer in keys.consumers:
                row = inner.add("consumers", Table(self._span))
                self._put(row, name=consumer.name, secret=_source(consumer.secret))

    def _issuer(self, row: Table, issuer: JwtProvider) -> None:
        if issuer.jwks is not None:
            file = f"keys/{'jwks' if issuer.name == 'jwt' else issuer.name}.json"
            self._draft.files[file] = issuer.jwks + "\n"
            self._put(row, jwks__file=file)
        self._put(
            row,
            issuer=issuer.issuer,
            audience=list(issuer.audiences),
            jwks__url=issuer.jwks_url,
            user=issuer.user_claim,
            scopes=issuer.scope_claim,
            algorithms=list(issuer.algorithms),
            leeway=format_duration(issuer.leeway),
        )

    def _store(self, platform: Table, gateway: Gateway) -> None:
        store = gateway.rate_limit_store
        if store is None:
            return
        scheme = "rediss" if store.redis_tls else "redis"
        self._put(
            platform,
            rate_limit_store__redis=f"{scheme}://{store.redis}/{store.redis_database}",
            rate_limit_store__password=_secret(store.password) if store.password else None,
            rate_limit_store__service=str(store.service) if store.service else None,
            rate_limit_store__on_failure=store.on_failure,
        )

    def _limits(self, table: Table, limits: Sequence[Limit]) -> None:
        for limit in limits:
            row = table.add("limits", Table(self._span))
            self._put(
                row,
                per={"header": limit.header} if limit.key is LimitKey.HEADER else limit.key.value,
                rate=format_rate(limit.rate),
                burst=None if limit.burst == limit.rate.tokens else limit.burst,
                mode="shadow" if limit.shadow else None,
                scope="cluster" if limit.cluster else None,
            )

    def service(self, service: Service) -> Table:
        table = new_service(service.name, self._span)
        self._put(
            table,
            owner=service.owner or None,
            description=service.description or None,
            hosts=list(service.hosts) or None,
            base_path=service.base_path or None,
            keep_base_path=True if service.base_path and not service.strip else None,
        )
        self._upstream(table, service.upstream)
        self._limits(table, service.limits)
        self._budget(table, service.budget)
        for route in service.routes:
            self._route(table.add("routes", Table(self._span)), route, service)
        hoisted(table)
        return table

    def _upstream(self, service: Table, upstream: Upstream) -> None:
        table = service.items["upstream"] = Table(self._span)
        alike = {endpoint.weight for endpoint in upstream.endpoints} == {100}
        for endpoint in upstream.endpoints:
            row = table.add("endpoints", Table(self._span))
            url = f"{endpoint.scheme}://{endpoint.address}"
            self._put(row, url=url, weight=None if alike else endpoint.weight)
        self._put(table, concurrency=upstream.concurrency)
        if (tls := upstream.tls) is not None:
            certificate = {"file": tls.client_certificate} if tls.client_certificate else None
            key = _secret(tls.client_key) if tls.client_key else None
            ca = {"file": tls.ca} if tls.ca else None
            self._put(table, tls__ca=ca, tls__sni=tls.sni, tls__client_certificate=certificate, tls__client_key=key)
        if (breaker := upstream.breaker) is not None:
            self._put(table, breaker__failures=breaker.failures, breaker__open=format_duration(breaker.open))
        if (health := upstream.health) is not None:
            self._put(table, health__path=health.path, health__every=format_duration(health.every))

    def _budget(self, service: Table, budget: Budget | None) -> None:
        if budget is not None:
            self._put(
                service,
                budget__per="user",
                budget__units=format_rate(budget.units),
                budget__charge=budget.charge,
                budget__scope="cluster" if budget.cluster else None,
            )

    def _route(self, table: Table, route: Route, service: Service) -> None:
        self._put(
            table,
            name=route.name,
            description=route.description or None,
            path=route.path.text.removeprefix(service.base_path),
            methods=list(route.methods),
            cost=None if route.cost == 1 else route.cost,
            max_body=format_size(route.max_body),
            stream=True if route.stream else None,
            websocket=True if route.websocket else None,
            timeouts__connect=format_duration(route.timeouts.connect),
            timeouts__request=format_duration(route.timeouts.request),
            timeouts__idle=format_duration(route.timeouts.idle),
        )
        if route.auth is None:
            self._put(table, auth="none")
        else:
            scopes = list(route.auth.scopes) or None
            self._put(table, auth__any_of=list(route.auth.providers), auth__scopes=scopes)
        self._retries(table, route.retries)
        self._limits(table, route.limits)
        self._cors(table, route.cors)
        self._headers(table, "request", route.headers.request)
        self._headers(table, "response", route.headers.response)
        self._cache(table, route.cache)

    def _retries(self, table: Table, retries: Retries) -> None:
        self._put(
            table,
            retries__attempts=retries.attempts,
            retries__when=[*(cause.value for cause in retries.causes), *retries.statuses],
            retries__per_try=format_duration(retries.per_try) if retries.per_try else None,
            retries__backoff__base=format_duration(retries.backoff_base),
            retries__backoff__max=format_duration(retries.backoff_max),
            retries__budget=None if retries.budget is None else format_share(retries.budget),
            retries__unsafe=True if retries.unsafe else None,
        )

    def _cors(self, table: Table, cors: Cors | None) -> None:
        if cors is not None:
            self._put(
                table,
                cors__origins=list(cors.origins),
                cors__methods=list(cors.methods),
                cors__headers=list(cors.headers),
                cors__credentials=cors.credentials,
                cors__max_age=format_duration(cors.max_age),
            )

    def _headers(self, table: Table, direction: str, changes: HeaderChanges) -> None:
        if changes.set:
            table.put(f"headers.{direction}.set", dict(changes.set), self._span)
        if changes.remove:
            table.put(f"headers.{direction}.remove", list(changes.remove), self._span)

    def _cache(self, table: Table, cache: Cache | None) -> None:
        if cache is not None:
            self._put(
                table,
                cache__ttl=format_duration(cache.ttl),
                cache__negative_ttl=format_duration(cache.negative_ttl) if cache.negative_ttl else None,
                cache__vary__query=list(cache.vary_query) or None,
                cache__vary__headers=list(cache.vary_headers) or None,
                cache__stale__if_error=format_duration(cache.stale_if_error) if cache.stale_if_error else None,
                cache__stale__while_revalidate=(
                    format_duration(cache.stale_while_revalidate) if cache.stale_while_revalidate else None
                ),
                cache__scope="user" if cache.per_user else None,
            )


def _listener(address: Address) -> int | str:
    return address.port if address.host == "0.0.0.0" else str(address)  # noqa: S104 - a bare port means every interface


def _source(secret: Secret) -> dict[str, str]:
    return {secret.source: secret.name}


def _secret(secret: Secret) -> dict[str, dict[str, str]]:
    return {"secret": _source(secret)}
