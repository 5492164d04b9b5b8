# SPDX-License-Identifier: Apache-2.0
"""How much is in a store, without reading all of it."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from enact.stores.care import Figures
from enact.stores.opened import cut
from enact.stores.schema import version

if TYPE_CHECKING:
    from enact.stores.opened import Opened


def figures(store: Opened) -> Figures:
    """Counts what is in a SQLite store; see `Care.figures`."""
    with cut(store) as found:
        connection = found.connection
        runs: Counter[str] = Counter()
        rows: list[Any] = connection.execute(
            "SELECT run, status FROM runs"
            ' WHERE coalesce("check", name, status, started) IS NOT NULL'
        ).fetchall()
        written = {run: str(status) for run, status in rows}
        written.update((row.id, row.status) for row in found.runs)
        runs.update(written.values())
        entries: list[Any] = connection.execute(
            "SELECT kind, count(*) FROM entries GROUP BY kind ORDER BY kind"
        ).fetchall()
        blocks: Any = connection.execute(
            "SELECT sum(entries) FROM segments WHERE kind = 'block'"
        ).get
        calls: Any = connection.execute("SELECT count(*) FROM calls").get
        return Figures(
            store.path,
            version(connection, store.path),
            _files(store.path),
            dict(runs),
            calls + _new_calls(connection, found.calls),
            (blocks or 0) + len(found.blocks),
            dict(entries),
            tuple(store.owner.others()),
        )


def _new_calls(connection: Any, rows: list[Any]) -> int:
    """Counts calls in tails that have no row in the database yet."""
    new = {(row.run, row.number) for row in rows}
    numbers = {
        run: connection.execute("SELECT id FROM runs WHERE run = ?", (run,)).get
        for run in {run for run, _ in new}
    }
    return sum(
        numbers[run] is None
        or connection.execute(
            "SELECT 1 FROM calls WHERE id = ?", (numbers[run] << 32 | number,)
        ).get
        is None
        for run, number in new
    )


def _files(path: str) -> dict[str, int]:
    directory, name = os.path.split(path)
    found: dict[str, int] = {}
    with suppress(OSError), os.scandir(directory or ".") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name == name or entry.name.startswith(f"{name}-"):
                with suppress(OSError):
                    found[entry.name] = entry.stat().st_size
    return found
