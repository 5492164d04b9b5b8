# SPDX-License-Identifier: Apache-2.0
"""The runs that somebody looks for, newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from enact.errors import EnactError, NotFound
from enact.query import Run, Store, name_fits
from enact.query.lookup import WITHIN_SEARCH
from enact.render.lines import run_parts

STATUSES = ("running", "interrupted", "paused", "failed", "completed", "parked")


def runs_that_fit(
    store: Store,
    tags: Mapping[bytes | None, Collection[str]],
    *,
    name: str | None = None,
    status: str | None = None,
    tag: str | None = None,
    since: float | None = None,
    until: float | None = None,
    text: str | None = None,
    every: bool = False,
    limit: int | None = None,
) -> Iterator[Run]:
    """Find runs.

    Args:
        store: where to look.
        tags: the names that things have in it, by their identifiers.
        name: of the function, as for ``name_fits``.
        status: one of `STATUSES`.
        tag: of what it recorded.
        since: started then or later, seconds since the epoch.
        until: started before then.
        text: is in the call, its output or its error.
        every: also the executions that searches tried.
        limit: so many are wanted; there may come more.

    Raises:
        NotFound: there is no such tag.
    """
    if tag is not None and not any(tag in names for names in tags.values()):
        raise NotFound(f"there is no tag {tag!r}: `enact tag` lists all")
    every = every or status == "parked" or tag is not None
    plain = not (name or tag or until or text) and status not in STATUSES[:2]
    return (
        run
        for run in _runs(store, status, since, every, limit if plain else None)
        if (name is None or name_fits(run.name, name))
        and (until is None or run.started < until)
        and (tag is None or tag in tags.get(run._row.invocation, ()))
        and (text is None or _says(run, text))
    )


def _runs(
    store: Store,
    status: str | None,
    since: float | None,
    every: bool,
    limit: int | None,
) -> Iterator[Run]:
    wanted = None if status in ("running", "interrupted") else status
    rows = store.backend.runs(status=wanted, since=since, limit=limit)
    if not every:
        if limit is not None and any(row.how == WITHIN_SEARCH for row in rows):
            rows = store.backend.runs(status=wanted, since=since)
        rows = [row for row in rows if row.how != WITHIN_SEARCH]
    runs = (Run(store, row) for row in rows)
    return (run for run in runs if status in (None, run.status))


def _says(run: Run, text: str) -> bool:
    try:
        return text.casefold() in "".join(run_parts(run, 1_000_000)[:2]).casefold()
    except EnactError:
        return False
