# SPDX-License-Identifier: Apache-2.0
"""What a program may tell a search from inside. None of it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enact.calls.lanes import CURRENT
from enact.errors import Suspension
from enact.search.drawing import Drawing
from enact.search.scores import checked
from enact.values import adapter

if TYPE_CHECKING:
    from enact.calls.frames import Frame


class Discarded(Suspension):
    """The program gave its execution up."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)


adapter(
    "enact/search/Discarded",
    [Discarded],
    lambda signal: {"why": signal.why},
    lambda fields: Discarded(fields["why"]),
)


def _running() -> tuple[Frame | None, Drawing | None]:
    """The call that runs here, and the search that extends it."""
    lane = CURRENT.get()
    if lane is None or lane.frame.caller is None:
        return None, None
    frame = lane.frame
    sampler = frame.run.sampler
    return frame, sampler if isinstance(sampler, Drawing) else None


def score(value: float) -> None:
    """Tell how good the execution is so far.

    A search compares executions by it that have not come to their end, and also those
    that have if it is given no ``score`` of its own. The last value counts. Outside of
    a search it is a note in the journal, outside of a recording nothing.

    Args:
        value: any finite number; more is better.

    Raises:
        InvalidScore: it is not a finite number.

    Example:
        >>> import enact, random
        >>> @enact.register
        ... def digit():
        ...     return random.randint(0, 9)
        >>> @enact.register
        ... def number():
        ...     total = 0
        ...     for _ in range(3):
        ...         total += digit()
        ...         enact.score(total)
        ...     return total
        >>> result = enact.search.run(number, strategy="beam(width=4, expand=8)")
        >>> result.best.score == result.best.output > 15
        True
    """
    value = checked(value, "enact.score")
    frame, drawing = _running()
    if frame is None or (drawing is not None and not drawing.tell_score(value)):
        return
    frame.plain = False
    if frame.usage is None:
        frame.usage = {}
    frame.usage["score"] = value


def discard(why: str = "") -> None:
    """Give this execution up: a search goes on with others.

    Outside of a search the invocation ends here too, paused, with the reason; in code
    that is not recorded this raises as well.

    Args:
        why: in words; the search counts executions by it.
    """
    raise Discarded(why)


def accept() -> None:
    """Tell that this execution is good enough: when it ends, the search ends.

    Outside of a search it does nothing.
    """
    _, drawing = _running()
    if drawing is not None:
        drawing.accepted = True
