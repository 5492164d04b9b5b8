# SPDX-License-Identifier: Apache-2.0
"""Forked processes that a tracked call did not send any work: they say so.

What ``multiprocessing`` and ``concurrent.futures`` run in processes is recorded; see
``enact.calls.processes``. What a process does that was made by ``os.fork`` alone is in
no record.
"""

from __future__ import annotations

import os
import warnings

from enact.calls.callers import stacklevel

#: Name of the tracked call that this process works for, if it is a child process that
#: has not yet warned; a call that is not tracked looks whether it is empty.
CHILD_OF: list[str] = []

_warned_in = -1  # the process that has warned


class ChildProcessWarning(UserWarning):
    """A registered function was called in a process that is in no record."""


def set_caller(name: str) -> None:
    """Note that this process works for the call of ``name``, if it need warn still."""
    if _warned_in != os.getpid():
        CHILD_OF[:] = [name]


def warn_in_child(name: str) -> None:
    """Warn that ``name`` was called in a child process; once per process."""
    global _warned_in
    callers = CHILD_OF[:]
    CHILD_OF.clear()
    if not callers:  # another thread was faster
        return
    _warned_in = os.getpid()
    warnings.warn(
        f"{name!r} was called in a forked process of {callers[0]!r}: the call runs, "
        "but is in no record, and a replay would run it again. Start the process with "
        "`multiprocessing.Process(target=...)` or a pool: calls that are made there "
        "are recorded",
        ChildProcessWarning,
        stacklevel=stacklevel(),
    )
