# SPDX-License-Identifier: Apache-2.0
"""One recorded call as text: what was called with what, and what came of it.

Types that are not known here do not matter.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from enact.calls import CallArgs, Invocation, NativeException, type_in_words
from enact.human import InputRequest
from enact.render.text import short, short_name, visible
from enact.values import Unknown, decode

_NAMES_ONLY = ("enact/Function", "enact/Method", "enact/UnregisteredFunction")


def load(view: Invocation, cid: bytes | None) -> Any:
    """A value of a recorded call; `Unknown` where its type is not known here."""
    if cid is None:
        return None
    store = view._store()
    return decode(store.load_block(cid), store, unknown=True)


def call_text(view: Invocation, width: int, show_input: bool = True) -> str:
    """What was called, with what.

    Args:
        view: the call.
        width: longest form of a value, in characters.
        show_input: whether to show the input.
    """
    recorded = view._recorded()
    invokable = load(view, recorded.invokable)
    value = load(view, recorded.input)
    name = short_name(view.name)
    fields = _fields(invokable)
    if fields is not None:
        shown = ", ".join(
            f"{key}={short(field, width // 2)}"
            for key, field in fields.items()
            if field is not None
        )
        name = f"{name}({shown})"
    if not show_input:
        return f"{visible(name)}(...)"
    if isinstance(value, CallArgs):
        parts = [short(arg, width) for arg in value.args]
        parts += [f"{key}={short(arg, width)}" for key, arg in value.kwargs.items()]
        return f"{visible(name)}({', '.join(parts)})"
    return f"{visible(name)}({'' if value is None else short(value, width)})"


def _fields(invokable: Any) -> dict[str, Any] | None:
    """The state of a callable object; None for a function."""
    if isinstance(invokable, Unknown):
        return None if invokable.type in _NAMES_ONLY else invokable.fields
    if dataclasses.is_dataclass(invokable):
        fields = dataclasses.fields(invokable)
        return {field.name: getattr(invokable, field.name, None) for field in fields}
    return None


def outcome_text(view: Invocation, width: int) -> str:
    """What came of a call, as it is written behind the call.

    Args:
        view: the call.
        width: longest form of a value, in characters.
    """
    recorded = view._recorded()
    status = recorded.status
    if status == "completed":
        return f" = {short(load(view, recorded.output), width)}"
    if status == "failed":
        return f" raised {_raised(load(view, recorded.raised), width)}"
    if status == "paused" and recorded.raised_here:
        question = load(view, recorded.raised)
        kind = type_in_words(getattr(question, "requested_type", Any))
        return f" waits for an answer ({visible(kind)})"
    return f" {status}"


def _raised(raised: Any, width: int) -> str:
    if isinstance(raised, NativeException):
        return visible(str(raised)).replace("\n", "\\n")
    if isinstance(raised, InputRequest):
        return visible(str(raised)).replace("\n", "\\n")
    return short(raised, width)
