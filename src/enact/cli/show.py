# SPDX-License-Identifier: Apache-2.0
"""``enact show``: a run as a tree of calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from enact.cli.cat import show_value
from enact.cli.describe import call_line, status_line
from enact.cli.log import took
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import (
    GAP,
    Line,
    note,
    show,
    show_fact,
    show_json,
    terminal_width,
    values_width,
)
from enact.cli.stores import looking
from enact.query import Call, Found, Place, Places, Run, Store, find, name_fits
from enact.query.lookup import LATEST, tags_by_ref
from enact.query.places import walk
from enact.query.sums import sums_of
from enact.render import visible
from enact.render.data import place_data, run_data
from enact.render.lines import usage_text
from enact.render.words import ago_in_words, counted, duration_in_words, full_time


@click.command("show")
@name_argument(default=LATEST)
@click.option(
    "--depth",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    help="So many levels below the first call.",
)
@click.option(
    "-f", "--name", metavar="NAME", help="Only calls of this function, at any depth."
)
@click.option(
    "--children",
    metavar="NUMBER",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Of the calls made by one call at most so many; 0 for all.",
)
@json_option
@store_option
def show_command(
    what: str,
    depth: int | None,
    name: str | None,
    children: int,
    as_data: bool,
    url: str | None,
) -> None:
    """Show a run, or a part of it, as a tree of calls.

    WHAT is a run, a tag, a ref, or @latest (the default); a path behind it names a
    call, as in @latest/1/0. The beginning of a run or of a ref is enough.
    """
    with looking(url) as store:
        found = find(store, what)
        if found.invocation is None:
            show_value(store, found.ref, as_data)
            return
        places = Places(store, found.run)
        top = places.top(found.invocation)
        lines = walk(places, top, depth, children or None)
        if name is not None:
            lines = (
                item
                for item in lines
                if isinstance(item, Place) and name_fits(item.view.name, name)
            )
        if as_data:
            _show_data(store, found, lines)
            return
        _show_head(store, found, top)
        show()
        if not _show_tree(lines, len(found.invocation.path), flat=name is not None):
            note(f"no call of {name} there")


def _show_head(store: Store, found: Found, top: Place) -> None:
    view, run = found.invocation, found.run
    assert view is not None
    if run is None or view.path:
        line = Line(view.ref.id, "id").add(GAP).extend(status_line(view.status))
        show_fact("call", line)
        _show_usage(top)
        return
    show_fact("run", Line(run.id, "id").add(GAP).extend(status_line(run.status)))
    show_fact("started", f"{full_time(run.started)}, {ago_in_words(run.started)}")
    show_fact("took", took(run))
    show_fact("ref", view.ref.id)
    derived = run.derived_from
    if derived is not None:
        how = {"replay": "replays"}.get(run.how or "", f"{run.how} of")
        show_fact(how, derived.id)
    tags = tags_by_ref(store).get(view.ref.cid)
    if tags:
        show_fact("tags", Line(", ".join(map(visible, tags)), "bold"))
    _show_sums(store, run)


def _show_usage(place: Place) -> None:
    if place.duration is not None:
        show_fact("took", duration_in_words(place.duration))
    if place.row is not None and place.row.usage is not None:
        show_fact("usage", usage_text(Call.usage_of(place.row)))


def _show_sums(store: Store, run: Run) -> None:
    """How many calls ran; of all but huge runs also why, and what they used."""
    sums = sums_of(store, run)
    why = ", ".join(f"{number} {verdict}" for verdict, number in sums.verdicts.items())
    show_fact("ran", counted(sums.calls, "call") + (f" ({why})" if why else ""))
    if sums.usage:
        show_fact("usage", usage_text(dict(sums.usage)))


def _show_tree(
    lines: Iterator[Place | tuple[int, int]], start: int, *, flat: bool
) -> int:
    """Print the calls, with path and duration in front; gives how many."""
    width = values_width()
    count = 0
    # Columns are as wide as what has come so far needs: a tree may have no end.
    widths = [4, 7]
    for item in lines:
        if not isinstance(item, Place):
            depth, more = item
            space = " " * (widths[0] + widths[1] + 2 * len(GAP)) + "  " * depth
            show(Line(space).add(f"... {more:,} more (--children 0 shows all)", "dim"))
            continue
        count += 1
        view = item.view
        path = "/".join(map(str, view.path[start:])) or "."
        time = "" if item.duration is None else duration_in_words(item.duration)
        widths = [max(widths[0], len(path)), max(widths[1], len(time))]
        depth = 0 if flat else len(view.path) - start
        line = Line(path.ljust(widths[0]), "dim").add(GAP)
        line.add(time.rjust(widths[1])).add(GAP).add("  " * depth)
        extra = _extra(item)
        columns = terminal_width()
        if columns is not None:
            columns -= line.cells() + len(extra)
        line.extend(call_line(view, width).fit(columns))
        show(line.add(extra, "dim"))
    return count


def _extra(place: Place) -> str:
    """What stands behind a call: why it ran, and what it used."""
    parts = [place.verdict] if place.verdict else []
    if place.row is not None and place.row.usage is not None:
        parts.append(usage_text(Call.usage_of(place.row)))
    return f"{GAP}[{', '.join(parts)}]" if parts else ""


def _show_data(
    store: Store, found: Found, lines: Iterator[Place | tuple[int, int]]
) -> None:
    calls: list[dict[str, Any]] = [
        place_data(item) if isinstance(item, Place) else {"more": item[1]}
        for item in lines
    ]
    run = found.run
    data: dict[str, Any] = {"calls": calls}
    if run is not None:
        tags = tags_by_ref(store).get(run._row.invocation, [])
        data = {**run_data(run, tags), **data}
    else:
        data = {"ref": found.ref.id, **data}
    show_json(data)
