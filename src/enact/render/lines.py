# SPDX-License-Identifier: Apache-2.0
"""Runs and calls on one line each: what was called, and what came of it."""

from __future__ import annotations

from typing import Any

from enact.calls import Invocation
from enact.errors import EnactError
from enact.query import Run, Store
from enact.render.calls import call_text, outcome_text, request_text
from enact.render.text import short_name, visible
from enact.stores import OUTSIDE
from enact.values import redact


def call_parts(view: Invocation, width: int) -> tuple[str, str, str]:
    """A call, what came of it, and its status.

    The two texts may stand beside each other: what looks like a credential only then
    is left out too.

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
    text = redact(call + outcome)
    at = len(call) if text.startswith(call) else len(text)
    return text[:at], text[at:], status


def run_parts(run: Run, width: int) -> tuple[str, str, str]:
    """What a run called, what came of it, and its status, as far as is known."""
    try:
        if run._row.invocation is not None and run.status != "running":
            invocation = run.invocation
            if invocation is not None:
                return call_parts(invocation, width)
    except EnactError as error:
        name = visible(short_name(run.name))
        return name, f" ({type(error).__name__}: {visible(str(error))})", "failed"
    calls = run._store.backend.calls(run=run.id, parent=OUTSIDE, limit=1)
    row = next(calls, None)
    request = None if row is None else row.request
    return begun_text(run._store, run.name, request, width), "", ""


def begun_text(store: Store, name: str, request: bytes | None, width: int) -> str:
    """A call that has not come to its end."""
    if request is not None:
        try:
            return redact(request_text(store, name, request, width))
        except EnactError:
            pass  # its name has to do
    return f"{visible(short_name(name))}(...)"


def usage_text(usage: dict[str, Any]) -> str:
    """What a call told about itself, on one line."""
    parts = []
    for name, value in usage.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        parts.append(f"{name} {shown}")
    return visible(redact(", ".join(parts))).replace("\n", " ")
