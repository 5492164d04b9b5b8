# SPDX-License-Identifier: Apache-2.0
"""What strategies have in common that make one node after another and judge each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@dataclasses.dataclass
class Iterating(Strategy):
    """Makes a node in each iteration; what waits to be run to its end goes first.

    Attributes:
        iterations: how many nodes are made; None for as many as the budget allows.
        asked: how many were asked for.
        todo: nodes that are to be run to their end.
    """

    iterations: int | None = None
    asked: int = dataclasses.field(default=0, init=False)
    todo: list[int] = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        at_least(self, iterations=1)

    @property
    def is_endless(self) -> bool:
        return self.iterations is None

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.todo:
            return (Extend(self.todo.pop(0), to_end=True),)
        if self.iterations is not None and self.asked >= self.iterations:
            return ()
        self.asked += 1
        return (Extend(self.select(tree).id),)

    def select(self, tree: Tree) -> Node:
        """The node at which a new sample is to be drawn."""
        raise NotImplementedError
