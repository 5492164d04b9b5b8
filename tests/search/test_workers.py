# SPDX-License-Identifier: Apache-2.0
"""Searches whose executions run in worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import enact
from enact.search import Budget
from enact.search.workers import width_of
from tests.search import placed
from tests.search import programs_to_search as programs
from tests.search.test_search import shape


class Inline(Executor):
    """An executor as others have them: what it gets goes a way as bytes."""

    def __init__(self, width: int = 1) -> None:
        self._max_workers = width
        self.orders = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        import pickle

        self.orders += 1
        future: Future[Any] = Future()
        fn, args = pickle.loads(pickle.dumps((fn, args)))
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(pickle.loads(pickle.dumps(result)))
        return future


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield pool


STRATEGIES = ["best_of(n=6)", "bfs(width=2)", "beam(width=2, expand=2)", "mcts", "smc"]
PROGRAMS = [
    programs.number, programs.nested, programs.careful,
    programs.concurrent,
]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_workers_find_what_is_found_without(program: Any, strategy: str) -> None:
    def search(executor: Any) -> enact.search.Result:
        return enact.search.run(
            program, (2,), score=float, strategy=strategy, executor=executor,
            budget=Budget(calls=40),
        )  # fmt: skip

    executor = Inline()
    there = search(executor)
    assert executor.orders > 5
    here = search(1)
    assert shape(there) == shape(here)
    assert there.spent.calls == here.spent.calls <= 40
    assert there.spent.draws == here.spent.draws
    assert there.stopped == here.stopped
    with there.store:
        again = there.best.invocation
        assert again.output == here.best.output
        if program is not programs.concurrent:
            assert again.replay(live="forbid").output == again.output


def test_real_processes_find_the_same(pool: ProcessPoolExecutor) -> None:
    options: dict[str, Any] = {
        "score": float, "strategy": "beam(width=3, expand=3)",
        "budget": Budget(calls=60),
    }  # fmt: skip
    programs.RAN.clear()
    there = enact.search.run(programs.nested, (4,), executor=pool, **options)
    assert not programs.RAN  # nothing ran here
    here = enact.search.run(programs.nested, (4,), executor=2, **options)
    assert shape(there) == shape(here)
    # What ran there is in the journal like all else.
    made = [
        row
        for run in there.store.backend.runs()
        for row in there.store.backend.calls(run=run.id)
        if row.invokable == "search/digit" and row.status == "completed"
        if row.verdict != "banked"
    ]
    assert len(made) == there.spent.calls


def test_workers_import_what_defines_the_types(pool: ProcessPoolExecutor) -> None:
    options: dict[str, Any] = {"score": float, "strategy": "bfs(width=2)"}
    program, length = placed.Placed(3), placed.Length(2)
    there = enact.search.run(program, (length,), executor=pool, **options)
    here = enact.search.run(program, (length,), **options)
    assert shape(there) == shape(here)


def test_a_bank_is_used_by_workers() -> None:
    with enact.InMemoryStore() as store:
        options: dict[str, Any] = {
            "score": float, "strategy": "bfs(width=2)", "bank": store,
        }  # fmt: skip
        first = enact.search.run(programs.number, (3,), executor=Inline(), **options)
        again = enact.search.run(programs.number, (3,), executor=Inline(), **options)
        assert first.spent.calls > 0
        assert again.spent.calls == 0
        assert shape(again) == shape(first)


@enact.register(name="workers/deadly_digit")
def deadly_digit(place: int) -> int:
    got = programs.sample("deadly", place)
    if place == 1 and enact.current_call().draw == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return got


@enact.register(name="workers/deadly")
def deadly(length: int) -> int:
    return sum(deadly_digit(place) for place in range(length))


def test_a_worker_that_dies_is_a_failure_and_the_search_goes_on() -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        result = enact.search.run(
            deadly, (3,), score=float, strategy="best_of(n=5)", executor=pool,
            budget=Budget(calls=30),
        )  # fmt: skip
    assert result.counts["complete"] == 4
    assert result.counts["failed"] == 1
    assert all(why.startswith("WorkerDied") for why in result.failures)
    assert result.spent.calls <= 30


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    with distributed.Client(
        processes=True, n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as client:
        yield client


@pytest.mark.parametrize("program", [programs.nested, programs.careful])
def test_an_executor_of_dask_finds_the_same(dask: Any, program: Any) -> None:
    options: dict[str, Any] = {
        "score": float, "strategy": "beam(width=3, expand=3)",
        "budget": Budget(calls=40),
    }  # fmt: skip
    programs.RAN.clear()
    there = enact.search.run(program, (4,), executor=dask.get_executor(), **options)
    assert not programs.RAN
    here = enact.search.run(program, (4,), executor=2, **options)
    assert shape(there) == shape(here)
    assert there.spent.calls == here.spent.calls


@pytest.mark.soak
def test_a_worker_of_dask_that_dies_is_a_failure(dask: Any) -> None:
    result = enact.search.run(
        deadly, (3,), score=float, strategy="best_of(n=5)",
        executor=dask.get_executor(), budget=Budget(calls=30),
    )  # fmt: skip
    assert result.counts["complete"] == 4
    assert result.counts["failed"] == 1
    assert all(why.startswith("WorkerDied") for why in result.failures)


class KilledWorker(Exception):
    """As Dask has it."""


class Cluster(Inline):
    """An executor that says how wide it is, and that a worker died, as Dask does."""

    def __init__(self, threads: dict[str, int]) -> None:
        super().__init__()
        self._max_workers = None  # type: ignore[assignment]
        self._client = self
        self._threads = threads

    def nthreads(self) -> dict[str, int]:
        return self._threads

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        (order,) = args
        if order.number != 2:
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        future.set_exception(KilledWorker("4 workers died"))
        return future


def test_a_cluster_says_how_wide_it_is_and_that_workers_died() -> None:
    cluster = Cluster({"one": 3, "other": 4})
    assert width_of(cluster) == 7
    assert width_of(Cluster({})) == os.cpu_count()
    result = enact.search.run(
        programs.number, (2,), score=float, strategy="best_of(n=5)", executor=cluster
    )
    assert result.counts["failed"] == 1
    assert list(result.failures) == ["WorkerDied: 4 workers died"]


def test_what_workers_did_is_resumed(tmp_path: Path, pool: ProcessPoolExecutor) -> None:
    options: dict[str, Any] = {"score": float, "strategy": "mcts(iterations=12)"}
    whole = enact.search.run(programs.number, (3,), executor=Inline(), **options)
    told: list[int] = []

    def stop(progress: enact.search.Progress) -> None:
        told.append(len(progress.tree))
        if len(told) == 9:
            raise KeyboardInterrupt

    with enact.open_store(tmp_path / "runs.db") as store:
        with pytest.raises(KeyboardInterrupt):
            enact.search.run(
                programs.number, (3,), executor=Inline(), progress=stop, **options
            )
        resumed = enact.search.resume(
            store.runs(name="enact/search")[0], executor=Inline()
        )
        assert shape(resumed) == shape(whole)
        assert resumed.spent.calls == whole.spent.calls


@pytest.mark.parametrize("executor", ["threads", 0, -2, 1.5, True, object()])
def test_what_is_no_executor_is_refused(executor: Any) -> None:
    with pytest.raises(enact.SearchError, match="executor="):
        enact.search.run(programs.number, (2,), executor=executor)
