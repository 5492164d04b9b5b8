# SPDX-License-Identifier: Apache-2.0
"""From a call to the next one of the same function, wherever that is in the run."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from enact.explorer.flat import Paths
from enact.explorer.growing import Path
from enact.explorer.pages import Pages, address
from enact.explorer.scope import Scope, path_in, path_text, scope_at
from enact.explorer.tree import NOTHING
from enact.query import Place
from enact.stores import CallRow

# So many calls are looked at on the way.
_MOST = 2_000


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/{kind}/{id}/step")
    def step(
        request: Request, kind: str, id: str, call: str = "", to: str = "next"
    ) -> Response:
        with pages.source.opened() as store:
            scope = scope_at(store, kind, id)
            place = scope.place(path_in(call))
            found = _found(scope, place, back=to != "next")
            if found is None:  # it was the last one
                found = path_text(place.view.path)
            unfolded = _unfolded(request.query_params.get("open"), path_in(found))
            target = address(scope.base, open=unfolded, call=found)
            return RedirectResponse(f"{target}#call-{found}", 303)


def _found(scope: Scope, place: Place, *, back: bool) -> str | None:
    """The path of the next call of the same function, or of the one before."""
    if place.row is not None and scope.run is not None and scope.run.how is None:
        rows = _rows_before(scope, place.row) if back else _rows_after(scope, place.row)
        row = next((r for r in rows if r.invokable == place.row.invokable), None)
        return None if row is None else Paths(scope).of(row)
    return _beside(scope, place, back=back)


def _rows_after(scope: Scope, row: CallRow) -> Iterator[CallRow]:
    found = scope.store.backend.calls(
        run=row.run, invokable=row.invokable, since=row.started, limit=_MOST
    )
    return (one for one in found if one.number > row.number)


def _rows_before(scope: Scope, row: CallRow) -> Iterator[CallRow]:
    for number in range(row.number - 1, max(-1, row.number - 1 - _MOST), -1):
        yield from scope.store.backend.calls(run=row.run, number=number)


def _beside(scope: Scope, place: Place, *, back: bool) -> str | None:
    """Where there are no rows: among the calls of the same caller."""
    path = place.view.path
    if not path or scope.root is None:
        return None
    above = scope.root[path[:-1]] if path[:-1] else scope.root
    count = len(above._recorded().children)
    step = -1 if back else 1
    end = max(-1, path[-1] - _MOST) if back else min(count, path[-1] + _MOST)
    for index in range(path[-1] + step, end, step):
        if above[index].name == place.view.name:
            return path_text((*path[:-1], index))
    return None


def _unfolded(text: str | None, path: Path) -> str | None:
    """What is unfolded in the tree, with what is above a call."""
    if text is None:
        return None
    paths = {part for part in text.split(",") if part not in ("", NOTHING)}
    paths |= {path_text(path[:level]) for level in range(len(path))}
    return ",".join(sorted(paths))
