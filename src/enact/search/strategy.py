# SPDX-License-Identifier: Apache-2.0
"""The protocol of strategies: ask for what to extend, tell what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from enact.errors import SearchError

if TYPE_CHECKING:
    from enact.search.tree import Node, Tree


class Extend(NamedTuple):
    """What a strategy asks for: go on from a node, with a new sample.

    Attributes:
        node: id of an open node; one node may be extended any number of times.
        to_end: run on to the end of the program, drawing all that comes; else to the
            next branch point.
    """

    node: int
    to_end: bool = False


class Vary(NamedTuple):
    """What a strategy asks for: another program, made from those of some executions.

    It begins a tree of its own: the node that is told has no parent.

    Attributes:
        fn: a registered function that gives an invokable.
        nodes: ids of executions; their invokables are its arguments.
        args: further arguments.
    """

    fn: Any
    nodes: tuple[int, ...]
    args: tuple[Any, ...] = ()


class Strategy:
    """Decides which executions a search extends.

    A subclass is a registered dataclass: its fields are its parameters and its state,
    all of them storable values. All chance is to come from ``tree.random``.
    """

    needs_score: ClassVar[bool] = True
    """Whether it makes no sense without scores."""

    @property
    def is_endless(self) -> bool:
        """Whether it goes on for as long as there is something to spend."""
        return False

    def require(self, program: Any) -> None:
        """See that it can search a program, before anything runs.

        Raises:
            SearchError: it cannot; says what it needs.
            MissingExtra: a library is not installed.
        """

    def ask(self, tree: Tree, n: int) -> Sequence[Extend | Vary]:
        """At most ``n`` nodes to extend now.

        Args:
            tree: as it is now; read only.
            n: how many can be worked on.

        Returns:
            What to extend; nothing if all waits for what was asked for before. When
            nothing is under way either, the search is at its end.
        """
        raise NotImplementedError

    def tell(self, tree: Tree, node: Node) -> None:
        """A node was made: the outcome of what was asked for, in any order.

        Args:
            tree: with the new node in it.
            node: of any kind, also failed or discarded; ``node.parent`` is the node
                that was extended.
        """

    def best(self, tree: Tree) -> Node | None:
        """The node that is the result, as far as is known; None if there is none."""
        return tree.best

    def value(self, tree: Tree, node: Node) -> float | None:
        """The score of the result, as shown to users."""
        return node.score


def at_least(strategy: Any, **limits: float) -> None:
    """See that parameters are not below what makes sense.

    Raises:
        SearchError: one is.
    """
    for name, limit in limits.items():
        value = getattr(strategy, name)
        if value is not None and not value >= limit:
            raise SearchError(
                f"{type(strategy).__name__}({name}={value!r}): it must be at least "
                f"{limit:g}"
            )
