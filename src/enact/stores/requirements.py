# SPDX-License-Identifier: Apache-2.0
"""Which installed packages a stored value needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from enact.stores.closure import BlockSource, batches, graph, load_many
from enact.values import distribution_of
from enact.values.cbor import decode_form


def requirements(source: BlockSource, root: bytes) -> dict[str, str]:
    """Maps distributions to their versions, for a block and all that it links to.

    Args:
        source: where the blocks are.
        root: identifier of the topmost block.

    Raises:
        MissingBlock: the source lacks a block that is reached.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    for batch in batches(graph(source, [root])):
        for data in load_many(source, batch).values():
            names.update(_names(decode_form(data)))
    for name in names:
        distribution = distribution_of(name)
        if distribution is not None:
            found[distribution[0]] = distribution[1]
    return dict(sorted(found.items()))


def _names(form: Any) -> Iterator[str]:
    """Lists the names of types, and of functions and types as values, in a form."""
    waiting = [form]
    while waiting:
        part = waiting.pop()
        if type(part) is dict:
            if "$" in part:
                yield from (
                    part[key] for key in ("$", "name") if type(part.get(key)) is str
                )
            waiting += part.values()
        elif type(part) is list:
            waiting += part
