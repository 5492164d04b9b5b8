# SPDX-License-Identifier: Apache-2.0
"""What all calls of a run come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from enact.query.records import Run

if TYPE_CHECKING:
    from enact.query.store import Store

MOST = 20_000


class Sums(NamedTuple):
    """What all calls of a run come to.

    Attributes:
        calls: how many ran.
        verdicts: why they ran, with how many did.
        usage: sums of the numbers that they told.
        whole: whether all were looked at; else nothing but their number is known.
    """

    calls: int
    verdicts: Mapping[str, int]
    usage: Mapping[str, float]
    whole: bool = True


def sums_of(store: Store, run: Run, most: int = MOST) -> Sums:
    """Sum up the calls of a run; of huge runs that takes too long.

    Args:
        store: with the journal.
        run: that made the calls.
        most: calls that are looked at.
    """
    last = next(store.backend.calls(run=run.id, newest_first=True, limit=1), None)
    if last is not None and last.number >= most:
        return Sums(last.number + 1, {}, {}, whole=False)
    usage: dict[str, float] = {}
    verdicts: Counter[str] = Counter()
    count = 0
    for call in islice(store.calls(run=run.id), most):  # it may go on meanwhile
        count += 1
        if call.verdict:
            verdicts[call.verdict] += 1
        for key, value in call.usage.items():
            if type(value) in (int, float):
                usage[key] = usage.get(key, 0) + value
    return Sums(count, verdicts, usage)
