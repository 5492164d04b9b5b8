# SPDX-License-Identifier: Apache-2.0
"""``enact calls`` and ``enact samples``: single calls out of all runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import click

from enact.calls.layout import REQUEST
from enact.cli.describe import SHORT_REF, begun_line, call_line, status_line
from enact.cli.errors import Failure
from enact.cli.options import (
    Name,
    Time,
    json_option,
    limit_option,
    name_argument,
    store_option,
)
from enact.cli.output import Call as CallLine
from enact.cli.output import (
    Line,
    note,
    show_json,
    show_table,
    terminal_width,
    values_width,
)
from enact.cli.stores import looking
from enact.query import Call, Store, find, find_run, name_fits, path_of
from enact.query.lookup import short_runs
from enact.render.data import call_data
from enact.render.lines import usage_text
from enact.render.words import duration_in_words, iso_time, time_in_words
from enact.values import decode_form

STATUSES = ("running", "completed", "failed", "paused", "incomplete", "cancelled")


@click.command()
@click.option("-f", "--name", metavar="NAME", help="Only calls of this function.")
@click.option("--status", type=click.Choice(STATUSES), help="Only with this status.")
@click.option("--run", type=Name(), metavar="RUN", help="Only calls of this run.")
@click.option("--since", type=Time(), metavar="TIME", help="Started then or later.")
@click.option("--text", metavar="TEXT", help="With this in call, output or error.")
@limit_option(20)
@json_option
@store_option
def calls(
    name: str | None,
    status: str | None,
    run: str | None,
    since: float | None,
    text: str | None,
    limit: int,
    as_data: bool,
    url: str | None,
) -> None:
    """List executed calls, newest first.

    Calls that a replay answered from the record did not run, and are not listed.
    """
    with looking(url) as store:
        chosen = None if run is None else find_run(store, run).id
        filters: dict[str, Any] = {"run": chosen, "status": status, "since": since}
        if limit and text is None:
            filters["limit"] = limit + 1
        rows = _calls(store, name, filters)
        if text is not None:
            wanted = text.casefold()
            rows = (
                call
                for call in rows
                if wanted in _line(store, call, 1_000_000).text.casefold()
            )
        found = list(islice(rows, limit + 1 if limit else None))
        more = limit and len(found) > limit
        found = found[: limit or None]
        if as_data:
            show_json([_data(store, call) for call in found])
        elif found:
            _show(store, found)
        else:
            note("no call fits")
        if more and not as_data and terminal_width() is not None:
            note("there are more: -n 0 shows all")


def _calls(store: Store, name: str | None, filters: dict[str, Any]) -> Iterator[Call]:
    """Calls newest first; of several functions if the name fits several."""
    if name is None:
        return store.calls(newest_first=True, **filters)
    names = {count.invokable for count in store.backend.codes()}
    names.add(f"enact/{name}")  # what is part of enact has no code
    fitting = [one for one in sorted(names) if name_fits(one, name)]
    found = [
        call
        for one in fitting
        for call in store.calls(invokable=one, newest_first=True, **filters)
    ]
    if len(fitting) > 1:
        found.sort(key=lambda call: call.started, reverse=True)
    return iter(found)


def _line(store: Store, call: Call, width: int) -> CallLine:
    invocation = call.invocation
    if invocation is not None:
        return call_line(invocation, width)
    request = call.request
    cid = None if request is None else request.cid
    return begun_line(store, call.name, cid, width)


def _show(store: Store, found: Sequence[Call]) -> None:
    length = short_runs(store, [call.run for call in found])
    width = values_width()
    rows = [
        (
            Line(call.run[:length], "id").add(_path(store, call)),
            Line(time_in_words(call.started), "dim"),
            "" if call.status == "running" else duration_in_words(call.duration),
            status_line(call.status),
            Line(call.verdict or "", "dim"),
            Line(usage_text(call.usage), "dim"),
            _line(store, call, width),
        )
        for call in found
    ]
    heads = ("CALL", "STARTED", "TOOK", "STATUS", "VERDICT", "USAGE", "WHAT")
    show_table(heads, rows, right="TOOK")


def _path(store: Store, call: Call) -> str:
    path = path_of(store, call)
    return f"/{path}" if path else ""


def _data(store: Store, call: Call) -> dict[str, Any]:
    invocation = call.invocation
    request = call.request
    return {
        "run": call.run,
        "number": call.number,
        "path": path_of(store, call),
        "ref": None,
        "request": None if request is None else request.id,
        "name": call.name,
        **({} if invocation is None else call_data(invocation)),
        "status": call.status,
        "verdict": call.verdict,
        "started": iso_time(call.started),
        "duration": None if call.status == "running" else call.duration,
        "usage": call.usage,
    }


@click.command()
@name_argument()
@limit_option(0)
@json_option
@store_option
def samples(what: str, limit: int, as_data: bool, url: str | None) -> None:
    """List all outcomes drawn for one request, oldest first.

    WHAT is a call, such as @latest/2/0, or the ref of a request.
    """
    with looking(url) as store:
        found = find(store, what)
        cid = found.ref.cid
        if found.invocation is not None:
            cid = found.invocation.request.cid
        else:
            form: Any = decode_form(store.load_block(cid))
            if type(form) is not dict or form.get("$") != REQUEST:
                raise Failure(
                    f"{what} is neither a call nor a request: see the refs in"
                    " `enact calls --json`"
                )
        rows = [
            row
            for row in store.backend.calls(request=cid)
            if row.status in ("completed", "failed")
        ]
        rows.sort(key=lambda row: (row.started, row.run, row.number))
        drawn = [Call(store, row) for row in rows[: limit or None]]
        if as_data:
            show_json([_data(store, call) for call in drawn])
        elif drawn:
            _show_samples(store, drawn)
        else:
            note("none was drawn")


def _show_samples(store: Store, drawn: Sequence[Call]) -> None:
    length = short_runs(store, [call.run for call in drawn])
    width = values_width()
    rows = []
    for number, call in enumerate(drawn):
        invocation = call.invocation
        rows.append(
            (
                str(number),
                Line(call.run[:length], "id").add(_path(store, call)),
                Line("" if invocation is None else invocation.ref.id[:SHORT_REF]),
                Line(time_in_words(call.started), "dim"),
                duration_in_words(call.duration),
                _line(store, call, width),
            )
        )
    heads = ("#", "CALL", "REF", "STARTED", "TOOK", "WHAT")
    show_table(heads, rows, right="# TOOK")
