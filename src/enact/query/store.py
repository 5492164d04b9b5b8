# SPDX-License-Identifier: Apache-2.0
"""The stores that users hold: values, and the journal of what ran."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from enact.calls import Invocation
from enact.calls.invocation import from_cid
from enact.stores import (
    Backend,
    CallRow,
    RunRow,
    ValueStore,
    backend_for,
    file_backend,
    memory_backend,
    sqlite_backend,
)


class Store(ValueStore):
    """Values in a backend, and the journal of the executions that made them.

    Inside its ``with`` block a store is the active one: ``commit``, ``checkout`` and
    ``invoke`` use it. It can be entered again, and nested in others.

    Args:
        backend: where the data lives; by default in memory.

    Example:
        >>> import enact
        >>> with enact.Store() as store:
        ...     ref = enact.commit(["sea", 3])
        ...     store.has(ref), ref.checkout()
        (True, ['sea', 3])
    """

    def __init__(self, backend: Backend | None = None) -> None:
        super().__init__(memory_backend() if backend is None else backend)

    def runs(self, **filters: Any) -> list[Run]:
        """Executions from outside, newest first.

        Args:
            filters: ``name`` of the invokable, ``status``, ``since`` (seconds since
                the epoch), ``limit``.
        """
        return [Run(self, row) for row in self.backend.runs(**filters)]

    def calls(self, **filters: Any) -> Iterator[CallRow]:
        """Executed calls, as rows of the journal. Reused calls have no row.

        Args:
            filters: ``run``, ``invokable``, ``status``, ``since``, ``limit``, ...; see
                ``enact.stores.Backend.calls``.
        """
        return self.backend.calls(**filters)


class Run:
    """One execution from outside.

    Attributes:
        id: of the run; later runs sort after earlier ones.
        name: of the invokable.
        status: ``running``, ``completed``, ``failed``, ``paused`` or
            ``interrupted``.
        started: seconds since the epoch.
        duration: seconds.
        meta: about the process that ran it.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self._store = store
        self._row = row
        self.id = row.id
        self.name = row.name
        self.status = row.status
        self.started = row.started
        self.duration = row.duration
        self.meta = row.meta

    @property
    def invocation(self) -> Invocation | None:
        """What is recorded; None while the run goes on."""
        cid = self._row.invocation
        return None if cid is None else from_cid(cid, self._store)

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.name}: {self.status}>"


class InMemoryStore(Store):
    """A store that lives as long as its process."""

    def __init__(self) -> None:
        super().__init__(memory_backend())


class SQLiteStore(Store):
    """A store in one SQLite file.

    Args:
        path: of the file; it is made, with its directory, if it does not exist.
        durability: ``"call"`` (each call is on disk before it returns), ``"adaptive"``
            (each call that took longer than that takes), or ``"end"``.

    Raises:
        NotAStore: the file is something else.
        StoreVersionError: a newer enact made it.
        StoreUnavailable: it cannot be opened or written.
    """

    def __init__(
        self, path: str | os.PathLike[str], durability: str = "adaptive"
    ) -> None:
        super().__init__(sqlite_backend(path, durability=durability))


class FileStore(Store):
    """A ``SQLiteStore`` named by the directory that its file ``enact.db`` is in.

    Args:
        directory: is made if it does not exist.
        durability: as for ``SQLiteStore``.
    """

    def __init__(
        self, directory: str | os.PathLike[str], durability: str = "adaptive"
    ) -> None:
        super().__init__(file_backend(directory, durability=durability))


def open_store(url: str | os.PathLike[str] | None = None) -> Store:
    """Open the store at an address.

    Args:
        url: a path (``runs.db``), ``sqlite:///runs.db`` or ``memory:``; by default
            ``$ENACT_STORE``, else ``./.enact/enact.db``.

    Raises:
        StoreError: the kind of store is not known.
        NotAStore, StoreVersionError, StoreUnavailable: as for ``SQLiteStore``.

    >>> with open_store("memory:") as store:
    ...     store.runs()
    []
    """
    return Store(backend_for(url))
