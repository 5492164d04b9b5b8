# SPDX-License-Identifier: Apache-2.0
"""Things that come from each other, each below what it comes from."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def arranged(
    things: Iterable[T],
    name: Callable[[T], Hashable],
    parent: Callable[[T], Hashable | None],
    order: Callable[[T], Any] | None = None,
) -> list[tuple[T, int]]:
    """Put things below what they come from.

    Args:
        things: in an order in which each comes behind what it comes from.
        name: of a thing.
        parent: the name of what it comes from; None for what stands alone.
        order: of those beside each other; as they come by default.

    Returns:
        Things with their levels.

    Example:
        >>> arranged(["a", "b", "a1", "a2"], str, lambda one: one[:-1] or None)
        [('a', 0), ('a1', 1), ('a2', 1), ('b', 0)]
    """
    below: dict[Hashable | None, list[T]] = {}
    for one in things:
        below.setdefault(parent(one), []).append(one)
    found: list[tuple[T, int]] = []
    todo = [(one, 0) for one in reversed(below.get(None, []))]
    while todo:
        one, level = todo.pop()
        found.append((one, level))
        beside = below.get(name(one), [])
        if order is not None:
            beside = sorted(beside, key=order)
        todo += [(other, level + 1) for other in reversed(beside)]
    return found
