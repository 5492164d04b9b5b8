# SPDX-License-Identifier: Apache-2.0
"""What runs used, for lists of them: summed up once, a few calls at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from enact.query import Run, Store
from enact.query.sums import sums_of

# So many calls are read for one page; the others follow when it is asked for again.
_MOST_AT_ONCE = 20_000
_MOST_KNOWN = 20_000
_MOST_COLUMNS = 4

Usage = Mapping[str, float]


class Usages:
    """Remembers what runs used that have ended."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, str], Usage] = {}
        self._lock = threading.Lock()

    def of(self, store: Store, runs: Sequence[Run]) -> dict[str, Usage | None]:
        """Sums by run; None where they are not known yet, or the run is too large.

        Args:
            store: with the journal.
            runs: the ones that are shown, the first ones first.
        """
        found: dict[str, Usage | None] = {}
        left = _MOST_AT_ONCE
        for run in runs:
            key = run.id, run._row.attempt, run.status
            usage = self._known.get(key)
            if usage is None and left > 0:
                left_before, sums = left, sums_of(store, run, left)
                left -= sums.calls if sums.whole else 0
                usage = sums.usage if sums.whole else None
                if usage is None and left_before < _MOST_AT_ONCE:
                    break  # it may fit the next time, as the first
                if run.status != "running":
                    self._keep(key, usage or {})
            found[run.id] = usage
        return found

    def _keep(self, key: tuple[str, int, str], usage: Usage) -> None:
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = usage


def columns_of(usages: Mapping[str, Usage | None]) -> list[str]:
    """What most of some runs tell of their use: the names of columns."""
    counts = Counter(name for usage in usages.values() if usage for name in usage)
    return [name for name, _ in counts.most_common(_MOST_COLUMNS)]
