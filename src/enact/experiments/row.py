# SPDX-License-Identifier: Apache-2.0
"""One variant in the table of a comparison."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One variant in the table.

    Attributes:
        name: of the variant.
        score: mean over inputs of the mean over executions.
        interval: of the score.
        difference: from the first variant, paired by input; None for the first.
        difference_interval: of the difference.
        wins: share of inputs on which it is better than the first; ties count half.
        e_value: evidence that it is better, or worse, more often: see ``evidence``.
        passes: unbiased pass@k, by k, where a threshold is given.
        failures: executions that did not come to their end.
        calls, seconds, usd, tokens, draws: of one execution, on average.
    """

    name: str
    score: float
    interval: tuple[float, float]
    difference: float | None
    difference_interval: tuple[float, float] | None
    wins: float | None
    e_value: float | None
    passes: dict[int, float]
    failures: int
    calls: float
    seconds: float
    usd: float
    tokens: float
    draws: float
