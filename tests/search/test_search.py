# SPDX-License-Identifier: Apache-2.0
"""Search: programs are searched as they are, within budget, the same way each time."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enact
from enact.search import Budget
from tests.search import programs_to_search as programs

STRATEGIES = [
    "best_of(n=6)",
    "majority(n=5)",
    "dfs(width=2)",
    "bfs(width=2)",
    "best_first(expand=2)",
    "reexpand",
    "beam(width=2, expand=2)",
    "mcts",
    "mcts(iterations=4, rollout=False)",
    "puct(iterations=6)",
    "ab_mcts",
    "ab_mcts(iterations=5, rollout=False)",
    "sequential_halving(candidates=3, rollouts=6)",
    "smc(particles=4)",
]
PROGRAMS = [
    programs.number,
    programs.nested,
    programs.careful,
    programs.concurrent,
    programs.threaded,
]


def shape(result: enact.search.Result) -> list[Any]:
    """What a tree is, without times."""
    return [
        (node.parent, node.kind, node.depth, node.score, node.request, node.output)
        for node in result.tree
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_every_strategy_searches_every_program(program: Any, strategy: str) -> None:
    result = enact.search.run(
        program, (2,), score=float, strategy=strategy, budget=Budget(calls=60)
    )
    assert result.spent.calls <= 60
    best = result.best
    assert best.score is not None
    assert best.invocation.status == "completed"
    # What was found is an execution like any other: its record says the same.
    with result.store:
        if program is programs.concurrent:
            again = asyncio.run(best.invocation.replay_async(live="forbid"))
        else:
            again = best.invocation.replay(live="forbid")
    assert again.output == best.output
    complete = [result.tree.output(n) for n in result.tree if n.kind == "complete"]
    if not strategy.startswith("majority"):
        assert best.score == best.output == max(complete)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_a_search_is_the_same_each_time(program: Any, strategy: str) -> None:
    def search() -> list[Any]:
        return shape(
            enact.search.run(
                program, (2,), score=float, strategy=strategy, budget=Budget(calls=30)
            )
        )

    assert search() == search()


def test_equal_draws_are_equal_whatever_other_threads_did() -> None:
    came = itertools.count()

    @enact.register(name="search/late")
    def late(length: int) -> int:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(programs.part, [0] * length, 0)
            other = pool.submit(programs.part, [50] * length, 0)
            if next(came) % 2:
                other.cancel()
            return first.result() + other.result()

    result = enact.search.run(
        late,
        (3,),
        score=float,
        strategy="sequential_halving(candidates=9)",
        budget=Budget(calls=100),
    )
    tree = result.tree
    by_digit: dict[int, set[bytes]] = {}
    for node in tree.children(tree.root):
        (digit,) = [
            call.output for call in tree.invocation(node).find(programs.digit)[:1]
        ]
        by_digit.setdefault(digit, set()).add(tree.drawn(node))
    assert len(by_digit) < len(tree.root.children)
    assert all(len(digests) == 1 for digests in by_digit.values())
    assert len(set().union(*by_digit.values())) == len(by_digit)


@given(
    strategy=st.sampled_from(STRATEGIES),
    program=st.sampled_from(PROGRAMS),
    length=st.integers(1, 4),
    calls=st.integers(1, 40),
    executor=st.sampled_from([None, 3]),
)
@settings(max_examples=60)
def test_a_budget_of_calls_is_never_exceeded(
    strategy: str, program: Any, length: int, calls: int, executor: int | None
) -> None:
    programs.RAN.clear()
    result = None
    try:
        result = enact.search.run(
            program, (length,), score=float, strategy=strategy,
            budget=Budget(calls=calls), executor=executor,
        )  # fmt: skip
    except enact.NothingFound:
        # One execution takes so many calls.
        factor = {"nested": 1, "concurrent": 2, "threaded": 2}.get(program.__name__, 1)
        assert calls < (length + length % 2 if factor == 1 else 2 * length)
    assert len(programs.RAN) <= calls
    if result is not None:
        assert result.spent.calls == len(programs.RAN)


@given(
    strategy=st.sampled_from(STRATEGIES),
    program=st.sampled_from(PROGRAMS),
    length=st.integers(1, 4),
    draws=st.integers(1, 30),
    executor=st.sampled_from([None, 3]),
)
@settings(max_examples=40)
def test_a_budget_of_draws_is_never_exceeded(
    strategy: str, program: Any, length: int, draws: int, executor: int | None
) -> None:
    bank = enact.InMemoryStore()
    for _ in range(2):  # the second time all is in the bank
        programs.RAN.clear()
        try:
            result = enact.search.run(
                program, (length,), score=float, strategy=strategy,
                budget=Budget(draws=draws), executor=executor, bank=bank,
            )  # fmt: skip
        except enact.NothingFound:
            pass
        else:
            assert len(programs.RAN) <= result.spent.draws <= draws
        assert len(programs.RAN) <= draws


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_enough_for_one_execution_gives_one(strategy: str) -> None:
    result = enact.search.run(
        programs.number, (7,), score=float, strategy=strategy, budget=Budget(calls=7)
    )
    assert result.best.invocation.status == "completed"


def test_enough_is_kept_to_see_the_best_partial_execution_to_its_end() -> None:
    result = enact.search.run(
        programs.number, (8,), score=float, strategy="beam(width=3, expand=3)",
        budget=Budget(calls=40),
    )  # fmt: skip
    assert result.stopped == "budget of 40 calls"
    finished = [node for node in result.tree if node.kind == "complete"]
    assert finished and all(node.rollout and node.parent for node in finished)


@pytest.mark.parametrize("strategy", ["beam(width=3, expand=3)", "dfs", "bfs"])
def test_the_order_of_completion_has_no_part_in_it(strategy: str) -> None:
    def search(executor: int | None) -> list[Any]:
        return shape(
            enact.search.run(
                programs.slow_number, (3,), score=float, strategy=strategy,
                executor=executor,
            )
        )  # fmt: skip

    one, again = search(4), search(4)
    assert one == again
    if strategy.startswith("beam"):  # asks for the same whatever was told meanwhile
        assert one == search(None)


def test_parked_programs_run_their_finally_blocks() -> None:
    programs.CLOSED.clear()
    enact.search.run(programs.careful, (2,), score=float, strategy="beam")
    assert programs.CLOSED.count("with") == programs.CLOSED.count("finally") > 10


def test_failures_are_counted_and_the_search_goes_on() -> None:
    result = enact.search.run(
        programs.fickle, (2,), score=float, strategy="best_of(n=30)"
    )
    counts = result.counts
    assert counts["failed"] > 3 and counts["discarded"] > 1 and counts["complete"] > 3
    assert result.failures["too good"] == counts["discarded"]
    assert "too good" in str(result) and "ValueError" in str(result)


@enact.register(name="search/hopeless")
def hopeless() -> int:
    programs.digit(0, 0)
    raise RuntimeError("the model is down")


def test_if_all_fail_the_first_failure_is_told() -> None:
    with pytest.raises(enact.NothingFound, match="the model is down"):
        enact.search.run(hopeless, score=float, strategy="best_of(n=3)")


@enact.register(name="search/satisfied")
def satisfied() -> int:
    got = programs.digit(3, 1)
    if got > 5:
        enact.accept()
    return got


def test_a_program_may_end_the_search() -> None:
    result = enact.search.run(satisfied, score=lambda n: -n, strategy="best_of(n=100)")
    assert result.stopped == "the program accepted an execution"
    assert result.best.output > 5 and len(result.tree) < 30


def test_the_first_score_that_is_good_enough_ends_best_of() -> None:
    result = enact.search.run(
        programs.number, (2,), score=float, strategy="best_of(n=500, until=16)"
    )
    assert result.best.score >= 16 and len(result.tree) < 500


def test_branches_only_where_it_is_told_to() -> None:
    result = enact.search.run(
        programs.nested, (4,), score=float, strategy="dfs(width=2)",
        branch_on=[programs.part],
    )  # fmt: skip
    assert {node.branch for node in result.tree if node.is_open} == {"search/part"}
    # Two parts with two samples each, and what is in them is counted.
    assert len(result.tree) == 1 + 2 + 4
    assert result.spent.calls == 12


def test_the_state_of_executions_merges_them() -> None:
    def state(inv: enact.Invocation) -> int:
        return sum(child.output for child in inv.children if child.output is not None)

    options: dict[str, Any] = {"score": float, "strategy": "bfs(width=3)"}
    apart = enact.search.run(programs.number, (4,), **options)
    merged = enact.search.run(programs.number, (4,), merge_on=state, **options)
    assert merged.tree.merged > 0
    assert len(merged.tree) < len(apart.tree)


def test_scores_may_be_async_and_may_look_at_the_execution() -> None:
    async def judge(n: int) -> float:
        return -n

    def calls(inv: enact.Invocation) -> float:
        return -sum(1 for _ in inv.walk())

    low = enact.search.run(programs.number, (2,), score=judge, strategy="best_of(n=5)")
    outputs = [low.tree.output(n) for n in low.tree if n.kind == "complete"]
    assert low.best.output == min(outputs)
    few = enact.search.run(programs.number, (2,), score=calls, strategy="best_of(n=2)")
    assert few.best.score == -3


JUDGED: list[int] = []


def test_equal_outputs_are_scored_once() -> None:
    def judge(n: int) -> float:
        JUDGED.append(n)
        return n

    JUDGED.clear()
    enact.search.run(programs.number, (1,), score=judge, strategy="best_of(n=40)")
    assert len(JUDGED) == len(set(JUDGED)) <= 10


def test_the_commonest_output_wins() -> None:
    result = enact.search.run(programs.number, (1,), strategy="majority(n=60)")
    outputs = [result.tree.output(n) for n in result.tree if n.kind == "complete"]
    counts = {n: outputs.count(n) for n in outputs}
    assert counts[result.best.output] == max(counts.values())


# --- bad input ------------------------------------------------------------------------


def test_an_unknown_strategy_names_those_that_there_are() -> None:
    with pytest.raises(enact.UnknownStrategy, match=r"'bean'.*beam, best_first"):
        enact.search.run(programs.number, (1,), strategy="bean(width=3)")
    with pytest.raises(enact.UnknownStrategy, match=r"no option 'wide'.*width, expand"):
        enact.search.run(programs.number, (1,), strategy="beam(wide=3)")
    with pytest.raises(enact.UnknownStrategy, match="names no strategy"):
        enact.search.run(programs.number, (1,), strategy="beam(width=")


@pytest.mark.parametrize("name", ["calls", "seconds", "usd", "tokens"])
@pytest.mark.parametrize("limit", [0, -1, float("nan"), "many"])
def test_a_budget_of_nothing_is_refused(name: str, limit: Any) -> None:
    with pytest.raises(enact.SearchError, match=f"{name}="):
        Budget(**{name: limit})


def test_parameters_that_make_no_sense_are_refused() -> None:
    with pytest.raises(enact.SearchError, match="width=0"):
        enact.search.run(programs.number, (1,), strategy="beam(width=0)")
    with pytest.raises(enact.SearchError, match="executor=0"):
        enact.search.run(programs.number, (1,), executor=0, strategy="beam")
    with pytest.raises(enact.SearchError, match="no budget is given"):
        enact.search.run(programs.number, (1,), strategy="best_of")


@enact.register(name="search/certain", deterministic=True)
def certain() -> int:
    return 1


def test_a_program_without_a_branch_point_says_so() -> None:
    with pytest.raises(enact.NoBranchPoint, match="declared deterministic"):
        enact.search.run(certain, score=float, strategy="beam")
    with pytest.raises(enact.NoBranchPoint, match="never called search/part"):
        enact.search.run(
            programs.number, (1,), score=float, branch_on=[programs.part],
            strategy="beam",
        )  # fmt: skip


@enact.register(name="search/late")
def late(total: int) -> int:
    return programs.digit(60, total) + programs.digit(61, total)


@enact.register(name="search/surprising")
def surprising() -> int:
    first = programs.digit(0, 0)
    return first if first % 2 else first + late(first)


@pytest.mark.parametrize("strategy", ["dfs(width=6)", "bfs(width=6)", "mcts"])
def test_what_is_seen_late_to_make_calls_branches_inside(strategy: str) -> None:
    result = enact.search.run(
        surprising, score=float, strategy=strategy, budget=Budget(calls=80)
    )
    outputs = {result.tree.output(n) for n in result.tree if n.kind == "complete"}
    assert len(outputs) > 8
    long = [n for n in result.tree if n.kind == "complete" and n.depth >= 3]
    assert len({n.output for n in long}) > 5


class Connection:
    """Nothing that can be stored."""


@enact.register(name="search/connect")
def connect(place: int) -> Connection:
    return Connection()


@enact.register(name="search/connected")
def connected() -> int:
    connect(0)
    return programs.digit(0, 0)


@pytest.mark.filterwarnings("ignore::enact.UnstorableWarning")
def test_samples_that_cannot_be_stored_are_an_error() -> None:
    with pytest.raises(enact.SearchError, match="call 0 of 'search/connect'"):
        enact.search.run(connected, score=float, strategy="beam")


@enact.register(name="search/remembered", memoize=True)
def remembered(place: int) -> int:
    return place


@enact.register(name="search/remembering")
def remembering() -> int:
    return remembered(1) + programs.digit(0, 0) + remembered(2)


def test_what_is_memoized_is_no_branch_point() -> None:
    result = enact.search.run(remembering, score=float, strategy="dfs(width=3)")
    assert {n.branch for n in result.tree if n.is_open} == {"search/digit"}


def test_a_program_that_is_not_registered_is_refused() -> None:
    with pytest.raises(enact.NotReplayable, match="register"):
        enact.search.run(lambda: 1, strategy="best_of(n=2)")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "good", None, [1]])
def test_a_score_that_is_no_number_is_an_error(value: Any) -> None:
    with pytest.raises(enact.InvalidScore, match="finite number"):
        enact.search.run(
            programs.number, (1,), score=lambda _: value, strategy="best_of(n=2)"
        )


def test_a_score_that_raises_is_an_error_that_shows_it() -> None:
    def judge(n: int) -> float:
        raise KeyError("rubric")

    with pytest.raises(enact.InvalidScore, match=r"KeyError: 'rubric'.*resume"):
        enact.search.run(programs.number, (1,), score=judge, strategy="best_of(n=2)")


def test_a_strategy_that_asks_for_a_closed_node_is_told_so() -> None:
    with pytest.raises(enact.SearchError, match="not open"):
        enact.search.run(programs.number, (1,), score=float, strategy=Confused())


@enact.register(name="search/Confused")
@dataclasses.dataclass
class Confused(enact.search.Strategy):
    def ask(self, tree: enact.search.Tree, n: int) -> list[enact.search.Extend]:
        return [enact.search.Extend(len(tree) - 1, to_end=True)]


@enact.register(name="search/dice")
def dice() -> int:
    return enact.random().randint(1, 20)


@enact.register(name="search/three_dice")
def three_dice() -> int:
    enact.sleep(0.0)
    return sum(dice() for _ in range(3))


def test_programs_branch_where_they_draw_random_numbers() -> None:
    result = enact.search.run(
        three_dice, score=float, strategy="beam(width=3, expand=4)", seed=1
    )
    assert result.best.score == result.best.output
    assert result.spent.calls == 4 + 12 + 12


def test_pythons_own_functions_are_scores_that_other_processes_know(
    tmp_path: Path,
) -> None:
    code = (
        "import enact, tests.search.programs_to_search\n"
        "with enact.open_store({path!r}) as store:\n"
        "    for run in store.runs(name='enact/search'):\n"
        "        print(enact.search.load(run).best.score)\n"
    ).format(path=str(tmp_path / "runs.db"))
    with enact.open_store(tmp_path / "runs.db"):
        for fn in (abs, float):
            enact.search.run(programs.number, (1,), score=fn, strategy="best_of(n=3)")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    one, other = done.stdout.split()
    assert one == other


@pytest.mark.parametrize("fn", [math.sqrt, "abc".count, Decimal, math.fsum])
def test_scores_that_a_record_could_not_name_are_refused_early(fn: Any) -> None:
    programs.RAN.clear()
    with pytest.raises(enact.SearchError, match=r"register a function that calls it"):
        enact.search.run(programs.number, (1,), score=fn, strategy="best_of(n=3)")
    assert not programs.RAN
