# SPDX-License-Identifier: Apache-2.0
"""Scores: what they spend counts, and what they ask is asked once."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enact
from enact.search import Budget
from tests.search import programs_to_search as programs
from tests.search.test_search_runs import CUT, MADE, ask_person, cut_here

SCORED: list[int] = []


@enact.register(name="search/grade")
def grade(total: int, part: int) -> int:
    cut_here(total)
    enact.annotate(usd=0.25, output_tokens=3)
    return total * part


@enact.register(name="search/paid_score")
def paid_score(total: int) -> float:
    SCORED.append(total)
    enact.annotate(usd=0.125)
    return float(grade(total, 1) + grade(total, 2))


@enact.register(name="search/paid_digit")
def paid_digit(place: int) -> int:
    enact.annotate(usd=0.0625, input_tokens=1)
    return programs.sample("paid", place)


@enact.register(name="search/paid")
def paid(length: int) -> int:
    return sum(paid_digit(place) for place in range(length)) // 4


def search_paid(executor: int | None = None, **budget: Any) -> enact.search.Result:
    return enact.search.run(
        paid, (2,), score=paid_score, strategy="best_of(n=8)", executor=executor,
        budget=Budget(**budget),
    )  # fmt: skip


@pytest.mark.parametrize("executor", [None, 3])
def test_what_scores_spend_counts(executor: int | None) -> None:
    CUT.clear()
    SCORED.clear()
    with enact.InMemoryStore() as store:
        result = search_paid(executor)
        outputs = set(SCORED)
        spent = result.spent
        # Equal outputs are scored once, also that of the first execution, whose
        # samples are drawn again; each score makes two calls.
        assert len(SCORED) == len(outputs) > 2
        assert (spent.calls, spent.score_calls) == (16, 2 * len(outputs))
        assert spent.usd == 16 * 0.0625 + len(outputs) * 0.625
        assert spent.tokens == 16 + 6 * len(outputs)
        assert f"{2 * len(outputs)} score calls" in str(spent)
        run = store.runs(name="enact/search")[0]
        again = enact.search.load(run).spent
        assert dataclasses.replace(again, seconds=0) == dataclasses.replace(
            spent, seconds=0
        )


@pytest.mark.parametrize("at", [1, 2, 3, 6])
def test_what_scores_spent_before_they_were_cut_off_counts(at: int) -> None:
    MADE.clear()
    CUT.clear()
    whole = search_paid().spent
    with enact.InMemoryStore() as store:
        MADE.clear()
        CUT[:] = [at]
        with pytest.raises(KeyboardInterrupt):
            search_paid()
        CUT.clear()
        resumed = enact.search.resume(store.runs(name="enact/search")[0]).spent
    assert (resumed.usd, resumed.tokens) == (whole.usd, whole.tokens)
    assert (resumed.calls, resumed.score_calls) == (whole.calls, whole.score_calls)


@given(
    eighths=st.integers(1, 60),
    tokens=st.integers(1, 60),
    executor=st.sampled_from([None, 3]),
    strategy=st.sampled_from(["best_of", "mcts", "beam", "dfs(width=3)"]),
)
@settings(max_examples=40)
def test_budgets_are_exceeded_at_most_by_what_is_in_flight(
    eighths: int, tokens: int, executor: int | None, strategy: str
) -> None:
    CUT.clear()
    budget = Budget(usd=eighths / 8, tokens=tokens)
    try:
        result = enact.search.run(
            paid, (2,), score=paid_score, strategy=strategy, budget=budget,
            executor=executor,
        )  # fmt: skip
    except enact.NothingFound:
        return
    # An execution that has come to its end is scored, whatever that takes: so a call
    # and a score may be in flight for each that runs.
    width = executor or 1
    assert result.spent.usd <= eighths / 8 + width * (0.0625 + 0.625)
    assert result.spent.tokens <= tokens + width * 7


ASKED: list[int] = []


@enact.register(name="search/looked_at", deterministic=True)
def looked_at(total: int) -> int:
    ASKED.append(total)
    time.sleep(0.002)
    return total


@enact.register(name="search/ask_after_a_look")
def ask_after_a_look(total: int) -> float:
    return ask_person(looked_at(total))


@pytest.mark.parametrize("strategy", ["best_of(n=24)", "bfs(width=4)"])
def test_several_threads_ask_one_question_once(strategy: str) -> None:
    ASKED.clear()
    with enact.InMemoryStore() as store:
        result = enact.search.run(
            programs.number, (2,), score=ask_after_a_look, strategy=strategy,
            executor=8,
        )  # fmt: skip
        while result.best is None or store.pending():
            values = [question.for_value for question in store.pending()]
            assert len(values) == len(set(values)) == len(set(ASKED))
            for question in store.pending():
                question.answer(question.for_value)
            result = enact.search.resume(result.run)
        assert len(ASKED) == len(set(ASKED))  # also after it was resumed
        assert "waiting" not in result.counts


@enact.register(name="search/asking_later")
def asking_later() -> int:
    got = programs.digit(7, 7)
    return got + int(enact.request_input(int, for_value=got % 2, context="more?"))


@pytest.mark.parametrize("executor", [None, 8])
def test_branches_that_ask_the_same_ask_once(executor: int | None) -> None:
    with enact.InMemoryStore() as store:
        result = enact.search.run(
            asking_later, score=float, strategy="best_of(n=16)", executor=executor
        )
        while result.best is None or store.pending():
            values = [question.for_value for question in store.pending()]
            assert len(values) == len(set(values)) <= 2
            for question in store.pending():
                question.answer(1)
            result = enact.search.resume(result.run)
        assert result.counts["complete"] == 16
