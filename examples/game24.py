# SPDX-License-Identifier: Apache-2.0
"""Game of 24: strategies of search at equal numbers of calls, no language model needed.

Four numbers are combined by +, -, * and / until one is left, which should be 24. A
stochastic proposer picks each step; the program is plain Python, and is searched as it
is. All strategies get the same puzzles and the same luck (a sample is a function of its
request and the number of the draw), and are compared with best-of-N at the same number
of calls::

    python examples/game24.py --puzzles 100 --calls 200 --markdown

What is in brackets below was fixed before these puzzles were drawn.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import random
from fractions import Fraction

import enact
import versus
from enact.search import Evolve, Strategy, Tune

Numbers = list[Fraction]


def apply(one: Fraction, sign: str, other: Fraction) -> Fraction | None:
    if sign == "/":
        return one / other if other else None
    if sign == "*":
        return one * other
    return one + other if sign == "+" else one - other


@enact.register(name="game24/propose")
def propose(numbers: Numbers, signs: str) -> tuple[int, int, str]:
    """Which two numbers to combine, and how: a sample, as a model would give it."""
    draw = enact.current_call().draw
    chance = random.Random(f"{sorted(map(str, numbers))}/{draw}")
    first, second = chance.sample(range(len(numbers)), 2)
    return first, second, chance.choice(signs)


def promise(numbers: Numbers) -> float:
    """How good the numbers look that are left: a guess, as a model would make it."""
    if len(numbers) == 1:
        return float(numbers[0] == 24)
    if len(numbers) > 2:
        return 0.1 * sum(24 % n == 0 for n in numbers if n > 0) / len(numbers)
    one, other = numbers
    ways = [apply(one, sign, other) for sign in "+-*/"]
    ways += [apply(other, sign, one) for sign in "-/"]
    return 0.9 / (1 + float(min(abs(24 - way) for way in ways if way is not None)))


@enact.register(name="game24/Solver")
@dataclasses.dataclass
class Solver(enact.Invokable[list[int], str]):
    """The program.

    Attributes:
        signs: what the proposer picks from.
    """

    signs: str = "++--**/"

    def call(self, start: list[int]) -> str:
        numbers = [Fraction(n) for n in start]
        text = [str(n) for n in start]
        while len(numbers) > 1:
            first, second, sign = propose(numbers, self.signs)
            made = apply(numbers[first], sign, numbers[second])
            if made is None:
                enact.discard("divided by zero")
                break
            steps = f"({text[first]} {sign} {text[second]})"
            left = [n for n in range(len(numbers)) if n not in (first, second)]
            numbers = [*(numbers[n] for n in left), made]
            text = [*(text[n] for n in left), steps]
            enact.score(promise(numbers))
        if numbers == [24]:
            enact.accept()
        return f"{text[0]} = {numbers[0]}"


@enact.register(name="game24/mutate")
def mutate(solver: Solver) -> Solver:
    """Another proposer: one of its signs is another one."""
    chance = random.Random(f"{solver.signs}/{enact.current_call().draw}")
    place = chance.randrange(len(solver.signs))
    signs = solver.signs[:place] + chance.choice("+-*/") + solver.signs[place + 1 :]
    return Solver(signs)


STRATEGIES: list[str | Strategy] = [
    "best_of",
    "majority",
    "dfs(width=8)",
    "bfs(width=6)",
    "best_first(expand=8)",
    "reexpand",
    "beam(width=16, expand=5)",
    "mcts",
    "puct",
    "ab_mcts",
    "sequential_halving(candidates=24, rollouts=60)",
    "smc(particles=64, scale=4)",
    Evolve(mutate=mutate),
    Tune(space={"signs": ["++--**/", "+-", "+*", "-*", "*/", "+-*", "+/", "-/"]}),
]


@enact.register(name="game24/is_24", deterministic=True)
def is_24(found: str) -> float:
    return float(found.endswith(" = 24"))


def can_be_solved(numbers: Numbers) -> bool:
    if len(numbers) == 1:
        return numbers[0] == 24
    for first, second in itertools.permutations(range(len(numbers)), 2):
        left = [n for i, n in enumerate(numbers) if i not in (first, second)]
        for sign in "+-*/":
            made = apply(numbers[first], sign, numbers[second])
            if made is not None and can_be_solved([*left, made]):
                return True
    return False


def puzzles(count: int, seed: int) -> list[list[int]]:
    chance = random.Random(seed)
    found: list[list[int]] = []
    while len(found) < count:
        numbers = sorted(chance.randint(1, 13) for _ in range(4))
        if numbers not in found and can_be_solved([Fraction(n) for n in numbers]):
            found.append(numbers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Strategies on the game of 24")
    parser.add_argument("--puzzles", type=int, default=20)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1124, help="of the puzzles")
    parser.add_argument("--store", help="a file; what was cut off goes on")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if not options.markdown:
        result = enact.search.run(
            Solver(), ([2, 5, 8, 11],), score=is_24,
            strategy="beam(width=6, expand=12)",
        )  # fmt: skip
        print(result)
    print(f"\n{options.puzzles} puzzles, at most {options.calls} calls each\n")
    variants = versus.searches(Solver(), STRATEGIES, options.calls)
    found = versus.compared(
        variants, puzzles(options.puzzles, options.seed), is_24,
        versus.store_at(options.store),
    )  # fmt: skip
    print(versus.table(found, variants) if options.markdown else found)


if __name__ == "__main__":
    main()
