# SPDX-License-Identifier: Apache-2.0
"""Monte Carlo tree search."""

from __future__ import annotations

import dataclasses
import math

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
    """

    explore: float = 1.0
    widen: float = 1.0
    alpha: float = 0.5
    rollout: bool = True
    visits: dict[int, int] = dataclasses.field(default_factory=dict, init=False)
    totals: dict[int, float] = dataclasses.field(default_factory=dict, init=False)
    drawn: dict[int, int] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, explore=0, widen=0.001, alpha=0)

    def select(self, tree: Tree) -> Node:
        node = tree.root
        while True:
            # The visit counts from now on: others that ask meanwhile go elsewhere.
            self.visits[node.id] = self.visits.get(node.id, 0) + 1
            children = self._candidates(tree, node)
            if not children or self._has_room(node):
                self.drawn[node.id] = self.drawn.get(node.id, 0) + 1
                return node
            node = self._choose(tree, node, children)

    def _candidates(self, tree: Tree, node: Node) -> list[Node]:
        return [c for c in tree.children(node) if c.is_open and not c.rollout]

    def _has_room(self, node: Node) -> bool:
        allowed: float = self.widen * self.visits[node.id] ** self.alpha
        return self.drawn.get(node.id, 0) < max(1.0, allowed)

    def _mean(self, tree: Tree, node: Node) -> float:
        visits = self.visits.get(node.id, 0)
        if not visits or node.id not in self.totals:
            return 0.5
        return tree.scaled(self.totals[node.id] / visits)

    def _choose(self, tree: Tree, node: Node, children: list[Node]) -> Node:
        above = math.log(self.visits[node.id] + 1)

        def rank(child: Node) -> float:
            bound = math.sqrt(above / max(1, self.visits.get(child.id, 0)))
            return self._mean(tree, child) + self.explore * bound

        return max(children, key=rank)

    def tell(self, tree: Tree, node: Node) -> None:
        lowest = tree.low if math.isfinite(tree.low) else 0.0
        if node.rollout:
            assert node.parent is not None
            value = lowest if node.kind != "complete" else node.value
            self._back_up(tree, tree[node.parent], value)
            return
        self.visits[node.id] = self.visits.get(node.id, 0) + 1
        if node.is_open and self.rollout:
            self.todo.append(node.id)
        elif node.is_open or node.kind == "complete":
            self._back_up(tree, node, node.value)
        else:
            self._back_up(tree, node, lowest)

    def _back_up(self, tree: Tree, node: Node, value: float) -> None:
        for each in tree.path(node):
            self.totals[each.id] = self.totals.get(each.id, 0.0) + value
