# SPDX-License-Identifier: Apache-2.0
"""Which calls of a recorded execution were drawn: the places where it could branch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls import layout
from enact.calls.targets import NAMED, live
from enact.values.cbor import decode_form

if TYPE_CHECKING:
    from enact.calls.layout import Recorded
    from enact.search.drawing import Grounds
    from enact.stores import ValueStore


class Draw(NamedTuple):
    """A call that was drawn.

    Attributes:
        path: in the call tree.
        call: as recorded.
    """

    path: tuple[int, ...]
    call: Recorded


def draws_of(
    recorded: Recorded | None, grounds: Grounds, store: ValueStore
) -> list[Draw]:
    """The draws of an execution that have an outcome, in order of start.

    Args:
        recorded: the execution; None has none.
        grounds: says where the search branches; learns which functions are no leaves.
        store: where it is.
    """
    if recorded is None:
        return []
    return list(_walk(recorded, (), grounds, store))


def _walk(
    recorded: Recorded, path: tuple[int, ...], grounds: Grounds, store: ValueStore
) -> Iterator[Draw]:
    name = name_of(recorded, store)
    done = recorded.status in ("completed", "failed")
    if grounds.branch_on and name in grounds.branch_on:
        if done:
            yield Draw(path, recorded)
        return
    if name.startswith("enact/") and not any(one.draws for one in live(name)):
        return  # questions, nested runs and searches: they branch elsewhere
    if recorded.children:
        grounds.composite.add(name)
        for index, child in enumerate(layout.read_calls(recorded.children, store)):
            yield from _walk(child, (*path, index), grounds, store)
    elif done and not grounds.branch_on and not _is_certain(name):
        yield Draw(path, recorded)


def _is_certain(name: str) -> bool:
    return any(target.certain for target in live(name))


_names: dict[bytes, str] = {}


def name_of(recorded: Recorded, store: ValueStore) -> str:
    """The name of the invokable of a recorded call."""
    known = _names.get(recorded.invokable)
    if known is None:
        if len(_names) > 10_000:
            _names.clear()
        fields: Any = decode_form(store.load_block(recorded.invokable))
        kind = fields["$"]
        known = _names[recorded.invokable] = str(
            fields["name"] if kind in NAMED else kind
        )
    return known
