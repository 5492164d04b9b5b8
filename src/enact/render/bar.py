# SPDX-License-Identifier: Apache-2.0
"""Progress of something long: in the last lines of a terminal, or in a notebook."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

from enact.render.text import visible
from enact.values import redact

_EACH = 0.1  # seconds between two pictures

# One is shown at a time: what runs within something long is part of that.
_shown: list[Bar] = []


class Bar:
    """Shows how far something is: on standard error, or below the cell of a notebook.

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
        if isinstance(self._progress, _Cell):
            self._progress.update(text, done)
            return
        self._progress.update(self._task, completed=done, text=text)
        self._progress.refresh()

    def _begin(self) -> bool:
        if _shown:
            return False
        if (display := _notebook()) is not None:
            _shown.append(self)
            self._progress = _Cell(display, self._what, self._total)
            return True
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


class _Cell:
    """Progress below the cell of a notebook, which goes when it is done.

    Args:
        display: the module that shows things there.
        what: goes on.
        total: at which it is at its end, if anybody knows.
    """

    def __init__(self, display: Any, what: str, total: float | None) -> None:
        self._html = display.HTML
        self._what, self._total = what, total
        self._handle = display.display(display.HTML(""), display_id=True)

    def update(self, text: str, done: float) -> None:
        """Show how far it is."""
        bar = f'<progress value="{done:g}" max="{self._total:g}"></progress> ' if (
            self._total
        ) else ""  # fmt: skip
        told = escape(redact(visible(f"{self._what}: {text}")))
        self._handle.update(self._html(f"<div>{bar}<code>{told}</code></div>"))

    def stop(self) -> None:
        """Take it away."""
        self._handle.update(self._html(""))


def _notebook() -> Any:
    """The module of IPython that shows things, in its notebooks; else None."""
    found = sys.modules.get("IPython")
    shell = None if found is None else found.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    import IPython.display

    return IPython.display


def is_watched() -> bool:
    """Whether somebody looks: standard error is a terminal, or it is a notebook."""
    if _notebook() is not None:
        return True
    return sys.stderr is not None and sys.stderr.isatty()
