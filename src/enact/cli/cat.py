# SPDX-License-Identifier: Apache-2.0
"""``enact cat``: one value."""

from __future__ import annotations

from typing import Any

import click

from enact.calls import NativeException
from enact.cli.errors import Failure
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import show_block, show_json
from enact.cli.stores import looking
from enact.query import Found, Store, find
from enact.render import PPrinter, as_json, load_value, visible
from enact.values import Ref, redact

PARTS = ("output", "input", "raised", "invokable", "all")


@click.command()
@name_argument()
@click.option(
    "--part",
    type=click.Choice(PARTS),
    help="Of a call.  [default: what it returned or raised]",
)
@json_option
@store_option
def cat(what: str, part: str | None, as_data: bool, url: str | None) -> None:
    """Print one value.

    WHAT is a ref or a tag. Of a run or a call it is what came of it, or the --part that
    is asked for. Text is printed as it is, with control characters made visible.
    """
    with looking(url) as store:
        found = find(store, what)
        if found.invocation is None:
            if part not in (None, "all"):
                raise click.UsageError(f"{what} is no call, and has no {part}")
            show_value(store, found.ref, as_data)
        elif part == "all":
            show_value(store, found.ref, as_data)
        else:
            show_value(store, _part(found, what, part), as_data)


def _part(found: Found, what: str, part: str | None) -> Ref[Any]:
    view = found.invocation
    assert view is not None
    recorded = view._recorded()
    parts = {
        "output": recorded.output,
        "input": recorded.input,
        "raised": recorded.raised,
        "invokable": recorded.invokable,
    }
    cid = parts[part] if part else recorded.output or recorded.raised
    if cid is None:
        missing = part or "outcome"
        raise Failure(f"{what} has no {missing}: it is {recorded.status}")
    return Ref(cid, view._store())


def show_value(store: Store, ref: Ref[Any], as_data: bool) -> None:
    """Print the value that a ref points to."""
    value = load_value(store, ref)
    if as_data:
        show_json(as_json(value))
    elif isinstance(value, str):
        show_block(visible(redact(value)))
    elif isinstance(value, NativeException):
        show_block(visible(redact(str(value))))
        if value.traceback:
            show_block(visible(redact(value.traceback)), indent="  ", style="dim")
    else:
        show_block(PPrinter(max_ref_depth=0).pformat(value))
