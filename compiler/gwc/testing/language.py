"""What a team writes into policies/tests/<service>.yaml."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from gwc.policy.addresses import HostName
from gwc.policy.types import (
    COMBINATION,
    FORM,
    Claim,
    Count,
    CountOrZero,
    DurationOrZero,
    FreeText,
    HeaderName,
    Label,
    List,
    Maybe,
    Model,
    OrNone,
    PlainText,
    Scope,
    Size,
    fault,
    from_text,
    shorten,
)
from gwc.problems import PROBLEMS

MAX_REPEAT = 10_000
_REQUEST = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-~]*)")


def _request(text: str) -> str:
    if not _REQUEST.fullmatch(text):
        raise ValueError(f"{shorten(text)!r} is not a method and a path such as GET /notes/v1/notes?page=2")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{shorten(text)!r} is no regular expression: {error}") from None
    return text


RequestLine = Annotated[str, from_text(_request, FORM, "GET /notes/v1/notes"), WithJsonSchema(
    {"type": "string", "pattern": "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[!-~]*$", "examples": ["GET /v1/notes"]}
)]  # fmt: skip
Regex = Annotated[str, from_text(_pattern, FORM, "[0-9]+"), WithJsonSchema({"type": "string", "format": "regex"})]


def _worded(pattern: str, what: str, example: str, limit: int) -> tuple[BeforeValidator, WithJsonSchema]:
    def check(text: str) -> str:
        if len(text) > limit or not re.fullmatch(pattern, text):
            raise ValueError(f"{shorten(text)!r} is not {what}, such as {example}")
        return text

    schema = WithJsonSchema({"type": "string", "pattern": f"^({pattern})$", "maxLength": limit, "examples": [example]})
    return from_text(check, FORM, example), schema


_CLIENT = _worded(r"[0-9A-Fa-f:.]*(\$\{n\})?[0-9A-Fa-f:.]*", "an IP address", "203.0.113.7", 60)
ClientAddress = Annotated[str, *_CLIENT]
"""May hold `${n}`, the number of the repetition."""
_LIMIT = _worded(
    r"platform/[0-9]+|service/[a-z0-9-]+/[0-9]+|route/[a-z0-9-]+/[a-z0-9_-]+/[0-9]+|budget|concurrency|"
    r"upstream\.concurrency|breaker",
    "the id of a limit or a guard's name, as in the access log", "service/notes/0", 200,
)  # fmt: skip
LimitId = Annotated[str, *_LIMIT]
_ROUTE = _worded(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?/)?[a-z0-9]([a-z0-9_-]*[a-z0-9])?", "a route", "notes/create", 130)
RouteRef = Annotated[str, *_ROUTE]
"""`create`, or `notes/create` for one of another service; `none` for no route."""
_STATUS = _worded(r"[1-5][0-9][0-9]", "a status", '"429"', 3)
StatusText = Annotated[str, *_STATUS]
Status = Annotated[int, Field(ge=100, le=599)]
Problem = Literal["none", *PROBLEMS]  # type: ignore[valid-type]  # the vocabulary is data


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Values = Annotated[
    List[FreeText],
    Field(min_length=1),
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One value of a header, or several for one that repeats."""
Headers = dict[HeaderName, Values]


class TextExpectation(Model):
    """All keys that are given hold. `present: false` is absence."""

    present: Maybe[bool] = None
    equals: Maybe[FreeText] = None
    matches: Annotated[Maybe[Regex], Field(description="A regular expression for the whole value.")] = None
    lacks: Annotated[Maybe[Regex], Field(description="A regular expression that is found nowhere in the value.")] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise fault(COMBINATION, "nothing is expected", "write a value, or present, equals, matches or lacks")
        if self.present is False and (self.equals or self.matches) is not None:
            raise fault(COMBINATION, "what is absent has no value", "leave one of the two out")
        return self


def _equal(value: Any) -> Any:
    return {"equals": value} if isinstance(value, str) else value


def _short(model: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string"}, {"$ref": f"#/$defs/{model}"}]})


Text = Annotated[TextExpectation, BeforeValidator(_equal), _short("TextExpectation")]
"""A text is short for `equals`."""


class User(Model):
    """Somebody with a JSON Web Token."""

    name: FreeText
    scopes: Annotated[Maybe[List[Scope]], Field(description="Default: those that the route needs.")] = None
    claims: Annotated[dict[Claim, Any], Field(description="Further claims of the token.")] = {}
    issuer: Annotated[Maybe[PlainText], Field(description="Default: the platform's first.")] = None
    audience: Annotated[Maybe[PlainText], Field(description="Default: the issuer's first.")] = None
    token: Annotated[
        Literal["good", "expired", "early", "forged", "unsigned"],
        Field(description="expired, not valid yet, signed by somebody else, or not at all."),
    ] = "good"  # noqa: S105 - a word, no token


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) and value != "none" else value


UserOrNone = Annotated[OrNone[User], BeforeValidator(_named), _short("User")]


class Body(Model):
    """`size` bytes of filler, or `text`."""

    text: Maybe[str] = None
    size: Maybe[Size] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.text is None) == (self.size is None):
            raise fault(COMBINATION, "a body is either `text` or `size`", "write one of the two")
        return self

    @property
    def content(self) -> bytes:
        return (self.text or "").encode() if self.size is None else b"x" * self.size


def _text_body(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class Answer(Model):
    """What the service does. `fail`: it cuts the connection, or never answers."""

    status: Annotated[Status, Field(ge=200)] = 200
    headers: Headers = {}
    type: FreeText = "application/json"
    body: Maybe[str] = None
    delay: Annotated[
        DurationOrZero, Field(description="Before the first byte.", json_schema_extra={"default": "0s"})
    ] = 0.0
    fail: Maybe[Literal["reset", "hang"]] = None


def _answers(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Answers = Annotated[
    List[Answer],
    Field(min_length=1),
    BeforeValidator(_answers),
    WithJsonSchema({"anyOf": [{"$ref": "#/$defs/Answer"}, {"type": "array", "items": {"$ref": "#/$defs/Answer"}}]}),
]
"""One answer, or one a try, the last for all further ones."""


def _range(value: Any) -> Any:
    return value if isinstance(value, list) else [value, value]


def _in_order(number: tuple[int, int]) -> tuple[int, int]:
    if number[0] > number[1]:
        raise fault(COMBINATION, f"nothing is from {number[0]} to {number[1]}", "write the lower number first")
    return number


Number = Annotated[
    tuple[CountOrZero, CountOrZero],
    Field(strict=False),
    BeforeValidator(_range),
    AfterValidator(_in_order),
    WithJsonSchema({
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2},
        ]
    }),
]  # fmt: skip
"""A number, or the lowest and the highest that are right."""


class Receipt(Model):
    """What the service receives: `calls` of the whole step, the rest of its last request."""

    calls: Annotated[Maybe[Number], Field(description="Tries, all repetitions together.")] = None
    method: Maybe[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]] = None
    path: Annotated[Maybe[Text], Field(description="As forwarded, without the query.")] = None
    query: Maybe[Text] = None
    headers: dict[HeaderName, Text] = {}

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if self.calls is not None and self.calls[1] == 0 and self.model_fields_set != {"calls"}:
            message = "a request that never arrives has no method, path, query or headers"
            raise fault(COMBINATION, message, "leave them out, or expect calls")
        return self


def _statuses(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class Expectation(Model):
    """What holds for every repetition; `statuses` and `receives.calls` for all of them together."""

    status: Annotated[
        Maybe[Annotated[List[Status], Field(min_length=1), BeforeValidator(_statuses)]],
        Field(description="One status, or those that are right."),
        WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}),
    ] = None
    statuses: Annotated[
        Maybe[dict[StatusText, Number]], Field(description="How many of the repetitions had each status.")
    ] = None
    headers: Annotated[dict[HeaderName, Text], Field(description="A value, or present, equals, matches, lacks.")] = {}
    body: Maybe[Text] = None
    cache: Annotated[Maybe[Literal["HIT", "MISS", "STALE", "BYPASS", "none"]], Field(description="X-Cache.")] = None
    problem: Annotated[Maybe[Problem], Field(description="The type of the error document; none for no such error.")] = (
        None
    )
    limited_by: Annotated[
        Maybe[LimitId], Field(description="Which limit, budget, cap or breaker refused, as in the access log.")
    ] = None
    route: Annotated[Maybe[RouteRef], Field(description="Which route matched; none for none.")] = None
    receives: Annotated[Maybe[OrNone[Receipt]], Field(description="What the service gets; none: it is not asked.")] = (
        None
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) in (None, {}) for name in self.model_fields_set):
            raise fault(COMBINATION, "nothing is expected", "write at least a status")
        return self


class Asking(Model):
    """Who asks, and what the service does. A step's word goes before its test's, a test's before the file's."""

    host: Annotated[Maybe[HostName], Field(description="Default: the service's first.")] = None
    client: Annotated[Maybe[ClientAddress], Field(description="Whose connection it is; default 192.0.2.1.")] = None
    user: Annotated[Maybe[UserOrNone], Field(description="A name is a user with a good token; none: nobody.")] = None
    api_key: Annotated[Maybe[Label], Field(description="A consumer of the platform; none: no key.")] = None
    headers: Headers = {}
    answer: Maybe[Answers] = None
    scheme: Annotated[Maybe[Literal["http", "https"]], Field(description="Default: https where it is served.")] = None


class Moment(Asking):
    """One request, or several of the same kind."""

    at: Annotated[Maybe[DurationOrZero], Field(description="Since the beginning of the test.")] = None
    wait: Annotated[Maybe[DurationOrZero], Field(description="Since the end of the steps before.")] = None
    body: Annotated[
        Maybe[Annotated[Body, BeforeValidator(_text_body), _short("Body")]], Field(description="Text, or a size.")
    ] = None
    repeat: Annotated[Maybe[Count], Field(le=MAX_REPEAT)] = None
    at_once: Annotated[bool, Field(description="The repetitions do not wait for one another.")] = False


def _one_clock(moment: Moment) -> None:
    if moment.at is not None and moment.wait is not None:
        raise fault(COMBINATION, "`at` and `wait` both say when", "keep one of the two")


class Step(Moment):
    request: RequestLine
    expect: Expectation

    @model_validator(mode="after")
    def _clock(self) -> Self:
        _one_clock(self)
        return self


_OF_A_STEP = ("request", "expect", "at", "wait", "body", "repeat", "at_once")


class TestCase(Moment):
    """Steps one after the other, before a gateway that has just started; or the only step, without the list."""

    __test__ = False  # no test of pytest's

    name: Annotated[FreeText, Field(min_length=1)]
    description: FreeText = ""
    not_on: Annotated[
        dict[Label, PlainText], Field(description="A gateway, and the feature that it does not keep exactly.")
    ] = {}
    request: Maybe[RequestLine] = None
    expect: Maybe[Expectation] = None
    steps: Annotated[List[Step], Field(description="Instead of a request.")] = ()

    @model_validator(mode="after")
    def _either(self) -> Self:
        _one_clock(self)
        own = [key for key in _OF_A_STEP if key in self.model_fields_set]
        if self.steps and own:
            raise fault(COMBINATION, f"`{own[0]}` belongs to a step where there are `steps`", "move it into a step")
        if not self.steps and (self.request is None or self.expect is None):
            raise fault(COMBINATION, "a test needs a `request` and what to `expect`", "write both, or a list of steps")
        return self


def _distinct(tests: tuple[TestCase, ...]) -> tuple[TestCase, ...]:
    names = [test.name for test in tests]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise fault(COMBINATION, f"two tests are called {name!r}", "give each its own name")
    return tests


class TestsFile(Asking):
    __test__ = False

    apiVersion: Literal["gwc/v1"]  # noqa: N815 - the language's own spelling
    kind: Literal["Tests"]
    service: Annotated[Maybe[Label], Field(description="Whose routes and host are meant where none is named.")] = None
    tests: Annotated[List[TestCase], Field(min_length=1), AfterValidator(_distinct)]
