# SPDX-License-Identifier: Apache-2.0
"""A run as one file for the browser: inert, and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import IO, Any, NamedTuple

from enact.explorer.details import details_of
from enact.explorer.pages import environment
from enact.explorer.runs import head_fields
from enact.explorer.scope import Scope
from enact.explorer.timeline import timeline_fields
from enact.explorer.tree import line_of
from enact.query import Found, Place, Store
from enact.query.places import walk

MOST_CALLS = 5_000
# Browsers give up on what is nested deeper; further calls are beside each other.
_MOST_DEPTH = 100
_UNFOLDED = 2


class Entry(NamedTuple):
    """A call in the file; before it so many of those around it end."""

    closes: int
    line: Any
    it: dict[str, Any]
    level: int
    unfolded: bool


class Left(NamedTuple):
    """Calls that are left out."""

    closes: int
    left: int


def write_html(store: Store, found: Found, stream: IO[str]) -> int:
    """Write a run, or a part of it, as HTML.

    Args:
        store: that it is in.
        found: what to write: an invocation.
        stream: where to.

    Returns:
        How many calls are in it: at most `MOST_CALLS`.
    """
    assert found.invocation is not None
    scope = Scope(store, "", found.run, found.invocation.root)
    file = _File(scope, found)
    whole = found.run is not None and not found.invocation.path
    head = head_fields(scope) if whole else {"run": None, "scope": scope}
    time = timeline_fields(scope) if whole else {"bars": []}
    css = resources.files("enact.explorer").joinpath("static", "style.css")
    template = environment().get_template("file.html")
    for part in template.generate(
        entries=file.entries(), css=css.read_text("utf-8"), view=found.invocation,
        file=file, most=MOST_CALLS, linked=False, **(head | time),
    ):  # fmt: skip
        stream.write(part)
    return file.count


class _File:
    """Goes through the calls, and counts them."""

    def __init__(self, scope: Scope, found: Found) -> None:
        self._scope = scope
        self._found = found
        self.count = 0
        self.depth = 0
        self.cut = False

    def entries(self) -> Iterator[Entry | Left]:
        """The calls, parents first."""
        view = self._found.invocation
        assert view is not None
        top = self._scope.places.top(view)
        start = len(view.path)
        for item in walk(self._scope.places, top, None, MOST_CALLS):
            if not isinstance(item, Place):
                yield Left(self._closes(item[0]), item[1])
                continue
            if self.count >= MOST_CALLS:
                self.cut = True
                return
            self.count += 1
            level = len(item.view.path) - start
            closes = self._closes(level)
            self.depth += 1
            yield Entry(
                closes, line_of(item), details_of(self._scope, item),
                level, level < _UNFOLDED,
            )  # fmt: skip

    def _closes(self, level: int) -> int:
        """How many calls end before one at this level."""
        level = min(level, _MOST_DEPTH)
        closes, self.depth = max(0, self.depth - level), min(self.depth, level)
        return closes
