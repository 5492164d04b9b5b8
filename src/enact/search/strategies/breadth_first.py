# SPDX-License-Identifier: Apache-2.0
"""Breadth first."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/BreadthFirst")
@dataclasses.dataclass
class BreadthFirst(Strategy):
    """Goes on with the oldest node, so level by level. See Yao et al., "Tree of
    Thoughts" (2023); with a limit on each level, it is ``beam``.

    Attributes:
        width: how many samples are drawn at each branch point.
        until: stop at the first complete execution with a score not below this.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> result = enact.search.run(three, score=float, strategy="bfs(width=2)")
        >>> result.spent.calls, result.counts["complete"]
        (14, 8)
    """

    width: int = 2
    until: float | None = None
    queue: deque[int] = dataclasses.field(default_factory=deque, init=False)
    left: int = dataclasses.field(default=0, init=False)
    is_begun: bool = dataclasses.field(default=False, init=False)
    is_over: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        at_least(self, width=1)

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if not self.is_begun:
            self.is_begun = True
            self.queue.append(tree.root.id)
        if self.is_over or not self.queue:
            return ()
        node = self.queue[0]
        self.left = (self.left or self.width) - 1
        if self.left == 0:
            self.queue.popleft()
        return (Extend(node),)

    def tell(self, tree: Tree, node: Node) -> None:
        if node.is_open:
            self.queue.append(node.id)
        elif node.kind == "complete" and self.until is not None:
            self.is_over = self.is_over or node.value >= self.until
