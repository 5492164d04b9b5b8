# SPDX-License-Identifier: Apache-2.0
"""Streams of other people's clients: what a registered function of theirs gives.

Such a thing is an iterator, or a context manager that gives one, or both, plain or
async. The program gets a ``ClientStream`` in its place, which is all of that, and the
items that it reads are recorded as those of a registered generator (``streams.py``).
Other than that of a generator, the code of a client runs when its function is called.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from enact.calls.lanes import CURRENT, leave_lane
from enact.calls.replayed_streams import Replayed, begin
from enact.calls.streams import (
    AWAIT,
    CLOSE,
    ENTER,
    OPEN,
    SEND,
    THROW,
    Body,
    Call,
    End,
)
from enact.calls.tracked_streams import Tracked, now

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.targets import Target

Leaving = tuple[Any, Any, Any]
_AS_IT_IS: Leaving = (None, None, None)


class ClientBody(Body):
    """What a client gave.

    Attributes:
        made: by its function.
        entered: what that gives as a context manager; else the same.
        is_left: it is closed.
        swallows: it does not let the exception out that it was left by.
    """

    def __init__(self, reader: Reader, call: Call, frame: Frame | None) -> None:
        self._reader = reader
        self._call = call
        self._frame = frame
        self._items: Any = None
        self._is_open = self._is_awaited = self._is_entered = False
        self.made: Any = None
        self.entered: Any = None
        self.is_left = self.swallows = False

    @property
    def is_async(self) -> bool:
        return self._reader.is_async

    def drop(self) -> None:
        """It is left to whatever the client does then."""

    async def go_on(self, how: str, value: Any) -> Any:
        if not self._is_open:
            await self._open()
        if self._reader.is_awaited and not self._is_awaited:
            self.made = self.entered = await self.made
            self._is_awaited = True
        if self._reader.is_entered and not self._is_entered:
            await self._enter()
        if how == CLOSE:
            await self.leave()
            return End()
        if how == THROW:
            raise value
        return await self._next() if how == SEND else None

    async def _open(self) -> None:
        made = self._call.make(self._frame)
        if self._call.target.is_async:
            made = await made
        self.made = self.entered = made
        self._is_open = True

    async def _enter(self) -> None:
        if self.is_async:
            self.entered = await _method(self.made, "__aenter__")()
        else:
            self.entered = _method(self.made, "__enter__")()
        self._is_entered = True

    async def _next(self) -> Any:
        if self._items is None:
            given = self._reader.source(self.entered)
            self._items = aiter(given) if self.is_async else iter(given)
        try:
            if self.is_async:
                return await anext(self._items)
            return next(self._items)
        except StopIteration as stop:
            return End(stop.value)
        except StopAsyncIteration:
            return End()

    async def leave(self) -> None:
        """Close it, in the way in which the program does."""
        if self.is_left:
            return
        self.is_left = True
        if self._is_entered:
            name = "__aexit__" if self.is_async else "__exit__"
            got = _method(self.made, name)(*self._reader.leaving)
        else:
            close = getattr(self.made, "close", None) or getattr(
                self.made, "aclose", None
            )
            got = None if close is None else close()
        if inspect.isawaitable(got):
            got = await got
        self.swallows = bool(got) and self._is_entered


def _method(made: Any, name: str) -> Any:
    found = getattr(made, name, None)
    if found is None:
        kind = "asynchronous context" if name.startswith("__a") else "context"
        raise TypeError(
            f"{type(made).__name__!r} object does not support the {kind} manager "
            "protocol"
        )
    return found


class Reader:
    """How the program reads the stream of a client.

    Apart from what the program holds, so that this is known when nobody holds that.

    Attributes:
        is_async: it awaits what it does.
        is_awaited: it has awaited what it got.
        is_entered: it has entered it, as a context manager.
        leaving: what it leaves it with.
        reads, read_with: what it reads, as in ``Target``, and the arguments of that.
        call: that it reads.
        body: what runs; None where a record answers.
    """

    def __init__(
        self, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.is_async = target.is_async
        self.is_awaited = self.is_entered = False
        self.leaving = _AS_IT_IS
        self.reads = target.reads or ""
        self.read_with: tuple[tuple[Any, ...], dict[str, Any]] = (), {}
        self.call = Call(target, None, args, kwargs, self)
        self.body: ClientBody | None = None

    def new_body(self, frame: Frame | None) -> ClientBody:
        """What runs, where no record answers."""
        self.body = ClientBody(self, self.call, frame)
        return self.body

    def source(self, entered: Any) -> Any:
        """What gives the items, out of what a client gave."""
        if not self.reads:
            return entered
        found = getattr(entered, self.reads.removesuffix("()"))
        if not self.reads.endswith("()"):
            return found
        args, kwargs = self.read_with
        return found(*args, **kwargs)


class ClientStream(Tracked):
    """Stands for what a client gave, while it runs and where a record answers.

    It is read, entered and closed as that is. All other attributes are those of what
    the client gave: they are in no record, so asking for one is an error in a replay.
    """

    def __init__(
        self, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._reader = Reader(target, args, kwargs)
        super().__init__(self._reader.call)

    async def start(self) -> None:
        """Make the call."""
        self._player = await begin(self._call)
        await self._go_on(OPEN, None)

    # --- as an iterator -------------------------------------------------------------

    def __iter__(self) -> ClientStream:
        return self

    def __aiter__(self) -> ClientStream:
        return self

    def __next__(self) -> Any:
        self._reader.is_async = False
        got = now(self._go_on(SEND, None))
        if type(got) is End:
            raise StopIteration(got.returned)
        return got

    async def __anext__(self) -> Any:
        self._reader.is_async = True
        got = await self._go_on(SEND, None)
        if type(got) is End:
            raise StopAsyncIteration
        return got

    def __await__(self) -> Generator[Any, Any, ClientStream]:
        return self._awaited().__await__()

    async def _awaited(self) -> ClientStream:
        self._reader.is_async = self._reader.is_awaited = True
        await self._go_on(AWAIT, None)
        return self

    # --- as a context manager ---------------------------------------------------------

    def __enter__(self) -> ClientStream:
        self._reader.is_async = False
        now(self._enter())
        return self

    async def __aenter__(self) -> ClientStream:
        self._reader.is_async = True
        await self._enter()
        return self

    async def _enter(self) -> None:
        self._reader.is_entered = True
        await self._go_on(ENTER, None)

    def __exit__(self, *leaving: Any) -> bool:
        self._reader.is_async = False
        return bool(now(self._leave(leaving)))

    async def __aexit__(self, *leaving: Any) -> bool:
        self._reader.is_async = True
        return await self._leave(leaving)

    async def _leave(self, leaving: Any = _AS_IT_IS) -> bool:
        self._reader.leaving = leaving
        body = self._reader.body
        try:
            await self._go_on(CLOSE, None)
            if body is not None:
                # It came to its end before, and so did the call.
                token = CURRENT.set(None)
                try:
                    await body.leave()
                finally:
                    leave_lane(token)
        finally:
            self._reader.leaving = _AS_IT_IS  # which holds on to frames
        return body is not None and body.swallows

    def close(self) -> Any:
        """Close it; to be awaited if it is read so."""
        return self.aclose() if self._reader.is_async else now(self._leave())

    async def aclose(self) -> None:
        """Close it, where it is read with ``async``."""
        self._reader.is_async = True
        await self._leave()

    # --- as what it is ----------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_reader" not in self.__dict__:
            raise AttributeError(name)
        if name == self._reader.reads:
            return self
        if name + "()" == self._reader.reads:
            return self._read_by
        if self._reader.body is not None:
            return getattr(self._reader.body.entered, name)
        player = self._player
        if name.startswith("_") or not isinstance(player, Replayed):
            raise AttributeError(f"{self!r} has no attribute {name!r}")
        raise player.failed(
            f"asks a recorded stream for {name!r}, which is not in its record: only "
            "its items are. Next: register a function of yours that reads the stream "
            "and returns what you need of it, or rewind to before this call to have "
            "it made again"
        )

    def _read_by(self, *args: Any, **kwargs: Any) -> ClientStream:
        self._reader.read_with = args, kwargs
        return self


def client_stream(
    target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ClientStream:
    """What a call of a client's function gives within an invocation."""
    stream = ClientStream(target, args, kwargs)
    now(stream.start())
    return stream


async def client_stream_async(
    target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ClientStream:
    """The same for a function that is awaited."""
    stream = ClientStream(target, args, kwargs)
    await stream.start()
    return stream


async def read_client_stream(
    target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], in_loop: bool
) -> None:
    """Read the stream of a client to its end.

    Args:
        target, args, kwargs: the call.
        in_loop: what is async can be awaited.
    """
    stream = ClientStream(target, args, kwargs)
    await stream.start()
    is_async, enters = in_loop, True
    body = stream._reader.body
    if body is not None:
        if in_loop and _has_any(body.made, "__await__"):
            await stream
        is_async = in_loop and _has_any(body.made, "__aenter__", "__aiter__")
        enters = _has_any(body.made, "__aenter__", "__enter__")
    if not is_async:
        if enters:
            stream.__enter__()
        for _ in stream:
            pass
        stream.close()
        return
    if enters:
        await stream.__aenter__()
    async for _ in stream:
        pass
    await stream.aclose()


def _has_any(made: Any, *names: str) -> bool:
    return any(hasattr(made, name) for name in names)


__all__ = ["ClientStream", "client_stream", "client_stream_async", "read_client_stream"]
