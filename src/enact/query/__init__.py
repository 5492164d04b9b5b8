# SPDX-License-Identifier: Apache-2.0
"""The stores that users hold."""

from enact.query.store import (
    FileStore,
    InMemoryStore,
    SQLiteStore,
    Store,
    open_store,
)

__all__ = ["FileStore", "InMemoryStore", "SQLiteStore", "Store", "open_store"]
