# SPDX-License-Identifier: Apache-2.0
"""All that is known of one call."""

from __future__ import annotations

from typing import Any

from enact.calls import Invocation, NativeException
from enact.explorer.growing import Path
from enact.explorer.scope import Scope, path_text
from enact.explorer.values import Shown, parts_of, parts_of_input, shown
from enact.query import Call, Place
from enact.render import load, short_name, visible
from enact.render.calls import state_of
from enact.render.lines import usage_text
from enact.values import cid_text, redact

# So many of the last calls are looked at for where an error came from.
_NEAR = 50


def details(scope: Scope, path: Path) -> dict[str, Any]:
    """What the template of details needs."""
    return {**details_of(scope, scope.place(path)), **_beside(scope, path)}


def details_of(scope: Scope, place: Place) -> dict[str, Any]:
    """What is known of a call itself."""
    view, row = place.view, place.row
    path = view.path
    recorded = view._recorded()
    usage = {} if row is None else Call.usage_of(row)
    raised: list[Shown] = []
    if recorded.raised is not None:
        value = load(view, recorded.raised)
        if not isinstance(value, NativeException) or recorded.raised_here:
            raised = [shown(value)]
        else:
            raised = [Shown("error", (visible(redact(str(value))), ""))]
    return {
        "path": path_text(path),
        "name": visible(view.name),
        "short": visible(short_name(view.name)),
        "status": "running" if row and row.status == "running" else view.status,
        "verdict": place.verdict,
        "took": place.duration,
        "started": None if row is None else row.started,
        "after": _after(scope, place.row),
        "lane": "" if row is None else ".".join(map(str, row.lane)),
        "usage": usage_text(usage),
        "code": recorded.code,
        "ref": view.ref.id,
        "request": view.request.id,
        "parent": path_text(path[:-1]) if path else None,
        "invokable": _state(view),
        "input": parts_of_input(load(view, recorded.input), view=view),
        "input_ref": cid_text(recorded.input),
        "output": (
            parts_of(load(view, recorded.output)) if recorded.output is not None else []
        ),
        "output_ref": recorded.output and cid_text(recorded.output),
        "raised": raised,
        "origin": _origin(view),
        "raised_ref": recorded.raised and cid_text(recorded.raised),
        "calls": len(recorded.children),
    }


def _origin(view: Invocation) -> str | None:
    """The call further down that raised what a call passed on."""
    raised, found = view._recorded().raised, None
    while raised is not None and not view._recorded().raised_here:
        count = len(view._recorded().children)
        near = (view[n] for n in reversed(range(max(0, count - _NEAR), count)))
        below = next((one for one in near if one._recorded().raised == raised), None)
        if below is None:
            break
        view, found = below, path_text(below.path)
    return found


def _after(scope: Scope, row: Any) -> float | None:
    """Seconds from the start of the run."""
    if row is None or scope.run is None:
        return None
    return max(0.0, float(row.started) - scope.run.started)


def _state(view: Invocation) -> list[Shown]:
    """The fields of a callable object; nothing for functions."""
    fields = state_of(load(view, view._recorded().invokable))
    return [shown(value, name) for name, value in (fields or {}).items()]


def _beside(scope: Scope, path: Path) -> dict[str, str | None]:
    """The calls before and after, of the same caller."""
    if not path or scope.root is None:
        return {"before": None, "next": None}
    count = (
        len(scope.root[path[:-1]]._recorded().children)
        if path[:-1]
        else len(scope.root._recorded().children)
    )
    index = path[-1]
    return {
        "before": path_text((*path[:-1], index - 1)) if index else None,
        "next": path_text((*path[:-1], index + 1)) if index + 1 < count else None,
    }
