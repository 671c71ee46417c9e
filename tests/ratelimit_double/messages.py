"""The messages of the rate limit service's protocol, as far as the double reads and writes them.

Written down by field number from Envoy's published API, so that no generated code is kept here.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory, wrappers_pb2

_PACKAGE = "gwc.ratelimit_double"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "uint32": _Field.TYPE_UINT32, "int32": _Field.TYPE_INT32}
_MESSAGES = {
    "Entry": {1: ("key", "string"), 2: ("value", "string")},
    "Descriptor": {1: ("entries", "*Entry"), 3: ("hits_addend", "google.protobuf.UInt64Value")},
    "Request": {1: ("domain", "string"), 2: ("descriptors", "*Descriptor"), 3: ("hits_addend", "uint32")},
    "Limit": {1: ("requests_per_unit", "uint32"), 2: ("unit", "int32")},
    "Status": {
        1: ("code", "int32"),
        2: ("current_limit", "Limit"),
        3: ("limit_remaining", "uint32"),
        4: ("duration_until_reset", "google.protobuf.Duration"),
    },
    "Response": {1: ("overall_code", "int32"), 2: ("statuses", "*Status")},
}
"""Enums are numbers on the wire. A `*` is a repeated field."""


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="ratelimit_double.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.extend([duration_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name])
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in fields.items():
            label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            message.field.add(name=field, number=number, label=label, **_type(kind.removeprefix("*")))
    return file


def _type(kind: str) -> dict[str, Any]:
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    return {"type": _Field.TYPE_MESSAGE, "type_name": f".{kind}" if "." in kind else f".{_PACKAGE}.{kind}"}


_POOL = descriptor_pool.Default()
_POOL.Add(_file())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


Request, Response = _message("Request"), _message("Response")
OK, OVER_LIMIT = 1, 2
UNITS = {"second": 1, "minute": 2, "hour": 3, "day": 4}
