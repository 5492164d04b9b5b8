# SPDX-License-Identifier: Apache-2.0
"""Lanes: which task, thread or work item of a call is calling.

A call is named, within its parent, by the lane that it is made in and its position
there. A frame is its own first lane, ``()``; the n-th task, thread or submitted work
item that a lane starts is lane ``path + (n,)``. The names depend on the order in
which the program starts things, never on which of them the machine runs first.

``CURRENT`` holds the lane of the running code; ``hooks.py`` gives each task, thread and
work item one of its own.
"""

from __future__ import annotations

import contextvars
import copyreg
import functools
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from enact.calls import rest

if TYPE_CHECKING:
    from enact.calls.frames import Frame

R = TypeVar("R")

Path = tuple[int, ...]

CURRENT: contextvars.ContextVar[Lane | None] = contextvars.ContextVar(
    "enact_lane", default=None
)


def _current() -> contextvars.ContextVar[Lane | None]:
    return CURRENT


def _reduce(variable: contextvars.ContextVar[Any]) -> tuple[Any, tuple[()]]:
    """Libraries that send functions with all they refer to come upon this variable."""
    if variable is not CURRENT:
        raise TypeError("cannot pickle '_contextvars.ContextVar' object")
    return _current, ()


copyreg.pickle(contextvars.ContextVar, _reduce)


class Lane:
    """One line of execution within a frame.

    Attributes:
        frame: the call that this lane belongs to.
        path: which start led here; ``()`` is the body of the call itself.
        thread: the thread that runs it, as ``threading.get_ident`` says.
        position: how many calls it has made.
        cursor: how many recorded calls it has used up (replay).
        queue: indices of its recorded calls (replay).
        spawned: how many tasks, threads and work items it has started, and callbacks.
        callbacks: how many callbacks of an event loop have made calls for it.
        timers: how many timers of an event loop it has set.
        limits: how many time limits it has set.
        in_loop: it is run by a task of asyncio.
        task: the ``id`` of that; 0 if it is not known yet.
        is_callback: it is what a callback does, and those that it leaves behind.
        is_away: it runs in a child process, which knows its name.
        unwinding: a pause or an interrupt has gone through it.
        in_flight: its calls are new, or the last one that was recorded had not ended
            when the recording was cut off, or waited for a person: what comes of them
            comes after all that is recorded (replay).
    """

    frame: Frame

    # Most lanes are frames or tasks that never touch these: defaults save the setting.
    path: Path = ()
    position = 0
    cursor = 0
    queue: Sequence[int] = ()
    spawned = 0
    callbacks = 0
    timers = 0
    limits = 0
    in_loop = False
    task = 0
    is_callback = False
    is_away = False
    unwinding = False
    in_flight = False

    def __init__(self, frame: Frame, path: Path, thread: int = 0) -> None:
        self.frame = frame
        self.path = path
        self.thread = thread
        # Attributes that come later would each cost a lane a dict, if most lack them.
        self.position = self.cursor = 0
        self.queue = ()

    def spawn(self, thread: int = 0) -> Lane:
        """The lane of the next task, thread or work item that this one starts."""
        number = self.spawned - self.callbacks - self.timers
        self.spawned += 1
        lane = Lane(self.frame, (*self.path, number), thread)
        plan = lane.frame.plan
        if plan is not None:
            plan.enlist(lane)
        return lane

    def spawn_callback(self) -> Lane:
        """The lane of a callback that this one, or its future, left in an event loop.

        They are counted apart, -1, -3, -5. Which of two callbacks comes first is often
        a matter of time, and must not rename tasks.
        """
        self.callbacks += 1
        return self._begin_callback(1 - 2 * self.callbacks)

    def spawn_timer(self) -> Lane:
        """The lane of a timer that this one sets; they are -2, -4, -6."""
        self.timers += 1
        return self._begin_callback(-2 * self.timers)

    def _begin_callback(self, number: int) -> Lane:
        self.spawned += 1
        lane = Lane(self.frame, (*self.path, number), self.thread)
        lane.in_loop = lane.is_callback = True
        plan = lane.frame.plan
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
    serves_others = rest.running_loop() or serves_any(threading.current_thread())
    here = _here.lane
    if here is not None and here.frame is lane.frame and here.thread == thread:
        if not serves_others:
            return here
    with lane.frame.lock:
        here = lane.spawn()
    here.thread = thread
    if serves_others:
        CURRENT.set(here)  # in the context of this work item; the next has its own
    else:
        _here.lane = here
    return here


# Lanes of tasks that no hook has seen begin.
_strangers: weakref.WeakKeyDictionary[Any, Lane] = weakref.WeakKeyDictionary()


def lane_of_stranger(lane: Lane) -> Lane:
    """The lane to use when ``lane``, of a task, may have been found in another one.

    Callbacks (``call_soon``, ``call_later``, ``add_done_callback``) bring along the
    lane of the code that left them, and so do tasks that are made by hand
    (``asyncio.Task``). They run beside it, so each has one of its own, from the first
    call that it makes. A callback that leaves another one goes on.
    """
    loop = rest.running_loop()
    if loop is None or isinstance(loop, rest.OtherLoop):  # it was closed, or has none
        return lane
    task = rest.current_task()
    if task is None:
        if lane.is_callback:
            return lane
        with lane.frame.lock:
            child = lane.spawn_callback()
    elif lane.task in (0, id(task)) and not lane.is_callback:
        lane.task = id(task)
        return lane
    else:
        known = _strangers.get(task)
        if known is not None:
            return known
        with lane.frame.lock:
            child = lane.spawn(lane.thread)
        child.in_loop = True
        child.task = id(task)
        _strangers[task] = child
        lane.frame.started(task)
    CURRENT.set(child)  # in the context of the callback or task
    return child


def own_lane(lane: Lane) -> Lane:
    """The lane of what runs here, which found ``lane`` in its context."""
    thread = threading.get_ident()
    if lane.thread != thread:
        return lane_of_thread(lane, thread)
    if lane.in_loop and lane.task != id(rest.current_task()):
        return lane_of_stranger(lane)
    return lane


def current_lane() -> Lane:
    """The lane of what runs here, within a tracked call."""
    lane = CURRENT.get()
    assert lane is not None
    return own_lane(lane)


def serves_any(thread: threading.Thread) -> bool:
    """Whether a thread is a worker of anyio or trio: it serves any work item.

    A task waits for what it has a thread do, so these items are counted when they call.
    """
    run_by = getattr(getattr(thread, "_target", None), "__self__", None)
    modules = type(thread).__module__, type(run_by).__module__
    return any(module.startswith(("anyio.", "trio.")) for module in modules)


def run_in_lane(
    lane: Lane, run: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> R:
    """Run ``run`` in this thread as ``lane``."""
    lane.thread = threading.get_ident()
    before = _here.lane
    _here.lane = lane
    token = CURRENT.set(lane)
    plan = lane.frame.plan
    try:
        if plan is not None:
            plan.begins(lane)
        return run(*args, **kwargs)
    finally:
        CURRENT.reset(token)
        _here.lane = before
        plan = lane.frame.plan
        if plan is not None:
            plan.finished(lane)


def called_back(callback: Callable[..., R]) -> Callable[..., R]:
    """What another thread calls when work has ended, as a lane of its own."""
    lane = current_lane()
    with lane.frame.lock:
        child = lane.spawn()

    def run(*args: Any, **kwargs: Any) -> R:
        return run_in_lane(child, callback, args, kwargs)

    return run


def leave_lane(token: contextvars.Token[Lane | None]) -> None:
    """Go back to the lane before; also where a coroutine is closed by its loop."""
    try:
        CURRENT.reset(token)
    except ValueError:  # the context is another one, and is about to be left itself
        pass


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
