"""What the rules about code share."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from gwc.ir import Gateway, Route, Service
from gwc.lint.code.project import Module, ServiceCode
from gwc.lint.code.routes import shape
from gwc.lint.context import Context
from gwc.lint.rule import Findings, Rule


@dataclass(frozen=True, slots=True)
class Subject:
    """One service: its code, its policy, and the gateway in front of it."""

    code: ServiceCode
    service: Service
    gateway: Gateway


class CodeRule(Rule):
    """A rule about the services' Python. It finds nothing where no code was given."""

    def findings(self, context: Context) -> Findings:
        services = {service.name: service for service in context.gateway.services}
        for code in context.code:
            yield from self.check(Subject(code, services[code.name], context.gateway))

    @abstractmethod
    def check(self, about: Subject) -> Findings:
        """Everything that this rule finds in the code of one service."""


def calls(module: Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the dotted name of what is called."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and (name := module.dotted(node.func)):
            yield name, node


def imported(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """Every imported dotted name, with the statement."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def inside(service: Service, route: Route) -> str:
    """The shape of a route's path as the service sees it."""
    return shape(route.path.text.removeprefix(service.strip) or "/")
