"""Document -> Policy: the environment merged in, then validated, with every fault as a diagnostic (GWC1xx)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gwc.diagnostics import Diagnostic, Report, Severity, Span
from gwc.document import Document, Node, Path, ScalarNode, child, to_data
from gwc.policy.overlay import document_under, environments, long_upstream
from gwc.policy.platform import PlatformPolicy
from gwc.policy.service import ServicePolicy
from gwc.policy.texts import describe, shorten
from gwc.policy.types import COMBINATION, FORM, MAX_ENVIRONMENTS, SECRET, UNIT
from gwc.policy.variants import FIXED, Loaded, under

_MODELS: dict[object, type[PlatformPolicy] | type[ServicePolicy]] = {
    "Platform": PlatformPolicy,
    "Service": ServicePolicy,
}
__all__ = ["Loaded", "environments", "faults", "known_path", "load", "load_variants", "under"]
_KINDS = "write kind: Service or kind: Platform"


def load(document: Document, environment: str | None, report: Report) -> Loaded | None:
    """Validate `document` as it is under `environment`. Every declared environment is validated as well."""
    variants = load_variants(document, report)
    return under(variants, environment) if variants else None


def load_variants(document: Document, report: Report) -> dict[str | None, Loaded] | None:
    """The policy as it is (None) and under each environment that it declares; None where any of them is faulty."""
    if (model := _model(document, report)) is None:
        return None
    if _faulty_overlays(document, report):
        return None
    variants = {name: document_under(document, name) for name in (None, *environments(document))}
    valid = {name: p for name, v in variants.items() if (p := _validate(model, v, report)) is not None}
    if len(valid) < len(variants):
        return None
    return {
        name: Loaded(policy, Document(document.source, long_upstream(variants[name].root)))
        for name, policy in valid.items()
    }


def _model(document: Document, report: Report) -> type[PlatformPolicy] | type[ServicePolicy] | None:
    kind = document.root.items.get("kind")
    if kind is None:
        report.error("GWC101", _first(document), "`kind` is missing", hint=_KINDS)
        return None
    value = kind.value if isinstance(kind, ScalarNode) else None
    if value not in _MODELS:
        found = describe(to_data(kind))
        hint = "these are tests: gwc test runs them, from policies/tests" if value == "Tests" else _KINDS
        report.error("GWC104", kind.span, f"`kind` is {found}", hint=hint)
        return None
    return _MODELS[value]


def _first(document: Document) -> Span:
    return next(iter(document.root.keys.values()), document.root.span)


def _faulty_overlays(document: Document, report: Report) -> bool:
    """Reports what an environment may not hold, and more environments than anybody has."""
    names = environments(document)
    if len(names) > MAX_ENVIRONMENTS:
        where = document.key_span(("environments",))
        report.error("GWC106", where, f"`environments` holds {len(names)}", hint=f"at most {MAX_ENVIRONMENTS}")
        return True
    fixed = [path for name in names for key in sorted(FIXED) if document.has(path := ("environments", name, key))]
    for path in fixed:
        hint = "an environment changes settings, not what the policy is"
        report.error("GWC102", document.key_span(path), f"`{path[-1]}` cannot differ by environment", hint=hint)
    return bool(fixed)


def _validate(
    model: type[PlatformPolicy] | type[ServicePolicy], document: Document, report: Report
) -> PlatformPolicy | ServicePolicy | None:
    try:
        return model.model_validate(document.data())
    except ValidationError as error:
        report.extend(faults(error.errors(include_url=False), document, _known_keys))
        return None


def faults(errors: list[ErrorDetails], document: Document, advise: Callable[[str], str]) -> Iterable[Diagnostic]:
    """What a model has against a document, in its words and places; `advise` is the hint for an unknown key."""
    outer = {error["loc"][:end] for error in errors for end in range(len(error["loc"]))}
    for error in errors:
        if error["type"] == "too_short" and error["loc"] in outer:
            continue  # the list is short because its items are faulty, and those are reported
        path = known_path(document, error["loc"])
        code, span, message, hint = _explain(error, document, path, advise)
        yield Diagnostic(span, code, Severity.ERROR, message, hint)


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


def _explain(
    error: ErrorDetails, document: Document, path: Path, advise: Callable[[str], str]
) -> tuple[str, Span, str, str]:
    kind, name = error["type"], _dotted(path) or "the policy"
    value = error.get("input")
    if kind == "missing":
        missing = error["loc"][-1]
        return "GWC101", document.key_span(path) if path else _first(document), f"`{missing}` is missing in {name}", ""
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        if path[-2:-1] in (("secret",), ("password",)):
            return "GWC109", document.place(path), f"unknown key `{shorten(key)}`", _NAME_IT
        return "GWC102", document.key_span(path), f"unknown key `{shorten(key)}`", advise(key)
    span = document.key_span(path) if error["loc"][-1:] == ("[key]",) else document.span(path)
    if kind in _EXPECTED and isinstance(value, str | int | float) and _SECRET_KEYS.intersection(path):
        return "GWC109", document.place(path), f"`{name}` takes {_EXPECTED[kind]}, not {_kind_of(value)}", _NAME_IT
    if kind in _EXPECTED:
        return "GWC103", document.place(path), f"`{name}` takes {_EXPECTED[kind]}, not {describe(value)}", ""
    if kind in ("literal_error", "enum"):
        expected = str(error["ctx"]["expected"]).replace("'", "")
        return "GWC104", span, f"`{name}` is {describe(value)}", _choices(value, expected)
    return _explain_value(error, span, document.place(path), name)


def _kind_of(value: object) -> str:
    return "text" if isinstance(value, str) else "a boolean" if isinstance(value, bool) else "a number"


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _explain_value(error: ErrorDetails, span: Span, place: Span, name: str) -> tuple[str, Span, str, str]:
    kind, context = error["type"], error.get("ctx", {})
    hint = str(context.get("hint", ""))
    if kind == UNIT:
        return "GWC105", span, f"`{name}`: {error['msg']}", hint
    if kind in (FORM, "gwc_null"):
        return "GWC107", span, f"`{name}`: {error['msg']}", hint
    if kind == SECRET:
        return "GWC109", span, f"`{name}`: {error['msg']}", hint
    if kind == "too_short":
        return "GWC106", place, f"`{name}` is empty", "list at least one"
    if kind == COMBINATION:
        return "GWC108", place, f"`{name}`: {error['msg']}", hint
    return "GWC106", span, f"`{name}` is {describe(error.get('input'))}: {_lower_first(error['msg'])}", hint


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


_SECRET_KEYS = frozenset({"secret", "password", "key", "client_key", "gateway_secret", "api_key"})
"""Below these somebody may write a secret where its name belongs; no report repeats it (GWC109)."""
_NAME_IT = "name the secret, never write it: secret: {env: NAME} or {file: /path}"

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
