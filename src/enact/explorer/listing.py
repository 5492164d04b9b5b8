# SPDX-License-Identifier: Apache-2.0
"""The list of runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from enact.explorer.pages import Pages
from enact.query import Run, Store
from enact.query.lookup import short_runs, tags_by_ref
from enact.render.lines import run_parts
from enact.render.listing import STATUSES, runs_that_fit
from enact.render.moments import moment_in
from enact.render.words import duration_in_words

_PAGE = 50
_MOST = 5000
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


def add(app: FastAPI, pages: Pages) -> None:
    """The pages of this file."""

    @app.get("/")
    def runs(request: Request) -> Response:
        with pages.source.opened() as store:
            fields = _fields(store, request.query_params)
        part = "HX-Request" in request.headers
        return pages.show(request, "runs_part.html" if part else "runs.html", **fields)


def _fields(store: Store, query: Mapping[str, str]) -> dict[str, Any]:
    given = {key: query.get(key, "").strip() for key in FILTERS}
    every = bool(query.get("all"))
    asked = query.get("limit", "")
    limit = max(1, min(int(asked), _MOST)) if asked.isdecimal() else _PAGE
    found: list[Row] = []
    wrong = None
    tags = tags_by_ref(store)
    try:
        options = _options(given)
        if options.get("tag") and not any(given["tag"] in t for t in tags.values()):
            raise ValueError(f"there is no tag {given['tag']!r}")
        runs = runs_that_fit(store, tags, every=every, limit=limit + 1, **options)
        chosen = list(islice(runs, limit + 1))
        length = short_runs(store, [run.id for run in chosen])
        found = [_row(run, length, tags) for run in chosen]
    except ValueError as error:
        wrong = str(error)
    return {
        "rows": found[:limit],
        "more": len(found) > limit and limit < _MOST,
        "limit": limit,
        "given": {**given, "all": "1" if every else ""},
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


def _row(run: Run, length: int, tags: Mapping[bytes | None, list[str]]) -> Row:
    call, outcome, _ = run_parts(run, _WIDTH)
    return Row(run, run.id[:length], call, outcome,
               tags.get(run._row.invocation, []), took(run))  # fmt: skip


def took(run: Run) -> str:
    """How long a run took, or has been going on."""
    if run.status == "running":
        return duration_in_words(max(0.0, time.time() - run.started))
    return duration_in_words(run.duration) if run.duration else "-"
