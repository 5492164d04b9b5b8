# SPDX-License-Identifier: Apache-2.0
"""Monte Carlo tree search with priors."""

from __future__ import annotations

import dataclasses
import math

from enact.calls import register
from enact.search.strategies.mcts import Mcts
from enact.search.strategy import at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Puct")
@dataclasses.dataclass
class Puct(Mcts):
    """Monte Carlo tree search with PUCT: what the program tells of a node is its prior.

    As ``mcts``, but children are explored in proportion to a softmax over what the
    program told at each (``enact.score``); where it tells nothing, equally. See Rosin,
    "Multi-armed bandits with episode context" (2011); Silver et al., "Mastering the
    game of Go without human knowledge" (2017).

    Attributes:
        iterations, explore, widen, alpha, rollout: as for ``Mcts``.
        temperature: of the softmax.
    """

    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, temperature=1e-9)

    def _choose(self, tree: Tree, node: Node, children: list[Node]) -> Node:
        top = max(child.value for child in children)
        weights = {
            child.id: math.exp((child.value - top) / self.temperature)
            for child in children
        }
        above = math.sqrt(self.visits[node.id]) / sum(weights.values())

        def rank(child: Node) -> float:
            bound = weights[child.id] * above / (1 + self.visits.get(child.id, 0))
            return self._mean(tree, child) + self.explore * bound

        return max(children, key=rank)
