# SPDX-License-Identifier: Apache-2.0
"""Event loops: which one runs here, what cancels its tasks, when it has come to rest.

At rest means that nothing is left to run before something new. There is no public way
to ask asyncio. What its own loops have is used where it is there; of others nothing is
assumed. A loop that is no asyncio loop at all is an ``OtherLoop``.
"""

from __future__ import annotations

import abc
import weakref
from collections.abc import Callable, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class OtherLoop(abc.ABC):
    """An event loop of another library, with what of asyncio's interface is needed."""

    @abc.abstractmethod
    def create_future(self) -> Any:
        """What a task can await, and others set; no cancellation cuts that short."""

    @abc.abstractmethod
    def call_soon_threadsafe(self, run: Callable[..., Any], *args: Any) -> None:
        """Call something in the loop, from any thread."""

    @abc.abstractmethod
    def is_closed(self) -> bool:
        """Whether it runs nothing any more."""

    @abc.abstractmethod
    def when_at_rest(self, then: Callable[[], None]) -> None:
        """See `when_at_rest`."""

    @abc.abstractmethod
    def look_later(self, seconds: float, look: Callable[[], None]) -> None:
        """See `look_later`."""

    @abc.abstractmethod
    def has_timer(self) -> bool:
        """See `has_timer`."""

    @abc.abstractmethod
    def is_idle(self) -> bool:
        """See `is_idle`."""

    @abc.abstractmethod
    def is_cancelled(self) -> bool:
        """See `is_cancelled`."""

    @abc.abstractmethod
    def pause(self) -> Generator[Any, Any, None]:
        """Let all others go on."""

    @abc.abstractmethod
    async def sleep(self, seconds: float, shielded: bool = False) -> None:
        """Wait; shielded: whoever cancels."""


if TYPE_CHECKING:
    Loop = asyncio.AbstractEventLoop | OtherLoop


def _no_loop() -> Loop | None:
    return None


#: The loop that runs in this thread, if one does. Importing asyncio takes longer than
#: importing all of enact, so ``hooks.py`` puts the real function here when it is time.
running_loop: Callable[[], Loop | None] = _no_loop

#: Exceptions by which other libraries cancel tasks, and what tells of groups of them.
other_cancellations: list[Callable[[BaseException], bool]] = []


def _no_task() -> asyncio.Task[Any] | None:
    return None


#: The task that runs in the loop of this thread, if one does; put here in the same way.
current_task: Callable[[], asyncio.Task[Any] | None] = _no_task


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is how an event loop cancels a task."""
    from asyncio import CancelledError

    if isinstance(error, CancelledError):
        return True
    return any(is_one(error) for is_one in other_cancellations)


def is_cancelled() -> bool:
    """Whether somebody has cancelled the task that runs; true outside of tasks."""
    from asyncio import current_task

    loop = running_loop()
    if loop is None:
        return True
    if isinstance(loop, OtherLoop):
        return loop.is_cancelled()
    task = current_task()
    return task is None or task.cancelling() > 0


def task_id() -> int:
    """The ``id`` of the asyncio task that runs; 0 outside of these."""
    task = current_task()
    return 0 if task is None else id(task)


def cancellation() -> BaseException:
    """What asyncio raises in a cancelled task."""
    from asyncio import CancelledError

    return CancelledError()


async def forever() -> None:
    """Wait until cancelled."""
    loop = running_loop()
    if isinstance(loop, OtherLoop):
        await loop.sleep(float("inf"))
    else:
        assert loop is not None
        await loop.create_future()


async def sleep(seconds: float) -> None:
    """Wait, as the event loop does that runs here."""
    loop = running_loop()
    if isinstance(loop, OtherLoop):
        await loop.sleep(seconds)
    else:
        from asyncio import sleep

        await sleep(seconds)


# The loop itself holds its watch, as long as somebody waits: what is told may hold the
# loop, and would never go away.
_laps: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[Laps]] = (
    weakref.WeakKeyDictionary()
)


def when_at_rest(loop: Loop, then: Callable[[], None]) -> None:
    """Call ``then`` as soon as the loop has nothing more to run, in order of asking.

    Args:
        loop: the one that runs in this thread.
        then: must not raise.
    """
    if isinstance(loop, OtherLoop):
        loop.when_at_rest(then)
        return
    laps_of(loop).add(then)


def laps_of(loop: asyncio.AbstractEventLoop) -> Laps:
    """What counts the rounds of a loop."""
    known = _laps.get(loop)
    laps = None if known is None else known()
    if laps is None:
        laps = Laps(loop)
        _laps[loop] = weakref.ref(laps)
    return laps


class Laps:
    """Counts the rounds of an event loop, while somebody waits until it rests.

    There is one for all who ask about a loop: two would keep each other awake.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: list[Callable[[], None]] = []
        self._following: list[Callable[[bool], bool]] = []
        self._context = Context()
        self._is_running = False
        #: How many there have been.
        self.count = 0

    def add(self, then: Callable[[], None]) -> None:
        """Call ``then`` once the loop is at rest."""
        self._waiting.append(then)
        self._run()

    def follow(self, lap: Callable[[bool], bool]) -> None:
        """Call ``lap`` in each round, with whether the loop is at rest, while it says.

        It comes last in each round, behind what it has woken itself.
        """
        self._following.append(lap)
        self._run()

    def _run(self) -> None:
        loop = self._loop()
        if loop is not None and not self._is_running:
            self._is_running = True
            loop.call_soon(self._look, context=self._context)

    def _look(self) -> None:
        self._is_running = False
        self.count += 1
        loop = self._loop()
        is_at_rest = not getattr(loop, "_ready", None)
        following, self._following = self._following, []
        self._following += [lap for lap in following if lap(is_at_rest)]
        if self._following or getattr(loop, "_ready", None):
            if self._following or self._waiting:
                self._run()
            return
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then()


class _Looker:
    """What a timer does that looks whether a loop is stuck; it is no activity."""

    __slots__ = ("_look",)

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def __call__(self) -> None:
        self._look()


def look_later(loop: Loop, seconds: float, look: Callable[[], None]) -> None:
    """Call ``look`` after a while, without keeping the loop from being idle."""
    if isinstance(loop, OtherLoop):
        loop.look_later(seconds, look)
        return
    loop.call_later(seconds, _Looker(look), context=Context())


def resolve(future: asyncio.Future[None]) -> None:
    """Wake who waits for a future, if nobody has."""
    if not future.done():
        future.set_result(None)


# Callbacks of timers that only set limits: of asyncio and anyio, in all versions.
_LIMITS = ("_handle_timeout", "_on_timeout", "_release_waiter", "_timeout")


def is_limit(callback: Any) -> bool:
    """Whether what a timer calls ends something that takes long."""
    module = getattr(callback, "__module__", None) or ""
    if not module.startswith(("asyncio.", "anyio.")):
        return False
    return getattr(callback, "__name__", None) in _LIMITS


def has_timer(loop: Loop, but_timeouts: bool = False) -> bool:
    """Whether something is known to sleep in the loop.

    Args:
        loop: to look at.
        but_timeouts: leave out what is there to end something that takes long.
    """
    if isinstance(loop, OtherLoop):
        return loop.has_timer()
    return any(
        not (
            timer.cancelled()
            or isinstance(getattr(timer, "_callback", None), _Looker)
            or (but_timeouts and _name_of(timer) in _LIMITS)
        )
        for timer in getattr(loop, "_scheduled", ())
    )


def _name_of(timer: asyncio.TimerHandle) -> str | None:
    return getattr(getattr(timer, "_callback", None), "__name__", None)


def is_idle(loop: Loop, but_timeouts: bool = False) -> bool:
    """Whether a loop has nothing to run and waits for no timer, file or thread.

    Of a loop that follows asyncio and is not its own this is not known: it is false.

    Args:
        loop: to look at.
        but_timeouts: as for `has_timer`.
    """
    if isinstance(loop, OtherLoop):
        return loop.is_idle()
    ready = getattr(loop, "_ready", None)
    selector = getattr(loop, "_selector", None)
    if ready is None or selector is None or ready or has_timer(loop, but_timeouts):
        return False
    if len(selector.get_map() or ()) > 1:  # one is the loop's own wake-up pipe
        return False
    executor: Any = getattr(loop, "_default_executor", None)
    return executor is None or (
        executor._work_queue.empty()
        and executor._idle_semaphore._value >= len(executor._threads)
    )
