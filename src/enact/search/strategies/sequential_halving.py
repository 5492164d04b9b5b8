# SPDX-License-Identifier: Apache-2.0
"""Sequential halving among sampled candidates."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/SequentialHalving")
@dataclasses.dataclass
class SequentialHalving(Strategy):
    """Draws candidates, then halves them by executions run to their end.

    Each round gives every candidate that is left equally many executions, and keeps
    the half with the higher mean. Then the same from the winner, until the program is
    at its end. Candidates that the program itself samples, without those that are
    equal, are what Gumbel-top-k picks from its distribution. See Karnin et al., "Almost
    optimal exploration in multi-armed bandits" (2013); Danihelka et al., "Policy
    improvement by planning with Gumbel" (2022).

    Attributes:
        candidates: how many are drawn at each level.
        rollouts: how many executions are run to their end at each level, about.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> strategy = SequentialHalving(candidates=4, rollouts=4)
        >>> result = enact.search.run(three, score=float, strategy=strategy)
        >>> result.best.score == max(
        ...     node.value for node in result.tree if node.kind == "complete"
        ... )
        True
    """

    candidates: int = 8
    rollouts: int = 24
    node: int = dataclasses.field(default=0, init=False)
    asked: int = dataclasses.field(default=0, init=False)
    told: int = dataclasses.field(default=0, init=False)
    made: list[int] = dataclasses.field(default_factory=list, init=False)
    known: set[bytes] = dataclasses.field(default_factory=set, init=False)
    left: list[int] = dataclasses.field(default_factory=list, init=False)
    rounds: int = dataclasses.field(default=0, init=False)
    queue: deque[int] = dataclasses.field(default_factory=deque, init=False)
    waits_for: int = dataclasses.field(default=0, init=False)
    scores: dict[int, list[float]] = dataclasses.field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        at_least(self, candidates=1, rollouts=1)

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.queue:
            return (Extend(self.queue.popleft(), to_end=True),)
        if self.left or self.asked == self.candidates:
            return ()
        self.asked += 1
        return (Extend(self.node),)

    def tell(self, tree: Tree, node: Node) -> None:
        if node.rollout:
            self._tell_rollout(tree, node)
            return
        self.told += 1
        if node.is_open and tree.drawn(node) not in self.known:
            self.made.append(node.id)
            self.known.add(tree.drawn(node))
        if self.told == self.candidates and self.made:
            self.left, self.made, self.known = self.made, [], set()
            self.rounds = max(1, math.ceil(math.log2(len(self.left))))
            self._next_round()

    def _tell_rollout(self, tree: Tree, node: Node) -> None:
        assert node.parent is not None
        value = node.value
        if node.kind != "complete":
            value = tree.low if math.isfinite(tree.low) else 0.0
        self.scores.setdefault(node.parent, []).append(value)
        self.waits_for -= 1
        if not self.waits_for:
            self.left.sort(key=lambda id: (-self._mean(id), id))
            self.left = self.left[: math.ceil(len(self.left) / 2)]
            self._next_round()

    def _mean(self, id: int) -> float:
        scores = self.scores[id]
        return sum(scores) / len(scores)

    def _next_round(self) -> None:
        if len(self.left) == 1:
            self.node, self.left = self.left[0], []
            self.asked = self.told = 0
            return
        each = max(1, self.rollouts // (self.rounds * len(self.left)))
        self.queue = deque(self.left * each)
        self.waits_for = len(self.queue)
