# SPDX-License-Identifier: Apache-2.0
"""A process that compares, or resumes a comparison, and is killed at a certain call."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys

import enact
from enact.experiments import Searched, compare, resume
from tests.search.programs_to_search import sample

_count = itertools.count(1)
KILL_AT = 0


@enact.register(name="killed_experiment/digit")
def digit(place: int, before: int) -> int:
    if next(_count) == KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
    return sample(place, before)


@enact.register(name="killed_experiment/number")
def number(length: int) -> int:
    total = 0
    for place in range(length):
        total += digit(place, total)
    return total


def main(path: str, banked: str, kill_at: str) -> None:
    global KILL_AT
    KILL_AT = int(kill_at)
    with enact.open_store(path) as store:
        bank = store if banked == "banked" else None
        runs = store.runs(name="enact/experiments/compare")
        if runs:
            found = resume(runs[0], bank=bank)
        else:
            budget = enact.search.Budget(draws=8)
            variants = {
                "plain": number,
                "best_of": Searched(number, "best_of", budget),
                "mcts": Searched(number, "mcts", budget),
            }
            found = compare(variants, [2, 3], score=float, bank=bank)
    print(json.dumps([[one.variant, one.scores, one.draws] for one in found.cells]))
    print("ran", next(_count) - 1, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
