# SPDX-License-Identifier: Apache-2.0
"""What stands in for values that are not there: of unknown type, or not storable."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from enact.values.redaction import redact, redact_ends
from enact.values.registry import LOWERERS, register_type

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowering
    from enact.values.paths import Frame


#: Characters of the description of what could not be stored.
MAX_REPR = 500


class _Repr(reprlib.Repr):
    """Stays short for containers of any size, also of those that contain themselves.

    Takes credentials out before it cuts, so that no half of one remains.
    """

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(redact_ends(x, MAX_REPR), level)

    def repr_instance(self, x: Any, level: int) -> str:
        try:
            shown = _Shown(redact_ends(repr(x), MAX_REPR))
        except Exception:
            return super().repr_instance(x, level)
        return super().repr_instance(shown, level)


class _Shown:
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


_REPR = _Repr()
_REPR.maxstring = _REPR.maxother = MAX_REPR

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A stored value whose type is not known here, for tools that only show data.

    Stored again, it has the bytes that it was read from.

    Attributes:
        type: the name of the type in stored data.
        fields: its parts, by name.

    Example:
        >>> Unknown("shop:Order", {"amount": 3}).fields["amount"]
        3
    """

    type: str
    fields: dict[str, Any]

    def __hash__(self) -> int:
        return hash(self.type)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Says what a part was that could not be stored.

    Attributes:
        type: the name of its type.
        repr: how it showed itself, cut to a reasonable length.

    Example:
        >>> Opaque.of(object).type
        'builtins:type'
    """

    type: str
    repr: str

    @classmethod
    def of(cls, value: object) -> Opaque:
        """Describe a value.

        Args:
            value: anything.

        Returns:
            Its description.

        Example:
            >>> Opaque.of(3)
            Opaque(type='builtins:int', repr='3')
        """
        kind = type(value)
        try:
            text = redact(_REPR.repr(value))
        except Exception as error:
            text = redact(f"<{kind.__qualname__}, the repr of which raises {error!r}>")
        # The same object has the same description in every run.
        text = _ADDRESS.sub("", text)
        if len(text) > MAX_REPR:
            text = text[: MAX_REPR - 3] + "..."
        return cls(f"{kind.__module__}:{kind.__qualname__}", text)


def _lower_unknown(encoder: Lowering, value: Unknown, frame: Frame) -> Form:
    return encoder.envelope(value.type, value.fields, frame)


LOWERERS[Unknown] = _lower_unknown
register_type(Opaque, name="enact/Opaque")
