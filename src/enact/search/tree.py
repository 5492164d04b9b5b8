# SPDX-License-Identifier: Apache-2.0
"""The tree of a search: partial executions, and what each was extended to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls import Invocation, edits
from enact.calls.invocation import from_cid

if TYPE_CHECKING:
    from enact.stores import ValueStore

OPEN = "open"
"""Parked at a branch point: it can be extended."""
COMPLETE = "complete"
"""The program returned."""
FAILED = "failed"
"""The program raised an exception."""
DISCARDED = "discarded"
"""The program gave itself up."""
WAITING = "waiting"
"""A person's answer is missing."""
MERGED = "merged"
"""Another node is in the same state, and stands for this one."""


class Node:
    """A partial or complete execution.

    Attributes:
        id: in order of creation, from 0 on.
        parent: id of the node that was extended; None for a root.
        depth: how many samples were drawn since the root.
        kind: ``open``, ``complete``, ``failed``, ``discarded``, ``waiting`` or
            ``merged``.
        score: of a complete node its score; of an open one what the program told last
            (``enact.score``), here or further up; None if nobody told any.
        children: ids, in order of creation.
        rollout: it was run from its parent to its end, so it skips nodes in between.
        branch: name of the function that is drawn next, of an open node.
        why: reason of a node that failed or was discarded.
        output: digest that names the output of a complete node: equal outputs have
            equal digests.
    """

    __slots__ = (
        "at", "branch", "children", "cid", "depth", "id", "kind", "output", "parent",
        "program", "request", "rollout", "score", "why",
    )  # fmt: skip

    def __init__(self, id: int, parent: Node | None, kind: str, cid: bytes) -> None:
        self.id = id
        self.parent = None if parent is None else parent.id
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.program: int = 0 if parent is None else parent.program
        self.kind = kind
        self.cid = cid
        self.score: float | None = None
        self.children: list[int] = []
        self.rollout = False
        self.branch: str | None = None
        self.at: str | None = None
        self.request: bytes | None = None
        self.why: str | None = None
        self.output: bytes | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can be extended."""
        return self.kind == OPEN

    @property
    def value(self) -> float:
        """The score, or 0.0 where nobody told any."""
        return 0.0 if self.score is None else self.score

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score {self.score:.4g}"
        return f"<node {self.id}: {self.kind}, depth {self.depth}{score}>"


class Tree:
    """All nodes of a search.

    Args:
        store: where the executions are.
        seed: of ``random``.

    Attributes:
        random: the source of all chance in strategies.
        best: the complete node with the highest score, the first of equals.
        low, high: lowest and highest score of complete nodes.
        complete: how many nodes are complete.
        merged: how many nodes were not made, since their state was known.
    """

    def __init__(self, store: ValueStore, seed: int = 0) -> None:
        self._store = store
        self._nodes: list[Node] = []
        self.random = random.Random(seed)
        self.best: Node | None = None
        self.low = float("inf")
        self.high = float("-inf")
        self.complete = 0
        self.merged = 0

    def add(self, parent: Node | None, kind: str, cid: bytes) -> Node:
        """Make a node."""
        node = Node(len(self._nodes), parent, kind, cid)
        self._nodes.append(node)
        if parent is not None:
            parent.children.append(node.id)
        return node

    def scored(self, node: Node, score: float | None) -> None:
        """Give a node its score."""
        node.score = score
        if node.kind == COMPLETE and score is not None:
            self.complete += 1
            self.low = min(self.low, score)
            self.high = max(self.high, score)
            best = self.best
            if best is None or best.score is None or score > best.score:
                self.best = node

    def scaled(self, score: float) -> float:
        """A score moved into 0..1 by the lowest and the highest so far."""
        if not self.high > self.low:
            return 0.5
        return (score - self.low) / (self.high - self.low)

    @property
    def root(self) -> Node:
        """The node that the search began with."""
        return self._nodes[0]

    def path(self, node: Node) -> list[Node]:
        """The nodes from the root to this one."""
        found = [node]
        while node.parent is not None:
            node = self._nodes[node.parent]
            found.append(node)
        return found[::-1]

    def children(self, node: Node) -> list[Node]:
        """What a node was extended to."""
        return [self._nodes[id] for id in node.children]

    def invocation(self, node: Node | int) -> Invocation:
        """The execution that a node stands for."""
        node = self._nodes[node] if isinstance(node, int) else node
        return from_cid(node.cid, self._store)

    def output(self, node: Node | int) -> Any:
        """The output of a complete node."""
        return self.invocation(node).output

    def drawn(self, node: Node) -> bytes:
        """Digest of the call that was drawn to make a node.

        Draws of a branch point that gave the same have equal digests, whatever other
        threads of the program did meanwhile.
        """
        at = None if node.parent is None else self._nodes[node.parent].at
        recorded = edits.read(node.cid, self._store)
        for step in (at or "").split("/")[1:]:
            *steps, position = map(int, step.split(":"))
            lane = tuple(steps)
            details = recorded.details
            found: Sequence[int] = range(len(recorded.children))
            if details is not None and details.lanes is not None:
                found = [n for n, other in enumerate(details.lanes) if other == lane]
            if position >= len(found):
                return node.cid
            recorded = edits.read(recorded.children[found[position]], self._store)
        return recorded.cid

    def __getitem__(self, id: int) -> Node:
        return self._nodes[id]

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)
