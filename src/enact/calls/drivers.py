# SPDX-License-Identifier: Apache-2.0
"""Drivers: tasks of a replay wake only when it is their turn."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from enact.calls import rest
from enact.calls.rest import OtherLoop

if TYPE_CHECKING:
    from enact.calls.lanes import Lane
    from enact.calls.rest import Loop
    from enact.calls.turns import Turns


def _nothing() -> None:
    pass


class Turn:
    """A lane that waits for its turn.

    Attributes:
        loop: in which it waits.
        future: that it awaits.
        is_released: it goes on out of turn.
        is_for_end: a call of its own is to end.
    """

    __slots__ = ("future", "is_for_end", "is_released", "loop")

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.future = loop.create_future()
        self.is_released = False
        self.is_for_end = False


class Driver(Coroutine[Any, Any, Any]):
    """A coroutine that is resumed only when it is its lane's turn."""

    __slots__ = (
        "__weakref__",
        "_begun",
        "_coro",
        "_held",
        "_is_held_new",
        "_lane",
        "_next",
        "_turns",
        "_yielded",
        "loop",
    )

    def __init__(
        self, turns: Turns, lane: Lane, coro: Coroutine[Any, Any, Any]
    ) -> None:
        self._turns = turns
        self._lane = lane
        self._coro = coro
        self._begun = False
        self._yielded: Any = self
        self._is_held_new = False
        self._held: Generator[Any, None, None] | None = None
        # In which it waits to begin.
        self.loop: Loop | None = None
        # How it goes on after it was held back.
        self._next: Callable[[], Any] = _nothing

    def send(self, value: Any) -> Any:
        self._turns.goes_on(self._lane)
        if self._held is not None:
            return self._go_on(value)
        held = self._hold_back()
        if held is not None:
            self._held, self._next = held, functools.partial(self._coro.send, value)
            return self._go_on()
        # As ``_forward`` does, with one call less.
        laps = self._turns.laps
        before = laps.ready()
        try:
            self._yielded = got = self._coro.send(value)
            return got
        except BaseException:
            self._ended()
            raise
        finally:
            laps.made_ready(before)

    def throw(self, *error: Any) -> Any:
        self._turns.goes_on(self._lane)
        resume = functools.partial(self._coro.throw, *error)
        is_new = not self._begun
        held = self._held
        if held is not None:  # cancelled while it was held back
            is_new = self._is_held_new
            held.close()
            self._held = None
        plan = self._lane.frame.plan
        if is_new and plan is not None and plan.had_begun(self._lane):
            # Cancelled before it begins, it would do nothing.
            self._begun = True
            self._forward(functools.partial(self._coro.send, None))
            return self._forward(resume)
        if held is not None:
            return self._forward(resume)
        self._held = self._hold_back()
        if self._held is None:
            return self._forward(resume)
        self._next = resume
        return self._go_on()

    def _hold_back(self) -> Generator[Any, None, None] | None:
        """What to wait for before it goes on; None if it is its turn."""
        held = self._hold_for_turn()
        if held is not None:
            return held
        laps = self._turns.laps
        if not laps.is_held_up(self._lane):
            return None
        from enact.calls.hops import awaits_turn  # imports asyncio, which takes long

        if awaits_turn(self._coro):
            return None
        waits: Generator[Any, None, None] = laps.await_late(self._lane).__await__()
        return waits

    def _hold_for_turn(self) -> Generator[Any, None, None] | None:
        turns = self._turns
        if not self._begun:
            # Tasks begin in the order in which they were made, that is their turn.
            self._begun = True
            self._is_held_new = not turns.may_begin(self)
            if self._is_held_new:
                return self._hold_beginning()
            future = turns.laps.arrive(self._lane)
            self._is_held_new = future is not None
            return None if future is None else future.__await__()
        if turns.is_turn_of_task(self._lane) and not turns.lets_pass(self._lane):
            future = turns.laps.arrive(self._lane, self._hopped)
            return None if future is None else future.__await__()
        if self._hopped():
            return None
        if turns.is_turn_of_task(self._lane):
            return self._stay_behind()
        return self._hold()

    def _hopped(self) -> bool:
        """Whether it is where it was when it was recorded: see ``hops.py``."""
        laps, lane = self._turns.laps, self._lane
        is_other = isinstance(rest.running_loop(), OtherLoop)
        if not (is_other or laps.counts()):
            return False
        if self._yielded in laps.given:
            return True
        from enact.calls.hops import Wait, wait_of  # imports asyncio, which takes long

        match wait_of(self._coro, self._yielded):
            case Wait.TASKS if is_other:
                # Where tasks run in any order, the next call tells which came first.
                return laps.is_recorded and not laps.comes_before_rest(lane)
            case Wait.TASKS:
                return laps.is_recorded or laps.comes_before_rest(lane)
            case Wait.NO_TIME if not is_other:
                return bool(lane.cursor) and laps.comes_before_rest(lane)
        return False

    def _go_on(self, value: Any = None) -> Any:
        assert self._held is not None
        try:
            return self._held.send(value)
        except StopIteration:
            self._held = None
            self._is_held_new = False
            resume, self._next = self._next, _nothing
        return self._forward(resume)

    def close(self) -> None:
        self._coro.close()

    def __getattr__(self, name: str) -> Any:
        """What libraries ask a coroutine (``cr_running``, ``__qualname__``)."""
        return getattr(self._coro, name)

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                got = self.send(value) if error is None else self.throw(error)
            except StopIteration as stop:
                return stop.value
            try:
                value, error = (yield got), None
            except BaseException as thrown:  # handed to the coroutine, whatever it is
                value, error = None, thrown

    def _hold(self) -> Generator[Any, None, None]:
        turns, lane = self._turns, self._lane
        turns._held.add(lane.path)
        try:
            while not turns.is_turn_of_task(lane):
                turns.laps.may_end(lane)
                turn = turns.park(lane.path)
                yield from turn.future.__await__()
                if turn.is_released:
                    return
        finally:
            turns._held.discard(lane.path)

    def _stay_behind(self) -> Generator[Any, None, None]:
        loop = rest.running_loop()
        assert loop is not None
        turn = Turn(loop)
        self._turns.stay_behind(turn)
        yield from turn.future.__await__()

    def _hold_beginning(self) -> Generator[Any, None, None]:
        turns = self._turns
        self.loop = rest.running_loop()
        turns._beginning.append(self)
        try:
            while not turns.may_begin(self):
                if isinstance(self.loop, OtherLoop):
                    yield from self.loop.pause()
                else:
                    yield
        finally:
            turns._beginning.remove(self)

    def _forward(self, resume: Callable[[], Any]) -> Any:
        laps = self._turns.laps
        before = laps.ready()
        try:
            self._yielded = got = resume()
            return got
        except BaseException:
            self._ended()
            raise
        finally:
            laps.made_ready(before)

    def _ended(self) -> None:
        """It returned or raised: either way this lane does nothing more."""
        self._turns.laps.task_ends()
        plan = self._lane.frame.plan
        if plan is not None:
            plan.finished(self._lane)
