# SPDX-License-Identifier: Apache-2.0
"""The ledger: how often each request was drawn, and which samples are known.

Draw number n of a request gets the n-th known sample, if there are so many; else the
call runs. So strategies that share a bank of samples are compared on the same luck.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from enact.calls import layout
from enact.calls.inputs import Input
from enact.calls.layout import Recorded
from enact.calls.verdicts import BANKED
from enact.calls.versions import Versions
from enact.stores import ValueStore
from enact.values import Ref


class Ledger:
    """Numbers of draws and known samples of one search; safe for threads.

    Args:
        store: that the search records into.
        bank: a store with samples of earlier executions; None for none.
        before: only samples that began before this count, seconds since the epoch.
    """

    def __init__(
        self, store: ValueStore, bank: ValueStore | None, before: float
    ) -> None:
        self._store = store
        self._bank = bank
        self._before = before
        self._drawn: dict[bytes, int] = {}
        self._taken: dict[bytes, set[int]] = {}
        self._known: dict[bytes, list[bytes]] = {}
        self._stashed: dict[bytes, list[bytes]] = {}
        self._spare: dict[bytes, int] = {}
        self._versions = Versions(store)
        self._lock = threading.Lock()

    def next_number(self, request: bytes) -> int:
        """The lowest number that no draw of a request has; it has it now."""
        with self._lock:
            number = self._drawn.get(request, 0)
            taken = self._taken.get(request)
            while taken is not None and number in taken:
                taken.discard(number)
                number += 1
            self._drawn[request] = number + 1
            return number

    def reserve(self, request: bytes, number: int) -> None:
        """Note that a draw has this number."""
        with self._lock:
            if number >= self._drawn.get(request, 0):
                self._taken.setdefault(request, set()).add(number)

    def release(self, request: bytes, number: int) -> None:
        """Give a number back that was taken last."""
        with self._lock:
            if self._drawn.get(request) == number + 1:
                self._drawn[request] = number

    def stash(self, samples: Iterable[tuple[bytes, bytes]]) -> None:
        """Make samples known that are in no bank: pairs of request and invocation.

        They count as not drawn yet.
        """
        spare: dict[bytes, int] = {}
        for request, invocation in samples:
            spare[request] = spare.get(request, 0) + 1
            self._stashed.setdefault(request, []).append(invocation)
            # They come behind those in the bank, which a search that is resumed may
            # not have looked at.
            self._known.pop(request, None)
            self._drawn.pop(request, None)
        self._spare = spare

    def is_spare(self, request: bytes, number: int) -> bool:
        """Whether a draw was paid for before: it is of the first execution."""
        return number < self._spare.get(request, 0)

    def sample(self, call: Input, number: int) -> Recorded | None:
        """Sample ``number`` of the request of ``call``, if it is known."""
        if call.opaque:
            return None
        request = call.request()
        with self._lock:
            known = self._known.get(request)
            if known is None:
                known = self._known[request] = self._known_of(call, request)
        if number >= len(known):
            return None
        return layout.read_calls([known[number]], self._store)[0]

    def _known_of(self, call: Input, request: bytes) -> list[bytes]:
        known = [] if self._bank is None else self._banked(call, request, self._bank)
        return known + self._stashed.get(request, [])[len(known) :]

    def _banked(self, call: Input, request: bytes, bank: ValueStore) -> list[bytes]:
        """What earlier executions drew for a request by the same code, oldest first."""
        rows = [
            row
            for row in bank.journal.calls(request=request)
            if row.status in ("completed", "failed") and row.started < self._before
            if row.verdict != BANKED
        ]
        rows.sort(key=lambda row: (row.started, row.run, row.number))
        found: list[bytes] = []
        for row in rows:
            if row.invocation is None:
                continue
            if bank is not self._store:
                self._store.adopt(Ref(row.invocation, bank))
            recorded = layout.read_calls([row.invocation], self._store)[0]
            details = recorded.details
            if details is not None and (details.opaque or details.origin is not None):
                continue
            if self._versions.changed(recorded, call.target) is None:
                found.append(row.invocation)
        return found
