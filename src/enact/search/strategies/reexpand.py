# SPDX-License-Identifier: Apache-2.0
"""Best first, where a node stays a candidate after it was extended."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Reexpand")
@dataclasses.dataclass
class Reexpand(Strategy):
    """Re-expanding best-first search: one sample at a time, always of the best node.

    A node goes back among the candidates each time, a little lower, so that a good one
    is drawn from again once its children disappoint. See Li et al., "EnCompass:
    Enhancing agent programming with search over program execution paths" (2025).

    Attributes:
        decay: how much each sample lowers the rank of its node.
        until: stop at the first complete execution with a score not below this.

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
        >>> budget = enact.search.Budget(calls=20)
        >>> result = enact.search.run(three, strategy="reexpand", budget=budget)
        >>> result.stopped, result.best.score == result.best.output
        ('budget of 20 calls', True)
    """

    decay: float = 0.1
    until: float | None = None
    heap: list[tuple[float, int, int]] = dataclasses.field(
        default_factory=list, init=False
    )
    drawn: dict[int, int] = dataclasses.field(default_factory=dict, init=False)
    is_begun: bool = dataclasses.field(default=False, init=False)
    is_over: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        at_least(self, decay=0)

    @property
    def is_endless(self) -> bool:
        return True

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if not self.is_begun:
            self.is_begun = True
            self._push(tree.root)
        if self.is_over or not self.heap:
            return ()
        _, _, id = heapq.heappop(self.heap)
        self.drawn[id] = self.drawn.get(id, 0) + 1
        self._push(tree[id])
        return (Extend(id),)

    def _push(self, node: Node) -> None:
        rank = node.value - self.decay * self.drawn.get(node.id, 0)
        heapq.heappush(self.heap, (-rank, -node.depth, node.id))

    def tell(self, tree: Tree, node: Node) -> None:
        if node.is_open:
            self._push(node)
        elif node.kind == "complete" and self.until is not None:
            self.is_over = self.is_over or node.value >= self.until
