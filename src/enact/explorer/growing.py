# SPDX-License-Identifier: Apache-2.0
"""The tree of a large run that goes on, or was cut off: from the journal, as it grows.

To put such a tree together from its beginning would take longer than until it is asked
for again. So only what is shown is read: the newest calls of each call, and those
around what somebody looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from enact.calls import Invocation
from enact.calls.invocation import from_cid
from enact.calls.layout import REQUEST, read_fields
from enact.errors import NoSuchCall
from enact.query import Call, Run, Store
from enact.render import short_name, visible
from enact.render.lines import begun_text, call_parts, usage_text
from enact.stores import CallRow
from enact.values import cid_text

Path = tuple[int, ...]

PAGE = 100
_MOST_STEPS = 40


class Growing:
    """Finds calls of a run by their paths, and those that they made.

    Args:
        store: that it is in.
        run: that goes on.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._run = run.id
        self.store = store
        last = next(self._calls(newest_first=True, limit=1), None)
        self.count = 0 if last is None else last.number + 1

    def _calls(self, **wanted: Any) -> Iterator[CallRow]:
        return self.store.backend.calls(run=self._run, **wanted)

    def top(self) -> CallRow:
        """The call at the top, of the last try.

        Raises:
            NoSuchCall: nothing has begun.
        """
        row = next(self._calls(newest_first=True, limit=1), None)
        if row is None:
            raise NoSuchCall("nothing is recorded of this run yet")
        while row.parent is not None:
            row = next(self._calls(number=row.parent))
        return row

    def at(self, path: Path) -> CallRow:
        """A call by its path.

        Raises:
            NoSuchCall: there is none.
        """
        row = self.top()
        for level, index in enumerate(path):
            found = self._child(row, index)
            if found is None:
                where = "/".join(map(str, path[: level + 1]))
                raise NoSuchCall(f"no call {where} has begun")
            row = found
        return row

    def view(self, row: CallRow, path: Path) -> Invocation | None:
        """What is recorded of a call; None while it goes on."""
        if row.invocation is None:
            return None
        view = from_cid(row.invocation, self.store)
        view.__dict__["_path"] = path
        return view

    def newest(self, row: CallRow, count: int = PAGE) -> list[CallRow]:
        """The last ones of the calls that a call made, in order."""
        found = self._calls(parent=row.number, newest_first=True, limit=count)
        return list(found)[::-1]

    def following(self, row: CallRow, index: int, count: int = PAGE) -> list[CallRow]:
        """Calls that a call made, from an index on."""
        first = self._child(row, index)
        if first is None:
            return []
        found = self._calls(parent=row.number, since=first.started, limit=2 * count)
        return [one for one in found if one.number >= first.number][:count]

    def has_calls(self, row: CallRow) -> bool:
        """Whether a call has made others."""
        return next(self._calls(parent=row.number, limit=1), None) is not None

    def _child(self, row: CallRow, index: int) -> CallRow | None:
        """One of the calls that a call made; they come in the order of their index."""
        low = next(self._calls(parent=row.number, limit=1), None)
        high = next(self._calls(parent=row.number, newest_first=True, limit=1), None)
        if low is None or high is None or not low.index <= index <= high.index:
            return None
        for one in (low, high):
            if one.index == index:
                return one
        most, end = high.index, high.number  # of what comes behind it
        for step in range(_MOST_STEPS):
            gap = end - low.number
            # They often make as many calls each; else look in the middle.
            share = (index - low.index) / (most - low.index) if step % 2 == 0 else 0.5
            middle = low.number + max(1, min(gap - 1, int(gap * share)))
            found = self._next(row, middle)
            if found is not None and found.index == index:
                return found
            if found is not None and found.index < index:
                low = found
            else:
                most, end = (most if found is None else found.index), middle
            if end - low.number <= 1:
                break
        made = self._calls(parent=row.number, limit=index + 1)
        return next((one for one in made if one.index == index), None)

    def _next(self, row: CallRow, number: int) -> CallRow | None:
        """The first of the calls that a call made, from a number on."""
        near = next(self._calls(number=number), None)
        if near is None or near.parent == row.number:
            return near
        made = self._calls(parent=row.number, since=near.started, limit=4)
        return next((one for one in made if one.number >= number), None)


def fields_of(growing: Growing, row: CallRow, width: int) -> dict[str, Any]:
    """What a line of the tree tells of a call."""
    view = growing.view(row, ())
    if view is not None:
        call, outcome, status = call_parts(view, width)
        made = len(view._recorded().children)
    else:
        call = begun_text(growing.store, row.invokable, row.request, width)
        outcome, status = "", row.status
        made = int(growing.has_calls(row))
    running = row.status == "running"
    return {
        "call": call,
        "outcome": outcome,
        "status": "running" if running else status,
        "children": made,
        "verdict": row.verdict or "",
        "took": None if running else row.duration,
        "usage": "" if row.usage is None else usage_text(Call.usage_of(row)),
        "lane": ".".join(map(str, row.lane)),
    }


def begun(growing: Growing, row: CallRow) -> dict[str, Any]:
    """What is known of a call that goes on: what was called, with what."""
    found: dict[str, Any] = {
        "name": visible(row.invokable),
        "short": visible(short_name(row.invokable)),
        "status": row.status,
        "verdict": row.verdict,
        "started": row.started,
        "lane": ".".join(map(str, row.lane)),
        "usage": "" if row.usage is None else usage_text(Call.usage_of(row)),
        "code": None if row.code is None else row.code.hex(),
        "calls": int(growing.has_calls(row)),
        "request": None,
        "input_cid": None,
    }
    if row.request is not None:
        data = growing.store.load_block(row.request)
        found["input_cid"] = read_fields(data, REQUEST, row.request)["input"]
        found["request"] = cid_text(row.request)
    return found
