# SPDX-License-Identifier: Apache-2.0
"""Monte Carlo tree search over a program that writes a poem, line by line.

The lines come from a small trigram model (``trigram.py``). The program knows nothing of
the search: it samples a line, and goes on from there::

    python examples/poem_search.py --calls 300
"""

from __future__ import annotations

import argparse
import random
import re
import textwrap

import enact
from trigram import TrigramModel

MODEL = TrigramModel.of_python_docs()
LINES = 4


@enact.register(name="poem/line")
def line(topic: str, before: str) -> str:
    """One line from the model: another one every time."""
    draw = enact.current_call().draw
    chance = random.Random(f"{topic}/{before}/{draw}")
    return MODEL.sample(chance, topic=topic, min_words=5, max_words=9, temperature=0.8)


def ending(text: str) -> str:
    """What has to sound alike for two lines to rhyme: good enough for a joke."""
    words = re.findall(r"[a-z]+", text.lower())
    return words[-1][-3:] if words else ""


def reads_well(lines: list[str]) -> float:
    """Rhymes, lines of similar length, and words that are not always the same."""
    rhymes = 0.0
    for first in range(0, len(lines) - 1, 2):
        one, other = lines[first], lines[first + 1]
        same_word = one.split()[-1] == other.split()[-1]
        if ending(one) == ending(other) and not same_word:
            rhymes += 1
    lengths = [len(text) for text in lines]
    words = re.findall(r"[a-z]+", " ".join(lines).lower())
    evenness = 1 - (max(lengths) - min(lengths)) / max(lengths)
    return rhymes + 0.5 * evenness + 0.5 * len(set(words)) / max(1, len(words))


@enact.register(name="poem/write")
def write(topic: str) -> list[str]:
    lines: list[str] = []
    for _ in range(LINES):
        lines.append(line(topic, "\n".join(lines)))
    return lines


def show(title: str, result: enact.search.Result) -> None:
    print(f"\n{title}: score {result.best.score:.2f}, {result.spent.calls} lines drawn")
    for text in result.best.output:
        print(textwrap.shorten(f"  {text}", 96))


def main() -> None:
    parser = argparse.ArgumentParser(description="Search for a poem")
    parser.add_argument("--topic", default="exceptions")
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    budget = enact.search.Budget(calls=options.calls)
    with enact.InMemoryStore() as store:
        for title, strategy in [
            ("One sample", "best_of(n=1)"),
            ("Best of as many as the budget allows", "best_of"),
            ("Monte Carlo tree search", "mcts(explore=0.5)"),
        ]:
            result = enact.search.run(
                write, (options.topic,), score=reads_well, strategy=strategy,
                budget=budget, bank=store,
            )  # fmt: skip
            show(title, result)
        print()
        print(result)


if __name__ == "__main__":
    main()
