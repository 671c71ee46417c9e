"""What the texts of a policy may be, and what they mean: names, dates, paths. Text in, values out, or a ValueError.

Without pydantic, which `gwc.policy.types` puts around them: whoever reads a policy by `gwc.policy.shapes` needs none.
"""

from __future__ import annotations

import re
from datetime import date

from gwc.ir import PathTemplate, Segment, SegmentKind
from gwc.units import parse_duration


class SecretValueError(ValueError):
    """A text that may well be a secret: neither the message nor a report may repeat it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def describe(value: object) -> str:
    """A value in words for an error message."""
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shorten(value)!r}"
    return {dict: "a mapping", list: "a list", type(None): "nothing"}.get(type(value), "something else")


def shorten(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


class Words:
    """Texts of one form. `secret`: where people write a secret instead of its name, so that none is repeated."""

    __slots__ = ("_compiled", "example", "limit", "pattern", "secret", "what")

    def __init__(self, pattern: str, what: str, example: str, limit: int, secret: bool = False) -> None:
        self.pattern, self.what, self.example, self.limit, self.secret = pattern, what, example, limit, secret
        self._compiled: re.Pattern[str] | None = None  # when it is needed: few of them are, for most policies

    def __call__(self, text: str) -> str:
        """`text` itself. Raises ValueError."""
        if self._compiled is None:
            self._compiled = re.compile(self.pattern + r"\Z")
        fits = self._compiled.match(text)
        if self.secret and (len(text) > self.limit or not fits):
            raise SecretValueError(f"this is not {self.what}, such as {self.example}", "never write the secret itself")
        if len(text) > self.limit:
            raise ValueError(f"{shorten(text)!r} is longer than {self.limit} characters")
        if not fits:
            raise ValueError(f"{shorten(text)!r} is not {self.what}, such as {self.example}")
        return text


LABEL = Words(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", "a DNS label (lower-case letters, digits, hyphens)", "assistant", 63)
ROUTE_NAME = Words(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?", "a name of lower-case letters, digits, - and _", "get-note", 63)
HEADER = Words(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", "a header name of letters, digits and hyphens", "X-Team", 80)
CLAIM = Words(r"[A-Za-z0-9_.:/-]+", "a claim name", "sub", 100)
SCOPE = Words(r"[A-Za-z0-9_.:/-]+", "a scope", "notes.write", 100)
ENVIRONMENT = Words(r"[A-Za-z_][A-Za-z0-9_]*", "an environment variable's name", "GATEWAY_SECRET", 100, secret=True)
_ABSOLUTE = r"/[A-Za-z0-9_.+@/-]*[A-Za-z0-9_.+@-]"
_PATH_WORDS = "an absolute path (letters, digits, _ . + @ - /)"
ABSOLUTE = Words(_ABSOLUTE, _PATH_WORDS, "/etc/gwc/tls.crt", 400)
SECRET_FILE = Words(_ABSOLUTE, _PATH_WORDS, "/etc/gwc/tls.key", 400, secret=True)
RELATIVE = Words(r"(?!/)[A-Za-z0-9_.+@/-]+", "a path relative to the policy file", "keys/jwks.json", 400)
FREE_TEXT = Words(r"[^\x00-\x1f\x7f]*", "one line of text", "team-assistant", 400)
QUERY = Words(r"[A-Za-z0-9_.~-]+", "a query parameter's name", "version", 80)
PLAIN = Words(r"[ -~]+", "printable ASCII", "assistant", 400)

URI = Words(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9_.~:/?#@!&=+,;%-]+", "an absolute URI", "https://errors.example.com/", 300)


def positive_duration(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError(f"{text!r} must be longer than zero")
    return seconds


def header_value(text: str) -> str:
    if not re.fullmatch(r"([!-~]([ -~]*[!-~])?)?", text):
        raise ValueError("a header value is printable ASCII on one line, without blanks at its ends")
    if len(text) > 2000:
        raise ValueError(f"a header value of {len(text)} characters is longer than 2000")
    return text


def day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(f"{shorten(text)!r} is not a date such as 2027-06-30")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the calendar") from None


_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@-]+\Z")
_PARAM = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]{0,62})\}\Z")


def parse_path(text: str) -> PathTemplate:
    """A path template; raises ValueError saying which segment is wrong and why."""
    if not text.startswith("/") or len(text) > 1000:
        raise ValueError(f"{shorten(text)!r} is not a path; it starts with / and has at most 1000 characters")
    parts = text[1:].split("/")
    segments = tuple(_segment(text, part, index == len(parts) - 1) for index, part in enumerate(parts))
    names = [s.text for s in segments if s.kind is SegmentKind.PARAM]
    if len(set(names)) < len(names):
        raise ValueError(f"{shorten(text)!r} names a parameter twice")
    return PathTemplate(text, segments)


def _segment(path: str, part: str, last: bool) -> Segment:
    if part == "**":
        if not last:
            raise ValueError(f"{shorten(path)!r}: ** matches any rest and stands at the end only")
        return Segment(SegmentKind.REST, "")
    if param := _PARAM.match(part):
        return Segment(SegmentKind.PARAM, param[1])
    if part == "" and last:
        return Segment(SegmentKind.LITERAL, "")
    if part in ("", ".", ".."):
        raise ValueError(f"{shorten(path)!r}: paths are normalised before matching, so {part or '//'!r} never matches")
    if not _LITERAL.match(part):
        raise ValueError(f"{shorten(path)!r}: the segment {shorten(part)!r} is neither plain text, {{param}} nor **")
    return Segment(SegmentKind.LITERAL, part)


def base_path(text: str) -> str:
    template = parse_path(text)
    if text.endswith("/") or any(s.kind is not SegmentKind.LITERAL for s in template.segments):
        raise ValueError(f"{shorten(text)!r} is not a base path such as /assistant (literal, no slash at the end)")
    return text


_FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-authenticate", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
REQUEST_OWNED = _FRAMING | {
    "forwarded",
    "traceparent",
    "tracestate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
}
RESPONSE_OWNED = _FRAMING | {
    "content-encoding",
    "content-type",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-cache",
}
"""Headers with a meaning of their own in HTTP or for the gateway, in lower case."""


def header_is_free(name: str) -> bool:
    """Whether the gateway can take a header of this name for a purpose of its own."""
    return name.lower() not in REQUEST_OWNED and name.lower() not in RESPONSE_OWNED


def is_health_path(text: str) -> bool:
    return re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*", text) is not None


def is_metrics_path(text: str) -> bool:
    whole = re.fullmatch(r"/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]", text)
    return whole is not None and not re.search(r"//|/\.\.?(/|\Z)", text) and text != "/ready"
