# SPDX-License-Identifier: Apache-2.0
"""Streams that a record answers, as long as they are read as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from enact.calls.answers import Answer
from enact.calls.arrival import Early, arrive
from enact.calls.calling import give, give_async, turns_at
from enact.calls.divergence import another_reader, forbidden, where
from enact.calls.edits import closed_early
from enact.calls.endings import fail
from enact.calls.frames import Frame
from enact.calls.lanes import CURRENT
from enact.calls.order import ITEM
from enact.calls.replayer import Given, Plan
from enact.calls.stream_value import BROKEN, CLOSED, Stream
from enact.calls.streams import (
    CLOSE,
    SEND,
    STEPS,
    THROW,
    Call,
    End,
    Live,
    Untracked,
    after_end,
    come_out,
    enlist,
    in_words,
    strike_off,
)
from enact.calls.verdicts import REQUEST_CHANGED
from enact.errors import CallError, ReplayError
from enact.values import cid_of, decode

if TYPE_CHECKING:
    from enact.calls.layout import Blocks, Recorded
    from enact.stores import ValueStore


class Handed:
    """Hands out what somebody put in the place of a stream."""

    instead: None = None

    def __init__(self, given: Any) -> None:
        self._items = iter(given)
        self._returned = given.returned if isinstance(given, Stream) else None

    async def go_on(self, how: str, value: Any) -> Any:
        """The next item, or an ``End``."""
        if how in STEPS:
            return None
        if how != SEND:
            self._items = iter(())
            return after_end(how, value)
        for item in self._items:
            return item
        returned, self._returned = self._returned, None
        return End(returned)

    def dropped(self) -> None:
        """Nobody holds the stream any more."""


class Replayed:
    """Hands out what was recorded of a stream.

    Args:
        call: that is answered.
        answer: the recording of it.
        known: what it handed out.

    Attributes:
        instead: who plays on, if its reader went another way than the recorded one.
    """

    def __init__(self, call: Call, answer: Answer, known: Stream) -> None:
        self.instead: Live | None = None
        self._call = call
        self._answer = answer
        self._known = known
        self._count = 0
        self._over = False
        self._is_dropped = False
        turns = answer.turns
        noted = 0 if turns is None else turns.items_of(answer.index)
        # Before that, nothing overlapped, so no order was noted.
        self._first_noted = len(known) - noted
        enlist(answer.lane.frame, self)

    async def go_on(self, how: str, value: Any) -> Any:
        """The next item, or an ``End``."""
        if self._over or (how == CLOSE and self._answer.lane.frame.closed):
            return after_end(how, value)
        number = self._count
        if how in STEPS:
            step = self._known.step(number)
            if step is not None and step[0] == how:  # which failed
                return await self._end_as_recorded(how, value)
            return None
        if not self._is_as_recorded(number, how, value):
            if how == CLOSE:
                self._close_early()
                return End()
            self.instead = await self._play_on()
            return await self.instead.go_on(how, value)
        answer = self._answer
        if number == len(self._known) or how == CLOSE:
            return await self._end_as_recorded(how, value)
        kind = ITEM + number - self._first_noted
        turns = answer.turns if kind >= ITEM else None
        if turns is not None:
            if self._call.is_async:
                await turns.wait(answer.index, kind)
            else:
                answer.wait_in_thread(turns, kind)
        self._count += 1
        item = self._known.items[number]
        # Noted first: the turn lets other threads go on.
        answer.lane.frame.handed_out(answer.slot)
        if turns is not None:
            turns.happened(answer.index, kind)
        return item

    async def _end_as_recorded(self, how: str, value: Any) -> End:
        self._end()
        try:
            if self._call.is_async:
                await give_async(self._answer)
            else:
                give(self._answer)
        except BaseException as error:
            if how != THROW or in_words(error) != in_words(value):
                raise
            self._answer.failed_with(value)
        else:
            return End(None if how == CLOSE else self._known.returned)
        return come_out(value)

    def _is_as_recorded(self, number: int, how: str, value: Any) -> bool:
        step = self._known.step(number)
        if step is None:
            return how == CLOSE
        if step[0] != how:
            return False
        if how == THROW:
            return bool(step[1] == in_words(value))
        if value is None or step[1] is None:
            return value is step[1]
        encode = self._answer.lane.frame.run.encode
        frame = self._answer.lane.frame
        was, given = (encode(one, [], frame, "sent")[0] for one in (step[1], value))
        return was == given

    @property
    def slot(self) -> int:
        """Its place among the calls of its caller."""
        return self._answer.slot

    def _end(self) -> None:
        self._over = True
        strike_off(self._answer.lane.frame, self)

    def _so_far(self) -> Stream:
        """What was handed out; read anew, since its reader may have worked on it."""
        known = recorded_stream(self._answer)
        count = self._count
        sent = [one for one in known.sent if one[0] < count]
        return Stream(known.items[:count], None, CLOSED, sent)

    def failed(self, what: str) -> CallError:
        """The program does with the stream what no record can answer.

        Args:
            what: it does, in words that go on from "the program".
        """
        answer = self._answer
        path = answer.path()
        return answer.lane.frame.run.session.failed(
            ReplayError(
                f"call {where(path)} of {answer.target.name!r}: the program {what}",
                path,
            )
        )

    def _leave_record(self) -> None:
        """From here on the stream is another call than the recorded one.

        Raises:
            ReplayError: nothing explains that.
        """
        answer = self._answer
        session = answer.lane.frame.run.session
        self._end()
        if session.is_exact:
            answer.end()
            name = answer.target.name
            error = another_reader(answer.path(), name, self._count)
            raise session.failed(error)
        plan = answer.lane.frame.plan
        if plan is not None and answer.index >= 0:
            plan.drop(answer.index)
        session.explain(answer.path(), REQUEST_CHANGED)

    def _close_early(self) -> None:
        self._leave_record()
        answer = self._answer
        blocks: Blocks = []
        frame = answer.lane.frame
        data, _ = frame.run.encode(self._so_far(), blocks, frame, "output")
        output = cid_of(data)
        frame.run.store.backend.put([*blocks, (output, data)])
        cid = closed_early(answer.recorded, frame.run.store, output)
        frame.leave(answer.slot, cid)

    async def _play_on(self) -> Live:
        """Run the stream after all, beginning with what was handed out."""
        answer = self._answer
        known = self._so_far()
        self._leave_record()
        frame = Frame.instead_of(answer, REQUEST_CHANGED)
        session, policy = frame.run.session, frame.run.session.policy
        path = frame.path_in_tree()
        if policy.live == "forbid":
            error = session.failed(forbidden(path, answer.call_input, REQUEST_CHANGED))
            raise fail(frame, error)
        if policy.forecast is not None:
            policy.forecast.expect(path, answer.call_input, REQUEST_CHANGED, None)
            raise fail(frame, policy.forecast.stop())
        if answer.recorded.has_calls:
            Plan(answer.recorded, session, frame.run.store, True).start(frame)
        live = _live(frame, self._call)
        await live.catch_up(known)
        return live

    def dropped(self) -> None:
        """Nobody holds the stream any more; see ``Live.dropped``."""
        self._is_dropped = True

    def left(self, only_dropped: bool = False) -> BaseException | None:
        """The caller ends, or goes on; gives what went wrong."""
        if self._over or (only_dropped and not self._is_dropped):
            return None
        try:
            if self._is_as_recorded(self._count, CLOSE, None):
                self._end()
                self._answer.end()
            else:
                self._close_early()
        except BaseException as error:  # as from any call; raised by the caller
            return error
        return None


Player = Live | Replayed | Handed | Untracked


def recorded_stream(answer: Answer) -> Stream:
    """What the recording of a call says that it handed out.

    Raises:
        ReplayError: it is no recording of a stream.
    """
    found = _known(answer.recorded, answer.lane.frame.run.store)
    if isinstance(found, Stream):
        return found
    raise answer.lane.frame.run.session.failed(
        ReplayError(
            f"the recorded outcome of call {answer.path()} of {answer.target.name!r} "
            f"is {type(found).__qualname__}, and it is a generator now: put in an "
            "`enact.Stream(items)`, or replay with on_code_change='rerun'",
            answer.path(),
        )
    )


def _known(recorded: Recorded, store: ValueStore) -> Any:
    cid = recorded.output
    if cid is None:
        items = recorded.details.items if recorded.details is not None else None
        cid = items[0] if items else None
    if cid is None:
        return Stream([], None, BROKEN)
    return decode(store.load_block(cid), store)


async def begin(call: Call) -> Player:
    """Begin the call of a stream, when its first item is asked for."""
    lane = CURRENT.get()
    if lane is None:
        return Untracked(call)
    is_async = call.is_async
    arrival = arrive(lane, *call[:4])
    while type(arrival) is Early:
        if is_async:
            await arrival.wait()
        else:
            arrival.wait_in_thread()
        arrival = arrive(lane, *call[:4], arrival.index)
    if arrival is None:
        return Untracked(call)
    if isinstance(arrival, Answer):
        turns = arrival.turns
        if turns is not None:
            if is_async:
                await turns.wait(arrival.index, False)
            else:
                arrival.wait_in_thread(turns, False)
        arrival.begin()
        try:
            return Replayed(call, arrival, recorded_stream(arrival))
        except BaseException:
            arrival.end()
            raise
    if type(arrival) is Given:
        return Handed(arrival.value)
    assert isinstance(arrival, Frame)
    return _live(arrival, call)


def _live(frame: Frame, call: Call) -> Live:
    try:
        body = call.body(frame)
    except BaseException as error:  # what it is called with does not fit
        raise fail(frame, error) from None
    if frame.turn < 0 or frame.plan is None:
        return Live(frame, body)
    turns = turns_at(frame)
    known = _known(frame.plan.recorded, frame.run.store)
    count = len(known) if isinstance(known, Stream) else 0
    first_noted = count - turns.items_of(frame.turn)
    return Live(frame, body, turns=turns, first_noted=first_noted)
