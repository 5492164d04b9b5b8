# SPDX-License-Identifier: Apache-2.0
"""The stores that users hold, and what their journal tells."""

from enact.query.affected import Affected
from enact.query.compare import Difference, compare
from enact.query.lookup import Found, find, find_run, name_fits
from enact.query.places import Place, Places, path_of
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
    "Difference",
    "FileStore",
    "Found",
    "InMemoryStore",
    "Place",
    "Places",
    "Run",
    "SQLiteStore",
    "Store",
    "compare",
    "find",
    "find_run",
    "name_fits",
    "open_store",
    "path_of",
    "resume",
    "resume_async",
]
