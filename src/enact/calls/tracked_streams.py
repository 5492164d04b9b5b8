# SPDX-License-Identifier: Apache-2.0
"""What a program gets that calls a registered generator: an iterator like any other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from enact.calls.replayed_streams import begin
from enact.calls.streams import CLOSE, SEND, THROW, Call, End, after_end

if TYPE_CHECKING:
    from enact.calls.replayed_streams import Player
    from enact.calls.targets import Target


class Tracked:
    """A stream that may not have begun."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._player: Player | None = None
        self._over = False

    async def _go_on(self, how: str, value: Any) -> Any:
        player = self._player
        if player is None:
            if self._over or how != SEND:
                self._over = True
                return after_end(how, value)
            if value is not None:
                kind = (
                    "async generator"
                    if self._call.target.is_async_stream
                    else "generator"
                )
                raise TypeError(f"can't send non-None value to a just-started {kind}")
            try:
                self._player = player = await begin(self._call)
            except BaseException:
                self._over = True
                raise
        got = await player.go_on(how, value)
        if player.instead is not None:
            self._player = player.instead
        return got

    def __del__(self) -> None:
        player = getattr(self, "_player", None)
        if player is not None:
            player.dropped()

    def __repr__(self) -> str:
        return f"<stream of {self._call.target.name}>"


class TrackedGenerator(Tracked, Generator[Any, Any, Any]):
    """A registered generator that runs within an invocation."""

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        got = now(self._go_on(SEND, value))
        if type(got) is End:
            raise _stop(got)
        return got

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        got = now(self._go_on(THROW, _error(typ, val, tb)))
        if type(got) is End:
            raise _stop(got)
        return got

    def close(self) -> None:
        now(self._go_on(CLOSE, None))


class TrackedAsyncGenerator(Tracked, AsyncGenerator[Any, Any]):
    """A registered async generator that runs within an invocation."""

    _closed = False

    async def asend(self, value: Any) -> Any:
        return await self._item(SEND, value)

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        if self._closed:  # as Python has it for async generators
            return None
        return await self._item(THROW, _error(typ, val, tb))

    async def aclose(self) -> None:
        self._closed = True
        await self._go_on(CLOSE, None)

    async def _item(self, how: str, value: Any) -> Any:
        try:
            got = await self._go_on(how, value)
        except BaseException:
            self._closed = self._over or self._player is not None
            raise
        if type(got) is End:
            self._closed = True
            raise StopAsyncIteration
        return got


def tracked_stream(
    target: Target, receiver: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TrackedGenerator | TrackedAsyncGenerator:
    """The stream that a call of a registered generator gives.

    Raises:
        TypeError: the arguments do not fit. Only the code waits for the first item.
    """
    if receiver is None:
        target.fn(*args, **kwargs)  # which runs nothing yet
    call = Call(target, receiver, args, kwargs)
    if target.is_async_stream:
        return TrackedAsyncGenerator(call)
    return TrackedGenerator(call)


def _stop(end: End) -> StopIteration:
    """How a generator says that it has ended."""
    return StopIteration() if end.returned is None else StopIteration(end.returned)


def now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that does not wait for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a plain generator waits in an event loop")


def _error(typ: Any, val: Any, tb: Any) -> BaseException:
    """The exception that ``throw`` is given, in one of its forms."""
    if isinstance(typ, BaseException):
        error = typ
    elif isinstance(val, BaseException):
        error = val
    elif isinstance(val, tuple):
        error = typ(*val)
    else:
        error = typ() if val is None else typ(val)
    return error if tb is None else error.with_traceback(tb)


__all__ = ["Tracked", "TrackedAsyncGenerator", "TrackedGenerator", "tracked_stream"]
