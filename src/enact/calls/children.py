# SPDX-License-Identifier: Apache-2.0
"""Child processes of tracked calls: what they call is in no record, and they say so.

A child that was forked finds out by itself. One that is spawned, or serves a pool, is
told by ``run_in_child``, which goes there in the place of what it is to run.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from enact.calls.callers import stacklevel

R = TypeVar("R")

#: Name of the tracked call that this process works for, if it is a child process that
#: has not yet warned; a call that is not tracked looks whether it is empty.
CHILD_OF: list[str] = []

_warned_in = -1  # the process that has warned


class ChildProcessWarning(UserWarning):
    """A registered function was called in a child process of a tracked call."""


def set_caller(name: str) -> None:
    """Note that this process works for the call of ``name``, if it need warn still."""
    if _warned_in != os.getpid():
        CHILD_OF[:] = [name]


def run_in_child(name: str, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    """Run ``fn`` in a child process, for the call of ``name``."""
    set_caller(name)
    try:
        return fn(*args, **kwargs)
    finally:
        CHILD_OF.clear()


def warn_in_child(name: str) -> None:
    """Warn that ``name`` was called in a child process; once per process."""
    global _warned_in
    callers = CHILD_OF[:]
    CHILD_OF.clear()
    if not callers:  # another thread was faster
        return
    _warned_in = os.getpid()
    warnings.warn(
        f"{name!r} was called in a child process of {callers[0]!r}: the call runs, but "
        "is in no record, and a replay would run it again. Register the function that "
        "starts the process and returns what comes of it; or use threads or tasks, "
        "which are recorded",
        ChildProcessWarning,
        stacklevel=stacklevel(),
    )
