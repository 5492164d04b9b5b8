# SPDX-License-Identifier: Apache-2.0
"""What came of extending a node, as a value: the output of a recorded step."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from enact.calls import register
from enact.calls.endings import INTERRUPTS
from enact.calls.sampling import Parked
from enact.errors import ReplayError, Signal
from enact.search.budget import OutOfBudget, Spent
from enact.search.marks import Discarded
from enact.values import Ref, redact

if TYPE_CHECKING:
    from enact.calls.execution import Outcome
    from enact.search.drawing import Drawing


@register(name="enact/search/Step")
@dataclasses.dataclass
class Step:
    """What came of extending a node.

    Attributes:
        invocation: the new execution.
        ending: ``parked``, ``completed``, ``failed``, ``discarded``, ``waiting`` or
            ``cut`` (nothing was left to spend).
        at, request, branch: of a parked one, which call is drawn next.
        drawn: requests of the samples drawn, but for the first of a parked node.
        numbers: of those draws.
        place: in the order in which steps were asked for; None of the first execution.
        first, number: request and number of the draw of a parked node.
        spent: what ran.
        score: that the program told.
        accepted: it said that it is good enough.
        why: of one that failed, was discarded, or was cut.
        learned: functions that were not known to make calls.
    """

    invocation: Ref[Any]
    ending: str
    at: str | None
    request: Ref[Any] | None
    branch: str | None
    drawn: list[Ref[Any]]
    spent: Spent
    score: float | None
    accepted: bool
    why: str | None
    learned: list[str]
    numbers: list[int] = dataclasses.field(default_factory=list)
    place: int | None = None
    first: Ref[Any] | None = None
    number: int | None = None


def step_of(outcome: Outcome, drawing: Drawing, seconds: float) -> Step:
    """What a step ended with.

    Raises:
        ReplayError: the program left its record.
        KeyboardInterrupt, SystemExit: as they came.
    """
    error = outcome.error
    if isinstance(error, (ReplayError, *INTERRUPTS)) or outcome.cid is None:
        assert error is not None
        raise error
    store = outcome.store
    at = request = branch = why = None
    if error is None:
        ending = "completed"
    elif isinstance(error, Discarded):
        ending, why = "discarded", error.why
    elif isinstance(error, (Parked, OutOfBudget)):
        ending = "cut" if isinstance(error, OutOfBudget) else "parked"
        at, cid, branch = min(drawing.parked, key=_in_order)
        request = Ref[Any](cid, store)
    elif isinstance(error, Signal):
        ending = "waiting"
    else:
        ending, why = "failed", redact(f"{type(error).__name__}: {error}")
    spent = Spent(drawing.all_calls(), seconds, draws=drawing.draws_made)
    for usage in drawing.usage:
        spent.add_usage(usage)
    return Step(
        Ref(outcome.cid, store), ending, at, request, branch,
        [Ref(cid, store) for cid, _ in drawing.drawn], spent, drawing.score,
        drawing.accepted, why, drawing.learned,
        [number for _, number in drawing.drawn],
    )  # fmt: skip


def _in_order(parked: tuple[str, bytes, str]) -> list[list[int]]:
    """Calls in order of lanes: the keys of calls, as numbers."""
    return [[int(n) for n in step.split(":")] for step in parked[0].split("/")]
