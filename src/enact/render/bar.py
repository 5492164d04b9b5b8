# SPDX-License-Identifier: Apache-2.0
"""Progress of something long, in the last lines of a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

_EACH = 0.1  # seconds between two pictures

# One is shown at a time: what runs within something long is part of that.
_shown: list[Bar] = []


class Bar:
    """Shows how far something is, on standard error.

    It makes no thread of its own: threads that a program starts are part of its record.

    Args:
        what: goes on.
        total: at which it is at its end; None if nobody knows.
    """

    def __init__(self, what: str, total: float | None = None) -> None:
        self._what = what
        self._total = total
        self._next = 0.0
        self._progress: Any = None
        self._task: Any = None

    def show(self, text: str, done: float = 0.0) -> None:
        """Show how it is going.

        Args:
            text: in words.
            done: of the total.
        """
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EACH
        if self._progress is None and not self._begin():
            return
        self._progress.update(self._task, completed=done, text=text)
        self._progress.refresh()

    def _begin(self) -> bool:
        if _shown:
            return False
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.table import Column

        text = TextColumn(
            "{task.fields[text]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        )
        bars = [] if self._total is None else [BarColumn(bar_width=24)]
        _shown.append(self)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), *bars,
            TimeElapsedColumn(), text,
            console=Console(stderr=True), transient=True, auto_refresh=False,
            # What a program prints stays on standard output, above the bar if that is
            # the same terminal.
            redirect_stdout=sys.stdout.isatty(),
        )  # fmt: skip
        self._task = self._progress.add_task(self._what, total=self._total, text="")
        self._progress.start()
        return True

    def close(self) -> None:
        """Take it off the screen."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            _shown.remove(self)


def is_watched() -> bool:
    """Whether somebody looks at standard error: it is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()
