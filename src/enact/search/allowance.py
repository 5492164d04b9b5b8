# SPDX-License-Identifier: Apache-2.0
"""What may still be started: enough is kept to see the best partial execution end."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from enact.search.budget import LIMITS, Account, Spent
from enact.search.strategy import Extend, Vary
from enact.search.tree import Node, Tree


class Allowance:
    """Says what a search can afford, from what executions took so far.

    It counts what was told, and guesses what is under way: what that has spent already
    depends on which of it was faster.

    Args:
        tree: of the search.
        account: pays.

    Attributes:
        told: spent by what has come to its end.
    """

    def __init__(self, tree: Tree, account: Account) -> None:
        self._tree = tree
        self._account = account
        self.told = Spent()
        self._best_open: Node | None = None
        self._lengths: tuple[int, int] | None = None

    def count_length(self, draws: int) -> None:
        """An execution took so many draws to its end."""
        shortest, longest = self._lengths or (draws, draws)
        self._lengths = min(shortest, draws), max(longest, draws)

    def consider(self, node: Node) -> None:
        """A node is open: it may be the best of those."""
        best = self._best_open
        if best is None or (node.value, node.depth) > (best.value, best.depth):
            self._best_open = node

    def why_not(
        self, extend: Extend | Vary, under_way: Sequence[Extend | Vary]
    ) -> str | None:
        """Why something is not to be started; None if it may be.

        Args:
            extend: what a strategy asks for.
            under_way: what was started and has not come to its end.
        """
        needed = sum(self._length_of(other) for other in under_way)
        if isinstance(extend, Vary):
            return self._unaffordable(needed + self._to_end(0, shortest=True))
        node = self._tree[extend.node]
        if extend.to_end:
            return self._unaffordable(needed + self._to_end(node.depth, shortest=True))
        # What is open may still be the best: keep enough to see its end.
        best = self._best_open or node
        return self._unaffordable(needed + 1 + self._to_end(best.depth))

    def can_finish(self, node: Node) -> bool:
        """Whether an execution can be run to its end from a node."""
        return self._unaffordable(self._to_end(node.depth)) is None

    def _to_end(self, depth: int, shortest: bool = False) -> int:
        """How many draws it is from a depth to the end, at most or at least."""
        lengths = self._lengths or (1, 1)
        return max(1, lengths[0 if shortest else 1] - depth)

    def _length_of(self, extend: Extend | Vary) -> int:
        if isinstance(extend, Extend):
            return self._to_end(self._tree[extend.node].depth) if extend.to_end else 1
        return 1

    def _unaffordable(self, draws: int) -> str | None:
        """The limit that so many more draws would exceed, as far as one can say."""
        account = self._account
        spent = dataclasses.replace(self.told, seconds=account.look().seconds)
        for name in LIMITS:
            limit = getattr(account.budget, name)
            if limit is None:
                continue
            used = getattr(spent, name)
            each = 1 if name in ("calls", "draws") else used / max(1, spent.calls)
            if used >= limit or used + each * draws > limit:
                return f"budget of {limit} {name}"
        if account.parent is not None and account.parent.calls_left() < draws:
            return "budget of the search that this one is part of"
        return None
