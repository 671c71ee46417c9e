"""What a `location` matches, as path templates."""

from __future__ import annotations

from dataclasses import dataclass

from gwc.imports.findings import Findings
from gwc.imports.nginx.syntax import Directive
from gwc.imports.regexes import templates_of
from gwc.policy.paths import parse_path


@dataclass(frozen=True, slots=True)
class Place:
    """`prefix` is the text that a URI of proxy_pass replaces; empty for a regular expression. An `implied` one gives
    way to a location that says the same by itself."""

    path: str
    prefix: str
    comment: str = ""
    implied: bool = False


def places_of(location: Directive, findings: Findings) -> tuple[Place, ...]:
    """None at all where no template comes near; the report says why."""
    words = location.words
    modifier, pattern = ("", words[0]) if len(words) == 1 else (words[0], words[1]) if len(words) == 2 else ("", "")
    if pattern.startswith("@"):
        findings.left_out(location.span, f"the named location {pattern[:60]} is not imported", "errors are gwc's own")
        return ()
    found = _regex(location, pattern, modifier, findings) if modifier in ("~", "~*") else _prefix(modifier, pattern)
    for place in found:
        try:
            parse_path(place.path)
        except ValueError as error:
            findings.left_out(location.span, str(error), "write the route by hand")
            return ()
    return found


def _prefix(modifier: str, pattern: str) -> tuple[Place, ...]:
    if modifier == "=":
        return (Place(pattern, pattern),)
    if pattern.endswith("/"):
        return (Place(f"{pattern}**", pattern),)
    note = f"NGINX also matched {pattern}anything"
    return (Place(pattern, pattern, note), Place(f"{pattern}/**", pattern, implied=True))


def _regex(location: Directive, pattern: str, modifier: str, findings: Findings) -> tuple[Place, ...]:
    found = templates_of(pattern)
    if found is None:
        hint = "write the paths that the service has: a template has literal segments, {param} and a trailing /**"
        findings.left_out(location.span, f"the expression {pattern[:80]} is no path template", hint)
        return ()
    loose = modifier == "~*"
    if not found.exact or loose:
        what = f"{' and '.join(found.paths)[:120]} instead of the expression {pattern[:80]}"
        findings.approximate(location.place(1), what, "paths are matched by whole segments, and case matters")
    comment = "" if found.exact and not loose else f"was {pattern[:80]}"
    return tuple(Place(path, "", comment, implied=index > 0) for index, path in enumerate(found.paths))
