# SPDX-License-Identifier: Apache-2.0
"""Streams: calls that give one item after another, as they are recorded and replayed.

A stream is one call, from the first item that is asked for to its end. Its code runs
when items are asked for, each time as a part of that call, whatever else its reader
does in between. What it handed out is written down as one value, a ``Stream``.

Three players do what a reader asks of a stream: `Live` runs it and takes notes,
`Replayed` hands out what was recorded, `Untracked` just runs it. They are written as
coroutines for plain generators as well, which never wait in them; so there is one set
of steps for both kinds.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from enact.calls.divergence import gave_others
from enact.calls.endings import INTERRUPTS, complete, fail, interrupt
from enact.calls.frames import Frame, ended_lane
from enact.calls.lanes import CURRENT, Lane, leave_lane
from enact.calls.layout import Details
from enact.calls.order import ITEM
from enact.calls.rest import is_cancellation
from enact.calls.settling import settle, settle_async
from enact.calls.stream_value import BROKEN, CLOSED, EXHAUSTED, Stream
from enact.calls.writing import announce
from enact.errors import Signal
from enact.values import ATOMIC, Lowered, cid_of
from enact.values.cbor import decode_form

if TYPE_CHECKING:
    from enact.calls.client_streams import Reader
    from enact.calls.layout import Blocks
    from enact.calls.targets import Target
    from enact.calls.turns import Turns

SEND, THROW, CLOSE = "send", "throw", "close"
#: What only the stream of a client is asked for: see ``client_streams.py``.
OPEN, AWAIT, ENTER = "open", "await", "enter"
STEPS = OPEN, AWAIT, ENTER


class End(NamedTuple):
    """Comes in place of an item when there are no more."""

    returned: Any = None


class Call(NamedTuple):
    """What a stream is a call of.

    Attributes:
        target: what is called.
        receiver: of a method that was found through its object.
        args, kwargs: for it.
        client: how the program reads it, if it is the stream of a client.
    """

    target: Target
    receiver: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    client: Reader | None = None

    def make(self, frame: Frame | None) -> Any:
        """Call what gives the stream."""
        if self.receiver is None:
            return self.target.fn(*self.args, **self.kwargs)
        args = self.args if frame is None else frame.args()
        return self.target.fn(self.receiver, *args, **self.kwargs)

    def body(self, frame: Frame | None) -> Body:
        """What runs."""
        if self.client is not None:
            return self.client.new_body(frame)
        made = self.make(frame)
        return AsyncBody(made) if self.target.is_async_stream else Body(made)

    @property
    def is_async(self) -> bool:
        """Whether its reader awaits items."""
        if self.client is not None:
            return self.client.is_async
        return self.target.is_async_stream


class Body:
    """A generator that runs."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    @property
    def is_async(self) -> bool:
        """Whether its reader awaits items."""
        return False

    def drop(self) -> None:
        """Nobody holds it any more."""
        self.generator.close()

    async def go_on(self, how: str, value: Any) -> Any:
        """The next item, or an ``End``."""
        try:
            if how == SEND:
                return self.generator.send(value)
            if how == THROW:
                return self.generator.throw(value)
        except StopIteration as stop:
            return End(stop.value)
        self.generator.close()
        return End()


class AsyncBody(Body):
    """An async generator that runs."""

    @property
    def is_async(self) -> bool:
        return True

    def drop(self) -> None:
        """The event loop takes care of it, in the context that is current."""

    async def go_on(self, how: str, value: Any) -> Any:
        try:
            if how == SEND:
                return await self.generator.asend(value)
            if how == THROW:
                return await self.generator.athrow(value)
        except StopAsyncIteration:
            return End()
        await self.generator.aclose()
        return End()


def after_end(how: str, value: Any) -> End:
    """What a generator that has ended gives."""
    if how == THROW:
        raise value
    return End()


def come_out(error: BaseException) -> NoReturn:
    """Raise what was thrown into a generator as it comes out of one.

    ``raise`` alone would have it tell of an exception that its thrower is handling.
    """
    told = error.__cause__, error.__context__, error.__suppress_context__
    try:
        raise error
    finally:
        error.__cause__, error.__context__, error.__suppress_context__ = told


class Untracked:
    """Runs a stream outside of any record."""

    instead: None = None

    def __init__(self, call: Call) -> None:
        self._body = call.body(None)

    async def go_on(self, how: str, value: Any) -> Any:
        """The next item, or an ``End``."""
        token = CURRENT.set(None)
        try:
            return await self._body.go_on(how, value)
        finally:
            leave_lane(token)

    def dropped(self) -> None:
        """Nobody holds the stream any more: Python closes it."""


class Live:
    """Runs a stream, and writes down what it hands out.

    Args:
        frame: of the call.
        body: that runs; None if nothing more is asked of it.
        items, sent: what it has handed out before, and what came in.
        turns: the recorded order that it keeps to, where it runs again.
        first_noted: the first item that has a place there.

    Attributes:
        instead: who plays on, if another does.
    """

    instead: None = None

    def __init__(
        self,
        frame: Frame,
        body: Body | None,
        items: list[Any] | None = None,
        sent: list[tuple[int, str, Any]] | None = None,
        turns: Turns | None = None,
        first_noted: int = 0,
    ) -> None:
        self._frame = frame
        self._body = body
        self._items: list[Any] = [] if items is None else items
        self._sent = [] if sent is None else sent
        self._over = self._runs = False
        self._is_dropped = False
        self._turns = turns
        self._first_noted = first_noted
        # A pause goes through it, so that it is to begin anew.
        self._unwinds = False
        frame.player = self
        frame.plain = False
        frame.in_loop = frame.target.is_async_stream
        # So that it keeps its place should the process die: calls go on beside it.
        announce(frame)
        enlist(frame.caller.frame, self)

    async def go_on(self, how: str, value: Any) -> Any:
        """The next item, or an ``End``."""
        frame, body = self._frame, self._body
        if self._over or body is None:
            return after_end(how, value)
        if self._runs:
            raise ValueError("the stream is being read already")
        self._note(how, value)
        if how == THROW and isinstance(value, Signal):
            self._unwinds = frame.unwinding = True
        frame.thread = threading.get_ident()
        token = CURRENT.set(frame)
        self._runs = True
        try:
            got = await body.go_on(how, value)
        except BaseException as error:
            leave_lane(token)
            if how in STEPS:
                self._sent.append((0, how, in_words(error)))
            self._end()
            if self._unwinds:
                interrupt(frame, "incomplete")
                raise
            if not isinstance(error, INTERRUPTS):
                await self._settle()
                if not is_cancellation(error):
                    await self._turn(True)
            seen = fail(frame, error)
            self._had_turn(True)
            if seen is error:
                raise
            raise seen from seen.__cause__
        finally:
            self._runs = False
        leave_lane(token)
        if how in STEPS:
            return got
        if how == CLOSE or type(got) is End:
            await self._settle()
            await self._turn(True)
            ended = CLOSED if how == CLOSE else EXHAUSTED
            self.finish(ended, got.returned)
            return got
        if not frame.closed:
            place = len(self._items) - self._first_noted
            if place >= 0:
                await self._turn(ITEM + place)
            self._items.append(self._as_it_is(got))
            # Noted first: the turn lets other threads go on.
            frame.caller.frame.handed_out(frame.slot)
            if place >= 0:
                self._had_turn(ITEM + place)
        return got

    async def _turn(self, kind: int) -> None:
        """Wait until this comes next in the recorded order; see ``order.ITEM``."""
        frame, turns = self._frame, self._turns
        if turns is None:
            return
        if frame.target.is_async_stream:
            await turns.wait(frame.turn, kind)
        else:
            turns.wait_in_thread(frame.turn, kind)

    def _had_turn(self, kind: int) -> None:
        if self._turns is not None:
            self._turns.happened(self._frame.turn, kind)

    async def catch_up(self, known: Stream) -> None:
        """Run the body to where a recording of it was left.

        Raises:
            ReplayError: it does not give the same items.
        """
        frame, body = self._frame, self._body
        assert body is not None
        token = CURRENT.set(frame)
        try:
            for number, item in enumerate(known.items):
                how, value = known.step(number) or (SEND, None)
                got = None if how == THROW else await body.go_on(how, value)
                if how == THROW or self._code(got) != self._code(item):
                    error = gave_others(frame.path_in_tree(), frame.target.name, number)
                    raise frame.run.session.failed(error)
                self._items.append(self._as_it_is(item))
        except BaseException as error:
            leave_lane(token)
            self._end()
            fail(frame, error)
            raise
        leave_lane(token)
        self._sent = list(known.sent)

    async def _settle(self) -> None:
        frame = self._frame
        if frame.pending and frame.started_work:
            if self._body is not None and self._body.is_async:
                await settle_async(frame)
            else:
                settle(frame)

    def _note(self, how: str, value: Any) -> None:
        if (how == SEND and value is None) or how in STEPS:
            return
        if how == THROW:
            value = in_words(value)
        elif how == SEND:
            value = self._as_it_is(value)
        self._sent.append((len(self._items), how, value))

    def _as_it_is(self, value: Any) -> Any:
        """What cannot change any more: the reader may work on what it gets."""
        if type(value) in ATOMIC:
            return value
        frame = self._frame
        call_input = frame.call_input
        what = f"items[{len(self._items)}]"
        data, opaque = frame.run.encode(value, call_input.blocks, frame, what)
        if opaque:
            call_input.opaque = True
        return Lowered(decode_form(data))

    def _code(self, value: Any) -> bytes:
        blocks: Blocks = []
        return self._frame.run.encode(value, blocks, self._frame, "items")[0]

    @property
    def slot(self) -> int:
        """Its place among the calls of its caller."""
        return self._frame.slot

    def finish(self, ended: str, returned: Any = None) -> None:
        """Write down that the stream has ended; see ``complete``."""
        self._end()
        sent = self._sent
        if self._unwinds:
            interrupt(self._frame, "incomplete")
            return
        if ended == CLOSED and sent and sent[-1][1] == CLOSE:
            sent = sent[:-1]  # which goes without saying
        try:
            complete(self._frame, Stream(self._items, returned, ended, sent))
        finally:
            self._had_turn(True)

    def _end(self) -> None:
        self._over = True
        strike_off(self._frame.caller.frame, self)

    def add_items(self, details: Details | None, blocks: Blocks) -> Details:
        """To what is written of a call that did not return, add what it handed out."""
        details = details or Details()
        known = Stream(self._items, None, BROKEN, self._sent)
        frame = self._frame
        data, opaque = frame.run.encode(known, blocks, frame, "items")
        cid = cid_of(data)
        blocks.append((cid, data))
        details.items = [cid]
        details.opaque = details.opaque or opaque or None
        return details

    def dropped(self) -> None:
        """Nobody holds the stream any more: the code that it ends with runs now.

        This may be in the collector, at any point of the program, so nothing can be
        recorded: calls made there warn. That the stream has ended is noted later.
        """
        if self._over or self._body is None:
            return
        self._is_dropped = True
        held, self._body = [self._body], None
        contextvars.copy_context().run(_let_go, held, ended_lane(self._frame.target))

    def left(self, only_dropped: bool = False) -> BaseException | None:
        """The caller ends, or goes on; gives what went wrong."""
        if self._runs or self._over or (only_dropped and not self._is_dropped):
            return None
        try:
            self.finish(CLOSED)
        except BaseException as error:  # as from any call; raised by the caller
            return error
        return None


def _let_go(held: list[Body], lane: Lane) -> None:
    """Let a generator be closed, outside of the call that it belonged to."""
    CURRENT.set(lane)
    held.pop().drop()


def in_words(error: BaseException) -> str:
    """An exception as far as it is compared."""
    return f"{type(error).__qualname__}{error.args!r}"


def enlist(parent: Frame, player: Any) -> None:
    """Note that a stream was begun in a frame."""
    with parent.lock:
        if parent.streams is None:
            parent.streams = set()
            parent.plain = False
        parent.streams.add(player)


def strike_off(parent: Frame, player: Any) -> None:
    """Note that a stream has ended."""
    if parent.streams is not None:
        parent.streams.discard(player)
        parent.stream_ended(player.slot)
