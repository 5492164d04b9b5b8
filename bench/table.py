# SPDX-License-Identifier: Apache-2.0
"""Results beside their bars."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

AT_MOST, AT_LEAST = "at most", "at least"


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure; ``bar`` is what it must keep, if anything."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    sense: str = AT_MOST
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the bar is kept; a figure without a bar always is."""
        if self.bar is None:
            return True
        if self.sense == AT_MOST:
            return self.value <= self.bar
        return self.value >= self.bar


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def show(title: str, rows: list[Row], emit: Callable[[str], None] = print) -> None:
    """Prints rows under a title."""
    emit(f"\n{title}")
    for row in rows:
        value = f"{number(row.value)} {row.unit}".rjust(14)
        mark, bar = "     ", ""
        if row.bar is not None:
            mark = "  ok " if row.kept else " MISS"
            bar = f"{row.sense} {number(row.bar)} {row.unit}"
        emit(f"  {row.what:<46}{value} {mark}  {bar:<20}  {row.note}".rstrip())
