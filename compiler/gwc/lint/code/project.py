"""Reading the services' code: `DIR/<service>/**/*.py`, or the code of one service in DIR itself."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gwc.diagnostics import Span
from gwc.source import display_name

MAX_BYTES = 2 * 1024 * 1024
MAX_FILES = 5000
SKIPPED = frozenset(
    {"node_modules", "site-packages", "venv", "env", "build", "dist", "tests", "test", "migrations", "__pycache__"}
)
"""Directories that hold no code of the running service. Hidden ones are left out as well."""

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class CodeError(Exception):
    """Code that cannot be read; the message says where and why."""


@dataclass(frozen=True)
class Module:
    """One file. `name` is its dotted name below the service's directory."""

    file: str
    name: str
    text: str
    tree: ast.Module

    def span(self, node: ast.AST) -> Span:
        """Columns count characters, as everywhere; Python counts bytes."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_line = getattr(node, "end_lineno", None) or line
        end_column = getattr(node, "end_col_offset", None) or column + 1
        return Span(self.file, line, self._column(line, column), end_line, self._column(end_line, end_column))

    def _column(self, line: int, offset: int) -> int:
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return len(text.encode()[:offset].decode(errors="replace")) + 1

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def imports(self) -> dict[str, tuple[str, ast.AST]]:
        """The names that the module's imports bind, with the dotted name that they stand for."""
        return dict(_bound(self.tree))

    def dotted(self, node: ast.expr) -> str:
        """`cors.CORSMiddleware` as the imports of the module explain it; empty for what is no dotted name."""
        if isinstance(node, ast.Name):
            return self.imports[node.id][0] if node.id in self.imports else node.id
        if isinstance(node, ast.Attribute) and (head := self.dotted(node.value)):
            return f"{head}.{node.attr}"
        return ""


@dataclass(frozen=True)
class ServiceCode:
    """The code of the service `name` of the policies. `dependencies` are normalised, with the file that names them."""

    name: str
    modules: tuple[Module, ...]
    dependencies: tuple[tuple[str, Span], ...]


def read_services(directory: str, names: Sequence[str]) -> tuple[ServiceCode, ...]:
    """The code of those of `names` that have any in `directory`. Raises CodeError."""
    root = Path(directory)
    if not root.is_dir():
        raise CodeError(f"{directory}: not a directory")
    folders = {_key(path.name): path for path in sorted(root.iterdir()) if path.is_dir() and not _skipped(path.name)}
    found = {name: folders[_key(name)] for name in names if _key(name) in folders}
    if not found and _key(root.resolve().name) in {_key(name) for name in names}:
        found = {next(name for name in names if _key(name) == _key(root.resolve().name)): root}
    return tuple(code for name, folder in found.items() if (code := _service(name, folder)).modules)


def _key(name: str) -> str:
    return name.lower().replace("_", "-")


def _skipped(name: str) -> bool:
    return name in SKIPPED or name.startswith(".")


def _service(name: str, folder: Path) -> ServiceCode:
    files = list(_python_files(folder))
    if len(files) > MAX_FILES:
        raise CodeError(f"{folder}: more than {MAX_FILES} Python files")
    modules = tuple(_module(file, folder) for file in files)
    return ServiceCode(name, modules, tuple(_dependencies(folder)))


def _python_files(folder: Path) -> Iterator[Path]:
    for directory, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _skipped(name))
        yield from (Path(directory) / name for name in sorted(files) if name.endswith(".py"))


def _module(file: Path, folder: Path) -> Module:
    name = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    try:
        data = file.read_bytes()
        if len(data) > MAX_BYTES:
            raise CodeError(f"{display_name(file)}: larger than {MAX_BYTES // 2**20} MiB")
        text = data.decode("utf-8")
        return Module(display_name(file), name, text, ast.parse(text))
    except OSError as error:
        raise CodeError(f"{display_name(file)}: {error.strerror}") from error
    except (SyntaxError, ValueError, RecursionError) as error:
        raise CodeError(f"{display_name(file)}: this is not Python that gwc can read: {error}") from error


def _bound(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ast.AST]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, (whole if not alias.asname else alias.name, node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, (f"{'.' * node.level}{node.module or ''}.{alias.name}", node)


def _dependencies(folder: Path) -> Iterator[tuple[str, Span]]:
    for file in sorted(folder.glob("requirements*.txt")):
        yield from _named(file, file.read_text(encoding="utf-8", errors="replace").split("\n"))
    project = folder / "pyproject.toml"
    if project.is_file():
        text = project.read_text(encoding="utf-8", errors="replace")
        try:
            declared = tomllib.loads(text).get("project", {}).get("dependencies", [])
        except tomllib.TOMLDecodeError as error:
            raise CodeError(f"{display_name(project)}: {error}") from error
        wanted = {match[1].lower() for line in declared if (match := _REQUIREMENT.match(str(line)))}
        for name, span in _named(project, [line.strip().strip("\"',[] ") for line in text.split("\n")]):
            if name in {_key(one) for one in wanted}:
                yield name, span


def _named(file: Path, lines: Sequence[str]) -> Iterator[tuple[str, Span]]:
    shown = display_name(file)
    for number, line in enumerate(lines, start=1):
        match = _REQUIREMENT.match(line)
        if match and not line.lstrip().startswith(("#", "-")):
            yield _key(match[1]), Span(shown, number, 1, number, len(line) + 1)
