# SPDX-License-Identifier: Apache-2.0
"""From values to blocks.

Encoding has three steps. *Lowering* turns a value into a form, dispatching on exact
types; plain values are their own form, and are copied only where something inside them
is not. libipld writes the form. Only if that is large, the *shrinking* of `chunks`
moves parts into blocks of their own. So small values pay nothing for the chunks of
large ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn, TypeAlias

from enact.errors import LimitExceeded, UnstorableValue
from enact.values.cbor import Form, encode_form
from enact.values.chunks import SMALL, Emit, Shrinker, without_surrogates
from enact.values.cids import cid_of
from enact.values.coders import Lowerer, Lowering, Table
from enact.values.limits import DEPTH_SLACK, MAX_DEPTH, MAX_NODES
from enact.values.paths import Frame, path_of
from enact.values.registry import LOWERERS, find_lowerer

Opaquer: TypeAlias = Callable[[str, object, UnstorableValue], object]

_ROOT: Frame = (0, None, None, "")

_DEEP = f"nested deeper than {MAX_DEPTH}"

#: How deep a replacement of a part that is too deep counts as being.
_REPLACED_DEPTH = MAX_DEPTH - DEPTH_SLACK


class Encoder:
    """Encodes values, handing the blocks that they need to a store.

    An encoder serves one thread at a time; making one costs next to nothing.

    Args:
        emit: called with identifier and bytes of each block that a value needs besides
            its own: the shared chunks of long lists and strings.
        adopt: called with each ref inside a value.
        opaque: called with path, value and error for each part that cannot be stored;
            what it returns is stored in its place. Without it, the error is raised.

    Example:
        >>> blocks = {}
        >>> Encoder(blocks.__setitem__).encode({"a": [1, None]}).hex()
        'a161618201f6'
    """

    __slots__ = ("_adopt", "_emit", "_opaque", "budget", "table", "withheld")

    def __init__(
        self,
        emit: Emit,
        adopt: Callable[[Any], None] | None = None,
        opaque: Opaquer | None = None,
    ) -> None:
        self._emit = emit
        self._adopt = adopt
        self._opaque = opaque
        #: How many more parts the value may have.
        self.budget = MAX_NODES
        #: Lowerers by exact type, for the functions that lower containers.
        self.table: Table = LOWERERS
        #: Parts of which not all was written, once there is one.
        self.withheld: list[object] | None = None

    def encode(self, value: object) -> bytes:
        """Return the canonical bytes of a value.

        Args:
            value: any value that can be stored.

        Returns:
            The bytes of its block, which is not emitted; blocks of shared chunks are.

        Raises:
            UnstorableValue: a part cannot be stored; says which and why.
            LimitExceeded: the value has too many parts or too much text.

        Example:
            >>> Encoder(lambda cid, data: None).encode((1,)).hex()
            'a261246b656e6163742f5475706c65656974656d738101'
        """
        self.budget = MAX_NODES
        cls = type(value)
        lowerer = LOWERERS.get(cls) or self.find(cls)
        try:
            form = lowerer(self, value, _ROOT)
        except (_TooDeep, LimitExceeded) as error:
            form = self._lower_again(value, error)
        try:
            data = encode_form(form)
        except ValueError:
            form = without_surrogates(form)
            data = encode_form(form)
        if len(data) > SMALL:
            data = encode_form(Shrinker(self._emit).shrink(form, data))
        return data

    def form(self, value: object) -> Form:
        """Return the form of a value, to be part of another form.

        Args:
            value: any value that can be stored.

        Returns:
            What `encode_form` takes. Blocks of shared chunks are emitted. It may share
            lists and dicts with the value.

        Raises:
            UnstorableValue: a part cannot be stored; says which and why.
            LimitExceeded: the value has too many parts or too much text.

        Example:
            >>> Encoder(lambda cid, data: None).form({1, 2})
            {'$': 'enact/Set', 'items': [1, 2]}
        """
        self.budget = MAX_NODES
        try:
            form = self.lower(value, _ROOT)
        except (_TooDeep, LimitExceeded) as error:
            form = self._lower_again(value, error)
        try:
            data = encode_form(form)
        except ValueError:
            form = without_surrogates(form)
            data = encode_form(form)
        return Shrinker(self._emit).shrink(form, data) if len(data) > SMALL else form

    def commit(self, value: object) -> bytes:
        """Encode a value and emit all its blocks.

        Args:
            value: any value that can be stored.

        Returns:
            The identifier of its block.

        Raises:
            UnstorableValue: a part cannot be stored; says which and why.
            LimitExceeded: the value has too many parts or too much text.

        Example:
            >>> blocks = {}
            >>> cid = Encoder(blocks.__setitem__).commit("hello")
            >>> blocks[cid]
            b'ehello'
        """
        data = self.encode(value)
        cid = cid_of(data)
        self._emit(cid, data)
        return cid

    def lower(self, value: Any, frame: Frame) -> Form:
        """Return the form of a part, not yet shrunk. For lowerers of containers.

        Args:
            value: the part.
            frame: where it stands.

        Returns:
            Its form.
        """
        cls = type(value)
        return (self.table.get(cls) or self.find(cls))(self, value, frame)

    def find(self, cls: type) -> Lowerer:
        """Return the lowerer for a type that the table lacks.

        Args:
            cls: an exact type.

        Returns:
            A lowerer, which says that the value cannot be stored if need be.
        """
        found = find_lowerer(cls)
        return partial(_lower_unstorable, found) if isinstance(found, str) else found

    def enter(self, size: int, frame: Frame) -> int:
        """Count a container, before its parts are lowered.

        Args:
            size: how many parts it has.
            frame: where it stands.

        Returns:
            The depth of its parts.

        Raises:
            UnstorableValue: the container is nested too deep.
            LimitExceeded: the value has too many parts.
        """
        self.budget -= size + 1
        depth = frame[0]
        if self.budget < 0 or depth >= MAX_DEPTH:
            self.refuse(frame)
        return depth + 1

    def refuse(self, frame: Frame) -> NoReturn:
        """Raise the error for a container that is beyond a limit.

        Args:
            frame: where it stands.

        Raises:
            UnstorableValue: it is nested too deep.
            LimitExceeded: the value has too many parts.
        """
        path = path_of(frame)
        if self.budget < 0:
            raise LimitExceeded(f"more than {MAX_NODES} parts - at {path}")
        raise _TooDeep(_DEEP, path)

    def envelope(
        self, name: str, fields: Mapping[str, object], frame: Frame
    ) -> dict[str, Form]:
        """Return the envelope of a value that has been taken apart.

        Args:
            name: of its kind.
            fields: its parts, values.
            frame: where it stands.

        Returns:
            The form.

        Raises:
            UnstorableValue: a part cannot be stored.
        """
        depth = self.enter(len(fields), frame)
        form: dict[str, Form] = {"$": name}
        table = self.table
        for key, part in fields.items():
            cls = type(part)
            if cls is str or part is None or cls is bool:
                form[key] = part  # type: ignore[assignment]
            else:
                lowerer = table.get(cls) or self.find(cls)
                form[key] = lowerer(self, part, (depth, frame, None, f".{key}"))
        return form

    def unstorable(self, value: object, frame: Frame, reason: str) -> Form:
        """Say that a part cannot be stored, or take what is to be stored instead.

        Args:
            value: the part.
            frame: where it stands.
            reason: why not.

        Returns:
            The form of its replacement.

        Raises:
            UnstorableValue: there is no replacement.
        """
        path = path_of(frame)
        error = UnstorableValue(reason, path)
        opaque = self._opaque
        if opaque is None:
            raise error
        self._opaque = None  # a replacement is not replaced in turn
        try:
            if frame[0] > _REPLACED_DEPTH:
                frame = (_REPLACED_DEPTH, *frame[1:])
            return self.lower(opaque(path, value, error), frame)
        finally:
            self._opaque = opaque

    def storable(self, value: Any, frame: Frame) -> Form:
        """Return the form of a part that may be left out, never replaced.

        Args:
            value: the part.
            frame: where it stands.

        Returns:
            Its form.

        Raises:
            UnstorableValue: it cannot be stored.
        """
        opaque = self._opaque
        self._opaque = None
        try:
            return self.lower(value, frame)
        finally:
            self._opaque = opaque

    def adopt(self, ref: Any) -> None:
        """Tell whoever asked that a ref is inside the value.

        Args:
            ref: the ref.
        """
        if self._adopt is not None:
            self._adopt(ref)

    def withhold(self, part: object) -> None:
        """Note that of a part not all is written that it would take to load it.

        Args:
            part: a secret, or an exception that tells one.
        """
        if self.withheld is None:
            self.withheld = []
        self.withheld.append(part)

    def _lower_again(self, value: object, error: Exception) -> Form:
        """Lower a value that is too deep or too large, and say so if it still is."""
        self.budget = MAX_NODES
        if isinstance(error, LimitExceeded):
            if self._opaque is None:
                raise error
            return self.unstorable(value, _ROOT, str(error))
        # Most values that are too deep contain themselves. Look again, with care.
        self.table = _Watched()
        try:
            return self.lower(value, _ROOT)
        finally:
            self.table = LOWERERS


class _TooDeep(UnstorableValue):
    """Raised on the fast way through a value; never seen by callers."""


class _Watched:
    """Lowerers that notice when a value stands inside itself, or too deep."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def get(self, key: type, /) -> Lowerer | None:
        found = find_lowerer(key)
        return None if isinstance(found, str) else partial(self._watch, found)

    def _watch(
        self, lowerer: Lowerer, encoder: Lowering, value: Any, frame: Frame
    ) -> Form:
        identity = id(value)
        if identity in self._open:
            return encoder.unstorable(value, frame, "the value contains itself")
        self._open.add(identity)
        try:
            return lowerer(encoder, value, frame)
        except _TooDeep:
            if frame[0] < MAX_DEPTH:
                raise
            return encoder.unstorable(value, frame, _DEEP)
        finally:
            self._open.discard(identity)


def _lower_unstorable(
    reason: str, encoder: Lowering, value: object, frame: Frame
) -> Form:
    return encoder.unstorable(value, frame, reason)
