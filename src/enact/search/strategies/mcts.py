# SPDX-License-Identifier: Apache-2.0
"""Monte Carlo tree search."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from enact.calls import register
from enact.search.strategies.iterating import Iterating
from enact.search.strategy import at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Mcts")
@dataclasses.dataclass
class Mcts(Iterating):
    """Monte Carlo tree search with UCT and progressive widening.

    Goes down from the root to the child with the highest upper confidence bound, draws
    a new sample there, runs that execution to its end, and tells the score to all
    nodes on the way. A node may have ``widen * visits ** alpha`` children. See Kocsis
    and Szepesvari, "Bandit based Monte-Carlo planning" (2006); Couetoux et al.,
    "Continuous upper confidence trees" (2011).

    Attributes:
        iterations: how many nodes are made; None for as many as the budget allows.
        explore: weight of the bound against the mean; scores are scaled to 0..1.
        widen, alpha: how fast nodes get more children.
        rollout: judge a node by an execution run to its end from there; without, by
            what the program told (``enact.score``).

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> result = enact.search.run(three, score=float, strategy="mcts(iterations=9)")
        >>> made = [node for node in result.tree if not node.rollout]
        >>> len(made), result.counts["complete"] >= 9
        (10, True)
    """

    explore: float = 1.0
    widen: float = 1.0
    alpha: float = 0.5
    rollout: bool = True
    visits: dict[int, int] = dataclasses.field(default_factory=dict, init=False)
    totals: dict[int, float] = dataclasses.field(default_factory=dict, init=False)
    drawn: dict[int, int] = dataclasses.field(default_factory=dict, init=False)
    below: dict[int, list[int]] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, explore=0, widen=0.001, alpha=0)

    def select(self, tree: Tree) -> Node:
        node = tree.root
        while True:
            # The visit counts from now on: others that ask meanwhile go elsewhere.
            self.visits[node.id] = self.visits.get(node.id, 0) + 1
            chosen = None
            if not self._has_room(node):
                chosen = self._choose(tree, node)
            if chosen is None:
                self.drawn[node.id] = self.drawn.get(node.id, 0) + 1
                return node
            node = chosen

    def _has_room(self, node: Node) -> bool:
        allowed: float = self.widen * self.visits[node.id] ** self.alpha
        return self.drawn.get(node.id, 0) < max(1.0, allowed)

    def _choose(self, tree: Tree, node: Node) -> Node | None:
        """The child to go down to; None if there is none.

        This is what grows with a search, as nodes get more children: so it is one loop.
        """
        above = self.explore**2 * math.log(self.visits[node.id] + 1)
        mean = self._means(tree)
        best, chosen = -math.inf, None
        for id in self.below.get(node.id, ()):
            visits = self.visits[id]
            rank = mean(id, visits) + math.sqrt(above / visits)
            if rank > best:
                best, chosen = rank, id
        return None if chosen is None else tree[chosen]

    def _means(self, tree: Tree) -> Callable[[int, int], float]:
        """Means by id and visits, scaled to 0..1; 0.5 where nothing is known."""
        if not tree.high > tree.low:
            return lambda id, visits: 0.5
        low, scale = tree.low, 1 / (tree.high - tree.low)
        nothing = 0.5 / scale + low
        totals = self.totals

        def mean(id: int, visits: int) -> float:
            return (totals.get(id, nothing * visits) / visits - low) * scale

        return mean

    def tell(self, tree: Tree, node: Node) -> None:
        lowest = tree.low if math.isfinite(tree.low) else 0.0
        if node.rollout:
            assert node.parent is not None
            value = lowest if node.kind != "complete" else node.value
            self._back_up(tree, tree[node.parent], value)
            return
        self.visits[node.id] = self.visits.get(node.id, 0) + 1
        if node.is_open and node.parent is not None:
            self.below.setdefault(node.parent, []).append(node.id)
        if node.is_open and self.rollout:
            self.todo.append(node.id)
        elif node.is_open or node.kind == "complete":
            self._back_up(tree, node, node.value)
        else:
            self._back_up(tree, node, lowest)

    def _back_up(self, tree: Tree, node: Node, value: float) -> None:
        for each in tree.path(node):
            self.totals[each.id] = self.totals.get(each.id, 0.0) + value
