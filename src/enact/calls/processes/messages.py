# SPDX-License-Identifier: Apache-2.0
"""What a child process and the one that started it tell each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from enact.calls.policy import Policy

if TYPE_CHECKING:
    from enact.calls.inputs import Input
    from enact.calls.lanes import Path
    from enact.calls.layout import Blocks

CHILDS = 2**32
"""Numbers from here on are those of the child, for calls below those it is told of."""

FIRST = -1
"""Stands for the number of the frame here, in rows of calls that a child makes."""


class Called(NamedTuple):
    """What a child calls, as it tells it.

    Attributes:
        target: what ``TOLD`` lists of the target.
        invokable, input: identifiers of the two halves of the request.
        blocks: all that the request needs.
        opaque: a part of it could not be stored.
    """

    target: dict[str, Any]
    invokable: bytes
    input: bytes
    blocks: Blocks
    opaque: bool


TOLD = (
    "name", "cid", "block", "code", "code_bytes", "version", "retry", "memoize",
    "deterministic", "draws", "builtin", "former", "takes_value", "is_async",
    "is_stream", "is_async_stream", "registered",
)  # fmt: skip


class Order(NamedTuple):
    """What a child is to do with a call: it runs, and these are its circumstances.

    Attributes:
        slot: among the calls of the frame.
        number: of the call in the run.
        position: in its lane.
        turn: see ``Frame.turn``.
        verdict: why it runs.
        recorded: the recorded call whose place it takes.
        stands: whether the recorded outcome stands; None if its calls are not asked.
        draw: see ``Frame.draw``.
        explained, changed: see ``Session``.
        in_flight: see ``Lane``.
    """

    slot: int
    number: int
    position: int
    turn: int
    verdict: str | None
    recorded: bytes | None
    stands: bool | None
    draw: int | None
    explained: bool
    changed: bool
    in_flight: bool


class Answered(NamedTuple):
    """What a child is to do with a call: a recorded outcome takes its place.

    Attributes:
        key: by which the child names the call.
        recorded: identifier of the recorded call.
        index: see ``Answer``.
        in_turn: it waits for its turns.
    """

    key: int
    recorded: bytes
    index: int  # type: ignore[assignment]  # of no use as a method of this tuple
    in_turn: bool


def called(call: Input) -> Called:
    """What a call asks, as it is told at home."""
    target = call.target
    data = (call.cid, call.data)
    return Called(
        {name: getattr(target, name) for name in TOLD},
        call.invokable,
        call.cid,
        [*call.blocks, data],
        bool(call.opaque),
    )


class Above(NamedTuple):
    """A call above the work, as far as messages and keys name it.

    Attributes:
        name: of what it calls; empty for the frame above the first call.
        slot: among the calls of its caller.
        lane: that made it.
        position: in that lane.
    """

    name: str
    slot: int
    lane: Path
    position: int


class Place(NamedTuple):
    """Where a child process belongs.

    Attributes:
        work: number of the work at home.
        above: the calls above it, from the top.
        path: of its lane.
        run: identifier, branch and attempt of the run.
        attended, on_unstorable, tells_order: see ``Run``.
        policy: of the session, without what is no plain data.
        lacks: what of it the child cannot have, in words; None if it has all.
        in_turn: a record says when its calls start and end.
    """

    work: int
    above: tuple[Above, ...]
    path: Path
    run: tuple[str, str, int]
    attended: bool
    on_unstorable: str
    tells_order: bool
    policy: Policy
    lacks: str | None
    in_turn: bool
