# SPDX-License-Identifier: Apache-2.0
"""All strategies against best-of-N at the same number of calls, as ``game24.py`` and
``acrostic.py`` have it: paired, and with intervals.

With so many strategies one of the intervals of 95 % leaves out zero by chance every now
and then. So there is a second one, which is right for all of them at a time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import enact
from enact.experiments import Comparison, Searched, bootstrap, compare, resume
from enact.search import Budget, Strategy


def searches(
    program: Any, strategies: Sequence[str | Strategy], calls: int
) -> dict[str, Searched]:
    """Variants by the names of their strategies; the first is the baseline.

    Optuna's is left out where Optuna is not installed.
    """
    budget = Budget(calls=calls)
    variants: dict[str, Searched] = {}
    for strategy in strategies:
        name = str(strategy).split("(")[0]
        if not isinstance(strategy, str):
            name = type(strategy).__name__.lower()
        if name != "tune" or importlib.util.find_spec("optuna") is not None:
            variants[name] = Searched(program, strategy, budget)
    return variants


def compared(
    variants: dict[str, Searched], inputs: Sequence[Any], score: Any, store: Any
) -> Comparison:
    """The comparison, or the rest of one that was cut off in this store."""
    with store:
        for run in store.runs(name="enact/experiments/compare"):
            if run.status != "completed":
                return resume(run)
        return compare(variants, inputs, score=score)


def table(found: Comparison, variants: dict[str, Searched]) -> str:
    """A table in Markdown; bold is what differs by both intervals."""
    first, *others = found.rows
    confidence = 1 - 0.05 / len(others)
    title = f"{confidence:.1%}, all at a time"
    name = label(variants[first.name])
    lines = [
        f"| strategy | score | difference | 95 % | {title} | calls |",
        "|---|---:|---:|---|---|---:|",
        f"| `{name}` | {first.score:.1%} | | | | {first.calls:.0f} |",
    ]
    for row in others:
        apart = found.differences(row.name, first.name)
        one, all_of_them = bootstrap(apart), bootstrap(apart, confidence)
        mark = "**" if all_of_them[0] > 0 or all_of_them[1] < 0 else ""
        lines.append(
            f"| `{label(variants[row.name])}` | {row.score:.1%} "
            f"| {mark}{100 * (row.difference or 0):+.1f}{mark} "
            f"| {span(one)} | {span(all_of_them)} | {row.calls:.0f} |"
        )
    return "\n".join(lines)


def label(variant: Searched) -> str:
    if isinstance(variant.strategy, str):
        return variant.strategy
    return type(variant.strategy).__name__.lower()


def span(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:+.1f}..{100 * interval[1]:+.1f}"


def store_at(path: str | None) -> Any:
    """A store in a file, so that what is cut off goes on; else in memory."""
    return enact.InMemoryStore() if path is None else enact.open_store(path)
