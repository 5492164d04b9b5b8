# SPDX-License-Identifier: Apache-2.0
"""Work that is done beside the program, by a thread that is there only when needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import Context

_IDLE_SECONDS = 1.0


class Worker:
    """Runs a job in a thread, some time after it was asked for.

    Asking again before the job begins changes nothing. The thread ends when there
    was nothing to do for a second, so stores that are only read have none.

    Args:
        job: what to run; it handles its own errors.
        delay: seconds between being asked and beginning.
        name: of the thread.
    """

    def __init__(self, job: Callable[[], None], delay: float, name: str) -> None:
        self._job = job
        self._delay = delay
        self._name = name
        self._change = threading.Condition()
        self._due: float | None = None
        self._stopping = False
        self._thread: threading.Thread | None = None

    def ask(self) -> bool:
        """Sees to it that the job runs once more.

        Returns:
            False when there can be no thread any more: the interpreter shuts down.
        """
        with self._change:
            if self._due is not None or self._stopping:
                return True
            self._due = time.monotonic() + self._delay
            self._change.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._loop, name=self._name, daemon=True
                )
                try:
                    # Outside of any call: it is none of the program's threads.
                    Context().run(self._thread.start)
                except RuntimeError:
                    self._thread = self._due = None
                    return False
        return True

    def stop(self) -> None:
        """Returns when the job does not run and will not run again."""
        with self._change:
            self._stopping = True
            self._due = None
            self._change.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _loop(self) -> None:
        while self._wait():
            self._job()

    def _wait(self) -> bool:
        with self._change:
            idle_until = time.monotonic() + _IDLE_SECONDS
            while True:
                now = time.monotonic()
                if self._due is not None and now >= self._due:
                    self._due = None
                    return True
                if self._stopping or (self._due is None and now >= idle_until):
                    self._thread = None
                    return False
                until = idle_until if self._due is None else self._due
                self._change.wait(until - now)
