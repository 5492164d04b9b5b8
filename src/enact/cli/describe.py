# SPDX-License-Identifier: Apache-2.0
"""Runs and calls as lines."""

from __future__ import annotations

from enact.calls import Invocation
from enact.cli.output import Call as CallLine
from enact.cli.output import Line, show, terminal_width, values_width
from enact.query import Run, Store
from enact.render.lines import begun_text, call_parts, run_parts

SHORT_REF = 14


def call_line(view: Invocation, width: int) -> CallLine:
    """A call and its outcome, for one line.

    Args:
        view: the call.
        width: longest form of a value, in characters.
    """
    return _line(*call_parts(view, width))


def run_line(run: Run, width: int) -> CallLine:
    """What a run called, and what came of it; its name alone if nothing is known."""
    return _line(*run_parts(run, width))


def begun_line(store: Store, name: str, request: bytes | None, width: int) -> CallLine:
    """A call that has not come to its end."""
    return _line(begun_text(store, name, request, width), "", "")


def _line(call: str, outcome: str, status: str) -> CallLine:
    style = status if status not in ("completed", "incomplete") else ""
    return CallLine(Line(call), Line(outcome, style))


def status_line(status: str) -> Line:
    """A status in its colour."""
    return Line(status, status if status != "completed" else "")


def show_call(line: Line, view: Invocation, style: str = "") -> None:
    """Print a call behind what is on a line already, all of it in a style or not."""
    call = call_line(view, values_width())
    columns = terminal_width()
    fit = call.fit(None if columns is None else columns - line.cells())
    show(line.add(fit.text, style) if style else line.extend(fit))
