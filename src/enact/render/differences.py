# SPDX-License-Identifier: Apache-2.0
"""In which lines two calls, or two values, differ."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from enact.calls import CallArgs, Invocation, NativeException
from enact.render.calls import load
from enact.render.printer import PPrinter
from enact.render.text import visible
from enact.values import redact


def changed_parts(
    before: Invocation, after: Invocation
) -> Iterator[tuple[str, list[str]]]:
    """What of two calls differs, with the lines of it."""
    old, new = before._recorded(), after._recorded()
    if old.invokable != new.invokable:
        values = load(before, old.invokable), load(after, new.invokable)
        yield "invokable", list(value_lines(*values))
    if old.input != new.input:
        values = load(before, old.input), load(after, new.input)
        yield "input", list(value_lines(*values))
    ends = (old.output, old.raised, old.status), (new.output, new.raised, new.status)
    if ends[0] != ends[1]:
        label = "output" if old.output and new.output else "outcome"
        if old.status != new.status:
            label = f"{old.status}, then {new.status}"
        values = (_outcome(before), _outcome(after))
        yield label, list(value_lines(*values))
    if old.code != new.code:
        yield "the code is another version", []


def _outcome(view: Invocation) -> Any:
    recorded = view._recorded()
    cid = recorded.output or recorded.raised
    return _NOTHING if cid is None else load(view, cid)


def value_lines(old: Any, new: Any) -> Iterator[str]:
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
