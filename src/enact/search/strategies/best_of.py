# SPDX-License-Identifier: Apache-2.0
"""Independent samples of the whole program, of which the best is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/BestOf")
@dataclasses.dataclass
class BestOf(Strategy):
    """Best-of-N: runs the program N times, and takes the best.

    The baseline that any other strategy has to beat at equal cost. See Stiennon et al.,
    "Learning to summarize from human feedback" (2020).

    Attributes:
        n: how many executions; None for as many as the budget allows.
        until: stop early at the first score that is not below this.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> result = enact.search.run(three, score=float, strategy="best_of(n=5)")
        >>> result.spent.calls, result.counts["complete"]
        (15, 5)
    """

    n: int | None = None
    until: float | None = None
    asked: int = dataclasses.field(default=0, init=False)
    is_reached: bool = dataclasses.field(default=False, init=False)

    def __post_init__(self) -> None:
        at_least(self, n=1)

    @property
    def is_endless(self) -> bool:
        return self.n is None

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.is_reached or (self.n is not None and self.asked >= self.n):
            return ()
        self.asked += 1
        return (Extend(tree.root.id, to_end=True),)

    def tell(self, tree: Tree, node: Node) -> None:
        if self.until is not None and node.score is not None:
            if node.kind == "complete" and node.score >= self.until:
                self.is_reached = True
