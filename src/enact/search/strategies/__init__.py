# SPDX-License-Identifier: Apache-2.0
"""The strategies that enact brings along, one file each."""

from __future__ import annotations

from enact.search.strategies.ab_mcts import AbMcts
from enact.search.strategies.beam import Beam
from enact.search.strategies.best_first import BestFirst
from enact.search.strategies.best_of import BestOf
from enact.search.strategies.breadth_first import BreadthFirst
from enact.search.strategies.depth_first import DepthFirst
from enact.search.strategies.evolve import Evolve
from enact.search.strategies.majority import Majority
from enact.search.strategies.mcts import Mcts
from enact.search.strategies.puct import Puct
from enact.search.strategies.reexpand import Reexpand
from enact.search.strategies.sequential_halving import SequentialHalving
from enact.search.strategies.smc import Smc
from enact.search.strategies.tune import Tune
from enact.search.strategy import Strategy

BY_NAME: dict[str, type[Strategy]] = {
    "ab_mcts": AbMcts,
    "beam": Beam,
    "best_first": BestFirst,
    "best_of": BestOf,
    "bfs": BreadthFirst,
    "dfs": DepthFirst,
    "evolve": Evolve,
    "majority": Majority,
    "mcts": Mcts,
    "puct": Puct,
    "reexpand": Reexpand,
    "sequential_halving": SequentialHalving,
    "smc": Smc,
    "tune": Tune,
}
"""Strategies by the names that texts know them by."""

__all__ = [
    "BY_NAME",
    "AbMcts",
    "Beam",
    "BestFirst",
    "BestOf",
    "BreadthFirst",
    "DepthFirst",
    "Evolve",
    "Majority",
    "Mcts",
    "Puct",
    "Reexpand",
    "SequentialHalving",
    "Smc",
    "Tune",
]
