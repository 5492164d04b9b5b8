# SPDX-License-Identifier: Apache-2.0
"""Short, safe text for values."""

from __future__ import annotations

import dataclasses
import re
import types
from typing import Any

from enact.values import Unknown, redact_ends

# C0 and C1 controls, and what turns the direction of text or hides in it.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Make control characters visible, all but tab and line feed.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return HIDDEN.sub(lambda match: _escape(match.group()), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def short(value: Any, limit: int = 60) -> str:
    """The ``repr`` of a value on one line, without credentials, shortened.

    Args:
        value: any.
        limit: in characters.

    >>> short("x" * 100, 20), short([int, short])
    ("'xxxxxxxxxx...xxxxx'", '[int, short]')
    """
    try:
        text = _repr(value, limit)
    except Exception as error:  # a broken __repr__ must not hide all the rest
        text = f"<{type(value).__qualname__}: repr() raised {type(error).__name__}>"
    # Before anything is cut off, so that no half of a credential remains.
    text = visible(redact_ends(text, limit)).replace("\n", "\\n").replace("\t", "\\t")
    if len(text) <= limit:
        return text
    tail = max(1, (limit - 3) * 2 // 5)
    return f"{text[: limit - 3 - tail]}...{text[-tail:]}"


def _repr(value: Any, limit: int) -> str:
    """``repr``, with names in place of ``<function f at 0x...>`` and of classes."""
    kind = type(value)
    if kind is types.FunctionType or kind is types.MethodType:
        return short_name(str(value.__qualname__))
    if isinstance(value, type):
        return value.__qualname__
    if kind is Unknown:
        return _unknown(value, limit)
    if kind in (list, tuple, dict) and 0 < len(value) <= limit:
        if kind is dict:
            pairs = [f"{k!r}: {_repr(v, limit)}" for k, v in value.items()]
            return "{" + ", ".join(pairs) + "}"
        items = [_repr(item, limit) for item in value]
        if kind is list:
            return "[" + ", ".join(items) + "]"
        return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"
    text = repr(value)
    if "Unknown(type=" in text and dataclasses.is_dataclass(value):
        fields = {
            field.name: getattr(value, field.name, None)
            for field in dataclasses.fields(value)
            if field.repr
        }
        return _unknown(Unknown(kind.__qualname__, fields), limit)
    return text


def _unknown(value: Unknown, limit: int) -> str:
    """As the ``repr`` of a dataclass; functions by their names."""
    name = value.fields.get("name")
    if value.type.startswith("enact/") and type(name) is str:
        return short_name(name)
    fields = (f"{key}={_repr(field, limit)}" for key, field in value.fields.items())
    return f"{short_name(value.type)}({', '.join(fields)})"


def short_name(name: str) -> str:
    """The part of a stored name that people know the function by.

    >>> short_name("shop.orders:Order.total"), short_name("a:f.<locals>.<lambda>")
    ('Order.total', '<lambda>')
    """
    return name.rpartition(":")[2].rpartition("<locals>.")[2].rpartition("/")[2]
