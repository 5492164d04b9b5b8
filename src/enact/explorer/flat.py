# SPDX-License-Identifier: Apache-2.0
"""All calls of a run in the order in which they began, as a log to be read."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.calls.invocation import from_cid
from enact.calls.layout import read_versions
from enact.calls.versions import Versions
from enact.explorer.pages import Pages
from enact.explorer.runs import head_fields
from enact.explorer.scope import TOP, Scope, path_text, scope_of_run
from enact.query import Call, name_fits
from enact.render.lines import begun_text, call_parts, usage_text
from enact.stores import CallRow

PAGE = 200
STATUSES = ("running", "completed", "failed", "paused", "incomplete", "cancelled")
_WIDTH = 90
_MOST_FOUND = 5_000
_MOST_WALKED = 20_000


class Entry(NamedTuple):
    """A call in the log."""

    path: str
    call: str
    outcome: str
    status: str
    after: float | None
    took: float | None
    verdict: str
    usage: str
    lane: str


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/run/{id}/log")
    def log(
        request: Request, id: str, name: str = "", status: str = "", start: str = ""
    ) -> Response:
        begin = int(start) if start.isdecimal() and len(start) < 10 else 0
        with pages.source.opened() as store:
            scope = scope_of_run(store, id)
            fields = head_fields(scope)
            entries, walked = _entries(scope, name.strip(), status, begin)
            fields.update(
                entries=entries[:PAGE],
                later=begin + PAGE if len(entries) > PAGE else None,
                earlier=max(0, begin - PAGE) if begin else None,
                name=name, status=status, statuses=STATUSES, walked=walked,
            )  # fmt: skip
            return pages.show(request, "log.html", **fields)


def _entries(
    scope: Scope, name: str, status: str, begin: int
) -> tuple[list[Entry], int]:
    """The entries of a page and one more; and how many calls were looked at, if some
    were left out."""
    assert scope.run is not None
    if scope.run.how is not None and scope.root is not None:
        return _walked(scope, name, status, begin)
    paths = Paths(scope)
    rows = list(_rows(scope, name, status, begin))
    return [_entry(scope, row, paths.of(row)) for row in rows], 0


def _rows(scope: Scope, name: str, status: str, begin: int) -> Iterator[CallRow]:
    assert scope.run is not None
    calls, run = scope.store.backend.calls, scope.run.id
    if not name and not status:
        for number in range(begin, begin + PAGE + 1):
            yield from calls(run=run, number=number)
        return
    last = min(begin + PAGE + 1, _MOST_FOUND)
    names = [None] if not name else [n for n in _names(scope) if name_fits(n, name)]
    found = [
        calls(run=run, invokable=one, status=status or None, limit=last)
        for one in names
    ]
    merged = heapq.merge(*found, key=lambda row: row.number)
    yield from islice(merged, begin, last)


def _names(scope: Scope) -> set[str]:
    """Names of all that ran in a run."""
    assert scope.run is not None
    row = scope.run._row
    if row.invocation is not None and row.status != "running":
        ((_, subtree),) = read_versions([row.invocation], scope.store)
        below = Versions(scope.store).below(subtree)
        return {scope.run.name, *(name for name, _ in below)}
    rows = scope.store.backend.calls(run=scope.run.id)
    return {row.invokable for row in islice(rows, _MOST_WALKED)}


def _walked(
    scope: Scope, name: str, status: str, begin: int
) -> tuple[list[Entry], int]:
    """Of a replay the whole tree: calls that were answered have no rows."""
    assert scope.root is not None
    found: list[Entry] = []
    matched = looked = 0
    for view in scope.root.walk():
        looked += 1
        if looked > _MOST_WALKED:
            return found, _MOST_WALKED
        if (name and not name_fits(view.name, name)) or status not in ("", view.status):
            continue
        matched += 1
        if matched <= begin:
            continue
        place = scope.place(view.path)
        if place.row is not None:
            entry = _entry(scope, place.row, path_text(view.path))
        else:
            call, outcome, state = call_parts(view, _WIDTH)
            path = path_text(view.path)
            entry = Entry(path, call, outcome, state, None, None, "", "", "")
        found.append(entry._replace(verdict=place.verdict or ""))
        if len(found) > PAGE:
            break
    return found, 0


def _entry(scope: Scope, row: CallRow, path: str) -> Entry:
    assert scope.run is not None
    outcome, status = "", row.status
    if row.invocation is not None:
        view = from_cid(row.invocation, scope.store)
        call, outcome, _ = call_parts(view, _WIDTH)
    else:
        call = begun_text(scope.store, row.invokable, row.request, _WIDTH)
    usage = "" if row.usage is None else usage_text(Call.usage_of(row))
    took = None if status == "running" else row.duration
    return Entry(
        path, call, outcome, status, max(0.0, row.started - scope.run.started), took,
        row.verdict or "", usage, ".".join(map(str, row.lane)),
    )  # fmt: skip


class Paths:
    """Finds the paths of calls, each caller once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._known: dict[int, list[int]] = {}

    def of(self, row: CallRow) -> str:
        """The path of a call, as addresses have it."""
        above: list[CallRow] = []
        current: CallRow | None = row
        while (
            current is not None
            and current.parent is not None
            and current.number not in self._known
        ):
            above.append(current)
            calls: Any = self._scope.store.backend.calls(
                run=row.run, number=current.parent
            )
            current = next(calls, None)
        path = [] if current is None else self._known.get(current.number, [])
        for one in reversed(above):
            path = [*path, one.index]
            self._known[one.number] = path
        return ".".join(map(str, path)) or TOP
