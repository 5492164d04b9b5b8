# SPDX-License-Identifier: Apache-2.0
"""Looking after a store: checking it, cleaning it up, copying it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from enact.errors import StoreError
from enact.stores import Care, Figures, Removed, Report, ValueStore
from enact.stores.trees import with_chunks
from enact.values import Ref

if TYPE_CHECKING:
    from enact.query.records import Run

DAY = 86_400.0


class CaredFor(ValueStore):
    """A store that can be looked after, if its backend can."""

    def check(self) -> Report:
        """Looks at everything in the store, and reports all that is wrong.

        Blocks must have their hashes, be well-formed, and what they link to must be
        here; rows must have their checksums and the blocks that they name; the index
        must fit. Nothing is changed, and others may go on writing.

        Returns:
            A report: ``ok``, and ``faults`` with kind, place and message each.
            Printed, it says what to do next.

        Raises:
            StoreClosed: the store was closed.

        Example:
            >>> import enact
            >>> store = enact.InMemoryStore()
            >>> ref = store.commit("sea")
            >>> print(store.check())
            memory is in order: 1 blocks, 0 calls, 0 runs, ...
        """
        return self._care().check()

    def figures(self) -> Figures:
        """Counts what is in the store, without reading all of it.

        Returns:
            Its place, sizes of files, and how many runs, calls, blocks and entries.

        Example:
            >>> import enact
            >>> store = enact.InMemoryStore()
            >>> ref = store.commit("sea")
            >>> store.figures().blocks
            1
        """
        return self._care().figures()

    def gc(self, grace: float = DAY) -> Removed:
        """Takes out blocks that nothing needs.

        Needed is what runs, calls, tags and other entries name, and all that this
        links to. A commit that none of them leads to is garbage once it is older than
        the grace period. Others may go on writing. Space is given back by `compact`.

        Args:
            grace: seconds. Blocks that were written since then stay; where other
                processes write the store, blocks of the last ten minutes in any
                case, and while runs go on what was written since they began. In
                memory, this counts from the first call of ``gc`` that found a block
                to be garbage.

        Returns:
            How many blocks went, and how many bytes they had.

        Raises:
            CorruptBlock: a block that is needed is damaged; nothing was removed.
            StoreUnavailable: the store can only be read, or somebody else is
                cleaning it up.

        Example:
            >>> import enact
            >>> store = enact.InMemoryStore()
            >>> ref = store.commit("nobody needs this")
            >>> store.gc(), store.gc(grace=0)
            (Removed(blocks=0, bytes=0), Removed(blocks=1, bytes=18))
        """
        return self._care().collect(grace)

    def delete(self, run: Run | str) -> None:
        """Removes a run and its calls from the journal; `gc` removes their blocks.

        Args:
            run: one of `runs`, or its identifier.

        Raises:
            NotFound: there is no such run.
            RunIsLive: it is being executed.
            StoreUnavailable: the store can only be read, or another process has
                not yet written all of the run into the file.

        Example:
            >>> import enact
            >>> @enact.register
            ... def seven(): return 7
            >>> with enact.InMemoryStore() as store:
            ...     inv = enact.invoke(seven)
            ...     store.delete(store.runs()[0])
            ...     store.runs()
            []
        """
        self._care().delete_run(run if isinstance(run, str) else run.id)

    def purge(self, ref: Ref[Any], why: str = "") -> None:
        """Removes a value for good, and leaves a tombstone.

        Its bytes are gone from the store's files when this returns, those of the
        chunks of long texts and lists too, even if other values share them. What the
        value refers to stays, and so does what refers to it. Whoever reads it gets
        `Purged`; committing it again is refused, and a call that meets it again is
        recorded without it. A purge that was cut short is finished by another one.

        Args:
            ref: to the value.
            why: for people.

        Raises:
            NotFound: it is not here.
            StoreUnavailable: the store can only be read, or another process holds
                the value and has not yet written it into the file.

        Example:
            >>> import enact
            >>> store = enact.InMemoryStore()
            >>> ref = store.commit("secret")
            >>> store.purge(ref, why="a password")
            >>> store.checkout(ref)
            Traceback (most recent call last):
            enact.errors.Purged: block bafy... was purged on ...: a password. ...
        """
        care = self._care()
        cids = with_chunks(self, ref.cid)
        for cid in cids:
            self.ready.pop(cid, None)
        care.purge(cids, why)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Writes a copy of the store as it is now, while others may write.

        Args:
            path: of a file that does not exist yet; it appears when it is complete.

        Raises:
            StoreUnavailable: there is such a file already, or it cannot be made.
            StoreError: the store is in memory.
        """
        self._care().backup(path)

    def compact(self) -> int:
        """Packs everything anew, and gives free space back to the file system.

        Others may go on reading and writing.

        Returns:
            By how many bytes the store shrank.

        Raises:
            StoreUnavailable: the store can only be read, or somebody else is
                cleaning it up.

        Example:
            >>> import enact
            >>> enact.InMemoryStore().compact()
            0
        """
        return self._care().compact()

    def _care(self) -> Care:
        self._check_open()
        if not isinstance(self.backend, Care):
            raise StoreError(
                f"{type(self.backend).__name__} does not offer this: see"
                " enact.stores.Care"
            )
        return self.backend
