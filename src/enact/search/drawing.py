# SPDX-License-Identifier: Apache-2.0
"""Drawing: the sampler of one extension, which says where the program branches."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

from enact.calls.sampling import Known, Parked, key_of_next
from enact.search.budget import OutOfBudget

if TYPE_CHECKING:
    from enact.calls.frames import Frame
    from enact.calls.inputs import Input
    from enact.calls.lanes import Lane
    from enact.errors import Suspension
    from enact.search.budget import Account
    from enact.search.earlier import CutOff
    from enact.search.ledger import Ledger
    from enact.search.parking import Seat


class Grounds:
    """What the extensions of one search share.

    Args:
        account: pays for calls that run.
        ledger: numbers draws, and knows samples.
        branch_on: names of the functions that are branch points; empty for all leaves
            that are not declared deterministic.

    Attributes:
        composite: functions that were seen to make calls, so they are no leaves.
        leaves: functions that came to their end without.
    """

    def __init__(
        self, account: Account, ledger: Ledger, branch_on: frozenset[str]
    ) -> None:
        self.account = account
        self.ledger = ledger
        self.branch_on = branch_on
        self.composite: set[str] = set()
        self.leaves: set[str] = set()

    def branches_at(self, call: Input) -> bool:
        """Whether a call is a branch point."""
        target = call.target
        if self.branch_on:
            return target.name in self.branch_on
        return not target.certain and target.name not in self.composite


class Drawing:
    """Lets a program run to its next branch point, or to its end.

    Args:
        grounds: of the search.
        at: the key of the call that is drawn; None for the first that comes.
        number: of that draw; None to ask the ledger.
        draws: how many samples may be drawn: 0, 1, or None for all.
        fresh: the program starts from its beginning.
        tells_draws: the journal is told the numbers of draws before they run.
        only_at: no other call is drawn, also if that one turns out to make calls.

    Attributes:
        score: what the program told last; only after the first draw if not fresh.
        accepted: the program said that it is good enough.
        drawn: requests and numbers of the draws, but for the one that had its number.
        parked: key, request and name of each call that was parked.
        calls: how many ran that count.
        draws_made: samples that count, also known ones.
        usage: what they told.
        learned: functions that were not known to make calls.
        place: where the execution may stand when it is parked; None to unwind it.
        in_call: keys of draws that run now.
        inside: of runs that were made in this one.
    """

    def __init__(
        self,
        grounds: Grounds,
        at: str | None = None,
        number: int | None = None,
        draws: int | None = 1,
        fresh: bool = False,
        tells_draws: bool = False,
        only_at: bool = False,
    ) -> None:
        self.grounds = grounds
        self.at = at
        self.number = number
        self.draws = draws
        self.fresh = fresh
        self.tells_draws = tells_draws
        self.only_at = only_at
        self.score: float | None = None
        self.accepted = False
        self.drawn: list[tuple[bytes, int]] = []
        self.parked: list[tuple[str, bytes, str]] = []
        self.calls = 0
        self.draws_made = 0
        self.usage: list[dict[str, object]] = []
        self.learned: list[str] = []
        self.in_call: set[str] = set()
        self.inside: list[Drawing] = []
        self.place: Seat | None = None
        self._made = 0
        # Numbers of draws that were under way when this step was cut off, by key.
        self._promised: dict[str, int] = {}
        # The call that made the run, if that is one within another.
        self._made_in: tuple[str, bytes, str] | None = None
        # Calls that were counted, and may turn out to be no leaves: by key. With the
        # request of those that were drawn.
        self._unsure: dict[str, bytes | None] = {}
        self._lock = threading.RLock()

    @property
    def account(self) -> Account:
        """Pays for the calls; nested searches draw from it."""
        return self.grounds.account

    @property
    def has_drawn(self) -> bool:
        """Whether a draw was made."""
        return self._made > 0

    def catch_up(self, cut_off: CutOff, first: bytes | None) -> None:
        """Take over what this extension did before it was cut off.

        Args:
            cut_off: what it did; it is paid for.
            first: request of the draw that has its number.
        """
        drawn = list(cut_off.drawn)
        self._made = len(drawn)
        self.calls += cut_off.calls
        self.usage += cut_off.usage
        if self.number is not None and first in drawn:
            drawn.remove(first)
            if self.number in cut_off.numbers.get(first, ()):
                cut_off.numbers[first].remove(self.number)
        ledger = self.grounds.ledger
        for request in drawn:
            told = cut_off.numbers.get(request)
            number = told.pop(0) if told else ledger.next_number(request)
            self.drawn.append((request, number))
        self._promised = cut_off.promised
        draws = list(self.drawn)
        if self.number is not None and first is not None and first in cut_off.drawn:
            draws.append((first, self.number))
        for draw in draws:
            if not ledger.is_spare(*draw):
                self.draws_made += 1
                self.account.draw()

    def tell_score(self, value: float) -> bool:
        """The program told how good it is so far; false if it did so before.

        What it tells while it is replayed was told by an execution above.
        """
        if self._made or self.fresh:
            self.score = value
            return True
        return False

    def arrive(self, lane: Lane, call: Input) -> Known | Suspension | int | None:
        """Decide about a call that no record answers."""
        grounds = self.grounds
        target = call.target
        with self._lock:
            self._leave_leaf(lane.frame)
            if target.certain and target.name not in grounds.branch_on:
                return None
            branches = grounds.branches_at(call)
            if branches and grounds.branch_on and self._within_branch(lane):
                branches = False
            if not branches:
                if target.name in grounds.composite:
                    return None
                return self._pay(lane, call)
            key = key_of_next(lane)
            if self._is_full(key):
                self.parked.append((key, call.request(), target.name))
                return Parked()
            return self._draw(lane, call, key)

    def _is_full(self, key: str) -> bool:
        """Whether a branch point is to be parked at."""
        if self.draws is None:
            return False
        if self._made >= self.draws:
            return True
        if self.at is None or key == self.at:
            return False
        if self.only_at:
            return True
        # What was taken for a leaf makes calls: the branch point is inside of it.
        return not key.startswith(f"{self.at}/")

    def _draw(
        self, lane: Lane, call: Input, key: str
    ) -> Known | Suspension | int | None:
        ledger = self.grounds.ledger
        request = call.request()
        if key == self.at and self.number is not None:
            number = self.number
        else:
            promised = self._promised.pop(key, None)
            number = ledger.next_number(request) if promised is None else promised
            self.drawn.append((request, number))
        if not ledger.is_spare(request, number):
            why = self.account.draw()
            if why is not None:
                self.parked.append((key, request, call.target.name))
                return OutOfBudget(why)
            self.draws_made += 1
        self._made += 1
        known = ledger.sample(call, number)
        if known is not None and not known.has_calls:
            self.grounds.leaves.add(call.target.name)
            return Known(known, number)
        if known is not None and self.grounds.branch_on:
            return Known(known, number)
        refused = self._pay(lane, call, drawn=True)
        if refused is not None:
            return refused
        if self.place is not None:
            self.in_call.add(key)
        return number

    def _pay(self, lane: Lane, call: Input, drawn: bool = False) -> Suspension | None:
        name = call.target.name
        if name in self.grounds.composite:
            return None
        why = self.account.reserve()
        if why is not None:
            here = self._made_in or (key_of_next(lane), call.request(), name)
            self.parked.append(here)
            return OutOfBudget(why)
        self.calls += 1
        if name not in self.grounds.leaves:
            branches = drawn and not self.grounds.branch_on
            self._unsure[key_of_next(lane)] = call.request() if branches else None
        return None

    def _leave_leaf(self, frame: Frame) -> None:
        """A call is made in ``frame``, so that is no leaf."""
        if frame.target is None or frame.target.builtin:
            return
        name = frame.target.name
        key = frame.key() if self._unsure else None
        if key is not None and key in self._unsure:
            self.calls -= 1
            self.account.release()
            request = self._unsure.pop(key)
            if request is not None:  # the branch point is further inside
                self._made -= 1
                number = self.number
                for draw in self.drawn:
                    if draw[0] == request:
                        self.drawn.remove(draw)
                        number = draw[1]
                        break
                if number is None or not self.grounds.ledger.is_spare(request, number):
                    self.draws_made -= 1
                    self.account.undraw()
        if name not in self.grounds.composite:
            self.learned.append(name)
            self.grounds.composite.add(name)
            self.grounds.leaves.discard(name)

    def _within_branch(self, lane: Lane) -> bool:
        """Whether a call is part of one that is a branch point itself."""
        frame = lane.frame
        while frame.caller is not None:
            if frame.target is not None and frame.target.name in self.grounds.branch_on:
                return True
            frame = frame.caller.frame
        return False

    def within(self, frame: Frame) -> Drawing:
        """Pays for the calls of another run: that one branches nowhere."""
        grounds = copy.copy(self.grounds)
        grounds.branch_on = frozenset([""])
        inner = Drawing(grounds, draws=0, fresh=True)
        inner.learned, inner.usage = self.learned, self.usage
        inner.parked = self.parked
        request = frame.call_input.request()
        inner._made_in = self._made_in or (frame.key(), request, frame.target.name)
        self.inside.append(inner)
        return inner

    def watching(self, frame: Frame) -> None:
        """Nobody: see ``within``."""

    def all_calls(self) -> int:
        """How many calls ran that count, also in runs within."""
        return self.calls + sum(inner.all_calls() for inner in self.inside)

    def ended(self, frame: Frame, status: str) -> None:
        """A call has come to its end."""
        if self.in_call:
            self.in_call.discard(frame.key())
        # What did not come to its end runs again when it is replayed.
        if frame.usage and status in ("completed", "failed"):
            with self._lock:
                self.usage.append(frame.usage)
            self.account.charge(frame.usage)
        name = frame.target.name
        if status == "completed" and name not in self.grounds.composite:
            self.grounds.leaves.add(name)
