# SPDX-License-Identifier: Apache-2.0
"""An invocation as a tree of calls, one line each."""

from __future__ import annotations

import dataclasses
from typing import Any

from enact.calls import CallArgs, Invocation, NativeException, type_in_words
from enact.human import InputRequest
from enact.render.text import short, short_name, visible
from enact.values import decode, redact


def invocation_summary(
    invocation: Invocation,
    indent: int = 0,
    show_input: bool = True,
    show_output: bool = True,
    *,
    max_depth: int | None = None,
    max_children: int | None = 1000,
    width: int = 60,
) -> str:
    """The calls of an invocation, one line each, indented by depth.

    Args:
        invocation: any, also partial ones.
        indent: how many levels to indent the first line by.
        show_input: whether to show inputs.
        show_output: whether to show what calls returned or raised.
        max_depth: how many levels below the first call to show; None for all.
        max_children: how many calls of one call to show; a line tells how many more
            there are. None for all.
        width: longest form of a value, in characters.

    Returns:
        The text. Control characters in it are made visible, and what looks like a
        credential is not shown.

    Example:
        >>> import enact
        >>> @enact.register
        ... def sub(a, *, b): return a - b
        >>> @enact.register
        ... def outer(): return sub(5, b=3)
        >>> with enact.InMemoryStore():
        ...     print(enact.invocation_summary(enact.invoke(outer)))
        ->outer() = 2
          ->sub(5, b=3) = 2
    """
    lines: list[str] = []
    todo: list[Any] = [invocation]
    start = len(invocation.path)
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            lines.append(item)
            continue
        depth = len(item.path) - start
        call = _call(item, width, show_input)
        outcome = _outcome(item, width) if show_output else ""
        # Names and values stand together only here.
        line = redact(f"->{call}{outcome}")
        lines.append(f"{'  ' * (depth + indent)}{line}")
        if max_depth is not None and depth >= max_depth:
            continue
        children = item.children
        shown = children if max_children is None else children[:max_children]
        if len(shown) < len(children):
            more = len(children) - len(shown)
            todo.append(f"{'  ' * (depth + indent + 1)}... {more:,} more calls")
        todo.extend(reversed(list(shown)))
    return "\n".join(lines)


def _load(view: Invocation, cid: bytes | None) -> Any:
    if cid is None:
        return None
    store = view._store()
    return decode(store.load_block(cid), store, unknown=True)


def _call(view: Invocation, width: int, show_input: bool) -> str:
    recorded = view._recorded()
    invokable = _load(view, recorded.invokable)
    value = _load(view, recorded.input)
    name = short_name(view.name)
    if dataclasses.is_dataclass(invokable):
        fields = ", ".join(
            f"{field.name}={short(getattr(invokable, field.name, None), width // 2)}"
            for field in dataclasses.fields(invokable)
            if getattr(invokable, field.name, None) is not None
        )
        name = f"{name}({fields})"
    if not show_input:
        return f"{visible(name)}(...)"
    if isinstance(value, CallArgs):
        parts = [short(arg, width) for arg in value.args]
        parts += [f"{key}={short(arg, width)}" for key, arg in value.kwargs.items()]
        return f"{visible(name)}({', '.join(parts)})"
    return f"{visible(name)}({'' if value is None else short(value, width)})"


def _outcome(view: Invocation, width: int) -> str:
    recorded = view._recorded()
    status = recorded.status
    if status == "completed":
        return f" = {short(_load(view, recorded.output), width)}"
    if status == "failed":
        return f" raised {_raised(_load(view, recorded.raised), width)}"
    if status == "paused" and recorded.raised_here:
        question = _load(view, recorded.raised)
        kind = type_in_words(getattr(question, "requested_type", Any))
        return f" waits for an answer ({visible(kind)})"
    return f" {status}"


def _raised(raised: Any, width: int) -> str:
    if isinstance(raised, NativeException):
        return visible(str(raised)).replace("\n", "\\n")
    if isinstance(raised, InputRequest):
        return visible(str(raised)).replace("\n", "\\n")
    return short(raised, width)
