# SPDX-License-Identifier: Apache-2.0
"""Search over executions: draw again, branch, compare, and keep the best.

>>> import enact, random
>>> @enact.register
... def word() -> str:
...     return random.choice(["sea", "sky", "salt"])
>>> @enact.register
... def line() -> str:
...     return " ".join(word() for _ in range(3))
>>> result = enact.search.run(
...     line, score=lambda text: text.count("s"), strategy="best_of(n=20)"
... )
>>> result.best.score
3.0
"""

from enact.search.budget import Budget, Spent
from enact.search.marks import Discarded, accept, discard, score
from enact.search.progress import Progress
from enact.search.result import Best, Result
from enact.search.running import extend, load, resume, run, run_async
from enact.search.strategies import (
    AbMcts,
    Beam,
    BestFirst,
    BestOf,
    BreadthFirst,
    DepthFirst,
    Evolve,
    Majority,
    Mcts,
    Puct,
    Reexpand,
    SequentialHalving,
    Smc,
    Tune,
)
from enact.search.strategy import Extend, Strategy, Vary
from enact.search.tree import Node, Tree

__all__ = [
    "AbMcts",
    "Beam",
    "Best",
    "BestFirst",
    "BestOf",
    "BreadthFirst",
    "Budget",
    "DepthFirst",
    "Discarded",
    "Evolve",
    "Extend",
    "Majority",
    "Mcts",
    "Node",
    "Progress",
    "Puct",
    "Reexpand",
    "Result",
    "SequentialHalving",
    "Smc",
    "Spent",
    "Strategy",
    "Tree",
    "Tune",
    "Vary",
    "accept",
    "discard",
    "extend",
    "load",
    "resume",
    "run",
    "run_async",
    "score",
]
