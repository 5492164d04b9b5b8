# SPDX-License-Identifier: Apache-2.0
"""Short, safe text for values."""

from __future__ import annotations

import re
from typing import Any

# C0 and C1 controls, and what turns the direction of text or hides in it.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Make control characters visible, all but tab and line feed.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROLS.sub(lambda match: _escape(match.group()), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def short(value: Any, limit: int = 60) -> str:
    """The ``repr`` of a value on one line, shortened in the middle.

    Args:
        value: any.
        limit: in characters.

    >>> short("x" * 100, 20)
    "'xxxxxxxxx...xxxxxx'"
    """
    try:
        text = repr(value)
    except Exception as error:  # a broken __repr__ must not hide all the rest
        text = f"<{type(value).__qualname__}: repr() raised {type(error).__name__}>"
    text = visible(text).replace("\n", "\\n").replace("\t", "\\t")
    if len(text) <= limit:
        return text
    tail = max(1, (limit - 3) * 2 // 5)
    return f"{text[: limit - 3 - tail]}...{text[-tail:]}"


def short_name(name: str) -> str:
    """The part of a stored name that people know the function by.

    >>> short_name("shop.orders:Order.total"), short_name("a:f.<locals>.<lambda>")
    ('Order.total', '<lambda>')
    """
    return name.rpartition(":")[2].rpartition("<locals>.")[2].rpartition("/")[2]
