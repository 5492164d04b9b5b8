# SPDX-License-Identifier: Apache-2.0
"""Acrostics by a language model on the CPU: all strategies at equal numbers of calls.

The model talks about something, word by word, and the words should begin with the
letters of what it talks about: "moth: my own town had". It knows nothing of that; what
it says is searched. A word is a function of the text before it and of the number of the
draw, so all strategies have the same luck; they are compared with best-of-N at the same
number of calls::

    pip install 'enact[local-llm]'
    python examples/acrostic.py --puzzles 100 --calls 24 --store acrostic.db --markdown

That takes half an hour. With ``--store`` it goes on where it was cut off. What is in
brackets below is what fits 24 calls, with four words to a sentence.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import random
import re
import zlib

import enact
import versus
from enact.search import Evolve, Strategy, Tune

THINGS = """
    army atom baby back ball band bank barn base bath bean bear bell belt bird boat boot
    bowl cake camp card cart cave chin city clay club coal coat coin corn crab crow desk
    dish door duck dust farm film fire fish flag food foot fork frog gate gift girl goat
    hall hand hill home hook horn host iron lamb lamp lion mail maid mask meat milk mint
    mist moon moss moth nail nest oath salt shop silk slab snow soap soil song soup star
    stem tail tent tide toad tomb town wall wasp wave west wind wing wolf wood wool worm
"""

OPENINGS = [
    "They talked about the {}, and",
    "It was said of the {} that",
    "When I saw the {},",
    "He wrote of the {}:",
]


@functools.cache
def complete(text: str, temperature: float, seed: int) -> tuple[str, int, int]:
    """What the model says, and the tokens that it took: what several strategies draw
    is sampled once, and counts for each of them."""
    import llm

    answer = llm.model(threads=1).handle_completions(
        {
            "prompt": text,
            "max_tokens": 3,
            "temperature": temperature,
            "seed": seed,
            "stop": ["\n"],
        }
    )
    used = answer["usage"]
    said = str(answer["choices"][0]["text"])
    return said, used["prompt_tokens"], used["completion_tokens"]


@enact.register(name="acrostic/word")
def word(text: str, temperature: float) -> str:
    """The next word of the model, in small letters; nothing if it comes to an end."""
    # Seeds that are close to each other give the same words more often than not.
    seed = zlib.crc32(f"{text}/{enact.current_call().draw}".encode())
    said, given, made = complete(text, temperature, seed)
    enact.annotate(model="gemma3-270m", input_tokens=given, output_tokens=made)
    words = re.findall(r"[a-z']+", said.lower())
    return words[0] if words else ""


@enact.register(name="acrostic/Acrostic")
@dataclasses.dataclass
class Acrostic(enact.Invokable[str, list[str]]):
    """The program.

    Attributes:
        opening: what the model goes on from.
        temperature: of the model.
    """

    opening: str = OPENINGS[0]
    temperature: float = 1.2

    def call(self, thing: str) -> list[str]:
        words: list[str] = []
        for _ in thing:
            text = " ".join([self.opening.format(thing), *words])
            words.append(word(text, self.temperature))
            enact.score(spells(thing, words))
        return words


def spells(thing: str, words: list[str]) -> float:
    """The share of the letters that words stand for; each word counts once."""
    pairs = {(n, text) for n, text in enumerate(words) if text not in words[:n]}
    return sum(text[:1] == thing[n] for n, text in pairs) / len(thing)


@enact.register(name="acrostic/score", deterministic=True)
def score(invocation: enact.Invocation) -> float:
    return spells(invocation.input, invocation.output)


@enact.register(name="acrostic/mutate")
def mutate(parent: Acrostic) -> Acrostic:
    """Another opening, and another temperature."""
    chance = random.Random(f"{parent}/{enact.current_call().draw}")
    return Acrostic(chance.choice(OPENINGS), round(chance.uniform(0.6, 1.8), 2))


STRATEGIES: list[str | Strategy] = [
    "best_of",
    "majority",
    "dfs(width=2)",
    "bfs(width=2)",
    "best_first(expand=3)",
    "reexpand",
    "beam(width=2, expand=3)",
    "mcts",
    "puct",
    "ab_mcts",
    "sequential_halving(candidates=4, rollouts=4)",
    "smc(particles=6, scale=8)",
    Evolve(mutate=mutate),
    Tune(space={"temperature": (0.6, 1.8), "opening": OPENINGS}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="Strategies on acrostics")
    parser.add_argument("--puzzles", type=int, default=5)
    parser.add_argument("--calls", type=int, default=24)
    parser.add_argument("--store", help="a file; what was cut off goes on")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if importlib.util.find_spec("xllamacpp") is None:
        parser.error("the model is not here: pip install 'enact[local-llm]'")
    things = random.Random(1124).sample(THINGS.split(), options.puzzles)
    variants = versus.searches(Acrostic(), STRATEGIES, options.calls)
    found = versus.compared(variants, things, score, versus.store_at(options.store))
    print(f"{options.puzzles} puzzles, at most {options.calls} calls each\n")
    print(versus.table(found, variants) if options.markdown else found)


if __name__ == "__main__":
    main()
