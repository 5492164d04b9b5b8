# SPDX-License-Identifier: Apache-2.0
"""The executable specification of streams: calls that give one item after another.

A reader asks a stream to go on, in *steps*: ``("send", value)`` (``next`` sends None),
``("throw", error)``, ``("close", None)``. What gives items is an async generator
function; where it stands for a plain one, which can return something, that is the
``Last`` that it gives.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import AsyncGenerator
from typing import Any

from tests import loop, reference
from tests.objects import answer, come_out, unchanged
from tests.recorded import Call, Stream
from tests.reference import (
    Frame,
    LiveCallForbidden,
    ReplayError,
    arrive,
    explain,
    inside,
    leave,
)

Step = tuple[str, Any]
CLOSE: Step = ("close", None)
LEFT: Step = ("left", None)  # by a reader that does not even say so


@dataclasses.dataclass
class Last:
    """Comes after all items: what a generator returns."""

    value: Any


class Ended(Exception):
    """There are no more items; with what was returned."""


class Reading:
    """A tracked call that gives items: one call, from the first to the last.

    Args:
        target: what is called, when the first item is asked for.
        args: for it.

    Attributes:
        dropped: nobody can read on.
    """

    def __init__(self, target: Any, *args: Any) -> None:
        self.target, self.args = target, args
        self.frame: Frame | None = None
        self.below: Frame | None = None  # the frame of what runs
        self.body: Any = None  # which is this
        self.dropped = False

    async def ask(self, how: str, value: Any) -> Any:
        """The next item.

        Raises:
            StopAsyncIteration: with what was returned; there are no more.
        """
        if self.frame is None and how == "send":
            await self.begin()
        if not self.is_open:
            raise value if how == "throw" else StopAsyncIteration
        try:
            return await self.items.asend((how, value))
        except Ended as end:
            self.end()
            raise StopAsyncIteration(*end.args) from None
        except BaseException:
            self.end()
            raise

    @property
    def is_open(self) -> bool:
        """Whether it has begun, and neither it nor what reads it has ended."""
        return self.frame is not None and self in self.frame.streams

    async def begin(self) -> None:
        frame, path = loop.here.get()
        begun = await arrive(frame, path, self.target, self.args, is_stream=True)
        self.old, self.call, answered = begun
        self.items = self.answers() if answered else self.produced(Stream([]))
        self.frame = frame
        frame.streams.append(self)
        await anext(self.items)  # to where it waits for the first step

    def end(self) -> None:
        if self.is_open:
            self.frame.streams.remove(self)
            leave(self.frame, self.old, self.call)

    def drop(self) -> None:
        """Nobody can read on. Its code runs to its end, but as a part of no call."""
        self.dropped = True
        if self.body is not None and self.is_open:
            with contextlib.suppress(StopIteration):  # it waits for nothing
                self.body.aclose().send(None)

    def left(self) -> None:
        """Its reader goes on, or returns, and has not closed it: nothing runs."""
        try:
            self.items.asend(LEFT).send(None)
        except Ended:
            self.end()

    async def answers(self) -> AsyncGenerator[Any, Step]:
        """Give what was recorded, as long as it is read as it was."""
        call = self.call
        known = call.output or call.handed or Stream([], ended="broken")
        step, count = (yield), 0
        while count < len(known.items) and same(known.step(count), step):
            await self.turn()
            self.hands_out()
            count += 1
            step = yield copy.deepcopy(known.items[count - 1])
        if same(known.step(count), step):
            await self.turn()
            if step[0] == "throw" and said(call.raised) == said(step[1]):
                call.raised = step[1]  # it comes out as it went in
                come_out(step[1])
            answer(call, [self.target, *self.args])
            raise Ended(known.returned)
        is_all = step in (CLOSE, LEFT)
        self.instead(known.until(count, "closed"), is_all)
        if is_all:
            raise Ended
        items = self.produced(known.until(count, "broken"))
        await anext(items)
        while True:
            step = yield await items.asend(step)

    async def turn(self) -> None:
        """Wait until what comes next in this lane does."""
        lane = self.call.lane
        await self.frame.turns.wait(self.frame.lanes.get(lane, lane))

    def hands_out(self) -> None:
        """The next item goes to the reader."""
        old, times = self.old, self.call.times
        if len(times) < len(old.times):
            self.frame.turns.passed(old.lane, old.times[len(times)])
        times.append(next(loop.clock))

    def instead(self, known: Stream, is_all: bool) -> None:
        """Another call, in the place of one that is read in another way now."""
        frame, old = self.frame, self.call
        if not reference._whole.explained:
            raise ReplayError(f"another reader: {old}")
        self.call = new = Call(old.target, old.args, old.lane, old.version)
        new.began, new.after, new.times = old.began, old.target, old.times
        calls = frame.call.children
        calls[next(n for n, c in enumerate(calls) if c is old)] = new
        explain(frame, new, "rerun: request changed")
        if is_all:
            new.status, new.output = "completed", known
            new.edited, new.below = old.edited, old.below
        elif reference._whole.live == "forbid":
            raise LiveCallForbidden(new)

    async def produced(self, known: Stream) -> AsyncGenerator[Any, Step]:
        """Run what gives items, each part of it within its call; some are known."""
        self.below = frame = self.frame.below(self.call, self.old)
        frame.call.handed = handed = Stream([], ended="broken")
        with frame.outcome(), unchanged(self.args, self.call.args):
            self.body = body = self.target(*self.args)
            for number, item in enumerate(known.items):
                step = known.step(number)
                if step[0] == "throw" or not alike(
                    await go_on(frame, body, step), item
                ):
                    raise ReplayError(f"not the same item: {self.call}")
            handed.items, handed.sent = known.items, known.sent
            step = yield
            try:
                while step != LEFT:
                    note(handed, step)
                    item = await go_on(frame, body, step)
                    self.hands_out()
                    handed.items.append(copy.deepcopy(item))
                    step = yield item
            except Ended as end:
                (handed.returned,) = end.args
            handed.ended = "closed" if step in (CLOSE, LEFT) else "exhausted"
            if step == CLOSE:
                handed.sent.pop()  # which goes without saying
            frame.call.output, frame.call.after = handed, self.target
        raise Ended(handed.returned)


async def go_on(frame: Frame, body: Any, step: Step) -> Any:
    """The next item of what runs as a call."""
    how, value = step
    with inside(frame):
        try:
            if how == "close":
                await body.aclose()
                raise Ended(None)
            item = await (body.asend if how == "send" else body.athrow)(value)
        except StopAsyncIteration:
            raise Ended(None) from None
        if isinstance(item, Last):
            await body.aclose()
            raise Ended(item.value)
        return item


def note(handed: Stream, step: Step) -> None:
    """Write down how a stream was asked to go on, if not by ``next``."""
    how, value = step
    if step != ("send", None):
        value = said(value) if how == "throw" else copy.deepcopy(value)
        handed.sent.append((len(handed.items), how, value))


def same(known: Step | None, step: Step) -> bool:
    """Whether a stream is asked to go on as it was."""
    how, value = step
    if known is None or how == "left":
        return known is None and step in (CLOSE, LEFT)
    return alike(known, (how, said(value) if how == "throw" else value))


def alike(one: Any, other: Any) -> bool:
    """Whether both are the same, going by looks."""
    return repr(one) == repr(other)


def said(error: Exception | None) -> str:
    """An exception in words."""
    return "" if error is None else f"{type(error).__name__}{error.args!r}"
