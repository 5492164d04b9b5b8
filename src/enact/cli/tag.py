# SPDX-License-Identifier: Apache-2.0
"""``enact tag``: names for things."""

from __future__ import annotations

import re

import click

from enact.cli.describe import SHORT_REF, call_line
from enact.cli.errors import Failure
from enact.cli.options import Name, json_option, store_option
from enact.cli.output import Call, Line, note, show, show_json, show_table, values_width
from enact.cli.stores import changing, looking
from enact.errors import EnactError
from enact.query import Store, find
from enact.render import load_value, short, visible


@click.command()
@click.argument("name", required=False)
@click.argument("what", type=Name(), required=False)
@click.option("-d", "--delete", is_flag=True, help="Take the name away.")
@click.option("-f", "--force", is_flag=True, help="Move a name that is taken.")
@json_option
@store_option
def tag(
    name: str | None,
    what: str | None,
    delete: bool,
    force: bool,
    as_data: bool,
    url: str | None,
) -> None:
    """Give WHAT the name NAME, or list all names.

    WHAT is a run, a call such as @latest/1/0, a ref, or another tag.
    """
    if name is None:
        with looking(url) as store:
            _list(store, as_data)
        return
    if delete:
        if what is not None:
            raise click.UsageError("--delete takes a name alone")
        with changing(url) as store:
            store.untag(name)
        if as_data:
            show_json({"tag": name, "ref": None})
        return
    if what is None:
        raise click.UsageError(f"what is to be called {name}? Give a run or a ref")
    if problem := _problem(name):
        raise click.BadParameter(f"{name!r} {problem}", param_hint="NAME")
    with changing(url) as store:
        ref = find(store, what).ref
        old = store.tags().get(name)
        if old is not None and old != ref and not force:
            raise Failure(
                f"{name} is the name of {old.id[:SHORT_REF]}...: --force moves it"
            )
        store.tag(name, ref)
        if as_data:
            show_json({"tag": name, "ref": ref.id})
        else:
            show(f"{name} is {ref.id}")


def _problem(name: str) -> str | None:
    if not name.strip() or visible(name) != name or "\n" in name:
        return "is no name"
    if name.startswith(("@", "bafyrei")) or re.fullmatch(r"[0-9a-f]{24}", name):
        return "would be taken for a run or a ref"
    if re.search(r"/\d*$", name):
        return "would be taken for a path"
    return None


def _list(store: Store, as_data: bool) -> None:
    tags = store.tags()
    if as_data:
        show_json([{"tag": name, "ref": ref.id} for name, ref in tags.items()])
        return
    if not tags:
        note("no tags yet")
        return
    rows = []
    for name, ref in tags.items():
        line: Line | Call
        try:
            found = find(store, ref.id)
            if found.invocation is not None:
                line = call_line(found.invocation, values_width())
            else:
                line = Line(short(load_value(store, ref), values_width()))
        except EnactError as error:
            line = Line(visible(str(error)), "failed")
        rows.append((Line(visible(name), "bold"), Line(ref.id[:SHORT_REF], "id"), line))
    show_table(("TAG", "REF", "WHAT"), rows)
