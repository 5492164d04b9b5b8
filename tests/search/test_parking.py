# SPDX-License-Identifier: Apache-2.0
"""Executions that stand at their branch points: what is found is the same."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import enact
from enact.search import Budget, parking
from tests.search import programs_to_search as programs
from tests.search.test_search import PROGRAMS, STRATEGIES, shape


@enact.register(name="parking/astep")
async def astep(place: int, total: int) -> int:
    return total + await programs.adigit(place, total)


@enact.register(name="parking/in_turn")
async def in_turn(length: int) -> int:
    total = 0
    for place in range(length):
        try:
            total = await astep(place, total)
            enact.score(total / (place + 1))
        finally:
            programs.CLOSED.append("async")
    return total


@enact.register(name="parking/freed", deterministic=True)
def freed(place: int) -> int:
    programs.CLOSED.append(f"freed {place}")
    return place


@enact.register(name="parking/frees")
def frees(length: int) -> int:
    total = 0
    for place in range(length):
        try:
            total += programs.digit(place, total)
        finally:
            freed(place)
    return total


@enact.register(name="parking/tells")
def tells(length: int) -> int:
    enact.annotate(usd=0.25)
    total = 0
    for place in range(length):
        total = tells_part(place, total)
        if total > 12:
            enact.accept()
        if total == 9:
            enact.discard("nine")
    return total


@enact.register(name="parking/tells_part")
def tells_part(place: int, total: int) -> int:
    enact.annotate(usd=0.5, input_tokens=3)
    try:
        total += programs.digit(place, total)
        if total % 5 == 0:
            raise ValueError(str(total))
        return total + programs.digit(place + 50, total)
    except ValueError:
        return total


@enact.register(name="parking/Counter")
class Counter(enact.Invokable[int, int]):
    total: int = 0

    def call(self, length: int) -> int:
        for place in range(length):
            try:
                self.total += programs.digit(place, self.total)
            finally:
                self.total += 1
        return self.total


ALL = [*PROGRAMS, in_turn, frees, tells, programs.fickle]


def found(result: enact.search.Result) -> list[Any]:
    """All that a search made, but for times."""
    nodes = [
        (n.parent, n.kind, n.depth, n.score, n.request, n.output, n.at, n.why, n.cid)
        for n in result.tree
    ]
    runs, calls = result.store.backend.runs(), result.store.backend.calls
    rows = [
        (row.parent, row.lane, row.position, row.index, row.invokable, row.request,
         row.invocation, row.status, row.verdict, row.replaces, row.usage)
        for run in sorted(runs, key=lambda run: run.id) if run.name != "enact/search"
        for row in sorted(calls(run=run.id), key=lambda row: row.number)
        if row.index >= 0
    ]  # fmt: skip
    spent = result.spent
    told = [spent.calls, spent.usd, spent.tokens, result.stopped]
    if result.tree.root.branch == "search/digit" and "/threaded" in str(rows):
        return [
            *(node[:-1] for node in nodes),
            *told,
        ]  # which thread is first is chance
    return [*nodes, *told, *rows]


@given(
    program=st.sampled_from(ALL),
    strategy=st.sampled_from(STRATEGIES),
    length=st.integers(1, 5),
    parked=st.sampled_from([1, 3, 16]),
    seed=st.integers(0, 3),
    calls=st.integers(20, 60),
)
@settings(max_examples=40, deadline=None)
def test_what_stands_and_what_is_replayed_find_the_same(
    program: Any, strategy: str, length: int, parked: int, seed: int, calls: int
) -> None:
    if program is programs.fickle and strategy == "smc(particles=4)":
        strategy = "smc(particles=8)"

    def search(parked: int) -> list[Any]:
        try:
            return found(
                enact.search.run(
                    program,
                    (length,),
                    score=float,
                    strategy=strategy,
                    seed=seed,
                    budget=Budget(calls=calls),
                    parked=parked,
                )
            )
        except enact.NothingFound as error:
            return [str(error)]

    assert search(parked) == search(0)


# What a program that is looked at did, in order.
NOTED: list[str] = []
LOCK = threading.Lock()


@enact.register(name="parking/watched")
def watched(length: int) -> int:
    NOTED.append("begun")
    total = 0
    try:
        for place in range(length):
            total += programs.digit(place, total)
            enact.score(total)
    finally:
        NOTED.append("unwound")
    return total


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_what_stands_has_not_unwound_and_goes_on_where_it_is() -> None:
    NOTED.clear()
    result = enact.search.run(watched, (6,), strategy="dfs(width=1)")
    # The first execution, and the one that was extended six times.
    assert NOTED == ["begun", "unwound"] * 2
    assert len(result.tree) == 7
    NOTED.clear()
    enact.search.run(watched, (6,), strategy="dfs(width=1)", parked=0)
    assert NOTED == ["begun", "unwound"] * 8
    assert "enact-search" not in names_of_threads()


def test_what_has_to_make_room_unwinds_and_replays_later() -> None:
    NOTED.clear()
    result = enact.search.run(watched, (3,), strategy="bfs(width=3)", parked=2)
    assert len(result.tree) == 1 + 3 + 9 + 27
    assert NOTED.count("begun") == NOTED.count("unwound") > 27
    # All at the end, if not before: no thread is left.
    assert "enact-search" not in names_of_threads()


@enact.register(name="parking/locked")
def locked(length: int) -> int:
    total = 0
    for place in range(length):
        with LOCK:
            total += programs.digit(place, total)
    return total


def test_what_stands_makes_way_for_who_waits_for_its_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parking, "PATIENCE", 0.05)
    one = enact.search.run(locked, (3,), score=float, strategy="bfs(width=2)")
    other = enact.search.run(
        locked, (3,), score=float, strategy="bfs(width=2)", parked=0
    )
    assert shape(one) == shape(other)


@enact.register(name="parking/hasty")
async def hasty(length: int) -> int:
    total = 0
    for place in range(length):
        async with asyncio.timeout(0.05):
            total += await astep(place, total)
    return total


@enact.register(name="parking/late_score")
def late_score(total: int) -> float:
    time.sleep(0.03)
    return float(total)


def test_a_timeout_ends_what_stands_and_a_replay_gets_there() -> None:
    options: dict[str, Any] = {"score": late_score, "strategy": "mcts(iterations=6)"}
    one = enact.search.run(hasty, (3,), **options)
    other = enact.search.run(hasty, (3,), **options, parked=0)
    assert shape(one) == shape(other)
    assert one.failures == {}


STOP: list[int] = []


@enact.register(name="parking/slow_digit")
def slow_digit(place: int) -> int:
    if STOP and place == 3:
        STOP.clear()
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(500):
            time.sleep(0.01)
    return programs.sample("stop", place)


@enact.register(name="parking/stopped")
def stopped(length: int) -> int:
    return sum(slow_digit(place) for place in range(length))


@pytest.mark.parametrize("parked", [0, 16])
def test_ctrl_c_stops_what_runs_and_the_search_can_go_on(parked: int) -> None:
    options: dict[str, Any] = {
        "score": float, "strategy": "bfs(width=2)", "parked": parked,
    }  # fmt: skip
    STOP.clear()
    whole = enact.search.run(stopped, (5,), **options)
    with enact.InMemoryStore() as store:
        STOP.append(1)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt) as caught:
            enact.search.run(stopped, (5,), **options)
        assert time.monotonic() - began < 4
        assert "enact.search.resume" in "".join(caught.value.__notes__)
        resumed = enact.search.resume(store.runs(name="enact/search")[0])
        assert shape(resumed) == shape(whole)
    assert "enact-search" not in names_of_threads()


def test_several_at_a_time_stand_and_find_the_same() -> None:
    options: dict[str, Any] = {"score": float, "strategy": "beam(width=3, expand=3)"}
    for program in (programs.nested, in_turn):
        many = enact.search.run(program, (4,), executor=4, **options)
        one = enact.search.run(program, (4,), parked=0, **options)
        assert shape(many) == shape(one)


@pytest.mark.parametrize("parked", [-1, True, "all"])
def test_how_many_may_stand_is_a_number(parked: Any) -> None:
    with pytest.raises(enact.SearchError, match="parked"):
        enact.search.run(watched, (2,), parked=parked)
