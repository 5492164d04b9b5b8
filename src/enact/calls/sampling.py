# SPDX-License-Identifier: Apache-2.0
"""Sampling: who decides, for each call that is about to run live, whether it may.

A replay with a ``Sampler`` in its policy asks it before every call that no record
answers. Search is built on this: it answers calls with samples that are known, counts
those that run, and parks a program at the next place where it could branch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from enact.errors import Suspension
from enact.values import adapter

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane
    from enact.calls.layout import Recorded
    from enact.calls.standing import Place


class Parked(Suspension):
    """Raised in place of a call that is not to run yet; a replay goes on from it."""

    def __init__(self) -> None:
        super().__init__("parked: a replay of this invocation goes on from here")


adapter("enact/Parked", [Parked], lambda _: {}, lambda _: Parked())


class Known(NamedTuple):
    """A sample that was drawn before.

    Attributes:
        recorded: the call that drew it.
        number: of the draw that gets it.
    """

    recorded: Recorded
    number: int


class Watcher(Protocol):
    """Is told of calls that ended; has to be safe for threads."""

    def ended(self, frame: Frame, status: str) -> None:
        """A call has come to its end, however it did."""

    def watching(self, frame: Frame) -> Watcher | None:
        """Is told of the calls of another run, which ``frame`` makes."""


class Sampler(Protocol):
    """Decides about calls that would run live; has to be safe for threads."""

    @property
    def place(self) -> Place | None:
        """Where an execution that is parked may stand; None to unwind it."""

    @property
    def tells_draws(self) -> bool:
        """Whether the journal is told the number of a draw before it runs."""

    def arrive(self, lane: Lane, call: Input) -> Known | Suspension | int | None:
        """A call comes that no record answers.

        Args:
            lane: that makes it.
            call: what it asks.

        Returns:
            A sample that it gets; a signal to raise in its place; the number of the
            draw, if it runs as a sample of its request; else None: it runs.
        """

    def ended(self, frame: Frame, status: str) -> None:
        """A call has come to its end, however it did."""

    def within(self, frame: Frame) -> Sampler | None:
        """Decides about the calls of another run, which ``frame`` makes."""

    def watching(self, frame: Frame) -> Watcher | None:
        """Is told of the calls of such a run, if nobody decides about them."""


def key_of_next(lane: Lane) -> str:
    """Names the next call of a lane in the same way in every replay."""
    step = ":".join(map(str, (*lane.path, lane.position)))
    above = lane.frame.key()
    return f"{above}/{step}" if above else step
