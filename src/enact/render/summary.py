# SPDX-License-Identifier: Apache-2.0
"""An invocation as a tree of calls, one line each."""

from __future__ import annotations

from typing import Any

from enact.calls import Invocation
from enact.render.calls import call_text, outcome_text
from enact.values import redact


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
        call = call_text(item, width, show_input)
        outcome = outcome_text(item, width) if show_output else ""
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
