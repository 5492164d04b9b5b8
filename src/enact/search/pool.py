# SPDX-License-Identifier: Apache-2.0
"""Where steps are made: one after another, or several at a time in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

from enact.calls.lanes import CURRENT, run_in_lane


class Pool(Protocol):
    """Makes steps.

    Attributes:
        width: how many at a time.
    """

    width: int

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Start something; what is given back has ``result()``."""


class _Now:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class _OneByOne:
    width = 1

    def submit(self, fn: Callable[..., Any], *args: Any) -> _Now:
        return _Now(fn(*args))


class _Threads:
    def __init__(self, executor: ThreadPoolExecutor, width: int) -> None:
        self._executor = executor
        self.width = width

    def submit(self, fn: Callable[..., Any], *args: Any) -> Any:
        return self._executor.submit(fn, *args)


@contextmanager
def make_pool(width: int) -> Iterator[Pool]:
    """A pool for ``width`` steps at a time."""
    if width == 1:
        yield _OneByOne()
        return
    from concurrent.futures import ThreadPoolExecutor

    executor = ThreadPoolExecutor(width, "enact-search")
    try:
        yield _Threads(executor, width)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def aside(fn: Callable[..., Any], *args: Any) -> Any:
    """Call ``fn`` in a lane of its own, so that a pause stops nothing else."""
    lane = CURRENT.get()
    assert lane is not None
    me = threading.get_ident()
    with lane.frame.lock:
        child = lane.spawn(me)
    return run_in_lane(child, fn, args, {})
