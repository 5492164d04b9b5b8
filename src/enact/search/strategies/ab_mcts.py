# SPDX-License-Identifier: Apache-2.0
"""Adaptive branching: wider or deeper."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable

from enact.calls import register
from enact.search.strategies.iterating import Iterating
from enact.search.strategy import at_least
from enact.search.tree import OPEN, Node, Tree


@register(name="enact/search/Seen")
@dataclasses.dataclass
class Seen:
    """Scores that were seen.

    Attributes:
        count: how many.
        total, squares: their sum, and that of their squares.
    """

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.count += 1
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        """Of them; 0.0 of none."""
        return self.total / self.count if self.count else 0.0

    def draw(self, chance: random.Random, low: float, span: float) -> float:
        """A draw from what the mean may be, with scores scaled to 0..1.

        The posterior of a normal distribution of unknown mean and variance, with a
        prior worth one observation of 0.5 with a variance of 1/12.
        """
        n = self.count
        mean = (self.total / n - low) / span if n else 0.5
        spread = 0.0
        if n:
            spread = max(0.0, self.squares / n - (self.total / n) ** 2) / span**2
        centre = (0.5 + n * mean) / (1 + n)
        shape = 1 + n / 2
        rate = 1 / 12 + n * spread / 2 + n * (mean - 0.5) ** 2 / (2 * (1 + n))
        precision = chance.gammavariate(shape, 1 / rate)
        return chance.gauss(centre, 1 / math.sqrt(precision * (1 + n)))


@register(name="enact/search/AbMcts")
@dataclasses.dataclass
class AbMcts(Iterating):
    """Adaptive branching Monte Carlo tree search (AB-MCTS-A).

    At each node Thompson sampling decides between a new sample there (wider) and going
    on with one of its children (deeper). New nodes are judged by running them to their
    end. See Inoue et al., "Wider or deeper? Scaling LLM inference-time compute with
    adaptive branching tree search" (2025).

    Attributes:
        iterations: how many nodes are made; None for as many as the budget allows.
        rollout: judge a node by an execution run to its end from there; without, by
            what the program told (``enact.score``).
        breadth: at a node with more children than this, draws are made for so many:
            half of them the best so far, the others by chance. Else a long search would
            become slower and slower.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> strategy = AbMcts(iterations=9)
        >>> result = enact.search.run(three, score=float, strategy=strategy)
        >>> made = [node for node in result.tree if not node.rollout]
        >>> len(made), result.counts["complete"] >= 9
        (10, True)
    """

    rollout: bool = True
    breadth: int = 64
    below: dict[int, Seen] = dataclasses.field(default_factory=dict, init=False)
    fresh: dict[int, Seen] = dataclasses.field(default_factory=dict, init=False)
    leaders: dict[int, list[int]] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, breadth=2)

    def select(self, tree: Tree) -> Node:
        low, span = 0.0, 1.0
        if tree.high > tree.low:
            low, span = tree.low, tree.high - tree.low
        node = tree.root
        while True:
            wider = self.fresh.get(node.id, Seen()).draw(tree.random, low, span)
            best, chosen = wider, None
            for id in self._candidates(tree, node):
                child = tree[id]
                if child.kind == OPEN and not child.rollout:
                    deeper = self.below.get(child.id, Seen())
                    drawn = deeper.draw(tree.random, low, span)
                    if drawn > best:
                        best, chosen = drawn, child
            if chosen is None:
                return node
            node = chosen

    def _candidates(self, tree: Tree, node: Node) -> Iterable[int]:
        if len(node.children) <= self.breadth:
            return node.children
        leaders = self.leaders.get(node.id, [])
        others = tree.random.choices(node.children, k=self.breadth - len(leaders))
        return dict.fromkeys(leaders + others)

    def _lead(self, parent: int, child: int) -> None:
        """Note a child among the best of its parent, if it is."""
        leaders = self.leaders.setdefault(parent, [])
        if child in leaders:
            return
        if len(leaders) < self.breadth // 2:
            leaders.append(child)
            return
        means = [self.below[id].mean for id in leaders]
        lowest = min(means)
        if self.below[child].mean > lowest:
            leaders[means.index(lowest)] = child

    def tell(self, tree: Tree, node: Node) -> None:
        if node.is_open and self.rollout and not node.rollout:
            self.todo.append(node.id)
            return
        value = node.value
        if node.kind not in ("complete", "open"):
            value = tree.low if math.isfinite(tree.low) else 0.0
        made = node
        if node.rollout:
            assert node.parent is not None
            made = tree[node.parent]
        if made.parent is not None:
            self.fresh.setdefault(made.parent, Seen()).add(value)
        for each in tree.path(made):
            self.below.setdefault(each.id, Seen()).add(value)
            if each.parent is not None and each.kind == OPEN:
                self._lead(each.parent, each.id)
