# SPDX-License-Identifier: Apache-2.0
"""Executions and values in notebooks: inert HTML, of a limited size.

There is no script and no style sheet in it, and nothing is loaded from anywhere: the
tree folds by ``<details>``. What is left out is counted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from enact.calls import CallArgs, Invocation, NativeException
from enact.errors import EnactError
from enact.query import Run
from enact.render.calls import call_text, load, outcome_text
from enact.render.parameters import arguments_of
from enact.render.printer import pformat
from enact.render.text import visible
from enact.render.words import counted, duration_in_words, full_time
from enact.values import HTML, Ref, redact

MOST_CALLS = 200
MOST_CHILDREN = 50
MOST_DEPTH = 20
MOST_TEXT = 2_000
MOST_TEXT_IN_ALL = 100_000
_WIDTH = 80
_OPEN_DEPTH = 2  # levels that are unfolded at first
_OPEN_CALLS = 20  # unless a call makes more than so many

_BOX = "font-size:13px;line-height:1.5;max-height:40em;overflow:auto"
_CODE = "font-family:ui-monospace,monospace;white-space:pre-wrap"
_DIM = "opacity:.65"
_INSIDE = (
    "margin-left:.4em;padding-left:.9em;border-left:1px solid rgba(128,128,128,.4)"
)
_COLOURS = {"failed": "#c9483f", "paused": "#a05ac8", "incomplete": "#b07d2b"}


def html_of(invocation: Invocation) -> str:
    """An invocation as a tree that folds.

    Args:
        invocation: any, also partial ones.

    Returns:
        HTML. At most 200 calls are in it, 50 of each call, 20 levels deep, and of long
        values their beginnings, 100,000 characters in all.

    Example:
        >>> import enact
        >>> @enact.register
        ... def double(n): return 2 * n
        >>> with enact.InMemoryStore():
        ...     html = html_of(enact.invoke(double, (21,)))
        >>> "double(21)" in html, "<script" in html
        (True, False)
    """
    return _boxed("".join(_call(invocation, 0, _Room())))


class _Room:
    """How much more is shown."""

    calls = MOST_CALLS
    text = MOST_TEXT_IN_ALL


def _call(view: Invocation, depth: int, room: _Room) -> Iterator[str]:
    room.calls -= 1
    children = view.children
    values = "".join(_values(view, room))
    line = _line(view)
    if not (values or children):
        yield f'<div style="margin-left:1.05em">{line}</div>'
        return
    unfolded = depth < _OPEN_DEPTH and len(children) <= _OPEN_CALLS
    yield f"<details{' open' if unfolded and children else ''}>"
    yield f'<summary style="cursor:pointer">{line}</summary>'
    yield f'<div style="{_INSIDE}">{values}'
    shown = 0
    if depth < MOST_DEPTH:
        for child in children[:MOST_CHILDREN]:
            if room.calls <= 0:
                break
            yield from _call(child, depth + 1, room)
            shown += 1
    if shown < len(children):
        more = counted(len(children) - shown, "more call")
        yield f'<div style="{_DIM}">{more}</div>'
    yield "</div></details>"


def _line(view: Invocation) -> str:
    call, outcome = call_text(view, _WIDTH), outcome_text(view, _WIDTH)
    whole = redact(f"{call}{outcome}")
    if whole == f"{call}{outcome}":
        colour = _COLOURS.get(view.status)
        style = _DIM if colour is None else f"color:{colour}"
        text = f'{escape(call)}<span style="{style}">{escape(outcome)}</span>'
    else:  # names and values make a credential only together
        text = escape(whole)
    return f'<code style="{_CODE};background:none">{text}</code>'


def _values(view: Invocation, room: _Room) -> Iterator[str]:
    """Input and outcome, as far as the line above does not show them whole."""
    recorded = view._recorded()
    given = load(view, recorded.input)
    if isinstance(given, CallArgs):
        parts = [
            (f"argument {label}" if label.isdecimal() else f"{label}=", _shown(arg))
            for label, arg in arguments_of(view, given)
        ]
    else:
        parts = [("input", _shown(given))]
    if recorded.output is not None:
        parts.append(("output", _shown(load(view, recorded.output))))
    if recorded.raised is not None and recorded.raised_here:
        raised = load(view, recorded.raised)
        if isinstance(raised, NativeException) and raised.traceback:
            parts.append(("traceback", _shown(raised.traceback)))
    for name, text in parts:
        if len(text) > _WIDTH or "\n" in text or name == "traceback":
            limit = min(MOST_TEXT, max(_WIDTH, room.text))
            room.text -= min(len(text), limit)
            yield f'<div style="{_DIM}">{escape(name)}</div>{_text(text, limit)}'


def _shown(value: Any) -> str:
    """A value over several lines; a text as it reads."""
    return visible(redact(value)) if type(value) is str else pformat(value)


def _text(text: str, limit: int = MOST_TEXT) -> str:
    if len(text) > limit:
        more = counted(len(text) - limit, "more character")
        text = f"{text[:limit]}\n... {more}"
    return f'<pre style="{_CODE};margin:.2em 0 .6em">{escape(text)}</pre>'


def _ref(ref: Ref[Any]) -> str:
    line = f'<code style="{_CODE};background:none">{escape(ref.id)}</code>'
    try:
        value = ref.checkout()
    except EnactError as error:
        return _boxed(f'{line}<div style="{_DIM}">{escape(str(error))}</div>')
    if isinstance(value, Invocation):
        return _boxed(line) + html_of(value)
    return _boxed(line + _text(_shown(value)))


def _run(run: Run) -> str:
    facts = [full_time(run.started), duration_in_words(run.duration or 0.0), *run.tags]
    colour = _COLOURS.get(run.status, "inherit")
    head = (
        f'<div><code style="{_CODE};background:none">{escape(run.id)}</code> '
        f'<span style="color:{colour}">{escape(run.status)}</span> '
        f'<span style="{_DIM}">{escape(visible(" · ".join(facts)))}</span></div>'
    )
    invocation = run.invocation
    return _boxed(head) + ("" if invocation is None else html_of(invocation))


def html_of_text(value: object) -> str:
    """What ``print`` shows of an object, as HTML; without credentials."""
    return _boxed(_text(visible(redact(str(value)))))


def _boxed(inside: str) -> str:
    return f'<div style="{_BOX}">{inside}</div>'


def show(kind: type, render: Callable[[Any], str]) -> None:
    """Objects of a class show themselves like this in notebooks."""
    HTML[kind] = functools.partial(_safely, render)


def _safely(render: Callable[[Any], str], value: Any) -> str:
    """A notebook gets text where something is missing, never a traceback."""
    try:
        return render(value)
    except EnactError as error:
        return _boxed(_text(f"{type(error).__name__}: {error}"))


show(Invocation, html_of)
show(Run, _run)
show(Ref, _ref)
