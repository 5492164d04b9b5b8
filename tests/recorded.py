# SPDX-License-Identifier: Apache-2.0
"""What the executable specification records of a call, and how that is changed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

Path = tuple[int, ...]
Version = tuple[str, int]


@dataclasses.dataclass
class Stream:
    """What a call gave that gave one item after another."""

    items: list[Any]
    returned: Any = None
    ended: str = "exhausted"  # or "closed": its reader left it; "broken": it raised
    sent: list[tuple[int, str, Any]] = dataclasses.field(default_factory=list)

    def step(self, number: int) -> tuple[str, Any] | None:
        """How it was asked to go on after some items; None if it never was."""
        for place, how, value in self.sent:
            if place == number:
                return how, value
        is_left = number == len(self.items) and self.ended == "closed"
        return None if is_left else ("send", None)

    def until(self, number: int, ended: str) -> Stream:
        """The same, as it was after some items."""
        sent = [one for one in self.sent if one[0] < number]
        return Stream(copy.deepcopy(self.items[:number]), None, ended, sent)


@dataclasses.dataclass
class Call:
    """A recorded call: what was asked, what came of it, and the calls made on the way.

    A call is named by its ``lane`` in the call above, and its place among the calls of
    that lane: ``()`` is the body of the call above, ``(*lane, n)`` the n-th task that a
    lane starts. ``began`` and ``ended`` order it among the calls beside it.
    """

    target: Any  # what was called, as it was before
    args: tuple[Any, ...]
    lane: Path = ()
    version: Version = ("", 0)  # its name and code
    below: frozenset[Version] = frozenset()  # of all that ran below
    began: int = -1
    ended: int = -1  # not yet
    after: Any = None  # the target as it was afterwards
    status: str = "incomplete"  # then "completed" or "failed"
    output: Any = None
    returned: int | None = None  # the output is this one of (target, *args)
    raised: Exception | None = None
    raised_here: bool = False  # not an exception of a call below
    retry: bool = False  # its exception ended the call above
    edited: bool = False
    handed: Stream | None = None  # what it has handed out, if it gives items
    times: list[int] = dataclasses.field(default_factory=list)  # when it did
    children: list[Call] = dataclasses.field(default_factory=list)
    ahead: list[Call] = dataclasses.field(default_factory=list)  # not asked for again

    @property
    def calls(self) -> list[Call]:
        """What may answer calls below this one, when it runs again."""
        return [*self.children, *self.ahead]

    def asks(self, other: Call) -> bool:
        """Whether both call the same with the same, going by looks: 1 is not True."""
        return repr((self.target, self.args)) == repr((other.target, other.args))


def plain(call: Call) -> Call:
    """A call that did not end the one above, so that it is not tried again."""
    return dataclasses.replace(call, retry=False)


# --- changing what was recorded ---------------------------------------------------


def reopened(old: Call, children: list[Call], ahead: Sequence[Call] = ()) -> Call:
    """``old`` before it ended, when it had made some of its calls."""
    new = Call(old.target, old.args, old.lane, old.version, old.below, old.began)
    new.after, new.retry = old.target, old.retry
    new.children, new.ahead = children, list(ahead)
    return new


def rewind(old: Call, count: int = 1) -> Call:
    """Drop the outcome and the last ``count`` calls."""
    kept = old.children[: max(0, len(old.children) - count)]
    return reopened(old, kept, [] if count else old.ahead)


def rewind_to(old: Call, path: Path) -> Call:
    """Cut the call at ``path``, and what began after it at every level above."""
    if len(path) <= 1:
        return reopened(old, old.children[: sum(path)])
    new = reopened(old, old.children[: path[0] + 1])
    new.children[-1] = rewind_to(new.children[-1], path[1:])
    return new


def edit(
    old: Call, path: Path, output: Any = None, raises: Exception | None = None
) -> Call:
    """Replace the outcome at ``path``; the calls above have not ended yet."""
    new = reopened(plain(old), list(old.children), old.ahead)
    if path:
        new.children[path[0]] = edit(new.children[path[0]], path[1:], output, raises)
    else:
        new.children = [plain(c) for c in old.children]
        new.edited, new.ended = True, old.ended
        new.status = "completed" if raises is None else "failed"
        new.output = copy.deepcopy(output)
        new.raised, new.raised_here = raises, raises is not None
    return new
