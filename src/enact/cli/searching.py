# SPDX-License-Identifier: Apache-2.0
"""``enact search show``: what a search found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from enact.cli.app import app_option, load_apps
from enact.cli.options import Name, json_option, store_option
from enact.cli.output import show, show_block, show_fact, show_json
from enact.cli.running import program
from enact.cli.stores import looking
from enact.query import find_run
from enact.query.lookup import LATEST
from enact.render import visible
from enact.render.data import call_data
from enact.search import Result, load
from enact.stores import Overlay


@click.group()
def search() -> None:
    """See what a search found."""


@search.command("show")
@click.argument("run", type=Name(), default=LATEST)
@app_option
@json_option
@store_option
def search_show(run: str, apps: Sequence[str], as_data: bool, url: str | None) -> None:
    """Show the best execution of a search, and the tree of all.

    The strategy runs again, on what is recorded; nothing is drawn, and nothing written.
    """
    load_apps(apps)
    with looking(url) as store:
        found = find_run(store, run)
        with program(as_data), Overlay(store):
            result = load(found)
            if as_data:
                show_data = _data(result)
            else:
                text = visible(str(result))
        if as_data:
            show_json(show_data)
            return
        show_fact("run", found.id)
        if result.best is not None:
            show_fact("best", result.best.invocation.ref.id)
        show()
        show_block(text)


def _data(result: Result) -> dict[str, Any]:
    best = result.best
    return {
        "run": result.run,
        "stopped": result.stopped,
        "spent": {
            name: getattr(result.spent, name)
            for name in ("calls", "seconds", "usd", "tokens")
        },
        "score": None if best is None else best.score,
        "best": None if best is None else call_data(best.invocation),
        "nodes": [
            {
                "id": node.id,
                "parent": node.parent,
                "kind": node.kind,
                "score": node.score,
                "why": node.why,
            }
            for node in result.tree
        ],
    }
