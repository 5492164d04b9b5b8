# SPDX-License-Identifier: Apache-2.0
"""When the calls of a run began and ended, lane by lane."""

from __future__ import annotations

import time
import zlib
from itertools import islice
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.explorer.pages import Pages
from enact.explorer.runs import head_fields
from enact.explorer.scope import Scope, path_in, path_text, scope_of_run
from enact.render import short_name, visible
from enact.render.words import duration_in_words
from enact.stores import CallRow

MOST = 2_000
_MOST_ROWS = 400
_HUES = 6
_TICKS = 8


class Bar(NamedTuple):
    """A call in the timeline; ``left`` and ``width`` in percent of all."""

    path: str
    name: str
    told: str
    status: str
    hue: int
    row: int
    left: float
    width: float


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/run/{id}/timeline")
    def timeline(request: Request, id: str, call: str = "") -> Response:
        with pages.source.opened() as store:
            scope = scope_of_run(store, id)
            fields = head_fields(scope) | timeline_fields(scope, call)
            return pages.show(request, "timeline.html", **fields)


def timeline_fields(scope: Scope, call: str = "") -> dict[str, Any]:
    """What the template of a timeline needs.

    Args:
        scope: the run.
        call: path of the call to look at, with all below it; by default the top.
    """
    path = path_in(call)
    rows, more = _rows(scope, None if not path else scope.place(path).row)
    fields = {"bars": [], "rows": 0, "more": more, "ticks": [], "at": path_text(path)}
    if not rows:
        return fields
    places, height = _places(rows)
    now = time.time()
    begin = rows[0].started
    ends = [now if r.status == "running" else r.started + r.duration for r in rows]
    total = max(max(ends) - begin, 1e-9)
    paths = {rows[0].number: path}
    bars = []
    for row, end in zip(rows, ends, strict=True):
        if row is not rows[0] and row.parent is not None:
            paths[row.number] = (*paths[row.parent], row.index)
        if places[row.number] >= _MOST_ROWS:
            continue
        left = min(max(0.0, (row.started - begin) / total * 100), 100)
        width = min(max((end - row.started) / total * 100, 0.1), 100.1 - left)
        bars.append(_bar(row, paths[row.number], places[row.number], left, width))
    fields.update(
        bars=bars,
        rows=min(height, _MOST_ROWS),
        total=total,
        ticks=[(n * 100 / _TICKS, duration_in_words(total * n / _TICKS))
               for n in range(_TICKS)],
    )  # fmt: skip
    return fields


def _bar(
    row: CallRow, path: tuple[int, ...], place: int, left: float, width: float
) -> Bar:
    name = visible(short_name(row.invokable))
    took = "goes on" if row.status == "running" else duration_in_words(row.duration)
    lane = ".".join(map(str, row.lane))
    told = f"{name}: {row.status}, {took}" + (f", lane {lane}" if lane else "")
    hue = zlib.crc32(row.invokable.encode("utf-8", "replace")) % _HUES
    return Bar(path_text(path), name, told, row.status, hue, place,
               round(left, 3), round(width, 3))  # fmt: skip


def _rows(scope: Scope, top: CallRow | None) -> tuple[list[CallRow], bool]:
    """The first call and those below it, in order; and whether there are more."""
    assert scope.run is not None
    calls, run = scope.store.backend.calls, scope.run.id
    if top is None:
        found = list(islice(calls(run=run, limit=MOST + 1), MOST + 1))
        tops = [row.number for row in found if row.parent is None]
        first = tops[-1] if tops else 0  # of the last try
        top = next((row for row in found if row.number == first), None)
    else:
        found = []
        for number in range(top.number, top.number + MOST + 1):
            found.extend(calls(run=run, number=number))
    kept: list[CallRow] = []
    numbers: set[int] = set()
    for row in found[:MOST]:
        if top is not None and (row.number == top.number or row.parent in numbers):
            kept.append(row)
            numbers.add(row.number)
    return kept, len(found) > MOST


def _places(rows: list[CallRow]) -> tuple[dict[int, int], int]:
    """In which row of the picture each call is, and how many rows there are.

    What a call made is below it: calls of one lane beside each other, lanes below each
    other.
    """
    lanes: dict[int, dict[tuple[int, ...], int]] = {row.number: {} for row in rows}
    for row in reversed(rows[1:]):
        height = 1 + sum(lanes[row.number].values())
        if row.parent is not None:
            beside = lanes[row.parent]
            beside[row.lane] = max(beside.get(row.lane, 0), height)
    starts: dict[int, dict[tuple[int, ...], int]] = {}
    places: dict[int, int] = {}
    for row in rows:
        if row is rows[0] or row.parent is None:
            places[row.number] = 0
        else:
            places[row.number] = starts[row.parent][row.lane]
        below = places[row.number] + 1
        starts[row.number] = {}
        for lane in sorted(lanes[row.number]):
            starts[row.number][lane] = below
            below += lanes[row.number][lane]
    return places, 1 + sum(lanes[rows[0].number].values())
