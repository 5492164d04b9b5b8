# SPDX-License-Identifier: Apache-2.0
"""Quality over cost, as a picture (extra ``plot``)."""

from __future__ import annotations

import math
import os
from typing import Any

from enact.errors import SearchError
from enact.experiments.row import Row
from enact.values import import_extra

_AXES = {
    "calls": "calls per execution",
    "seconds": "seconds per execution",
    "usd": "USD per execution",
    "tokens": "tokens per execution",
}


def draw(
    rows: list[Row], confidence: float, path: str | os.PathLike[str] | None, cost: str
) -> Any:
    """Draw variants as points with intervals, and those that nothing else beats.

    Args:
        rows: of a comparison.
        confidence: of the intervals.
        path: of a picture to write; None for none.
        cost: what one execution is held to cost.

    Returns:
        The matplotlib figure.

    Raises:
        SearchError: there is no such cost.
        MissingExtra: matplotlib is not installed.
    """
    if cost not in _AXES:
        raise SearchError(f"cost={cost!r}: it is one of {', '.join(_AXES)}")
    # Not by pyplot: a figure of its own needs no display, and none has to be closed.
    figure = import_extra("matplotlib.figure", "plot").Figure(
        figsize=(6.4, 4.2), layout="constrained"
    )
    axes = figure.add_subplot()
    points = sorted(
        ((float(getattr(row, cost)), row.score, row) for row in rows),
        key=lambda point: point[:2],
    )
    for place, (spent, score, row) in enumerate(points):
        low, high = row.interval
        error = None
        # There are ten colours: with more variants the marks differ, too.
        mark = "os^Dv"[place // 10 % 5]
        if not math.isnan(low):
            error = [[max(0.0, score - low)], [max(0.0, high - score)]]
        axes.errorbar(spent, score, yerr=error, fmt=mark, capsize=3, label=row.name)
    best = _frontier(points)
    axes.plot(*zip(*best, strict=True), color="0.7", zorder=0, drawstyle="steps-post")
    axes.set_xlabel(_AXES[cost])
    axes.set_ylabel(f"score, {100 * confidence:g} % intervals")
    axes.margins(x=0.08)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    figure.legend(fontsize="small", loc="outside right upper")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _frontier(points: list[tuple[float, float, Row]]) -> list[tuple[float, float]]:
    """What costs no more than anything as good: cost and score, in order of cost."""
    found: list[tuple[float, float]] = []
    for spent, score, _ in points:
        if not found or score > found[-1][1]:
            found.append((spent, score))
    return found
