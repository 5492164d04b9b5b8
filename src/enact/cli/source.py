# SPDX-License-Identifier: Apache-2.0
"""``enact source``: the code that ran."""

from __future__ import annotations

import click

from enact.calls import source as source_of
from enact.cli.errors import Failure
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import show_code, show_json
from enact.cli.stores import looking
from enact.query import find
from enact.query.lookup import LATEST
from enact.render import visible
from enact.values import redact


@click.command()
@name_argument(default=LATEST)
@click.option("--alone", is_flag=True, help="Without the helpers that it uses.")
@json_option
@store_option
def source(what: str, alone: bool, as_data: bool, url: str | None) -> None:
    """Print the code that a call ran, in the version that ran.

    WHAT is a run or a call, such as @latest/2/0. The code comes with the helpers,
    classes and constants that it uses of its own project.
    """
    with looking(url) as store:
        found = find(store, what)
        if found.invocation is None:
            raise Failure(f"{what} is no call, so no code ran: give a run or a call")
        code = source_of(found.invocation)
        if as_data:
            show_json(
                {
                    "name": code.name,
                    "code": code.code,
                    "text": redact(code.text),
                    "parts": {key: redact(part) for key, part in code.parts.items()},
                    "missing": list(code.missing),
                }
            )
            return
        text = code.text if alone and code.text else str(code)
        show_code(visible(redact(text)))
