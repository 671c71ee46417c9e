"""What was explained of a request, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gwc.diagnostics import Span
from gwc.explain.asked import Found
from gwc.explain.checks import Check
from gwc.explain.explanation import Answer, Explanation, Rendering
from gwc.explain.lines import Line
from gwc.explain.misses import Miss
from gwc.explain.promises import Inexact
from gwc.explain.values import Row
from gwc.ir import Level, Origin
from gwc.model.forwarding import forwarded
from gwc.problems import PROBLEMS
from gwc.report.excerpt import Texts, concealed, excerpt, printable, source_line
from gwc.report.style import Style, plain
from gwc.units import format_duration

MOST_LINES = 3
"""Of a rendered file that are shown for one value."""
_VALUE, _SOURCE = 44, 64
"""Characters. A value or a line of a policy that is longer is cut."""
_GIVEN = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}
_WHY = {
    400: "the path does not begin with / or holds an encoded slash, backslash or null byte",
    404: "no route has this path",
    405: "the path is served, the method is not",
}


def as_text(said: Explanation, texts: Texts, style: Style = plain) -> str:
    """`texts` are those of the policies, by name. Of headers that a policy sets no value is shown."""
    pairs = _set(said.answer.rows) if said.answer is not None else ()
    texts = {name: concealed(text, pairs) for name, text in texts.items()}
    parts = [_head(said, texts, style)]
    if said.answer is not None:
        parts += [_checks(said, said.answer.checks, style), _waiting(said.answer, style)]
        parts.append(_values(said.answer.rows, texts, style))
    parts += [_inexact(said.inexact, style), *(_rendering(one, said.sliced, style) for one in said.renderings)]
    parts.append(_misses(said, style))
    return "\n".join("".join(f"{line.rstrip()}\n" for line in part) for part in map(list, parts) if part)


def _set(found: Iterable[Row]) -> tuple[tuple[str, str], ...]:
    """The headers of the rows whose values are nobody else's business."""
    return tuple(pair for row in found if row.private for leaf in row.leaves for pair in leaf.value)


def _title(text: str, style: Style) -> str:
    return style("place", text)


def place(origin: Origin | None) -> str:
    """`policies/shop.yaml:12`; nothing for what no policy wrote."""
    if origin is None or origin.level is Level.DEFAULT:
        return "built in"
    return printable(f"{origin.span.file}:{origin.span.line}")


def level(origin: Origin | None) -> str:
    return origin.level.value if origin else ""


def _head(said: Explanation, texts: Texts, style: Style) -> Iterator[str]:
    found = said.found
    asked = f"{found.asked.method} {found.asked.path}"
    on = f" on {found.host}" if found.host else ""
    yield _title(printable(f"{asked}{on}"), style)
    if found.route is None:
        yield from _refused(found, style)
    else:
        yield from _matched(found, texts, style)
    if found.path not in ("", found.asked.path):
        yield printable(f"  the path is matched as {found.path}")
    if found.route is not None and (path := forwarded(found.route.service, found.path)) != found.asked.path:
        yield printable(f"  the service gets the path {path}")
    if found.host_assumed:
        yield printable(f"  no host was named: {found.host} is the first that serves it (--host names another)")
    for host, other in said.elsewhere.items():
        yield printable(f"  on {host} the same request reaches {other.service.name}/{other.route.name}")


def _matched(found: Found, texts: Texts, style: Style) -> Iterator[str]:
    assert found.route is not None
    service, route = found.route.service, found.route.route
    owner = f" ({service.owner})" if service.owner else ""
    yield f"  {style('ok', 'is answered by')} {printable(f'{service.name}/{route.name}{owner}: {route.path.text}')}"
    yield from _quoted(texts, route.provenance["path"].span, style)


def _refused(found: Found, style: Style) -> Iterator[str]:
    problem = PROBLEMS[_GIVEN[found.status]]
    said = f"{found.status} {problem.title}, type {problem.type}: {_WHY[found.status]}"
    yield f"  {style('error', 'is answered by the gateway itself:')} {said}"
    if found.allow:
        yield f"  Allow: {', '.join(found.allow)}"
    if found.preflight:
        yield "  a browser's preflight, which has Origin and Access-Control-Request-Method, is answered by cors instead"


def _quoted(texts: Texts, span: Span, style: Style) -> Iterator[str]:
    shown = excerpt(texts, span, "^")
    yield f"  {printable(f'{span.file}:{span.line}')}"
    if shown is not None:
        yield f"{style('gutter', f'{span.line:>5} |')} {shown[0]}"
        yield f"{style('gutter', '      |')} {shown[1]}"


def _checks(said: Explanation, found: Sequence[Check], style: Style) -> Iterator[str]:
    who = f", for {printable(said.user)}" if said.user else ""
    yield _title(f"Checks, in this order{who}", style)
    number, table = 0, []
    for check in found:
        number += check.applies
        step = f"{number}." if check.applies else "-"
        table.append((step, check.name, check.refusal, place(check.origin), check.what))
    yield from _aligned(table, right=(0,))


def _waiting(answer: Answer, style: Style) -> Iterator[str]:
    worst = answer.worst
    tries = "1 try" if worst.tries == 1 else f"{worst.tries} tries"
    most = "no bound on the whole" if worst.seconds is None else format_duration(worst.seconds)
    yield _title(f"At worst: {most}, {tries}", style)
    yield from (f"  {step}" for step in worst.steps)


def _values(found: Sequence[Row], texts: Texts, style: Style) -> Iterator[str]:
    yield _title("Values", style)
    table = [
        (row.field, _short(row.text, _VALUE), level(row.origin), place(row.origin), _source(row, texts))
        for row in found
    ]
    yield from _aligned(table)


def _source(row: Row, texts: Texts) -> str:
    """The line that the value is written on, cut short; not where it may be nobody else's business."""
    if row.origin is None or row.origin.level is Level.DEFAULT or row.private:
        return ""
    return _short((source_line(texts, row.origin.span) or "").strip(), _SOURCE)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _inexact(found: Sequence[Inexact], style: Style) -> Iterator[str]:
    if not found:
        return
    yield _title("What a gateway does not keep exactly", style)
    for one in found:
        taken = "" if one.accepted else " (not accepted)"
        yield f"  {one.target} {style('warning', one.support.fidelity.value)} {one.feature}{taken}: {one.support.note}"


def _rendering(one: Rendering, sliced: bool, style: Style) -> Iterator[str]:
    alone = ", rendered for this service alone: in the whole configuration the lines have other numbers"
    yield _title(f"Where {one.target} has it{alone if sliced else ''}", style)
    files = _files(one)
    for row, lines in one.lines:
        yield f"  {style('hint', printable(row.field))} {printable(row.text)}"
        yield from _of_row(files, lines, style)


def _files(one: Rendering) -> Texts:
    """As they are shown: a target may write a value on another line than the header's name."""
    pairs = _set(row for row, _ in one.lines)
    own = [line for row, lines in one.lines if row.private for line in lines or ()]
    return {
        name: concealed(text, pairs, {line.number for line in own if line.file == name})
        for name, text in one.files.items()
    }


def _of_row(files: Texts, lines: Sequence[Line] | None, style: Style) -> Iterator[str]:
    if not lines:
        yield (
            "    no line alone: the target cannot be asked with another value" if lines is None else "    no line of it"
        )
        return
    for line in lines[:MOST_LINES]:
        span = Span(line.file, line.number, line.begin + 1, line.number, max(line.end, line.begin + 1) + 1)
        shown = excerpt(files, span, "~")
        assert shown is not None, "a line of the rendering"
        text, mark = shown
        indent = len(text) - len(text.lstrip())
        yield f"    {line.file}:{line.number}"
        yield f"      {style('gutter', '|')} {text[indent:]}"
        yield f"      {style('gutter', '|')} {mark[min(indent, len(mark) - len(mark.lstrip())) :]}"
    if len(lines) > MOST_LINES:
        yield f"    and {len(lines) - MOST_LINES} more lines (--format json has them all)"


def _misses(said: Explanation, style: Style) -> Iterator[str]:
    if not said.misses:
        return
    yield _title("Near misses", style)
    yield from _aligned([_missed(miss) for miss in said.misses])


def _missed(miss: Miss) -> tuple[str, ...]:
    name = f"{miss.service.name}/{miss.route.name}"
    return name, miss.route.path.text, "; ".join(miss.reasons), place(miss.origin)


def _aligned(table: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()) -> Iterator[str]:
    """Columns two blanks apart, a column that is empty throughout left out."""
    cells = [tuple(printable(cell) for cell in row) for row in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)) if w
        ]
        yield "  " + "  ".join(padded)
