# SPDX-License-Identifier: Apache-2.0
"""Runs and calls as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enact.calls import CallArgs, Invocation
from enact.query import Call, Place, Run
from enact.render.as_json import as_json
from enact.render.calls import load
from enact.render.words import iso_time


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
