# SPDX-License-Identifier: Apache-2.0
"""What commands print: lines with some colour, columns, JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import click
from rich.cells import cell_len, set_cell_size

from enact.render import HIDDEN, visible

STYLES: dict[str, dict[str, Any]] = {
    "": {},
    "dim": {"dim": True},
    "bold": {"bold": True},
    "id": {"fg": "yellow"},
    "completed": {"fg": "green"},
    "failed": {"fg": "red"},
    "paused": {"fg": "magenta"},
    "running": {"fg": "cyan"},
    "interrupted": {"fg": "yellow"},
    "incomplete": {"fg": "yellow"},
    "cancelled": {"fg": "yellow"},
    "added": {"fg": "green"},
    "removed": {"fg": "red"},
    "hunk": {"fg": "cyan"},
}

GAP = "  "
_LEAST = 20
_LABEL = 11


class Line:
    """A line of text of which some parts have a style.

    Args:
        text: the first part.
        style: one of `STYLES`.
    """

    def __init__(self, text: str = "", style: str = "") -> None:
        self._parts: list[tuple[str, str]] = []
        self.add(text, style)

    def add(self, text: str, style: str = "") -> Line:
        """Append a part; gives the line itself.

        Whatever it is, it stays on its line and does nothing to the terminal.
        """
        if text:
            text = visible(text).replace("\n", "\\n").replace("\t", "\\t")
            self._parts.append((text, style))
        return self

    def extend(self, other: Line) -> Line:
        """Append another line; gives the line itself."""
        self._parts += other._parts
        return self

    @property
    def text(self) -> str:
        """The text alone."""
        return "".join(text for text, _ in self._parts)

    def cells(self) -> int:
        """How many columns of a terminal it takes."""
        return cell_len(self.text)

    def cut(self, width: int) -> Line:
        """The line, cut to a number of columns."""
        if self.cells() <= width:
            return self
        line, left = Line(), max(0, width - 1)
        for text, style in self._parts:
            cells = cell_len(text)
            line.add(text if cells <= left else set_cell_size(text, left), style)
            left -= cells
            if left <= 0:
                break
        return line.add("…", "dim")

    def cut_both(self, ending: Line, width: int) -> Line:
        """The line and what is to stand behind it, both cut to fit together.

        Args:
            ending: gets half of the width, or more where the line leaves more.
            width: for both.
        """
        own, its = self.cells(), ending.cells()
        if own + its > width:
            its = min(its, max(width // 2, width - own))
            own = width - its
        return Line().extend(self.cut(own)).extend(ending.cut(its))

    def __str__(self) -> str:
        return "".join(
            click.style(text, **STYLES[style]) if STYLES.get(style) else text
            for text, style in self._parts
        )


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes elsewhere."""
    if not sys.stdout.isatty():
        return None
    try:
        return max(_LEAST, os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 80


def values_width() -> int:
    """How many characters the form of a value may have."""
    width = terminal_width()
    return 60 if width is None else max(24, width // 2)


def show(line: Line | str = "") -> None:
    """Print one line, cut to the width of the terminal."""
    if isinstance(line, Line):
        width = terminal_width()
        line = line if width is None else line.cut(width)
    click.echo(str(line))


def show_fact(label: str, what: Line | str) -> None:
    """Print something with a word in front that says what it is."""
    line = Line(label.ljust(_LABEL), "dim")
    show(line.extend(what if isinstance(what, Line) else Line(what)))


class Call(NamedTuple):
    """A call and what came of it, which are cut to fit together."""

    call: Line
    outcome: Line

    @property
    def text(self) -> str:
        """The text of both."""
        return self.call.text + self.outcome.text

    def fit(self, width: int | None) -> Line:
        """Both on a line of so many columns; None for as many as they take."""
        if width is None:
            return Line().extend(self.call).extend(self.outcome)
        return self.call.cut_both(self.outcome, max(_LEAST, width))


def show_table(
    headers: Sequence[str], rows: Iterable[Sequence[Line | Call | str]], right: str = ""
) -> None:
    """Print rows in columns; the last column takes what is left of the width.

    Args:
        headers: of the columns.
        rows: their cells.
        right: headers of columns that are aligned to the right, with spaces between.
    """
    cells = [[Line(c) if isinstance(c, str) else c for c in row] for row in rows]
    # A column in which nothing is written is left out.
    kept = [n for n in range(len(headers)) if any(row[n].text for row in cells)]
    heads: list[Line | Call] = [Line(headers[n], "dim") for n in kept]
    table = [heads, *([row[n] for n in kept] for row in cells)]
    widths = [
        max(c.cells() for row in table if isinstance(c := row[n], Line))
        for n in range(len(kept))
    ]
    left = terminal_width()
    if left is not None:
        left -= sum(widths[:-1]) + len(GAP) * (len(kept) - 1)
    on_right = {n for n, head in enumerate(heads) if head.text in right.split()}
    for row in table:
        line = Line()
        for n, cell in enumerate(row):
            if isinstance(cell, Call):
                cell = cell.fit(left)
            space = " " * (widths[n] - cell.cells())
            if n in on_right:
                line.add(space)
            line.extend(cell)
            if n < len(row) - 1:
                line.add(("" if n in on_right else space) + GAP)
        show(line)


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that does nothing to a terminal, whatever is in its texts."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    # Of control characters JSON escapes some; all are only within its texts.
    return HIDDEN.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def show_json(value: Any) -> None:
    """Print a value as JSON: an array for lists, else one object."""
    click.echo(json_text(value, indent=2))


def note(text: str) -> None:
    """Tell something beside the output, on standard error."""
    click.echo(click.style(visible(text), dim=True), err=True)


def show_block(text: str, indent: str = "", style: str = "") -> None:
    """Print text of several lines as it is, however long its lines are."""
    for line in text.split("\n"):
        style_of = STYLES[style]
        safe = visible(line)
        click.echo(indent + (click.style(safe, **style_of) if style_of else safe))


def show_code(text: str) -> None:
    """Print Python, in colour on a terminal."""
    text = visible(text)
    if terminal_width() is None or os.environ.get("NO_COLOR"):
        click.echo(text)
        return
    from rich.console import Console
    from rich.syntax import Syntax

    syntax = Syntax(text, "python", theme="ansi_dark", background_color="default")
    Console().print(syntax.highlight(text), end="", soft_wrap=True)
