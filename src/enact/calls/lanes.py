# SPDX-License-Identifier: Apache-2.0
"""Lanes: which task, thread or work item of a call is calling.

A call is named, within its parent, by the lane that it is made in and its position
there. A frame is its own first lane, ``()``; the n-th task, thread or submitted work
item that a lane starts is lane ``path + (n,)``. The names depend on the order in
which the program starts things, never on which of them the machine runs first.

``CURRENT`` holds the lane of the running code. Event loops and threads do not hand it
on in the way that is needed here (a task would share the lane of the code that made
it), so three hooks give each task, thread and work item a lane of its own. They are
put in place once, with the first recorded call, and do nothing outside of one.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from enact.errors import Signal

if TYPE_CHECKING:
    from enact.calls.frames import Frame

R = TypeVar("R")

Path = tuple[int, ...]

CURRENT: contextvars.ContextVar[Lane | None] = contextvars.ContextVar(
    "enact_lane", default=None
)


class Lane:
    """One line of execution within a frame.

    Attributes:
        frame: the call that this lane belongs to.
        path: which start led here; ``()`` is the body of the call itself.
        thread: the thread that runs it, as ``threading.get_ident`` says.
        position: how many calls it has made.
        cursor: how many recorded calls it has used up (replay).
        queue: indices of its recorded calls (replay).
        spawned: how many tasks, threads and work items it has started.
        unwinding: a pause or an interrupt has gone through it.
    """

    frame: Frame

    def __init__(self, frame: Frame, path: Path) -> None:
        self.frame = frame
        self.path = path
        self.thread = 0
        self.position = 0
        self.cursor = 0
        self.spawned = 0
        self.unwinding = False
        self.queue: Sequence[int] = ()

    def spawn(self) -> Lane:
        """The lane of the next task, thread or work item that this one starts."""
        number = self.spawned
        self.spawned = number + 1
        lane = Lane(self.frame, (*self.path, number))
        plan = self.frame.plan
        if plan is not None:
            plan.enlist(lane)
        return lane


class _Here(threading.local):
    lane: Lane | None = None


_here = _Here()


def lane_of_thread(lane: Lane, thread: int) -> Lane:
    """The lane to use when ``lane`` was found in a context copied to this thread.

    ``asyncio.to_thread`` and ``Context.run`` bring along the lane of the code that
    started them. The work item or thread has one of its own.
    """
    here = _here.lane
    if here is not None and here.frame is lane.frame and here.thread == thread:
        return here
    with lane.frame.lock:
        here = lane.spawn()
    here.thread = thread
    _here.lane = here
    return here


def _in_lane(
    lane: Lane, run: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    """Run ``run`` in this thread as ``lane``."""
    lane.thread = threading.get_ident()
    before = _here.lane
    _here.lane = lane
    token = CURRENT.set(lane)
    try:
        return run(*args, **kwargs)
    finally:
        CURRENT.reset(token)
        _here.lane = before
        plan = lane.frame.plan
        if plan is not None:
            plan.finished(lane)


def with_current_contexts(function: Callable[..., R]) -> Callable[..., R]:
    """Make ``function`` run in a copy of the current context, in any thread.

    Args:
        function: what a thread, executor or callback will call.

    Returns:
        A function with the same arguments and result.

    >>> import threading
    >>> thread = threading.Thread(target=with_current_contexts(print), args=("hi",))
    >>> thread.start(); thread.join()
    hi
    """
    context = contextvars.copy_context()

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> R:
        return context.copy().run(function, *args, **kwargs)

    return run


def with_new_contexts(function: Callable[..., R]) -> Callable[..., R]:
    """Make ``function`` run in an empty context: no store active, nothing recorded.

    Args:
        function: what is to be called.

    Returns:
        A function with the same arguments and result.

    >>> with_new_contexts(len)("abc")
    3
    """

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> R:
        return contextvars.Context().run(function, *args, **kwargs)

    return run


# --- hooks --------------------------------------------------------------------

_as_completed = asyncio.as_completed
_create_task = asyncio.BaseEventLoop.create_task
_start = threading.Thread.start
_submit = ThreadPoolExecutor.submit


def _tracked_create_task(
    self: asyncio.BaseEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    lane = CURRENT.get()
    if lane is None:
        return _create_task(self, coro, **options)
    return start_task(lane, functools.partial(_create_task, self), coro, options)


def start_task(
    lane: Lane,
    create: Callable[..., asyncio.Task[Any]],
    coro: Coroutine[Any, Any, Any],
    options: dict[str, Any],
) -> asyncio.Task[Any]:
    """Create a task in a lane of its own."""
    thread = threading.get_ident()
    if lane.thread != thread:
        lane = lane_of_thread(lane, thread)
    frame = lane.frame
    with frame.lock:
        child = lane.spawn()
    child.thread = thread
    plan = frame.plan
    if plan is not None and plan.turns is not None:
        coro = plan.turns.drive(child, coro)
    # The task copies the context that is current when it is made. A context given
    # by the program is used as it is; user task factories need not know of either.
    context = options.get("context")
    if context is not None:
        context.run(CURRENT.set, child)
        task = create(coro, **options)
    else:
        token = CURRENT.set(child)
        try:
            task = create(coro, **options)
        finally:
            CURRENT.reset(token)
    frame.started(task)
    return task


def _tracked_as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Any:
    # The original makes tasks in the order of a set of coroutines, which is chance.
    if CURRENT.get() is not None and not asyncio.isfuture(fs):
        fs = [asyncio.ensure_future(one) for one in fs]
    return _as_completed(fs, timeout=timeout)


def _tracked_start(self: threading.Thread) -> None:
    lane = CURRENT.get()
    if lane is None:
        return _start(self)
    thread = threading.get_ident()
    if lane.thread != thread:
        lane = lane_of_thread(lane, thread)
    with lane.frame.lock:
        child = lane.spawn()
    run = self.run

    def run_in_lane() -> None:
        try:
            _in_lane(child, run, (), {})
        except Signal:
            # A pause ends the thread. It is no failure to report on stderr: the
            # frame knows of the pending request already.
            pass

    self.run = run_in_lane  # type: ignore[method-assign]  # start() calls self.run
    lane.frame.started(self)
    token = CURRENT.set(None)
    try:
        _start(self)
    finally:
        CURRENT.reset(token)


def _tracked_submit(
    self: ThreadPoolExecutor, fn: Callable[..., R], /, *args: Any, **kwargs: Any
) -> Future[R]:
    lane = CURRENT.get()
    if lane is None:
        return _submit(self, fn, *args, **kwargs)
    thread = threading.get_ident()
    if lane.thread != thread:
        lane = lane_of_thread(lane, thread)
    with lane.frame.lock:
        child = lane.spawn()
    # The pool may start a worker thread here. It serves any work item, so it is
    # no lane: which item finds a worker waiting is chance.
    token = CURRENT.set(None)
    try:
        future = _submit(self, _in_lane, child, fn, args, kwargs)
    finally:
        CURRENT.reset(token)
    lane.frame.started(future)
    return future


def _task_factory(
    chained: Callable[..., Any] | None,
) -> Callable[..., asyncio.Task[Any]]:
    """For event loops that are not built on ``BaseEventLoop`` (uvloop)."""

    def factory(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        create: Callable[..., Any]
        if chained is None:
            create = functools.partial(asyncio.Task, loop=loop)
        else:
            create = functools.partial(chained, loop)
        lane = CURRENT.get()
        if lane is None:
            task: asyncio.Task[Any] = create(coro, **options)
            return task
        return start_task(lane, create, coro, options)

    factory.__enact__ = True  # type: ignore[attr-defined]  # marks it as ours
    return factory


def install() -> None:
    """Put the hooks in place; calling it again does nothing."""
    if asyncio.BaseEventLoop.create_task is _tracked_create_task:
        return
    asyncio.BaseEventLoop.create_task = _tracked_create_task  # type: ignore[assignment,method-assign]  # same signature by **options
    asyncio.as_completed = asyncio.tasks.as_completed = _tracked_as_completed
    threading.Thread.start = _tracked_start  # type: ignore[method-assign]
    ThreadPoolExecutor.submit = _tracked_submit  # type: ignore[method-assign, assignment]  # any arguments


def install_on_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Cover an event loop that the class-wide hook does not reach."""
    if isinstance(loop, asyncio.BaseEventLoop):
        return
    factory = loop.get_task_factory()
    if not getattr(factory, "__enact__", False):
        loop.set_task_factory(_task_factory(factory))
