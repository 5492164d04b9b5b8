# SPDX-License-Identifier: Apache-2.0
"""Best first."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/BestFirst")
@dataclasses.dataclass
class BestFirst(Strategy):
    """Goes on with the node that has the highest score, wherever it is.

    It needs a program that tells scores on its way (``enact.score``). See Pearl,
    "Heuristics" (1984).

    Attributes:
        expand: how many samples are drawn at each branch point.
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
        >>> result = enact.search.run(three, strategy="best_first(expand=2)")
        >>> result.spent.calls, result.best.score == result.best.output
        (14, True)
    """

    expand: int = 3
    until: float | None = None
    heap: list[tuple[float, int, int]] = dataclasses.field(
        default_factory=list, init=False
    )
    left: int = dataclasses.field(default=0, init=False)
    node: int = dataclasses.field(default=0, init=False)
    is_over: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        at_least(self, expand=1)
        self.left = self.expand  # of the root

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.is_over:
            return ()
        if not self.left:
            if not self.heap:
                return ()
            _, _, self.node = heapq.heappop(self.heap)
            self.left = self.expand
        self.left -= 1
        return (Extend(self.node),)

    def tell(self, tree: Tree, node: Node) -> None:
        if node.is_open:
            heapq.heappush(self.heap, (-node.value, -node.depth, node.id))
        elif node.kind == "complete" and self.until is not None:
            self.is_over = self.is_over or node.value >= self.until
