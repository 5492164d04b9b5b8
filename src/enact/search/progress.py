# SPDX-License-Identifier: Apache-2.0
"""Progress of a search: what a callback is told, and a bar on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from enact.render import Bar, is_watched

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


class _Shown:
    """Shows a search on the terminal, beside a bar if calls are limited."""

    def __init__(self, calls: int | None) -> None:
        self._bar = Bar("search", calls)

    def __call__(self, progress: Progress) -> None:
        self._bar.show(str(progress), progress.spent.calls)

    def close(self) -> None:
        self._bar.close()


def shown_progress(
    wanted: Callable[[Progress], None] | bool | None, calls: int | None = None
) -> Callable[[Progress], None] | None:
    """What is told of progress: a function, or the terminal.

    Args:
        wanted: the function; True for the terminal; False for nothing; None for the
            terminal if standard error is one.
        calls: that the budget allows.
    """
    if callable(wanted):
        return wanted
    if wanted is False or (wanted is None and not is_watched()):
        return None
    return _Shown(calls)
