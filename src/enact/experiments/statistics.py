# SPDX-License-Identifier: Apache-2.0
"""Statistics of paired experiments: intervals, win rates, pass@k, a sequential test."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

_RESAMPLES = 2000


def mean(values: Sequence[float]) -> float:
    """The mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def bootstrap(
    values: Sequence[float], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """A percentile bootstrap interval of the mean.

    See Efron, "Bootstrap methods: another look at the jackknife" (1979).

    Args:
        values: one for each independent unit, such as an input.
        confidence: of the interval, 0..1.
        seed: of the resampling.

    Returns:
        Its ends; both NaN for less than two values.

    Example:
        >>> low, high = bootstrap([1.0, 2.0, 3.0, 4.0])
        >>> 1.0 <= low < 2.5 < high <= 4.0
        True
    """
    count = len(values)
    if count < 2:
        return math.nan, math.nan
    chance = random.Random(seed)
    means = sorted(mean(chance.choices(values, k=count)) for _ in range(_RESAMPLES))
    tail = (1 - confidence) / 2
    low = means[int(tail * (_RESAMPLES - 1))]
    high = means[math.ceil((1 - tail) * (_RESAMPLES - 1))]
    return low, high


def pass_at_k(n: int, successes: int, k: int) -> float:
    """How likely one of k executions succeeds: unbiased, from n of them.

    See Chen et al., "Evaluating large language models trained on code" (2021).

    Args:
        n: executions that were made.
        successes: how many of them succeeded.
        k: how many are drawn, at most ``n``.

    Example:
        >>> pass_at_k(4, 1, 1), pass_at_k(4, 1, 2)
        (0.25, 0.5)
    """
    if not 0 < k <= n:
        return math.nan
    return 1 - math.comb(n - successes, k) / math.comb(n, k)


def win_rate(differences: Sequence[float]) -> float:
    """Share of pairs in which the first is better; ties count half."""
    return mean([0.5 if d == 0 else float(d > 0) for d in differences])


def evidence(differences: Sequence[float]) -> float:
    """How strongly pairs speak against "neither is better more often", as an e-value.

    It may be looked at after every pair: that it ever gets above 1 / alpha has a chance
    of at most alpha if neither is better more often. A sign test, with the mixture of
    Robbins, "Statistical methods related to the law of the iterated logarithm" (1970).
    Ties say nothing.

    Example:
        >>> round(evidence([1.0] * 8), 1), round(evidence([1.0, -1.0] * 4), 2)
        (50.3, 0.27)
    """
    wins = sum(d > 0 for d in differences)
    losses = sum(d < 0 for d in differences)
    # Beta(1/2, 1/2) over the chance to win, against 1/2.
    log = (
        math.lgamma(wins + 0.5)
        + math.lgamma(losses + 0.5)
        - math.lgamma(wins + losses + 1)
        - 2 * math.lgamma(0.5)
    )
    return math.exp(min(700.0, log + (wins + losses) * math.log(2)))
