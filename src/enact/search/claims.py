# SPDX-License-Identifier: Apache-2.0
"""Work that several executions want and one does: scores of equal outputs, questions.

Executions claim it in the order in which they were asked for, whichever of them is
first to get there. So a search that is resumed finds each score where it was made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any


class Claim:
    """Something that is done once."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def settle(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Do it; gives what ``fn`` gives, and raises what it raises."""
        try:
            self._value = fn(*args)
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._done.release()
        return self._value

    def result(self) -> Any:
        """Wait for what came of it."""
        with self._done:
            if self._error is not None:
                raise self._error
            return self._value


class Claims:
    """Who does what; safe for threads."""

    def __init__(self) -> None:
        self._claims: dict[Hashable, Claim] = {}
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> tuple[Claim, bool]:
        """The claim to something, and whether the caller is to settle it."""
        with self._lock:
            known = self._claims.get(key)
            if known is not None:
                return known, False
            made = self._claims[key] = Claim()
            return made, True


class Turn:
    """A place in the order in which executions were asked for.

    Args:
        before: the place before this one.
    """

    __slots__ = ("_before", "_passed")

    def __init__(self, before: Turn | None) -> None:
        self._before = before
        self._passed = threading.Lock()
        self._passed.acquire()

    def wait(self) -> None:
        """Wait until all that were asked for before have made their claims."""
        before = self._before
        if before is not None:
            with before._passed:
                pass
            self._before = None

    def end(self) -> None:
        """Let the next one make its claim; again does nothing."""
        self.wait()
        if self._passed.locked():
            self._passed.release()
