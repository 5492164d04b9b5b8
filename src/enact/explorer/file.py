# SPDX-License-Identifier: Apache-2.0
"""A run as one file for the browser, without a server; inert, if it is not large."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from itertools import islice
from typing import IO, Any, NamedTuple

from enact.explorer.details import details_of
from enact.explorer.large_file import write_large
from enact.explorer.pages import environment
from enact.explorer.runs import head_fields
from enact.explorer.scope import Scope
from enact.explorer.searching import SEARCH, search_fields
from enact.explorer.timeline import timeline_fields
from enact.explorer.tree import line_of
from enact.query import Found, Place, Store
from enact.query.places import walk

MOST_INERT = 5_000
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


class Written(NamedTuple):
    """How much a file has.

    Attributes:
        calls: how many.
        cut: whether there are more that it does not have.
    """

    calls: int
    cut: bool


def write_html(store: Store, found: Found, stream: IO[str]) -> Written:
    """Write a run, or a part of it, as HTML.

    Up to `MOST_INERT` calls are there at once, in a file without any script; more are
    unpacked as they are looked at.

    Args:
        store: that it is in.
        found: what to write: an invocation.
        stream: where to.
    """
    assert found.invocation is not None
    scope = Scope(store, "", found.run, found.invocation.root)
    whole = found.run is not None and not found.invocation.path
    head = head_fields(scope) if whole else {"run": None, "scope": scope}
    fields = head | (timeline_fields(scope) if whole else {"bars": []})
    searched = whole and found.run is not None and found.run.name == SEARCH
    fields["search"] = search_fields(scope, found.invocation.root) if searched else None
    top = scope.places.top(found.invocation)
    if _is_large(scope, top):
        pieces = write_large(stream, scope, found, fields)
        return Written(pieces.count, pieces.cut)
    file = _File(scope, found)
    css = resources.files("enact.explorer").joinpath("static", "style.css")
    template = environment().get_template("file.html")
    for part in template.generate(
        entries=file.entries(), css=css.read_text("utf-8"), view=found.invocation,
        file=file, linked=False, **fields,
    ):  # fmt: skip
        stream.write(part)
    return Written(file.count, False)


def _is_large(scope: Scope, top: Place) -> bool:
    """Whether there are more calls than a file without a script takes."""
    most = MOST_INERT + 1
    return sum(1 for _ in islice(walk(scope.places, top, None, most), most)) == most


class _File:
    """Goes through the calls, and counts them."""

    def __init__(self, scope: Scope, found: Found) -> None:
        self._scope = scope
        self._found = found
        self._lines: list[tuple[float | None, Any]] = []
        self.count = 0
        self.depth = 0

    def entries(self) -> Iterator[Entry]:
        """The calls, parents first."""
        view = self._found.invocation
        assert view is not None
        top = self._scope.places.top(view)
        start = len(view.path)
        for item in walk(self._scope.places, top, None, MOST_INERT):
            assert isinstance(item, Place)
            self.count += 1
            level = len(item.view.path) - start
            closes = self._closes(level)
            self.depth += 1
            line = line_of(item)
            self._lines.append((None if item.row is None else item.row.started, line))
            yield Entry(
                closes, line, details_of(self._scope, item), level, level < _UNFOLDED
            )

    def log(self) -> list[tuple[float | None, Any]]:
        """Those calls in the order in which they began, with seconds since the first.

        Of calls that a recording answered it is not known.
        """
        known = [began for began, _ in self._lines if began is not None]
        first = min(known, default=0.0)
        after = [(None if at is None else at - first, one) for at, one in self._lines]
        if len(known) == len(after):
            after.sort(key=lambda entry: entry[0] or 0.0)
        return after

    def _closes(self, level: int) -> int:
        """How many calls end before one at this level."""
        level = min(level, _MOST_DEPTH)
        closes, self.depth = max(0, self.depth - level), min(self.depth, level)
        return closes
