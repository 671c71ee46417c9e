"""Document -> Policy: the environment merged in, then validated, with every fault as a diagnostic (GWC1xx)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gwc.diagnostics import Diagnostic, Report, Severity, Span
from gwc.document import Document, MappingNode, Node, Path, ScalarNode, child, merge, to_data
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy
from gwc.policy.types import COMBINATION, FORM, UNIT, describe, shorten

Policy = PlatformPolicy | ServicePolicy
_MODELS: dict[object, type[PlatformPolicy] | type[ServicePolicy]] = {
    "Platform": PlatformPolicy,
    "Service": ServicePolicy,
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A valid policy and the document, environment merged in, that its spans come from."""

    policy: Policy
    document: Document


def load(document: Document, environment: str | None, report: Report) -> Loaded | None:
    """Validate `document` as it is under `environment`. Every declared environment is validated as well."""
    if (model := _model(document, report)) is None:
        return None
    variants = {name: _under(document, name) for name in (None, *environments(document))}
    chosen = environment if environment in variants else None
    policies = {name: _validate(model, variant, report) for name, variant in variants.items()}
    policy = policies[chosen]
    if policy is None or None in policies.values():
        return None
    return Loaded(policy, variants[chosen])


def environments(document: Document) -> tuple[str, ...]:
    """The environments that the document declares."""
    node = document.root.items.get("environments")
    return tuple(node.items) if isinstance(node, MappingNode) else ()


def _model(document: Document, report: Report) -> type[PlatformPolicy] | type[ServicePolicy] | None:
    kind = document.root.items.get("kind")
    if kind is None:
        report.error("GWC101", _first(document), "`kind` is missing", hint="write kind: Service or kind: Platform")
        return None
    value = kind.value if isinstance(kind, ScalarNode) else None
    if value not in _MODELS:
        found = describe(to_data(kind))
        report.error("GWC104", kind.span, f"`kind` is {found}", hint="write kind: Service or kind: Platform")
        return None
    return _MODELS[value]


def _first(document: Document) -> Span:
    return next(iter(document.root.keys.values()), document.root.span)


def _under(document: Document, environment: str | None) -> Document:
    root = document.root
    overlays = root.items.get("environments")
    rest = {key: value for key, value in root.items.items() if key != "environments"}
    base = MappingNode(rest, root.keys, root.span)
    overlay = overlays.items[environment] if environment and isinstance(overlays, MappingNode) else None
    return replace(document, root=merge(base, overlay) if isinstance(overlay, MappingNode) else _keep(base, overlays))


def _keep(base: MappingNode, overlays: Node | None) -> MappingNode:
    # A malformed `environments` stays in, so that the model complains about it.
    if overlays is None or (isinstance(overlays, MappingNode) and _all_mappings(overlays)):
        return base
    return MappingNode({**base.items, "environments": overlays}, base.keys, base.span)


def _all_mappings(overlays: MappingNode) -> bool:
    return all(isinstance(overlay, MappingNode) for overlay in overlays.items.values())


def _validate(
    model: type[PlatformPolicy] | type[ServicePolicy], document: Document, report: Report
) -> PlatformPolicy | ServicePolicy | None:
    try:
        return model.model_validate(document.data())
    except ValidationError as error:
        report.extend(_diagnostics(error.errors(include_url=False), document))
        return None


def _diagnostics(errors: list[ErrorDetails], document: Document) -> Iterable[Diagnostic]:
    for error in errors:
        if error["type"] == "too_short" and any(_inside(other["loc"], error["loc"]) for other in errors):
            continue  # the list is short because its items are faulty, and those are reported
        path = known_path(document, error["loc"])
        code, span, message, hint = _explain(error, document, path)
        yield Diagnostic(span, code, Severity.ERROR, message, hint)


def _inside(loc: Path, outer: Path) -> bool:
    return len(loc) > len(outer) and loc[: len(outer)] == outer


def known_path(document: Document, loc: Path) -> Path:
    """`loc` without the parts that pydantic adds for unions and short forms, as far as the document knows it."""
    node: Node = document.root
    known: list[str | int] = []
    for part in loc:
        found = child(node, part)
        if found is not None:
            node = found
            known.append(part)
    return tuple(known)


def _explain(error: ErrorDetails, document: Document, path: Path) -> tuple[str, Span, str, str]:
    kind, name = error["type"], _dotted(path) or "the policy"
    value = error.get("input")
    if kind == "missing":
        missing = error["loc"][-1]
        return "GWC101", document.key_span(path) if path else _first(document), f"`{missing}` is missing in {name}", ""
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        return "GWC102", document.key_span(path), f"unknown key `{shorten(key)}`", _known_keys(key)
    span = document.span(path)
    if kind in _EXPECTED:
        return "GWC103", document.place(path), f"`{name}` takes {_EXPECTED[kind]}, not {describe(value)}", ""
    if kind in ("literal_error", "enum"):
        expected = str(error["ctx"]["expected"]).replace("'", "")
        return "GWC104", span, f"`{name}` is {describe(value)}", _choices(value, expected)
    return _explain_value(error, span, document.place(path), name)


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _explain_value(error: ErrorDetails, span: Span, place: Span, name: str) -> tuple[str, Span, str, str]:
    kind, context = error["type"], error.get("ctx", {})
    hint = str(context.get("hint", ""))
    if kind == UNIT:
        return "GWC105", span, f"`{name}`: {error['msg']}", hint
    if kind in (FORM, "gwc_null"):
        return "GWC107", span, f"`{name}`: {error['msg']}", hint
    if kind == "too_short":
        return "GWC106", place, f"`{name}` is empty", "list at least one"
    if kind == COMBINATION:
        return "GWC108", place, f"`{name}`: {error['msg']}", hint
    return "GWC106", span, f"`{name}` is {describe(error.get('input'))}: {_lower_first(error['msg'])}", hint


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


_EXPECTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "union_tag_invalid": "one of the forms in the reference",
}


def _known_keys(key: str) -> str:
    from gwc.policy.schema import sections_of

    if sections := sections_of().get(key):
        return f"`{key}` is a key of {' and '.join(sections)}"
    close = difflib.get_close_matches(key, sections_of(), 1, 0.7)
    return f"did you mean `{close[0]}`?" if close else "see the language reference for the keys of this section"


def _choices(value: object, expected: str) -> str:
    options = expected.replace(" or ", ", ").split(", ")
    close = difflib.get_close_matches(str(value), options, 1, 0.6)
    return f"did you mean {close[0]}?" if close else f"write {expected}"
