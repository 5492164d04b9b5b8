# SPDX-License-Identifier: Apache-2.0
"""Values as JSON, to be read by other programs."""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

from enact.calls import CallArgs, NativeException
from enact.human import InputRequest
from enact.render.text import short, visible
from enact.values import (
    Ref,
    Unknown,
    mark,
    name_rule,
    redact,
    type_name,
)

_MAX_DEPTH = 128


def as_json(value: Any, depth: int = 0) -> Any:
    """A value as plain data for ``json.dumps``, without credentials.

    Text, numbers, lists and dicts with text as keys are themselves; tuples and sets are
    lists. A ref is ``{"/": "bafyrei..."}``, bytes are ``{"/": {"bytes": "..."}}`` in
    base64, as in DAG-JSON. Other values are objects with the name of their type under
    ``"$"``, and their fields, or their ``repr`` under ``"text"``.

    Args:
        value: any.
        depth: of containers around it.

    Example:
        >>> import enact
        >>> as_json({"key": (1, b"x"), "api_key": "abc"})
        {'key': [1, {'/': {'bytes': 'eA'}}], 'api_key': '[redacted:api-key]'}
    """
    if value is None or type(value) in (bool, int):
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        return redact(value).encode("utf-8", "backslashreplace").decode()
    if type(value) is float:
        return value if math.isfinite(value) else {"$": "float", "text": repr(value)}
    if isinstance(value, (bytes, bytearray)):
        text = base64.b64encode(value).decode("ascii").rstrip("=")
        return {"/": {"bytes": text}}
    if isinstance(value, Ref):
        return {"/": value.id}
    if depth < _MAX_DEPTH:
        if isinstance(value, (list, tuple, set, frozenset)):
            return [as_json(item, depth + 1) for item in value]
        if isinstance(value, Mapping) and all(type(key) is str for key in value):
            return _object(value, depth)
        if isinstance(value, Mapping):
            pairs = [[as_json(k, depth + 1), as_json(v, depth + 1)]
                     for k, v in value.items()]  # fmt: skip
            return {"$": _name(value), "items": pairs}
        fields = _fields(value)
        if fields is not None:
            return {"$": _name(value), **_object(fields, depth)}
    return {"$": _name(value), "text": short(value, 10_000)}


def _object(fields: Mapping[str, Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in fields.items():
        rule = name_rule(key, value)
        item = as_json(value, depth + 1) if rule is None else mark(rule)
        found[visible(key)] = item
    return found


def _fields(value: Any) -> dict[str, Any] | None:
    if isinstance(value, Unknown):
        return value.fields
    if isinstance(value, CallArgs):
        return {"args": value.args, "kwargs": value.kwargs}
    if isinstance(value, InputRequest):
        names = ("requested_type", "context", "for_value")
        return {name: getattr(value, name) for name in names}
    if isinstance(value, NativeException):
        cause = {} if value.cause is None else {"cause": value.cause}
        return {
            "type": value.type_name,
            "message": value.str_representation,
            "traceback": value.traceback,
            **cause,
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: getattr(value, field.name, None) for field in fields}
    return None


def _name(value: Any) -> str:
    if isinstance(value, Unknown):
        return value.type
    return type_name(type(value))
