# SPDX-License-Identifier: Apache-2.0
"""Progress of a search: what a callback is told, and a line on the terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from enact.search.budget import Spent
    from enact.search.driver import Driver
    from enact.search.tree import Node, Tree


class Progress:
    """How a search is going.

    Attributes:
        tree: all nodes so far.
        spent: by now.
        best: the best complete node; None if there is none.
    """

    def __init__(self, driver: Driver) -> None:
        self.tree: Tree = driver.tree
        self.spent: Spent = driver.account.look()
        self.best: Node | None = driver.tree.best

    def __str__(self) -> str:
        best = "none yet"
        if self.best is not None:
            best = f"{self.best.score:.6g}"
        tree = self.tree
        return f"{len(tree)} nodes, {tree.complete} complete, best {best}, {self.spent}"


class _Line:
    """Keeps one line of a terminal up to date, some times a second."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.1
        text = str(progress)[: shutil.get_terminal_size().columns - 1]
        self._out.write("\r" + text.ljust(self._width))
        self._out.flush()
        self._width = len(text)

    def close(self) -> None:
        """Clear the line."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()


def default_progress(wanted: bool | None) -> Callable[[Progress], None] | None:
    """A line on the terminal, if it is wanted, or by default if there is one."""
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        return None
    return _Line(sys.stderr)
