# SPDX-License-Identifier: Apache-2.0
"""Where blocks and the journal live, and values in them."""

from enact.stores.backend import Backend, Block, CallRow, CodeCount, RunRow
from enact.stores.care import Care, Fault, Removed, Report
from enact.stores.locate import (
    backend_for,
    file_backend,
    memory_backend,
    sqlite_backend,
)
from enact.stores.memory import MemoryBackend
from enact.stores.store import ValueStore

__all__ = [
    "Backend",
    "Block",
    "CallRow",
    "Care",
    "CodeCount",
    "Fault",
    "MemoryBackend",
    "Removed",
    "Report",
    "RunRow",
    "ValueStore",
    "backend_for",
    "file_backend",
    "memory_backend",
    "sqlite_backend",
]
