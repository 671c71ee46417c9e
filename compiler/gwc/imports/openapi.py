"""An OpenAPI 3 description -> one service: its paths, methods, credentials and address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gwc.diagnostics import Span
from gwc.imports.draft import Draft, Table, new_platform, new_service
from gwc.imports.findings import Findings
from gwc.imports.openapi_auth import Security
from gwc.imports.tree import Word, read_tree
from gwc.imports.values import METHODS, Names, route_name, slug
from gwc.policy.paths import parse_path
from gwc.source import Source

PLACEHOLDER = "http://127.0.0.1:8000"
_EXTENSION = "an extension of another tool's"
_CONTRACT = frozenset({
    *("$schema", "$self", "contact", "content", "deprecated", "description", "example", "examples", "externalDocs"),
    *("headers", "jsonSchemaDialect", "license", "links", "mediaTypes", "name", "operationId", "parameters"),
    *("requestBodies", "requestBody", "responses", "schemas", "summary", "tags", "termsOfService", "version"),
    "callbacks",
})  # fmt: skip
"""Words that say what a service takes and gives."""
_OUTWARD = "calls that the service makes, which pass no gateway in front of it"


def read(source: Source, findings: Findings) -> Draft:
    """Raises ImportFailedError for what is no OpenAPI 3."""
    root = read_tree(source, findings)
    _check_version(root, findings)
    draft = Draft(new_platform(root.span))
    draft.services.append(_Description(root, draft.platform, findings).service())
    return draft


def _check_version(root: Word, findings: Findings) -> None:
    version = root["openapi"]
    if root["swagger"].there:
        hint = "convert it first: most editors of OpenAPI save version 2 as version 3"
        raise findings.broken(root["swagger"].span, f"OpenAPI {root['swagger'].text[:10]} is not read, 3 is", hint)
    if not version.text.startswith("3."):
        what = f"OpenAPI {version.text[:10]} is not read, 3 is" if version.text else "this is no OpenAPI description"
        raise findings.broken(version.span, what, "it starts with openapi: 3.0.3 or 3.1.0")


@dataclass
class _Operation:
    method: str
    word: Word
    span: Span


@dataclass
class _Description:
    root: Word
    platform: Table
    findings: Findings
    names: Names = field(default_factory=Names)

    def service(self) -> Table:
        info = self.root["info"]
        span = info["title"].span if info["title"].there else self.root.span
        service = new_service(slug(info["title"].text or "service"), span)
        if info["title"].text:
            service.put("description", re.sub(r"[\x00-\x1f\x7f]+", " ", info["title"].text)[:400], span)
        self._extensions(self.root)
        self._extensions(info)
        self._servers(service)
        security = Security(self.root, self.platform, self.findings)
        security.of_service(service)
        paths = self.root["paths"]
        for path, _, place in paths.items():
            self._path(service, path, paths[path], place, security)
        if self.root["webhooks"].there:
            self.findings.no_matter(self.root["webhooks"].span, "webhooks", _OUTWARD)
            self.root["webhooks"].mark()
        self._rest()
        return service

    def _rest(self) -> None:
        """What nobody looked at: the contract between a client and the service, or no word of OpenAPI."""
        self.root.at("components.securitySchemes").mark()
        for key, _, span in self.root.unseen():
            if key in _CONTRACT:
                self.findings.no_matter(span, key, "between a client and the service: a gateway does not look at it")
            elif not key.startswith("x-"):
                self.findings.left_out(span, f"`{key[:60]}` is no word of OpenAPI that gwc knows")

    def _extensions(self, word: Word) -> None:
        for key, value, span in word.items():
            if key.startswith("x-"):
                shown = Span(span.file, span.line, span.column, span.line, span.column + len(key))
                hint = "say it in the policy's words, if it is about limits, timeouts, caches or addresses"
                self.findings.left_out(shown if value.there else span, f"`{key}` is {_EXTENSION}", hint)

    def _servers(self, service: Table) -> None:
        servers = list(self.root["servers"].each())
        for other in servers[1:]:
            other.mark()
            hint = "another address of the same service belongs below environments, or to the endpoints"
            self.findings.left_out(other["url"].span, "only the first server is imported", hint)
        word = servers[0]["url"] if servers else Word(None, self.root.span)
        url = self._filled(servers[0], word.text) if servers else ""
        parts = _split(url)
        if "@" in url.partition("://")[2].partition("/")[0]:
            hint = "a URL of a policy holds no user and no password"
            self.findings.secret(word.span, "a user and a password in a URL are not copied", hint)
        self._base_path(service, parts[1], word.span)
        if parts[0]:
            service.put("upstream", parts[0], word.span, "what the description calls its server")
            hint = "an address that clients call may be the gateway's own: write the service's"
            self.findings.assumed(word.span, f"`{parts[0]}` is taken for the service's own address", hint)
        else:
            service.put("upstream", PLACEHOLDER, word.span, "where does the service listen?")
            hint = f"name it with --endpoint, or write it in the place of {PLACEHOLDER}"
            self.findings.assumed(word.span, "the description does not say where the service listens", hint)

    def _filled(self, server: Word, url: str) -> str:
        """With the default of each variable."""
        server["variables"].mark()
        for name, variable, span in server["variables"].items():
            self.findings.approximate(span, f"the variable `{name[:60]}` of the server has its default")
            url = url.replace("{" + name + "}", variable["default"].text)
        return url

    def _base_path(self, service: Table, path: str, span: Span) -> None:
        path = path.rstrip("/")
        if path:
            service.put("base_path", path, span)
            service.put("keep_base_path", True, span, "the description's paths are below it on the service, too")

    def _path(self, service: Table, path: str, item: Word, place: Span, security: Security) -> None:
        referred, item = item["$ref"].there, self._resolved(item)
        if referred and not item.there:
            return  # said already
        if path.startswith("x-") or not item.is_map:
            what = f"`{path}` is {_EXTENSION}" if path.startswith("x-") else "this path says nothing of its methods"
            self.findings.left_out(place, what)
            return
        self._extensions(item)
        template = self._template(path, place)
        if item["servers"].there:
            hint = "give these paths a policy of their own, with their own upstream"
            self.findings.left_out(item["servers"].span, "a path with servers of its own", hint)
            item["servers"].mark()
        if template is not None:
            for alike in self._grouped(item, security):
                self._route(service, template, alike, security, place)

    def _resolved(self, item: Word) -> Word:
        """What a reference within the file leads to."""
        for _ in range(10):
            reference = item["$ref"].text
            if not reference:
                return item
            if not reference.startswith("#/"):
                self.findings.left_out(item["$ref"].span, "a path in another file", "bundle the description into one")
                return Word(None, item.span)
            target = self.root
            for step in reference[2:].split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")]
            if not target.there:
                self.findings.left_out(item["$ref"].span, "a reference that leads nowhere")
            item = target
        self.findings.left_out(item.span, "a reference that leads back to itself")
        return Word(None, item.span)

    def _template(self, path: str, place: Span) -> str | None:
        try:
            return parse_path(path).text
        except ValueError:
            pass
        mended = "/".join(_segment(part, index) for index, part in enumerate(path.split("/")))
        try:
            parse_path(mended)
        except ValueError as error:
            self.findings.left_out(place, str(error), "write the route by hand")
            return None
        if re.sub(r"\{[^{}]*\}", "{}", mended) != re.sub(r"\{[^{}]*\}", "{}", path):
            self.findings.approximate(place, f"`{path[:80]}` is `{mended[:80]}`: a parameter is a whole segment")
        return mended

    def _grouped(self, item: Word, security: Security) -> list[list[_Operation]]:
        """Operations of one path that the same settings hold for."""
        groups: dict[object, list[_Operation]] = {}
        for operation in self._operations(item):
            key = (security.key(operation.word), _streams(operation.word))
            groups.setdefault(key, []).append(operation)
        return list(groups.values())

    def _operations(self, item: Word) -> Iterator[_Operation]:
        for key, _, span in item.items():
            if key.upper() in METHODS:
                word = item[key]
                self._extensions(word)
                word["responses"].mark()
                if word["servers"].there:
                    self.findings.left_out(word["servers"].span, "an operation with servers of its own")
                    word["servers"].mark()
                if word["callbacks"].there:
                    word["callbacks"].mark()
                    self.findings.no_matter(word["callbacks"].span, "callbacks", _OUTWARD)
                yield _Operation(key.upper(), word, span)
            elif key in ("trace", "query", "additionalOperations"):
                item[key].mark()
                self.findings.left_out(span, f"the method {key.upper()[:20]} does not pass a gateway of gwc's")

    def _route(self, service: Table, path: str, operations: list[_Operation], security: Security, place: Span) -> None:
        span = operations[0].span
        methods = [operation.method for operation in operations]
        named = operations[0].word["operationId"].text if len(operations) == 1 else ""
        route = service.add("routes", Table(span))
        route.put("name", self.names.take(slug(named, "") or route_name(path, methods if named else ())), span)
        route.put("path", path, place)
        route.put("methods", methods, span)
        said = next((operation.word["summary"].text for operation in operations if operation.word["summary"].text), "")
        if said:
            route.put("description", re.sub(r"[\x00-\x1f\x7f]+", " ", said)[:400], span)
        security.of_route(route, operations[0].word)
        if _streams(operations[0].word):
            route.put("stream", True, span)


def _streams(operation: Word) -> bool:
    """Server-sent events, as any answer of the operation declares them."""
    return any(
        answer.at("content")["text/event-stream"].node is not None for _, answer, _ in operation["responses"].items()
    )


def _split(url: str) -> tuple[str, str]:
    """The origin, empty for a relative URL, and the path."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "", parts.path if parts.path.startswith("/") else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port else ""), parts.path


def _segment(part: str, index: int) -> str:
    if "{" not in part:
        return part
    names = re.findall(r"\{([^{}]*)\}", part)
    word = re.sub(r"[^A-Za-z0-9_-]+", "_", "_".join(names))[:60] or "value"
    return "{" + (word if re.match(r"[A-Za-z_]", word) else f"p{index}_{word}") + "}"
