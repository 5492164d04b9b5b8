# SPDX-License-Identifier: Apache-2.0
"""Evolution of the program itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from enact.calls import register
from enact.calls.targets import find, target_of
from enact.errors import SearchError
from enact.search.strategy import Extend, Strategy, Vary, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Evolve")
@dataclasses.dataclass
class Evolve(Strategy):
    """A population of programs that differ in their fields.

    The program is an ``Invokable``: what varies are its fields, such as prompts,
    parameters, or generated code. A new one comes from a parent that won a tournament,
    by ``mutate(parent)``, or from two by ``crossover(one, other)``. These are
    registered functions that give another invokable, so a language model can be the
    mutator. One whose parameter is annotated ``enact.Invocation`` gets an execution of
    the parent. The least fit leave. See Back, "Evolutionary algorithms in theory and
    practice" (1996); Romera-Paredes et al., "Mathematical discoveries from program
    search with large language models" (2023).

    Attributes:
        mutate: the function, or the name that it is registered by.
        crossover: likewise; None for none.
        population: how many are kept.
        variants: how many are made in all; None for as many as the budget allows.
        samples: how often each is run: its fitness is the mean of the scores.
        tournament: of so many, picked by chance, the fittest becomes a parent.
        mixing: share of new ones that are made by crossover.

    Example:
        >>> import enact, dataclasses, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... @dataclasses.dataclass
        ... class Throws(enact.Invokable[None, int]):
        ...     sides: int
        ...
        ...     def call(self) -> int:
        ...         return throw(self.sides)
        >>> @enact.register
        ... def more(parent: Throws) -> Throws:
        ...     return Throws(parent.sides + random.randint(1, 6))
        >>> strategy = Evolve(more, variants=20)
        >>> result = enact.search.run(Throws(6), score=float, strategy=strategy)
        >>> result.counts["complete"], result.best.score > 1
        (20, True)
    """

    mutate: Any = None
    crossover: Any = None
    population: int = 8
    variants: int | None = None
    samples: int = 1
    tournament: int = 3
    mixing: float = 0.3
    queue: list[int] = dataclasses.field(default_factory=list, init=False)
    made: int = dataclasses.field(default=0, init=False)
    alive: list[int] = dataclasses.field(default_factory=list, init=False)
    scores: dict[int, list[float]] = dataclasses.field(default_factory=dict, init=False)
    executions: dict[int, int] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        at_least(self, population=1, variants=1, samples=1, tournament=1, mixing=0)
        for name in ("mutate", "crossover"):
            given = getattr(self, name)
            if isinstance(given, str):
                setattr(self, name, find(given).wrapper)
            elif given is not None and target_of(given) is None:
                raise SearchError(
                    f"evolve needs {name} to be a registered function, not {given!r}"
                )
        if self.mutate is None:
            raise SearchError(
                "evolve needs a registered function that makes a new invokable of one: "
                "Evolve(mutate=function), or evolve(mutate='its/name')"
            )

    @property
    def is_endless(self) -> bool:
        return self.variants is None

    def ask(self, tree: Tree, n: int) -> Sequence[Extend | Vary]:
        if self.made == 0:
            self._enter(tree.root)
        if self.queue:
            return (Extend(self.queue.pop(0), to_end=True),)
        if self.variants is not None and self.made >= self.variants:
            return ()
        if not self.alive:
            return ()
        self.made += 1
        if self.crossover is not None and tree.random.random() < self.mixing:
            pair = (self._parent(tree), self._parent(tree))
            return (Vary(self.crossover, pair),)
        return (Vary(self.mutate, (self._parent(tree),)),)

    def _parent(self, tree: Tree) -> int:
        """An execution of the winner of a tournament."""
        rivals = [tree.random.choice(self.alive) for _ in range(self.tournament)]
        return self.executions[max(rivals, key=self._fitness)]

    def _fitness(self, id: int) -> float:
        scores = self.scores[id]
        return sum(scores) / len(scores)

    def _enter(self, node: Node) -> None:
        self.made = max(1, self.made)
        self.queue += [node.id] * self.samples

    def tell(self, tree: Tree, node: Node) -> None:
        if node.is_open and node.parent is None:
            self._enter(node)
            return
        if node.kind != "complete" or node.parent is None:
            return
        root = node.parent
        self.scores.setdefault(root, []).append(node.value)
        self.executions[root] = node.id
        if root not in self.alive:
            self.alive.append(root)
        if len(self.alive) > self.population:
            done = [id for id in self.alive if len(self.scores[id]) >= self.samples]
            if done:
                self.alive.remove(min(done, key=lambda id: (self._fitness(id), id)))
