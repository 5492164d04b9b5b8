# SPDX-License-Identifier: Apache-2.0
"""The one way in: every tracked call goes through ``call`` or ``call_async``.

Both do the same steps; only the waiting differs. ``arrive`` encodes the input and asks
the replayer (``arrival.py``). Either the record has an answer, which is handed out, or
a frame begins, the code runs, and the recorder writes how it ended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.answers import Answer
from enact.calls.arrival import Early, arrive
from enact.calls.endings import (
    INTERRUPTS,
    complete,
    fail,
)
from enact.calls.flushing import flushed
from enact.calls.frames import Frame
from enact.calls.lanes import (
    CURRENT,
    Lane,
    leave_lane,
)
from enact.calls.replayer import Given
from enact.calls.rest import forever, is_cancellation
from enact.calls.settling import settle, settle_async
from enact.calls.standing import Standing

if TYPE_CHECKING:
    from enact.calls.targets import Target
    from enact.calls.turns import Turns


def call(
    lane: Lane,
    target: Target,
    receiver: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Make a tracked call of a plain callable."""
    arrival = arrive(lane, target, receiver, args, kwargs)
    while type(arrival) is not Frame:
        if type(arrival) is Given:
            return arrival.value
        if isinstance(arrival, Answer):
            return _answered(arrival)
        waited = None
        if type(arrival) is Early:
            arrival.wait_in_thread()
            waited = arrival.index
        elif type(arrival) is Standing:
            arrival.place.wait(arrival)
        else:
            return _run_untracked(target, receiver, args, kwargs)
        arrival = arrive(lane, target, receiver, args, kwargs, waited)
    frame = arrival
    token = CURRENT.set(frame)
    try:
        if receiver is None:
            output = target.fn(*args, **kwargs)
        else:
            output = target.fn(receiver, *frame.args(), **kwargs)
    except BaseException as error:
        CURRENT.reset(token)
        if frame.turn >= 0 and not isinstance(error, INTERRUPTS):
            turns_at(frame).wait_in_thread(frame.turn, True)
        if frame.caller.in_flight and isinstance(error, Exception):
            comes_last_in_thread(frame)
        if frame.pending and frame.started_work:
            settle(frame)
        seen = fail(frame, error)
        if frame.turn >= 0:
            turns_at(frame).happened(frame.turn, True)
        if seen is error:
            raise
        raise seen from seen.__cause__
    CURRENT.reset(token)
    if frame.verdict is None and not frame.pending:
        return complete(frame, output)  # as most calls by far
    if frame.caller.in_flight:
        comes_last_in_thread(frame)
    if frame.pending and frame.started_work:
        settle(frame)
    if frame.turn < 0:
        return complete(frame, output)
    turns_at(frame).wait_in_thread(frame.turn, True)
    try:
        return complete(frame, output)
    finally:
        turns_at(frame).happened(frame.turn, True)


def call_async(
    lane: Lane,
    target: Target,
    receiver: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Coroutine[Any, Any, Any]:
    """Make a tracked call of a coroutine function; gives what is to be awaited now."""
    arrival = arrive(lane, target, receiver, args, kwargs)
    if type(arrival) is Frame:
        return _run_async(arrival, target, receiver, args, kwargs)
    if isinstance(arrival, Answer):
        turns = arrival.turns
        if turns is not None and turns.has_come(arrival.index, False):
            arrival.begin()
            return give_async(arrival)
    return _arrived_async(arrival, lane, target, receiver, args, kwargs)


async def _arrived_async(
    arrival: Frame | Answer | Given | Early | Standing | None,
    lane: Lane,
    target: Target,
    receiver: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """``call_async`` where more than one step may be to come."""
    while type(arrival) is not Frame:
        if type(arrival) is Given:
            return arrival.value
        if isinstance(arrival, Answer):
            return await _answered_async(arrival)
        waited = None
        if type(arrival) is Early:
            await arrival.wait()
            waited = arrival.index
        elif type(arrival) is Standing:
            await arrival.place.wait_async(arrival)
        else:
            return await _run_untracked(target, receiver, args, kwargs)
        arrival = arrive(lane, target, receiver, args, kwargs, waited)
    return await _run_async(arrival, target, receiver, args, kwargs)


async def _run_async(
    frame: Frame,
    target: Target,
    receiver: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    frame.in_loop = True
    frame.task = frame.caller.task or rest.task_id()
    token = CURRENT.set(frame)
    try:
        if receiver is None:
            body = target.fn(*args, **kwargs)
        else:
            body = target.fn(receiver, *frame.args(), **kwargs)
        if frame.plan is not None and frame.plan.turns is not None:
            body = frame.plan.turns.drive(frame, body)
        try:
            output = await body
        except Exception:
            if frame.run.schedule is not None:
                await frame.run.schedule.hold()
            if frame.caller.in_flight:
                await comes_last(frame)
            raise
        if frame.run.schedule is not None:
            await frame.run.schedule.hold()
        if frame.caller.in_flight:
            await comes_last(frame)
    except BaseException as error:
        leave_lane(token)
        if frame.turn >= 0 and not isinstance(error, INTERRUPTS):
            await turns_at(frame).wait(frame.turn, True)
        if frame.pending and frame.started_work and not isinstance(error, INTERRUPTS):
            await settle_async(frame)
        if not isinstance(error, INTERRUPTS) and not is_cancellation(error):
            frame.may_wait = may_wait(frame)
        seen = fail(frame, error)
        if frame.unended is not None:
            await flushed(frame)
        if frame.turn >= 0:
            turns_at(frame).happened(frame.turn, True)
        if seen is error:
            raise
        raise seen from seen.__cause__
    leave_lane(token)
    if frame.pending and frame.started_work:
        await settle_async(frame)
    if frame.turn < 0:
        if frame.run.flusher is None or not may_wait(frame):
            return complete(frame, output)
        frame.may_wait = True
        output = complete(frame, output)
        if frame.unended is not None:
            await flushed(frame)
        return output
    await turns_at(frame).wait(frame.turn, True)
    try:
        return complete(frame, output)
    finally:
        turns_at(frame).happened(frame.turn, True)


def _answered(answer: Answer) -> Any:
    turns = answer.turns
    if turns is not None:
        answer.wait_in_thread(turns, False)
    answer.begin()
    return give(answer)


async def _answered_async(answer: Answer) -> Any:
    turns = answer.turns
    if turns is not None:
        await turns.wait(answer.index, False)
    answer.begin()
    schedule = answer.lane.frame.run.schedule
    if schedule is not None and turns is None:
        try:
            await schedule.hold()
        except BaseException:
            answer.end()
            raise
    return await give_async(answer)


async def comes_last(frame: Frame) -> None:
    """Wait until all that was recorded has happened beside a call that ends."""
    turns = turns_of(frame.caller)
    if turns is not None:
        await turns.wait_for_rest_of_order(frame.caller)


def comes_last_in_thread(frame: Frame) -> None:
    """``comes_last``, for a call that is not awaited."""
    turns = turns_of(frame.caller)
    if turns is not None:
        turns.wait_for_rest_of_order_in_thread()


def may_wait(frame: Frame) -> bool:
    """Whether a call that is awaited may wait for a flush.

    In a replay, what waits would lose its turn.
    """
    return (
        frame.run.flusher is not None
        and frame.verdict is None
        and frame.caller.frame.plan is None
    )


def give(answer: Answer) -> Any:
    """Wait for the end of a call that a record answers; its outcome takes place."""
    turns = answer.turns
    if turns is not None:
        if answer.comes_last:
            turns.wait_for_rest_of_order_in_thread(answer.index)
        else:
            answer.wait_in_thread(turns, True)
    return answer.give()


async def give_async(answer: Answer) -> Any:
    """``give``, for a call that is awaited."""
    turns = answer.turns
    try:
        if turns is not None:
            if answer.comes_last:
                await turns.wait_for_rest_of_order(answer.lane, answer.index)
            else:
                await turns.wait(answer.index, True)
        if answer.recorded.status == "cancelled":
            if turns is not None:
                turns.awaits_cancellation(answer.index)
            await forever()  # till the program cancels this one too
    except BaseException as error:  # cancelled, or closed with its loop
        if is_cancellation(error):
            if answer.recorded.status != "cancelled":
                answer.lane.frame.was_cut_short(answer)
            elif turns is not None:  # of several at once, each in its turn
                with contextlib.suppress(type(error)):  # some cancel again and again
                    await turns.wait(answer.index, True, is_cancelled=True)
        answer.end()
        raise
    return answer.give()


def turns_at(frame: Frame) -> Turns:
    """The recorded order in which ``frame`` has a place."""
    turns = turns_of(frame.caller)
    assert turns is not None
    return turns


def turns_of(lane: Lane) -> Turns | None:
    """The recorded order that a lane keeps to."""
    plan = lane.frame.plan
    return None if plan is None else plan.turns


def _run_untracked(
    target: Target, receiver: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    token = CURRENT.set(None)
    try:
        if receiver is None:
            return target.fn(*args, **kwargs)
        return target.fn(receiver, *args, **kwargs)
    finally:
        CURRENT.reset(token)
