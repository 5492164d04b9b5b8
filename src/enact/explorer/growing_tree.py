# SPDX-License-Identifier: Apache-2.0
"""Lines and details of a large run that goes on."""

from __future__ import annotations

from typing import Any

from enact.explorer.details import details_of
from enact.explorer.growing import PAGE, Growing, Path, begun, fields_of
from enact.explorer.scope import Scope, path_text
from enact.explorer.tree import MOST_LINES, WIDTH, Fold, Line, More
from enact.explorer.values import parts_of_input
from enact.query import Place
from enact.render import load_value
from enact.stores import CallRow
from enact.values import Ref, cid_text


def growing_lines(growing: Growing, fold: Fold) -> list[Line | More]:
    """The tree as far as it is unfolded: of each call the newest ones that it made.

    Args:
        growing: the run.
        fold: what is unfolded.
    """
    return _lines(growing, [(growing.top(), ())], fold)


def growing_children(growing: Growing, path: Path, start: int) -> list[Line | More]:
    """A page of the calls that a call made: the newest, or from an index on."""
    fold = Fold((), {}, {path: start} if start else {}, ())
    return _lines(growing, _below(growing, growing.at(path), path, fold)[::-1], fold)


def _lines(
    growing: Growing, todo: list[tuple[CallRow, Path] | More], fold: Fold
) -> list[Line | More]:
    """Lines of calls, the last one first, and of what is unfolded below them."""
    found: list[Line | More] = []
    while todo:
        item = todo.pop()
        if isinstance(item, More):
            found.append(item)
            continue
        row, path = item
        fields = fields_of(growing, row, WIDTH)
        unfolded = bool(fields["children"]) and _is_unfolded(fold, row, path)
        unfolded = unfolded and len(found) + len(todo) + PAGE <= MOST_LINES
        place = path[-1] if path else 0
        found.append(
            Line(path=path_text(path), level=len(path), place=place, beside=-1,
                 unfolded=unfolded, **fields)
        )  # fmt: skip
        if unfolded:
            todo += reversed(_below(growing, row, path, fold))
    return found


def _is_unfolded(fold: Fold, row: CallRow, path: Path) -> bool:
    if path == fold.current[: len(path)] and path != fold.current:
        return True
    if fold.unfolded is not None:
        return path in fold.unfolded
    return not path or row.status == "running"


def _below(
    growing: Growing, row: CallRow, path: Path, fold: Fold
) -> list[tuple[CallRow, Path] | More]:
    """A page of the calls that a call made, with how many there are around it."""
    newest = growing.newest(row)
    if not newest:
        return []
    shown = newest
    start = fold.anchors.get(path)
    if start is None and fold.current[: len(path)] == path != fold.current:
        start = fold.current[len(path)]
    if start is not None and start < newest[0].index:
        shown = growing.following(row, start) or newest
    found: list[tuple[CallRow, Path] | More] = []
    at, level = path_text(path), len(path) + 1
    first, last = shown[0], shown[-1]
    if first.index:
        found.append(More(at, level, max(0, first.index - PAGE), first.index, False))
    found += [(one, (*path, one.index)) for one in shown]
    if last.index < newest[-1].index:
        left = newest[-1].index - last.index
        found.append(More(at, level, last.index + 1, left, True))
    return found


def growing_details(scope: Scope, path: Path) -> dict[str, Any]:
    """What the template of details needs."""
    growing = scope.growing
    assert growing is not None and scope.run is not None
    row = growing.at(path)
    beside = {
        "path": path_text(path),
        "parent": path_text(path[:-1]) if path else None,
        "before": path_text((*path[:-1], path[-1] - 1)) if path and path[-1] else None,
        "next": None,
    }
    view = growing.view(row, path)
    if view is not None:
        return {**details_of(scope, Place(view, row, row.verdict)), **beside}
    known = begun(growing, row)
    cid = known.pop("input_cid")
    value = None if cid is None else load_value(scope.store, Ref(cid))
    return {
        **known,
        "took": None,
        "after": max(0.0, row.started - scope.run.started),
        "ref": None,
        "invokable": [],
        "input": parts_of_input(value),
        "input_ref": None if cid is None else cid_text(cid),
        "output": [],
        "output_ref": None,
        "raised": [],
        "raised_ref": None,
        "origin": None,
        **beside,
    }
