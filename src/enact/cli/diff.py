# SPDX-License-Identifier: Apache-2.0
"""``enact diff``: two runs, calls or values beside each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import click

from enact.calls import CallArgs, Invocation, NativeException, code_diff
from enact.cli.cat import load_value
from enact.cli.describe import SHORT_REF, call_data, show_call
from enact.cli.options import json_option, name_argument, store_option
from enact.cli.output import GAP, Line, note, show, show_block, show_json
from enact.cli.stores import looking
from enact.errors import EnactError
from enact.query import Difference, Found, Store, compare, find
from enact.render import PPrinter, as_json, load, visible
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
    lines = list(_value_lines(*values))
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
    for label, lines in _parts(one.before, one.after):
        show(Line(f"{indent}{label}", "dim"))
        for text in lines:
            show_block(text, indent=indent, style=_style(text))


def _parts(before: Invocation, after: Invocation) -> Iterator[tuple[str, list[str]]]:
    """What of two calls differs, with the lines of it."""
    old, new = before._recorded(), after._recorded()
    if old.invokable != new.invokable:
        values = load(before, old.invokable), load(after, new.invokable)
        yield "invokable", list(_value_lines(*values))
    if old.input != new.input:
        values = load(before, old.input), load(after, new.input)
        yield "input", list(_value_lines(*values))
    ends = (old.output, old.raised, old.status), (new.output, new.raised, new.status)
    if ends[0] != ends[1]:
        label = "output" if old.output and new.output else "outcome"
        if old.status != new.status:
            label = f"{old.status}, then {new.status}"
        values = (_outcome(before), _outcome(after))
        yield label, list(_value_lines(*values))
    if old.code != new.code:
        yield "the code is another version", []


def _outcome(view: Invocation) -> Any:
    recorded = view._recorded()
    cid = recorded.output or recorded.raised
    return _NOTHING if cid is None else load(view, cid)


def _value_lines(old: Any, new: Any) -> Iterator[str]:
    """The lines in which the texts of two values differ."""
    before, after = _lines(old), _lines(new)
    brief = max(len(before), len(after)) < 8  # no need to say where
    lines = difflib.unified_diff(before, after, lineterm="", n=2)
    for number, line in enumerate(lines):
        if number >= 2 and not (brief and line.startswith("@@")):
            yield line


_NOTHING = object()


def _lines(value: Any) -> list[str]:
    return [] if value is _NOTHING else _text(value).split("\n")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return visible(redact(value))
    if isinstance(value, NativeException):
        return visible(redact(str(value)))
    if isinstance(value, CallArgs):
        parts = [_text(arg) for arg in value.args]
        parts += [f"{key}={_text(arg)}" for key, arg in value.kwargs.items()]
        return redact("\n".join(parts))
    return PPrinter(max_ref_depth=0).pformat(value)


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
