# SPDX-License-Identifier: Apache-2.0
"""The stores that users hold, and what their journal tells."""

from enact.query.affected import Affected
from enact.query.records import Call, Run
from enact.query.resume import resume, resume_async
from enact.query.store import (
    FileStore,
    InMemoryStore,
    SQLiteStore,
    Store,
    open_store,
)

__all__ = [
    "Affected",
    "Call",
    "FileStore",
    "InMemoryStore",
    "Run",
    "SQLiteStore",
    "Store",
    "open_store",
    "resume",
    "resume_async",
]
