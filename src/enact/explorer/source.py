# SPDX-License-Identifier: Apache-2.0
"""The store that pages show, as it is at the moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from enact.query import Store, open_store


class Source:
    """Opens a store for those who look, and again when somebody begins to write it.

    A file without a log beside it is read without locks, as it was when it was opened:
    once it changes, it has to be opened anew.

    Args:
        path: of the file.
        writable: for answers and forks; else the store is neither made nor changed.

    Attributes:
        path: of the file.
        writable: whether it can be changed.
    """

    def __init__(self, path: str, *, writable: bool = False) -> None:
        self.path = path
        self.writable = writable
        self._lock = threading.Lock()
        self._users: dict[int, int] = {}
        self._state = _state(path)
        self._store = open_store(path, read_only=not writable)

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """The store, which stays open meanwhile."""
        with self._lock:
            if not self.writable:
                self._follow()
            store = self._store
            self._users[id(store)] = self._users.get(id(store), 0) + 1
        try:
            yield store
        finally:
            with self._lock:
                self._users[id(store)] -= 1
                if not self._users[id(store)]:
                    del self._users[id(store)]
                    if store is not self._store:
                        store.close()

    def close(self) -> None:
        """Let go of the store."""
        with self._lock:
            self._store.close()

    def _follow(self) -> None:
        state = _state(self.path)
        if state == self._state:
            return
        store = open_store(self.path, read_only=True)
        old, self._store, self._state = self._store, store, state
        if id(old) not in self._users:
            old.close()


def _state(path: str) -> object:
    """What is another one when the file has to be opened anew."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if os.path.exists(f"{path}-wal"):
        return found.st_dev, found.st_ino, "log"
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
