# SPDX-License-Identifier: Apache-2.0
"""The strategies that enact brings along, one file each."""

from __future__ import annotations

from enact.search.strategies.beam import Beam
from enact.search.strategies.best_first import BestFirst
from enact.search.strategies.best_of import BestOf
from enact.search.strategies.breadth_first import BreadthFirst
from enact.search.strategies.depth_first import DepthFirst
from enact.search.strategies.majority import Majority
from enact.search.strategies.reexpand import Reexpand
from enact.search.strategy import Strategy

BY_NAME: dict[str, type[Strategy]] = {
    "beam": Beam,
    "best_first": BestFirst,
    "best_of": BestOf,
    "bfs": BreadthFirst,
    "dfs": DepthFirst,
    "majority": Majority,
    "reexpand": Reexpand,
}
"""Strategies by the names that texts know them by."""

__all__ = [
    "BY_NAME",
    "Beam",
    "BestFirst",
    "BestOf",
    "BreadthFirst",
    "DepthFirst",
    "Majority",
    "Reexpand",
]
