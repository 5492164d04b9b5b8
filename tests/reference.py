# SPDX-License-Identifier: Apache-2.0
"""The executable specification: what it means to record, rewind, edit and replay.

It is written to be read, not to be fast, and shares no code with the package. A program
is a coroutine function, or an object whose ``call`` is one. It makes a tracked call
with ``await call(fn, *args)``; how it starts tasks and waits for them is in
``loop.py``; what is recorded of a call is in ``recorded.py``, and streams are in
``reference_streams.py``. ``record`` runs a program and gives the ``Call`` at the top;
``rewind``, ``rewind_to`` and ``edit`` give partial ones, and ``replay`` goes on from
there:

>>> async def roll(): return 4
>>> async def game(): return [await call(roll), await call(roll)]
>>> first = record(game)
>>> again = replay(edit(first, (1,), output=6))
>>> first.output, again.output
([4, 4], [4, 6])
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import types
from collections.abc import Iterator, Sequence
from typing import Any

from tests import loop
from tests.objects import answer, name_of, reachable, unchanged
from tests.recorded import Call, Path, edit, plain, rewind, rewind_to

__all__ = ["Call", "edit", "record", "replay", "rewind", "rewind_to"]

code: dict[str, int] = {}  # the code of a function or class, by name: 0, or another one
_whole = types.SimpleNamespace()  # what holds for a whole execution; see replay


class ReplayError(BaseException):
    """The program left the record, and nothing explains it."""


class LiveCallForbidden(BaseException):
    """A call without recorded calls below would have to run."""


# --- recording and replaying ------------------------------------------------------


class Frame:
    """A call that runs: ``call`` is written, ``old`` is what it is to repeat.

    Where ``old`` had failed, and that ``stands``, it runs again for another reason.
    """

    def __init__(self, call: Call, old: Call, stands: bool = False) -> None:
        self.call, self.old, self.stands = call, old, stands
        self.spawned: dict[Path, int] = {}
        self.lanes: dict[Path, Path] = {(): ()}  # what runs -> what was recorded
        self.recorded = old.calls
        self.left = list(range(len(self.recorded)))  # which of them nobody has taken
        self.bases: list[int] = []  # which of them helped with a changed request
        self.skipped: set[int] = set()  # which of them later ones were taken before
        self.turns = loop.Turns(
            (c.lane, [c.began, *c.times, c.ended]) for c in old.children
        )
        self.streams: list[Any] = []  # that it has begun to read

    def find(self, asked: Call) -> int | None:
        """The recorded call that the program makes now, or None.

        If none is the same, it may be a base: what was recorded below may still answer.
        """
        lane = self.lane_of(asked)
        own = [n for n in self.left if self.recorded[n].lane == lane]
        ahead = [n for n in own if n not in self.skipped]
        if not (ahead and self.recorded[ahead[0]].asks(asked)):
            ended = self.old.status == "completed" or self.stands
            differs = ahead[0] < len(self.old.children) if ahead else ended
            if differs and not _whole.explained:
                raise ReplayError(f"not recorded: {asked}")
            if not (ahead or _whole.changed):
                return None
            _whole.changed = True
        for n in dict.fromkeys((*ahead, *own, *self.left)):
            if self.recorded[n].asks(asked):
                self.left.remove(n)
                if n in ahead:
                    self.lanes[asked.lane] = lane
                    self.skipped.update(earlier for earlier in ahead if earlier < n)
                return n
        alike = [n for n in ahead if self.recorded[n].version[0] == asked.version[0]]
        bases = [n for n in alike if n not in self.bases]
        self.bases += bases[:1]
        return bases[0] if bases else None

    def lane_of(self, asked: Call) -> Path:
        """The recorded lane of a call: for a new lane, the one that begins alike.

        Tasks that make no tracked call may be missing or extra, so names may shift.
        """
        if asked.lane in self.lanes:
            return self.lanes[asked.lane]
        first: dict[Path, Call] = {}
        for child in (self.recorded[n] for n in self.left):
            if child.lane not in self.lanes.values():
                first.setdefault(child.lane, child)
        alike = [lane for lane, child in first.items() if child.asks(asked)]
        if asked.lane in (alike or first):
            return asked.lane
        return alike[0] if alike else (-1,)  # which names no recorded lane

    def retries(self, old: Call) -> bool:
        """What led to the end of a call is tried again with it."""
        return old.retry and old.status == "failed" and not self.stands

    def judge(self, old: Call, asked: Call) -> str:
        """What is to become of a call: "edited" and "reused" ones are answered."""
        if not old.asks(asked):
            return "rerun: request changed"
        if old.edited:
            return "edited"
        is_open = old.status == "incomplete" or self.retries(old)
        if is_open and not old.calls:
            return "retried"
        for name, number in {old.version} if is_open else {old.version, *old.below}:
            if code.get(name, 0) != number and _whole.on_code_change == "rerun":
                return "rerun: code changed"
        # Where no call may run, the code around recorded ones runs all the same.
        is_open = is_open or (_whole.live == "forbid" and bool(old.calls))
        return "resumed" if is_open else "reused"

    def cut(self, n: int) -> None:
        """A call is tried again, so the program's answer to how it ended is dropped."""
        known = self.recorded
        later = {m for m in self.left if m > n and known[m].lane == known[n].lane}
        stays = {m for m in later if known[m].edited or self.retries(known[m])}
        self.left = [m for m in self.left if m not in later - stays]

    def below(self, call: Call, old: Call) -> Frame:
        """For a call that runs, as ``old`` did."""
        return Frame(call, old, old.status == "failed" and not self.retries(old))

    def end_streams(self, only_dropped: bool = False) -> None:
        """The code goes on, or returns: it has left what it will not read any more."""
        for stream in [s for s in self.streams if s.dropped or not only_dropped]:
            stream.left()

    def cut_off(self) -> None:
        """What it has not come to stays in its record, and so for open streams."""
        for stream in self.streams:
            if stream.below is not None:
                stream.below.cut_off()
        left = [self.recorded[n] for n in self.left]
        self.call.ahead = [plain(c) for c in left if not self.retries(c)]
        self.note_versions()

    def note_versions(self) -> None:
        """Write down which code ran below."""
        below = [v for c in self.call.children for v in (c.version, *c.below)]
        self.call.below = frozenset(below)

    @contextlib.contextmanager
    def outcome(self) -> Iterator[None]:
        """Record how the code within ends."""
        call = self.call
        try:
            yield
            self.end_streams()
            missing = [n for n in self.left if n < len(self.old.children)]
            if missing and not _whole.explained:
                raise ReplayError(f"not made: {self.recorded[missing[0]]}")
            call.status = "completed"
        except Exception as error:
            for child in call.children:
                child.retry = not child.edited and child.raised in [*reachable(error)]
            self.cut_off()
            call.status, call.output, call.returned = "failed", None, None
            call.raised = error
            call.raised_here = error not in [child.raised for child in call.children]
            raise
        finally:
            self.streams = []
            self.note_versions()


async def arrive(
    frame: Frame, path: Path, target: Any, args: Any, is_stream: bool = False
) -> Any:
    """A call begins: what it repeats, what is written of it, and if that is all."""
    frame.end_streams(only_dropped=True)
    await frame.turns.wait(frame.lanes.get(path, path))
    asked = Call(*copy.deepcopy((target, args)), path)
    asked.version = (name_of(target), code.get(name_of(target), 0))
    n = frame.find(asked)
    old = Call(None, ()) if n is None else frame.recorded[n]
    verdict = "new" if n is None else frame.judge(old, asked)
    if frame.retries(old) and old.asks(asked) and not is_stream:
        frame.cut(n)  # what is done beside a stream may be older than its end
    answered = verdict in ("edited", "reused")
    if _whole.live == "forbid" and not (answered or old.calls):
        raise LiveCallForbidden(asked)
    if answered:
        asked = dataclasses.replace(plain(old), lane=path, times=[])
    if verdict not in ("reused", "resumed"):
        explain(frame, asked, verdict)
    asked.began = next(loop.clock)
    frame.call.children.append(asked)
    frame.turns.passed(old.lane, old.began)
    return old, asked, answered


def explain(frame: Frame, asked: Call, verdict: str) -> None:
    """From here on the program may go another way."""
    _whole.explained = True
    _whole.changed |= verdict not in ("new", "retried")
    _whole.verdicts += [(asked, verdict)] if frame.recorded else []


def leave(frame: Frame, old: Call, asked: Call) -> None:
    """A call ends."""
    asked.ended = next(loop.clock)
    frame.turns.passed(old.lane, old.ended)
    _whole.explained |= frame.retries(old) and old.asks(asked)


async def call(target: Any, *args: Any) -> Any:
    """Make a tracked call: the one way in."""
    frame, path = loop.here.get()
    old, asked, answered = await arrive(frame, path, target, args)
    try:
        if answered:
            await frame.turns.wait(frame.lanes.get(path, path))
            return answer(asked, [target, *args])
        return await run(frame.below(asked, old), target, args)
    finally:
        leave(frame, old, asked)


async def run(frame: Frame, target: Any, args: tuple[Any, ...]) -> Any:
    """Run the code of a call and record its outcome."""
    try:
        with inside(frame), frame.outcome(), unchanged(args, frame.call.args):
            output = await getattr(target, "call", target)(*args)
            came_in = [n for n, x in enumerate([target, *args]) if x is output]
            frame.call.returned = came_in[0] if came_in else None
            frame.call.output = copy.deepcopy(output)
        return output
    finally:
        frame.call.after = copy.deepcopy(target)


@contextlib.contextmanager
def inside(frame: Frame) -> Iterator[None]:
    """What runs is part of a call."""
    above = loop.here.set((frame, ()))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # what was left is closed elsewhere
            loop.here.reset(above)


def record(target: Any, *args: Any, schedule: Sequence[int] = ()) -> Call:
    """Run a program and record it."""
    return replay(Call(target, args), schedule=schedule)


def replay(
    old: Call, strict: bool = True, schedule: Sequence[int] = (), **options: str
) -> Call:
    """Run a program again: recorded calls are answered, the rest runs live."""
    _whole.__init__(explained=not strict, changed=False, verdicts=[])
    _whole.__dict__.update({"on_code_change": "rerun", "live": "allow", **options})
    target, args = copy.deepcopy((old.target, old.args))
    top = dataclasses.replace(old, retry=old.status == "failed" and not old.edited)
    frame = Frame(Call(None, ()), Call(None, (), children=[top]))
    loop.here.set((frame, ()))
    loop.run(call(target, *args), schedule)
    return frame.call.children[0]
