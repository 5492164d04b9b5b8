# SPDX-License-Identifier: Apache-2.0
"""The executable specification: what it means to record, rewind, edit and replay.

It is written to be read, not to be fast, and shares no code with the package. A program
is a coroutine function, or an object whose ``call`` is one. It makes a tracked call
with ``await call(fn, *args)`` and starts a task with ``spawn``; what tasks wait with is
in ``loop.py``. ``record`` runs a program and gives the ``Call`` at the top; ``rewind``,
``rewind_to`` and ``edit`` give partial ones, and ``replay`` goes on from there:

>>> async def roll(): return 4
>>> async def game(): return [await call(roll), await call(roll)]
>>> first = record(game)
>>> again = replay(edit(first, (1,), output=6))
>>> first.output, again.output
([4, 4], [4, 6])
"""

from __future__ import annotations

import contextvars
import copy
import dataclasses
import itertools
import types
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from tests import loop

Path = tuple[int, ...]


class ReplayError(BaseException):
    """The program left the record, and nothing explains it."""


class InputChanged(Exception):
    """A call changed one of its arguments in place."""


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
    children: list[Call] = dataclasses.field(default_factory=list)

    def asks(self, other: Call) -> bool:
        """Whether both call the same with the same, going by looks: 1 is not True."""
        return repr((self.target, self.args)) == repr((other.target, other.args))


# --- changing what was recorded ---------------------------------------------------


def reopened(old: Call, count: int) -> Call:
    """``old`` before it ended, when it had made the first ``count`` calls."""
    new = Call(old.target, old.args, old.lane, old.began, after=old.target)
    return dataclasses.replace(new, retry=old.retry, children=old.children[:count])


def rewind(old: Call, count: int = 1) -> Call:
    """Drop the outcome and the last ``count`` calls."""
    return reopened(old, max(0, len(old.children) - count))


def rewind_to(old: Call, path: Path) -> Call:
    """Cut the call at ``path``, and what began after it at every level above."""
    if len(path) <= 1:
        return reopened(old, path[0] if path else 0)
    new = reopened(old, path[0] + 1)
    new.children[path[0]] = rewind_to(new.children[path[0]], path[1:])
    return new


def edit(
    old: Call, path: Path, output: Any = None, raises: Exception | None = None
) -> Call:
    """Replace the outcome at ``path``; the calls above have not ended yet."""
    new = reopened(old, len(old.children))
    new.retry = False
    if path:
        new.children[path[0]] = edit(new.children[path[0]], path[1:], output, raises)
    else:
        new.children = [dataclasses.replace(c, retry=False) for c in old.children]
        new.edited, new.ended = True, old.ended
        new.status = "completed" if raises is None else "failed"
        new.output, new.raised = copy.deepcopy(output), raises
        new.raised_here = raises is not None
    return new


# --- recording and replaying a call -----------------------------------------------


class Frame:
    """A call that runs: ``call`` is written, ``recorded`` is what it is to repeat."""

    def __init__(self, call: Call, recorded: Call) -> None:
        self.call = call
        self.spawned: dict[Path, int] = {}
        self.lanes: dict[Path, Path] = {(): ()}  # what runs -> what was recorded
        self.left: dict[Path, list[Call]] = {}  # of each recorded lane: what is to come
        for child in recorded.children:
            self.left.setdefault(child.lane, []).append(child)
        times = [(c.began, c.lane) for c in recorded.children]
        times += [(c.ended, c.lane) for c in recorded.children if c.ended >= 0]
        self.expected = sorted(times)  # starts and ends to come: when, in which lane

    def find(self, asked: Call) -> Call | None:
        """The recorded call that the program makes now; None for a new one."""
        if asked.lane not in self.lanes:
            self.lanes[asked.lane] = self.choose_lane(asked)
        left = self.left.get(self.lanes[asked.lane], [])
        found = next((child for child in left if child.asks(asked)), None)
        if left and found is not left[0]:
            leave_record(f"recorded {left[0]}, now {asked}")
            similar = repr(left[0].target) == repr(asked.target)
            if found is None and similar and left[0].children:
                found = left[0]  # runs again; what is below it may still serve
        if found is not None:
            del left[: left.index(found) + 1]
        return found

    def choose_lane(self, first: Call) -> Path:
        """The recorded lane for a new one: one that begins alike, or that of its name.

        Tasks that make no tracked call may be missing or extra, so names may shift.
        """
        free = [lane for lane in self.left if lane not in self.lanes.values()]
        alike = [lane for lane in free if self.left[lane][0].asks(first)]
        if first.lane in (alike or free):
            return first.lane
        return alike[0] if alike else (-1,)  # which names no recorded lane

    def is_turn(self, path: Path) -> bool:
        """Whether what was recorded to come next is in this lane, or nothing is.

        Answers take no time, so the tasks of a replay would overtake each other.
        """
        coming = [lane for _, lane in self.expected]
        own = self.lanes.get(path, path)
        return own not in coming or coming[0] == own

    def happened(self, path: Path, time: int) -> None:
        """A lane has come to what was recorded at some time."""
        own = self.lanes[path]
        self.expected = [e for e in self.expected if e[0] > time or e[1] != own]


async def call(target: Any, *args: Any) -> Any:
    """Make a tracked call: the one way in."""
    frame, path = _here.get()
    await loop.until(lambda: frame.is_turn(path), gives_up=True)
    asked = Call(copy.deepcopy(target), copy.deepcopy(args), path)
    old = frame.find(asked) or Call(None, ())
    retried = old.retry and not old.edited
    answered = old.asks(asked) and old.status != "incomplete" and not retried
    if answered:
        asked = dataclasses.replace(old, lane=path, retry=False)
    if old.edited or not (answered or (old.asks(asked) and old.children)):
        _whole.explained = True
    asked.began = next(_clock)
    frame.call.children.append(asked)
    frame.happened(path, old.began)
    try:
        if answered:
            await loop.until(lambda: frame.is_turn(path), gives_up=True)
            return answer(asked, target, args)
        return await run(Frame(asked, old), target, args)
    finally:
        asked.ended = next(_clock)
        frame.happened(path, old.ended)
        _whole.explained = _whole.explained or retried


def answer(call: Call, target: Any, args: tuple[Any, ...]) -> Any:
    """Hand out a recorded outcome."""
    restore(target, call.after)
    call.raised = copy.deepcopy(call.raised)
    if call.raised is not None:
        raise call.raised
    if call.returned is not None:
        return [target, *args][call.returned]
    return copy.deepcopy(call.output)


async def run(frame: Frame, target: Any, args: tuple[Any, ...]) -> Any:
    """Run the code of a call and record its outcome."""
    call = frame.call
    above = _here.set((frame, ()))
    try:
        try:
            output = await getattr(target, "call", target)(*args)
        finally:
            if repr(args) != repr(call.args):
                raise InputChanged(f"of {call.target}")
    except Exception as error:
        causes = list(reachable(error))
        for child in call.children:
            child.retry = child.raised in causes
        call.status, call.raised = "failed", error
        call.raised_here = error not in [child.raised for child in call.children]
        raise
    else:
        if any(frame.left.values()):
            leave_record("a recorded call was not made")
        call.status, call.output = "completed", copy.deepcopy(output)
        same = [n for n, value in enumerate([target, *args]) if value is output]
        call.returned = same[0] if same else None
        return output
    finally:
        call.after = copy.deepcopy(target)
        _here.reset(above)


def reachable(error: BaseException | None) -> Iterator[BaseException]:
    """What led to an exception: groups, causes and contexts, and itself."""
    if error is not None:
        yield error
        parts = getattr(error, "exceptions", ())
        for part in (error.__cause__, error.__context__, *parts):
            yield from reachable(part)


def restore(target: Any, after: Any) -> Any:
    """Make an object equal to another; its parts stay the same objects."""
    if isinstance(target, list):
        target[:] = copy.deepcopy(after)
    elif dataclasses.is_dataclass(target):
        for name, value in vars(after).items():
            setattr(target, name, restore(getattr(target, name), value))
    else:
        return copy.deepcopy(after)
    return target


# --- whole programs ---------------------------------------------------------------


_clock = itertools.count()
_here: contextvars.ContextVar[tuple[Frame, Path]] = contextvars.ContextVar("here")
_whole = types.SimpleNamespace(explained=False)  # of the execution; see leave_record


def leave_record(difference: str) -> None:
    """The program may differ only if some call before was not simply answered."""
    if not _whole.explained:
        raise ReplayError(difference)


def execute(
    target: Any, args: Sequence[Any], recorded: list[Call], schedule: Sequence[int] = ()
) -> Call:
    """Make the call at the top."""
    top = Frame(Call(None, ()), Call(None, (), children=recorded))
    _here.set((top, ()))
    loop.run(call(target, *args), schedule)
    return top.call.children[0]


def record(target: Any, *args: Any, schedule: Sequence[int] = ()) -> Call:
    """Run a program and record it."""
    return execute(target, args, [], schedule)


def replay(old: Call, strict: bool = True) -> Call:
    """Run a program again: recorded calls are answered, the rest runs live."""
    target, args = copy.deepcopy((old.target, old.args))
    top = dataclasses.replace(old, retry=old.status == "failed")
    _whole.explained = not strict
    return execute(target, args, [top])


def spawn(body: Coroutine[Any, Any, Any]) -> loop.Task:
    """Start a task, in a lane of its own."""
    frame, path = _here.get()
    number = frame.spawned[path] = frame.spawned.get(path, -1) + 1
    here = _here.set((frame, (*path, number)))
    task = loop.start(body)  # in a copy of the context
    _here.reset(here)
    return task
