# SPDX-License-Identifier: Apache-2.0
"""Monte Carlo tree search over a program that writes a poem, line by line.

The lines come from a small trigram model (``trigram.py``), or from a language model on
the CPU (``llm.py``, ``pip install 'enact[local-llm]'``). The program knows nothing of
the search: it samples a line, and goes on from there::

    python examples/poem_search.py --calls 300
    python examples/poem_search.py --model gemma --topic "the sea" --calls 60
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import textwrap
import zlib

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


@enact.register(name="poem/gemma_line")
def gemma_line(topic: str, before: str) -> str:
    """The same from a language model: a poem that has begun makes it write poems."""
    import llm

    # Seeds that are close to each other give the same lines more often than not.
    seed = zlib.crc32(f"{before}/{enact.current_call().draw}".encode())
    answer = llm.model(threads=1).handle_completions(
        {
            "prompt": f"A rhyming poem about {topic}\n\n{before or 'Listen to me,'}\n",
            "max_tokens": 14,
            "temperature": 0.9,
            "seed": seed,
            "stop": ["\n"],
        }
    )
    used = answer["usage"]
    enact.annotate(
        model="gemma3-270m",
        input_tokens=used["prompt_tokens"],
        output_tokens=used["completion_tokens"],
    )
    return str(answer["choices"][0]["text"]).strip() or "..."


SOURCES = {"trigram": line, "gemma": gemma_line}


def last_word(text: str) -> str:
    words = re.findall(r"[a-z]+", text.lower())
    return words[-1] if words else ""


def rhyme(one: str, other: str) -> bool:
    """Whether two lines end alike, in different words: good enough for a joke."""
    first, second = last_word(one), last_word(other)
    return first != second and first[-3:] == second[-3:]


def reads_well(lines: list[str]) -> float:
    """Rhymes, lines of similar length, and words that are not always the same."""
    pairs = zip(lines[::2], lines[1::2], strict=False)
    rhymes = sum(rhyme(one, other) for one, other in pairs)
    repeated = len(lines) - len(set(lines))
    lengths = [len(text) for text in lines]
    words = re.findall(r"[a-z]+", " ".join(lines).lower())
    evenness = 1 - (max(lengths) - min(lengths)) / max(lengths)
    variety = len(set(words)) / max(1, len(words))
    return rhymes + 0.5 * evenness + 0.5 * variety - 0.5 * repeated


@enact.register(name="poem/write")
def write(topic: str, model: str) -> list[str]:
    lines: list[str] = []
    for _ in range(LINES):
        lines.append(SOURCES[model](topic, "\n".join(lines)))
    return lines


def show(title: str, result: enact.search.Result) -> None:
    drawn = f"{result.spent.calls} lines drawn"
    if result.spent.tokens:
        drawn += f", {result.spent.tokens} tokens"
    print(f"\n{title}: score {result.best.score:.2f}, {drawn}")
    for text in result.best.output:
        print(textwrap.shorten(f"  {text}", 96))


def main() -> None:
    parser = argparse.ArgumentParser(description="Search for a poem")
    parser.add_argument("--topic", default="exceptions")
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--model", choices=list(SOURCES), default="trigram")
    options = parser.parse_args()
    if options.model == "gemma" and importlib.util.find_spec("xllamacpp") is None:
        parser.error("gemma is not here: pip install 'enact[local-llm]'")
    budget = enact.search.Budget(calls=options.calls)
    with enact.InMemoryStore() as store:
        for title, strategy in [
            ("One sample", "best_of(n=1)"),
            ("Best of as many as the budget allows", "best_of"),
            ("Monte Carlo tree search", "mcts(explore=0.5)"),
        ]:
            result = enact.search.run(
                write, (options.topic, options.model), score=reads_well,
                strategy=strategy, budget=budget, bank=store,
            )  # fmt: skip
            show(title, result)
        print()
        print(result)


if __name__ == "__main__":
    main()
