# SPDX-License-Identifier: Apache-2.0
"""What a search is asked to do, as a value: the argument of a recorded search."""

from __future__ import annotations

import dataclasses
from typing import Any

from enact.calls import Invocation, register
from enact.search.budget import Budget, Spent
from enact.search.strategy import Strategy
from enact.values import Ref


@register(name="enact/search/Search")
@dataclasses.dataclass
class Search:
    """What to search.

    Attributes:
        program, args, kwargs: what runs.
        score: of outputs or invocations; None to use what the program tells.
        strategy: as it is at the start.
        budget: what may be spent.
        branch_on: names of functions; empty for leaves that are not deterministic.
        width: how many executions are extended at a time.
        seed: of all chance in the strategy.
        banked: samples of earlier executions are used.
        merge_on: gives the state that an execution is in.
    """

    program: Any
    args: list[Any]
    kwargs: dict[str, Any]
    score: Any
    strategy: Strategy
    budget: Budget
    branch_on: list[str]
    width: int
    seed: int
    banked: bool
    merge_on: Any = None


@register(name="enact/search/Found")
@dataclasses.dataclass
class Found:
    """What a search came to: the output of a recorded search.

    Attributes:
        best: the best execution.
        score: of it.
        node: id of it in the tree.
        stopped: why the search ended.
        spent: by it.
        counts: nodes by kind.
    """

    best: Ref[Invocation]
    score: float | None
    node: int
    stopped: str
    spent: Spent
    counts: dict[str, int]
