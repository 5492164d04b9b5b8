# SPDX-License-Identifier: Apache-2.0
"""The journal's rows of the calls in a tree: times, verdicts, usage by place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from enact.calls import Invocation
from enact.query.records import Call, Run
from enact.stores import OUTSIDE, CallRow

if TYPE_CHECKING:
    from enact.query.store import Store

REUSED = "reused"

# So many calls of one call are read in order; those further on are looked up.
_NEAR = 2_000


class Place(NamedTuple):
    """A call in a tree, with what the journal knows of it.

    Attributes:
        view: the call.
        row: its row; None for a call that was answered from a record.
        verdict: of the replay that the tree comes from, None outside of replays.
    """

    view: Invocation
    row: CallRow | None
    verdict: str | None

    @property
    def duration(self) -> float | None:
        """Seconds; None for a call that did not run, or has not ended."""
        if self.row is None or self.row.status == "running":
            return None
        return self.row.duration


class Places:
    """Finds the rows of calls, level by level, as far as somebody looks.

    Args:
        store: with the journal.
        run: in which the tree was recorded; None to look for one.
    """

    def __init__(self, store: Store, run: Run | None = None) -> None:
        self._store = store
        self._run = run
        self._replayed = run is not None and _is_replay(run)

    def top(self, view: Invocation) -> Place:
        """The place of the call where a tree begins: a whole run, or a part of one."""
        if self._run is None:
            row = self._recording(view)
        elif view.path:
            row = self._at(view)
        else:
            row = self._first()
        return self._place(view, row)

    def children(self, place: Place, count: int, start: int = 0) -> list[Place]:
        """Some of the calls that a call made.

        Args:
            place: of the call.
            count: of how many.
            start: index of the first one.
        """
        stop = min(start + count, _count(place.view))
        views = [self._child(place.view, place.row, n) for n in range(start, stop)]
        rows: dict[int, CallRow] = {}
        if place.row is not None and views:
            rows = self._rows(place.row, views, stop)
        return [self._place(view, rows.get(view.path[-1])) for view in views]

    def view(self, root: Invocation, path: tuple[int, ...]) -> Invocation:
        """A call in the tree of the run.

        Args:
            root: the call at its top.
            path: of the call.

        Raises:
            NoSuchCall: there is none.
        """
        deep = any(index >= _NEAR for index in path)
        row = self._first() if deep and self._run is not None else None
        view = root
        for index in path:
            view = self._child(view, row, index)
            row = None if row is None else self._likely(row, index)
        return view

    def _child(self, view: Invocation, row: CallRow | None, index: int) -> Invocation:
        """One of the calls that a call made.

        In the middle of very many the journal tells it sooner than their list, which is
        read from one of its ends; outside of replays both are the same.
        """
        near = min(index, _count(view) - index) < _NEAR
        if not near and row is not None and not self._replayed:
            made = self._likely(row, index)
            if made is not None and made.invocation is not None:
                return view._view(made.invocation, index)
        return view[index]

    def _rows(
        self, parent: CallRow, views: list[Invocation], stop: int
    ) -> dict[int, CallRow]:
        """The rows of calls, by their index."""
        calls = self._store.backend.calls
        if stop <= _NEAR:
            made = calls(run=parent.run, parent=parent.number, limit=stop)
            return {row.index: row for row in made}
        rows: dict[int, CallRow] = {}
        for view in views:
            row = self._likely(parent, view.path[-1])
            if row is not None:
                rows[row.index] = row
        missing = {v.request.cid for v in views if v.path[-1] not in rows}
        for request in missing:
            made = calls(
                run=parent.run, parent=parent.number, request=request, limit=_NEAR
            )
            rows.update((row.index, row) for row in made)
        return rows

    def _likely(self, parent: CallRow, index: int) -> CallRow | None:
        """The row of a call, if none of those before it made calls of its own."""
        number = parent.number + 1 + index
        for row in self._store.backend.calls(run=parent.run, number=number):
            if row.parent == parent.number and row.index == index:
                return row
        return None

    def _place(self, view: Invocation, row: CallRow | None) -> Place:
        recorded = view._recorded()
        if row is not None and row.request != recorded.request:
            row = None  # the tree was put together anew, and is not that of the rows
        if recorded.details is not None and recorded.details.origin is not None:
            return Place(view, row, recorded.details.origin)
        if row is not None:
            return Place(view, row, row.verdict)
        return Place(view, None, REUSED if self._replayed else None)

    def _first(self) -> CallRow | None:
        """The row of the call at the top: of the last try, if it was resumed."""
        assert self._run is not None
        first: CallRow | None = None
        tries = self._run._row.attempt + 1
        for row in self._store.backend.calls(
            run=self._run.id, parent=OUTSIDE, limit=tries
        ):
            first = row
        return first

    def _at(self, view: Invocation) -> CallRow | None:
        row = self._first()
        for level, index in enumerate(view.path):
            if row is None:
                return None
            parent, row = row, self._likely(row, index)
            if row is None:
                request = view.root[view.path[: level + 1]].request.cid
                made = self._store.backend.calls(
                    run=parent.run, parent=parent.number, request=request
                )
                row = next((one for one in made if one.index == index), None)
        return row

    def _recording(self, view: Invocation) -> CallRow | None:
        """The row of the call that recorded an invocation, the first if several did."""
        cid = view.ref.cid
        rows = self._store.backend.calls(request=view.request.cid)
        row = next((row for row in rows if row.invocation == cid), None)
        if row is not None:
            found = self._store.backend.runs(run=row.run)
            self._replayed = bool(found) and _is_replay(Run(self._store, found[0]))
        return row


def walk(
    places: Places, top: Place, depth: int | None, children: int | None
) -> Iterator[Place | tuple[int, int]]:
    """The calls of a tree, parents first.

    Args:
        places: finds what the journal knows of them.
        top: the first.
        depth: levels below it, None for all.
        children: of one call at most so many, None for all.

    Yields:
        Places; and in place of calls that are left out, their depth and number.
    """
    start = len(top.view.path)
    todo: list[Place | tuple[int, int]] = [top]
    while todo:
        item = todo.pop()
        yield item
        if not isinstance(item, Place):
            continue
        level = len(item.view.path) - start
        made = len(item.view._recorded().children)
        if not made or (depth is not None and level >= depth):
            continue
        shown = made if children is None else min(made, children)
        if shown < made:
            todo.append((level + 1, made - shown))
        todo.extend(reversed(places.children(item, shown)))


def path_of(store: Store, call: Call) -> str:
    """The path of a call in the tree of its run, as in ``1/0``.

    Args:
        store: with the journal.
        call: from it.
    """
    indices: list[int] = []
    row: CallRow | None = call._row
    while row is not None and row.parent is not None:
        indices.append(row.index)
        number = row.parent
        row = next(store.backend.calls(run=row.run, number=number), None)
    return "/".join(map(str, reversed(indices)))


def _count(view: Invocation) -> int:
    return len(view._recorded().children)


def _is_replay(run: Run) -> bool:
    return run.how is not None or run._row.attempt > 0
