# SPDX-License-Identifier: Apache-2.0
"""The output that most executions agree on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from enact.calls import register
from enact.search.strategy import Extend, Strategy, at_least
from enact.search.tree import Node, Tree


@register(name="enact/search/Majority")
@dataclasses.dataclass
class Majority(Strategy):
    """Self-consistency: runs the program N times, and takes the commonest output.

    Each execution is a vote for its output, or as many as its score says. Stops early
    once no other output can catch up, if votes are not weighted. See Wang et al.,
    "Self-consistency improves chain of thought reasoning in language models" (2023).

    Attributes:
        n: how many executions; None for as many as the budget allows.
        weighted: votes count by scores.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def throw(sides: int) -> int:
        ...     return random.randint(1, sides)
        >>> @enact.register
        ... def three() -> int:
        ...     return sum(throw(6) for _ in range(3))
        >>> result = enact.search.run(three, strategy="majority(n=9)")
        >>> votes = result.best.score
        >>> 1 <= votes <= 9 and result.spent.calls <= 27
        True
    """

    needs_score: ClassVar[bool] = False

    n: int | None = None
    weighted: bool = False
    asked: int = dataclasses.field(default=0, init=False)
    told: int = dataclasses.field(default=0, init=False)
    votes: dict[str, float] = dataclasses.field(default_factory=dict, init=False)
    first: dict[str, int] = dataclasses.field(default_factory=dict, init=False)
    most: float = dataclasses.field(default=0.0, init=False)
    second: float = dataclasses.field(default=0.0, init=False)
    leader: str = dataclasses.field(default="", init=False)

    def __post_init__(self) -> None:
        at_least(self, n=1)

    @property
    def is_endless(self) -> bool:
        return self.n is None

    def ask(self, tree: Tree, n: int) -> Sequence[Extend]:
        if self.n is not None and (self.asked >= self.n or self._is_decided()):
            return ()
        self.asked += 1
        return (Extend(tree.root.id, to_end=True),)

    def _is_decided(self) -> bool:
        assert self.n is not None
        if self.weighted:
            return False
        return self.most > self.second + self.n - self.told

    def tell(self, tree: Tree, node: Node) -> None:
        self.told += 1
        if node.kind != "complete" or node.output is None:
            return
        group = node.output.hex()
        self.first.setdefault(group, node.id)
        vote = node.value if self.weighted else 1.0
        votes = self.votes[group] = self.votes.get(group, 0.0) + vote
        if votes > self.most:
            if group != self.leader:
                self.leader, self.second = group, self.most
            self.most = votes
        elif group != self.leader:
            self.second = max(self.second, votes)

    def best(self, tree: Tree) -> Node | None:
        if not self.votes:
            return tree.best
        group = max(self.votes, key=lambda one: (self.votes[one], -self.first[one]))
        return tree[self.first[group]]

    def value(self, tree: Tree, node: Node) -> float | None:
        return None if node.output is None else self.votes.get(node.output.hex())
