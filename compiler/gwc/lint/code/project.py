"""Reading the services' code: `DIR/<service>/**/*.py`, or the code of one service in DIR itself."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gwc import observed
from gwc.diagnostics import Span
from gwc.lint.code import CodeError as CodeError
from gwc.source import display_name

MAX_BYTES = 2 * 1024 * 1024
MAX_FILES = 5000
SKIPPED = frozenset(
    {"node_modules", "site-packages", "venv", "env", "build", "dist", "tests", "test", "migrations", "__pycache__"}
)
"""Directories that hold no code of the running service. Hidden ones are left out as well."""

_SECRET = re.compile(
    r"""((?:secret|token|passw(?:or)?d|api_?key|authorization)\w*["']?\s*[:=,]\s*[rbf]?["']|://[^/\s:@"']*:)"""
    r"""([^"'\s@/]{3,})""",
    re.IGNORECASE,
)
_TEST = re.compile(r"(test_.*|.*_test|conftest)\.py\Z")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class _UnreadError(Exception):
    """One file that gwc cannot read; the message says why."""


@dataclass(frozen=True)
class Unread:
    """A file whose code the rules do not see, and why."""

    span: Span
    reason: str


@dataclass(frozen=True, eq=False)
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

    @property
    def shown(self) -> str:
        """The text as a report may quote it: what looks like a secret is asterisks, so that columns stay."""
        return _SECRET.sub(lambda found: found[1] + "*" * len(found[2]), self.text)

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def imports(self) -> dict[str, tuple[str, ast.AST]]:
        """The names that the module's imports bind, with the dotted name that they stand for."""
        return dict(_bound(self.tree))

    def dotted(self, node: ast.expr) -> str:
        """`cors.CORSMiddleware` as the imports of the module explain it; empty for what is no dotted name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        head = self.imports[node.id][0] if node.id in self.imports else node.id
        return ".".join((head, *reversed(parts)))


@dataclass(frozen=True, eq=False)
class ServiceCode:
    """The code of the service `name` of the policies. `dependencies` are normalised, with the file that names them."""

    name: str
    modules: tuple[Module, ...]
    dependencies: tuple[tuple[str, Span], ...]
    unread: tuple[Unread, ...] = ()


def read_services(directory: str, names: Sequence[str]) -> tuple[ServiceCode, ...]:
    """The code of those of `names` that have any in `directory`. Raises CodeError."""
    root = Path(directory)
    observed.target(directory)
    observed.listing(directory)
    if not root.is_dir():
        raise CodeError(f"{directory}: not a directory")
    folders = {_key(path.name): path for path in sorted(root.iterdir()) if path.is_dir() and not _skipped(path.name)}
    found = {name: folders[_key(name)] for name in names if _key(name) in folders}
    if not found and _key(root.resolve().name) in {_key(name) for name in names}:
        found = {next(name for name in names if _key(name) == _key(root.resolve().name)): root}
    codes = [read_code(name, folder) for name, folder in found.items()]
    return tuple(code for code in codes if code.modules or code.unread)


def _key(name: str) -> str:
    return name.lower().replace("_", "-")


def _skipped(name: str) -> bool:
    return name in SKIPPED or name.startswith(".")


def read_code(name: str, folder: Path) -> ServiceCode:
    """The code below `folder`, read and never run. Raises CodeError."""
    files = list(_python_files(folder))
    if len(files) > MAX_FILES:
        raise CodeError(f"{folder}: more than {MAX_FILES} Python files")
    read = [_read(file, folder) for file in files]
    modules = tuple(one for one in read if isinstance(one, Module))
    unread = tuple(one for one in read if isinstance(one, Unread))
    dependencies, faults = _dependencies(folder)
    return ServiceCode(name, modules, dependencies, (*unread, *faults))


def _python_files(folder: Path) -> Iterator[Path]:
    for directory, folders, files in os.walk(folder):
        observed.listing(directory)
        folders[:] = sorted(name for name in folders if not _skipped(name))
        paths = (Path(directory) / name for name in sorted(files) if name.endswith(".py") and not _TEST.match(name))
        yield from (path for path in paths if path.is_file() or path.is_symlink())  # a pipe would never end


def _read(file: Path, folder: Path) -> Module | Unread:
    shown = display_name(file)
    name = ".".join(file.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    try:
        text = _text(file)
        return Module(shown, name, text, _parsed(text, shown))
    except _UnreadError as error:
        return Unread(Span(shown, 1, 1, 1, 1), str(error))


def _text(file: Path) -> str:
    """In the encoding that the file declares, with one kind of line end. Raises _UnreadError."""
    import io
    import tokenize

    observed.file(str(file))
    try:
        if not file.is_file():
            raise _UnreadError("not a file")
        if file.stat().st_size > MAX_BYTES:
            raise _UnreadError(f"larger than {MAX_BYTES // 2**20} MiB")
        data = file.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise _UnreadError(error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise _UnreadError(f"not {error.encoding}") from error
    except (SyntaxError, LookupError) as error:
        raise _UnreadError("its encoding is unknown") from error


def _parsed(text: str, file: str) -> ast.Module:
    """Raises _UnreadError. The parser's own message is left out where it may repeat the text."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is none of a gateway's business
            return ast.parse(text, file)
    except SyntaxError as error:
        running = ".".join(map(str, sys.version_info[:2]))
        raise _UnreadError(f"line {error.lineno or 1} is not Python {running}, which runs gwc") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _UnreadError("too deeply nested, or with a null character") from error


def _bound(tree: ast.Module) -> Iterator[tuple[str, tuple[str, ast.AST]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, (whole if not alias.asname else alias.name, node)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name, (f"{'.' * node.level}{node.module or ''}.{alias.name}", node)


def _dependencies(folder: Path) -> tuple[tuple[tuple[str, Span], ...], tuple[Unread, ...]]:
    """Those in requirements*.txt and pyproject.toml, and which of these files cannot be read."""
    import tomllib

    found: list[tuple[str, Span]] = []
    unread: list[Unread] = []
    observed.listing(str(folder))
    for file in (*sorted(folder.glob("requirements*.txt")), folder / "pyproject.toml"):
        observed.file(str(file))
        try:
            if file.is_file():
                found += _declared(file, file.read_text(encoding="utf-8", errors="replace"))
        except (OSError, tomllib.TOMLDecodeError, AttributeError, TypeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a project's TOML"
            unread.append(Unread(Span(display_name(file), 1, 1, 1, 1), reason or "cannot be read"))
    return tuple(found), tuple(unread)


def _declared(file: Path, text: str) -> list[tuple[str, Span]]:
    """Raises TOMLDecodeError, and AttributeError or TypeError where the project's table is none."""
    if file.suffix != ".toml":
        return list(_named(file, text.split("\n")))
    import tomllib

    listed = tomllib.loads(text).get("project", {}).get("dependencies", [])
    wanted = {_key(match[1]) for line in listed if (match := _REQUIREMENT.match(str(line)))}
    lines = [line.strip().strip("\"',[] ") for line in text.split("\n")]
    return [(name, span) for name, span in _named(file, lines) if name in wanted]


def _named(file: Path, lines: Sequence[str]) -> Iterator[tuple[str, Span]]:
    shown = display_name(file)
    for number, line in enumerate(lines, start=1):
        match = _REQUIREMENT.match(line)
        if match and not line.lstrip().startswith(("#", "-")):
            yield _key(match[1]), Span(shown, number, 1, number, len(line) + 1)
