# SPDX-License-Identifier: Apache-2.0
"""Runs and calls as lines and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from enact.calls import CallArgs, Invocation
from enact.cli.output import Call as CallLine
from enact.cli.output import Line, show, terminal_width, values_width
from enact.errors import EnactError
from enact.query import Call, Place, Run, Store
from enact.render import (
    as_json,
    call_text,
    load,
    outcome_text,
    request_text,
    short_name,
    visible,
)
from enact.render.words import iso_time
from enact.stores import OUTSIDE
from enact.values import redact

SHORT_RUN = 8
SHORT_REF = 14

# Beyond this it takes too long to look at all.
_MOST_RUNS = 1000
# So many characters of a run say when it began.
_MICROSECONDS = 14


def short_runs(store: Store, ids: Sequence[str]) -> int:
    """How many characters of these runs tell them from all others in a store."""
    length = SHORT_RUN
    rows = store.backend.runs(limit=_MOST_RUNS + 1)
    if len(rows) > _MOST_RUNS:
        length = _MICROSECONDS  # two that began in the same one are rare
    else:
        ids = [*ids, *(row.id for row in rows)]
    ordered = sorted(set(ids))
    for one, other in pairwise(ordered):
        same = 0
        while one[same : same + 1] == other[same : same + 1]:
            same += 1
        length = max(length, same + 1)
    return length


def call_line(view: Invocation, width: int) -> CallLine:
    """A call and its outcome, for one line.

    Args:
        view: the call.
        width: longest form of a value, in characters.
    """
    status = view.status
    try:
        call, outcome = call_text(view, width), outcome_text(view, width)
    except EnactError as error:  # one damaged value must not hide the others
        call = f"{visible(short_name(view.name))}(...)"
        outcome = f" ({type(error).__name__}: {visible(str(error))})"
    # Names and values stand together only here.
    text = redact(call + outcome)
    at = len(call) if text.startswith(call) else len(text)
    style = status if status not in ("completed", "incomplete") else ""
    return CallLine(Line(text[:at]), Line(text[at:], style))


def run_line(run: Run, width: int) -> CallLine:
    """What a run called, and what came of it; its name alone if nothing is known."""
    try:
        if run._row.invocation is not None and run.status != "running":
            invocation = run.invocation
            if invocation is not None:
                return call_line(invocation, width)
    except EnactError as error:
        return CallLine(
            Line(visible(short_name(run.name))),
            Line(f" ({type(error).__name__}: {visible(str(error))})", "failed"),
        )
    calls = run._store.backend.calls(run=run.id, parent=OUTSIDE, limit=1)
    row = next(calls, None)
    return begun_line(run._store, run.name, None if row is None else row.request, width)


def begun_line(store: Store, name: str, request: bytes | None, width: int) -> CallLine:
    """A call that has not come to its end."""
    text = f"{visible(short_name(name))}(...)"
    if request is not None:
        try:
            text = redact(request_text(store, name, request, width))
        except EnactError:
            pass  # its name has to do
    return CallLine(Line(text), Line())


def run_data(run: Run, tags: Sequence[str]) -> dict[str, Any]:
    """A run as JSON."""
    row = run._row
    derived = run.derived_from
    invocation = None
    if row.invocation is not None and run.status != "running":
        invocation = run.invocation
    return {
        "run": run.id,
        "name": run.name,
        "status": run.status,
        "started": iso_time(run.started),
        "duration": run.duration,
        "how": run.how,
        "derived_from": None if derived is None else derived.id,
        "tags": list(tags),
        "meta": as_json(dict(run.meta)),
        **(call_data(invocation) if invocation is not None else {"ref": None}),
    }


def call_data(view: Invocation) -> dict[str, Any]:
    """A call, without those below it, as JSON."""
    recorded = view._recorded()
    value = load(view, recorded.input)
    found: dict[str, Any] = {
        "ref": view.ref.id,
        "request": view.request.id,
        "name": view.name,
        "status": view.status,
    }
    if isinstance(value, CallArgs):
        found["input"] = as_json({"args": value.args, "kwargs": value.kwargs})
    else:
        found["input"] = as_json(value)
    found["output"] = as_json(load(view, recorded.output))
    found["raised"] = as_json(load(view, recorded.raised))
    found["children"] = len(recorded.children)
    return found


def place_data(place: Place) -> dict[str, Any]:
    """A call in a tree as JSON, with what the journal knows of it."""
    row = place.row
    usage = None if row is None else Call.usage_of(row)
    return {
        "path": "/".join(map(str, place.view.path)),
        **call_data(place.view),
        "verdict": place.verdict,
        "started": None if row is None else iso_time(row.started),
        "duration": place.duration,
        "usage": usage or {},
    }


def status_line(status: str) -> Line:
    """A status in its colour."""
    return Line(status, status if status != "completed" else "")


def usage_text(usage: dict[str, Any]) -> str:
    """What a call told about itself, on one line."""
    parts = []
    for name, value in usage.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        parts.append(f"{name} {shown}")
    return visible(redact(", ".join(parts))).replace("\n", " ")


def show_call(line: Line, view: Invocation, style: str = "") -> None:
    """Print a call behind what is on a line already, all of it in a style or not."""
    call = call_line(view, values_width())
    columns = terminal_width()
    fit = call.fit(None if columns is None else columns - line.cells())
    show(line.add(fit.text, style) if style else line.extend(fit))
