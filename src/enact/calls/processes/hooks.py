# SPDX-License-Identifier: Apache-2.0
"""Hooks that send work to child processes as lanes of the frame that starts them.

Modules that take long to import are covered when the program has imported them.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from enact.calls import hooks, work_futures, work_waits
from enact.calls.children import set_caller
from enact.calls.frames import Frame
from enact.calls.hooks import MACHINERY
from enact.calls.imports import when_imported
from enact.calls.lanes import CURRENT, Lane, called_back, current_lane, run_in_lane
from enact.calls.policy import Policy
from enact.errors import ReplayError, Signal

if TYPE_CHECKING:
    from enact.calls.processes.channel import Address, Service
    from enact.calls.processes.home import Work
    from enact.calls.processes.messages import Place

_installed = False
_service: Service | None = None
# Work is known to its process as long as what came of it is waited for.
_held: weakref.WeakKeyDictionary[Any, list[Work]] = weakref.WeakKeyDictionary()


_EXECUTORS = (
    "concurrent.futures.process",
    "loky.process_executor",
    "joblib.externals.loky.process_executor",
)
_MODULES = ("multiprocessing.process", "multiprocessing.pool", *_EXECUTORS)


def install() -> None:
    """Cover these modules, once: now, or as soon as they are imported."""
    global _installed
    if _installed:
        return
    _installed = True
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_child)
    for name in _MODULES:
        when_imported(name, cover)


def cover() -> None:
    """Put hooks into what has been imported."""
    module: Any = sys.modules.get("multiprocessing.process")
    if module is not None:
        _wrap(getattr(module, "BaseProcess", None), "start", _start)
    for name in _EXECUTORS:
        module = sys.modules.get(name)
        if module is not None:
            _wrap(getattr(module, "ProcessPoolExecutor", None), "submit", _submit)
            _wrap(
                getattr(module, "ProcessPoolExecutor", None),
                "shutdown",
                work_waits.shutdown_of_processes,
            )
            work_futures.cover(module)
    module = sys.modules.get("multiprocessing.pool")
    pool = getattr(module, "Pool", None)
    if pool is not None:
        _wrap(pool, "__init__", _outside)
        _wrap(pool, "apply_async", _apply)
        _wrap(pool, "_map_async", _map)
        _wrap(pool, "imap", _iterate)
        _wrap(pool, "imap_unordered", _iterate)


def _wrap(owner: Any, name: str, hook: Callable[..., Any]) -> None:
    """Let ``hook(original, self, ...)`` take the place of a method."""
    original = getattr(owner, name, None)
    if original is None or hasattr(original, "__enact__"):
        return

    @functools.wraps(original)
    def tracked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if CURRENT.get() is None:
            return original(self, *args, **kwargs)
        return hook(original, self, *args, **kwargs)

    tracked.__enact__ = True  # type: ignore[attr-defined]  # marks it as ours
    setattr(owner, name, tracked)


def _in_child() -> None:
    """After a fork: the child is no part of the invocation, but for what it is sent."""
    global _service
    # Another thread may have held those of the parent.
    Frame.lock = threading.Lock()
    work_futures.ONE_AT_A_TIME = threading.Lock()
    if _service is not None:
        _service.let_go()
        _service = None
    lane = CURRENT.get()
    if lane is not None:
        CURRENT.set(None)
        set_caller(_name_of(lane))


def _name_of(lane: Lane) -> str:
    target = lane.frame.target
    return "an invocation" if target is None else str(target.name)


# --- the hooks ------------------------------------------------------------------------


def _outside(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call what starts machinery, as if nothing were tracked."""
    token = CURRENT.set(None)
    try:
        return original(*args, **kwargs)
    finally:
        if _service is not None:
            _service.start()
        CURRENT.reset(token)


def _start(original: Callable[..., Any], process: Any) -> None:
    target = getattr(process, "_target", None)  # what ``run`` calls
    if str(getattr(target, "__module__", "")).startswith(MACHINERY):
        _outside(original, process)
        return
    lane = current_lane()
    work = _lane_of_work(lane)
    address = _address()
    process.run = Sent(address, _place(work, address), process.run, alone=True)
    _held[process] = [work]
    try:
        _outside(original, process)
    except Exception as error:
        _explain(error, lane)
        raise
    finally:
        del process.run
    lane.frame.started(process)


def _submit(
    original: Callable[..., Any], pool: Any, fn: Any, /, *args: Any, **kwargs: Any
) -> Any:
    lane = current_lane()
    work = _lane_of_work(lane)
    address = _address()
    sent = Sent(address, _place(work, address), fn, alone=False)
    with work_futures.submitting(work.lane, pool):
        future = _outside(original, pool, sent, *args, **kwargs)
    lane.frame.started(future)
    name = _name_of(lane)

    def done(future: Any) -> None:
        if not future.cancelled():
            _explain(future.exception(), lane, name)
        work.over()

    future.add_done_callback(done)
    return future


def _apply(
    original: Callable[..., Any], pool: Any, func: Any, args: Any = (),
    kwds: Any = None, *more: Any, **options: Any,
) -> Any:  # fmt: skip
    lane = current_lane()
    works: list[Work] = []
    ((place, _),) = _placed(lane, [None], works, pool)
    sent: Any
    if isinstance(place, Lane):
        sent = functools.partial(_run_here, place, func)
    else:
        sent = Sent(_address(), place, func, alone=False)
    more, options = _with_lanes(more, options)
    result = _outside(original, pool, sent, args, kwds or {}, *more, **options)
    _held[result] = works
    lane.frame.started(result)
    return result


def _map(
    original: Callable[..., Any], pool: Any, func: Any, iterable: Iterable[Any],
    mapper: Any, *more: Any, **options: Any,
) -> Any:  # fmt: skip
    lane = current_lane()
    works: list[Work] = []
    placed = list(_placed(lane, iterable, works, pool))
    spread = mapper.__name__.startswith("star")
    sender = _sender(pool, func, spread)
    more, options = _with_lanes(more, options)
    result = _outside(original, pool, sender, placed, mapper, *more, **options)
    _held[result] = works
    lane.frame.started(result)
    return result


def _iterate(
    original: Callable[..., Any], pool: Any, func: Any, iterable: Iterable[Any],
    *more: Any, **options: Any,
) -> Any:  # fmt: skip
    lane = current_lane()
    works: list[Work] = []
    placed = _placed(lane, iterable, works, pool)
    result = _outside(original, pool, _sender(pool, func), placed, *more, **options)
    # With a chunk size it is a generator over the one that stands in the pool.
    _held[result] = works
    return result


def _placed(
    lane: Lane, iterable: Iterable[Any], works: list[Work], pool: Any
) -> Iterator[tuple[Place | Lane, Any]]:
    """Items, each with the place of its work; in the order in which they are read."""
    for item in iterable:
        if _has_threads(pool):
            with lane.frame.lock:
                child = lane.spawn()
            yield child, item
        else:
            work = _lane_of_work(lane)
            works.append(work)
            yield _place(work, _address()), item


def _has_threads(pool: Any) -> bool:
    """Whether it is a ``ThreadPool``, which is a kind of ``Pool``."""
    return isinstance(pool, sys.modules["multiprocessing.pool"].ThreadPool)


def _with_lanes(
    more: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a pool, with callbacks that have lanes."""

    def one(given: Any) -> Any:
        return called_back(given) if callable(given) else given

    return tuple(map(one, more)), {key: one(value) for key, value in options.items()}


# --- what they send -------------------------------------------------------------------


class Sent:
    """Runs something in a child process, as a lane of the frame that started it.

    Args:
        address: of the process where that frame is.
        place: of the lane there.
        fn: what is to run.
        alone: the process runs nothing else, so nobody gets what comes of it.
    """

    def __init__(
        self, address: Address, place: Place, fn: Callable[..., Any], alone: bool
    ) -> None:
        self._address = address
        self._place = place
        self._fn = fn
        self._alone = alone

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return _run(self._address, self._place, self._fn, args, kwargs)
        except (Signal, ReplayError):
            if not self._alone:
                raise
            # As for threads: the frame knows why it ended, so nothing is said.


class Sender:
    """``Sent`` for many items of work: each comes with the place that it has.

    Args:
        address, fn: as for ``Sent``.
        spread: an item is a tuple of arguments.
    """

    def __init__(
        self, address: Address, fn: Callable[..., Any], spread: bool = False
    ) -> None:
        self._address = address
        self._fn = fn
        self._spread = spread

    def __call__(self, *placed: Any) -> Any:
        # ``map`` gives one argument, ``starmap`` two.
        place, item = placed if len(placed) == 2 else placed[0]
        args = item if self._spread else (item,)
        if place is None:
            return self._fn(*args)
        return _run(self._address, place, self._fn, tuple(args), {})


class InThreads:
    """``Sender`` for a pool of threads: items come with their lanes.

    Args:
        fn, spread: as for ``Sender``.
    """

    def __init__(self, fn: Callable[..., Any], spread: bool = False) -> None:
        self._fn = fn
        self._spread = spread

    def __call__(self, *placed: Any) -> Any:
        lane, item = placed if len(placed) == 2 else placed[0]
        args = item if self._spread else (item,)
        return run_in_lane(lane, self._fn, tuple(args), {})


def _sender(pool: Any, func: Any, spread: bool = False) -> Sender | InThreads:
    if _has_threads(pool):
        return InThreads(func, spread)
    return Sender(_address(), func, spread)


def _run_here(lane: Lane, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return run_in_lane(lane, fn, args, kwargs)


def _run(address: Address, *work: Any) -> Any:
    from enact.calls.processes.work import run_there

    hooks.install()  # the process may be a new one
    install()
    return run_there(address, *work)


def _lane_of_work(lane: Lane) -> Work:
    from enact.calls.processes.home import Work

    with lane.frame.lock:
        child = lane.spawn()
    return Work(child)


def _address() -> Address:
    """Where this process listens to its children."""
    global _service
    if _service is None or _service.process != os.getpid():
        from enact.calls.processes.channel import Service
        from enact.calls.processes.home import Answerer

        _service = Service(Answerer)
    return _service.address


def _place(work: Work, address: Address) -> Place:
    from enact.calls.processes.home import take_in
    from enact.calls.processes.messages import Above, Place

    frame = work.frame
    run = getattr(frame, "run", None)
    if run is None:  # the call has ended: what comes is told so
        return Place(
            take_in(work), (Above("", 0, (), 0),), work.lane.path, ("", "", 0),
            False, "warn", False, Policy(), None, False,
        )  # fmt: skip
    policy = run.session.policy
    parts = {
        "a search": policy.sampler, "a preview": policy.forecast,
        "`exception_override`": policy.override,
    }  # fmt: skip
    lacks = [part for part, given in parts.items() if given is not None]
    above: list[Above] = []
    one = frame
    while True:
        caller = one.caller
        name = "" if one.target is None else one.target.name
        path = () if caller is None else caller.path
        above.append(Above(name, one.slot, path, one.position_there))
        if caller is None:
            break
        one = caller.frame
    plan = frame.plan
    return Place(
        take_in(work), tuple(reversed(above)), work.lane.path,
        (run.id, run.branch, run.attempt), run.attended, run.on_unstorable,
        run.tells_order,
        policy._replace(override=None, forecast=None, sampler=None),
        lacks[0] if lacks else None, plan is not None and plan.turns is not None,
    )  # fmt: skip


def _explain(error: BaseException | None, lane: Lane, name: str = "") -> None:
    """Say which call sent what could not be sent."""
    if error is None or "pickle" not in str(error):
        return
    note = f"(sent to a child process by a call of {name or _name_of(lane)!r})"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


__all__ = ["cover", "install"]
