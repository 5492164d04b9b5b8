# SPDX-License-Identifier: Apache-2.0
"""What the journal knows of runs and of single calls, as users see it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from enact.calls import Invocation
from enact.calls.invocation import from_cid
from enact.calls.partial import recorded_by
from enact.calls.resuming import status_of
from enact.stores import CallRow, Overlay, RunRow, ValueStore
from enact.values import Displayed, Ref, cid_from_text

if TYPE_CHECKING:
    from enact.query.store import Store


class Run(Displayed):
    """One execution from outside.

    Attributes:
        id: of the run; later runs sort after earlier ones.
        name: of the invokable.
        status: ``running``, ``interrupted`` (nobody executes it any more), ``paused``,
            ``parked`` (a search set it aside), ``failed`` or ``completed``.
        started: seconds since the epoch.
        duration: seconds from its start to its end; 0 while it has not ended.
        how: ``replay`` for one that was replayed, else None.
        meta: about the process: ``python``, ``platform``, ``pid``, ``host``, ``argv``,
            and ``git`` with ``commit`` and ``dirty``.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self._store = store
        self._row = row
        self.id = row.id
        self.name = row.name
        self.status = status_of(row, store)
        self.started = row.started
        self.duration = row.duration
        self.how = row.how
        self.meta = row.meta

    @property
    def invocation(self) -> Invocation | None:
        """What is recorded so far, complete or partial; None before the first call.

        Of a run that goes on or was cut off it is put together from its calls.
        """
        store: ValueStore = self._store
        ended = self._row.invocation is not None and self._row.status != "running"
        if not ended and getattr(store.backend, "read_only", False):
            store = Overlay(store)  # takes what is put together
        cid = recorded_by(self._row, store)
        if cid is None:
            return None
        invocation = from_cid(cid, store)
        invocation.__dict__["_branch"] = self.meta.get("branch", self.id)
        return invocation

    @property
    def derived_from(self) -> Ref[Invocation] | None:
        """The invocation that it replays."""
        cid = self._row.derived_from
        return None if cid is None else Ref(cid, self._store)

    @property
    def packages(self) -> Mapping[str, str]:
        """Versions of the packages that were installed where it ran."""
        cid = cid_from_text(str(self.meta["packages"]))
        packages: dict[str, str] = self._store.checkout(Ref(cid, self._store))
        return packages

    @property
    def tags(self) -> list[str]:
        """Names under which its invocation was tagged."""
        cid = self._row.invocation
        return [] if cid is None else self._store.tags_of(Ref(cid, self._store))

    @property
    def usage(self) -> dict[str, float]:
        """Sums of the numbers that its calls told (``enact.annotate``)."""
        sums: dict[str, float] = {}
        for call in self._store.calls(run=self.id):
            for name, value in call.usage.items():
                if type(value) in (int, float):
                    sums[name] = sums.get(name, 0) + value
        return sums

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<run {self.id} of {self.name}: {self.status}>"


class Call:
    """One executed call. A call that a replay answered from its record has none.

    Attributes:
        run: identifier of its run.
        number: in order of start within the run.
        parent: number of the call that made it, None for the call at the top.
        lane: task, thread or work item within the parent, as a path.
        position: place in the lane.
        name: of the invokable.
        status: ``running``, ``completed``, ``failed``, ``paused``, ``incomplete`` or
            ``cancelled``.
        code: digest of the code that ran, None for what is part of enact.
        started: seconds since the epoch.
        duration: seconds.
        verdict: why a replay ran it; None outside of replays.
        usage: what the program told about it (``enact.annotate``).
    """

    def __init__(self, store: Store, row: CallRow) -> None:
        self._store = store
        self._row = row
        self.run = row.run
        self.number = row.number
        self.parent = row.parent
        self.lane = row.lane
        self.position = row.position
        self.name = row.invokable
        self.status = row.status
        self.code = None if row.code is None else row.code.hex()
        self.started = row.started
        self.duration = row.duration
        self.verdict = row.verdict
        self.usage = self.usage_of(row)

    @staticmethod
    def usage_of(row: CallRow) -> dict[str, Any]:
        """What the program told about a call, from its row."""
        usage: dict[str, Any] = {} if row.usage is None else json.loads(row.usage)
        return usage

    @property
    def request(self) -> Ref[Any] | None:
        """Ref to the request: what was called, with what."""
        cid = self._row.request
        return None if cid is None else Ref(cid, self._store)

    @property
    def invocation(self) -> Invocation | None:
        """What was recorded; None for a call that did not end."""
        cid = self._row.invocation
        return None if cid is None else from_cid(cid, self._store)

    def __repr__(self) -> str:
        return f"<call {self.number} of run {self.run}: {self.name}, {self.status}>"
