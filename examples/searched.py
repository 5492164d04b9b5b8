# SPDX-License-Identifier: Apache-2.0
"""Three small agents, and what it takes to search them: nothing inside, a line around.

The shapes are those of the EnCompass paper (NeurIPS 2025): a translator that works file
by file with tests, a hypothesis search for grid puzzles, and a loop that tries, looks
at what came of it, and tries again. Chance stands for the language model. The programs
know nothing of search; ``python examples/searched.py`` runs each as it is, then
searches it, and counts the lines that this took.
"""

from __future__ import annotations

import inspect
import random
import re
from collections.abc import Callable
from typing import Any

import enact
from enact.search import Budget, Result


def chance(*what: object) -> random.Random:
    """The same for the same request and number of the draw, so that all repeats."""
    return random.Random(repr((what, enact.current_call().draw)))


# ------------------------------------------------------- a translator, file by file

SOURCES = {"a.js": "a + b", "b.js": "a ?? b", "c.js": "!a", "d.js": "a && b"}
WAYS = {
    "+": ["+", "-"], "??": ["or", "and", "??"], "!": ["not ", "~"], "&&": ["and", "&"],
}  # fmt: skip


@enact.register(name="searched/translate")
def translate(source: str) -> str:
    for sign, ways in WAYS.items():
        source = source.replace(sign, chance(source, sign).choice(ways))
    return source


@enact.register(name="searched/passes", deterministic=True)
def passes(name: str, text: str) -> bool:
    right = {"a.js": "a + b", "b.js": "a or b", "c.js": "not a", "d.js": "a and b"}
    return text == right[name]


@enact.register(name="searched/translate_all")
def translate_all() -> dict[str, str]:
    return {name: translate(text) for name, text in SOURCES.items()}


def tests_passed(files: dict[str, str]) -> float:
    return sum(passes(name, text) for name, text in files.items())


def search_translation() -> Result:
    return enact.search.run(
        translate_all, score=tests_passed, strategy="mcts", budget=Budget(calls=60)
    )


# ------------------------------------------------- hypotheses about grid puzzles

Grid = list[list[int]]
EXAMPLES: list[tuple[Grid, Grid]] = [
    ([[1, 2], [3, 4]], [[4, 3], [2, 1]]),
    ([[0, 5], [5, 6]], [[6, 5], [5, 0]]),
]
MOVES = ["transpose", "mirror", "flip"]


@enact.register(name="searched/hypothesis")
def hypothesis(before: list[str]) -> str:
    return chance("move", before).choice([*MOVES, "stop"])


def move(grid: Grid, name: str) -> Grid:
    if name == "transpose":
        return [list(row) for row in zip(*grid, strict=True)]
    return [row[::-1] for row in grid] if name == "mirror" else grid[::-1]


@enact.register(name="searched/rule")
def rule() -> list[str]:
    moves: list[str] = []
    while len(moves) < 4 and (name := hypothesis(moves)) != "stop":
        moves.append(name)
    return moves


def cells_right(moves: list[str]) -> float:
    right = 0
    for grid, wanted in EXAMPLES:
        for name in moves:
            grid = move(grid, name)
        for row, wanted_row in zip(grid, wanted, strict=True):
            right += sum(map(int.__eq__, row, wanted_row))
    return right - 0.1 * len(moves)


def search_rule() -> Result:
    return enact.search.run(
        rule, score=cells_right, strategy="puct", budget=Budget(calls=60)
    )


# ------------------------------------------------- try, look at the error, try again

WANTED = re.compile(r"[a-z]+\d\d!")


@enact.register(name="searched/attempt")
def attempt(history: list[str]) -> str:
    dice = chance("attempt", history)
    last = history[-1] if history else "abc"
    return last[: dice.randint(1, 5)] + dice.choice(["a", "1", "2", "!", "z"])


@enact.register(name="searched/reflexion")
def reflexion(tries: int = 6) -> str:
    history: list[str] = []
    for _ in range(tries):
        history = [*history, attempt(history)]
        if WANTED.fullmatch(history[-1]):
            break
    return history[-1]


def matches(text: str) -> float:
    return float(bool(WANTED.fullmatch(text)))


def search_reflexion() -> Result:
    return enact.search.run(
        reflexion, score=matches, strategy="best_of(until=1)", budget=Budget(calls=600)
    )


# --------------------------------------------------------------------- all of them


def main() -> None:
    agents: list[tuple[Any, Any, Callable[[], Result]]] = [
        (translate_all, tests_passed, search_translation),
        (rule, cells_right, search_rule),
        (reflexion, matches, search_reflexion),
    ]
    for program, score, search in agents:
        with enact.InMemoryStore():
            once = enact.search.run(program, score=score, strategy="best_of(n=1)")
        found = search()
        # Without the `def` line, and as a formatter breaks the call into lines.
        lines = len(inspect.getsource(search).splitlines()) - 1
        inside = inspect.getsource(program).count("enact.search")
        print(f"{program.__name__}: {lines} lines around, {inside} inside")
        print(f"  as it is: {once.best.score:g}  {once.best.output}")
        print(f"  searched: {found.best.score:g}  {found.best.output}")
        print(f"  {found.spent.calls} calls, {found.stopped}")


if __name__ == "__main__":
    main()
