# SPDX-License-Identifier: Apache-2.0
"""Looking after a store: what can be asked of a backend, and what it answers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

_ADVICE = {
    "block": "copy the block in from another store, or restore a backup",
    "missing": "copy the block in from another store, or restore a backup",
    "call": "restore a backup, or delete the run",
    "run": "restore a backup, or delete the run",
    "entry": "write the entry again, or restore a backup",
    "index": "store.compact() makes the index anew",
    "pack": "restore a backup; what can be read still can be",
    "database": "restore a backup, or try `sqlite3 FILE .recover`",
    "tail": "keep a copy of the file; opening the store takes in what is whole",
    "purge": "purge the block again: it was cut short",
}


@dataclass(frozen=True)
class Fault:
    """Something that is wrong in a store.

    Attributes:
        kind: ``block``, ``missing``, ``call``, ``run``, ``entry``, ``index``,
            ``pack``, ``database``, ``tail`` or ``purge``.
        where: what is at fault, such as an identifier or a table.
        message: in words.
    """

    kind: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.where}: {self.message}"


@dataclass
class Report:
    """What a check of a store has found.

    Attributes:
        place: the store.
        faults: all that is wrong.
        blocks: how many were looked at.
        calls: likewise.
        runs: likewise.
        entries: likewise.

    Example:
        >>> print(Report("runs.db", blocks=5, calls=1, runs=1))
        runs.db is in order: 5 blocks, 1 calls, 1 runs, 0 entries
    """

    place: str
    faults: list[Fault] = field(default_factory=list)
    blocks: int = 0
    calls: int = 0
    runs: int = 0
    entries: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def add(self, kind: str, where: str, message: str) -> None:
        """Notes a fault."""
        self.faults.append(Fault(kind, where, message))

    def __str__(self) -> str:
        counts = (
            f"{self.blocks} blocks, {self.calls} calls, {self.runs} runs,"
            f" {self.entries} entries"
        )
        if self.ok:
            return f"{self.place} is in order: {counts}"
        lines = [f"{self.place} has {len(self.faults)} faults ({counts}):"]
        lines += [f"  {fault}" for fault in self.faults]
        lines.append("What to do:")
        for kind in dict.fromkeys(fault.kind for fault in self.faults):
            lines.append(f"  {kind}: {_ADVICE.get(kind, 'restore a backup')}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Figures:
    """What is in a store, in numbers.

    Attributes:
        place: the file, or ``memory``.
        format: version of the file; 0 for what is no file.
        files: sizes in bytes of the file and of those beside it, by name.
        runs: how many, by the status in their rows.
        calls: how many were executed.
        blocks: how many.
        entries: how many, by kind.
        writers: other processes that have it open for writing, in words.
    """

    place: str
    format: int
    files: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    blocks: int = 0
    entries: Mapping[str, int] = field(default_factory=dict)
    writers: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(self.files.values())


@dataclass(frozen=True)
class Removed:
    """What was taken out of a store.

    Attributes:
        blocks: how many.
        bytes: how many they had, before compression.
    """

    blocks: int = 0
    bytes: int = 0


@runtime_checkable
class Care(Protocol):
    """What a backend offers that can be looked after.

    Attributes:
        busy: held around what must not be cut in two by a collection of garbage:
            looking for blocks, and writing what refers to them.
    """

    busy: AbstractContextManager[object]

    def keep(self, cids: Iterable[bytes]) -> set[bytes]:
        """As `Backend.has`; what is here counts as needed, as if written now."""

    def check(self) -> Report:
        """Looks at everything; finds every fault, and raises for none."""

    def figures(self) -> Figures:
        """Counts what is there, without reading all of it."""

    def collect(self, grace: float) -> Removed:
        """Takes out blocks that nothing needs and that are older than ``grace``.

        Needed is what rows of runs, rows of calls and entries name, and what that
        links to. Entries of kind ``tombstone`` need nothing.

        Raises:
            CorruptBlock: it cannot be told what a damaged block needs.
            StoreUnavailable: somebody else is taking care of this store.
        """

    def delete_run(self, run: str) -> None:
        """Removes the rows of a run and of its calls.

        Raises:
            NotFound: there is no such run.
            RunIsLive: somebody executes it.
        """

    def purge(self, cids: Iterable[bytes], why: str) -> None:
        """Removes blocks for good, and leaves tombstones.

        Raises:
            NotFound: one of them is not here, and never was purged.
            StoreUnavailable: somebody else holds them.
        """

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Writes a copy as of one moment to a file that does not exist yet."""

    def compact(self) -> int:
        """Packs everything anew; returns by how many bytes this shrank."""
