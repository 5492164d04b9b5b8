# SPDX-License-Identifier: Apache-2.0
"""The searches of ``searched.py`` in plain code, to count the lines that this takes.

A search over a program needs to stop it, and to go on from there several times. Plain
code cannot, so each program is written once more as a step from state to state, and the
search over states is written by hand. Nothing of it is recorded, resumed or held to a
budget in several threads, as the few lines of ``searched.py`` are::

    python examples/searched_by_hand.py
"""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import searched
from searched import (
    SOURCES,
    attempt,
    cells_right,
    hypothesis,
    matches,
    tests_passed,
    translate,
)

Step = Callable[[Any], tuple[Any, bool]]
Score = Callable[[Any], float]
Found = tuple[float, Any, int]

DRAWN: Counter[str] = Counter()


def chance(*what: object) -> Random:
    """As in ``searched.py``, where no search numbers the draws."""
    number = DRAWN[repr(what)]
    DRAWN[repr(what)] += 1
    return Random(repr((what, number)))


# ----------------------------------------------- a tree search over states, by hand


class Node:
    def __init__(self, state: Any, is_done: bool, above: Node | None) -> None:
        self.state = state
        self.is_done = is_done
        self.above = above
        self.children: list[Node] = []
        self.visits = 0
        self.total = 0.0

    def bound(self, visits: int) -> float:
        mean = self.total / max(1, self.visits)
        return mean + math.sqrt(math.log(visits + 1) / max(1, self.visits))


def search_tree(start: Any, step: Step, score: Score, top: float, calls: int) -> Found:
    """Monte Carlo tree search with progressive widening."""
    root = Node(start, False, None)
    best: tuple[float, Any] = (-math.inf, None)
    spent = 0
    while spent < calls:
        node = root
        while node.children and len(node.children) >= max(1.0, node.visits**0.5):
            visits = node.visits
            node = max(node.children, key=lambda child: child.bound(visits))
        if not node.is_done:
            child = Node(*step(node.state), node)
            spent += 1
            node.children.append(child)
            node = child
        state, is_done = node.state, node.is_done
        while not is_done and spent < calls:
            state, is_done = step(state)
            spent += 1
        if not is_done:
            break
        value = score(state)
        if value > best[0]:
            best = value, state
        above: Node | None = node
        while above is not None:
            above.visits += 1
            above.total += value / top
            above = above.above
        if value >= top:
            break
    return *best, spent


# -------------------------------------------------- the programs, as steps of states


def translate_step(files: dict[str, str]) -> tuple[dict[str, str], bool]:
    name = list(SOURCES)[len(files)]
    files = {**files, name: translate(SOURCES[name])}
    return files, len(files) == len(SOURCES)


def search_translation() -> Found:
    return search_tree({}, translate_step, tests_passed, len(SOURCES), 60)


def rule_step(moves: list[str]) -> tuple[list[str], bool]:
    name = hypothesis(moves)
    if name == "stop":
        return moves, True
    moves = [*moves, name]
    return moves, len(moves) == 4


def search_rule() -> Found:
    return search_tree([], rule_step, cells_right, 8.0, 60)


def search_reflexion() -> Found:
    best: tuple[float, str] = (-math.inf, "")
    spent = 0
    while spent + 6 <= 600 and best[0] < 1:
        history: list[str] = []
        for _ in range(6):
            history = [*history, attempt(history)]
            spent += 1
            if matches(history[-1]):
                break
        if matches(history[-1]) > best[0]:
            best = matches(history[-1]), history[-1]
    return *best, spent


# --------------------------------------------------------------------- side by side


def lines_of(*parts: Any) -> int:
    """Lines that somebody has to write, without `def` lines and empty ones."""
    count = 0
    for part in parts:
        lines = [line.strip() for line in inspect.getsource(part).splitlines()]
        count += sum(
            bool(line) and not line.startswith(("def ", '"""')) for line in lines
        )
    return count


def main() -> None:
    searched.chance = chance
    agents: list[tuple[str, Any, list[Any], Callable[[], Found]]] = [
        (
            "translate_all", searched.search_translation,
            [Node, search_tree, translate_step, search_translation], search_translation,
        ),
        (
            "rule", searched.search_rule,
            [Node, search_tree, rule_step, search_rule], search_rule,
        ),
        (
            "reflexion", searched.search_reflexion,
            [search_reflexion], search_reflexion,
        ),
    ]  # fmt: skip
    print("lines written for a search   by hand   with enact   score by hand")
    for name, with_enact, by_hand, search in agents:
        score, _, calls = search()
        print(
            f"{name:<26} {lines_of(*by_hand):>9} {lines_of(with_enact):>12}"
            f"   {score:g} after {calls} calls"
        )
    shared = lines_of(Node, search_tree)
    print(f"\nThe first two share {shared} lines by hand: the search over states.")


if __name__ == "__main__":
    main()
