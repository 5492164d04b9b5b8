# SPDX-License-Identifier: Apache-2.0
"""What the functions that write and read single kinds of values are given.

Each kind of value has a function that makes its form, and one that reads it. These are
kept in the tables of `registry`; here stands what they may ask of the encoder or
decoder that calls them, so that kinds do not depend on either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar

from enact.values.cbor import Form
from enact.values.paths import Frame

T = TypeVar("T")


class Table(Protocol):
    """Lowerers by exact type."""

    def get(self, key: type, /) -> Lowerer | None:
        """Return the lowerer for a type, if the table has it."""


class Lowering(Protocol):
    """An encoder, as seen from a lowerer."""

    #: Lowerers by exact type; `find` has those that it lacks.
    table: Table

    #: How many more parts the value may have.
    budget: int

    def lower(self, value: Any, frame: Frame) -> Form:
        """Return the form of a part."""

    def find(self, cls: type) -> Lowerer:
        """Return the lowerer for a type that the table lacks."""

    def enter(self, size: int, frame: Frame) -> int:
        """Count a container before its parts are lowered; return their depth."""

    def refuse(self, frame: Frame) -> NoReturn:
        """Raise the error for a container that is beyond a limit."""

    def envelope(
        self, name: str, fields: Mapping[str, object], frame: Frame
    ) -> dict[str, Form]:
        """Return the envelope of a value that has been taken apart."""

    def unstorable(self, value: object, frame: Frame, reason: str) -> Form:
        """Say that a part cannot be stored, or return the form of its replacement."""

    def storable(self, value: Any, frame: Frame) -> Form:
        """Return the form of a part that may be left out, never replaced."""

    def adopt(self, ref: Any) -> None:
        """Tell whoever asked that a ref is inside the value."""

    def withhold(self, part: object) -> None:
        """Note that of a part not all is written that it would take to load it."""


class Raising(Protocol):
    """A decoder, as seen from a loader."""

    #: To be set when today's class would write the value differently.
    evolved: bool

    #: Gives the secret with a fingerprint, if anybody has it.
    secrets: Callable[[tuple[bytes, bytes]], object] | None

    def value(self, form: Any, depth: int) -> Any:
        """Return the value of a form."""

    def fields(self, form: dict[str, Form], depth: int) -> dict[str, Any]:
        """Return the values of all fields of an envelope."""

    def part(self, cls: type[T], form: dict[str, Form], key: str, depth: int) -> T:
        """Return the value of one field, which must be of an exact type."""

    def exactly(self, cls: type[T], form: dict[str, Form], key: str, depth: int) -> T:
        """Return the value of the only field, which must be of an exact type."""

    def only(self, form: dict[str, Form], size: int) -> None:
        """Check how many keys an envelope has."""

    def call(self, what: str, function: Callable[[Any], T], argument: Any) -> T:
        """Call something of the user, whose errors say that data does not fit."""


#: Makes the form of a value, given the encoder and where the value stands.
Lowerer: TypeAlias = Callable[[Lowering, Any, Frame], Form]

#: Makes a value of the fields of an envelope, given the decoder and the depth.
Loader: TypeAlias = Callable[[Raising, dict[str, Form], int], object]
