# SPDX-License-Identifier: Apache-2.0
"""Depth first, with backtracking."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/DepthFirst")
@dataclasses.dataclass
class DepthFirst(Strategy):
    """Goes on with the newest node; goes back when that has come to its end.

    Among siblings the one with the highest score goes first. See Yao et al., "Tree of
    Thoughts" (2023).

    Attributes:
        width: how many samples are drawn at each branch point.
        until: stop at the first complete execution with a score not below this.
        above: give up nodes whose score is told and not above this.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> result = enact.search.run(three, score=float, strategy="dfs(width=2)")
        >>> result.spent.calls, result.counts["complete"]
        (14, 8)
    """

    width: int = 2
    until: float | None = None
    above: float | None = None
    stack: list[int] = dataclasses.field(default_factory=list, init=False)
    left: int = dataclasses.field(default=0, init=False)
    made: list[int] = dataclasses.field(default_factory=list, init=False)
    waits_for: int = dataclasses.field(default=0, init=False)
    is_over: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        at_least(self, width=1)

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.is_over:
            return ()
        if not self.stack and not self.waits_for and len(tree) == 1:
            self.stack, self.left = [tree.root.id], self.width
        if self.left == 0:
            if self.waits_for or not self.stack:
                return ()
            self.left = self.width
        node = self.stack[-1]
        asked = min(n, self.left)
        self.left -= asked
        self.waits_for += asked
        if self.left == 0:
            self.stack.pop()
        return [Extend(node)] * asked

    def tell(self, tree: Tree, node: Node) -> None:
        self.waits_for -= 1
        if node.is_open and not self._is_hopeless(node):
            self.made.append(node.id)
        if node.kind == "complete" and self.until is not None:
            self.is_over = self.is_over or node.value >= self.until
        if not self.waits_for and not self.left:
            self.made.sort(key=lambda id: tree[id].value)
            self.stack += self.made
            self.made = []

    def _is_hopeless(self, node: Node) -> bool:
        return (
            self.above is not None
            and node.score is not None
            and not node.score > self.above
        )
