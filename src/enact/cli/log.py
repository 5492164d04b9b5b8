# SPDX-License-Identifier: Apache-2.0
"""``enact log``: runs, newest first."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import click

from enact.cli.describe import run_line, status_line
from enact.cli.options import Time, json_option, limit_option, store_option
from enact.cli.output import (
    Line,
    note,
    show_json,
    show_table,
    terminal_width,
    values_width,
)
from enact.cli.stores import looking
from enact.query import Run, Store
from enact.query.lookup import short_runs, tags_by_ref
from enact.render.data import run_data
from enact.render.listing import STATUSES, runs_that_fit
from enact.render.words import duration_in_words, time_in_words


@click.command()
@click.option("-f", "--name", metavar="NAME", help="Only runs of this function.")
@click.option("--status", type=click.Choice(STATUSES), help="Only with this status.")
@click.option("--tag", metavar="TAG", help="Only the one with this tag.")
@click.option("--since", type=Time(), metavar="TIME", help="Started then or later.")
@click.option("--until", type=Time(), metavar="TIME", help="Started before then.")
@click.option("--text", metavar="TEXT", help="With this in call, output or error.")
@click.option("-a", "--all", "every", is_flag=True, help="Also what searches ran.")
@limit_option(20)
@json_option
@store_option
def log(limit: int, as_data: bool, url: str | None, **filters: Any) -> None:
    """List runs, newest first.

    A NAME is all of a function's name, its last part, or has * and ? in it. A TIME is
    30min, 2h or 3d ago, or a date such as 2026-11-20 or '2026-11-20 14:30'. A search is
    one run; --all, or --status parked, lists the executions that it tried.
    """
    with looking(url) as store:
        tags = tags_by_ref(store)
        most = limit + 1 if limit else None
        chosen = runs_that_fit(store, tags, limit=most, **filters)
        found = list(islice(chosen, most))
        more = limit and len(found) > limit
        found = found[: limit or None]
        if as_data:
            show_json([run_data(r, tags.get(r._row.invocation, ())) for r in found])
        elif found:
            _show(store, found, tags)
        else:
            note("no run fits" if store.backend.runs(limit=1) else "no runs yet")
        if more and not as_data and terminal_width() is not None:
            note("there are more: -n 0 shows all")


def _show(store: Store, runs: list[Run], tags: dict[bytes | None, list[str]]) -> None:
    length = short_runs(store, [run.id for run in runs])
    width = values_width()
    rows = [
        (
            Line(run.id[:length], "id"),
            Line(time_in_words(run.started), "dim"),
            took(run),
            status_line(run.status),
            Line(run.how or "", "dim"),
            Line(", ".join(tags.get(run._row.invocation, ())), "bold"),
            run_line(run, width),
        )
        for run in runs
    ]
    heads = ("RUN", "STARTED", "TOOK", "STATUS", "HOW", "TAGS", "CALL")
    show_table(heads, rows, right="TOOK")


def took(run: Run) -> str:
    """How long a run took, or has been going on."""
    if run.status == "running":
        return duration_in_words(max(0.0, time.time() - run.started))
    return duration_in_words(run.duration) if run.duration else "-"
