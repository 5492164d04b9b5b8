# SPDX-License-Identifier: Apache-2.0
"""Preview: what a replay would run, before anything is spent.

The program is replayed into a store that is thrown away. The code around registered
leaf calls runs; a leaf that would have to run does not. Where an earlier outcome of it
is known, that is taken as a guess, and what follows is uncertain; else that part of the
program stops there.
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from enact.calls import layout
from enact.calls.verdicts import CODE_CHANGED, NOT_STORED
from enact.errors import Signal
from enact.values import adapter

if TYPE_CHECKING:
    from enact.calls.inputs import Input
    from enact.calls.layout import Recorded
    from enact.stores import CallRow, ValueStore


class Unforeseen(Signal):
    """Ends a part of a previewed program: nobody knows what comes now."""


adapter("enact/Unforeseen", [Unforeseen], lambda _: {}, lambda _: Unforeseen())


@dataclasses.dataclass(frozen=True)
class PlannedCall:
    """A call that a replay would run.

    Attributes:
        path: in the call tree, as in ``1/0``.
        name: of the invokable.
        verdict: why it would run.
        certain: false if it depends on outcomes that are not known yet.
        seconds: what it took last time, with this request or else with any; None if it
            never ran.
        usage: what it told then (``enact.annotate``).
    """

    path: str
    name: str
    verdict: str
    certain: bool
    seconds: float | None
    usage: dict[str, Any]


@dataclasses.dataclass
class Preview:
    """What a replay would run.

    Attributes:
        calls: those that would run, in the order in which they would start.
        stopped: paths of calls whose outcome is unknown: what comes after each of them
            could not be looked at.
        error: what the program raised, given the guesses; None if nothing.
    """

    calls: list[PlannedCall] = dataclasses.field(default_factory=list)
    stopped: list[str] = dataclasses.field(default_factory=list)
    error: BaseException | None = None

    @property
    def seconds(self) -> float:
        """What these calls took last time, in sum."""
        return sum(call.seconds or 0.0 for call in self.calls)

    @property
    def usage(self) -> dict[str, float]:
        """What they used last time, in sum: all that was told in numbers."""
        sums: dict[str, float] = {}
        for call in self.calls:
            for name, value in call.usage.items():
                if type(value) in (int, float):
                    sums[name] = sums.get(name, 0) + value
        return sums

    @property
    def is_certain(self) -> bool:
        """Whether exactly these calls would run."""
        return not self.stopped and all(call.certain for call in self.calls)

    def __str__(self) -> str:
        if not self.calls:
            return "nothing would run"
        lines = [f"{len(self.calls)} calls would run, {self.seconds:.3g} s last time"]
        if self.usage:
            used = ", ".join(f"{name} {value:g}" for name, value in self.usage.items())
            lines[0] += f", {used}"
        for call in self.calls:
            mark = "" if call.certain else ", uncertain"
            took = "never ran" if call.seconds is None else f"{call.seconds:.3g} s"
            why = f"{call.verdict}{mark}, {took}"
            lines.append(f"  {call.path or 'top'}: {call.name} ({why})")
        if self.stopped:
            lines.append(f"not looked at: what comes after {', '.join(self.stopped)}")
        return "\n".join(lines)


class Forecast:
    """Collects what a previewed replay comes to.

    Args:
        store: with the journal of earlier calls.
    """

    def __init__(self, store: ValueStore) -> None:
        self._store = store
        self._guessed = False
        self.preview = Preview()

    def is_leaf(self, name: str) -> bool:
        """Whether an invokable, as far as is known, makes no calls."""
        rows = self._store.journal.calls(
            invokable=name, status="completed", newest_first=True, limit=1
        )
        for row in rows:
            if row.invocation is not None:
                return not layout.read_calls([row.invocation], self._store)[0].children
        return True

    def expect(
        self, path: str, call: Input, verdict: str, recorded: Recorded | None
    ) -> bool:
        """Note a call that would run.

        Returns:
            Whether its recorded outcome is to be taken as a guess.
        """
        last = self._last(call)
        self.preview.calls.append(
            PlannedCall(
                path, call.target.name, verdict, not self._guessed,
                None if last is None else last.duration,
                {} if last is None or last.usage is None else json.loads(last.usage),
            )
        )  # fmt: skip
        if recorded is not None and verdict in (CODE_CHANGED, NOT_STORED):
            self._guessed = True
            return recorded.output is not None
        self.preview.stopped.append(path)
        return False

    def stop(self) -> Unforeseen:
        """What to raise in place of an outcome that nobody knows."""
        return Unforeseen()

    def _last(self, call: Input) -> CallRow | None:
        journal = self._store.journal
        for wanted in ({"request": call.request()}, {"invokable": call.target.name}):
            rows = journal.calls(**wanted, newest_first=True, limit=1)
            for row in rows:
                return row
        return None
