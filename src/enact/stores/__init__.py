# SPDX-License-Identifier: Apache-2.0
"""Where blocks and the journal live, and values in them."""

from enact.stores.backend import (
    OUTSIDE,
    Backend,
    Block,
    CallRow,
    CodeCount,
    RunRow,
    SharesFlushes,
)
from enact.stores.care import Care, Fault, Figures, Removed, Report
from enact.stores.locate import (
    backend_for,
    file_backend,
    memory_backend,
    path_at,
    sqlite_backend,
)
from enact.stores.memory import MemoryBackend
from enact.stores.overlay import Overlay
from enact.stores.store import ValueStore

__all__ = [
    "OUTSIDE",
    "Backend",
    "Block",
    "CallRow",
    "Care",
    "CodeCount",
    "Fault",
    "Figures",
    "MemoryBackend",
    "Overlay",
    "Removed",
    "Report",
    "RunRow",
    "SharesFlushes",
    "ValueStore",
    "backend_for",
    "file_backend",
    "memory_backend",
    "path_at",
    "sqlite_backend",
]
