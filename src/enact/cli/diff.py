# SPDX-License-Identifier: Apache-2.0
"""``enact diff``: two runs, calls or values beside each other."""

from __future__ import annotations

from typing import Any

import click

from enact.calls import Invocation, code_diff
from enact.cli.describe import SHORT_REF, show_call
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import GAP, Line, note, show, show_block, show_json
from enact.cli.stores import looking
from enact.errors import EnactError
from enact.query import Difference, Found, Store, compare, find
from enact.render import as_json, load_value, visible
from enact.render.data import call_data
from enact.render.differences import changed_parts, value_lines
from enact.render.words import counted
from enact.values import redact

_SIGNS = {
    "same": ("=", "dim"),
    "changed": ("~", "hunk"),
    "added": ("+", "added"),
    "removed": ("-", "removed"),
}
_INDENT = " " * 8


@click.command()
@name_argument("before")
@name_argument("after")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if they differ.")
@json_option
@store_option
def diff(
    before: str, after: str, exit_code: bool, as_data: bool, url: str | None
) -> None:
    """Show how two runs, calls or values differ.

    Calls are aligned; equal subtrees are folded. Of calls that differ, the lines of
    inputs and outcomes are compared, and in the end the code that ran.
    """
    with looking(url) as store:
        old, new = find(store, before), find(store, after)
        equal = old.ref == new.ref
        if old.invocation is not None and new.invocation is not None:
            _diff_trees(old.invocation, new.invocation, as_data)
        else:
            _diff_values(store, old, new, as_data)
    if exit_code and not equal:
        raise click.exceptions.Exit(1)


def _diff_values(store: Store, old: Found, new: Found, as_data: bool) -> None:
    values = [load_value(store, found.ref) for found in (old, new)]
    if as_data:
        show_json(
            {
                "before": old.ref.id,
                "after": new.ref.id,
                "equal": old.ref == new.ref,
                "values": [as_json(value) for value in values],
            }
        )
        return
    lines = list(value_lines(*values))
    for line in lines:
        show_block(line, style=_style(line))
    if not lines:
        note("equal")


def _diff_trees(before: Invocation, after: Invocation, as_data: bool) -> None:
    differences = compare(before, after)
    if as_data:
        show_json(
            {
                "before": before.ref.id,
                "after": after.ref.id,
                "equal": before.ref == after.ref,
                "calls": [_data(one) for one in differences],
                "code": _code(before, after),
            }
        )
        return
    for sign, view in (("---", before), ("+++", after)):
        style = "removed" if sign == "---" else "added"
        line = Line(f"{sign} ", style).add(view.ref.id[:SHORT_REF], "id").add(GAP)
        show_call(line, view)
    if before.ref == after.ref:
        note("equal")
        return
    show()
    for one in differences:
        _show(one)
    code = _code(before, after)
    if code:
        show()
        show(Line("code", "bold"))
        for text in code.splitlines():
            show_block(text, style=_style(text))


def _code(before: Invocation, after: Invocation) -> str:
    try:
        return visible(redact(code_diff(before, after)))
    except EnactError as error:
        return f"# {error}"


def _show(one: Difference) -> None:
    sign, style = _SIGNS[one.kind]
    view = one.before if one.before is not None else one.after
    assert view is not None
    path = "/".join(map(str, view.path)) or "."
    line = Line(f"{sign} ", style).add(path.ljust(5), "dim").add(" ")
    line.add("  " * one.depth)
    if one.kind == "same":
        show(line.add(f"{counted(one.equal, 'equal call')}", "dim"))
        return
    if one.kind != "changed":
        show_call(line, view, style)
        return
    assert one.before is not None
    assert one.after is not None
    show_call(line, one.after)
    indent = _INDENT + "  " * one.depth
    for label, lines in changed_parts(one.before, one.after):
        show(Line(f"{indent}{label}", "dim"))
        for text in lines:
            show_block(text, indent=indent, style=_style(text))


def _style(line: str) -> str:
    if line.startswith("@@"):
        return "hunk"
    if line.startswith(("+++", "---")):
        return "bold"
    return {"+": "added", "-": "removed", "#": "dim"}.get(line[:1], "")


def _data(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "equal": one.equal,
        **{
            key: None
            if view is None
            else {"path": "/".join(map(str, view.path)), **call_data(view)}
            for key, view in (("before", one.before), ("after", one.after))
        },
    }
