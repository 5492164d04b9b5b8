# SPDX-License-Identifier: Apache-2.0
"""What runs and searches within programs and scores spend counts in the budget."""

from __future__ import annotations

from typing import Any

import pytest

import enact
from enact.search import Budget
from tests.search import programs_to_search as programs

RAN: list[str] = []


@enact.register(name="nested/paid")
def paid(place: int) -> int:
    RAN.append("paid")
    enact.annotate(usd=0.25, input_tokens=2)
    return programs.sample("paid", place)


@enact.register(name="nested/inner")
def inner(length: int) -> int:
    return sum(paid_part(place) for place in range(length))


@enact.register(name="nested/paid_part")
def paid_part(place: int) -> int:
    return paid(place)


@enact.register(name="nested/outer")
def outer() -> int:
    start = programs.digit(3, 3)
    invocation = enact.invoke(inner, (2,))
    assert invocation.status == "completed"
    return start + int(invocation.output)


@enact.register(name="nested/judge")
def judge(total: int) -> float:
    return float(total + enact.invoke(inner, (2,)).output)


@enact.register(name="nested/searching_judge")
def searching_judge(total: int) -> float:
    found = enact.search.run(inner, (2,), score=float, strategy="best_of(n=3)")
    return float(total + found.best.output)


@enact.register(name="nested/endless_judge")
def endless_judge(total: int) -> float:
    return float(enact.search.run(inner, (2,), score=float).best.score)


@pytest.mark.parametrize("executor", [1, 3])
@pytest.mark.parametrize("calls", [4, 9, 20])
def test_runs_within_a_program_are_paid_for(executor: int, calls: int) -> None:
    RAN.clear()
    programs.RAN.clear()
    result = enact.search.run(
        outer, score=float, strategy="best_of", executor=executor,
        budget=Budget(calls=calls),
    )  # fmt: skip
    assert len(RAN) + len(programs.RAN) == result.spent.calls <= calls
    assert result.spent.usd == 0.25 * len(RAN)
    assert result.best.invocation.status == "completed"


@pytest.mark.parametrize("score", [judge, searching_judge])
def test_runs_and_searches_within_a_score_are_counted(score: Any) -> None:
    RAN.clear()
    with enact.InMemoryStore():
        result = enact.search.run(
            programs.number, (2,), score=score, strategy="best_of(n=4)"
        )
        assert result.spent.score_calls == len(RAN) > 0
        assert result.spent.usd == 0.25 * len(RAN)
        assert result.spent.tokens == 2 * len(RAN)
        RAN.clear()
        again = enact.search.load(result.run)
        assert not RAN
        assert again.spent.score_calls == result.spent.score_calls
        assert again.spent.usd == result.spent.usd


def test_what_a_score_spends_within_ends_the_search() -> None:
    RAN.clear()
    result = enact.search.run(
        programs.number, (2,), score=judge, strategy="best_of", budget=Budget(usd=2.0)
    )
    # At most the score in flight goes beyond the limit.
    assert 2.0 <= result.spent.usd <= 2.5
    assert result.stopped == "budget of 2.0 usd"


def test_a_search_within_a_score_needs_a_budget_of_its_own() -> None:
    with pytest.raises(enact.SearchError, match="no budget is given"):
        enact.search.run(
            programs.number, (2,), score=endless_judge, strategy="best_of(n=2)"
        )
