# SPDX-License-Identifier: Apache-2.0
"""Values in a backend: what `commit` and `checkout` do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar, cast

from enact.errors import MissingBlock, StoreClosed
from enact.stores import activation
from enact.stores.backend import Backend
from enact.stores.closure import copy_closure, graph, missing
from enact.stores.requirements import note, recorded, requirements
from enact.stores.tombstones import KIND as TOMBSTONE
from enact.stores.tombstones import purged_error
from enact.values import WRITTEN, Encoder, Ref, cid_text, decode

T = TypeVar("T")
Self = TypeVar("Self", bound="ValueStore")


class ValueStore:
    """Keeps values in a backend, each under the identifier of its content.

    A store is active inside its ``with`` block, which may be entered again, nested
    and used from many tasks; leaving the block does not close the store.

    Args:
        backend: where the bytes go; see `enact.stores.backend_for`.

    Attributes:
        backend: the same.

    Example:
        >>> from enact.stores import ValueStore, memory_backend
        >>> store = ValueStore(memory_backend())
        >>> ref = store.commit({"topic": "sea", "lines": [1, 2]})
        >>> store.checkout(ref)
        {'topic': 'sea', 'lines': [1, 2]}
        >>> store.commit({"topic": "sea", "lines": [1, 2]}) == ref
        True
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        #: Decoded things that upper layers keep at hand, by identifier.
        self.ready: dict[bytes, Any] = {}
        #: Digests of code whose sources are known to be here; None: keep none.
        self.sources: set[str] | None = set()
        self._closed = False
        self._types_noted = 0
        # Of backends that collect garbage: what keeps a block that is referred to.
        self._keep = getattr(backend, "keep", backend.has)
        self._busy = getattr(backend, "busy", nullcontext())

    @property
    def journal(self) -> Backend:
        """Where earlier runs and calls are looked up."""
        return self.backend

    def commit(self, value: T) -> Ref[T]:
        """Stores a value.

        Refs inside the value bring along what they point to, from the store that
        they came from, if it is not here.

        Args:
            value: anything that can be stored.

        Returns:
            A ref to it; equal values have equal refs.

        Raises:
            UnstorableValue: a part of it cannot be stored; says which.
            MissingBlock: it holds a ref to a block that cannot be found.
            Purged: this very value was purged.
            StoreClosed: the store was closed.
        """
        self._check_open()
        blocks: list[tuple[bytes, bytes]] = []

        def emit(cid: bytes, data: bytes) -> None:
            blocks.append((cid, data))

        with self._busy:
            cid = Encoder(emit, self.adopt).commit(value)
            if blocks:
                self.backend.put(blocks)
        self.note_types()
        return Ref(cid, self)

    def checkout(self, ref: Ref[T]) -> T:
        """Loads the value that a ref points to: a fresh one every time.

        Raises:
            MissingBlock: neither this store nor the one that the ref came from
                has it.
            UnregisteredType: its type is not known in this process.
            StoreClosed: the store was closed.
        """
        try:
            data = self.load_block(ref.cid)
        except MissingBlock:
            origin = ref.origin
            if origin is None or origin is self:
                raise
            data = origin.load_block(ref.cid)
            return cast("T", decode(data, origin))
        return cast("T", decode(data, self))

    def has(self, ref: Ref[Any]) -> bool:
        """Says whether the block that a ref points to is here."""
        return self.has_block(ref.cid)

    def adopt(self, ref: Ref[Any]) -> None:
        """Sees to it that the store holds all that a ref needs.

        Raises:
            MissingBlock: it is not here, nor in the store that the ref came from.
        """
        cid = ref.cid
        self._check_open()
        if self._keep((cid,)):
            return
        origin = ref.origin
        if origin is None or origin is self:
            raise self._missing(cid)
        copy_closure(origin, self.backend, cid)

    def load_block(self, cid: bytes) -> bytes:
        """Reads the bytes of one block.

        Raises:
            MissingBlock: it is not here.
            Purged: it was removed for good.
            CorruptBlock: the stored bytes have another identifier.
        """
        if self._closed:
            self._check_open()
        data = self.backend.get((cid,)).get(cid)
        if data is None:
            raise self._missing(cid)
        return data

    def load_blocks(self, cids: Sequence[bytes]) -> dict[bytes, bytes]:
        """Reads many blocks in one request.

        Raises:
            MissingBlock: one of them is not here.
        """
        self._check_open()
        found = self.backend.get(cids)
        if len(found) < len(set(cids)):
            lacking = next(cid for cid in cids if cid not in found)
            raise self._missing(lacking)
        return found

    def has_block(self, cid: bytes) -> bool:
        """Says whether a block is here."""
        self._check_open()
        return bool(self.backend.has((cid,)))

    def get_dependency_graph(
        self, refs: Iterable[Ref[Any]], max_depth: int | None = None
    ) -> Mapping[Ref[Any], set[Ref[Any]]]:
        """Maps each ref that is reached to the refs that it depends on.

        Args:
            refs: where to begin, at depth 0.
            max_depth: refs deeper than this are not looked into; None for all.

        Raises:
            MissingBlock: something that is reached is not here.
        """
        self._check_open()
        found = graph(self, [ref.cid for ref in refs], max_depth)
        return {
            Ref[Any](cid, self): {Ref[Any](child, self) for child in children}
            for cid, children in found.items()
        }

    def requirements(self, ref: Ref[Any]) -> dict[str, str]:
        """Says which packages define the types that a ref needs.

        Args:
            ref: to a value that is here, with all that it links to.

        Returns:
            Versions by name of the distribution: as recorded when values of a type
            were last written here, also where the package is not installed; as
            installed here for types of which nothing is recorded. What comes with
            Python, or was not installed, needs nothing.

        Raises:
            MissingBlock: something that is reached is not here.

        Example:
            >>> from enact.stores import ValueStore, memory_backend
            >>> store = ValueStore(memory_backend())
            >>> store.requirements(store.commit([1, "a"]))
            {}
        """
        self._check_open()
        return requirements(self, ref.cid, self.backend)

    get_distribution_requirements = requirements

    def requirement(self, name: str) -> tuple[str, str] | None:
        """Says which package and version defined a type when it was last written.

        Args:
            name: of the type in stored data.

        Returns:
            Name of the distribution and its version; None when nothing is recorded.
        """
        self._check_open()
        return recorded(self.backend, name)

    def note_types(self) -> None:
        """Writes down where types come from that are new; does nothing if none is."""
        if self._types_noted != len(WRITTEN):
            self._types_noted = note(self.backend, self._types_noted)

    def close(self) -> None:
        """Folds everything into place and lets go of it; may be called again.

        Raises:
            StoreUnavailable: the disk does not take the last of the data; what was
                recorded is kept and is folded in when the store is next opened.
        """
        if not self._closed:
            self.backend.close()
            self._closed = True

    def __enter__(self: Self) -> Self:
        self._check_open()
        activation.enter(self)
        return self

    def __exit__(self, *exc: object) -> None:
        activation.leave(self)

    def _missing(self, cid: bytes) -> MissingBlock:
        """Builds the error for a block that is not here: it may have been purged."""
        text = self.backend.entries(TOMBSTONE, cid_text(cid)).get(cid_text(cid))
        if text is not None:
            return purged_error(cid, text)
        return missing(cid, "this store")

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("this store was closed; open it again to use it")
