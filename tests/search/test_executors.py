# SPDX-License-Identifier: Apache-2.0
"""What holds for searches holds for each executor."""

from __future__ import annotations

import math
from typing import Any

import pytest

import enact
from enact.search import Budget
from tests.search import programs_to_search as programs
from tests.search.test_search import STRATEGIES
from tests.search.test_workers import Inline

pytestmark = pytest.mark.parametrize("executor", [1, 3, "workers"])


def of(executor: Any) -> Any:
    return Inline(2) if executor == "workers" else executor


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_budget_holds_and_gives_one_execution(executor: Any, strategy: str) -> None:
    for calls in (4, 9, 17):
        programs.RAN.clear()
        result = enact.search.run(
            programs.number, (4,), score=float, strategy=strategy,
            budget=Budget(calls=calls), executor=of(executor),
        )  # fmt: skip
        assert len(programs.RAN) == result.spent.calls <= calls
        assert result.best.invocation.status == "completed"


def test_a_budget_of_draws_holds(executor: Any) -> None:
    result = enact.search.run(
        programs.nested, (4,), score=float, strategy="mcts", budget=Budget(draws=17),
        executor=of(executor),
    )  # fmt: skip
    assert result.spent.draws <= 17
    assert result.stopped == "budget of 17 draws"


def test_failures_are_counted(executor: Any) -> None:
    result = enact.search.run(
        programs.fickle, (2,), score=float, strategy="best_of(n=12)",
        executor=of(executor),
    )  # fmt: skip
    assert result.counts["complete"] and result.counts["failed"]
    assert any("is low" in why for why in result.failures)
    assert sum(result.failures.values()) == 12 - result.counts["complete"]


@enact.register(name="executors/fails")
def fails(place: int) -> int:
    programs.digit(place, 0)
    raise ValueError(f"no {place}")


def test_if_all_fail_the_first_failure_is_told(executor: Any) -> None:
    with pytest.raises(enact.NothingFound, match="ValueError: no 7"):
        enact.search.run(
            fails, (7,), score=float, strategy="best_of(n=4)", executor=of(executor)
        )


@enact.register(name="executors/no_number")
def no_number(total: int) -> float:
    return math.nan


@enact.register(name="executors/no_type")
def no_type(total: int) -> Any:
    return "good"


@enact.register(name="executors/raises")
def raises(total: int) -> float:
    raise LookupError("lost")


@pytest.mark.parametrize("score", [no_number, no_type, raises])
def test_bad_scores_are_errors(executor: Any, score: Any) -> None:
    with pytest.raises(enact.InvalidScore):
        enact.search.run(
            programs.number, (2,), score=score, strategy="best_of(n=4)",
            executor=of(executor),
        )  # fmt: skip


@enact.register(name="executors/certain")
def certain() -> int:
    return programs.checked(3)


def test_a_program_without_a_branch_point_says_so(executor: Any) -> None:
    with pytest.raises(enact.NoBranchPoint, match="search/checked"):
        enact.search.run(
            certain, score=float, strategy="best_of(n=2)", executor=of(executor)
        )


@enact.register(name="executors/picky")
def picky(length: int) -> int:
    total = programs.number(length)
    if total % 2:
        enact.discard("odd")
    if total > 13:
        enact.accept()
    return total


def test_programs_discard_and_accept(executor: Any) -> None:
    result = enact.search.run(
        picky, (2,), score=float, strategy="best_of(n=40)", executor=of(executor)
    )
    assert result.stopped == "the program accepted an execution"
    assert result.best.output > 13 and result.best.output % 2 == 0
    assert set(result.failures) == {"odd"}


@enact.register(name="executors/state")
def state(invocation: enact.Invocation) -> Any:
    return len(invocation.children)


def test_equal_states_merge(executor: Any) -> None:
    result = enact.search.run(
        programs.number, (3,), score=float, strategy="bfs(width=3)",
        merge_on=state, executor=of(executor),
    )  # fmt: skip
    assert result.tree.merged == result.counts["merged"] > 0


def test_a_finished_search_goes_on_with_more_to_spend(executor: Any) -> None:
    few = enact.search.run(
        programs.number, (3,), score=float, strategy="mcts", budget=Budget(calls=12),
        executor=of(executor),
    )  # fmt: skip
    programs.RAN.clear()
    workers = Inline(2) if executor == "workers" else None
    more = enact.search.extend(few, Budget(calls=20), executor=workers)
    assert len(programs.RAN) == more.spent.calls - few.spent.calls > 0
    assert more.spent.calls <= 32
    assert len(more.tree) > len(few.tree)
