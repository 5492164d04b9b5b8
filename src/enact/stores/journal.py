# SPDX-License-Identifier: Apache-2.0
"""Reading the journal from the database, and what is not in it yet."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from enact.errors import CorruptBlock
from enact.stores.backend import (
    OUTSIDE,
    CallFilter,
    CallRow,
    CodeCount,
    RunFilter,
    RunRow,
    latest_runs,
    newest,
)
from enact.stores.reader import Reader
from enact.stores.rows import call_check, run_check

T = TypeVar("T")

_PAGE = 500
_LAST = (1 << 63) - 1

Place = tuple[int, int]
"""Orders calls: the number of the run in this file, the number of the call."""


class Journal:
    """Runs and calls of a database, together with rows that are still in tails.

    Args:
        reader: of the database.
        path: of the file, for messages.
    """

    def __init__(self, reader: Reader, path: str) -> None:
        self._reader = reader
        self._path = path
        self._names: dict[int, str | bytes] = {}

    def runs(
        self, wanted: RunFilter, limit: int | None, unfolded: Iterable[RunRow]
    ) -> list[RunRow]:
        """Lists runs, newest first.

        Args:
            wanted: conditions.
            limit: at most so many.
            unfolded: rows that are newer than those in the database, in order.
        """
        latest = latest_runs(unfolded)
        sql, values = _conditions(
            [
                ("run = ?", wanted.run),
                ("name = ?", wanted.name),
                ("status = ?", wanted.status),
                ("started >= ?", wanted.since),
            ]
        )
        with self._reader.snapshot() as connection:
            for run, row in list(latest.items()):
                attempt = connection.execute(
                    "SELECT attempt FROM runs WHERE run = ?", (run,)
                ).get
                if attempt is not None and attempt > row.attempt:
                    del latest[run]  # another process has gone on with it
            rows = connection.execute(
                "SELECT run, name, status, invocation, started, duration,"
                ' derived_from, how, meta, attempt, "check" FROM runs'
                f' WHERE coalesce("check", name, status, started) IS NOT NULL{sql}'
                " ORDER BY started DESC, run DESC LIMIT ?",
                (*values, -1 if limit is None else limit + len(latest)),
            ).fetchall()
        found = [row for row in map(self._run, rows) if row.id not in latest]
        return newest(found + list(filter(wanted.accepts, latest.values())), limit)

    def calls(
        self,
        wanted: CallFilter,
        newest_first: bool,
        unfolded: Iterable[CallRow],
        limit: int | None = None,
    ) -> Iterator[CallRow]:
        """Lists calls, in the order of their runs in the file and their numbers.

        Args:
            wanted: conditions.
            newest_first: the other way round.
            unfolded: rows that are newer than those in the database, in order.
            limit: of how many the caller needs, at most.
        """
        page = _PAGE if limit is None else max(1, min(limit, _PAGE))
        latest = {(row.run, row.number): row for row in unfolded}
        numbers = self._run_numbers(dict.fromkeys(run for run, _ in latest))
        held = sorted(
            (
                ((numbers[row.run], row.number), row)
                for row in filter(wanted.accepts, latest.values())
            ),
            reverse=newest_first,
            key=_place,
        )
        stored = (
            (place, row)
            for place, row in self._stored(wanted, newest_first, page)
            if (row.run, row.number) not in latest
        )
        for _, row in heapq.merge(held, stored, key=_place, reverse=newest_first):
            yield row

    def codes(self, unfolded: Iterable[CallRow]) -> list[CodeCount]:
        """Counts calls by the code that they ran.

        Args:
            unfolded: rows that are newer than those in the database, in order.
        """
        latest = {(row.run, row.number): row for row in unfolded}
        numbers = self._run_numbers(dict.fromkeys(run for run, _ in latest))
        by_id = {
            numbers[run] << 32 | number: row
            for (run, number), row in latest.items()
            if numbers[run] < _LAST
        }
        counts = Counter((row.invokable, row.code) for row in latest.values())
        with self._reader.snapshot() as connection:
            rows: list[Any] = connection.execute(
                "SELECT called.name, code.name, count(*) FROM calls"
                " JOIN names AS called ON called.id = calls.invokable"
                " JOIN names AS code ON code.id = calls.code"
                " GROUP BY calls.invokable, calls.code"
            ).fetchall()
            counts.update({(name, code): count for name, code, count in rows})
            # Calls that have begun may be there already, and end only now.
            ids = list(by_id)
            for begin in range(0, len(ids), _PAGE):
                page = ids[begin : begin + _PAGE]
                marks = ", ".join("?" * len(page))
                known: list[Any] = connection.execute(
                    f"SELECT id FROM calls WHERE id IN ({marks})", page
                ).fetchall()
                for (number,) in known:
                    row = by_id[number]
                    counts[row.invokable, row.code] -= 1
        return [
            CodeCount(name, code, count)
            for (name, code), count in counts.items()
            if code is not None and count > 0
        ]

    def each_run(self) -> Iterator[RunRow | CorruptBlock]:
        """Reads all runs of the database; an error takes the place of its row."""
        with self._reader.snapshot() as connection:
            rows = connection.execute(
                "SELECT run, name, status, invocation, started, duration,"
                ' derived_from, how, meta, attempt, "check" FROM runs'
                ' WHERE coalesce("check", name, status, started) IS NOT NULL'
            )
            for columns in rows:
                try:
                    yield self._run(columns)
                except CorruptBlock as error:
                    yield error

    def each_call(self) -> Iterator[tuple[Place, CallRow] | CorruptBlock]:
        """Reads all calls of the database, by run and number; as `each_run`."""
        low = 0
        while rows := self._fetch(
            "calls.id >= ? ORDER BY calls.id LIMIT ?", (low, _PAGE)
        ):
            for columns in rows:
                try:
                    yield self._call(columns)
                except CorruptBlock as error:
                    yield error
            try:
                self._require_order(rows, low, _LAST)
            except CorruptBlock as error:
                yield error
                return
            low = rows[-1][0] + 1

    def _stored(
        self, wanted: CallFilter, newest_first: bool, page: int
    ) -> Iterator[tuple[Place, CallRow]]:
        """Reads page by page, so that nothing is locked while the caller thinks."""
        low, high, conditions = self._range(wanted)
        if wanted.request is not None:
            callers = self._reader.callers(wanted.request)
            if callers is not None:
                yield from self._listed(callers, low, high, conditions, newest_first)
                return
        sql, values = _conditions(conditions)
        order = "DESC" if newest_first else "ASC"
        while low <= high:
            rows = self._fetch(
                f"calls.id BETWEEN ? AND ?{sql} ORDER BY calls.id {order} LIMIT ?",
                (low, high, *values, page),
            )
            self._require_order(rows, low, high, newest_first)
            yield from map(self._call, rows)
            if len(rows) < page:
                return
            if newest_first:
                high = rows[-1][0] - 1
            else:
                low = rows[-1][0] + 1

    def _listed(
        self,
        callers: Sequence[int],
        low: int,
        high: int,
        conditions: list[tuple[str, Any]],
        newest_first: bool,
    ) -> Iterator[tuple[Place, CallRow]]:
        sql, values = _conditions(conditions)
        callers = sorted(
            (call for call in callers if low <= call <= high), reverse=newest_first
        )
        for begin in range(0, len(callers), _PAGE):
            page = callers[begin : begin + _PAGE]
            rows = self._fetch(
                f"calls.id IN ({', '.join('?' * len(page))}){sql}"
                f" ORDER BY calls.id {'DESC' if newest_first else 'ASC'}",
                (*page, *values),
            )
            yield from map(self._call, rows)

    def _range(self, wanted: CallFilter) -> tuple[int, int, list[tuple[str, Any]]]:
        """Finds where in the table to look, and for what."""
        low, high = 0, _LAST
        conditions: list[tuple[str, Any]] = [
            ("calls.status = ?", wanted.status),
            ("calls.request = ?", wanted.request),
            ("calls.started >= ?", wanted.since),
        ]
        if wanted.number is not None and wanted.run is None:
            conditions.append((f"calls.id & {(1 << 32) - 1} = ?", wanted.number))
        if wanted.parent == OUTSIDE:
            conditions.append(("calls.parent IS NULL AND ?", 1))
        elif wanted.parent is not None:
            conditions.append(("calls.parent = ?", wanted.parent))
        with self._reader.snapshot() as connection:
            if wanted.run is not None:
                run = connection.execute(
                    "SELECT id FROM runs WHERE run = ?", (wanted.run,)
                ).get
                if run is None:
                    return 0, -1, []
                # A call begins after the one that made it.
                low = run << 32 | ((wanted.parent or OUTSIDE) + 1)
                high = (run + 1 << 32) - 1
                if wanted.number is not None:
                    low = high = run << 32 | wanted.number
            if wanted.invokable is not None:
                name = connection.execute(
                    "SELECT id FROM names WHERE name = ?", (wanted.invokable,)
                ).get
                if name is None:
                    return 0, -1, []
                conditions.append(("calls.invokable = ?", name))
        return low, high, conditions

    def _require_order(
        self,
        rows: Sequence[tuple[Any, ...]],
        low: int,
        high: int,
        newest_first: bool = False,
    ) -> None:
        """Looks whether the numbers of calls are in order, as in a file that is well.

        In a damaged one, going on after the last number may come to the same rows.
        """
        numbers = [row[0] for row in rows]
        in_order = sorted(set(numbers), reverse=newest_first) == numbers
        if not in_order or (rows and not low <= min(numbers) <= max(numbers) <= high):
            raise CorruptBlock(
                f"the table of calls in {self._path} is damaged: its rows are not in"
                " their order any more"
            )

    def _fetch(self, where: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._reader.snapshot() as connection:
            rows: list[tuple[Any, ...]] = connection.execute(
                "SELECT calls.id, runs.run, calls.parent, calls.lane, calls.position,"
                ' calls."index", calls.invokable, calls.request, calls.invocation,'
                " calls.code, calls.status, calls.started, calls.duration,"
                ' calls.verdict, calls.replaces, calls."order", calls.usage,'
                ' calls."check"'
                f" FROM calls LEFT JOIN runs ON runs.id = calls.id >> 32 WHERE {where}",
                values,
            ).fetchall()
            unknown = {n for row in rows for n in (row[6], row[9])} - {None}
            for number in unknown - self._names.keys():
                name = connection.execute(
                    "SELECT name FROM names WHERE id = ?", (number,)
                ).get
                if name is not None:
                    self._names[number] = name
        return rows

    def _call(self, columns: tuple[Any, ...]) -> tuple[Place, CallRow]:
        call, run, parent, lane, position, index, invokable, request = columns[:8]
        invocation, code, status, started, duration, verdict = columns[8:14]
        replaces, order, usage, check = columns[14:]

        def read() -> CallRow:
            return CallRow(
                run,
                call & 0xFFFFFFFF,
                parent,
                tuple(map(int, lane.split("."))) if lane else (),
                position,
                index,
                self._names[invokable],  # type: ignore[arg-type]  # checked below
                request,
                invocation,
                None if code is None else self._names[code],  # type: ignore[arg-type]
                status,
                started,
                duration,
                verdict,
                replaces,
                order,
                usage,
            )

        row = self._checked(read, call_check, check, f"call {call & 0xFFFFFFFF}", run)
        return (call >> 32, row.number), row

    def _run(self, columns: tuple[Any, ...]) -> RunRow:
        def read() -> RunRow:
            return RunRow._make([*columns[:8], json.loads(columns[8]), columns[9]])

        return self._checked(read, run_check, columns[10], "the row", columns[0])

    def _checked(
        self,
        read: Callable[[], T],
        check: Callable[[T], int],
        expected: int,
        what: str,
        run: str,
    ) -> T:
        try:
            row = read()
            good = check(row) == expected
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            good = False
        if not good:
            raise CorruptBlock(
                f"{what} of run {run} in {self._path} is damaged: it does not have"
                " its checksum any more"
            )
        return row

    def _run_numbers(self, runs: Iterable[str]) -> dict[str, int]:
        """Numbers runs; those that the file does not know yet come last, in order."""
        with self._reader.snapshot() as connection:
            return {
                run: connection.execute("SELECT id FROM runs WHERE run = ?", (run,)).get
                or _LAST + place
                for place, run in enumerate(runs)
            }


def _place(entry: tuple[Place, CallRow]) -> Place:
    return entry[0]


def _conditions(parts: list[tuple[str, Any]]) -> tuple[str, list[Any]]:
    used = [(sql, value) for sql, value in parts if value is not None]
    return "".join(f" AND {sql}" for sql, _ in used), [value for _, value in used]
