# SPDX-License-Identifier: Apache-2.0
"""``enact export``: a run as a file for other programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import IO, Any

import click

from enact.cli.errors import Failure
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import json_text, note, show_json
from enact.cli.stores import looking
from enact.cli.ui import require_extra
from enact.query import Place, Places, Store, find
from enact.query.lookup import tags_by_ref
from enact.query.places import walk
from enact.render.data import place_data, run_data
from enact.render.words import counted


@click.command()
@name_argument()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--html", "as_html", is_flag=True, help="A page for the browser.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
@store_option
def export(
    what: str,
    file: str,
    as_html: bool,
    force: bool,
    as_data: bool,
    url: str | None,
) -> None:
    """Write a run, or a part of it, to FILE as JSON.

    All its calls and values are in it; with --html it is a page that needs no server,
    with up to 100,000 calls and the beginnings of long values. What looks like a
    credential is left out. The file is for reading; it cannot be replayed. - stands for
    standard output.
    """
    if as_html:
        require_extra("--html")
    write = _write_html if as_html else _write
    with looking(url) as store:
        if file == "-":
            _, cut = write(store, what, sys.stdout)
            if cut:
                note(cut)
            return
        if os.path.exists(file) and not force:
            raise Failure(f"{file} is there already: --force writes over it")
        # What is there stays until all is written.
        part = f"{file}.part-{os.getpid()}"
        try:
            with open(part, "w", encoding="utf-8") as stream:
                count, cut = write(store, what, stream)
            os.replace(part, file)
        except OSError as error:
            raise Failure(f"cannot write {file}: {error.strerror or error}") from None
        finally:
            if os.path.exists(part):
                os.unlink(part)
        if as_data:
            path = os.path.abspath(file)
            show_json({"file": path, "calls": count, "whole": not cut})
        else:
            click.echo(f"wrote {counted(count, 'call')} to {file}")
            if cut:
                note(cut)


def _write(store: Store, what: str, stream: IO[str]) -> tuple[int, str]:
    """Write call by call: a run may be larger than memory."""
    found = find(store, what)
    if found.invocation is None:
        raise Failure(f"{what} is no run and no call: `enact cat --json` prints values")
    head: dict[str, Any] = {"ref": found.ref.id}
    if found.run is not None:
        tags = tags_by_ref(store).get(found.run._row.invocation, [])
        head = run_data(found.run, tags)
    places = Places(store, found.run)
    count = 0
    stream.write('{"enact": "calls/1",\n')
    for key, value in head.items():
        stream.write(f"{json_text(key)}: {json_text(value)},\n")
    stream.write('"calls": [')
    for place in _places(places, places.top(found.invocation)):
        stream.write(",\n" if count else "\n")
        stream.write(json_text(place_data(place)))
        count += 1
    stream.write("\n]}\n")
    return count, ""


def _write_html(store: Store, what: str, stream: IO[str]) -> tuple[int, str]:
    """Write a page; gives how many calls are in it, and what is to be told of that."""
    from enact.explorer.file import write_html

    found = find(store, what)
    if found.invocation is None:
        raise Failure(f"{what} is no run and no call: `enact cat --json` prints values")
    written = write_html(store, found, stream)
    if not written.cut:
        return written.calls, ""
    return written.calls, (
        "there are more calls, which are not in the file: name a part of the run, such"
        " as @latest/0, or export it without --html"
    )


def _places(places: Places, top: Place) -> Iterator[Place]:
    return (one for one in walk(places, top, None, None) if isinstance(one, Place))
