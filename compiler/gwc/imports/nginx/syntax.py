"""NGINX's configuration text -> directives with their places, and the files that they include."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gwc.diagnostics import Span
from gwc.imports.findings import Findings, ImportFailedError
from gwc.imports.reading import read_file
from gwc.source import STDIN, Source, SourceError

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<mark>[{};])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'"""
    r"""|(?P<word>(?:\\.|\$\{[^}\s]*\}|[^\s{};"'\\])(?:\\.|\$\{[^}\s]*\}|[^\s{};\\])*)""",
    re.DOTALL,
)
_HEADING = re.compile(r"^# configuration file (/\S.*):$", re.MULTILINE)
_DEEPEST, _MOST_FILES = 32, 500


@dataclass(frozen=True, slots=True)
class Argument:
    """Its text without quotes. `raw` keeps `$` and backslashes; a quoted one is no number or keyword."""

    text: str
    span: Span


@dataclass(slots=True, eq=False)
class Directive:
    """`block` is None for a simple one. `seen` by an importer: what is not, is reported in the end."""

    name: str
    arguments: tuple[Argument, ...]
    span: Span
    block: list[Directive] | None = None
    seen: bool = False
    _by_name: dict[str, list[Directive]] | None = field(default=None, repr=False)

    @property
    def words(self) -> list[str]:
        return [argument.text for argument in self.arguments]

    @property
    def first(self) -> str:
        return self.arguments[0].text if self.arguments else ""

    def place(self, index: int = 0) -> Span:
        """Of an argument; of the whole where there is none."""
        return self.arguments[index].span if index < len(self.arguments) else self.span

    def inner(self, *names: str) -> list[Directive]:
        """In their order; asked for once all is read."""
        if self._by_name is None:
            self._by_name = {}
            for one in self.block or []:
                self._by_name.setdefault(one.name, []).append(one)
        if len(names) == 1:
            return self._by_name.get(names[0], [])
        return [one for one in self.block or [] if one.name in names] if self._by_name.keys() & set(names) else []

    def skip(self) -> None:
        """Everything in it has been spoken of."""
        self.seen = True
        for one in self.block or []:
            one.skip()


@dataclass(slots=True)
class _Reading:
    findings: Findings
    home: Path
    printed: dict[str, Source]
    """The files of `nginx -T`, by their absolute paths; empty for anything else."""
    files: int = 0
    open: list[str] = field(default_factory=list)

    def quotes(self, source: Source) -> bool:
        """Whether a report may show its text. A configuration may include any file that its reader can read."""
        if source.name == STDIN or self.printed or not self.open:
            return True
        return Path(source.name).resolve().is_relative_to(self.home.resolve())


def read_configuration(source: Source, findings: Findings) -> list[Directive]:
    """The directives of the main file with all included ones in their places. Raises ImportFailedError."""
    printed = _printed(source)
    reading = _Reading(findings, Path(source.name).parent if source.name != STDIN else Path(), printed)
    return _parse(next(iter(printed.values()), source), reading, 0)


def _printed(source: Source) -> dict[str, Source]:
    """Lines keep their numbers: each file is the whole text with everything else blanked."""
    if not _HEADING.match(source.text.lstrip()):
        return {}
    found = list(_HEADING.finditer(source.text))
    ends = [*(heading.start() for heading in found[1:]), len(source.text)]
    blank = re.sub(r"[^\n]", "", source.text)
    return {
        heading[1]: Source(source.name, _within(source.text, heading.end(), end, blank))
        for heading, end in zip(found, ends, strict=True)
    }


def _within(text: str, start: int, end: int, blank: str) -> str:
    before = text.count("\n", 0, start)
    return blank[:before] + text[start:end]


def _parse(source: Source, reading: _Reading, depth: int) -> list[Directive]:
    parser = _Parser(source, reading.findings, quotes=reading.quotes(source))
    directives = parser.block(0)
    return list(_expanded(directives, reading, depth))


class _Parser:
    def __init__(self, source: Source, findings: Findings, *, quotes: bool) -> None:
        self._source, self._findings, self._quotes = source, findings, quotes
        self._starts = [0, *(found.end() for found in re.finditer("\n", source.text))]
        self._line = 0
        self._position = 0

    def block(self, depth: int, opened: Directive | None = None) -> list[Directive]:
        """Up to the brace that closes it, or to the end of the file."""
        if depth > _DEEPEST:
            raise self._fault(self._position, f"blocks nested more than {_DEEPEST} deep")
        found: list[Directive] = []
        words: list[Argument] = []
        for mark, word in self._tokens():
            if word is not None:
                words.append(word)
            elif mark == "}":
                return self._closed(found, words, opened)
            elif not words:
                raise self._fault(self._position - 1, f"`{mark}` without a directive before it")
            else:
                found.append(self._directive(words, opens=mark == "{", depth=depth))
                words = []
        if words:
            raise self._fault_at(words[0].span, f"{self._shown(words[0].text)} is not ended by `;`")
        if opened is not None:
            raise self._fault_at(opened.span, f"{self._shown(opened.name)} has no closing brace")
        return found

    def _closed(self, found: list[Directive], words: list[Argument], opened: Directive | None) -> list[Directive]:
        if words:
            raise self._fault_at(words[0].span, f"{self._shown(words[0].text)} is not ended by `;`")
        if opened is None:
            raise self._fault(self._position - 1, "a closing brace where nothing is open")
        return found

    def _shown(self, word: str) -> str:
        return f"`{word[:40]}`" if self._quotes else "a directive"

    def _directive(self, words: list[Argument], *, opens: bool, depth: int) -> Directive:
        first, last = words[0].span, words[-1].span
        end = (last.end_line, last.end_column) if last.line == first.line else (first.end_line, first.end_column)
        directive = Directive(words[0].text, tuple(words[1:]), Span(first.file, first.line, first.column, *end))
        if opens and directive.name.endswith("_by_lua_block"):
            self._skip_lua(directive)
            directive.block = []
        elif opens:
            directive.block = self.block(depth + 1, directive)
        return directive

    def _tokens(self) -> Iterator[tuple[str, Argument | None]]:
        text = self._source.text
        while self._position < len(text):
            start = self._position
            found = _TOKEN.match(text, start)
            if found is None:
                quote = "a quote that is not closed" if text[start] in "\"'" else "a character that no directive has"
                raise self._fault(start, quote)
            self._position = found.end()
            if found["mark"]:
                yield found["mark"], None
            elif found["space"] is None:
                value = next(part for part in (found["double"], found["single"], found["word"]) if part is not None)
                yield "", Argument(re.sub(r"\\([\"'\\ ])", r"\1", value), self._span(start, found.end()))

    def _skip_lua(self, directive: Directive) -> None:
        """To the brace that ends a block of Lua."""
        depth = 1
        for found in re.compile(r"--[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[{}]").finditer(
            self._source.text, self._position
        ):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if depth == 0:
                self._position = found.end()
                return
        raise self._fault_at(directive.span, f"{self._shown(directive.name)} has no closing brace")

    def _place(self, offset: int) -> tuple[int, int]:
        while self._line + 1 < len(self._starts) and self._starts[self._line + 1] <= offset:
            self._line += 1
        while self._starts[self._line] > offset:
            self._line -= 1
        return self._line + 1, offset - self._starts[self._line] + 1

    def _span(self, start: int, end: int) -> Span:
        line, column = self._place(start)
        return Span(self._source.name, line, column, *self._place(end))

    def _fault(self, offset: int, what: str) -> ImportFailedError:
        return self._fault_at(self._span(offset, offset + 1), what)

    def _fault_at(self, span: Span, what: str) -> ImportFailedError:
        return self._findings.broken(span, what, "nginx -t says more")


def _expanded(directives: list[Directive], reading: _Reading, depth: int) -> Iterator[Directive]:
    for directive in directives:
        if directive.block is not None:
            directive.block = list(_expanded(directive.block, reading, depth))
        if directive.name == "include" and len(directive.arguments) == 1:
            directive.seen = True
            yield from _included(directive, reading, depth)
        else:
            yield directive


def _included(directive: Directive, reading: _Reading, depth: int) -> Iterator[Directive]:
    pattern = directive.first
    if PurePosixPath(pattern).name == "mime.types":
        reading.findings.no_matter(directive.span, "include mime.types", "services say what they answer")
        return
    try:
        files = list(_matching(pattern, reading))
    except (ValueError, NotImplementedError, OSError):  # `**` within a name, a NUL, a directory that cannot be read
        hint = "name the files one by one, or import the output of nginx -T, which holds them all"
        reading.findings.left_out(directive.span, f"the files {pattern[:100]} cannot be looked for", hint)
        return
    if not files and not re.search(r"[*?\[]", pattern):
        hint = "import where the file is, or import the output of nginx -T, which holds them all"
        reading.findings.left_out(directive.span, f"the file {pattern[:100]} is not there", hint)
    for name in files:
        yield from _file(name, directive, reading, depth)


def _matching(pattern: str, reading: _Reading) -> Iterator[str]:
    """The files of an include. Raises ValueError, NotImplementedError or OSError for what pathlib cannot look for."""
    if reading.printed:
        top = str(PurePosixPath(next(iter(reading.printed))).parent)
        whole = pattern if pattern.startswith("/") else f"{top}/{pattern}"
        yield from (name for name in reading.printed if PurePosixPath(name).match(whole))
        return
    path = Path(pattern)
    base = Path("/") if path.is_absolute() else reading.home
    found = sorted(base.glob(str(path.relative_to("/") if path.is_absolute() else path)))
    yield from (str(one) for one in found if one.is_file())


def _file(name: str, directive: Directive, reading: _Reading, depth: int) -> Iterator[Directive]:
    reading.files += 1
    if name in reading.open or depth >= _DEEPEST or reading.files > _MOST_FILES:
        raise reading.findings.broken(directive.span, f"{name[:100]} includes itself, or too many files are included")
    try:
        source = reading.printed.get(name) or read_file(name, reading.findings)
    except SourceError as error:
        reading.findings.left_out(directive.span, str(error))
        return
    reading.open.append(name)
    if not reading.quotes(source):
        reading.findings.texts.pop(source.name, None)
    yield from _parse(source, reading, depth + 1)
    reading.open.pop()
