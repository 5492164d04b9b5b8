# SPDX-License-Identifier: Apache-2.0
"""The calls of a tree as far as it is unfolded, one line each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from enact.explorer.growing import Path
from enact.explorer.pages import address
from enact.explorer.scope import Scope, path_in, path_text
from enact.query import Call, Place
from enact.render.lines import call_parts, usage_text

PAGE = 100
NOTHING = "-"  # in an address: all is folded
WIDTH = 70
MOST_LINES = 3_000

# What is unfolded at first.
_LEVELS = 3
_LINES = 60
_CHILDREN = 20

Toggle = Callable[[str], str]


class Line(NamedTuple):
    """A call that is shown in the tree."""

    path: str
    level: int
    place: int
    beside: int
    children: int
    unfolded: bool
    call: str
    outcome: str
    status: str
    verdict: str
    took: float | None
    usage: str
    lane: str


class More(NamedTuple):
    """Calls that are left out.

    Attributes:
        path: of the call that made them.
        level: of them.
        start: index of the first one of the next page, or of the page before.
        left: how many there are.
        later: whether they come after those that are shown.
    """

    path: str
    level: int
    start: int
    left: int
    later: bool


class Fold(NamedTuple):
    """What of a tree is unfolded.

    Attributes:
        unfolded: paths of the calls that are; None for as much as fits at first.
        starts: where the page begins that is shown of the calls of one call.
        anchors: of them those that the address names.
        current: path of the call whose details are shown.
    """

    unfolded: Collection[Path] | None
    starts: Mapping[Path, int]
    anchors: Mapping[Path, int]
    current: Path


def fold_in(query: Mapping[str, str]) -> Fold:
    """What an address says of a tree."""
    current = path_in(query.get("call", ""))
    starts = {
        current[:level]: index // PAGE * PAGE for level, index in enumerate(current)
    }
    anchors: dict[Path, int] = {}
    at, _, start = query.get("start", "").partition("~")
    if start.isdecimal() and len(start) < 10:
        anchors[path_in(at)] = starts[path_in(at)] = int(start)
    text = query.get("open")
    if text is None:
        return Fold(None, starts, anchors, current)
    unfolded = {path_in(part) for part in text.split(",") if part not in ("", NOTHING)}
    return Fold(unfolded, starts, anchors, current)


def lines(scope: Scope, fold: Fold) -> list[Line | More]:
    """The tree from its top."""
    found: list[Line | More] = []
    todo: list[tuple[Place, int, int] | More] = [(scope.place(()), 0, 1)]
    while todo:
        item = todo.pop()
        if isinstance(item, More):
            found.append(item)
            continue
        place, index, beside = item
        path = place.view.path
        count = len(place.view._recorded().children)
        unfolded = _is_unfolded(fold, path, count, len(found) + len(todo))
        found.append(line_of(place, index, beside, unfolded))
        if unfolded:
            todo.extend(reversed(_children(scope, place, fold.starts.get(path, 0))))
    return found


def children(scope: Scope, path: Path, start: int) -> list[Line | More]:
    """A page of the calls that a call made."""
    found = _children(scope, scope.place(path), start)
    return [one if isinstance(one, More) else line_of(*one, False) for one in found]


def _is_unfolded(fold: Fold, path: Path, count: int, shown: int) -> bool:
    if not count or shown + min(count, PAGE) > MOST_LINES:
        return False
    if fold.unfolded is not None:
        return path in fold.unfolded
    if path == fold.current[: len(path)] and path != fold.current:
        return True
    if not path:
        return True
    return len(path) < _LEVELS and count <= _CHILDREN and shown + count <= _LINES


def _children(
    scope: Scope, place: Place, start: int
) -> list[tuple[Place, int, int] | More]:
    count = len(place.view._recorded().children)
    start = min(start, max(0, count - 1)) // PAGE * PAGE
    path, level = path_text(place.view.path), len(place.view.path) + 1
    found: list[tuple[Place, int, int] | More] = []
    if start:
        found.append(More(path, level, start - PAGE, start, False))
    made = scope.places.children(place, PAGE, start)
    found += [(one, one.view.path[-1], count) for one in made]
    if start + PAGE < count:
        left = count - start - PAGE
        found.append(More(path, level, start + PAGE, left, True))
    return found


def line_of(
    place: Place, index: int = 0, beside: int = 1, unfolded: bool = False
) -> Line:
    """A call on a line.

    Args:
        place: of the call.
        index: of it among those beside it.
        beside: how many the call above it made.
        unfolded: whether those below it are shown.
    """
    view, row = place.view, place.row
    call, outcome, status = call_parts(view, WIDTH)
    if row is not None and row.status == "running":
        status = "running"
    usage = "" if row is None or row.usage is None else usage_text(Call.usage_of(row))
    return Line(
        path_text(view.path), len(view.path), index, beside,
        len(view._recorded().children), unfolded,
        call, outcome, status, place.verdict or "", place.duration, usage,
        "" if row is None else ".".join(map(str, row.lane)),
    )  # fmt: skip


def toggled(scope: Scope, shown: list[Line | More], query: Mapping[str, str]) -> Toggle:
    """Addresses in which one call more, or less, is unfolded, by its path."""
    now = {one.path for one in shown if isinstance(one, Line) and one.unfolded}

    def toggle(path: str) -> str:
        unfolded = ",".join(sorted(now ^ {path})) or NOTHING
        return address(scope.base, open=unfolded, call=query.get("call"))

    return toggle
