# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` and resume: the tree is the one of a search that nobody disturbed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def searched(path: Path, strategy: str, executor: int, kill_at: int) -> str | None:
    """What the process prints; None if it was killed."""
    module = "tests.search.killed_search"
    done = subprocess.run(
        [sys.executable, "-m", module, path, strategy, str(executor), str(kill_at)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode == -9:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(tmp_path: Path, strategy: str, executor: int, kills: list[int]) -> None:
    whole = searched(tmp_path / "whole.db", strategy, executor, 0)
    for number, at in enumerate(kills):
        path = tmp_path / f"{number}.db"
        found = searched(path, strategy, executor, at)
        tries = 0
        while found is None:  # the second kill comes soon after the first
            tries += 1
            found = searched(path, strategy, executor, 3 if tries == 1 else 0)
        assert found == whole, f"killed at call {at}"


@pytest.mark.parametrize(
    ("strategy", "executor"), [("mcts", 1), ("beam(width=2, expand=3)", 3)]
)
def test_a_search_that_was_killed_goes_on(
    tmp_path: Path, strategy: str, executor: int
) -> None:
    check(tmp_path, strategy, executor, [14])


@pytest.mark.soak
def test_a_search_that_was_killed_at_200_points_goes_on(tmp_path: Path) -> None:
    chance = random.Random(5)
    strategies = ["beam(width=2, expand=3)", "mcts", "best_of", "smc(particles=6)"]
    # Several executions that run to their end at a time number what they both draw in
    # the order in which they come to it.
    for number, strategy in enumerate(strategies):
        for executor in (1, 3):
            if executor == 3 and strategy in ("best_of", "mcts"):
                continue
            folder = tmp_path / f"{number}-{executor}"
            folder.mkdir()
            kills = [chance.randint(1, 40) for _ in range(34)]
            check(folder, strategy, executor, kills)
