# SPDX-License-Identifier: Apache-2.0
"""All runs that began with the same request, as branches of the first."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.calls.layout import read_calls
from enact.explorer.arranged import arranged
from enact.explorer.listing import took
from enact.explorer.pages import Pages
from enact.explorer.runs import head_fields
from enact.explorer.scope import Scope, scope_of_run
from enact.query import Call, Run, Store
from enact.query.lookup import short_runs
from enact.query.sums import sums_of
from enact.render.lines import run_parts
from enact.stores import OUTSIDE, CallRow

_MOST = 200
_WIDTH = 60


class Branch(NamedTuple):
    """A run among the branches."""

    run: Run
    short: str
    level: int
    what: str
    score: float | None
    took: str
    outcome: str
    here: bool


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/run/{id}/branches")
    def branches(request: Request, id: str) -> Response:
        with pages.source.opened() as store:
            scope = scope_of_run(store, id)
            found, more = _branches(scope)
            fields = head_fields(scope) | {"branches": found, "more": more}
            return pages.show(request, "branches.html", **fields)


def _branches(scope: Scope) -> tuple[list[Branch], bool]:
    assert scope.run is not None
    store = scope.store
    runs, tops = _runs(store, scope)
    more = len(runs) > _MOST
    runs = runs[:_MOST]
    parents = _parents(store, runs)
    short = short_runs(store, [run.id for run in runs])
    found: list[Branch] = []
    for run, level in arranged(runs, lambda r: r.id, lambda r: parents[r.id]):
        row = tops.get(run.id)
        usage = {} if row is None else Call.usage_of(row)
        score = usage.get("score")
        found.append(
            Branch(
                run, run.id[:short], level, _what(store, run),
                score if isinstance(score, (int, float)) else None,
                took(run), run_parts(run, _WIDTH)[1], run == scope.run,
            )
        )  # fmt: skip
    return found, more


def _runs(store: Store, scope: Scope) -> tuple[list[Run], dict[str, CallRow]]:
    """Runs with the same request, oldest first, with the rows of their first calls."""
    assert scope.run is not None
    if scope.root is not None:
        request: bytes | None = scope.root.request.cid
    else:
        row = next(store.backend.calls(run=scope.run.id, parent=OUTSIDE), None)
        request = None if row is None else row.request
    tops: dict[str, CallRow] = {}
    if request is not None:
        for row in store.backend.calls(request=request, parent=OUTSIDE):
            tops[row.run] = row
            if len(tops) > _MOST * 5:
                break
    ids = dict.fromkeys([*tops, scope.run.id])
    rows = [row for id in ids for row in store.backend.runs(run=id)]
    # What was replayed whole has no call that ran; it names what it replays.
    known = {row.invocation for row in rows if row.invocation is not None}
    rows += [
        row
        for row in store.backend.runs(name=scope.run.name, limit=_MOST * 5)
        if row.id not in ids and row.derived_from in known
    ]
    rows.sort(key=lambda row: (row.started, row.id))
    return [Run(store, row) for row in rows], tops


def _parents(store: Store, runs: list[Run]) -> dict[str, str | None]:
    """What each run branches from; None for those that began anew."""
    ids = {run.id for run in runs}
    return {
        run.id: _parent(store, run, runs[:place], ids) for place, run in enumerate(runs)
    }


def _parent(store: Store, run: Run, before: list[Run], ids: set[str]) -> str | None:
    named = run.meta.get("branch")
    if named in ids and any(one.id == named for one in before):
        return str(named)
    derived = run._row.derived_from
    if derived is None:
        return None
    for one in before:
        if one._row.invocation == derived:
            return one.id
    # An edit or a rewind: the one whose calls it begins with.
    own = read_calls([derived], store)[0].children
    best: tuple[int, str | None] = (0, None)
    for one in before:
        cid = one._row.invocation
        if cid is None:
            continue
        other = read_calls([cid], store)[0].children
        shared = sum(1 for a, b in zip(own, other, strict=False) if a == b)
        if shared > best[0]:
            best = (shared, one.id)
    return best[1] or (before[0].id if before else None)


def _what(store: Store, run: Run) -> str:
    """What made a branch of a run, in words."""
    if run.how is None:
        return ""
    verdicts = sums_of(store, run).verdicts
    told = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    return f"{run.how}{': ' if told else ''}{told}"
