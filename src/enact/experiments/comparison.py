# SPDX-License-Identifier: Apache-2.0
"""What a comparison found: a table of variants, and the data behind it."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
from typing import Any, cast

from enact.calls import register
from enact.experiments.plot import draw
from enact.experiments.row import Row
from enact.experiments.statistics import (
    bootstrap,
    evidence,
    mean,
    pass_at_k,
    win_rate,
)
from enact.render import html_of_text, show
from enact.values import Displayed, Ref, import_extra, redact, redacted_form


@register(name="enact/experiments/Cell")
@dataclasses.dataclass
class Cell:
    """All executions of one variant on one input.

    Attributes:
        variant: its name.
        input: index of the input.
        scores: one for each execution; None for one that failed.
        invocations: likewise, of those that came to their end.
        calls, seconds, usd, tokens, draws: spent by all of them.
    """

    variant: str
    input: int
    scores: list[float | None]
    invocations: list[Ref[Any] | None]
    calls: int = 0
    seconds: float = 0.0
    usd: float = 0.0
    tokens: int = 0
    draws: int = 0


class Comparison(Displayed):
    """What a comparison found.

    Args:
        cells: of all variants on all inputs that were run.
        failure: the score of an execution that failed.
        threshold: a score that is a success, for pass@k.
        confidence: of the intervals.
        stopped: why it ended.
        run: identifier of the recorded experiment.

    Attributes:
        cells, stopped, run: as given.
        rows: one for each variant, the first is the baseline.
    """

    def __init__(
        self,
        cells: list[Cell],
        *,
        failure: float,
        threshold: float | None,
        confidence: float,
        stopped: str,
        run: str,
    ) -> None:
        self.cells = cells
        self.failure = failure
        self.threshold = threshold
        self.confidence = confidence
        self.stopped = stopped
        self.run = run
        names = list(dict.fromkeys(cell.variant for cell in cells))
        self.rows = [self._row(name, names[0]) for name in names]

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def _scores(self, cell: Cell) -> list[float]:
        return [self.failure if one is None else one for one in cell.scores]

    def means(self, name: str) -> dict[int, float]:
        """The mean score of a variant on each input, by index."""
        return {
            cell.input: mean(self._scores(cell))
            for cell in self.cells
            if cell.variant == name
        }

    def differences(self, name: str, baseline: str) -> list[float]:
        """Differences of mean scores on the inputs that both were run on."""
        one, other = self.means(name), self.means(baseline)
        return [one[index] - other[index] for index in one if index in other]

    def _row(self, name: str, baseline: str) -> Row:
        cells = [cell for cell in self.cells if cell.variant == name]
        values = list(self.means(name).values())
        made = max(1, sum(len(cell.scores) for cell in cells))
        apart = None if name == baseline else self.differences(name, baseline)
        interval = None if apart is None else bootstrap(apart, self.confidence)
        return Row(
            name,
            mean(values),
            bootstrap(values, self.confidence),
            None if apart is None else mean(apart),
            interval,
            None if apart is None else win_rate(apart),
            None if apart is None else evidence(apart),
            self._passes(cells),
            sum(score is None for cell in cells for score in cell.scores),
            sum(cell.calls for cell in cells) / made,
            sum(cell.seconds for cell in cells) / made,
            sum(cell.usd for cell in cells) / made,
            sum(cell.tokens for cell in cells) / made,
            sum(cell.draws for cell in cells) / made,
        )

    def _passes(self, cells: list[Cell]) -> dict[int, float]:
        if self.threshold is None:
            return {}
        most = min(len(cell.scores) for cell in cells)
        wanted = [k for k in (1, 2, 4, 8, 16, 32, 64, 128) if k <= most]
        threshold = self.threshold

        def passed(cell: Cell, k: int) -> float:
            successes = sum(one >= threshold for one in self._scores(cell))
            return pass_at_k(len(cell.scores), successes, k)

        return {k: mean([passed(cell, k) for cell in cells]) for k in wanted}

    # --- to other tools ---------------------------------------------------------

    def records(self) -> list[dict[str, Any]]:
        """One flat dict for each execution, without credentials."""
        found: list[dict[str, Any]] = []
        for cell in self.cells:
            made = len(cell.scores)
            for number, score in enumerate(cell.scores):
                ref = cell.invocations[number]
                found.append(
                    {
                        "variant": cell.variant,
                        "input": cell.input,
                        "sample": number,
                        "score": score,
                        "calls": cell.calls / made,
                        "seconds": cell.seconds / made,
                        "usd": cell.usd / made,
                        "tokens": cell.tokens / made,
                        "draws": cell.draws / made,
                        "invocation": None if ref is None else ref.id,
                    }
                )
        safe: Any = redacted_form(cast("Any", found), redact)
        assert isinstance(safe, list)
        return safe

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write ``records`` as CSV."""
        records = self.records()
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write the table and ``records`` as JSON; what is not known is null."""
        rows = [_finite(dataclasses.asdict(row)) for row in self.rows]
        data = {"stopped": self.stopped, "rows": rows, "records": self.records()}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, allow_nan=False)

    def to_pandas(self) -> Any:
        """``records`` as a pandas data frame.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return import_extra("pandas", "pandas").DataFrame(self.records())

    def plot(
        self, path: str | os.PathLike[str] | None = None, *, cost: str = "calls"
    ) -> Any:
        """Draw the quality of each variant over what one execution of it costs.

        Args:
            path: of a picture to write: PNG, SVG or PDF, by its ending.
            cost: ``calls``, ``seconds``, ``usd`` or ``tokens``.

        Returns:
            The matplotlib figure.

        Raises:
            SearchError: there is no such cost.
            MissingExtra: matplotlib is not installed.
        """
        return draw(self.rows, self.confidence, path, cost)

    def __repr__(self) -> str:
        return f"<comparison of {', '.join(row.name for row in self.rows)}>"

    def __str__(self) -> str:
        inputs = len({cell.input for cell in self.cells})
        percent = f"{100 * self.confidence:g} %"
        head = ["variant", "score", percent, "difference", percent, "wins", "e-value"]
        ks = list(self.rows[0].passes) if self.rows else []
        head += [f"pass@{k}" for k in ks]
        costs = {"calls": "calls", "seconds": "s"}
        if any(row.draws > row.calls for row in self.rows):
            costs = {"draws": "draws", **costs}
        for cost, title in [("usd", "USD"), ("tokens", "tokens")]:
            if any(getattr(row, cost) for row in self.rows):
                costs[cost] = title
        head += ["failed", *costs.values()]
        table = [head, *(self._line(row, ks, list(costs)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                text.ljust(width) if place == 0 else text.rjust(width)
                for place, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in table
        ]
        plural = "" if inputs == 1 else "s"
        return "\n".join([*lines, "", f"{inputs} input{plural}; {self.stopped}"])

    def _line(self, row: Row, ks: list[int], costs: list[str]) -> list[str]:
        cells = [row.name, _text(row.score), _span(row.interval)]
        cells += [_text(row.difference, "+.3g"), _span(row.difference_interval)]
        cells += ["" if row.wins is None else f"{row.wins:.0%}", _text(row.e_value)]
        cells += [_text(row.passes.get(k)) for k in ks]
        return [*cells, str(row.failures), *(_text(getattr(row, c)) for c in costs)]


show(Comparison, html_of_text)


def _text(value: float | None, form: str = ".3g") -> str:
    return "" if value is None or math.isnan(value) else format(value, form)


def _span(interval: tuple[float, float] | None) -> str:
    if interval is None or math.isnan(interval[0]):
        return ""
    return f"{interval[0]:.3g}..{interval[1]:.3g}"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
