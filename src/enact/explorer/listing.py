# SPDX-License-Identifier: Apache-2.0
"""The list of runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.explorer.pages import Pages
from enact.explorer.usage import Usage, Usages, columns_of
from enact.query import Run, Store
from enact.query.lookup import short_runs, tags_by_ref
from enact.render.lines import run_parts
from enact.render.listing import STATUSES, runs_that_fit
from enact.render.moments import moment_in
from enact.render.words import duration_in_words

_PAGE = 50
_MOST = 5000
_MOST_SORTED = 1000
_WIDTH = 90
FILTERS = ("name", "status", "tag", "since", "until", "text")


class Row(NamedTuple):
    """A run in the list."""

    run: Run
    short: str
    call: str
    outcome: str
    tags: list[str]
    took: str
    usage: list[str]


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/")
    def runs(request: Request) -> Response:
        with pages.source.opened() as store:
            fields = _fields(store, request.query_params, pages.usages)
        part = "HX-Request" in request.headers
        return pages.show(request, "runs_live.html" if part else "runs.html", **fields)


def _fields(store: Store, query: Mapping[str, str], known: Usages) -> dict[str, Any]:
    given = {key: query.get(key, "").strip() for key in FILTERS}
    every = bool(query.get("all"))
    asked = query.get("limit", "")
    limit = max(1, min(int(asked), _MOST)) if asked.isdecimal() else _PAGE
    sort = query.get("sort", "")
    found: list[Row] = []
    columns: list[str] = []
    more, wrong = False, None
    tags = tags_by_ref(store)
    try:
        options = _options(given)
        if options.get("tag") and not any(given["tag"] in t for t in tags.values()):
            raise ValueError(f"there is no tag {given['tag']!r}")
        most = max(limit, _MOST_SORTED) if sort else limit
        runs = runs_that_fit(store, tags, every=every, limit=most + 1, **options)
        chosen = list(islice(runs, most + 1))
        more = len(chosen) > limit and limit < _MOST
        usages = known.of(store, chosen[:most])
        columns = columns_of(usages)
        chosen = _sorted(chosen[:most], sort, usages)[:limit]
        length = short_runs(store, [run.id for run in chosen])
        found = [_row(r, length, tags, usages.get(r.id), columns) for r in chosen]
    except ValueError as error:
        wrong = str(error)
    return {
        "rows": found,
        "more": more,
        "limit": limit,
        "columns": columns,
        "sort": sort,
        "sorted_among": _MOST_SORTED,
        "given": {**given, "all": "1" if every else "", "sort": sort},
        "filtered": any(given.values()),
        "known_tags": sorted(store.tags()),
        "statuses": STATUSES,
        "wrong": wrong,
    }


def _options(given: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {key: value for key, value in given.items() if value}
    if options.get("status") not in (None, *STATUSES):
        raise ValueError(f"{given['status']!r} is no status")
    for key in ("since", "until"):
        if key in options:
            options[key] = moment_in(options[key])
    return options


def _sorted(
    runs: list[Run], sort: str, usages: Mapping[str, Usage | None]
) -> list[Run]:
    """Runs by what they took or used, the most first; with ``-`` in front the least."""
    name = sort.removeprefix("-")
    if not name:
        return runs

    def figure(run: Run) -> float | None:
        if name == "took":
            return run.duration or None
        if name == "started":
            return run.started
        return (usages.get(run.id) or {}).get(name)

    known = [(value, run) for run in runs if (value := figure(run)) is not None]
    known.sort(key=lambda one: one[0], reverse=not sort.startswith("-"))
    having = {run.id for _, run in known}
    return [run for _, run in known] + [run for run in runs if run.id not in having]


def _row(
    run: Run,
    length: int,
    tags: Mapping[bytes | None, list[str]],
    usage: Usage | None,
    columns: Sequence[str],
) -> Row:
    call, outcome, _ = run_parts(run, _WIDTH)
    figures = [(usage or {}).get(name) for name in columns]
    return Row(
        run, run.id[:length], call, outcome,
        tags.get(run._row.invocation, []), took(run),
        ["" if one is None else f"{one:.6g}" for one in figures],
    )  # fmt: skip


def took(run: Run) -> str:
    """How long a run took, or has been going on."""
    if run.status == "running":
        return duration_in_words(max(0.0, time.time() - run.started))
    return duration_in_words(run.duration) if run.duration else "-"
