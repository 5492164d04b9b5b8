# SPDX-License-Identifier: Apache-2.0
"""An event loop in small: which of the tasks that can go on does, is up to a schedule.

Coroutines wait with ``until``, ``pause`` and ``join`` alone. Each task runs in a copy
of the context in which it was started, as in ``asyncio``.
"""

from __future__ import annotations

import contextlib
import contextvars
import inspect
import itertools
import types
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any


class Task:
    """A coroutine that runs; when it is over it has a result, or what ended it."""

    def __init__(self, body: Coroutine[Any, Any, Any]) -> None:
        self.body = body
        self.context = contextvars.copy_context()
        self.ready: Callable[[], bool] = lambda: True
        self.gives_up = False
        self.over = False
        self.result: Any = None

    def step(self, forced: bool = False) -> None:
        """Go on until the next wait, or the end."""
        try:
            wait = self.context.run(self.body.send, forced or None)
            self.ready, self.gives_up = wait
        except StopIteration as stop:
            self.over, self.result = True, stop.value
        except Exception as error:
            self.over, self.result = True, error

    def close(self) -> None:
        """Leave it where it is: the run is cut short."""
        while inspect.getcoroutinestate(self.body) != inspect.CORO_CLOSED:
            with contextlib.suppress(RuntimeError):  # it waits on its way out
                self.context.run(self.body.close)


Lane = tuple[int, ...]

_tasks: list[Task]
#: Gives the time: one later each time.
clock = itertools.count()
#: The call that runs, and in which lane of it; the call counts what its lanes start.
here: contextvars.ContextVar[tuple[Any, Lane]] = contextvars.ContextVar("here")


def run(body: Coroutine[Any, Any, Any], schedule: Sequence[int]) -> None:
    """Run a task, and what it starts, until it is over."""
    global _tasks
    _tasks = [Task(body)]
    numbers = itertools.cycle(schedule or [0])
    try:
        while not _tasks[0].over:
            waiting = [task for task in _tasks if not task.over]
            able = [task for task in waiting if task.ready()]
            if able:
                able[next(numbers) % len(able)].step()
            else:
                next(task for task in waiting if task.gives_up).step(forced=True)
    finally:
        for task in _tasks:
            task.close()


def spawn(body: Coroutine[Any, Any, Any]) -> Task:
    """Start a task, in a lane of its own."""
    frame, lane = here.get()
    number = frame.spawned[lane] = frame.spawned.get(lane, -1) + 1
    before = here.set((frame, (*lane, number)))
    _tasks.append(Task(body))  # in a copy of the context
    here.reset(before)
    return _tasks[-1]


Wait = tuple[Callable[[], bool], bool]


@types.coroutine
def until(
    condition: Callable[[], bool], gives_up: bool = False
) -> Generator[Wait, bool, None]:
    """Wait for a condition; ``gives_up``: or until no task can go on any more."""
    forced = False
    while not (forced or condition()):
        forced = yield condition, gives_up


@types.coroutine
def pause() -> Generator[Wait, bool, None]:
    """Let other tasks go on."""
    yield lambda: True, False


async def join(*tasks: Task) -> list[Any]:
    """Wait for tasks; gives the result of each, or the exception that ended it."""
    await until(lambda: all(task.over for task in tasks))
    return [task.result for task in tasks]


class Turns:
    """In which order lanes are to start and end their calls.

    Answers take no time, so the tasks of a replay would overtake each other.

    Args:
        calls: of each its lane, and when it began, handed out items, and ended, or -1.
    """

    def __init__(self, calls: Iterable[tuple[Lane, Sequence[int]]]) -> None:
        times = [(n, lane) for lane, times in calls for n in times if n >= 0]
        self.coming = sorted(times)

    async def wait(self, own: Lane) -> None:
        """Wait until what is to come next is in this lane, or nothing in it is."""

        def has_come() -> bool:
            coming = [lane for _, lane in self.coming]
            return own not in coming or coming[0] == own

        await until(has_come, gives_up=True)

    def passed(self, own: Lane, time: int) -> None:
        """A lane has come to what was at some time."""
        self.coming = [e for e in self.coming if e[0] > time or e[1] != own]
