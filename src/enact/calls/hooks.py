# SPDX-License-Identifier: Apache-2.0
"""Hooks that give each task, thread and work item a lane of its own.

Event loops and threads do not hand on the current lane in the way that is needed here:
a task would share the lane of the code that made it. The hooks are put in place once,
with the first invocation, and do nothing outside of one.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from enact.calls import queue_order, rest, work_waits
from enact.calls.imports import when_imported
from enact.calls.lanes import (
    CURRENT,
    Lane,
    called_back,
    own_lane,
    run_in_lane,
    serves_any,
)
from enact.calls.timers import tracked_call_at
from enact.calls.work_futures import submitting
from enact.errors import FrameworkError, ReplayError, Signal

R = TypeVar("R")

# What these run in processes and threads of their own is no lane.
MACHINERY = (
    "multiprocessing.", "concurrent.futures.", "joblib.", "loky.", "distributed.",
    "ray.", "torch.",
)  # fmt: skip

_as_completed = asyncio.as_completed
_call_at = asyncio.BaseEventLoop.call_at
_create_task = asyncio.BaseEventLoop.create_task
_running_loop = asyncio._get_running_loop
_start = threading.Thread.start
_submit = ThreadPoolExecutor.submit
_add_callback = Future.add_done_callback
# Those that these leave at a future make no calls.
_OWN_CALLBACKS = ("asyncio.", "concurrent.", "anyio.", "enact.")


def _current_task() -> asyncio.Task[Any] | None:
    loop = _running_loop()
    return None if loop is None else asyncio.current_task(loop)


# Not in all versions, but far faster than asking for the task.
_current_tasks = getattr(asyncio.tasks, "_current_tasks", None)
if _current_tasks is not None:
    _task_in = _current_tasks.get

    def _current_task() -> asyncio.Task[Any] | None:
        return _task_in(_running_loop())  # type: ignore[no-any-return]  # of a C module


def _tracked_create_task(
    self: asyncio.BaseEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    lane = CURRENT.get()
    if lane is None:
        return _create_task(self, coro, **options)
    if options.get("context") is None and self.get_task_factory() is None:
        # The task takes this context instead of a copy of its own.
        options["context"] = contextvars.copy_context()
    return start_task(lane, self, _create_task, coro, options)


def start_task(
    lane: Lane,
    loop: asyncio.AbstractEventLoop,
    create: Callable[..., asyncio.Task[Any]],
    coro: Coroutine[Any, Any, Any],
    options: dict[str, Any],
) -> asyncio.Task[Any]:
    """Create a task in a lane of its own.

    Args:
        lane: that creates it.
        loop: in which it is to run.
        create: takes the loop, the coroutine and the options.
        coro: what it runs.
        options: of the task.
    """
    lane = own_lane(lane)
    frame = lane.frame
    with frame.lock:
        child = lane.spawn(lane.thread)
    child.in_loop = True
    plan = frame.plan
    if plan is not None and plan.turns is not None:
        coro = plan.turns.drive(child, coro)
    # The task copies the context that is current when it is made. A context that is
    # given is used as it is; user task factories need not know of either.
    context = options.get("context")
    if context is not None:
        context.run(CURRENT.set, child)
        task = create(loop, coro, **options)
    else:
        token = CURRENT.set(child)
        try:
            task = create(loop, coro, **options)
        finally:
            CURRENT.reset(token)
    child.task = id(task)
    frame.started(task)
    return task


def _tracked_call_at(
    self: asyncio.BaseEventLoop,
    when: float,
    callback: Callable[..., object],
    *args: Any,
    **options: Any,
) -> asyncio.TimerHandle:
    if CURRENT.get() is None:
        return _call_at(self, when, callback, *args, **options)
    handle: asyncio.TimerHandle = tracked_call_at(
        _call_at, self, when, callback, args, options
    )
    return handle


def _tracked_as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Any:
    # The original makes tasks in the order of a set of coroutines, which is chance.
    if CURRENT.get() is not None and not asyncio.isfuture(fs):
        fs = [asyncio.ensure_future(one) for one in fs]
    return _as_completed(fs, timeout=timeout)


def _tracked_start(self: threading.Thread) -> None:
    lane = CURRENT.get()
    if lane is None or serves_any(self):
        return _start(self)
    of = getattr(getattr(self, "_target", None), "__module__", None) or ""
    if of.startswith(MACHINERY):  # such as what fills a queue
        token = CURRENT.set(None)
        try:
            return _start(self)
        finally:
            CURRENT.reset(token)
    lane = own_lane(lane)
    with lane.frame.lock:
        child = lane.spawn()
    run = self.run

    def run_as_child() -> None:
        try:
            run_in_lane(child, run, (), {})
        except (Signal, ReplayError):
            # This ends the thread. It is no failure to report on stderr: the frame
            # knows of the pending request, the session of the failed replay.
            pass

    self.run = run_as_child  # type: ignore[method-assign]  # start() calls self.run
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
    lane = own_lane(lane)
    with lane.frame.lock:
        child = lane.spawn()
    # The pool may start a worker thread here. It serves any work item, so it is
    # no lane: which item finds a worker waiting is chance.
    token = CURRENT.set(None)
    try:
        with submitting(child, self):
            future = _submit(self, run_in_lane, child, fn, args, kwargs)
    finally:
        CURRENT.reset(token)
    lane.frame.started(future)
    return future


def _tracked_callback(
    self: Future[Any], fn: Callable[[Future[Any]], object], /
) -> None:
    module = getattr(fn, "__module__", None) or ""
    if CURRENT.get() is not None and not module.startswith(_OWN_CALLBACKS):
        fn = called_back(fn)
    _add_callback(self, fn)


def _task_of(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return asyncio.Task(coro, loop=loop, **options)


def _task_factory(
    chained: Callable[..., Any] | None,
) -> Callable[..., asyncio.Task[Any]]:
    """For event loops that are not built on ``BaseEventLoop`` (uvloop)."""

    def factory(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        create = _task_of if chained is None else chained
        lane = CURRENT.get()
        if lane is None:
            task: asyncio.Task[Any] = create(loop, coro, **options)
            return task
        return start_task(lane, loop, create, coro, options)

    factory.__enact__ = True  # type: ignore[attr-defined]  # marks it as ours
    return factory


def install() -> None:
    """Put the hooks in place, once."""
    if asyncio.BaseEventLoop.create_task is _tracked_create_task:
        return
    asyncio.BaseEventLoop.create_task = _tracked_create_task  # type: ignore[assignment,method-assign]  # same signature by **options
    asyncio.BaseEventLoop.call_at = _tracked_call_at  # type: ignore[assignment,method-assign]  # same signature by **options
    asyncio.as_completed = asyncio.tasks.as_completed = _tracked_as_completed
    threading.Thread.start = _tracked_start  # type: ignore[method-assign]
    rest.running_loop = asyncio._get_running_loop
    rest.current_task = _current_task
    ThreadPoolExecutor.submit = _tracked_submit  # type: ignore[method-assign, assignment]  # any arguments
    Future.add_done_callback = _tracked_callback  # type: ignore[method-assign, assignment]  # of any result
    work_waits.install()
    queue_order.install()
    when_imported("trio", _cover_trio)


def _cover_trio() -> None:
    from enact.calls.trio_loop import install

    install()


def install_on_loop() -> None:
    """Cover the running event loop, which the class-wide hooks may not reach.

    Raises:
        FrameworkError: none runs, or none of those that are known.
    """
    loop = rest.running_loop()
    if loop is None:
        raise FrameworkError(
            "no event loop of asyncio, uvloop or trio runs here, so tasks cannot be "
            "told from each other: await this in one of these, as in "
            "`asyncio.run(enact.invoke_async(...))`"
        )
    if isinstance(loop, (asyncio.BaseEventLoop, rest.OtherLoop)):
        return
    factory = loop.get_task_factory()
    if not getattr(factory, "__enact__", False):
        loop.set_task_factory(_task_factory(factory))
