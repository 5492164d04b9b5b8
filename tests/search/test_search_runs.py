# SPDX-License-Identifier: Apache-2.0
"""A search is a run: it is recorded, resumed, extended, banked, and asks people."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enact
from enact.search import Budget
from tests.search import programs_to_search as programs
from tests.search.test_search import PROGRAMS, STRATEGIES, shape

# The call with this number is cut off.
CUT: list[int] = []
MADE: list[int] = []
DRAWN: list[tuple[int, int, int | None]] = []


def cut_here(limit: int) -> None:
    MADE.append(1)
    if CUT and len(MADE) == CUT[0]:
        raise KeyboardInterrupt


@enact.register(name="search/frail_digit")
def frail_digit(place: int, before: int) -> int:
    cut_here(place)
    DRAWN.append((place, before, enact.current_call().draw))
    return programs.sample("frail", place, before)


@enact.register(name="search/frail_part")
def frail_part(start: int, total: int) -> int:
    return total + frail_digit(start, total) + frail_digit(start + 1, total)


@enact.register(name="search/frail")
def frail(length: int) -> int:
    total = 0
    for place in range(length):
        total = frail_part(10 * place, total)
        enact.score(total)
    # Only some executions show that this one makes calls.
    return frail_late(total) if total % 2 == 0 else total


@enact.register(name="search/frail_late")
def frail_late(total: int) -> int:
    return total + frail_digit(99, total)


@enact.register(name="search/frail_score")
def frail_score(total: int) -> float:
    cut_here(total)
    return float(total)


def search_frail(strategy: str, **options: Any) -> enact.search.Result:
    return enact.search.run(
        frail, (2,), score=frail_score, strategy=strategy, budget=Budget(calls=25),
        **options,
    )  # fmt: skip


@given(strategy=st.sampled_from(STRATEGIES), at=st.integers(1, 60))
@settings(max_examples=25)
def test_a_search_that_was_cut_off_goes_on_as_if_it_was_not(
    strategy: str, at: int
) -> None:
    CUT.clear()
    MADE.clear()
    with enact.InMemoryStore() as store:
        whole = search_frail(strategy)
        calls = len(MADE)
        MADE.clear()
        CUT[:] = [at]
        try:
            search_frail(strategy)
        except KeyboardInterrupt:
            run = store.runs(name="enact/search")[0]
            assert run.status == "interrupted"
            before = len(MADE)
            CUT.clear()
            MADE.clear()
            resumed = enact.search.resume(run)
            # The call that was cut off ran again, and no other.
            assert len(MADE) == calls - before + 1
            assert shape(resumed) == shape(whole)
            assert resumed.spent.calls == whole.spent.calls
            assert resumed.stopped == whole.stopped
        finally:
            CUT.clear()


@given(strategy=st.sampled_from(STRATEGIES), at=st.integers(1, 60))
@settings(max_examples=25)
def test_what_several_threads_did_is_kept_when_they_are_cut_off(
    strategy: str, at: int
) -> None:
    CUT[:] = [at]
    MADE.clear()
    DRAWN.clear()
    with enact.InMemoryStore() as store:
        try:
            search_frail(strategy, executor=3)
        except KeyboardInterrupt:
            CUT.clear()
            resumed = enact.search.resume(store.runs(name="enact/search")[0])
            # Neither what was spent nor any number of a draw is used again.
            assert resumed.spent.calls == len(DRAWN) <= 25
            assert len(DRAWN) == len(set(DRAWN))
        finally:
            CUT.clear()


SCORED: list[int] = []


@enact.register(name="search/cut_score")
def cut_score(total: int) -> float:
    cut_here(total)
    SCORED.append(total)
    return float(total)


@enact.register(name="search/uneven")
def uneven() -> int:
    draw = enact.current_call().draw or 0
    time.sleep(0.004 if draw % 3 == 0 else 0.0)  # later ones are done first
    return draw % 9 // 3


@enact.register(name="search/uneven_once")
def uneven_once() -> int:
    return uneven()


@pytest.mark.parametrize("at", range(1, 8))
def test_scores_of_several_threads_are_found_again(at: int) -> None:
    def search() -> enact.search.Result:
        return enact.search.run(
            uneven_once, score=cut_score, strategy="best_of(n=18)", executor=3
        )

    CUT[:] = [at]
    MADE.clear()
    SCORED.clear()
    with enact.InMemoryStore() as store:
        try:
            search()
        except KeyboardInterrupt:
            CUT.clear()
            enact.search.resume(store.runs(name="enact/search")[0])
        finally:
            CUT.clear()
    assert sorted(SCORED) == [0, 1, 2]


def test_ctrl_c_says_how_to_go_on() -> None:
    MADE.clear()
    CUT[:] = [9]
    with enact.InMemoryStore() as store:
        with pytest.raises(KeyboardInterrupt) as caught:
            search_frail("beam")
        CUT.clear()
        id = store.runs(name="enact/search")[0].id
        assert f"enact.search.resume({id!r})" in "".join(caught.value.__notes__)
        assert enact.search.resume(id).best is not None


@pytest.mark.parametrize("strategy", ["best_of", "mcts", "reexpand", "smc", "beam"])
def test_a_search_goes_on_with_more_to_spend(strategy: str) -> None:
    few = enact.search.run(
        programs.number, (3,), score=float, strategy=strategy, budget=Budget(calls=12)
    )
    programs.RAN.clear()
    more = enact.search.extend(few, Budget(calls=30))
    assert len(programs.RAN) == more.spent.calls - few.spent.calls > 0
    assert more.spent.calls <= 42
    assert shape(more)[: len(few.tree)] == shape(few)
    assert more.best.score >= few.best.score


def test_a_recorded_search_can_be_looked_at_again(tmp_path: Path) -> None:
    with enact.open_store(tmp_path / "runs.db"):
        first = enact.search.run(
            programs.number, (3,), score=float, strategy="mcts", budget=Budget(calls=30)
        )
    programs.RAN.clear()
    with enact.open_store(tmp_path / "runs.db") as store:
        run = store.runs(name="enact/search")[0]
        again = enact.search.load(run)
        assert shape(again) == shape(first)
        assert again.best.output == first.best.output
        assert again.spent.calls == first.spent.calls
        assert str(again).splitlines()[:2] == str(first).splitlines()[:2]
        more = enact.search.extend(run, Budget(calls=10))
        assert more.spent.calls > first.spent.calls
    assert len(programs.RAN) == more.spent.calls - first.spent.calls


@enact.register(name="search/luck")
def luck(sides: int) -> int:
    return random.randint(1, sides)


@enact.register(name="search/lucky")
def lucky() -> list[int]:
    return [luck(1000) for _ in range(3)]


def test_strategies_with_one_bank_have_the_same_luck() -> None:
    with enact.InMemoryStore() as store:
        options: dict[str, Any] = {"score": sum, "bank": store}
        first = enact.search.run(lucky, strategy="best_of(n=5)", **options)
        second = enact.search.run(lucky, strategy="best_of(n=5)", **options)
        assert (first.spent.calls, second.spent.calls) == (15, 0)
        assert shape(second) == shape(first)
        longer = enact.search.run(lucky, strategy="best_of(n=7)", **options)
        assert longer.spent.calls == 6
        assert shape(longer)[:6] == shape(first)
        # What was drawn new is in the bank now.
        assert (
            enact.search.run(lucky, strategy="best_of(n=7)", **options).spent.calls == 0
        )
        other = enact.search.run(lucky, strategy="dfs(width=2)", **options)
        assert other.spent.calls == 0
    with enact.InMemoryStore():
        elsewhere = enact.search.run(lucky, strategy="best_of(n=5)", **options)
        assert elsewhere.spent.calls == 0
        assert elsewhere.best.output == first.best.output


@pytest.mark.parametrize("strategy", ["best_of", "dfs(width=6)", "mcts", "smc"])
def test_a_budget_of_draws_counts_what_the_bank_has(strategy: str) -> None:
    def searched(budget: Budget, bank: Any = None) -> enact.search.Result:
        return enact.search.run(
            programs.number, (3,), score=float, strategy=strategy, budget=budget,
            bank=bank,
        )  # fmt: skip

    bank = enact.InMemoryStore()
    alone = searched(Budget(calls=20))
    first = searched(Budget(draws=20), bank)
    again = searched(Budget(draws=20), bank)
    assert shape(alone) == shape(first) == shape(again)
    assert alone.spent.draws == first.spent.draws == again.spent.draws <= 20
    assert (alone.spent.calls, again.spent.calls) == (alone.spent.draws, 0)
    # Where only calls are counted, what is in the bank is free.
    assert searched(Budget(calls=20), bank).spent.draws > 20


def test_without_an_active_store_the_bank_keeps_what_is_drawn() -> None:
    bank = enact.InMemoryStore()
    options: dict[str, Any] = {"score": sum, "bank": bank, "strategy": "best_of(n=3)"}
    first = enact.search.run(lucky, **options)
    second = enact.search.run(lucky, **options)
    assert (first.spent.calls, second.spent.calls) == (9, 0)


@enact.register(name="search/ask_person")
def ask_person(total: int) -> float:
    return float(enact.request_input(int, for_value=total, context="how good?"))


def test_a_person_may_be_the_judge() -> None:
    with enact.InMemoryStore() as store:
        result = enact.search.run(
            programs.number, (2,), score=ask_person, strategy="best_of(n=6)"
        )
        assert result.best is None and result.stopped == "waits for an answer"
        outputs = {result.tree.output(n) for n in result.tree if n.kind == "waiting"}
        for _ in range(3):
            questions = store.pending()
            # Each output is asked about once, whatever the number of executions.
            assert sorted(q.for_value for q in questions) == sorted(outputs)
            for question in questions:
                question.answer(-question.for_value)
            programs.RAN.clear()
            result = enact.search.resume(result.run)
            if result.best is not None:
                break
        assert not programs.RAN
        assert result.best.output == min(outputs)
        assert store.pending() == []


@enact.register(name="search/curious")
def curious(length: int) -> str:
    name = enact.request_input(str, context="whose?")
    return f"{name} {programs.number(length)}"


def test_a_question_of_the_program_is_asked_once_for_all_branches() -> None:
    with enact.InMemoryStore() as store:
        result = enact.search.run(curious, (2,), score=len, strategy="best_of(n=4)")
        assert result.best is None
        (question,) = store.pending()
        question.answer("Ada's")
        result = enact.search.resume(result.run)
        assert result.counts["complete"] == 4
        assert result.best.output.startswith("Ada's")
        assert store.pending() == []


@enact.register(name="search/outer")
def outer(times: int) -> int:
    start = programs.digit(900, 0)
    inner = enact.search.run(
        programs.number, (2,), score=float, strategy="best_of",
        budget=Budget(calls=6),
    )  # fmt: skip
    return start + int(inner.best.output)


def test_a_search_within_a_search_draws_from_the_same_budget() -> None:
    programs.RAN.clear()
    result = enact.search.run(
        outer, (1,), score=float, strategy="best_of(n=4)", budget=Budget(calls=18)
    )
    assert result.spent.calls == len(programs.RAN) <= 18
    assert result.best.invocation.status == "completed"


def test_a_search_is_a_program_that_can_be_replayed() -> None:
    with enact.InMemoryStore():
        inv = enact.invoke(outer, (1,))
        programs.RAN.clear()
        assert inv.rewind(0).replay().output == inv.output
        assert not programs.RAN


def test_async_programs_run_on_the_loop_that_is_there() -> None:
    async def main() -> enact.search.Result:
        return await enact.search.run_async(
            programs.concurrent, (2,), score=float, strategy="best_of(n=8)", executor=4
        )

    with enact.InMemoryStore():
        result = asyncio.run(main())
    assert result.counts["complete"] == 8


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_several_at_a_time_find_what_one_finds(program: Any) -> None:
    options: dict[str, Any] = {"score": float, "strategy": "bfs(width=2)"}
    many = enact.search.run(program, (2,), executor=4, **options)
    one = enact.search.run(program, (2,), **options)
    assert shape(many) == shape(one)


def test_spending_is_what_calls_tell() -> None:
    result = enact.search.run(
        costly, strategy="best_of", budget=Budget(usd=1.0), score=float
    )
    assert 0.7 <= result.spent.usd <= 1.0
    assert result.spent.tokens == 12 * result.spent.calls
    assert result.stopped == "budget of 1.0 usd"


@enact.register(name="search/costly_call")
def costly_call(n: int) -> int:
    enact.annotate(usd=0.125, input_tokens=10, output_tokens=2)
    return programs.sample("costly", n)


@enact.register(name="search/costly")
def costly() -> int:
    return costly_call(1) + costly_call(2)


@enact.register(name="search/Guess")
@dataclasses.dataclass
class Guess(enact.Invokable[None, int]):
    offset: int = 0

    def call(self) -> int:
        return 10 * self.offset + programs.digit(self.offset, 77)


@enact.register(name="search/nudge")
def nudge(parent: Guess) -> Guess:
    return Guess(parent.offset + programs.digit(parent.offset, 88) - 4)


@enact.register(name="search/mix", deterministic=True)
def mix(one: Guess, other: Guess) -> Guess:
    return Guess(max(one.offset, other.offset))


@pytest.mark.parametrize("executor", [None, 3])
def test_evolution_changes_the_fields_of_a_program(executor: int | None) -> None:
    def search() -> enact.search.Result:
        return enact.search.run(
            Guess(), score=float, budget=Budget(calls=120), executor=executor,
            strategy=enact.search.Evolve(mutate=nudge, crossover=mix, population=4),
        )  # fmt: skip

    programs.RAN.clear()
    result = search()
    assert len(programs.RAN) == result.spent.calls <= 120
    assert result.best.output > 100
    assert result.best.invocation.request().invokable().offset > 9
    if executor is None:
        assert shape(search()) == shape(result)


@pytest.mark.parametrize("strategy", ["best_of(n=6)", "bfs(width=2)"])
def test_a_person_may_judge_what_several_threads_find(strategy: str) -> None:
    with enact.InMemoryStore() as store:
        result = enact.search.run(
            programs.number, (2,), score=ask_person, strategy=strategy, executor=3
        )
        assert result.best is None
        for _ in range(4):
            for question in store.pending():
                question.answer(-question.for_value)
            result = enact.search.resume(result.run)
            if result.best is not None and not store.pending():
                break
        complete = [n for n in result.tree if n.kind == "complete"]
        assert "waiting" not in result.counts
        outputs = [result.tree.output(n) for n in complete]
        assert result.best.output == min(outputs)


def test_an_interrupt_in_a_thread_keeps_the_search() -> None:
    MADE.clear()
    CUT[:] = [12]
    with enact.InMemoryStore() as store:
        whole = None
        with pytest.raises(KeyboardInterrupt):
            search_frail("bfs(width=2)", executor=3)
        CUT.clear()
        run = store.runs(name="enact/search")[0]
        resumed = enact.search.resume(run)
        whole = search_frail("bfs(width=2)", executor=3)
        assert shape(resumed) == shape(whole)


@enact.register(name="search/exits")
def exits() -> int:
    got = programs.digit(40, 0)
    if got == 5:
        raise SystemExit(3)
    return got


def test_a_program_that_ends_its_thread_ends_the_search() -> None:
    with enact.InMemoryStore() as store:
        with pytest.raises(SystemExit):
            enact.search.run(exits, score=float, strategy="best_of(n=80)", executor=2)
        assert store.runs(name="enact/search")[0].status == "interrupted"


def test_only_a_run_of_a_search_is_resumed_loaded_or_extended() -> None:
    with enact.InMemoryStore() as store:
        MADE.clear()
        CUT[:] = [3]
        with pytest.raises(KeyboardInterrupt):
            search_frail("beam")
        CUT.clear()
        (run,) = store.runs(name="enact/search")
        with pytest.raises(enact.SearchError, match=rf"search {run.id}.*resume\('"):
            enact.search.extend(run, Budget(calls=3))
        with pytest.raises(enact.SearchError, match=rf"search {run.id}.*resume\('"):
            enact.search.load(run)
        enact.invoke(programs.number, (1,))
        (other,) = store.runs(name=programs.number)
        for use in (enact.search.load, enact.search.resume):
            with pytest.raises(enact.SearchError, match="not a search"):
                use(other.id)
        for go_on in (enact.experiments.load, enact.experiments.resume):
            with pytest.raises(enact.SearchError, match="not an experiment"):
                go_on(other)
