# SPDX-License-Identifier: Apache-2.0
"""Budgets: what a search may spend, and the account that holds it to that."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from typing import Any

from enact.calls import register
from enact.errors import SearchError, Suspension
from enact.values import adapter


class OutOfBudget(Suspension):
    """Raised in place of a call that nothing is left for."""

    passes_on = True

    def __init__(self, why: str = "") -> None:
        super().__init__(why)


adapter(
    "enact/search/OutOfBudget",
    [OutOfBudget],
    lambda signal: {"why": signal.why},
    lambda fields: OutOfBudget(fields["why"]),
)


LIMITS = ("calls", "seconds", "usd", "tokens", "draws")


@register(name="enact/search/Budget")
@dataclasses.dataclass(frozen=True)
class Budget:
    """What a search may spend. Replayed calls and known samples cost nothing.

    Attributes:
        calls: so many calls may run that could be drawn again: leaf calls that are
            not declared deterministic. Never exceeded.
        seconds: of wall time. Calls in flight come to their end.
        usd: of what calls tell by ``enact.annotate(usd=...)``, also those that scores
            make. Exceeded at most by what is in flight.
        tokens: likewise, of ``input_tokens`` and ``output_tokens`` in sum.
        draws: so many samples may be drawn, also those that a bank has and that cost
            nothing: what strategies that share a bank are equally held to. Never
            exceeded.

    Raises:
        SearchError: a limit is not above zero.

    Example:
        >>> import enact
        >>> enact.search.Budget(calls=200, seconds=60)
        Budget(calls=200, seconds=60, usd=None, tokens=None, draws=None)
    """

    calls: int | None = None
    seconds: float | None = None
    usd: float | None = None
    tokens: int | None = None
    draws: int | None = None

    def __post_init__(self) -> None:
        for name in LIMITS:
            limit = getattr(self, name)
            if limit is None:
                continue
            if type(limit) not in (int, float) or not limit > 0 or math.isnan(limit):
                raise SearchError(
                    f"Budget({name}={limit!r}): a limit is a number above 0, or None "
                    "for no limit. Nothing could be found with nothing to spend"
                )

    def plus(self, more: Budget) -> Budget:
        """Both budgets in sum; no limit in one is no limit."""

        def total(one: Any, other: Any) -> Any:
            return None if one is None or other is None else one + other

        return Budget(
            total(self.calls, more.calls),
            total(self.seconds, more.seconds),
            total(self.usd, more.usd),
            total(self.tokens, more.tokens),
            total(self.draws, more.draws),
        )


@register(name="enact/search/Spent")
@dataclasses.dataclass
class Spent:
    """What was spent.

    Attributes:
        calls: of the program that ran: leaf calls that are not declared deterministic.
        seconds: of wall time.
        usd, tokens: as told by ``enact.annotate``, also by calls that scores made.
        score_calls: likewise as ``calls``, but made by scores; no budget limits them.
        draws: samples that were drawn, also those that were in a bank.
    """

    calls: int = 0
    seconds: float = 0.0
    usd: float = 0.0
    tokens: int = 0
    score_calls: int = 0
    draws: int = 0

    def add(self, other: Spent) -> None:
        """Add what something else has spent, but for time, which may overlap."""
        self.calls += other.calls
        self.usd += other.usd
        self.tokens += other.tokens
        self.score_calls += other.score_calls
        self.draws += other.draws

    def add_usage(self, usage: dict[str, Any] | None) -> None:
        """Add what one call told."""
        if usage:
            self.usd += _number(usage.get("usd"))
            self.tokens += int(
                _number(usage.get("input_tokens")) + _number(usage.get("output_tokens"))
            )

    def __str__(self) -> str:
        parts = [f"{self.calls} calls", f"{self.seconds:.3g} s"]
        if self.draws > self.calls:
            parts.insert(1, f"{self.draws} draws")
        if self.usd:
            parts.append(f"{self.usd:.4g} USD")
        if self.tokens:
            parts.append(f"{self.tokens} tokens")
        if self.score_calls:
            parts.append(f"{self.score_calls} score calls")
        return ", ".join(parts)


def _number(value: Any) -> float:
    return value if type(value) in (int, float) else 0


class Account:
    """Holds a search to its budget; safe for threads.

    Args:
        budget: what may be spent.
        parent: of the search that this one is part of: both pay.

    Attributes:
        spent: so far; ``seconds`` is brought up to date by ``look``.
    """

    def __init__(self, budget: Budget, parent: Account | None = None) -> None:
        self.budget = budget
        self.parent = parent
        self.spent = Spent()
        self._lock = threading.Lock()
        self._since = time.monotonic()
        self._before = 0.0  # seconds spent in tries that were cut off

    def reserve(self) -> str | None:
        """Take one call out of the budget before it runs; says why not, if not."""
        if self.parent is not None:
            why = self.parent.reserve()
            if why is not None:
                return why
        with self._lock:
            why = self.exhausted()
            if why is None:
                self.spent.calls += 1
        if why is not None and self.parent is not None:
            self.parent.release()
        return why

    def draw(self) -> str | None:
        """Take one sample out of the budget before it is drawn, or say why not."""
        if self.parent is not None:
            why = self.parent.draw()
            if why is not None:
                return why
        limit = self.budget.draws
        with self._lock:
            if limit is None or self.spent.draws < limit:
                self.spent.draws += 1
                return None
        if self.parent is not None:
            self.parent.undraw()
        return f"budget of {limit} draws"

    def undraw(self) -> None:
        """Put one sample back: it was none."""
        with self._lock:
            self.spent.draws -= 1
        if self.parent is not None:
            self.parent.undraw()

    def release(self) -> None:
        """Put one call back: it is not one that counts."""
        with self._lock:
            self.spent.calls -= 1
        if self.parent is not None:
            self.parent.release()

    def charge(self, usage: dict[str, Any] | None) -> None:
        """Settle what a call told that it used."""
        if usage:
            with self._lock:
                self.spent.add_usage(usage)
            if self.parent is not None:
                self.parent.charge(usage)

    def spend(self, spent: Spent) -> None:
        """Settle what something spent that nothing was reserved for."""
        with self._lock:
            self.spent.add(spent)
        if self.parent is not None:
            self.parent.spend(spent)

    def remember(self, spent: Spent, seconds: float) -> None:
        """Add what was spent in an earlier try of the same search."""
        with self._lock:
            self.spent.add(spent)
            self._before += seconds

    def look(self) -> Spent:
        """What is spent by now."""
        self.spent.seconds = self._before + time.monotonic() - self._since
        return self.spent

    def exhausted(self) -> str | None:
        """Which limit is reached, as in ``budget of 200 calls``; None if none is."""
        budget = self.budget
        spent = self.look()
        for name in ("calls", "seconds", "usd", "tokens"):
            limit = getattr(budget, name)
            if limit is not None and getattr(spent, name) >= limit:
                return f"budget of {limit} {name}"
        return None

    def calls_left(self) -> float:
        """How many calls may still run."""
        left = math.inf
        if self.budget.calls is not None:
            left = self.budget.calls - self.spent.calls
        if self.budget.draws is not None:
            left = min(left, self.budget.draws - self.spent.draws)
        if self.parent is not None:
            left = min(left, self.parent.calls_left())
        return left
