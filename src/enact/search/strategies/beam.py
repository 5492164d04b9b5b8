# SPDX-License-Identifier: Apache-2.0
"""Beam search."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Beam")
@dataclasses.dataclass
class Beam(Strategy):
    """Keeps the best nodes of each level, draws from each, keeps the best again.

    It needs a program that tells scores on its way (``enact.score``); where none are
    told, it keeps what came first. See Lowerre, "The Harpy speech recognition system"
    (1976); Xie et al., "Self-evaluation guided beam search for reasoning" (2023).

    Attributes:
        width: how many nodes are kept.
        expand: how many samples are drawn from each.

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
        >>> result = enact.search.run(three, strategy="beam(width=2, expand=2)")
        >>> result.spent.calls, result.counts["complete"]
        (10, 4)
    """

    width: int = 4
    expand: int = 3
    beam: list[int] = dataclasses.field(default_factory=list, init=False)
    made: list[int] = dataclasses.field(default_factory=list, init=False)
    asked: int = dataclasses.field(default=0, init=False)
    told: int = dataclasses.field(default=0, init=False)
    level: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        at_least(self, width=1, expand=1)

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.level == 0:
            self.level, self.beam = 1, [tree.root.id]
        if self.asked == len(self.beam) * self._each:
            return ()
        node = self.beam[self.asked // self._each]
        self.asked += 1
        return (Extend(node),)

    @property
    def _each(self) -> int:
        """How many samples are drawn from each node: the first fills the beam."""
        return max(self.width, self.expand) if self.level == 1 else self.expand

    def tell(self, tree: Tree, node: Node) -> None:
        self.told += 1
        if node.is_open:
            self.made.append(node.id)
        if self.told == len(self.beam) * self._each:
            self.made.sort(key=lambda id: (-tree[id].value, id))
            self.beam, self.made = self.made[: self.width], []
            self.asked = self.told = 0
            self.level += 1
