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

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     total = 0
        ...     for _ in range(3):
        ...         total += throw(6)
        ...         enact.score(total)
        ...     return total
        >>> result = enact.search.run(three, strategy="puct(iterations=9)")
        >>> made = [node for node in result.tree if not node.rollout]
        >>> len(made), result.counts["complete"] >= 9
        (10, True)
    """

    temperature: float = 1.0
    priors: dict[int, list[float]] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, temperature=1e-9)

    def _choose(self, tree: Tree, node: Node) -> Node | None:
        children = self.below.get(node.id)
        if not children:
            return None
        priors = self.priors.get(node.id, [])
        if len(priors) != len(children):
            priors = self.priors[node.id] = self._softmax(tree, children)
        above = self.explore * math.sqrt(self.visits[node.id])
        mean = self._means(tree)
        best, chosen = -math.inf, None
        for id, prior in zip(children, priors, strict=True):
            visits = self.visits[id]
            rank = mean(id, visits) + prior * above / (1 + visits)
            if rank > best:
                best, chosen = rank, id
        return None if chosen is None else tree[chosen]

    def _softmax(self, tree: Tree, nodes: list[int]) -> list[float]:
        values = [tree[id].value / self.temperature for id in nodes]
        top = max(values)
        weights = [math.exp(value - top) for value in values]
        total = sum(weights)
        return [weight / total for weight in weights]
