# SPDX-License-Identifier: Apache-2.0
"""What a change of code touches: recorded versions beside the code of now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from enact.calls.layout import read_versions
from enact.calls.versions import Version, Versions, current_targets, is_current
from enact.calls.views import name_of_invokable
from enact.query.records import Run

if TYPE_CHECKING:
    from enact.calls import Invocation
    from enact.query.store import Store
    from enact.stores import RunRow

_BATCH = 100


class Affected:
    """A version of a function that was recorded, and is not what would run now.

    Attributes:
        name: of the function.
        recorded: digest of the code that ran.
        current: digest of the code of now; None if there is no such function here.
        calls: how many executed calls of this version the store has.
    """

    def __init__(self, version: Version, calls: int, survey: _Survey) -> None:
        self.name, self.recorded = version
        self.current = _current(self.name)
        self.calls = calls
        self._survey = survey

    @property
    def runs(self) -> list[Run]:
        """Runs whose record holds such calls, at any depth, newest first.

        The records are read when this is first asked for.
        """
        return self._survey.runs()[self.name, self.recorded]

    @property
    def invocations(self) -> list[Invocation]:
        """What these runs recorded; a replay of one runs the changed code."""
        found = (run.invocation for run in self.runs)
        return [invocation for invocation in found if invocation is not None]

    def __repr__(self) -> str:
        now = "gone" if self.current is None else f"now {self.current[:8]}"
        return (
            f"<affected {self.name}: {self.recorded[:8]} in {self.calls} calls, {now}>"
        )


def affected(store: Store, functions: Sequence[Any]) -> list[Affected]:
    """Compare what is recorded with the code of now; see ``Store.affected``."""
    wanted = set(map(name_of_invokable, functions))
    changed: dict[Version, int] = {}
    for name, code, count in store.backend.codes():
        if wanted and name not in wanted:
            continue
        if not is_current(name, code.hex()):
            changed[name, code.hex()] = count
    survey = _Survey(store, changed)
    return [
        Affected(version, count, survey) for version, count in sorted(changed.items())
    ]


class _Survey:
    """Finds the runs of several versions at once, when somebody asks."""

    def __init__(self, store: Store, versions: Iterable[Version]) -> None:
        self._store = store
        self._versions = frozenset(versions)
        self._runs: dict[Version, list[Run]] | None = None

    def runs(self) -> dict[Version, list[Run]]:
        if self._runs is None:
            found: dict[Version, list[Run]] = {v: [] for v in self._versions}
            for row, versions in _versions_of_runs(self._store):
                touched = self._versions & versions
                run = Run(self._store, row) if touched else None
                for version in touched:
                    assert run is not None
                    found[version].append(run)
            self._runs = found
        return self._runs


def _current(name: str) -> str | None:
    targets = current_targets(name)
    return targets[0].refresh_code() if targets else None


def _versions_of_runs(store: Store) -> Iterator[tuple[RunRow, frozenset[Version]]]:
    """Each run, with the versions of all code in its record, reused calls included."""
    known = Versions(store)
    rows = store.backend.runs()
    for begin in range(0, len(rows), _BATCH):
        page = rows[begin : begin + _BATCH]
        cids = [row.invocation for row in page if row.invocation is not None]
        found = dict(zip(cids, read_versions(cids, store), strict=True))
        for row in page:
            if row.invocation is None:  # under way, or cut off
                yield row, _versions_of_rows(store, row.id)
                continue
            code, subtree = found[row.invocation]
            own = [(row.name, code)] if code is not None else []
            yield row, known.below(subtree).union(own)


def _versions_of_rows(store: Store, run: str) -> frozenset[Version]:
    return frozenset(
        (row.invokable, row.code.hex())
        for row in store.backend.calls(run=run)
        if row.code is not None
    )
