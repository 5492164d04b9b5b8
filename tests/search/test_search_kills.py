# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` and resume: the tree is the one of a search that nobody disturbed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def searched(
    path: Path, strategy: str, executor: int, kill_at: int, program: str = "number"
) -> str | None:
    """What the process prints; None if it was killed."""
    module = "tests.search.killed_search"
    done = subprocess.run(
        [
            sys.executable, "-m", module, path, strategy, str(executor), str(kill_at),
            program,
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode == -9:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(
    tmp_path: Path,
    strategy: str,
    executor: int,
    kills: list[int],
    program: str = "number",
) -> None:
    whole = searched(tmp_path / "whole.db", strategy, executor, 0, program)
    for number, at in enumerate(kills):
        path = tmp_path / f"{number}.db"
        found = searched(path, strategy, executor, at, program)
        tries = 0
        while found is None:  # the second kill comes soon after the first
            tries += 1
            then = 3 if tries == 1 else 0
            found = searched(path, strategy, executor, then, program)
        assert found == whole, f"killed at call {at}"


@pytest.mark.parametrize(
    ("strategy", "executor"), [("mcts", 1), ("beam(width=2, expand=3)", 3)]
)
def test_a_search_that_was_killed_goes_on(
    tmp_path: Path, strategy: str, executor: int
) -> None:
    check(tmp_path, strategy, executor, [14])


@pytest.mark.parametrize("strategy", ["best_of", "mcts"])
def test_executions_that_ran_to_their_end_side_by_side_go_on(
    tmp_path: Path, strategy: str
) -> None:
    check(tmp_path, strategy, 3, [17], "talk")


def test_no_number_is_drawn_twice_where_who_is_first_is_chance(tmp_path: Path) -> None:
    # The process asserts that, and that the budget holds.
    path = tmp_path / "number.db"
    assert searched(path, "best_of", 3, 16) is None
    assert searched(path, "best_of", 3, 0) is not None


@pytest.mark.soak
@pytest.mark.parametrize("executor", [1, 3])
@pytest.mark.parametrize(
    "strategy", ["beam(width=2, expand=3)", "mcts", "best_of", "smc(particles=6)"]
)
def test_a_search_that_was_killed_at_34_points_goes_on(
    tmp_path: Path, strategy: str, executor: int
) -> None:
    chance = random.Random(f"{strategy}/{executor}")
    # Several executions that run to their end at a time number what they both draw in
    # the order in which they come to it; those that talk draw nothing that others do.
    alike = executor == 3 and strategy in ("best_of", "mcts")
    kills = [chance.randint(1, 40) for _ in range(34)]
    check(tmp_path, strategy, executor, kills, "talk" if alike else "number")
