# SPDX-License-Identifier: Apache-2.0
"""Refs: names for stored values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from enact.errors import RefError
from enact.values.cids import cid_from_text, cid_text
from enact.values.context import ACTIVE, active_store
from enact.values.decoder import Decoder, decode
from enact.values.display import Displayed
from enact.values.registry import LOWERERS, NAMED_TYPES, TYPE_NAMES

if TYPE_CHECKING:
    from enact.values.cbor import Form
    from enact.values.coders import Lowering
    from enact.values.paths import Frame
    from enact.values.trees import Source

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Ref(Displayed, Generic[T_co]):
    """Refers to a stored value by its content.

    Refs to equal values are equal. A ref does no I/O until it is asked for its value.
    It remembers the store that it came from, and asks that one when the active store
    does not have the block; this is no part of its identity.

    Args:
        cid: the binary CID of the block.
        origin: the store that it came from.

    Example:
        >>> from enact.values.cids import cid_of
        >>> ref = Ref(cid_of(b"\\xf6"))
        >>> ref == Ref.from_id(ref.id)
        True
        >>> ref.id[:16], ref.digest[:8]
        ('bafyreifqwkmiw25', 'b0b2988b')
    """

    __slots__ = ("_cid", "_hashed", "_origin")

    def __init__(self, cid: bytes, origin: Source | None = None) -> None:
        if type(cid) is not bytes:
            raise RefError(
                f"a ref is made of the 36 bytes of an identifier, not of {cid!r}: for "
                "its text use Ref.from_id(...)"
            )
        self._cid = cid
        self._origin = origin
        self._hashed = False

    @classmethod
    def from_id(cls, id: str) -> Ref[Any]:
        """Return the ref with an identifier.

        Args:
            id: text such as ``bafyrei...``.

        Returns:
            The ref; whether any store has the block is not looked at.

        Raises:
            RefError: the text is no identifier of ours.

        Example:
            >>> Ref.from_id("bafy")
            Traceback (most recent call last):
            ...
            enact.errors.RefError: not an identifier of a block: 'bafy'
        """
        try:
            return Ref(cid_from_text(id))
        except ValueError as error:
            raise RefError(str(error)) from None

    @property
    def cid(self) -> bytes:
        """The identifier as bytes: a binary CIDv1, 36 bytes."""
        return self._cid

    @property
    def id(self) -> str:
        """The identifier as text: ``bafyrei...``."""
        return cid_text(self._cid)

    @property
    def digest(self) -> str:
        """The SHA-256 of the block, in hexadecimal."""
        return self._cid[4:].hex()

    @property
    def origin(self) -> Source | None:
        """The store that the ref came from."""
        return self._origin

    def checkout(self) -> T_co:
        """Return the value, fresh every time.

        Returns:
            The value; changing it changes nothing stored.

        Raises:
            NoActiveContext: no store is active, and the ref came from none.
            MissingBlock: neither the active store nor the one it came from has the
                block.
            UnregisteredType: a type is not known here.
        """
        origin = self._origin
        store = ACTIVE.get() if origin is not None else active_store()
        if store is not None:
            if origin is None or origin is store or store.has_block(self._cid):
                found: T_co = store.checkout(self)
                return found
        value: Any = decode(origin.load_block(self._cid), origin)  # type: ignore[union-attr]
        return value  # type: ignore[no-any-return]

    def __call__(self) -> T_co:
        """Return the value, as `checkout`."""
        return self.checkout()

    @contextmanager
    def modify(self) -> Iterator[T_co]:
        """Change the value, and make this ref refer to the changed one.

        The value stored before stays as it is. Nothing happens if the block of the
        ``with`` statement raises.

        Yields:
            The value, to be changed in place.

        Raises:
            RefError: the ref was hashed, so that sets and dicts rely on it.
            UnstorableValue: what the value was changed to cannot be stored.
        """
        self._check_unhashed()
        value = self.checkout()
        yield value
        self._check_unhashed()
        changed = self._store().commit(value)
        self._cid = changed.cid
        self._origin = changed.origin

    def modified(self, change: Callable[[T_co], object]) -> Ref[T_co]:
        """Store a changed copy of the value.

        Args:
            change: is given the value, and changes it in place or returns another.

        Returns:
            A ref to the changed value; this one stays as it is.

        Raises:
            UnstorableValue: what the value was changed to cannot be stored.
        """
        value: Any = self.checkout()
        result = change(value)
        changed: Ref[T_co] = self._store().commit(value if result is None else result)
        return changed

    def _store(self) -> Any:
        origin = self._origin
        if ACTIVE.get() is None and hasattr(origin, "commit"):
            return origin
        return active_store()

    def _check_unhashed(self) -> None:
        if self._hashed:
            raise RefError(
                "this ref was hashed, so it cannot refer to something else now; "
                "use `new = ref.modified(change)`, which leaves it as it is"
            )

    def __eq__(self, other: object) -> bool:
        return type(other) is Ref and other._cid == self._cid

    def __hash__(self) -> int:
        self._hashed = True
        return hash(self._cid)

    def __repr__(self) -> str:
        return f"<Ref {self.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Ref, (self._cid,)


def _lower_ref(encoder: Lowering, value: Ref[Any], frame: Frame) -> Form:
    encoder.adopt(value)
    return value._cid


LOWERERS[Ref] = _lower_ref
NAMED_TYPES["enact/Ref"] = Ref
TYPE_NAMES[Ref] = "enact/Ref"
Decoder.make_ref = Ref
