# SPDX-License-Identifier: Apache-2.0
"""One recorded call as text: what was called with what, and what came of it.

Types that are not known here do not matter.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from enact.calls import CallArgs, Invocation, NativeException, type_in_words
from enact.calls.layout import REQUEST, read_fields
from enact.human import InputRequest
from enact.render.text import short, short_name, visible
from enact.stores import ValueStore
from enact.values import Ref, Unknown, decode

_NAMES_ONLY = ("enact/Function", "enact/Method", "enact/UnregisteredFunction")


def load(view: Invocation, cid: bytes | None) -> Any:
    """A value of a recorded call; `Unknown` where its type is not known here."""
    if cid is None:
        return None
    store = view._store()
    return decode(store.load_block(cid), store, unknown=True)


def load_value(store: ValueStore, ref: Ref[Any]) -> Any:
    """A value, whatever types are known here."""
    origin = ref.origin if ref.origin is not None else store
    return decode(origin.load_block(ref.cid), origin, unknown=True)


def call_text(view: Invocation, width: int, show_input: bool = True) -> str:
    """What was called, with what.

    Args:
        view: the call.
        width: longest form of a value, in characters.
        show_input: whether to show the input.
    """
    recorded = view._recorded()
    return _called(view.name, load(view, recorded.invokable),
                   load(view, recorded.input), width, show_input)  # fmt: skip


def request_text(store: ValueStore, name: str, request: bytes, width: int) -> str:
    """What was called, with what, of a call of which only the request is known.

    Args:
        store: with the request.
        name: of the invokable in stored data.
        request: its identifier.
        width: longest form of a value, in characters.
    """
    fields = read_fields(store.load_block(request), REQUEST, request)
    invokable, value = (
        decode(store.load_block(fields[part]), store, unknown=True)
        for part in ("invokable", "input")
    )
    return _called(name, invokable, value, width, True)


def _called(name: str, invokable: Any, value: Any, width: int, show_input: bool) -> str:
    name = short_name(name)
    fields = state_of(invokable)
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


def state_of(invokable: Any) -> dict[str, Any] | None:
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
        if isinstance(question, InputRequest):
            kind = type_in_words(question.requested_type)
            return f" waits for an answer ({visible(kind)})"
        if isinstance(question, Unknown) and question.type == "enact/InputRequest":
            kind = short(question.fields.get("requested_type"), width)
            return f" waits for an answer ({kind})"
    return f" {status}"


def _raised(raised: Any, width: int) -> str:
    if isinstance(raised, NativeException):
        return visible(str(raised)).replace("\n", "\\n")
    if isinstance(raised, InputRequest):
        return visible(str(raised)).replace("\n", "\\n")
    return short(raised, width)
